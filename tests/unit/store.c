/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store.c: tests heap, pager, arena and backing file put together: what is
 * chosen from the options, blocks of all sizes, a store that is full, and a
 * program that forks while its buffers are being paged.
 */
#include "machine.h"
#include "messages.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* With ram=0. */
#define LEAST_BUDGET (4 * TESTING_MIB)
#define LEAST_EXTENT (256 * TESTING_KIB)

#define FORKS 20
#define PAGING_THREADS 2

typedef struct
{
  gchar *dir;
  FmOptions options;
  FmStats *stats;
  FmStore *store;
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fm_options_init (&fixture->options);
  if (!fm_options_set (&fixture->options, FM_OPTION_DIR, fixture->dir, NULL))
    return -1;
  fixture->stats = fm_stats_new ();
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  fm_messages_set_func (NULL);
  g_clear_pointer (&fixture->store, fm_store_free);
  fm_options_clear (&fixture->options);
  fm_stats_free (fixture->stats);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static void
set (Fixture *fixture, FmOptionId id, const gchar *text)
{
  assert_true (fm_options_set (&fixture->options, id, text, NULL));
}

static void
open_store (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&fixture->store, fm_store_free);
  fixture->store = fm_store_new (&fixture->options, fixture->stats, &error);
  if (fixture->store == NULL)
    fail_msg ("%s", error->message);
}

static void
open_small (Fixture *fixture, const gchar *size)
{
  set (fixture, FM_OPTION_RAM, "0");
  set (fixture, FM_OPTION_RESERVE, "0");
  set (fixture, FM_OPTION_SIZE, size);
  open_store (fixture);
}

static guint64
statistic (Fixture *fixture, FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_store_update_stats (fixture->store);
  fm_stats_snapshot (fixture->stats, values);
  return values[id];
}

static FmStoreBlock
alloc (Fixture *fixture, gsize size, gsize align)
{
  FmStoreBlock block;

  assert_int_equal (
      fm_store_alloc (fixture->store, size, align, 0, &block), FM_STORE_DONE);
  assert_non_null (block.data);
  assert_int_equal ((guintptr) block.data & align, 0);
  return block;
}

static void
write_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  assert_true (fm_store_map (fixture->store, block, FM_PIN_WRITE));
  testing_fill (block->data, size, seed);
  fm_store_unmap (fixture->store, block, FM_PIN_WRITE, size);
}

static void
check_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  assert_true (fm_store_map (fixture->store, block, FM_PIN_READ));
  assert_true (testing_is_filled (block->data, size, seed));
  fm_store_unmap (fixture->store, block, FM_PIN_READ, size);
}

/* ---- what is chosen ---- */

static void
free_space (const gchar *dir, guint64 *ret_free, guint64 *ret_total)
{
  struct statvfs space;

  assert_int_equal (statvfs (dir, &space), 0);
  *ret_free = (guint64) space.f_bavail * space.f_frsize;
  *ret_total = (guint64) space.f_blocks * space.f_frsize;
}

/* Others write to the disk too. */
static void
assert_about (guint64 value, guint64 expected)
{
  assert_in_range (value, expected - expected / 10, expected + expected / 10);
}

static void
test_defaults (void **state)
{
  Fixture *fixture = *state;
  guint64 free_bytes, total, memory = fm_machine_memory ("");

  open_store (fixture);
  free_space (fixture->dir, &free_bytes, &total);
  assert_about (fm_store_size (fixture->store), free_bytes / 2);
  assert_in_range (
      fm_store_budget (fixture->store), 32 * TESTING_MIB, 1024 * TESTING_MIB);
  if (memory / 8 < 32 * TESTING_MIB)
    assert_int_equal (fm_store_budget (fixture->store), 32 * TESTING_MIB);
  else if (memory / 8 > 2048 * TESTING_MIB)
    assert_int_equal (fm_store_budget (fixture->store), 1024 * TESTING_MIB);
  assert_int_equal (fm_store_reserve (fixture->store),
      MIN (total / 100 * 5, 1024 * TESTING_MIB));
}

