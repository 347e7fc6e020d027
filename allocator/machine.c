/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.c: see machine.h. Reads /proc and /sys/fs/cgroup; a missing file
 * means no limit.
 */
#include "machine.h"
#include "seam.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <unistd.h>

/* Assumed where the kernel does not say. */
#define UNKNOWN_MEMORY (G_GUINT64_CONSTANT (1) << 30)

/* In bytes; *@ret_total is all memory of the machine. */
static guint64
available_memory (const gchar *root, guint64 *ret_total)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/meminfo", NULL);
  g_autofree gchar *text = NULL;
  const gchar *total, *available;

  *ret_total = UNKNOWN_MEMORY;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return UNKNOWN_MEMORY;
  total = strstr (text, "MemTotal:");
  available = strstr (text, "MemAvailable:");
  if (total != NULL)
    *ret_total = g_ascii_strtoull (strchr (total, ':') + 1, NULL, 10) * 1024;
  if (available == NULL)
    return *ret_total;
  return g_ascii_strtoull (strchr (available, ':') + 1, NULL, 10) * 1024;
}

/* ---- memory cgroups ---- */

/* The files of one version of memory cgroups. */
typedef struct
{
  const gchar *mount, *usage, *limit, *high, *pressure, *cached[2];
} Cgroups;

static const Cgroups cgroups_v1 = {"/sys/fs/cgroup/memory",
    "memory.usage_in_bytes", "memory.limit_in_bytes", NULL, NULL,
    {"\ntotal_inactive_file ", "\ntotal_active_file "}};
static const Cgroups cgroups_v2 = {"/sys/fs/cgroup", "memory.current",
    "memory.max", "memory.high", "memory.pressure",
    {"\ninactive_file ", "\nactive_file "}};

typedef void (*GroupFunc) (
    const gchar *dir, const Cgroups *cgroups, gpointer data);

/* Calls @func for a group and those above it. A container may see its own group
 * as the root: then only that directory exists. */
static void
foreach_above (const gchar *root, const Cgroups *cgroups, const gchar *group,
    GroupFunc func, gpointer data)
{
  g_autofree gchar *at = g_strdup (group);

  for (;;) {
    g_autofree gchar *dir = g_strconcat (root, cgroups->mount, "/", at, NULL);
    gchar *slash;

    func (dir, cgroups, data);
    slash = strrchr (at, '/');
    if (slash == NULL)
      return;
    *slash = '\0';
  }
}

/* Calls @func for all memory cgroups that this process is in. */
static void
foreach_group (const gchar *root, GroupFunc func, gpointer data)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/cgroup", NULL);
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint i;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);
    g_auto (GStrv) controllers = NULL;

    if (g_strv_length (parts) != 3)
      continue;
    controllers = g_strsplit (parts[1], ",", -1);
    if (parts[1][0] == '\0')
      foreach_above (root, &cgroups_v2, parts[2], func, data);
    else if (g_strv_contains ((const gchar *const *) controllers, "memory"))
      foreach_above (root, &cgroups_v1, parts[2], func, data);
  }
}

/* G_MAXUINT64 if the file is missing, or has no number. */
static guint64
read_number (const gchar *dir, const gchar *file)
{
  g_autofree gchar *path = g_build_filename (dir, file, NULL);
  g_autofree gchar *text = NULL;

  return file != NULL && g_file_get_contents (path, &text, NULL, NULL)
          && g_ascii_isdigit (text[0])
      ? g_ascii_strtoull (text, NULL, 10)
      : G_MAXUINT64;
}

static void
note_limit (const gchar *dir, const Cgroups *cgroups, gpointer ret_least)
{
  guint64 *least = ret_least;

  *least = MIN (*least, read_number (dir, cgroups->limit));
}

guint64
fm_machine_cgroup_limit (const gchar *root)
{
  guint64 least = G_MAXUINT64;

  foreach_group (root, note_limit, &least);
  return least;
}

guint64
fm_machine_memory (const gchar *root)
{
  guint64 total;

  return MIN (available_memory (root, &total), fm_machine_cgroup_limit (root));
}

/* ---- what is left ---- */

typedef struct
{
  guint64 machine; /* the machine's memory */
  guint64 limit;   /* the least limit below that, and its group */
  guint64 group;
  FmHeadroom least; /* so far */
} Left;

/* Page cache, which the kernel drops before it kills a process. */
static guint64
cached_bytes (const gchar *dir, const Cgroups *cgroups)
{
  g_autofree gchar *path = g_build_filename (dir, "memory.stat", NULL);
  g_autofree gchar *text = NULL;
  guint64 bytes = 0;
  guint i;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  for (i = 0; i < G_N_ELEMENTS (cgroups->cached); i++) {
    const gchar *at = strstr (text, cgroups->cached[i]);

    if (at != NULL)
      bytes += g_ascii_strtoull (at + strlen (cgroups->cached[i]), NULL, 10);
  }
  return bytes;
}

