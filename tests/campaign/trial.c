/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trial.c: see trial.h.
 *
 * The hook counts calls, and fails them, in whatever process of the trial makes
 * them: the counters are shared.
 */
#include "trial.h"

#include "leftovers.h"
#include "messages.h"
#include "testing.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAID_MAX 8192

/* ---- what the processes of a trial share ---- */

typedef struct
{
  atomic_uint count[CALLS_MAX];
  atomic_uint injected;
  atomic_uint lost;
  atomic_bool sleeps;
  atomic_uint said_length;
  gchar said[SAID_MAX];
} Shared;

static Shared *shared;
static const Workload *workload;
static Fault fault;
static gchar *dir;
static gboolean has_left; /* this process */

/* ---- the hook ---- */

static gboolean
is_call (const Call *call, const FmCallInfo *info)
{
  return info->call == call->call
      && (call->is_meant == NULL || call->is_meant (info));
}

static gboolean
is_hit (guint number)
{
  if (number == fault.nth || !fault.for_good || number < fault.nth)
    return number == fault.nth;
  return !answer_is_passing (fault.call, fault.answer)
      || (number - fault.nth) % 2 == 0;
}

static int
hook (const FmCallInfo *info)
{
  int standing = workload->standing != NULL ? workload->standing (info) : 0;
  guint i;

  if (has_left || atomic_load (&shared->sleeps))
    return standing;
  for (i = 0; calls[i].name != NULL && !is_call (&calls[i], info); i++)
    continue;
  if (calls[i].name == NULL)
    return standing;
  if (&calls[i] != fault.call) {
    atomic_fetch_add (&shared->count[i], 1);
    return standing;
  }
  if (!is_hit (atomic_fetch_add (&shared->count[i], 1) + 1))
    return standing;
  atomic_fetch_add (&shared->injected, 1);
  if (fault.answer->unmaps)
    munmap (info->address, info->length);
  return fault.answer->answer;
}

/* ---- for workloads ---- */

const Workload *
trial_workload (void)
{
  return workload;
}

const gchar *
trial_dir (void)
{
  return dir;
}

gboolean
trial_has_fault (void)
{
  return fault.call != NULL;
}

void
trial_let_fault_sleep (gboolean sleeps)
{
  if (!has_left)
    atomic_store (&shared->sleeps, sleeps);
}

void
trial_leave (void)
{
  has_left = TRUE;
}

gboolean
trial_may_lose (void)
{
  return !has_left && fault.call != NULL && !atomic_load (&shared->sleeps)
      && atomic_load (&shared->injected) > 0
      && (call_loses (fault.call, fault.answer)
          || (workload->needs_memory
              && call_brings_in (fault.call, fault.answer)));
}

void
trial_check_lost (void)
{
  testing_check (trial_may_lose ());
  atomic_fetch_add (&shared->lost, 1);
}

guint
trial_lost (void)
{
  return atomic_load (&shared->lost);
}

void
trial_check_refused (void)
{
  testing_check (
      !has_left && fault.call != NULL && call_gives_memory (fault.call));
}

static void
hear (FmMessageLevel level, const gchar *text)
{
  g_autofree gchar *line = g_strdup_printf ("%d\t%s\n", (int) getpid (), text);
  guint length = (guint) strlen (line), at;

  if (level != FM_MESSAGE_WARNING)
    return;
  at = atomic_fetch_add (&shared->said_length, length);
  testing_check (at + length < SAID_MAX);
  memcpy (shared->said + at, line, length);
}

void
trial_check_no_store (const gchar *why)
{
  testing_check (
      !has_left && fault.call != NULL && call_makes_store (fault.call));
  hear (FM_MESSAGE_WARNING, why);
}

void
trial_hear (void)
{
  fm_messages_set_func (hear);
}

void
trial_check_happened (FmStats *stats)
{
  guint64 values[FM_N_STATISTICS];
  guint i;

  if (fault.call != NULL)
    return;
  fm_stats_snapshot (stats, values);
  for (i = 0; i < G_N_ELEMENTS (workload->happens); i++) {
    const FmStatistic id = workload->happens[i];

    if (id == 0 || values[id] > 0)
      continue;
    fprintf (stderr, "%s is 0\n", fm_statistic_spec (id)->name);
    testing_check (!"this happens without a fault");
  }
}

/* ---- the child ---- */

