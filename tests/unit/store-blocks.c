/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-blocks.c: tests heap, pager, arena and backing file put together:
 * blocks of all sizes, and a store that is full.
 */
#include "store-fixture.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static const gsize sizes[] = {0, 1, 2, 7, 8, 100, 1316, 4095, 4096, 4097, 65536,
    LEAST_EXTENT / 2 - 1, LEAST_EXTENT / 2, LEAST_EXTENT / 2 + 1,
    LEAST_EXTENT - 1, LEAST_EXTENT, LEAST_EXTENT + 1, 5 * LEAST_EXTENT + 4097,
    6 * TESTING_MIB};

#define N_SIZES G_N_ELEMENTS (sizes)

/* All alive at once, more than the budget, each of them checked twice. */
static void
test_sizes (void **state)
{
  Fixture *fixture = *state;
  static const gsize aligns[] = {0, 7, 63, 4095};
  FmStoreBlock blocks[N_SIZES][G_N_ELEMENTS (aligns)];
  guint i, j, round;

  open_small (fixture, "64M");
  for (i = 0; i < N_SIZES; i++) {
    for (j = 0; j < G_N_ELEMENTS (aligns); j++) {
      blocks[i][j] = alloc_block (fixture, sizes[i] + aligns[j], aligns[j]);
      write_block (fixture, &blocks[i][j], sizes[i], i * 10 + j);
    }
  }
  for (round = 0; round < 2; round++) {
    for (i = 0; i < N_SIZES; i++) {
      for (j = 0; j < G_N_ELEMENTS (aligns); j++)
        check_block (fixture, &blocks[i][j], sizes[i], i * 10 + j);
    }
  }
  assert_true (statistic (fixture, FM_STAT_SPILLS) > 0);
  assert_true (statistic (fixture, FM_STAT_FILLS) > 0);
  for (i = 0; i < N_SIZES; i++) {
    for (j = 0; j < G_N_ELEMENTS (aligns); j++)
      fm_store_give (fixture->store, &blocks[i][j]);
  }
}

/* Both ends of a block, which may be large. */
static void
write_ends (Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  const gsize length = MIN (size / 2, TESTING_PAGE);

  assert_true (fm_store_map (fixture->store, block, FM_PIN_WRITE));
  testing_fill (block->data, length, seed);
  testing_fill (block->data + size - length, length, seed + 1);
  fm_store_unmap (fixture->store, block, FM_PIN_WRITE, size);
}

static void
check_ends (Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  const gsize length = MIN (size / 2, TESTING_PAGE);

  assert_true (fm_store_map (fixture->store, block, FM_PIN_READ));
  assert_true (testing_is_filled (block->data, length, seed));
  assert_true (
      testing_is_filled (block->data + size - length, length, seed + 1));
  fm_store_unmap (fixture->store, block, FM_PIN_READ, size);
}

/* An alignment above that of extents, and above the block's size. GStreamer
 * makes the alignment a part of the size, and may use all of it. */
static void
test_wide_alignment (void **state)
{
  Fixture *fixture = *state;
  static const gsize block_sizes[] = {1, 4096, LEAST_EXTENT, TESTING_MIB + 1};
  FmStoreBlock blocks[G_N_ELEMENTS (block_sizes)];
  gsize align;
  guint i;

  open_small (fixture, "64M");
  for (align = 4095; align < 8 * TESTING_MIB; align = 2 * align + 1) {
    for (i = 0; i < G_N_ELEMENTS (block_sizes); i++) {
      blocks[i] = alloc_block (fixture, block_sizes[i] + align, align);
      write_ends (fixture, &blocks[i], block_sizes[i] + align, i * 10);
    }
    for (i = 0; i < G_N_ELEMENTS (block_sizes); i++) {
      check_ends (fixture, &blocks[i], block_sizes[i] + align, i * 10);
      fm_store_give (fixture->store, &blocks[i]);
    }
  }
}

