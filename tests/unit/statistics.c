/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * statistics.c: tests the table of figures, the counters, the percentiles, and
 * that a snapshot makes sense while others count.
 */
#include "statistics.h"
#include "testing.h"

#include <string.h>

#define THREADS 4
#define COUNTS 100000
#define SNAPSHOTS 2000

static void
test_table (void **state)
{
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);
  guint id;

  for (id = 0; id < FM_N_STATISTICS; id++) {
    const FmFigureSpec *spec = fm_statistic_spec (id);

    assert_non_null (spec);
    assert_non_null (spec->name);
    assert_true (g_regex_match_simple (
        "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", spec->name, 0, 0));
    assert_true (g_hash_table_add (names, (gpointer) spec->name));
    assert_non_null (spec->description);
    assert_true (strlen (spec->description) > 0);
    assert_true (g_str_equal (spec->unit, "bytes")
        || g_str_equal (spec->unit, "ns") || g_str_equal (spec->unit, ""));
    assert_true (strlen (spec->label) > 0);
    /* The name says the unit. */
    assert_int_equal (
        g_str_has_suffix (spec->name, "-ns"), g_str_equal (spec->unit, "ns"));
    if (g_str_has_suffix (spec->name, "-bytes"))
      assert_string_equal (spec->unit, "bytes");
  }
}

static void
test_counters (void **state)
{
  FmStats *stats = fm_stats_new ();
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (stats, values);
  assert_int_equal (values[FM_STAT_SPILLS], 0);
  assert_int_equal (values[FM_STAT_ALLOCS], 0);

  fm_stats_add (stats, FM_STAT_SPILLS, 5);
  fm_stats_add (stats, FM_STAT_EXTENTS_CACHED, 7);
  fm_stats_sub (stats, FM_STAT_EXTENTS_CACHED, 3);
  fm_stats_set (stats, FM_STAT_SIZE, G_MAXUINT64);
  fm_stats_raise (stats, FM_STAT_DISK_PEAK, 10);
  fm_stats_raise (stats, FM_STAT_DISK_PEAK, 9);
  assert_int_equal (fm_stats_get (stats, FM_STAT_SPILLS), 5);

  fm_stats_snapshot (stats, values);
  assert_int_equal (values[FM_STAT_SPILLS], 5);
  assert_int_equal (values[FM_STAT_EXTENTS_CACHED], 4);
  assert_true (values[FM_STAT_SIZE] == G_MAXUINT64);
  assert_int_equal (values[FM_STAT_DISK_PEAK], 10);
  fm_stats_raise (stats, FM_STAT_DISK_PEAK, 11);
  assert_int_equal (fm_stats_get (stats, FM_STAT_DISK_PEAK), 11);
  fm_stats_free (stats);
}

static void
test_shards_add_up (void **state)
{
  FmStats *stats = fm_stats_new ();
  guint64 values[FM_N_STATISTICS];
  guint i;

  for (i = 0; i < FM_STATS_SHARDS; i++) {
    atomic_store (&stats->shard[i].allocs, 10);
    atomic_store (&stats->shard[i].alloc_bytes, 1000);
    /* One thread frees what others have allocated. */
    atomic_store (&stats->shard[i].frees, i == 0 ? 60 : 0);
    atomic_store (&stats->shard[i].freed_bytes, i == 0 ? 6000 : 0);
    atomic_store (&stats->shard[i].maps_read, i);
    atomic_store (&stats->shard[i].maps_write, 2 * i);
  }
  fm_stats_snapshot (stats, values);
  assert_int_equal (values[FM_STAT_ALLOCS], 10 * FM_STATS_SHARDS);
  assert_int_equal (values[FM_STAT_ALLOC_BYTES], 1000 * FM_STATS_SHARDS);
  assert_int_equal (values[FM_STAT_LIVE_BLOCKS], 10 * FM_STATS_SHARDS - 60);
  assert_int_equal (values[FM_STAT_LIVE_BYTES], 1000 * FM_STATS_SHARDS - 6000);
  assert_int_equal (
      values[FM_STAT_MAPS_READ], FM_STATS_SHARDS * (FM_STATS_SHARDS - 1) / 2);
  assert_int_equal (
      values[FM_STAT_MAPS_WRITE], FM_STATS_SHARDS * (FM_STATS_SHARDS - 1));
  fm_stats_free (stats);
}

