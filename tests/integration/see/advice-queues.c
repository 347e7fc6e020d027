/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-queues.c: tests what is said of each queue: what of it filemem does
 * not hold, and why.
 */
#include "advice-fixture.h"

#include <stdlib.h>
#include <string.h>

/* Figures that were read while buffers came do not fit each other. */
static void
test_file_backed (void **state)
{
  FmQueueRecord *queue = add_queue (*state, "q", 100, 60);

  assert_int_equal (fm_queue_file_backed (queue), 40);
  queue->figure[FM_QUEUE_COPIED_BYTES] = 50;
  assert_int_equal (fm_queue_file_backed (queue), 90);
  queue->figure[FM_QUEUE_COPIED_BYTES] = 70;
  assert_int_equal (fm_queue_file_backed (queue), 100);
  queue->figure[FM_QUEUE_COPIED_BYTES] = 0;
  queue->figure[FM_QUEUE_FOREIGN_BYTES] = 110;
  assert_int_equal (fm_queue_file_backed (queue), 0);
}

static void
test_escapes (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *queue = add_queue (
      fixture, "/GstPipeline:p/GstQueue:q.sink", 2000 * MIB, 2000 * MIB);
  g_autofree gchar *expected = g_strdup_printf (
      "up to 180.0\302\240MiB that /GstPipeline:p/GstQueue:q.sink held stayed "
      "ordinary memory (5 buffers: %s; 6 buffers: %s)",
      fm_queue_figure_spec (FM_QUEUE_LEFT_META)->label,
      fm_queue_figure_spec (FM_QUEUE_LEFT_DEVICE)->label);

  /* It never held enough to be copied. */
  assert_none (fixture);
  queue->figure[FM_LEFT_META] = 5;
  queue->figure[FM_LEFT_DEVICE] = 6;
  /* However much has passed. */
  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 16 * MIB;
  assert_none (fixture);
  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 180 * MIB;
  assert_one (fixture, expected);
}

/* What was pushed where nobody saw it, but not what was seen after all. */
static void
test_unseen (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *queue = add_queue (fixture, "appsrc0.src", 0, 0);

  queue->figure[FM_QUEUE_UNSEEN] = 500 * MIB;
  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 16 * MIB;
  assert_none (fixture);
  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 200 * MIB;
  assert_one (fixture,
      "up to 200.0\302\240MiB rested in appsrc0.src in the program's own "
      "memory, which it pushes where filemem can't see it: push by the signal "
      "push-buffer, start a program in C with `gst-filemem run`, or let a "
      "queue "
      "without limits follow");
  queue->figure[FM_QUEUE_UNSEEN] = 16 * MIB;
  assert_none (fixture);
}

static void
test_own_memory (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *queue = add_queue (fixture, "q", 500 * MIB, 0);

  queue->figure[FM_QUEUE_HELD_PEAK] = 64 * MIB;
  assert_none (fixture);
  queue->figure[FM_QUEUE_KEPT_OWN] = 500 * MIB;
  assert_one (fixture,
      "q keeps up to 64.0\302\240MiB in memory of its own, which filemem can't "
      "page: set its ring-buffer-max-size to 0");
}

static void
test_kept (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *queue = add_queue (fixture, "sink", 500 * MIB, 0);

  queue->figure[FM_QUEUE_LEVEL] = 150 * MIB;
  queue->figure[FM_QUEUE_OLDEST_NS] = 8900000000;
  assert_none (fixture);
  queue->figure[FM_QUEUE_KEPT] = 150 * MIB;
  assert_one (fixture,
      "sink has released nothing for 8.9 s: it, or the program behind it, "
      "keeps 150.0\302\240MiB. If that keeps growing, it is a leak");
  queue->is_gone = TRUE;
  assert_one (fixture,
      "150.0\302\240MiB that came to sink is still there, 8.9 s later, and the "
      "element is not: the program keeps it, or it is a leak");
  queue->figure[FM_QUEUE_OLDEST_NS] = 4900000000;
  assert_none (fixture);
  queue->figure[FM_QUEUE_OLDEST_NS] = 8900000000;
  queue->figure[FM_QUEUE_KEPT] = 16 * MIB;
  assert_none (fixture);
}

/* What had no room needs what there was none of. */
static void
test_no_room (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *queue = add_queue (fixture, "q", 100 * MIB, 100 * MIB);
  g_autoptr (GPtrArray) full = NULL, nowhere = NULL;

  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 50 * MIB;
  queue->figure[FM_LEFT_NO_ROOM] = 5;
  full = advise (fixture);
  assert_int_equal (full->len, 1);
  assert_non_null (strstr (g_ptr_array_index (full, 0), "): raise size"));
  fixture->stats[FM_STAT_FALLBACKS_DIR] = 1;
  nowhere = advise (fixture);
  assert_int_equal (nowhere->len, 1);
  assert_null (strstr (g_ptr_array_index (nowhere, 0), "raise size"));
  assert_non_null (strstr (g_ptr_array_index (nowhere, 0), "): set dir"));
}

static void
add_escaping (Fixture *fixture, const gchar *name, guint64 foreign)
{
  FmQueueRecord *queue = add_queue (fixture, name, 100 * MIB, foreign);

  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = foreign;
  queue->figure[FM_LEFT_META] = foreign > 0;
}

static void
test_escapes_of_each (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) advice = NULL;

  add_escaping (fixture, "one", 50 * MIB);
  add_escaping (fixture, "two", 0);
  add_escaping (fixture, "three", 50 * MIB);
  advice = advise (fixture);
  assert_int_equal (advice->len, 2);
  assert_non_null (strstr (g_ptr_array_index (advice, 0), " one "));
  assert_non_null (strstr (g_ptr_array_index (advice, 1), " three "));
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, advice_setup, advice_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_file_backed),
      TEST (test_escapes),
      TEST (test_unseen),
      TEST (test_own_memory),
      TEST (test_kept),
      TEST (test_no_room),
      TEST (test_escapes_of_each),
  };
#undef TEST

  setenv ("LC_ALL", "C", 1);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
