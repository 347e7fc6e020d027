/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-fixture.c: see advice-fixture.h.
 */
#include "advice-fixture.h"

static void
queue_free (gpointer data)
{
  FmQueueRecord *queue = data;

  g_free (queue->name);
  g_free (queue);
}

int
advice_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  guint64 *stats = fixture->snapshot.stats;

  fixture->stats = stats;
  fixture->snapshot.queues = g_ptr_array_new_with_free_func (queue_free);
  fixture->snapshot.elements =
      g_ptr_array_new_with_free_func (fm_registry_item_unref);
  fixture->snapshot.threads = g_ptr_array_new ();
  stats[FM_STAT_SIZE] = 1024 * MIB;
  stats[FM_STAT_RAM] = 64 * MIB;
  stats[FM_STAT_RESIDENT_PEAK] = 64 * MIB;
  stats[FM_STAT_SPILLED_PEAK] = 300 * MIB;
  stats[FM_STAT_USED_PEAK] = 350 * MIB;
  stats[FM_STAT_FLOOR] = 8 * MIB;
  stats[FM_STAT_DISK_PEAK] = 400 * MIB;
  stats[FM_STAT_ALLOCS] = 10000;
  stats[FM_STAT_ALLOC_BYTES] = 10000 * 65536;
  stats[FM_STAT_MAPS_READ] = 15000;
  stats[FM_STAT_MAPS_WRITE] = 5000;
  stats[FM_STAT_SPILL_BYTES] = 400 * MIB;
  stats[FM_STAT_FILL_BYTES] = 400 * MIB;
  stats[FM_STAT_PREFETCH_BYTES] = 400 * MIB;
  stats[FM_STAT_FILLS] = 400;
  stats[FM_STAT_DISK_BUSY_NS] = 8 * SECOND;
  *state = fixture;
  return 0;
}

int
advice_teardown (void **state)
{
  Fixture *fixture = *state;

  g_ptr_array_unref (fixture->snapshot.queues);
  g_ptr_array_unref (fixture->snapshot.elements);
  g_ptr_array_unref (fixture->snapshot.threads);
  g_free (fixture);
  return 0;
}

GPtrArray *
advise (Fixture *fixture)
{
  fm_snapshot_derive (&fixture->snapshot);
  return fm_advice (&fixture->snapshot);
}

void
assert_none (Fixture *fixture)
{
  g_autoptr (GPtrArray) advice = advise (fixture);

  if (advice->len > 0)
    fail_msg ("not expected: %s", (gchar *) g_ptr_array_index (advice, 0));
}

void
assert_one (Fixture *fixture, const gchar *expected)
{
  g_autoptr (GPtrArray) advice = advise (fixture);

  assert_int_equal (advice->len, 1);
  assert_string_equal (g_ptr_array_index (advice, 0), expected);
}

FmQueueRecord *
add_queue (Fixture *fixture, const gchar *name, guint64 bytes, guint64 foreign)
{
  FmQueueRecord *queue = g_new0 (FmQueueRecord, 1);

  queue->name = g_strdup (name);
  queue->figure[FM_QUEUE_BYTES] = bytes;
  queue->figure[FM_QUEUE_FOREIGN_BYTES] = foreign;
  g_ptr_array_add (fixture->snapshot.queues, queue);
  return queue;
}
