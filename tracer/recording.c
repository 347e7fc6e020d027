/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * recording.c: see recording.h.
 *
 * The file is opened and closed again for each line: a program may close all
 * descriptors, and fork. What is in the file when a process begins is from
 * another run, and is removed; but the child of a fork continues its parent's
 * file. Only the first line of each process says what it is about.
 */
#include "recording.h"

#include "output.h"
#include "report.h"

#include <string.h>
#include <unistd.h>

/* The number of queues, elements and threads that are worth room in each
 * line. */
#define RECORDED_MAX 64

static struct
{
  pid_t pid; /* that has begun recording; 0: none */
  gboolean failed;
} recording;

void
fm_recording_add (const gchar *to, FmSnapshot *snapshot)
{
  gboolean begins = recording.pid != getpid ();
  gboolean shares = recording.pid != 0 && strstr (to, "%p") == NULL;
  g_autofree gchar *json = NULL, *line = NULL;

  if (recording.failed && !begins)
    return;
  snapshot->tells_about = begins;
  json = fm_report_json (snapshot, RECORDED_MAX);
  line = g_strconcat (json, "\n", NULL);
  recording.pid = getpid ();
  recording.failed = !(begins && !shares ? fm_output_write (to, line)
                                         : fm_output_append (to, line));
}