static void
check_leftovers (const Leftovers *before)
{
  g_autofree gchar *left = NULL;

  if (fault.call == NULL)
    left = leftovers_since (before, LEFT_ANYTHING);
  else
    left = leftovers_since (before,
        (call_leaves_mappings (fault.call, fault.answer) ? 0 : LEFT_MAPPINGS)
            | (call_leaves_files (fault.call, fault.answer) ? 0 : LEFT_FILES));
  if (left == NULL)
    return;
  fprintf (stderr, "left: %s\n", left);
  testing_check (!"nothing is left");
}

static void
run_in_child (guint seconds)
{
  g_autofree gchar *runtime_dir = g_build_filename (dir, "run", NULL);
  Leftovers *before;

  alarm (seconds);
  g_setenv ("XDG_RUNTIME_DIR", runtime_dir, TRUE);
  testing_check (g_mkdir (runtime_dir, 0700) == 0);
  before = leftovers_new ();
  fm_seam_set_hook (hook);
  trial_hear ();
  workload->run ();
  fm_seam_set_hook (NULL);
  /* What is installed as default allocator stays. */
  if (!workload->uses_gst)
    check_leftovers (before);
  leftovers_free (before);
}

static gchar *
read_all (FILE *file)
{
  gchar text[4096];
  gsize n;

  rewind (file);
  n = fread (text, 1, sizeof text - 1, file);
  text[n] = '\0';
  return g_strdup (g_strchomp (text));
}

/* ---- the verdict ---- */

static gchar *
names_left (void)
{
  g_autoptr (GDir) names = g_dir_open (dir, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (names)) != NULL) {
    if (!g_str_equal (name, "run")
        && (fault.call == NULL || !call_leaves_names (fault.call)))
      return g_strdup_printf ("the name %s is left", name);
  }
  return NULL;
}

static gchar *
judge (int status, const gchar *text)
{
  if (WIFSIGNALED (status) && WTERMSIG (status) == SIGALRM)
    return g_strdup_printf ("it hangs: %s", text);
  if (WIFSIGNALED (status))
    return g_strdup_printf ("signal %d: %s", WTERMSIG (status), text);
  if (WEXITSTATUS (status) != EXIT_SUCCESS)
    return g_strdup (text);
  if (fault.call == NULL || atomic_load (&shared->injected) > 0) {
    gchar *misfit = call_misfit (fault.call, fault.answer, shared->said,
        &workload->words, atomic_load (&shared->lost) > 0);

    if (misfit != NULL)
      return misfit;
  }
  return names_left ();
}

static gchar *
make_dir (void)
{
  gchar *in_memory = g_strdup ("/dev/shm/filemem-campaign-XXXXXX");

  if (!workload->on_disk && g_mkdtemp (in_memory) != NULL)
    return in_memory;
  g_free (in_memory);
  return testing_dir_new ();
}

void
trial_run (
    const Workload *of, const Fault *with, guint seconds, Result *ret_result)
{
  FILE *said = tmpfile ();
  g_autofree gchar *text = NULL;
  int status;
  guint i;
  pid_t pid;

  if (shared == NULL)
    shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  g_assert (shared != MAP_FAILED && said != NULL);
  memset (shared, 0, sizeof *shared);
  workload = of;
  fault = *with;
  dir = make_dir ();

  fflush (NULL);
  pid = fork ();
  g_assert (pid >= 0);
  if (pid == 0) {
    /* What it leaves running when it fails is ended with it. */
    setpgid (0, 0);
    dup2 (fileno (said), STDERR_FILENO);
    run_in_child (seconds);
    fflush (NULL);
    _exit (EXIT_SUCCESS);
  }
  while (waitpid (pid, &status, 0) < 0)
    continue;
  (void) kill (-pid, SIGKILL);
  text = read_all (said);
  fclose (said);

  memset (ret_result, 0, sizeof *ret_result);
  ret_result->why_not = judge (status, text);
  ret_result->survived = ret_result->why_not == NULL;
  ret_result->injected = atomic_load (&shared->injected);
  ret_result->lost = atomic_load (&shared->lost);
  for (i = 0; i < CALLS_MAX; i++)
    ret_result->count[i] = atomic_load (&shared->count[i]);
  testing_dir_free (g_steal_pointer (&dir));
}

void
trial_clear (Result *result)
{
  g_clear_pointer (&result->why_not, g_free);
}
