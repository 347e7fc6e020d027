/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-limits.c: lists the limits that this process was given: ulimit and the
 * memory cgroup. What they leave of filemem's choice is for doctor-choice.c to
 * say.
 */
#include "doctor.h"
#include "machine.h"
#include "pressure-watch.h"
#include "pager.h"
#include "seam.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

static const struct
{
  DoctorLimits limit;
  int resource;
  const gchar *name;
  const gchar *ulimit;
} of_bytes[] = {
    {DOCTOR_ADDRESSES, RLIMIT_AS, "addresses", "ulimit -v"},
    {DOCTOR_DATA, RLIMIT_DATA, "data", "ulimit -d"},
    {DOCTOR_FILE_SIZE, RLIMIT_FSIZE, "file size", "ulimit -f"},
};

guint64
doctor_limit (int resource)
{
  struct rlimit limit;

  return getrlimit (resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

gchar *
doctor_lift (guint limits)
{
  GString *fix = g_string_new (NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (of_bytes); i++) {
    if ((of_bytes[i].limit & limits) != 0
        && doctor_limit (of_bytes[i].resource) != RLIM_INFINITY)
      g_string_append_printf (
          fix, "%s%s unlimited", fix->len > 0 ? "; " : "", of_bytes[i].ulimit);
  }
  return g_string_free (fix, fix->len == 0);
}

static void
check_bytes (void)
{
  GString *unlimited = g_string_new (NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (of_bytes); i++) {
    g_autofree gchar *size = NULL;
    g_autofree gchar *fix = NULL;
    guint64 limit = doctor_limit (of_bytes[i].resource);

    if (limit == RLIM_INFINITY) {
      g_string_append_printf (unlimited, "%s%s (%s)",
          unlimited->len > 0 ? ", " : "", of_bytes[i].name, of_bytes[i].ulimit);
      continue;
    }
    size = doctor_size (limit);
    fix = g_strdup_printf ("%s unlimited, if a line above says it is too "
                           "little",
        of_bytes[i].ulimit);
    doctor_note ("limits", fix, "%s: %s (%s)", of_bytes[i].name, size,
        of_bytes[i].ulimit);
  }
  if (unlimited->len > 0)
    doctor_ok ("limits", "unlimited: %s", unlimited->str);
  g_string_free (unlimited, TRUE);
}

static gpointer
do_nothing (gpointer unused)
{
  g_usleep (G_USEC_PER_SEC / 100);
  return NULL;
}

static void
check_threads (void)
{
  FmThread *threads[FM_N_THREADS];
  guint n, i;
  int error = 0;

  for (n = 0; n < FM_N_THREADS; n++) {
    threads[n] = fm_seam_thread_start ("doctor", do_nothing, NULL);
    if (threads[n] == NULL) {
      error = errno;
      break;
    }
  }
  for (i = 0; i < n; i++)
    fm_thread_join (threads[i]);
  if (n < FM_N_THREADS)
    doctor_problem ("threads", fm_seam_thread_fix (error),
        "filemem needs %d threads, and only %u could be started: %s",
        FM_N_THREADS, n, g_strerror (error));
  else
    doctor_ok (
        "threads", "the %d that filemem needs can be started", FM_N_THREADS);
}

static void
check_locked_memory (void)
{
  struct rlimit limit;
  g_autofree gchar *size = NULL;

  if (getrlimit (RLIMIT_MEMLOCK, &limit) != 0)
    return;
  size = limit.rlim_cur == RLIM_INFINITY ? g_strdup ("unlimited")
                                         : doctor_size (limit.rlim_cur);
  doctor_ok ("mlock",
      "%s (ulimit -l); matters only to programs that lock all their memory",
      size);
}

/* Whether core dumps go to a program: ulimit -c does not count then
 * (core(5)). */
static gboolean
cores_are_piped (void)
{
  g_autofree gchar *pattern = NULL;

  return g_file_get_contents (
             "/proc/sys/kernel/core_pattern", &pattern, NULL, NULL)
      && pattern[0] == '|';
}

static void
check_core (const Doctor *doctor)
{
  FmOptions options;
  struct rlimit limit;
  gboolean dontdump;

  doctor_take_options (doctor, &options);
  dontdump = fm_options_number (&options, FM_OPTION_DONTDUMP) != 0;
  fm_options_clear (&options);
  if (getrlimit (RLIMIT_CORE, &limit) != 0)
    return;
  if (limit.rlim_cur == 0 && !cores_are_piped ())
    doctor_ok ("core dumps", "are off (ulimit -c)");
  else if (dontdump)
    doctor_ok ("core dumps", "leave filemem's blocks out (dontdump)");
  else
    doctor_note ("core dumps", "GST_FILEMEM_DONTDUMP=yes",
        "hold what filemem has in memory (dontdump=no)");
}

/* FALSE if no version of the memory controller is in use. */
static gboolean
find_cgroup_version (guint *ret_version)
{
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  gboolean found = FALSE;
  guint i;

  if (!g_file_get_contents ("/proc/self/cgroup", &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);
    g_auto (GStrv) controllers = NULL;

    if (g_strv_length (parts) != 3)
      continue;
    controllers = g_strsplit (parts[1], ",", -1);
    if (g_strv_contains ((const gchar *const *) controllers, "memory")) {
      *ret_version = 1;
      return TRUE;
    }
    if (g_str_equal (parts[0], "0")) {
      *ret_version = 2;
      found = TRUE;
    }
  }
  return found;
}

static void
check_memory (void)
{
  g_autofree gchar *memory = doctor_size (fm_machine_memory (""));
  guint64 limit = fm_machine_cgroup_limit ("");
  g_autofree gchar *limit_text = doctor_size (limit);
  guint version;

  if (!find_cgroup_version (&version))
    doctor_ok ("memory", "%s available; no cgroup", memory);
  else if (limit >= (guint64) G_MAXINT64 / 2)
    doctor_ok ("memory", "%s available; cgroup version %u, without a limit",
        memory, version);
  else
    doctor_ok ("memory", "%s available; cgroup version %u, limit %s", memory,
        version, limit_text);
}

static void
ignore_it (gpointer unused)
{
}

/* What tells filemem that others need the memory, besides its own checks. */
static void
check_pressure (const Doctor *doctor)
{
  g_autoptr (GBytes) trigger = NULL;
  g_autofree gchar *path = fm_pressure_watch_path ("", &trigger);
  FmPressureWatch *watch;
  FmOptions options;

  doctor_take_options (doctor, &options);
  if (fm_options_number (&options, FM_OPTION_PRESSURE) == FM_PRESSURE_IGNORE) {
    doctor_note ("pressure", "GST_FILEMEM_PRESSURE=yield",
        "the budget does not give way to other programs (pressure=ignore)");
    fm_options_clear (&options);
    return;
  }
  fm_options_clear (&options);
  watch = fm_pressure_watch_new ("", ignore_it, NULL);
  if (watch != NULL)
    doctor_ok ("pressure",
        "the budget gives way to other programs: filemem checks what is left, "
        "and %s reports pressure",
        path);
  else
    doctor_ok ("pressure",
        "the budget gives way to other programs: filemem checks what is left; "
        "the kernel reports no pressure (PSI)");
  g_clear_pointer (&watch, fm_pressure_watch_free);
}

void
doctor_check_limits (const Doctor *doctor)
{
  check_bytes ();
  check_memory ();
  check_pressure (doctor);
  check_threads ();
  check_locked_memory ();
  check_core (doctor);
}