static void
test_faults (void **state)
{
  FmStats *stats = fm_stats_new ();
  guint64 values[FM_N_STATISTICS];
  const gsize length = 256 * TESTING_PAGE;
  volatile guint8 *fresh = g_malloc (length);
  gsize i;

  for (i = 0; i < length; i += TESTING_PAGE)
    fresh[i] = 1;
  fm_stats_snapshot (stats, values);
  assert_true (values[FM_STAT_MINOR_FAULTS] > 0);
  g_free ((gpointer) fresh);
  fm_stats_free (stats);
}

/* ---- percentiles ---- */

static gint
compare_waits (gconstpointer a, gconstpointer b)
{
  const guint64 *x = a, *y = b;

  return *x < *y ? -1 : *x > *y;
}

/* The one that @permille of the waits did not exceed. */
static guint64
true_percentile (GArray *sorted, guint permille)
{
  guint rank = (sorted->len * permille + 999) / 1000;

  return g_array_index (sorted, guint64, MAX (rank, 1) - 1);
}

static void
assert_to_a_quarter (guint64 value, guint64 expected)
{
  assert_true (value >= expected);
  assert_true (value <= MAX (expected + expected / 4, 1000));
}

static void
check_distribution (GArray *waits)
{
  FmStats *stats = fm_stats_new ();
  guint64 values[FM_N_STATISTICS], sum = 0, longest;
  guint i;

  for (i = 0; i < waits->len; i++) {
    fm_stats_waited (stats, FM_WAIT_MAP, g_array_index (waits, guint64, i));
    sum += g_array_index (waits, guint64, i);
  }
  g_array_sort (waits, compare_waits);
  longest = g_array_index (waits, guint64, waits->len - 1);
  fm_stats_snapshot (stats, values);

  assert_int_equal (values[FM_STAT_MAP_WAITS], waits->len);
  assert_int_equal (values[FM_STAT_MAP_WAIT_NS], sum);
  assert_int_equal (values[FM_STAT_MAP_WAIT_MAX_NS], longest);
  assert_to_a_quarter (
      values[FM_STAT_MAP_WAIT_P50_NS], true_percentile (waits, 500));
  assert_to_a_quarter (
      values[FM_STAT_MAP_WAIT_P99_NS], true_percentile (waits, 990));
  assert_to_a_quarter (
      values[FM_STAT_MAP_WAIT_P999_NS], true_percentile (waits, 999));
  assert_true (values[FM_STAT_MAP_WAIT_P50_NS] <= longest);
  assert_true (values[FM_STAT_MAP_WAIT_P999_NS] <= longest);
  fm_stats_free (stats);
}

static GArray *
new_waits (void)
{
  return g_array_new (FALSE, FALSE, sizeof (guint64));
}

static void
test_no_waits (void **state)
{
  FmStats *stats = fm_stats_new ();
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (stats, values);
  assert_int_equal (values[FM_STAT_MAP_WAITS], 0);
  assert_int_equal (values[FM_STAT_MAP_WAIT_P50_NS], 0);
  assert_int_equal (values[FM_STAT_MAP_WAIT_P999_NS], 0);
  assert_int_equal (values[FM_STAT_MAP_WAIT_MAX_NS], 0);
  fm_stats_free (stats);
}

static void
test_one_wait (void **state)
{
  guint64 wait;

  for (wait = 1; wait < G_GUINT64_CONSTANT (200) * 1000000000;
       wait += wait / 7 + 1) {
    g_autoptr (GArray) waits = new_waits ();

    g_array_append_val (waits, wait);
    check_distribution (waits);
  }
}

static void
test_even_waits (void **state)
{
  g_autoptr (GArray) waits = new_waits ();
  guint64 wait;

  for (wait = 10000; wait <= 10000000; wait += 10000)
    g_array_append_val (waits, wait);
  check_distribution (waits);
}

