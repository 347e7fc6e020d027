/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-packing.c: the bytes are buffers, lists, events and queries for a queue
 * whose buffers are packed and for one whose are not: the same comes out of
 * both. The first byte says which kind of queue.
 *
 * The plugin is found by GST_PLUGIN_PATH.
 */
#include "fuzz.h"

#include "../integration/queues/packing-line.h"
#include "../integration/queues/packing-steps.h"

#include <signal.h>

static void
on_trap (int number)
{
  abort ();
}

int
LLVMFuzzerInitialize (int *argc, char ***argv)
{
  g_setenv ("GST_TRACERS",
      "filemem(size=256M,ram=8M,reserve=0,pack-above=4000)", TRUE);
  g_setenv ("G_DEBUG", "fatal-criticals", TRUE);
  /* GLib's, of what is fatal, which libFuzzer does not know. */
  signal (SIGTRAP, on_trap);
  gst_init (NULL, NULL);
  return 0;
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  static const gchar *const factories[] = {"queue", "queue2", "multiqueue"};
  const gchar *factory;
  Choices choices, again;
  g_autofree gchar *packed = NULL, *plain = NULL;

  if (size == 0)
    return 0;
  factory = factories[data[0] % G_N_ELEMENTS (factories)];
  choices = again = (Choices){.data = data + 1, .left = size - 1};
  packed = packing_steps_run (factory, &choices, G_MAXUINT, TRUE);
  plain = packing_steps_run (factory, &again, G_MAXUINT, FALSE);
  if (!g_str_equal (packed, plain))
    fuzz_fail ("%s, packed:\n%s\nplain:\n%s\n", factory, packed, plain);
  return 0;
}
