/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-kernel.c: checks settings of the whole machine, and the place for the
 * live view.
 */
#include "doctor.h"
#include "status-page.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Lines of /proc/self/maps: the kernel's own default. */
#define MAPS_ENOUGH 65530
#define RUNTIME_DIR \
  "export XDG_RUNTIME_DIR='DIR', a directory of this user with mode 0700"

/* FALSE if the file can't be read or holds no number. */
static gboolean
read_number (const gchar *path, gint64 *ret_number)
{
  g_autofree gchar *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL)
      && g_ascii_string_to_signed (
          g_strstrip (text), 10, G_MININT64, G_MAXINT64, ret_number, NULL);
}

static void
check_maps (void)
{
  gint64 most;

  if (!read_number ("/proc/sys/vm/max_map_count", &most))
    return;
  if (most < MAPS_ENOUGH)
    doctor_note ("mappings", "sysctl vm.max_map_count=65530",
        "vm.max_map_count is %" G_GINT64_FORMAT
        ": very deep queues of small buffers may need more",
        most);
  else
    doctor_ok ("mappings", "vm.max_map_count is %" G_GINT64_FORMAT, most);
}

static void
check_overcommit (void)
{
  gint64 mode;

  if (!read_number ("/proc/sys/vm/overcommit_memory", &mode))
    return;
  if (mode == 2)
    doctor_note ("overcommit", "keep GST_FILEMEM_RAM below what is left of it",
        "vm.overcommit_memory is 2: the budget counts against CommitLimit in "
        "/proc/meminfo");
  else
    doctor_ok ("overcommit", "vm.overcommit_memory is %" G_GINT64_FORMAT, mode);
}

/* Counts page faults of this thread, in user mode: what the statistics
 * count. */
static int
open_fault_counter (void)
{
  struct perf_event_attr attributes;

  memset (&attributes, 0, sizeof attributes);
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_PAGE_FAULTS;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  return (int) syscall (SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static void
check_perf (void)
{
  g_autofree gchar *paranoid = NULL;
  gint64 level;
  int fd, error;

  paranoid = read_number ("/proc/sys/kernel/perf_event_paranoid", &level)
      ? g_strdup_printf ("perf_event_paranoid is %" G_GINT64_FORMAT, level)
      : g_strdup ("no perf_event_paranoid");
  fd = open_fault_counter ();
  error = errno;
  if (fd >= 0) {
    doctor_ok ("perf events", "page faults can be counted (%s)", paranoid);
    close (fd);
  } else {
    doctor_note ("perf events",
        "sysctl kernel.perf_event_paranoid=2, and allow perf_event_open in the "
        "seccomp profile; statistics lose detail, nothing else",
        "page faults can't be counted where they happen: %s (%s)",
        g_strerror (error), paranoid);
  }
}

static void
check_seccomp (void)
{
  g_autofree gchar *text = NULL;
  const gchar *line;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL))
    return;
  line = strstr (text, "\nSeccomp:\t");
  if (line != NULL && line[strlen ("\nSeccomp:\t")] == '2')
    doctor_ok ("seccomp",
        "a filter is active; the line on calls says whether "
        "it lets filemem work");
  else
    doctor_ok ("seccomp", "no filter is active");
}

static void
check_huge_pages (void)
{
  g_autofree gchar *text = NULL;

  if (!g_file_get_contents (
          "/sys/kernel/mm/transparent_hugepage/enabled", &text, NULL, NULL))
    return;
  if (strstr (text, "[never]") != NULL)
    doctor_note ("huge pages",
        "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled",
        "transparent huge pages are off: more time goes into page faults");
  else
    doctor_ok ("huge pages", "programs can have them");
}

/* Makes a page as a program makes it, and removes it. */
static gboolean
takes_page (const gchar *dir)
{
  FmOwnPage page;
  gboolean takes;

  if (!fm_status_page_init (&page, dir))
    return FALSE;
  takes = page.fd >= 0;
  fm_status_page_clear (&page);
  return takes;
}

/* To the directory in it, or to where that leads. */
static gboolean
others_may_write (const gchar *dir)
{
  g_autofree gchar *pages =
      g_build_filename (dir, FM_STATUS_PAGE_DIRECTORY, NULL);
  struct stat status;

  return lstat (pages, &status) == 0
      && (S_ISLNK (status.st_mode) || (status.st_mode & 022) != 0);
}

/* Why the directory takes none. */
static void
explain_no_page (const gchar *dir)
{
  const gchar *why = "can't be used";
  const gchar *fix = RUNTIME_DIR;
  struct rlimit limit;
  struct stat status;

  if (!g_path_is_absolute (dir)) {
    why = "is not the whole path";
  } else if (stat (dir, &status) == 0 && status.st_uid != geteuid ()) {
    why = "belongs to another user";
  } else if (access (dir, W_OK | X_OK) != 0 || !S_ISDIR (status.st_mode)) {
    fix = "make it a directory of this user with mode 0700, or log in anew";
  } else if (getrlimit (RLIMIT_FSIZE, &limit) == 0
      && limit.rlim_cur < FM_STATUS_PAGE_SIZE) {
    why = "is out of reach, because files have to be too small (ulimit -f)";
    fix = "ulimit -f unlimited";
  } else if (others_may_write (dir)) {
    why = "has " FM_STATUS_PAGE_DIRECTORY
          " in it, which is a link or which others may write to";
    fix = "remove it, or chmod 700 it";
  } else {
    why = "takes no file in " FM_STATUS_PAGE_DIRECTORY;
    fix = "make " FM_STATUS_PAGE_DIRECTORY
          " there a directory of this user, with "
          "some space";
  }
  doctor_note ("live view", fix,
      "XDG_RUNTIME_DIR=%s %s: gst-filemem top shows nothing, and "
      "programs share no budget",
      dir, why);
}

static void
check_runtime_dir (void)
{
  const gchar *dir = g_getenv ("XDG_RUNTIME_DIR");

  if (dir == NULL || dir[0] == '\0')
    doctor_note ("live view", RUNTIME_DIR,
        "XDG_RUNTIME_DIR is not set: gst-filemem top shows nothing, "
        "and programs share no budget");
  else if (takes_page (dir))
    doctor_ok ("live view", "XDG_RUNTIME_DIR is %s", dir);
  else
    explain_no_page (dir);
}

void
doctor_check_kernel (const Doctor *doctor)
{
  check_maps ();
  check_overcommit ();
  check_huge_pages ();
  check_perf ();
  check_seccomp ();
  check_runtime_dir ();
}