/* Few long ones among many short ones: what percentiles are for. */
static void
test_rare_long_waits (void **state)
{
  g_autoptr (GArray) waits = new_waits ();
  guint i;

  for (i = 0; i < 5000; i++) {
    guint64 wait = i % 500 == 0 ? 1000000000 : i % 50 == 0 ? 7777777 : 20000;

    g_array_append_val (waits, wait);
  }
  check_distribution (waits);
}

static void
test_wild_waits (void **state)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (691299);
  guint round, i;

  for (round = 0; round < 50; round++) {
    g_autoptr (GArray) waits = new_waits ();

    for (i = 0; i < 100 * (round + 1); i++) {
      guint64 wait = (guint64) g_rand_int (rand)
          << g_rand_int_range (rand, 0, 6);

      wait >>= g_rand_int_range (rand, 0, 32);
      g_array_append_val (waits, wait);
    }
    check_distribution (waits);
  }
}

/* ---- others count meanwhile ---- */

typedef struct
{
  FmStats *stats;
  guint number;
} Counter;

static gpointer
count (gpointer data)
{
  Counter *counter = data;
  FmStatsShard *shard = &counter->stats->shard[counter->number];
  guint i;

  for (i = 1; i <= COUNTS; i++) {
    atomic_fetch_add (&shard->allocs, 1);
    atomic_fetch_add (&shard->alloc_bytes, 10);
    fm_stats_add (counter->stats, FM_STAT_SPILLS, 1);
    fm_stats_raise (
        counter->stats, FM_STAT_DISK_PEAK, (guint64) counter->number * i);
    if (i % 16 == 0)
      fm_stats_waited (counter->stats, FM_WAIT_MAP, i);
    atomic_fetch_add (&shard->frees, 1);
    atomic_fetch_add (&shard->freed_bytes, 10);
  }
  return NULL;
}

static void
test_while_others_count (void **state)
{
  FmStats *stats = fm_stats_new ();
  Counter counters[THREADS];
  GThread *threads[THREADS];
  guint64 before[FM_N_STATISTICS], now[FM_N_STATISTICS];
  guint i, id;

  for (i = 0; i < THREADS; i++) {
    counters[i] = (Counter){stats, i};
    threads[i] = g_thread_new ("count", count, &counters[i]);
  }
  fm_stats_snapshot (stats, before);
  for (i = 0; i < SNAPSHOTS; i++) {
    fm_stats_snapshot (stats, now);
    for (id = 0; id < FM_N_STATISTICS; id++) {
      if (fm_statistic_spec (id)->kind == FM_KIND_COUNTER)
        assert_true (now[id] >= before[id]);
    }
    /* Nothing was freed before it was allocated. */
    assert_true (now[FM_STAT_LIVE_BLOCKS] <= now[FM_STAT_ALLOCS]);
    assert_true (now[FM_STAT_LIVE_BYTES] <= now[FM_STAT_ALLOC_BYTES]);
    memcpy (before, now, sizeof now);
  }
  for (i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);

  fm_stats_snapshot (stats, now);
  assert_int_equal (now[FM_STAT_ALLOCS], THREADS * COUNTS);
  assert_int_equal (now[FM_STAT_ALLOC_BYTES], THREADS * COUNTS * 10);
  assert_int_equal (now[FM_STAT_SPILLS], THREADS * COUNTS);
  assert_int_equal (now[FM_STAT_LIVE_BLOCKS], 0);
  assert_int_equal (now[FM_STAT_LIVE_BYTES], 0);
  assert_int_equal (now[FM_STAT_DISK_PEAK], (THREADS - 1) * COUNTS);
  assert_int_equal (now[FM_STAT_MAP_WAITS], THREADS * (COUNTS / 16));
  fm_stats_free (stats);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_table),
      cmocka_unit_test (test_counters),
      cmocka_unit_test (test_shards_add_up),
      cmocka_unit_test (test_faults),
      cmocka_unit_test (test_no_waits),
      cmocka_unit_test (test_one_wait),
      cmocka_unit_test (test_even_waits),
      cmocka_unit_test (test_rare_long_waits),
      cmocka_unit_test (test_wild_waits),
      cmocka_unit_test (test_while_others_count),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
