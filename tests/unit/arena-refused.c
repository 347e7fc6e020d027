/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena-refused.c: tests what the arena shows after each way in which the
 * kernel can refuse a call, and when another thread takes the place meanwhile.
 */
#include "arena-fixture.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

/* ---- what the kernel refuses ---- */

static void
test_make_anonymous_refused (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_UNCHANGED);
  assert_int_equal (fault.left, 0);
  assert_shows (fixture, NOTHING);
}

static void
test_make_anonymous_unmapped (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, NOTHING);
}

static void
test_show_file_refused (void **state)
{
  Fixture *fixture = *state;

  make_anonymous (fixture);
  atomic_store (&fixture->arena->no_move, TRUE);
  testing_fill (part_of (fixture), PART, 1);
  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_UNCHANGED);
  assert_int_equal (fault.left, 0);
  assert_shows (fixture, MEMORY);
  assert_true (testing_is_filled (part_of (fixture), PART, 1));
}

static void
test_show_file_unmapped (void **state)
{
  Fixture *fixture = *state;

  write_file (fixture, 2);
  make_anonymous (fixture);
  atomic_store (&fixture->arena->no_move, TRUE);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
}

/* As a file system does that has shut down: by then the memory is gone. It is
 * not asked for its file there, but before. */
static void
test_show_file_refused_over_memory (void **state)
{
  Fixture *fixture = *state;

  write_file (fixture, 2);
  make_anonymous (fixture);
  expect_fault (FM_CALL_MMAP, 2, TRUE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_int_equal (fault.left, 2);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
}

/* Then it is mapped over what is there. */
static void
test_show_file_not_moved (void **state)
{
  static const int errors[] = {ENOMEM, EPERM};
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < 2 * G_N_ELEMENTS (errors); i++) {
    fm_seam_set_hook (NULL);
    write_file (fixture, 2);
    make_anonymous (fixture);
    atomic_store (&fixture->arena->no_move, FALSE);
    expect_fault (FM_CALL_MREMAP, 1, i % 2 == 1);
    fault.error = errors[i / 2];
    assert_int_equal (
        fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
    assert_int_equal (fault.left, 0);
    assert_int_equal (
        atomic_load (&fixture->arena->no_move), fault.error == EPERM);
    assert_shows (fixture, FILE_SHOWN);
    assert_true (testing_is_filled (part_of (fixture), PART, 2));
  }
}

/* @unmapped: the kernel has taken the old mapping away before it failed. */
static void
check_replace_fails (Fixture *fixture, gboolean unmapped)
{
  void *staging;

  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  expect_fault (FM_CALL_MREMAP, 1, unmapped);
  assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
  assert_non_null (staging);
  assert_true (testing_is_filled (staging, PART, 3));
  fm_arena_staging_free (staging, PART);
}

static void
test_replace_refused (void **state)
{
  check_replace_fails (*state, FALSE);
}

static void
test_replace_unmapped (void **state)
{
  check_replace_fails (*state, TRUE);
}

/* Kernels before 5.7, and valgrind. */
static void
test_replace_without_dontunmap (void **state)
{
  Fixture *fixture = *state;
  guint round;

  for (round = 0; round < 2; round++) {
    void *staging;

    write_file (fixture, 2);
    if (round == 0)
      make_anonymous (fixture);
    assert_int_equal (
        fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
    staging = new_staging (fixture, 3);
    expect_fault (FM_CALL_MREMAP, G_MAXUINT, FALSE);
    fault.error = EINVAL;
    fault.flags_needed = MREMAP_DONTUNMAP;
    assert_int_equal (
        fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
    assert_shows (fixture, MEMORY);
    assert_true (testing_is_filled (part_of (fixture), PART, 3));
    assert_null (staging);
  }
  assert_true (atomic_load (&fixture->arena->no_dontunmap));
}

static void
test_replace_without_dontunmap_refused (void **state)
{
  Fixture *fixture = *state;
  void *staging;
  guint round;

  atomic_store (&fixture->arena->no_dontunmap, TRUE);
  write_file (fixture, 2);
  show_file (fixture);
  for (round = 0; round < 2; round++) {
    staging = new_staging (fixture, 3);
    expect_fault (FM_CALL_MREMAP, 1, round == 1);
    assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
        FM_ARENA_UNCHANGED);
    assert_shows (fixture, FILE_SHOWN);
    assert_true (testing_is_filled (part_of (fixture), PART, 2));
    assert_non_null (staging);
    fm_arena_staging_free (staging, PART);
  }
}

static void
test_vacate_refused (void **state)
{
  Fixture *fixture = *state;

  make_anonymous (fixture);
  testing_fill (part_of (fixture), PART, 1);
  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_UNCHANGED);
  assert_shows (fixture, MEMORY);
  assert_true (testing_is_filled (part_of (fixture), PART, 1));
}

static void
test_vacate_unmapped (void **state)
{
  Fixture *fixture = *state;

  show_file (fixture);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
}

/* Advice that is refused is no failure. */
static void
test_advice_refused (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  expect_fault (FM_CALL_MADVISE, G_MAXUINT, FALSE);
  fault.error = EINVAL;
  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  assert_int_equal (
      fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
}

/* ---- strangers ---- */

static const struct
{
  FmArenaResult (*call) (Fixture *fixture);
  FmCall fails;
  Shows before;
} changes[] = {
    {use_part, FM_CALL_MMAP, NOTHING},
    {show_part, FM_CALL_MMAP, MEMORY},
    {replace_file, FM_CALL_MREMAP, FILE_SHOWN},
    {vacate_part, FM_CALL_MMAP, FILE_SHOWN},
};

static void
begin_with (Fixture *fixture, Shows what)
{
  fm_seam_set_hook (NULL);
  atomic_store (&fixture->arena->no_move, TRUE);
  if (what == NOTHING)
    assert_int_equal (vacate_part (fixture), FM_ARENA_DONE);
  else if (what == MEMORY)
    make_anonymous (fixture);
  else
    show_file (fixture);
}

/* Another thread of the program got a part of the gap: it is left to it. */
static void
test_stranger (void **state)
{
  Fixture *fixture = *state;
  static const gsize places[] = {0, GRANULE, PART - TESTING_PAGE};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (changes); i++) {
    for (j = 0; j < G_N_ELEMENTS (places); j++) {
      const int protection = j == 1 ? PROT_NONE : PROT_READ | PROT_WRITE;

      begin_with (fixture, changes[i].before);
      expect_stranger (changes[i].fails, places[j], TESTING_PAGE, protection);
      assert_int_equal (changes[i].call (fixture), FM_ARENA_LOST);
      assert_int_equal (shows (fixture, PART + places[j], TESTING_PAGE),
          protection == PROT_NONE ? NOTHING : MEMORY);
      /* What is around it stays as it was. */
      assert_int_equal (shows (fixture, 0, PART), NOTHING);
      assert_int_equal (shows (fixture, 2 * PART, SIZE - 2 * PART), NOTHING);
    }
  }
}

/* The gap can't be closed either. */
static void
test_gap_stays (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (changes); i++) {
    begin_with (fixture, changes[i].before);
    expect_fault (changes[i].fails, 1, TRUE);
    if (changes[i].fails == FM_CALL_MMAP) {
      fault.left = 2;
      assert_int_equal (changes[i].call (fixture), FM_ARENA_LOST);
      assert_int_equal (shows (fixture, PART, PART), GAP);
    }
  }
}

