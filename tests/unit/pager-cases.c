/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-cases.c: tests what went wrong in the pager once: what a child of a
 * fork does to its parent's file, what a large block leaves behind when it is
 * gone, a hash of bytes that are no longer those in the file, and an extent
 * that was opened again.
 */
#include "pager-fixture.h"
#include "seam.h"

#include <errno.h>
#include <string.h>

/* ---- a child of a fork ---- */

/* One whose first half is free, and punched in the file. */
static FmExtent *
spill_with_holes (Fixture *fixture)
{
  FmExtent *extent = acquire (fixture, EXTENT, TRUE);

  atomic_store (&extent->free_chunks, 0);
  write_extent (fixture, extent, 1);
  fm_pager_close (fixture->pager, extent, 0);
  spill (fixture, extent);
  assert_int_equal (state_of (extent), FM_SPILLED);
  atomic_store (&extent->free_chunks, 0xffffffff);
  fm_pager_lock (fixture->pager);
  (void) fm_pager_reclaim_holes (fixture->pager);
  fm_pager_unlock (fixture->pager);
  return extent;
}

typedef struct
{
  Fixture *fixture;
  FmExtent *extent;
} Inherited;

static void
release_in_child (gconstpointer data)
{
  const Inherited *inherited = data;

  fm_pager_release (inherited->fixture->pager, inherited->extent);
}

/* The last block of it is freed there, not here. */
static void
test_child_releases (void **state)
{
  Fixture *fixture = *state;
  const Inherited inherited = {fixture, spill_with_holes (fixture)};
  FmExtent *extent = inherited.extent;
  g_autofree guint8 *expected = g_malloc (EXTENT);

  if (extent->holes == 0)
    testing_skip ("this file system has no holes");
  g_free (testing_run_child (release_in_child, &inherited));

  testing_fill (expected, EXTENT, 1);
  assert_true (fm_pager_pin (fixture->pager, &(FmBlock){extent}, FM_PIN_READ));
  assert_memory_equal (bytes_of (fixture, extent) + EXTENT / 2,
      expected + EXTENT / 2, EXTENT / 2);
  fm_pager_unpin (fixture->pager, &(FmBlock){extent}, FM_PIN_READ, 0, 0);
}

static int
refuse_to_read (const FmCallInfo *info)
{
  return info->call == FM_CALL_PREAD ? ENOMEM : 0;
}

/* Where there is no memory to read it into. */
static void
pin_in_child (gconstpointer data)
{
  const Inherited *inherited = data;
  FmPager *pager = inherited->fixture->pager;
  FmExtent *extent = inherited->extent;

  fm_seam_set_hook (refuse_to_read);
  testing_check (!fm_pager_pin (pager, &(FmBlock){extent}, FM_PIN_WRITE));
  testing_check (fm_pager_pin (pager, &(FmBlock){extent}, FM_PIN_READ));
  testing_check (
      testing_is_filled (bytes_of (inherited->fixture, extent), EXTENT, 1));
  fm_pager_unpin (pager, &(FmBlock){extent}, FM_PIN_READ, 0, 0);
}

/* What it has only in place, it may not write. */
static void
test_child_writes (void **state)
{
  Fixture *fixture = *state;
  const Inherited inherited = {fixture, acquire (fixture, EXTENT, FALSE)};

  write_extent (fixture, inherited.extent, 1);
  spill (fixture, inherited.extent);
  g_free (testing_run_child (pin_in_child, &inherited));
  check_extent (fixture, inherited.extent, 1);
}

/* ---- large blocks ---- */

#define LARGE (2 * IN_BUDGET * EXTENT)

/* The budget is what it was, and kept. */
static void
test_large_is_gone (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  gsize resident;
  guint i;

  fm_pager_release (pager, acquire (fixture, LARGE, FALSE));
  for (i = 0; i < 2 * IN_BUDGET; i++) {
    write_extent (fixture, acquire (fixture, EXTENT, FALSE), i);
    fm_pager_lock (pager);
    resident = pager->resident_bytes;
    fm_pager_unlock (pager);
    assert_true (resident <= fm_pager_budget (pager));
  }
}

