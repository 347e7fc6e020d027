/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-stats.c: tests that the figures of a store tell what happened to its
 * blocks: where a map found them, how old the oldest is, what waits, what is
 * mapped, what was written.
 */
#include "store-fixture.h"

#include "extent.h"

#include <unistd.h>

/* So many extents don't fit the least budget. */
#define N_BLOCKS 64

static FmStoreBlock blocks[N_BLOCKS];

static int
setup (void **state)
{
  if (fixture_setup (state) != 0)
    return -1;
  open_small (*state, "256M");
  return 0;
}

static void
fill_store (Fixture *fixture)
{
  write_extents (fixture, blocks, N_BLOCKS, 0);
}

static void
empty_store (Fixture *fixture)
{
  give_blocks (fixture, blocks, N_BLOCKS);
}

static void
read_backwards (Fixture *fixture)
{
  guint i;

  for (i = N_BLOCKS; i-- > 0;)
    check_block (fixture, &blocks[i], LEAST_EXTENT, i);
}

/* Read from the end, so that nothing is read ahead. What was spilled is told
 * apart from what was not; the subclass counts the maps themselves. */
static void
test_where_maps_find_blocks (void **state)
{
  Fixture *fixture = *state;
  guint64 spilled, prefetching, waits;
  guint i;

  fill_store (fixture);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_WRITE_SPILLED), 0);
  assert_true (statistic (fixture, FM_STAT_EXTENTS_SPILLED) > 0);
  read_backwards (fixture);

  spilled = statistic (fixture, FM_STAT_MAPS_READ_SPILLED);
  prefetching = statistic (fixture, FM_STAT_MAPS_READ_PREFETCHING);
  waits = statistic (fixture, FM_STAT_MAP_WAITS);
  assert_true (spilled > 0);
  assert_true (spilled + prefetching <= waits);
  assert_true (waits <= N_BLOCKS);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_WRITE_SPILLED), 0);

  /* A write that changes what is on disk has to bring it back, too. */
  for (i = N_BLOCKS; i-- > 0;)
    write_block (fixture, &blocks[i], LEAST_EXTENT, i);
  assert_true (statistic (fixture, FM_STAT_MAPS_WRITE_SPILLED) > 0);
  empty_store (fixture);
}

/* Reads of the file stand still while `is_closed`. */
static atomic_bool is_closed, somebody_waits;

static int
hold_reads (const FmCallInfo *info)
{
  while (info->call == FM_CALL_PREAD && atomic_load (&is_closed)) {
    atomic_store (&somebody_waits, TRUE);
    g_usleep (1000);
  }
  return 0;
}

static gboolean
is_spilled (const FmStoreBlock *block)
{
  return FM_WORD_STATE (atomic_load (&block->block.extent->word)) == FM_SPILLED;
}

static gpointer
read_spilled (gpointer data)
{
  Fixture *fixture = data;
  guint i = 0;

  while (!is_spilled (&blocks[i]))
    i++;
  fm_stats_count (fixture->stats, fm_thread_number (), maps_read, 1);
  check_block (fixture, &blocks[i], LEAST_EXTENT, i);
  return NULL;
}

/* A map that still waits for its block is not one of a resident block: that
 * number would have to fall when the block has come. */
static void
test_map_that_waits (void **state)
{
  Fixture *fixture = *state;
  guint64 meanwhile;
  GThread *thread;

  fill_store (fixture);
  atomic_store (&is_closed, TRUE);
  fm_seam_set_hook (hold_reads);
  thread = g_thread_new ("reader", read_spilled, fixture);
  while (!atomic_load (&somebody_waits))
    g_usleep (1000);
  meanwhile = statistic (fixture, FM_STAT_MAPS_READ_RESIDENT);
  atomic_store (&is_closed, FALSE);
  g_thread_join (thread);
  fm_seam_set_hook (NULL);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_READ_SPILLED), 1);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_READ_RESIDENT), 0);
  assert_int_equal (meanwhile, 0);
  empty_store (fixture);
}

static void
test_waits_of_threads (void **state)
{
  Fixture *fixture = *state;
  const FmStatsShard *shard = &fixture->stats->shard[fm_thread_number ()];
  guint64 counts[FM_HISTOGRAM_BUCKETS], n = 0;
  guint i;

  fill_store (fixture);
  read_backwards (fixture);
  /* This thread is the only one. */
  assert_int_equal (
      atomic_load (&shard->map_waits), statistic (fixture, FM_STAT_MAP_WAITS));
  assert_int_equal (atomic_load (&shard->map_wait_ns),
      statistic (fixture, FM_STAT_MAP_WAIT_NS));
  assert_int_equal (atomic_load (&shard->alloc_waits),
      statistic (fixture, FM_STAT_ALLOC_WAITS));
  fm_stats_waits (fixture->stats, FM_WAIT_MAP, counts);
  for (i = 0; i < FM_HISTOGRAM_BUCKETS; i++)
    n += counts[i];
  assert_int_equal (n, statistic (fixture, FM_STAT_MAP_WAITS));
  empty_store (fixture);
}