/* For one group, if its limit is less than the machine's memory. */
static void
note_left (const gchar *dir, const Cgroups *cgroups, gpointer ret_left)
{
  Left *left = ret_left;
  guint64 limit =
      MIN (read_number (dir, cgroups->limit), read_number (dir, cgroups->high));
  FmHeadroom here = {.total = limit, .is_of_cgroup = TRUE};
  guint64 usage;

  if (limit >= left->machine)
    return;
  usage = read_number (dir, cgroups->usage);
  if (usage == G_MAXUINT64)
    return;
  if (limit < left->limit) {
    left->limit = limit;
    left->group = (guint64) g_str_hash (dir) + 1;
  }
  usage -= MIN (usage, cached_bytes (dir, cgroups));
  here.headroom = limit - MIN (limit, usage);
  if (fm_headroom_before_margin (&here)
      < fm_headroom_before_margin (&left->least))
    left->least = here;
}

FmHeadroom
fm_machine_headroom (const gchar *root)
{
  Left left = {.limit = G_MAXUINT64};

  left.least.headroom = available_memory (root, &left.machine);
  left.least.total = left.machine;
  foreach_group (root, note_left, &left);
  left.least.group = left.group;
  return left.least;
}

/* The path of the first group that has the file, which is the innermost. */
static void
find_pressure (const gchar *dir, const Cgroups *cgroups, gpointer ret_path)
{
  gchar **found = ret_path;
  g_autofree gchar *path = NULL;
  struct stat status;

  if (*found != NULL || cgroups->pressure == NULL)
    return;
  path = g_build_filename (dir, cgroups->pressure, NULL);
  if (fm_seam_stat (path, &status) == 0 && S_ISREG (status.st_mode))
    *found = g_canonicalize_filename (path, NULL);
}

gchar *
fm_machine_cgroup_pressure (const gchar *root)
{
  gchar *path = NULL;

  foreach_group (root, find_pressure, &path);
  return path;
}

const gchar *
fm_machine_runtime_dir (void)
{
  const gchar *dir =
      getauxval (AT_SECURE) == 0 ? g_getenv ("XDG_RUNTIME_DIR") : NULL;

  return dir != NULL && g_path_is_absolute (dir) ? dir : NULL;
}

gboolean
fm_machine_make_runtime_dir (const gchar *dir)
{
  g_autofree gchar *above = g_path_get_dirname (dir);
  struct stat status;

  if (fm_seam_stat (above, &status) < 0 || status.st_uid != geteuid ()
      || (fm_seam_mkdir (dir, 0700) < 0 && errno != EEXIST))
    return FALSE;
  /* Where other users may write too (/tmp belongs to root), @dir may be theirs,
   * or a link to somewhere else. */
  return fm_seam_lstat (dir, &status) == 0 && S_ISDIR (status.st_mode)
      && status.st_uid == geteuid () && (status.st_mode & 022) == 0;
}

/* ---- limits of the process ---- */

/* At most @most. @field of /proc/self/status says, in KiB, how much of the
 * limit is used. */
static guint64
left_of_limit (
    const gchar *root, int resource, guint64 most, const gchar *field)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/status", NULL);
  g_autofree gchar *text = NULL;
  struct rlimit limit;
  const gchar *line;
  guint64 used = 0;

  if (getrlimit (resource, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    most = MIN (most, limit.rlim_cur);
  if (most == G_MAXUINT64)
    return most;
  if (g_file_get_contents (path, &text, NULL, NULL)) {
    line = strstr (text, field);
    if (line != NULL)
      used = g_ascii_strtoull (line + strlen (field), NULL, 10) * 1024;
  }
  return most > used ? most - used : 0;
}

guint64
fm_machine_addresses_left (const gchar *root)
{
  /* Of 32-bit addresses the kernel may keep a quarter for itself. */
  return left_of_limit (root, RLIMIT_AS,
      sizeof (gpointer) == 4 ? (guint64) 3 << 30 : G_MAXUINT64, "\nVmSize:");
}

guint64
fm_machine_data_left (const gchar *root)
{
  return left_of_limit (root, RLIMIT_DATA, G_MAXUINT64, "\nVmData:");
}

guint64
fm_machine_mappings (const gchar *root)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/maps", NULL);
  FILE *file = fopen (path, "re");
  guint64 n = 0;
  int c;

  if (file == NULL)
    return 0;
  while ((c = getc_unlocked (file)) != EOF)
    n += c == '\n' ? 1 : 0;
  fclose (file);
  return n;
}
