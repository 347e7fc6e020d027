/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-loans.c: tests which blocks of spilled extents are used where they are,
 * what that takes of the budget and for how long, and what becomes of it when
 * the kernel or the disk refuses.
 *
 * The pager has room for all, so that none of its threads runs: what is
 * spilled, the test has spilled.
 */
#include "pager-fixture.h"
#include "seam.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

#define BLOCK (8 * TESTING_KIB)
#define BLOCKS (EXTENT / BLOCK)
#define EXTENTS 24

/* From here on it is beyond what a reader of the first extent comes to by
 * himself. */
#define NEAR 8
#define FAR 12

static FmExtent *extents[EXTENTS];
static int refusal; /* to bring pages in, an errno */
static int read_error;

static guint64
figure (Fixture *fixture, FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (fixture->stats, values);
  return values[id];
}

static guint
seed_of (guint extent, guint number)
{
  return extent * BLOCKS + number;
}

static int
refuse (const FmCallInfo *info)
{
  if (info->call == FM_CALL_MADVISE
      && (info->flags == MADV_POPULATE_READ
          || info->flags == MADV_POPULATE_WRITE))
    return refusal;
  if (info->call == FM_CALL_PREAD)
    return read_error;
  return 0;
}

/* All written in order, and spilled. */
static int
set_up (void **state)
{
  Fixture *fixture;
  guint i, k;

  refusal = read_error = 0;
  fixture_setup (state);
  fixture = *state;
  for (i = 0; i < EXTENTS; i++) {
    extents[i] = acquire (fixture, EXTENT, TRUE);
    for (k = 0; k < BLOCKS; k++)
      testing_fill (
          bytes_of (fixture, extents[i]) + k * BLOCK, BLOCK, seed_of (i, k));
    fm_pager_close (fixture->pager, extents[i], 0);
  }
  for (i = 0; i < EXTENTS; i++)
    spill (fixture, extents[i]);
  if (madvise (bytes_of (fixture, extents[0]), FM_PAGE, MADV_POPULATE_READ) < 0)
    testing_skip ("the kernel can't bring in pages of a file (before 5.14)");
  fm_seam_set_hook (refuse);
  return 0;
}

static FmBlock
block_of (guint extent, guint block)
{
  return (FmBlock){extents[extent], block * BLOCK, BLOCK};
}

static gboolean
map (Fixture *fixture, guint extent, guint number, FmPinFlags flags)
{
  const FmBlock block = block_of (extent, number);

  if (!fm_pager_pin (fixture->pager, &block, flags))
    return FALSE;
  assert_true (
      testing_is_filled (bytes_of (fixture, extents[extent]) + block.start,
          block.length, seed_of (extent, number)));
  return TRUE;
}

static void
unmap (Fixture *fixture, guint extent, guint number, FmPinFlags flags)
{
  const FmBlock block = block_of (extent, number);

  fm_pager_unpin (fixture->pager, &block, flags, 0, 0);
}

/* Whether the page cache has the first page of it. */
static gboolean
is_cached (Fixture *fixture, guint extent, guint number)
{
  unsigned char page;

  assert_int_equal (
      mincore (
          bytes_of (fixture, extents[extent]) + number * BLOCK, FM_PAGE, &page),
      0);
  return (page & 1) != 0;
}

static void
look_at (Fixture *fixture, guint extent, guint number)
{
  assert_true (map (fixture, extent, number, FM_PIN_READ));
  unmap (fixture, extent, number, FM_PIN_READ);
}

/* Somebody reads from the first on. */
static void
begin_reading (Fixture *fixture)
{
  look_at (fixture, 0, 0);
  assert_int_equal (state_of (extents[0]), FM_RESIDENT);
}

static void
release_all (Fixture *fixture)
{
  guint i;

  for (i = 0; i < EXTENTS; i++)
    fm_pager_release (fixture->pager, extents[i]);
}

/* ---- what is lent ---- */

static void
test_jump (void **state)
{
  Fixture *fixture = *state;
  guint64 filled;

  begin_reading (fixture);
  filled = figure (fixture, FM_STAT_FILL_BYTES);
  look_at (fixture, FAR, 5);
  assert_int_equal (state_of (extents[FAR]), FM_SPILLED);
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), 1);
  assert_int_equal (figure (fixture, FM_STAT_LENT_BYTES), BLOCK);
  assert_int_equal (figure (fixture, FM_STAT_FILL_BYTES), filled);
  /* Nobody was refused anything. */
  assert_int_equal (figure (fixture, FM_STAT_MAPS_IN_PLACE), 0);
}

