/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report-json.c: tests which queues a report of limited length has, as that on
 * the status page is; and what reports say of the wear of the disk.
 */
#include "report.h"
#include "../../unit/testing.h"

#include <string.h>

static void
add_queue (FmSnapshot *snapshot, const gchar *name, guint64 level,
    guint64 bytes, gboolean is_gone)
{
  FmQueueRecord *queue = g_new0 (FmQueueRecord, 1);

  queue->name = g_strdup (name);
  queue->id = snapshot->queues->len + 1;
  queue->is_gone = is_gone;
  queue->figure[FM_QUEUE_LEVEL] = level;
  queue->figure[FM_QUEUE_BYTES] = bytes;
  g_ptr_array_add (snapshot->queues, queue);
}

static void
queue_free (gpointer data)
{
  FmQueueRecord *queue = data;

  g_free (queue->name);
  g_free (queue);
}

static void
assert_queues (
    const FmSnapshot *snapshot, guint most, const gchar *names, guint left_out)
{
  g_autofree gchar *json = fm_report_json (snapshot, most);
  g_autofree gchar *end = g_strdup_printf ("\"queues-left-out\":%u,", left_out);
  g_autoptr (GString) found = g_string_new (NULL);
  const gchar *at = json;

  assert_non_null (strstr (json, end));
  while ((at = strstr (at, "\"queue\":\"")) != NULL) {
    at += strlen ("\"queue\":\"");
    g_string_append_c (found, *at);
  }
  assert_string_equal (found->str, names);
}

/* Those that hold most, then those through which most came; what is gone gives
 * way to what is not. */
static void
test_queues (void **state)
{
  FmSnapshot snapshot = {.queues = g_ptr_array_new_with_free_func (queue_free),
      .elements = g_ptr_array_new (),
      .threads = g_ptr_array_new ()};

  add_queue (&snapshot, "gone", 0, 1000, TRUE);
  add_queue (&snapshot, "idle", 0, 10, FALSE);
  add_queue (&snapshot, "busy", 0, 100, FALSE);
  add_queue (&snapshot, "full", 5, 5, FALSE);
  assert_queues (&snapshot, 9, "fbig", 0);
  assert_queues (&snapshot, 3, "fbi", 0);
  assert_queues (&snapshot, 1, "f", 2);
  g_ptr_array_unref (snapshot.queues);
  g_ptr_array_unref (snapshot.elements);
  g_ptr_array_unref (snapshot.threads);
}

static void
assert_says (FmSnapshot *snapshot, const gchar *json, const gchar *text)
{
  g_autofree gchar *as_json = NULL, *as_text = NULL;

  fm_snapshot_derive (snapshot);
  as_json = fm_report_json (snapshot, 9);
  as_text = fm_report_text (snapshot);
  if (strstr (as_json, json) == NULL)
    fail_msg ("no %s in %s", json, as_json);
  if (strstr (as_text, text) == NULL)
    fail_msg ("no \"%s\" in %s", text, as_text);
}

/* What it held, not what passed. */
static void
test_held (void **state)
{
  FmSnapshot snapshot = {.queues = g_ptr_array_new_with_free_func (queue_free),
      .elements = g_ptr_array_new (),
      .threads = g_ptr_array_new ()};
  FmQueueRecord *queue;

  add_queue (&snapshot, "q", 0, 1000 << 20, FALSE);
  queue = g_ptr_array_index (snapshot.queues, 0);
  assert_says (&snapshot, "", " q: 1000.0\302\240MiB passed\n");
  queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK] = 10 << 20;
  assert_says (
      &snapshot, "", " q: held 10.0\302\240MiB outside filemem at most; ");
  queue->figure[FM_QUEUE_HELD_PEAK] = 20 << 20;
  assert_says (&snapshot, "",
      " q: held 20.0\302\240MiB at most, 50% of that in blocks; ");
  queue->figure[FM_QUEUE_LEVEL] = 5 << 20;
  queue->figure[FM_QUEUE_OLDEST_NS] = 8900000000;
  assert_says (&snapshot, "\"oldest-ns\":8900000000",
      "in blocks; 5.0\302\240MiB now, the oldest for 8.9 s; ");
  g_ptr_array_unref (snapshot.queues);
  g_ptr_array_unref (snapshot.elements);
  g_ptr_array_unref (snapshot.threads);
}