static void
test_given (void **state)
{
  Fixture *fixture = *state;

  set (fixture, FM_OPTION_SIZE, "100M");
  set (fixture, FM_OPTION_RAM, "20M");
  set (fixture, FM_OPTION_RESERVE, "3M");
  open_store (fixture);
  assert_int_equal (fm_store_size (fixture->store), 100 * TESTING_MIB);
  assert_int_equal (fm_store_budget (fixture->store), 20 * TESTING_MIB);
  assert_int_equal (fm_store_reserve (fixture->store), 3 * TESTING_MIB);
  assert_int_equal (statistic (fixture, FM_STAT_SIZE), 100 * TESTING_MIB);
  assert_int_equal (statistic (fixture, FM_STAT_BUDGET), 20 * TESTING_MIB);
}

/* Without a store, and whatever the disk is like. */
static void
test_choose (void **state)
{
  const guint64 gib = 1024 * TESTING_MIB;
  Fixture *fixture = *state;
  FmBackingFile file = {.total_bytes = 100 * gib, .free_bytes = 40 * gib};
  FmStoreChoice choice;

  set (fixture, FM_OPTION_RAM, "64M");
  choice = fm_store_choose (&fixture->options, &file);
  assert_int_equal (choice.size, 20 * gib);
  assert_int_equal (choice.reserve, gib);
  assert_int_equal (choice.budget, 64 * TESTING_MIB);
  assert_int_equal (choice.extent_size, 4 * TESTING_MIB);

  set (fixture, FM_OPTION_SIZE, "3G");
  set (fixture, FM_OPTION_RAM, "0");
  set (fixture, FM_OPTION_RESERVE, "10%");
  choice = fm_store_choose (&fixture->options, &file);
  assert_int_equal (choice.size, 3 * gib);
  assert_int_equal (choice.reserve, 10 * gib);
  assert_int_equal (choice.budget, LEAST_BUDGET);
  assert_int_equal (choice.extent_size, LEAST_EXTENT);
}

static void
test_percent (void **state)
{
  Fixture *fixture = *state;
  guint64 free_bytes, total;

  if (g_getenv ("FILEMEM_UNDER_VALGRIND") != NULL)
    testing_skip ("valgrind leaves too few addresses for a whole disk");
  free_space (fixture->dir, &free_bytes, &total);
  set (fixture, FM_OPTION_RAM, "0");
  set (fixture, FM_OPTION_SIZE, "25%");
  set (fixture, FM_OPTION_RESERVE, "10%");
  open_store (fixture);
  assert_about (fm_store_size (fixture->store), free_bytes / 4);
  assert_about (fm_store_reserve (fixture->store), total / 10);

  set (fixture, FM_OPTION_SIZE, "100%");
  set (fixture, FM_OPTION_RESERVE, "0%");
  open_store (fixture);
  assert_about (fm_store_size (fixture->store), free_bytes);
  assert_int_equal (fm_store_reserve (fixture->store), 0);
}

static void
test_least_memory (void **state)
{
  Fixture *fixture = *state;

  open_small (fixture, "64M");
  assert_int_equal (fm_store_budget (fixture->store), LEAST_BUDGET);
  set (fixture, FM_OPTION_RAM, "1");
  open_store (fixture);
  assert_int_equal (fm_store_budget (fixture->store), LEAST_BUDGET);
}

static void
assert_no_store (Fixture *fixture, const gchar *named)
{
  g_autoptr (GError) error = NULL;

  assert_null (fm_store_new (&fixture->options, fixture->stats, &error));
  assert_non_null (error);
  assert_non_null (strstr (error->message, named));
}

static void
test_too_small (void **state)
{
  Fixture *fixture = *state;

  set (fixture, FM_OPTION_RAM, "0");
  set (fixture, FM_OPTION_SIZE, "255K");
  assert_no_store (fixture, "size");
  set (fixture, FM_OPTION_SIZE, "0");
  assert_no_store (fixture, "size");
  set (fixture, FM_OPTION_SIZE, "0%");
  assert_no_store (fixture, "size");
  set (fixture, FM_OPTION_SIZE, "256K");
  open_store (fixture);
}

static void
test_no_directory (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *missing = g_build_filename (fixture->dir, "none", NULL);

  set (fixture, FM_OPTION_DIR, missing);
  assert_no_store (fixture, missing);
}

/* Four times the addresses, so that fragmentation does not eat the size. */
static void
test_arena (void **state)
{
  Fixture *fixture = *state;
  struct stat status;
  int fd;

  open_small (fixture, "64M");
  fd = testing_find_backing_file (fixture->dir);
  assert_true (fd >= 0);
  assert_int_equal (fstat (fd, &status), 0);
  assert_int_equal (status.st_size, 256 * TESTING_MIB);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
  g_clear_pointer (&fixture->store, fm_store_free);
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
}