static void
test_oldest (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock old, young;
  guint64 age;

  assert_int_equal (statistic (fixture, FM_STAT_OLDEST_NS), 0);
  old = alloc_block (fixture, LEAST_EXTENT, 0);
  g_usleep (20000);
  young = alloc_block (fixture, LEAST_EXTENT, 0);
  age = statistic (fixture, FM_STAT_OLDEST_NS);
  assert_true (age >= 20000000);
  fm_store_give (fixture->store, &old);
  g_usleep (1000);
  assert_true (statistic (fixture, FM_STAT_OLDEST_NS) > 0);
  fm_store_give (fixture->store, &young);
  assert_int_equal (statistic (fixture, FM_STAT_OLDEST_NS), 0);
}

static void
test_disk_and_mappings (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (statistic (fixture, FM_STAT_DISK_BUSY_NS), 0);
  assert_true (statistic (fixture, FM_STAT_MAPPINGS) > 0);
  fill_store (fixture);
  assert_true (statistic (fixture, FM_STAT_DISK_BUSY_NS) > 0);
  /* Spilled extents are mappings of their own. */
  assert_true (statistic (fixture, FM_STAT_MAPPINGS) > 2);
  /* Transfers go around the cache, or are dropped from it. */
  assert_true (statistic (fixture, FM_STAT_PAGE_CACHE_BYTES) < 8 * TESTING_MIB);
  empty_store (fixture);
  assert_int_equal (statistic (fixture, FM_STAT_EXTENTS_SPILLED), 0);
  /* The disk space of spilled blocks that are gone is kept for a while. */
  assert_true (statistic (fixture, FM_STAT_EXTENTS_RETAINED) > 0);
}

/* As the kernel sees them. */
static atomic_uint n_writes, n_reads;

static int
count_requests (const FmCallInfo *info)
{
  if (info->call == FM_CALL_PWRITE)
    atomic_fetch_add (&n_writes, 1);
  else if (info->call == FM_CALL_PREAD)
    atomic_fetch_add (&n_reads, 1);
  return 0;
}

/* Nothing that is still being written or read is counted half. */
static void
wait_for_transfers (Fixture *fixture)
{
  while (statistic (fixture, FM_STAT_EXTENTS_WRITING) > 0
      || statistic (fixture, FM_STAT_EXTENTS_FILLING) > 0)
    g_usleep (1000);
}

static void
test_requests (void **state)
{
  Fixture *fixture = *state;
  guint i;

  assert_int_equal (statistic (fixture, FM_STAT_WRITES), 0);
  assert_int_equal (statistic (fixture, FM_STAT_READS), 0);
  fm_seam_set_hook (count_requests);
  fill_store (fixture);
  for (i = 0; i < N_BLOCKS; i++)
    check_block (fixture, &blocks[i], LEAST_EXTENT, i);
  wait_for_transfers (fixture);
  fm_seam_set_hook (NULL);
  assert_true (statistic (fixture, FM_STAT_WRITES) > 0);
  assert_true (statistic (fixture, FM_STAT_READS) > 0);
  assert_int_equal (
      statistic (fixture, FM_STAT_WRITES), atomic_load (&n_writes));
  assert_int_equal (statistic (fixture, FM_STAT_READS), atomic_load (&n_reads));
  /* No longer than an extent. */
  assert_true (statistic (fixture, FM_STAT_SPILL_BYTES)
      <= statistic (fixture, FM_STAT_WRITES) * LEAST_EXTENT);
  assert_true (statistic (fixture, FM_STAT_FILL_BYTES)
      <= statistic (fixture, FM_STAT_READS) * LEAST_EXTENT);
  empty_store (fixture);
}

static void
test_pinned (void **state)
{
  Fixture *fixture = *state;
  guint i;

  fill_store (fixture);
  assert_int_equal (statistic (fixture, FM_STAT_PINNED_BYTES), 0);
  for (i = 0; i < N_BLOCKS; i += 2)
    assert_true (fm_store_map (fixture->store, &blocks[i], FM_PIN_READ));
  assert_int_equal (
      statistic (fixture, FM_STAT_PINNED_BYTES), N_BLOCKS / 2 * LEAST_EXTENT);
  for (i = 0; i < N_BLOCKS; i += 2)
    fm_store_unmap (fixture->store, &blocks[i], FM_PIN_READ, 0);
  assert_int_equal (statistic (fixture, FM_STAT_PINNED_BYTES), 0);
  assert_int_equal (
      statistic (fixture, FM_STAT_PINNED_PEAK), N_BLOCKS / 2 * LEAST_EXTENT);
  empty_store (fixture);
}

/* What is written again counts again. */
static void
test_stored (void **state)
{
  Fixture *fixture = *state;
  guint i;

  fill_store (fixture);
  assert_int_equal (
      statistic (fixture, FM_STAT_STORED_BYTES), N_BLOCKS * LEAST_EXTENT);
  for (i = 0; i < N_BLOCKS; i++)
    write_block (fixture, &blocks[i], LEAST_EXTENT, i);
  assert_int_equal (
      statistic (fixture, FM_STAT_STORED_BYTES), 2 * N_BLOCKS * LEAST_EXTENT);
  for (i = 0; i < N_BLOCKS; i++)
    check_block (fixture, &blocks[i], LEAST_EXTENT, i);
  assert_int_equal (
      statistic (fixture, FM_STAT_STORED_BYTES), 2 * N_BLOCKS * LEAST_EXTENT);
  empty_store (fixture);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_where_maps_find_blocks),
      TEST (test_map_that_waits),
      TEST (test_waits_of_threads),
      TEST (test_oldest),
      TEST (test_requests),
      TEST (test_pinned),
      TEST (test_stored),
      TEST (test_disk_and_mappings),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