static void
test_too_large (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock block;

  open_small (fixture, "8M");
  block = alloc_block (fixture, 8 * TESTING_MIB, 0);
  write_block (fixture, &block, 8 * TESTING_MIB, 1);
  check_block (fixture, &block, 8 * TESTING_MIB, 1);
  fm_store_give (fixture->store, &block);
  /* The same, as GStreamer asks for it. */
  block = alloc_block (fixture, 8 * TESTING_MIB + 7, 7);
  fm_store_give (fixture->store, &block);

  assert_int_equal (
      fm_store_alloc (fixture->store, 8 * TESTING_MIB + 1, 0, 0, &block),
      FM_STORE_TOO_LARGE);
  assert_int_equal (
      fm_store_alloc (fixture->store, 100 * TESTING_MIB, 0, 0, &block),
      FM_STORE_TOO_LARGE);
  assert_int_equal (fm_store_alloc (fixture->store, G_MAXSIZE, 0, 0, &block),
      FM_STORE_TOO_LARGE);
  assert_int_equal (
      fm_store_alloc (fixture->store, G_MAXSIZE, G_MAXSIZE, 0, &block),
      FM_STORE_TOO_LARGE);
}

static GArray *
alloc_until_full (Fixture *fixture, gsize size)
{
  GArray *blocks = g_array_new (FALSE, FALSE, sizeof (FmStoreBlock));
  FmStoreResult result;
  FmStoreBlock block;

  while ((result = fm_store_alloc (fixture->store, size, 0, 0, &block))
      == FM_STORE_DONE) {
    g_array_append_val (blocks, block);
    write_block (fixture, &block, size, blocks->len);
  }
  assert_int_equal (result, FM_STORE_FULL);
  return blocks;
}

static void
check_and_give_all (Fixture *fixture, GArray *blocks, gsize size)
{
  guint i;

  for (i = 0; i < blocks->len; i++) {
    const FmStoreBlock *block = &g_array_index (blocks, FmStoreBlock, i);

    check_block (fixture, block, size, i + 1);
    fm_store_give (fixture->store, block);
  }
  g_array_unref (blocks);
}

static void
test_full (void **state)
{
  Fixture *fixture = *state;
  static const gsize block_sizes[] = {
      LEAST_EXTENT / 4, LEAST_EXTENT, 1316, TESTING_MIB};
  guint i;

  open_small (fixture, "8M");
  for (i = 0; i < G_N_ELEMENTS (block_sizes); i++) {
    GArray *blocks = alloc_until_full (fixture, block_sizes[i]);

    /* All of the size can be had, but for the ends of extents and the one
     * that a stream has open. */
    assert_true (blocks->len * block_sizes[i] <= 8 * TESTING_MIB);
    assert_true (blocks->len * block_sizes[i]
        >= 8 * TESTING_MIB - 2 * LEAST_EXTENT - block_sizes[i]);
    check_and_give_all (fixture, blocks, block_sizes[i]);
  }
  assert_true (statistic (fixture, FM_STAT_DISK_PEAK) <= 8 * TESTING_MIB);
}

/* Large alignments are no way around the limit. */
static void
test_full_of_slack (void **state)
{
  Fixture *fixture = *state;
  const gsize align = 2 * TESTING_MIB - 1;
  GArray *blocks = g_array_new (FALSE, FALSE, sizeof (FmStoreBlock));
  FmStoreResult result;
  FmStoreBlock block;
  guint i;

  open_small (fixture, "8M");
  while (
      (result = fm_store_alloc (fixture->store, 100 + align, align, 0, &block))
          == FM_STORE_DONE
      && blocks->len < 1000)
    g_array_append_val (blocks, block);
  /* What they waste is addresses; those end too. */
  assert_true (result == FM_STORE_FULL || result == FM_STORE_NO_ADDRESSES);
  assert_true (statistic (fixture, FM_STAT_DISK_PEAK) <= 8 * TESTING_MIB);
  for (i = 0; i < blocks->len; i++)
    fm_store_give (fixture->store, &g_array_index (blocks, FmStoreBlock, i));
  g_array_unref (blocks);
}