static void
use_huge_size (Fixture *fixture, const gchar *size)
{
  FmStoreBlock block;

  /* What is as long as the arena must not be touched, not even by a malloc()
   * that looks for bugs. */
  mallopt (M_PERTURB, 0);
  open_small (fixture, size);
  assert_int_equal (
      fm_store_alloc (fixture->store, 1000, 7, 0, &block), FM_STORE_DONE);
  write_block (fixture, &block, 1000, 1);
  check_block (fixture, &block, 1000, 1);
  fm_store_give (fixture->store, &block);
}

/* More than any file system or address space has. */
static void
test_huge_size (void **state)
{
  use_huge_size (*state, "4611686018427387904");
}

/* A large disk in a small machine: the tables that go with it may be larger
 * than its memory, since hardly any of their pages is ever used. */
static void
test_huge_tables (void **state)
{
  Fixture *fixture = *state;

  if (access ("/dev/shm", W_OK) != 0)
    testing_skip ("there is no /dev/shm to write to");
  set (fixture, FM_OPTION_DIR, "/dev/shm");
  use_huge_size (fixture, "32T");
}

static void
test_describe (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *text = NULL;

  set (fixture, FM_OPTION_SIZE, "100M");
  set (fixture, FM_OPTION_RAM, "20M");
  open_store (fixture);
  text = fm_store_describe (fixture->store);
  assert_non_null (strstr (text, fixture->dir));
  assert_non_null (strstr (text, "100.0"));
  assert_non_null (strstr (text, "20.0"));
  assert_true (
      strstr (text, "O_DIRECT") != NULL || strstr (text, "page cache") != NULL);
  assert_null (strchr (text, '\n'));
}

static guint warnings;

static void
count_warning (FmMessageLevel level, const gchar *text)
{
  if (level == FM_MESSAGE_WARNING) {
    warnings++;
    assert_null (strchr (text, '\n'));
  }
}

static void
test_warns_of_memory (void **state)
{
  Fixture *fixture = *state;

  warnings = 0;
  fm_messages_set_func (count_warning);
  set (fixture, FM_OPTION_RAM, "0");
  set (fixture, FM_OPTION_SIZE, "1M");
  open_store (fixture);
  assert_int_equal (warnings, 0);
  if (!g_file_test ("/dev/shm", G_FILE_TEST_IS_DIR)
      || access ("/dev/shm", W_OK) != 0)
    testing_skip ("there is no /dev/shm to write to");
  set (fixture, FM_OPTION_DIR, "/dev/shm");
  open_store (fixture);
  assert_int_equal (warnings, 1);
}

/* ---- blocks ---- */

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
      blocks[i][j] = alloc (fixture, sizes[i] + aligns[j], aligns[j]);
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
      blocks[i] = alloc (fixture, block_sizes[i] + align, align);
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
  block = alloc (fixture, 8 * TESTING_MIB, 0);
  write_block (fixture, &block, 8 * TESTING_MIB, 1);
  check_block (fixture, &block, 8 * TESTING_MIB, 1);
  fm_store_give (fixture->store, &block);
  /* The same, as GStreamer asks for it. */
  block = alloc (fixture, 8 * TESTING_MIB + 7, 7);
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
     * that a lane has open. */
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
  assert_int_equal (
      fm_store_alloc (fixture->store, LEAST_EXTENT, 0, 1000, &block),
      FM_STORE_FULL);

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

/* Several threads, each with its own blocks. */
typedef struct
{
  Fixture *fixture;
  guint number;
  gboolean endless;
  gboolean *stop; /* atomic */
  gboolean failed;
} Pager;

#define PAGED 24

static gboolean
page_one (Pager *pager, FmStoreBlock *block, gsize size, guint seed)
{
  FmStore *store = pager->fixture->store;

  if (fm_store_alloc (store, size, 0, 0, block) != FM_STORE_DONE)
    return FALSE;
  if (!fm_store_map (store, block, FM_PIN_WRITE))
    return FALSE;
  testing_fill (block->data, size, seed);
  fm_store_unmap (store, block, FM_PIN_WRITE, size);
  return TRUE;
}

