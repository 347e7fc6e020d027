/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-sequences.c: a test that what leaves a queue is the same, packed or
 * not: random sequences of buffers, lists, events and queries, taken out at
 * random.
 *
 *   test-packing-sequences ELEMENT
 *
 * In a process with the tracer and a tiny `pack-above`.
 */
#include "packing-line.h"
#include "packing-steps.h"

#include <string.h>

#define SEQUENCES 400
#define ITEMS 300

static const gchar *factory;

/* What comes out of @seed's sequence; adds to *@n_packed. */
static gchar *
run_sequence (guint seed, gboolean packed, guint64 *n_packed)
{
  Choices choices = {.rand = g_rand_new_with_seed (seed)};
  guint64 before = line_figure ("packed");
  gchar *text = packing_steps_run (factory, &choices, ITEMS, packed);

  *n_packed += line_figure ("packed") - before;
  g_rand_free (choices.rand);
  return text;
}

static void
test_sequences (void **state)
{
  guint64 n_packed = 0, n_plain = 0;
  guint seed;

  for (seed = 0; seed < SEQUENCES; seed++) {
    g_autofree gchar *packed = run_sequence (seed, TRUE, &n_packed);
    g_autofree gchar *plain = run_sequence (seed, FALSE, &n_plain);

    if (!g_str_equal (packed, plain)) {
      g_file_set_contents ("packed.txt", packed, -1, NULL);
      g_file_set_contents ("plain.txt", plain, -1, NULL);
      fail_msg ("%s, seed %u: see packed.txt and plain.txt", factory, seed);
    }
  }
  assert_true (n_packed > SEQUENCES * ITEMS / 5);
  assert_int_equal (n_plain, 0);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_sequences),
  };

  gst_init (&argc, &argv);
  factory = argv[1];
  return cmocka_run_group_tests (tests, NULL, NULL);
}
