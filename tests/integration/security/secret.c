/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * secret.c: a program whose buffers, in memory and on disk, are full of a word
 * that is nowhere else in it.
 *
 *   secret abort     and ends with a core dump
 *   secret wait      says "ready", and ends with its stdin
 *   secret exec      becomes `ls -l /proc/self/fd`
 */
#include <gst/gst.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Several times the least budget. */
#define N_BUFFERS 64
#define SIZE ((gsize) 256 << 10)

/* "filemem!" when all bits are turned, which is done while it is written. */
#define TURNED (~G_GUINT64_CONSTANT (0x216d656d656c6966))

static GstBuffer *
make_buffer (void)
{
  static volatile guint64 turned = GUINT64_TO_LE (TURNED);
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, SIZE, NULL);
  GstMapInfo map;
  gsize i;

  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    abort ();
  for (i = 0; i < SIZE / 8; i++)
    ((guint64 *) map.data)[i] = ~turned;
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

int
main (int argc, char **argv)
{
  GstBuffer *buffers[N_BUFFERS];
  guint i;

  gst_init (&argc, &argv);
  for (i = 0; i < N_BUFFERS; i++)
    buffers[i] = make_buffer ();
  if (argc != 2)
    return 2;
  if (g_str_equal (argv[1], "abort"))
    abort ();
  if (g_str_equal (argv[1], "exec")) {
    execlp ("ls", "ls", "-l", "/proc/self/fd", NULL);
    return 2;
  }
  puts ("ready");
  fflush (stdout);
  while (getchar () != EOF)
    continue;
  for (i = 0; i < N_BUFFERS; i++)
    gst_buffer_unref (buffers[i]);
  return 0;
}