static gboolean
page_back (Pager *pager, FmStoreBlock *block, gsize size, guint seed)
{
  FmStore *store = pager->fixture->store;
  gboolean right;

  if (!fm_store_map (store, block, FM_PIN_READ))
    return FALSE;
  right = testing_is_filled (block->data, size, seed);
  fm_store_unmap (store, block, FM_PIN_READ, 0);
  fm_store_give (store, block);
  return right;
}

static gpointer
page (gpointer data)
{
  Pager *pager = data;
  FmStoreBlock blocks[PAGED];
  guint round, i;

  for (round = 0; !pager->failed
       && (pager->endless ? !g_atomic_int_get (pager->stop) : round < 3);
       round++) {
    gsize size = round % 3 == 0 ? LEAST_EXTENT : 60000 + 1000 * round;

    for (i = 0; i < PAGED; i++) {
      if (!page_one (pager, &blocks[i], size, pager->number * 100 + i))
        pager->failed = TRUE;
    }
    for (i = 0; i < PAGED && !pager->failed; i++) {
      if (!page_back (pager, &blocks[i], size, pager->number * 100 + i))
        pager->failed = TRUE;
    }
  }
  return NULL;
}

static void
test_threads (void **state)
{
  Fixture *fixture = *state;
  Pager pagers[4];
  GThread *threads[4];
  guint i;

  open_small (fixture, "64M");
  for (i = 0; i < 4; i++) {
    pagers[i] = (Pager){fixture, i, FALSE, NULL, FALSE};
    threads[i] = g_thread_new ("page", page, &pagers[i]);
  }
  for (i = 0; i < 4; i++) {
    g_thread_join (threads[i]);
    assert_false (pagers[i].failed);
  }
  assert_true (statistic (fixture, FM_STAT_SPILLS) > 0);
}

/* ---- fork ---- */

#define KEPT 24
#define KEPT_SIZE (LEAST_EXTENT - 4096)

/* Reads what it inherits, resident or not, and changes its copies. */
static void
use_inherited (Fixture *fixture, const FmStoreBlock *kept)
{
  guint i;

  for (i = 0; i < KEPT; i++) {
    testing_check (
        fm_store_map (fixture->store, &kept[i], FM_PIN_READ | FM_PIN_WRITE));
    testing_check (testing_is_filled (kept[i].data, KEPT_SIZE, i));
    testing_fill (kept[i].data, KEPT_SIZE, 1000 + i);
    fm_store_unmap (
        fixture->store, &kept[i], FM_PIN_READ | FM_PIN_WRITE, KEPT_SIZE);
  }
  for (i = 0; i < KEPT; i++) {
    testing_check (fm_store_map (fixture->store, &kept[i], FM_PIN_READ));
    testing_check (testing_is_filled (kept[i].data, KEPT_SIZE, 1000 + i));
    fm_store_unmap (fixture->store, &kept[i], FM_PIN_READ, 0);
    if (i % 2 == 0)
      fm_store_give (fixture->store, &kept[i]);
  }
}

/* A store of the child's own, paged too. */
static void
use_own (Fixture *fixture)
{
  FmStoreBlock blocks[KEPT];
  FmStore *store;
  guint i;

  testing_check (fm_store_alloc (fixture->store, 100, 0, 0, &blocks[0])
      == FM_STORE_INHERITED);
  testing_check (fm_store_alloc (fixture->store, TESTING_MIB, 0, 0, &blocks[0])
      == FM_STORE_INHERITED);
  store = fm_store_new (&fixture->options, fixture->stats, NULL);
  testing_check (store != NULL);
  for (i = 0; i < KEPT; i++) {
    testing_check (
        fm_store_alloc (store, KEPT_SIZE, 0, 0, &blocks[i]) == FM_STORE_DONE);
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_WRITE));
    testing_fill (blocks[i].data, KEPT_SIZE, 2000 + i);
    fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, KEPT_SIZE);
  }
  for (i = 0; i < KEPT; i++) {
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_READ));
    testing_check (testing_is_filled (blocks[i].data, KEPT_SIZE, 2000 + i));
    fm_store_unmap (store, &blocks[i], FM_PIN_READ, 0);
    fm_store_give (store, &blocks[i]);
  }
  fm_store_free (store);
}

