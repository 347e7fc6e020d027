/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch.c: see watch.h.
 *
 * Viewers, the signal handler and fm_watch_stop() all do the same: they add one
 * to the word of the page, and wake the thread, which looks for what is to be
 * done. A handler may do that and no more.
 *
 * Locking: `lock` guards the existence of thread and page; a thread holds it
 * while it starts or stops them, and it is taken around a fork(). The watching
 * thread itself uses the page without the lock: the page goes only after that
 * thread has ended.
 */
#include "watch.h"

#include "fork.h"
#include "messages.h"
#include "status-page.h"
#include "seam.h"

#include <errno.h>
#include <signal.h>

/* The number of queues, elements and threads on the page, if it has room. */
#define ON_PAGE_MAX 64

static struct
{
  FmWatchConfig config;
  FmMutex lock;
  FmThread *thread; /* NULL: not running */
  gboolean refused; /* the thread can't be started */
  FmOwnPage page;
  atomic_bool is_there; /* the page, for the handler */
  atomic_bool report_wanted;
  atomic_bool stopping;
} watch = {.page = {.fd = -1}};

/* ---- the thread ---- */

/* Names may be long: what does not fit is left out, or the viewer would get
 * nothing. */
static void
answer (guint32 asked)
{
  gboolean fits = FALSE;
  guint most;

  for (most = ON_PAGE_MAX; !fits && most > 0; most /= 2) {
    g_autofree gchar *text = watch.config.make_page (most);

    fits = fm_status_page_write (&watch.page, asked, text);
  }
}

static gpointer
run (gpointer unused)
{
  const gint64 interval = (gint64) watch.config.interval * G_USEC_PER_SEC;
  gint64 next = fm_now () + interval;
  /* Nothing has asked yet. Reading the levels of queues briefly takes
   * references to them, at a moment when a program may be looking at its own
   * reference counts. */
  guint32 answered = 0;

  while (!atomic_load (&watch.stopping)) {
    guint32 asked = fm_status_page_asked (&watch.page);

    if (interval > 0 && fm_now () >= next) {
      watch.config.write_records ();
      /* Records that were missed while the process was stopped are not made up
       * for. */
      next = MAX (next + interval, fm_now ());
    } else if (atomic_exchange (&watch.report_wanted, FALSE)) {
      watch.config.write_report ();
    } else if (asked != answered) {
      if (watch.page.path != NULL)
        answer (asked);
      answered = asked;
    } else {
      fm_status_page_wait (
          &watch.page, asked, interval > 0 ? MAX (next - fm_now (), 0) : -1);
    }
  }
  return NULL;
}

void
fm_watch_start (void)
{
  fm_mutex_lock (&watch.lock);
  if (watch.thread == NULL && !watch.refused
      && !atomic_load (&watch.stopping)) {
    if (fm_status_page_init (&watch.page, fm_machine_runtime_dir ()))
      watch.thread = fm_seam_thread_start ("filemem-watch", run, NULL);
    if (watch.thread != NULL)
      atomic_store (&watch.is_there, TRUE);
    else
      fm_status_page_clear (&watch.page);
    watch.refused = watch.thread == NULL;
  }
  fm_mutex_unlock (&watch.lock);
}

void
fm_watch_stop (void)
{
  FmThread *thread;

  fm_mutex_lock (&watch.lock);
  atomic_store (&watch.stopping, TRUE);
  thread = g_steal_pointer (&watch.thread);
  if (thread != NULL) {
    /* Late signals find nothing. */
    atomic_store (&watch.is_there, FALSE);
    fm_status_page_poke (&watch.page);
  }
  fm_mutex_unlock (&watch.lock);
  if (thread != NULL) {
    fm_thread_join (thread);
    /* Handlers that have begun may still poke it. */
    fm_status_page_hide (&watch.page);
  }
}

/* ---- the signal ---- */

static void
on_signal (int number)
{
  int error = errno;

  atomic_store (&watch.report_wanted, TRUE);
  if (atomic_load (&watch.is_there))
    fm_status_page_poke (&watch.page);
  errno = error;
}

/* A handler of the program's own is left alone. */
static void
catch_signal (int number)
{
  struct sigaction action, before;

  if (sigaction (number, NULL, &before) == 0
      && (before.sa_flags & SA_SIGINFO) == 0 && before.sa_handler == SIG_DFL) {
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset (&action.sa_mask);
    if (sigaction (number, &action, NULL) == 0)
      return;
  }
  fm_warning ("option 'report-signal': the program uses signal %d itself; no "
              "report is written on it. Choose another one",
      number);
}

/* ---- fork ---- */

static void
before_fork (void)
{
  fm_mutex_lock (&watch.lock);
}

static void
in_parent (void)
{
  fm_mutex_unlock (&watch.lock);
}

/* The thread does not exist here, and the page is the parent's. */
static void
in_child (void)
{
  watch.thread = NULL;
  atomic_store (&watch.is_there, FALSE);
  atomic_store (&watch.report_wanted, FALSE);
  fm_status_page_abandon (&watch.page);
  fm_mutex_unlock (&watch.lock);
}

void
fm_watch_init (const FmWatchConfig *config)
{
  static const FmForkHandlers handlers = {before_fork, in_parent, in_child};

  watch.config = *config;
  fm_fork_register (FM_FORK_WATCH, &handlers);
  if (config->signal != 0)
    catch_signal (config->signal);
}