/* One small block that lives long does not hold megabytes. */
static void
test_room_behind_small_blocks (void **state)
{
  Fixture *fixture = *state;
  const gsize size = LEAST_EXTENT / 4;
  GArray *blocks, *more;
  guint i;

  open_small (fixture, "8M");
  blocks = alloc_until_full (fixture, size);
  for (i = 0; i < blocks->len; i++) {
    if (i % 4 != 0)
      fm_store_give (fixture->store, &g_array_index (blocks, FmStoreBlock, i));
  }
  more = alloc_until_full (fixture, size);
  assert_true (more->len >= blocks->len / 2);
  check_and_give_all (fixture, more, size);
  for (i = 0; i < blocks->len; i += 4) {
    const FmStoreBlock *block = &g_array_index (blocks, FmStoreBlock, i);

    check_block (fixture, block, size, i + 1);
    fm_store_give (fixture->store, block);
  }
  g_array_unref (blocks);
}

typedef struct
{
  Fixture *fixture;
  GArray *blocks;
} Giver;

static gpointer
give_some (gpointer data)
{
  Giver *giver = data;
  guint i;

  g_usleep (20000);
  for (i = 0; i < 8; i++)
    fm_store_give (
        giver->fixture->store, &g_array_index (giver->blocks, FmStoreBlock, i));
  g_array_remove_range (giver->blocks, 0, 8);
  return NULL;
}

static void
test_wait_for_room (void **state)
{
  Fixture *fixture = *state;
  GArray *blocks;
  Giver giver;
  GThread *thread;
  FmStoreBlock block;
  guint i;

  open_small (fixture, "8M");
  blocks = alloc_until_full (fixture, LEAST_EXTENT);
  giver = (Giver){fixture, blocks};
  thread = g_thread_new ("give", give_some, &giver);
  assert_int_equal (fm_store_alloc (fixture->store, LEAST_EXTENT, 0,
                        (gint64) 300 * G_USEC_PER_SEC, &block),
      FM_STORE_DONE);
  g_thread_join (thread);
  fm_store_give (fixture->store, &block);
  for (i = 0; i < blocks->len; i++)
    fm_store_give (fixture->store, &g_array_index (blocks, FmStoreBlock, i));
  g_array_unref (blocks);
}

/* Whoever has waited in vain, for the blocks of a pool say, waits no more
 * before something has come back. */
static void
test_wait_in_vain (void **state)
{
  Fixture *fixture = *state;
  const gint64 for_ever = (gint64) 3600 * G_USEC_PER_SEC;
  GArray *blocks;
  FmStoreBlock block;
  guint64 waits;
  guint i;

  open_small (fixture, "8M");
  blocks = alloc_until_full (fixture, LEAST_EXTENT);
  waits = statistic (fixture, FM_STAT_ALLOC_WAITS);
  assert_int_equal (
      fm_store_alloc (fixture->store, LEAST_EXTENT, 0, 1000, &block),
      FM_STORE_FULL);
  assert_int_equal (statistic (fixture, FM_STAT_ALLOC_WAITS), waits + 1);
  /* These would exceed the time limit of the test. */
  for (i = 0; i < 3; i++)
    assert_int_equal (
        fm_store_alloc (fixture->store, LEAST_EXTENT, 0, for_ever, &block),
        FM_STORE_FULL);
  assert_int_equal (statistic (fixture, FM_STAT_ALLOC_WAITS), waits + 1);

  fm_store_give (fixture->store, &g_array_index (blocks, FmStoreBlock, 0));
  assert_int_equal (fm_store_alloc (fixture->store, LEAST_EXTENT, 0, 0, &block),
      FM_STORE_DONE);
  waits = statistic (fixture, FM_STAT_ALLOC_WAITS);
  assert_int_equal (
      fm_store_alloc (fixture->store, LEAST_EXTENT, 0, 1000, &block),
      FM_STORE_FULL);
  assert_int_equal (statistic (fixture, FM_STAT_ALLOC_WAITS), waits + 1);
  fm_store_give (fixture->store, &block);
  for (i = 1; i < blocks->len; i++)
    fm_store_give (fixture->store, &g_array_index (blocks, FmStoreBlock, i));
  g_array_unref (blocks);
}