typedef struct
{
  Fixture *fixture;
  FmStoreBlock kept[KEPT];
} Inheritance;

static void
be_child (gconstpointer data)
{
  const Inheritance *inheritance = data;

  use_inherited (inheritance->fixture, inheritance->kept);
  use_own (inheritance->fixture);
}

static void
write_kept (Inheritance *inheritance)
{
  guint i;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("the thread sanitizer has no children that start threads");
  for (i = 0; i < KEPT; i++) {
    inheritance->kept[i] = alloc (inheritance->fixture, KEPT_SIZE, 0);
    write_block (inheritance->fixture, &inheritance->kept[i], KEPT_SIZE, i);
  }
}

static void
check_kept (Inheritance *inheritance)
{
  guint i;

  for (i = 0; i < KEPT; i++)
    check_block (inheritance->fixture, &inheritance->kept[i], KEPT_SIZE, i);
}

static void
give_kept (Inheritance *inheritance)
{
  guint i;

  for (i = 0; i < KEPT; i++)
    fm_store_give (inheritance->fixture->store, &inheritance->kept[i]);
}

static void
test_fork (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  assert_true (statistic (*state, FM_STAT_SPILLS) > 0);
  g_free (testing_run_child (be_child, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

/* Through a pointer that it has kept, without a map. read(2) stores, and says
 * EFAULT where a store would be a signal. */
static void
store_into_inherited (gconstpointer data)
{
  const Inheritance *inheritance = data;
  guint i, refused = 0;
  int ends[2];

  testing_check (pipe (ends) == 0);
  for (i = 0; i < KEPT; i++) {
    testing_check (write (ends[1], "!", 1) == 1);
    if (read (ends[0], inheritance->kept[i].data + 1000, 1) < 0)
      testing_check (errno == EFAULT && ++refused > 0);
  }
  testing_check (refused > 0);
}

static void
test_stray_store_in_child (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  g_free (testing_run_child (store_into_inherited, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

/* A child of the child has neither's store. */
static void
be_grandparent (gconstpointer data)
{
  const Inheritance *inheritance = data;
  int status;
  pid_t pid;

  use_inherited (inheritance->fixture, inheritance->kept);
  pid = fork ();
  testing_check (pid >= 0);
  if (pid == 0) {
    use_own (inheritance->fixture);
    _exit (EXIT_SUCCESS);
  }
  testing_check (waitpid (pid, &status, 0) == pid);
  testing_check (status == 0);
}

static void
test_fork_in_child (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  g_free (testing_run_child (be_grandparent, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

static void
test_fork_while_paging (void **state)
{
  Inheritance inheritance = {.fixture = *state};
  Pager pagers[PAGING_THREADS];
  GThread *threads[PAGING_THREADS];
  gboolean stop = FALSE;
  guint i;

  open_small (*state, "64M");
  write_kept (&inheritance);
  for (i = 0; i < PAGING_THREADS; i++) {
    pagers[i] = (Pager){*state, i, TRUE, &stop, FALSE};
    threads[i] = g_thread_new ("page", page, &pagers[i]);
  }
  for (i = 0; i < FORKS; i++) {
    g_free (testing_run_child (be_child, &inheritance));
    check_kept (&inheritance);
  }
  g_atomic_int_set (&stop, TRUE);
  for (i = 0; i < PAGING_THREADS; i++) {
    g_thread_join (threads[i]);
    assert_false (pagers[i].failed);
  }
  check_kept (&inheritance);
  give_kept (&inheritance);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_defaults),
      TEST (test_given),
      TEST (test_choose),
      TEST (test_percent),
      TEST (test_least_memory),
      TEST (test_too_small),
      TEST (test_no_directory),
      TEST (test_arena),
      TEST (test_huge_size),
      TEST (test_huge_tables),
      TEST (test_describe),
      TEST (test_warns_of_memory),
      TEST (test_sizes),
      TEST (test_wide_alignment),
      TEST (test_too_large),
      TEST (test_full),
      TEST (test_full_of_slack),
      TEST (test_room_behind_small_blocks),
      TEST (test_wait_for_room),
      TEST (test_no_wait_for_the_impossible),
      TEST (test_disk),
      TEST (test_threads),
      TEST (test_fork),
      TEST (test_stray_store_in_child),
      TEST (test_fork_in_child),
      TEST (test_fork_while_paging),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