static void
test_wear (void **state)
{
  FmSnapshot snapshot = {.queues = g_ptr_array_new_with_free_func (queue_free),
      .elements = g_ptr_array_new (),
      .threads = g_ptr_array_new ()};
  guint64 *stats = snapshot.stats;

  /* Nothing yet: the text says nothing of it. */
  fm_snapshot_derive (&snapshot);
  assert_int_equal (stats[FM_STAT_WRITTEN_PERMILLE], 0);
  stats[FM_STAT_ALLOCS] = 1;
  assert_says (&snapshot,
      "\"passed-bytes\":0,\"written-permille\":0,\"mean-write-bytes\":0,"
      "\"mean-read-bytes\":0,",
      "  transfers   none\n  maps ");
  stats[FM_STAT_ALLOC_BYTES] = 1000 << 20;
  assert_says (
      &snapshot, "\"written-permille\":0,", "  transfers   none\n  maps ");
  stats[FM_STAT_SPILL_BYTES] = 876 << 20;
  stats[FM_STAT_WRITES] = 219;
  assert_says (&snapshot,
      "\"written-permille\":876,\"mean-write-bytes\":4194304,"
      "\"mean-read-bytes\":0,",
      "  wear        0.88 written per byte; mean write 4.0\302\240MiB\n");
  stats[FM_STAT_FILL_BYTES] = 100 << 20;
  stats[FM_STAT_READS] = 50;
  assert_says (&snapshot, "\"mean-read-bytes\":2097152,",
      "mean write 4.0\302\240MiB, mean read 2.0\302\240MiB\n");
  g_ptr_array_unref (snapshot.queues);
  g_ptr_array_unref (snapshot.elements);
  g_ptr_array_unref (snapshot.threads);
}

/* Of blocks that a pool uses again, and of what enters two queues. */
static void
test_passed (void **state)
{
  static const struct
  {
    guint64 allocated, stored, entered[2], passed, packed;
  } cases[] = {
      {100, 0, {0, 0}, 100}, {100, 100, {100, 0}, 100},
      {100, 100, {100, 100}, 100}, /* a tee */
      {100, 200, {100, 0}, 100},   /* an element writes to what it got */
      {100, 900, {900, 0}, 900},   /* a pool */
      {100, 900, {900, 900}, 900}, {100, 1800, {900, 0}, 900},
      {100, 900, {0, 0}, 900},          /* no queue is watched */
      {2700, 2700, {900, 0}, 900, 900}, /* as parcels, and when it came out */
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    FmSnapshot snapshot = {
        .queues = g_ptr_array_new_with_free_func (queue_free)};

    snapshot.stats[FM_STAT_ALLOC_BYTES] = cases[i].allocated;
    snapshot.stats[FM_STAT_STORED_BYTES] = cases[i].stored;
    snapshot.stats[FM_STAT_SPILL_BYTES] = 450;
    add_queue (&snapshot, "one", 0, cases[i].entered[0], FALSE);
    add_queue (&snapshot, "two", 0, cases[i].entered[1], FALSE);
    ((FmQueueRecord *) g_ptr_array_index (snapshot.queues, 0))
        ->figure[FM_QUEUE_PACKED_BYTES] = cases[i].packed;
    fm_snapshot_derive (&snapshot);
    assert_int_equal (snapshot.stats[FM_STAT_PASSED_BYTES], cases[i].passed);
    assert_int_equal (
        snapshot.stats[FM_STAT_WRITTEN_PERMILLE], 450000 / cases[i].passed);
    g_ptr_array_unref (snapshot.queues);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test (test_queues),
      cmocka_unit_test (test_held), cmocka_unit_test (test_wear),
      cmocka_unit_test (test_passed)};

  return cmocka_run_group_tests (tests, NULL, NULL);
}
