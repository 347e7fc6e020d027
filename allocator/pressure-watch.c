/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure-watch.c: see pressure-watch.h.
 */
#include "pressure-watch.h"

#include "machine.h"
#include "seam.h"
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* Some program stalled for memory for 200 ms of 2 s: the shortest window that
 * the kernel grants to programs without privileges. */
#define TRIGGER "some 200000 2000000"

/* Notifications that come more often are heard only this often. In ms. */
#define PAUSE 500

struct _FmPressureWatch
{
  void (*func) (gpointer data);
  gpointer data;
  int fd;
  FmFileIdentity identity;
  gboolean is_fifo;
  int stop[2]; /* a pipe: a byte written there ends the thread */
  FmFileIdentity stop_identity;
  atomic_bool stopping;
  FmThread *thread;
  FmPressureWatch *next; /* that was left */
};

/* Watches of threads that can't be ended. */
static _Atomic (FmPressureWatch *) left;

static const gchar *
get_variable (const gchar *name)
{
  return getauxval (AT_SECURE) == 0 ? g_getenv (name) : NULL;
}

/* What the service manager names; it may also say that there is nothing to
 * watch. */
static gchar *
path_of_manager (const gchar *path, GBytes **ret_trigger)
{
  const gchar *encoded = get_variable ("MEMORY_PRESSURE_WRITE");
  gsize length;
  guchar *trigger;

  if (!g_path_is_absolute (path) || g_str_equal (path, "/dev/null"))
    return NULL;
  if (encoded != NULL) {
    trigger = g_base64_decode (encoded, &length);
    *ret_trigger = g_bytes_new_take (trigger, length);
  }
  return g_strdup (path);
}

gchar *
fm_pressure_watch_path (const gchar *root, GBytes **ret_trigger)
{
  const gchar *watch = get_variable ("MEMORY_PRESSURE_WATCH");
  gchar *path;

  *ret_trigger = NULL;
  if (watch != NULL)
    return path_of_manager (watch, ret_trigger);
  *ret_trigger = g_bytes_new_static (TRIGGER, sizeof TRIGGER);
  path = fm_machine_cgroup_pressure (root);
  return path != NULL ? path
                      : g_strconcat (root, "/proc/pressure/memory", NULL);
}

/* Opens what is to be watched; -1 if that can't be done. */
static int
open_file (FmPressureWatch *watch, const gchar *path, GBytes *trigger)
{
  gsize length = 0;
  gconstpointer bytes =
      trigger != NULL ? g_bytes_get_data (trigger, &length) : NULL;
  struct stat status;
  int fd = fm_seam_open (path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);

  if (fd < 0)
    return -1;
  if (fm_seam_fstat (fd, &status) == 0
      && fm_seam_identify (fd, &watch->identity) == 0) {
    watch->is_fifo = S_ISFIFO (status.st_mode);
    if ((watch->is_fifo || S_ISREG (status.st_mode))
        && (length == 0
            || fm_seam_write (fd, bytes, length) == (gssize) length))
      return fd;
  }
  close (fd);
  return -1;
}

/* FALSE if no more can come. A program that closes all descriptors has closed
 * this one, and its number may refer to something else. */
static gboolean
has_said (FmPressureWatch *watch, short events)
{
  gchar drain[64];

  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0
      || fm_seam_check_file (watch->fd, &watch->identity) == EBADF)
    return FALSE;
  if (!watch->is_fifo)
    return TRUE;
  while (fm_seam_read (watch->fd, drain, sizeof drain) > 0)
    continue;
  return TRUE;
}

static gpointer
wait_for_it (gpointer data)
{
  FmPressureWatch *watch = data;
  struct pollfd fds[] = {
      {.fd = watch->stop[0], .events = POLLIN},
      {.fd = watch->fd, .events = watch->is_fifo ? POLLIN : POLLPRI},
  };

  for (;;) {
    if (fm_seam_poll (fds, 2, -1) < 0 && errno != EINTR)
      return NULL;
    if (fds[0].revents != 0 || atomic_load (&watch->stopping))
      return NULL;
    if (fds[1].revents == 0)
      continue;
    if (!has_said (watch, fds[1].revents))
      return NULL;
    watch->func (watch->data);
    if (fm_seam_poll (fds, 1, PAUSE) > 0)
      return NULL;
  }
}

/* In a program that closes all descriptors, these numbers may refer to
 * something else. */
static gboolean
is_ours (int fd, const FmFileIdentity *identity)
{
  return fd >= 0 && fm_seam_check_file (fd, identity) != EBADF;
}

static void
close_files (FmPressureWatch *watch)
{
  guint i;

  if (is_ours (watch->fd, &watch->identity))
    close (watch->fd);
  for (i = 0; i < G_N_ELEMENTS (watch->stop); i++) {
    if (is_ours (watch->stop[i], &watch->stop_identity))
      close (watch->stop[i]);
    watch->stop[i] = -1;
  }
  watch->fd = -1;
}

static gboolean
make_pipe (FmPressureWatch *watch)
{
  if (fm_seam_pipe (watch->stop) == 0) {
    if (fm_seam_identify (watch->stop[0], &watch->stop_identity) == 0)
      return TRUE;
    close (watch->stop[0]);
    close (watch->stop[1]);
  }
  watch->stop[0] = watch->stop[1] = -1;
  return FALSE;
}

FmPressureWatch *
fm_pressure_watch_new (
    const gchar *root, void (*func) (gpointer data), gpointer data)
{
  g_autoptr (GBytes) trigger = NULL;
  g_autofree gchar *path = fm_pressure_watch_path (root, &trigger);
  FmPressureWatch *watch;

  if (path == NULL)
    return NULL;
  watch = g_new0 (FmPressureWatch, 1);
  watch->func = func;
  watch->data = data;
  watch->stop[0] = watch->stop[1] = -1;
  watch->fd = open_file (watch, path, trigger);
  if (watch->fd >= 0 && make_pipe (watch))
    watch->thread = fm_seam_thread_start ("filemem-psi", wait_for_it, watch);
  if (watch->thread != NULL)
    return watch;
  close_files (watch);
  g_free (watch);
  return NULL;
}

/* If the program has closed the pipe, there is no way to end the thread, which
 * sleeps on: it keeps what it looks at when it wakes up. */
void
fm_pressure_watch_free (FmPressureWatch *watch)
{
  gboolean can_tell = is_ours (watch->stop[1], &watch->stop_identity);

  atomic_store (&watch->stopping, TRUE);
  if (watch->thread != NULL) {
    if (!can_tell || fm_seam_write (watch->stop[1], "", 1) != 1) {
      watch->next = atomic_exchange (&left, watch);
      return;
    }
    fm_thread_join (watch->thread);
  }
  close_files (watch);
  g_free (watch);
}

void
fm_pressure_watch_abandon (FmPressureWatch *watch)
{
  close_files (watch);
  watch->thread = NULL;
}