static void
test_no_wait_for_the_impossible (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock block;

  open_small (fixture, "8M");
  /* Would exceed the time limit of the test if it waited. */
  assert_int_equal (fm_store_alloc (fixture->store, 9 * TESTING_MIB, 0,
                        (gint64) 3600 * G_USEC_PER_SEC, &block),
      FM_STORE_TOO_LARGE);
}

/* What is on disk never passes the size, and comes back when it is free. */
static void
test_disk (void **state)
{
  Fixture *fixture = *state;
  GArray *blocks;
  struct stat status;
  int fd;

  open_small (fixture, "16M");
  fd = testing_find_backing_file (fixture->dir);
  blocks = alloc_until_full (fixture, LEAST_EXTENT / 8);
  assert_int_equal (fsync (fd), 0);
  assert_int_equal (fstat (fd, &status), 0);
  assert_true (status.st_blocks > 0);
  assert_true ((guint64) status.st_blocks * 512 <= 16 * TESTING_MIB);
  assert_int_equal (statistic (fixture, FM_STAT_FALLBACKS), 0);
  check_and_give_all (fixture, blocks, LEAST_EXTENT / 8);
}

/* ---- kernels before 5.7 ---- */

/* An extent each, shorter than staging. */
#define N_LARGE 60
#define LARGE (5 * LEAST_EXTENT)

static int
without_dontunmap (const FmCallInfo *info)
{
  return info->call == FM_CALL_MREMAP && (info->flags & MREMAP_DONTUNMAP) != 0
      ? EINVAL
      : 0;
}

static guint64
addresses_used (void)
{
  g_autofree gchar *text = NULL;

  assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return g_ascii_strtoull (text, NULL, 10) * TESTING_PAGE;
}

/* Staging goes with what is moved from it, also where that is not all of it. */
static void
test_staging_goes (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock blocks[N_LARGE];
  guint64 before = 0;
  guint round, i;

  if (TESTING_SANITIZER)
    testing_skip ("a sanitizer takes addresses of its own");
  fm_seam_set_hook (without_dontunmap);
  set_option (fixture, FM_OPTION_RAM, "32M");
  set_option (fixture, FM_OPTION_SIZE, "256M");
  open_store (fixture);
  for (i = 0; i < N_LARGE; i++) {
    blocks[i] = alloc_block (fixture, LARGE, 0);
    write_block (fixture, &blocks[i], LARGE, i + 1);
  }
  for (round = 0; round < 3; round++) {
    for (i = 0; i < N_LARGE; i++)
      check_block (fixture, &blocks[i], LARGE, i + 1);
    if (round == 0)
      before = addresses_used ();
  }
  assert_true (statistic (fixture, FM_STAT_FILLS) > N_LARGE);
  /* A thread's staging or two may come or go. */
  assert_true (addresses_used () < before + 16 * TESTING_MIB);
  give_blocks (fixture, blocks, N_LARGE);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_sizes),
      TEST (test_wide_alignment),
      TEST (test_too_large),
      TEST (test_full),
      TEST (test_full_of_slack),
      TEST (test_room_behind_small_blocks),
      TEST (test_wait_for_room),
      TEST (test_wait_in_vain),
      TEST (test_no_wait_for_the_impossible),
      TEST (test_disk),
      TEST (test_staging_goes),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