/* The first, and what comes next, are no jumps. */
static void
test_in_order (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < EXTENTS; i++) {
    look_at (fixture, i, 0);
    assert_int_equal (state_of (extents[i]), FM_RESIDENT);
  }
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), 0);
}

/* After a jump somebody reads on from there, forwards or backwards. */
static void
test_reads_on (void **state)
{
  static const gint steps[] = {1, -1};
  Fixture *fixture = *state;
  guint i;

  begin_reading (fixture);
  for (i = 0; i < G_N_ELEMENTS (steps); i++) {
    const guint extent = FAR + 8 * i;

    look_at (fixture, extent, 5);
    assert_int_equal (state_of (extents[extent]), FM_SPILLED);
    look_at (fixture, extent, (guint) (5 + steps[i]));
    assert_int_equal (state_of (extents[extent]), FM_RESIDENT);
  }
}

/* Whoever has had half of it may have all. */
static void
test_half (void **state)
{
  Fixture *fixture = *state;
  guint i;

  begin_reading (fixture);
  for (i = 0; i < BLOCKS / 2; i++)
    look_at (fixture, FAR, i * 7 % BLOCKS);
  assert_int_equal (state_of (extents[FAR]), FM_SPILLED);
  look_at (fixture, FAR, i * 7 % BLOCKS);
  assert_int_equal (state_of (extents[FAR]), FM_RESIDENT);
}

/* What is written, and what takes most of its extent, is filled. */
static void
test_others (void **state)
{
  Fixture *fixture = *state;
  const FmBlock large = {extents[FAR], 0, EXTENT / 2};
  const FmBlock alone = {extents[FAR + 6], 0, 0};

  begin_reading (fixture);
  assert_true (map (fixture, 6, 5, FM_PIN_WRITE));
  unmap (fixture, 6, 5, FM_PIN_WRITE);
  assert_int_equal (state_of (extents[6]), FM_RESIDENT);
  assert_true (fm_pager_pin (fixture->pager, &large, FM_PIN_READ));
  fm_pager_unpin (fixture->pager, &large, FM_PIN_READ, 0, 0);
  assert_int_equal (state_of (extents[FAR]), FM_RESIDENT);
  assert_true (fm_pager_pin (fixture->pager, &alone, FM_PIN_READ));
  fm_pager_unpin (fixture->pager, &alone, FM_PIN_READ, 0, 0);
  assert_int_equal (state_of (extents[FAR + 6]), FM_RESIDENT);
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), 0);
}

/* One of many, in order: after a few extents no more are filled. */
static void
test_skips (void **state)
{
  Fixture *fixture = *state;
  guint i, filled = 0;

  for (i = 0; i < EXTENTS; i++) {
    look_at (fixture, i, 3);
    look_at (fixture, i, 20);
    filled += state_of (extents[i]) == FM_RESIDENT;
    fm_pager_release (fixture->pager, extents[i]);
  }
  assert_in_range (filled, 1, 10);
  assert_int_equal (filled, figure (fixture, FM_STAT_FILLS));
}

/* Who skipped, and now takes all, soon gets all. */
static void
test_skips_no_more (void **state)
{
  Fixture *fixture = *state;
  guint i, k;

  for (i = 0; i < EXTENTS / 2; i++) {
    look_at (fixture, i, 3);
    fm_pager_release (fixture->pager, extents[i]);
  }
  assert_true (fm_pager_wastes_much (fixture->pager, 0));
  for (; i < EXTENTS - 1; i++) {
    for (k = 0; k < BLOCKS; k++)
      look_at (fixture, i, k);
    assert_int_equal (state_of (extents[i]), FM_RESIDENT);
    fm_pager_release (fixture->pager, extents[i]);
  }
  assert_false (fm_pager_wastes_much (fixture->pager, 0));
  k = (guint) figure (fixture, FM_STAT_MAPS_LENT);
  look_at (fixture, i, 0);
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), k);
  assert_int_equal (state_of (extents[i]), FM_RESIDENT);
}

/* ---- what that takes ---- */

