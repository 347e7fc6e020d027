/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-budget.c: tests a budget that changes while the pager is at work: up at
 * once, down by spilling, never below what is mapped and a floor, and not stuck
 * halfway where the disk refuses.
 */
#include "pager-fixture.h"
#include "seam.h"

#include <errno.h>

#define EXTENTS 24
#define SMALL (8 * EXTENT)
#define PINNED 16

/* Of small budgets a half; see pager-budget.c. */
#define FLOOR_OF_SMALL (SMALL / 2)

#define LONG_ENOUGH ((gint64) 300 * G_USEC_PER_SEC)

static FmExtent *extents[EXTENTS];
static atomic_bool disk_is_full;

static int
refuse_space (const FmCallInfo *info)
{
  return info->call == FM_CALL_FALLOCATE && atomic_load (&disk_is_full) ? ENOSPC
                                                                        : 0;
}

static int
set_up (void **state)
{
  Fixture *fixture;
  guint i;

  atomic_store (&disk_is_full, FALSE);
  fixture_setup (state);
  fixture = *state;
  fm_seam_set_hook (refuse_space);
  for (i = 0; i < EXTENTS; i++) {
    extents[i] = acquire (fixture, EXTENT, FALSE);
    write_extent (fixture, extents[i], i);
  }
  return 0;
}

static gsize
resident (Fixture *fixture)
{
  gsize bytes;

  fm_pager_lock (fixture->pager);
  bytes = fixture->pager->resident_bytes;
  fm_pager_unlock (fixture->pager);
  return bytes;
}

static void
wait_for_resident (Fixture *fixture, gsize most)
{
  const gint64 end = fm_now () + LONG_ENOUGH;

  while (resident (fixture) > most) {
    assert_true (fm_now () < end);
    g_usleep (1000);
  }
}

static void
check_all (Fixture *fixture)
{
  guint i;

  for (i = 0; i < EXTENTS; i++)
    check_extent (fixture, extents[i], i);
}

static void
test_down_and_up (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  guint64 spills;

  assert_int_equal (atomic_load (&pager->n_spilled), 0);
  fm_pager_set_budget (pager, SMALL);
  assert_int_equal (fm_pager_budget (pager), SMALL);
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
  wait_for_resident (fixture, SMALL);

  fm_pager_set_budget (pager, 2 * IN_BUDGET * EXTENT);
  check_all (fixture);
  spills = atomic_load (&fixture->stats->value[FM_STAT_SPILLS]);
  check_all (fixture);
  assert_int_equal (resident (fixture), EXTENTS * EXTENT);
  assert_int_equal (
      atomic_load (&fixture->stats->value[FM_STAT_SPILLS]), spills);
}

/* The rest has the floor, until it is unmapped. */
static void
test_mapped (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < PINNED; i++)
    assert_true (
        fm_pager_pin (fixture->pager, &(FmBlock){extents[i]}, FM_PIN_READ));
  fm_pager_set_budget (fixture->pager, SMALL);
  wait_for_resident (fixture, PINNED * EXTENT + FLOOR_OF_SMALL);
  for (i = 0; i < PINNED; i++) {
    assert_int_equal (state_of (extents[i]), FM_RESIDENT);
    fm_pager_unpin (fixture->pager, &(FmBlock){extents[i]}, FM_PIN_READ, 0, 0);
  }
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
}

static void
test_disk_full (void **state)
{
  Fixture *fixture = *state;
  const gint64 end = fm_now () + LONG_ENOUGH;

  atomic_store (&disk_is_full, TRUE);
  fm_pager_set_budget (fixture->pager, SMALL);
  while (atomic_load (&fixture->stats->value[FM_STAT_SPILL_FAILURES]) < 2) {
    assert_true (fm_now () < end);
    g_usleep (1000);
  }
  check_all (fixture);
  assert_int_equal (resident (fixture), EXTENTS * EXTENT);
  atomic_store (&disk_is_full, FALSE);
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
}

/* Extents of small blocks, and what is read ahead, are in proportion. */
static void
test_proportions (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;

  assert_int_equal (pager->extent_size, EXTENT);
  fm_pager_set_budget (pager, SMALL);
  assert_int_equal (pager->extent_size, SMALL / 16);
  assert_true (pager->window <= SMALL / 4);
  assert_true (pager->reserve <= SMALL / 8);
  fm_pager_set_budget (pager, IN_BUDGET * EXTENT);
  assert_int_equal (pager->extent_size, EXTENT);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, set_up, fixture_teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
      TEST (test_down_and_up),
      TEST (test_mapped),
      TEST (test_disk_full),
      TEST (test_proportions),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