/* One counts until the last that is as long is gone, then the next. */
static void
test_largest (void **state)
{
  static const guint lengths[] = {3, 8, 1, 8, 5};
  static const struct
  {
    guint i, largest;
  } releases[] = {{1, 8}, {2, 8}, {3, 5}, {0, 5}, {4, 0}};
  Fixture *fixture = *state;
  FmExtent *extents[G_N_ELEMENTS (lengths)];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (lengths); i++)
    extents[i] = acquire (fixture, lengths[i] * EXTENT, FALSE);
  assert_int_equal (fixture->pager->largest, 8 * EXTENT);
  for (i = 0; i < G_N_ELEMENTS (releases); i++) {
    fm_pager_release (fixture->pager, extents[releases[i].i]);
    assert_int_equal (fixture->pager->largest, releases[i].largest * EXTENT);
  }
}

/* ---- a hash ---- */

static Fixture *to_pin_in;
static FmExtent *to_pin;

/* Somebody reads it while it is written. */
static int
pin_while_written (const FmCallInfo *info)
{
  if (info->call == FM_CALL_PWRITE && to_pin != NULL)
    assert_true (fm_pager_pin (
        to_pin_in->pager, &(FmBlock){g_steal_pointer (&to_pin)}, FM_PIN_READ));
  return 0;
}

/* Filled, so that there is a hash of it. */
static FmExtent *
filled (Fixture *fixture)
{
  FmExtent *extent = acquire (fixture, EXTENT, FALSE);

  atomic_store (&fixture->pager->stream[0].refills, TRUE);
  write_extent (fixture, extent, 1);
  spill (fixture, extent);
  check_extent (fixture, extent, 1);
  assert_true (extent->has_hash);
  return extent;
}

static guint64
clean_spills (Fixture *fixture)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (fixture->stats, values);
  return values[FM_STAT_CLEAN_SPILLS];
}

/* What is in the file is not written again; what only looks so, is. */
static void
test_clean (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = filled (fixture);

  spill (fixture, extent);
  assert_int_equal (clean_spills (fixture), 1);
  check_extent (fixture, extent, 1);
  testing_fill (bytes_of (fixture, extent), EXTENT, 2);
  spill (fixture, extent);
  assert_int_equal (clean_spills (fixture), 1);
  check_extent (fixture, extent, 2);
}

/* Written through an old pointer, half spilled, and written back: the file has
 * what was there in between. */
static void
test_there_and_back (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = filled (fixture);

  testing_fill (bytes_of (fixture, extent), EXTENT, 2);
  to_pin_in = fixture;
  to_pin = extent;
  fm_seam_set_hook (pin_while_written);
  spill (fixture, extent);
  assert_null (to_pin);
  assert_int_equal (state_of (extent), FM_RESIDENT);
  fm_pager_unpin (fixture->pager, &(FmBlock){extent}, FM_PIN_READ, 0, 0);

  testing_fill (bytes_of (fixture, extent), EXTENT, 1);
  spill (fixture, extent);
  assert_int_equal (state_of (extent), FM_SPILLED);
  check_extent (fixture, extent, 1);
}

/* ---- opened again ---- */

static FmExtent *
next_victim (FmPager *pager)
{
  FmExtent *extent;

  fm_pager_lock (pager);
  extent = fm_pager_pick_victim (pager, FM_NOT_URGENT);
  fm_pager_unlock (pager);
  return extent;
}

/* However long ago it was written, nobody has left it open. */
static void
test_opened_again (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  FmExtent *extent = acquire (fixture, EXTENT, TRUE);

  fm_pager_close (pager, extent, 0);
  atomic_fetch_add (&pager->written, 2 * fm_pager_budget (pager));
  assert_true (fm_pager_reopen (pager, extent, FALSE));
  assert_null (next_victim (pager));
  atomic_fetch_add (&pager->written, 2 * fm_pager_budget (pager));
  assert_ptr_equal (next_victim (pager), extent);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_child_releases),
      TEST (test_child_writes),
      TEST (test_large_is_gone),
      TEST (test_largest),
      TEST (test_clean),
      TEST (test_there_and_back),
      TEST (test_opened_again),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
