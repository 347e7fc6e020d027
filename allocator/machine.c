/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.c: see machine.h. Reads /proc and /sys/fs/cgroup; what is not there
 * limits nothing.
 */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* What is assumed where the kernel does not say. */
#define UNKNOWN_MEMORY (G_GUINT64_CONSTANT (1) << 30)

static guint64
available_memory (const gchar *root)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/meminfo", NULL);
  g_autofree gchar *text = NULL;
  const gchar *line;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return UNKNOWN_MEMORY;
  line = strstr (text, "MemAvailable:");
  if (line == NULL)
    line = strstr (text, "MemTotal:");
  if (line == NULL)
    return UNKNOWN_MEMORY;
  return g_ascii_strtoull (strchr (line, ':') + 1, NULL, 10) * 1024;
}

/* The least of the limits of a group and those above it. A container may see
 * its own group as the root: then only that file is there. */
static guint64
least_limit (const gchar *mount, const gchar *group, const gchar *file)
{
  g_autofree gchar *at = g_strdup (group);
  guint64 least = G_MAXUINT64;

  for (;;) {
    g_autofree gchar *path = g_build_filename (mount, at, file, NULL);
    g_autofree gchar *text = NULL;
    gchar *slash;

    if (g_file_get_contents (path, &text, NULL, NULL)
        && g_ascii_isdigit (text[0]))
      least = MIN (least, g_ascii_strtoull (text, NULL, 10));
    slash = strrchr (at, '/');
    if (slash == NULL)
      return least;
    *slash = '\0';
  }
}

guint64
fm_machine_cgroup_limit (const gchar *root)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/cgroup", NULL);
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  guint64 least = G_MAXUINT64;
  guint i;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return least;
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) parts = g_strsplit (lines[i], ":", 3);
    g_autofree gchar *mount = NULL;

    if (g_strv_length (parts) != 3)
      continue;
    if (parts[1][0] == '\0') {
      mount = g_strconcat (root, "/sys/fs/cgroup", NULL);
      least = MIN (least, least_limit (mount, parts[2], "memory.max"));
    } else {
      g_auto (GStrv) controllers = g_strsplit (parts[1], ",", -1);

      if (!g_strv_contains ((const gchar *const *) controllers, "memory"))
        continue;
      mount = g_strconcat (root, "/sys/fs/cgroup/memory", NULL);
      least =
          MIN (least, least_limit (mount, parts[2], "memory.limit_in_bytes"));
    }
  }
  return least;
}

guint64
fm_machine_memory (const gchar *root)
{
  return MIN (available_memory (root), fm_machine_cgroup_limit (root));
}

/* @field of /proc/self/status says, in KiB, how much of it is used. */
static guint64
left_of_limit (const gchar *root, int resource, const gchar *field)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/status", NULL);
  g_autofree gchar *text = NULL;
  struct rlimit limit;
  const gchar *line;
  guint64 used = 0;

  if (getrlimit (resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return G_MAXUINT64;
  if (g_file_get_contents (path, &text, NULL, NULL)) {
    line = strstr (text, field);
    if (line != NULL)
      used = g_ascii_strtoull (line + strlen (field), NULL, 10) * 1024;
  }
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

guint64
fm_machine_addresses_left (const gchar *root)
{
  return left_of_limit (root, RLIMIT_AS, "\nVmSize:");
}

guint64
fm_machine_data_left (const gchar *root)
{
  return left_of_limit (root, RLIMIT_DATA, "\nVmData:");
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
