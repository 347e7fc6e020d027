/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * process.c: see process.h.
 */
#include "process.h"

#include <malloc.h>
#include <string.h>

/* From /proc/self/status, whose figures are in KiB. */
static guint64
get_line (const gchar *status, const gchar *name)
{
  const gchar *line = strstr (status, name);

  return line != NULL ? g_ascii_strtoull (line + strlen (name), NULL, 10) * 1024
                      : 0;
}

static guint64
get_malloced (void)
{
#ifdef HAVE_MALLINFO2
  const struct mallinfo2 info = mallinfo2 ();

  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

FmProcessMemory
fm_process_memory (const gchar *root)
{
  g_autofree gchar *path = g_strconcat (root, "/proc/self/status", NULL);
  g_autofree gchar *status = NULL;
  FmProcessMemory memory = {.malloced = get_malloced ()};

  if (!g_file_get_contents (path, &status, NULL, NULL))
    return memory;
  memory.resident = get_line (status, "\nVmRSS:");
  memory.resident_peak = get_line (status, "\nVmHWM:");
  memory.shared = get_line (status, "\nRssShmem:");
  return memory;
}
