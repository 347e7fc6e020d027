/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * process.c: see process.h.
 */
#include "process.h"

#include <stdio.h>
#include <string.h>

/* The number behind "\nNAME:" in a file of /proc. */
static guint64
number_of (const gchar *text, const gchar *name)
{
  g_autofree gchar *start = g_strdup_printf ("\n%s:", name);
  const gchar *found = strstr (text, start);

  return found != NULL ? g_ascii_strtoull (found + strlen (start), NULL, 10)
                       : 0;
}

/* With a line end before it, so that each line has one on both sides. */
static gchar *
read_proc (const gchar *path)
{
  g_autofree gchar *text = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return g_strdup ("\n");
  return g_strconcat ("\n", text, NULL);
}

void
process_io (ProcessIo *ret_io)
{
  g_autofree gchar *text = read_proc ("/proc/self/io");

  ret_io->device_read = number_of (text, "read_bytes");
  ret_io->device_written = number_of (text, "write_bytes");
}

guint64
process_anonymous (void)
{
  g_autofree gchar *text = read_proc ("/proc/self/status");

  return number_of (text, "RssAnon") << 10;
}

guint
process_mappings (void)
{
  g_autofree gchar *text = read_proc ("/proc/self/maps");
  const gchar *at;
  guint n = 0;

  for (at = strchr (text + 1, '\n'); at != NULL; at = strchr (at + 1, '\n'))
    n++;
  return n;
}

guint64
process_resident (gconstpointer start, gconstpointer end)
{
  g_autofree gchar *text = read_proc ("/proc/self/smaps");
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  gboolean inside = FALSE;
  guint64 sum = 0;
  guint i;

  for (i = 0; lines[i] != NULL; i++) {
    unsigned long from, to;

    if (sscanf (lines[i], "%lx-%lx ", &from, &to) == 2)
      inside = from < (guintptr) end && to > (guintptr) start;
    else if (inside && g_str_has_prefix (lines[i], "Rss:"))
      sum += g_ascii_strtoull (lines[i] + strlen ("Rss:"), NULL, 10) << 10;
  }
  return sum;
}