/* The next element maps it as well. */
static void
test_again (void **state)
{
  Fixture *fixture = *state;
  guint i;

  begin_reading (fixture);
  for (i = 0; i < BLOCKS; i++)
    look_at (fixture, FAR, 5);
  assert_int_equal (state_of (extents[FAR]), FM_SPILLED);
  assert_int_equal (fixture->pager->lent_bytes, BLOCK);
}

static void
test_returned (void **state)
{
  Fixture *fixture = *state;
  guint i, k, n = 0;

  begin_reading (fixture);
  for (i = NEAR; i < EXTENTS; i++) {
    for (k = 0; k < BLOCKS / 3; k++, n++)
      look_at (fixture, i, 3 * k);
  }
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), n);
  assert_true (n > FM_LOANS_MAX);
  assert_int_equal (fixture->pager->lent_bytes, FM_LOANS_MAX * BLOCK);
  for (k = 0; k < BLOCKS / 3; k++)
    assert_false (is_cached (fixture, NEAR, 3 * k));
  /* What comes back is on loan again. */
  for (k = 0; k < 3; k++)
    look_at (fixture, NEAR, 3 * k);
  assert_int_equal (fixture->pager->lent_bytes, FM_LOANS_MAX * BLOCK);
  release_all (fixture);
  assert_int_equal (fixture->pager->lent_bytes, 0);
  /* Cached memory is what was filled. */
  assert_int_equal (figure (fixture, FM_STAT_RESIDENT_BYTES), EXTENT);
}

/* As long as somebody has it mapped it stays, however many come after it. */
static void
test_held (void **state)
{
  Fixture *fixture = *state;
  guint i, k;

  begin_reading (fixture);
  assert_true (map (fixture, FAR, 7, FM_PIN_READ));
  for (i = FAR + 1; i < EXTENTS; i++) {
    for (k = 0; k < BLOCKS / 3; k++)
      look_at (fixture, i, 3 * k);
  }
  assert_true (is_cached (fixture, FAR, 7));
  /* Meanwhile nobody gets it filled; what is written goes to the file. */
  assert_true (map (fixture, FAR, 9, FM_PIN_READ | FM_PIN_WRITE));
  testing_fill (bytes_of (fixture, extents[FAR]) + 9 * BLOCK, BLOCK, 77);
  unmap (fixture, FAR, 9, FM_PIN_READ | FM_PIN_WRITE);
  assert_int_equal (state_of (extents[FAR]), FM_SPILLED);
  assert_int_equal (figure (fixture, FM_STAT_MAPS_IN_PLACE), 0);
  unmap (fixture, FAR, 7, FM_PIN_READ);

  assert_true (
      fm_pager_pin (fixture->pager, &(FmBlock){extents[FAR]}, FM_PIN_READ));
  assert_int_equal (state_of (extents[FAR]), FM_RESIDENT);
  assert_true (testing_is_filled (
      bytes_of (fixture, extents[FAR]) + 9 * BLOCK, BLOCK, 77));
  fm_pager_unpin (fixture->pager, &(FmBlock){extents[FAR]}, FM_PIN_READ, 0, 0);
}

/* Somebody frees the extent while a loan of it is taken back, and another one
 * gets its addresses. */
static Fixture *taking_back;
static FmExtent *used_again;

static int
use_again (const FmCallInfo *info)
{
  if (info->call == FM_CALL_MADVISE && info->flags == MADV_DONTNEED
      && used_again == NULL) {
    used_again = extents[FAR];
    fm_pager_release (taking_back->pager, extents[FAR]);
    used_again = acquire (taking_back, EXTENT, TRUE);
    testing_fill (bytes_of (taking_back, used_again), EXTENT, 4711);
  }
  return 0;
}

static void
test_released_meanwhile (void **state)
{
  Fixture *fixture = *state;
  guint i, k;

  begin_reading (fixture);
  look_at (fixture, FAR, 5);
  taking_back = fixture;
  used_again = NULL;
  fm_seam_set_hook (use_again);
  for (i = NEAR; i < FAR; i++) {
    for (k = 0; k < BLOCKS; k += 2)
      look_at (fixture, i, k * 7 % BLOCKS);
  }
  fm_seam_set_hook (NULL);
  assert_non_null (used_again);
  assert_true (
      testing_is_filled (bytes_of (fixture, used_again), EXTENT, 4711));
  assert_int_equal (FM_WORD_PINS (atomic_load (&used_again->word)), 0);
}