/* What became somebody else's does not go with the arena. */
static void
test_stranger_outlives_arena (void **state)
{
  Fixture *fixture = *state;
  guint8 *stranger = part_of (fixture) + GRANULE;

  make_anonymous (fixture);
  atomic_store (&fixture->arena->no_move, TRUE);
  expect_stranger (FM_CALL_MMAP, GRANULE, TESTING_PAGE, PROT_READ | PROT_WRITE);
  assert_int_equal (show_part (fixture), FM_ARENA_LOST);
  *stranger = 42;
  fm_seam_set_hook (NULL);
  fm_arena_free (g_steal_pointer (&fixture->arena));
  assert_true (is_readable (stranger));
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_make_anonymous_refused),
      TEST (test_make_anonymous_unmapped),
      TEST (test_show_file_refused),
      TEST (test_show_file_unmapped),
      TEST (test_show_file_refused_over_memory),
      TEST (test_show_file_not_moved),
      TEST (test_replace_refused),
      TEST (test_replace_unmapped),
      TEST (test_replace_without_dontunmap),
      TEST (test_replace_without_dontunmap_refused),
      TEST (test_vacate_refused),
      TEST (test_vacate_unmapped),
      TEST (test_advice_refused),
      TEST (test_stranger),
      TEST (test_gap_stays),
      TEST (test_stranger_outlives_arena),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