/* What is free is not there to be used. */
static void
test_mostly_free (void **state)
{
  Fixture *fixture = *state;
  guint i, k;

  for (i = 0; i < NEAR; i++)
    atomic_store (
        &extents[i]->free_chunks, ~G_GUINT64_CONSTANT (0x1111111111111111));
  for (i = 0; i < NEAR; i++) {
    for (k = 0; k < 16; k++) {
      const FmBlock block = {
          extents[i], (guint32) (k * EXTENT / 16), EXTENT / 64};

      assert_true (fm_pager_pin (fixture->pager, &block, FM_PIN_READ));
      fm_pager_unpin (fixture->pager, &block, FM_PIN_READ, 0, 0);
    }
    fm_pager_release (fixture->pager, extents[i]);
  }
  assert_false (fm_pager_wastes_much (fixture->pager, 0));
}

/* ---- refusals ---- */

/* A kernel that can't be asked is not asked again. */
static void
test_old_kernel (void **state)
{
  Fixture *fixture = *state;

  begin_reading (fixture);
  refusal = EINVAL;
  look_at (fixture, FAR, 5);
  assert_int_equal (state_of (extents[FAR]), FM_RESIDENT);
  refusal = 0;
  look_at (fixture, FAR + 6, 5);
  assert_int_equal (state_of (extents[FAR + 6]), FM_RESIDENT);
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), 0);
}

/* What the disk does not give is an error and no SIGBUS. */
static void
test_disk_error (void **state)
{
  Fixture *fixture = *state;

  begin_reading (fixture);
  refusal = read_error = EIO;
  assert_false (map (fixture, FAR, 5, FM_PIN_READ));
  assert_int_equal (figure (fixture, FM_STAT_MAPS_FAILED), 1);
  refusal = read_error = 0;
  look_at (fixture, FAR, 5);
}

/* Nor is what is mapped beside a loan, for whatever. */
static void
test_disk_error_beside (void **state)
{
  Fixture *fixture = *state;

  begin_reading (fixture);
  assert_true (map (fixture, FAR, 5, FM_PIN_READ));
  refusal = EIO;
  assert_false (map (fixture, FAR, 9, FM_PIN_READ | FM_PIN_WRITE));
  refusal = 0;
  assert_true (map (fixture, FAR, 9, FM_PIN_READ | FM_PIN_WRITE));
  unmap (fixture, FAR, 9, FM_PIN_READ | FM_PIN_WRITE);
  unmap (fixture, FAR, 5, FM_PIN_READ);
}

static void
write_beside (gconstpointer data)
{
  const FmBlock block = block_of (FAR, 9);

  testing_check (
      !fm_pager_pin (((const Fixture *) data)->pager, &block, FM_PIN_WRITE));
}

/* A child may not write to its parent's file. */
static void
test_child_beside (void **state)
{
  Fixture *fixture = *state;

  begin_reading (fixture);
  assert_true (map (fixture, FAR, 5, FM_PIN_READ));
  g_free (testing_run_child (write_beside, fixture));
  unmap (fixture, FAR, 5, FM_PIN_READ);
}

/* What is there again is zeros. */
static void
test_cut (void **state)
{
  Fixture *fixture = *state;
  const int fd = fixture->file->fd;

  begin_reading (fixture);
  assert_int_equal (ftruncate (fd, 0), 0);
  assert_int_equal (ftruncate (fd, EXTENTS * EXTENT), 0);
  assert_false (map (fixture, FAR, 5, FM_PIN_READ));
  assert_int_equal (figure (fixture, FM_STAT_MAPS_LENT), 0);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, set_up, fixture_teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
      TEST (test_jump),
      TEST (test_in_order),
      TEST (test_reads_on),
      TEST (test_half),
      TEST (test_others),
      TEST (test_skips),
      TEST (test_skips_no_more),
      TEST (test_again),
      TEST (test_returned),
      TEST (test_held),
      TEST (test_released_meanwhile),
      TEST (test_mostly_free),
      TEST (test_old_kernel),
      TEST (test_disk_error),
      TEST (test_disk_error_beside),
      TEST (test_child_beside),
      TEST (test_cut),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
