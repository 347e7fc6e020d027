/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-written.c: tests what counts as written. The order in which a queue is
 * read, when a block has settled, and how long extents are, are all measured in
 * bytes written: a frame that counts once for each of its planes makes all of
 * them wrong.
 */
#include "pager-fixture.h"

static guint64
written (Fixture *fixture)
{
  return atomic_load (&fixture->pager->written);
}

/* Ends a pin for writing; @flags besides. */
static void
write_as (Fixture *fixture, FmExtent *extent, FmPinFlags flags, guint stream)
{
  const FmBlock block = {extent};

  assert_true (fm_pager_pin (fixture->pager, &block, FM_PIN_WRITE));
  fm_pager_unpin (fixture->pager, &block, FM_PIN_WRITE | flags, EXTENT, stream);
}

static void
read_it (Fixture *fixture, FmExtent *extent, FmPinFlags flags)
{
  const FmBlock block = {extent};

  assert_true (fm_pager_pin (fixture->pager, &block, FM_PIN_READ | flags));
  fm_pager_unpin (fixture->pager, &block, FM_PIN_READ, 0, 0);
}

static void
test_planes_count_once (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, EXTENT, FALSE);
  FmExtent *other = acquire (fixture, EXTENT, FALSE);
  guint i;

  for (i = 0; i < 3; i++)
    write_as (fixture, extent, i < 2 ? FM_PIN_PART : 0, 0);
  assert_int_equal (written (fixture), EXTENT);
  assert_int_equal (extent->position, EXTENT);
  assert_true ((atomic_load (&extent->word) & FM_UNREAD) != 0);

  /* The next frame in the same block of a pool. */
  write_as (fixture, other, 0, 0);
  for (i = 0; i < 3; i++)
    write_as (fixture, extent, i < 2 ? FM_PIN_PART : 0, 0);
  assert_int_equal (written (fixture), 3 * EXTENT);
  assert_int_equal (extent->position, 3 * EXTENT);
}

/* Nor does an element that changes in place what it is given, in the thread of
 * who wrote it. */
static void
test_written_in_place (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extents[] = {
      acquire (fixture, EXTENT, FALSE), acquire (fixture, EXTENT, FALSE)};
  guint turn, i;

  for (turn = 0; turn < 2; turn++) {
    for (i = 0; i < 2; i++) {
      write_as (fixture, extents[i], 0, 0);
      write_as (fixture, extents[i], 0, 0);
    }
  }
  assert_int_equal (written (fixture), 4 * EXTENT);
}

/* An element in another thread gives the frame a place in its own order. */
static void
test_another_stream (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, EXTENT, FALSE);

  write_as (fixture, extent, 0, 0);
  write_as (fixture, extent, 0, 1);
  assert_int_equal (extent->stream, 1);
  assert_int_equal (extent->position, EXTENT);
  assert_int_equal (fixture->pager->stream[1].position, EXTENT);
  write_as (fixture, extent, 0, 0);
  assert_int_equal (extent->stream, 0);
  assert_int_equal (extent->position, 2 * EXTENT);
}

/* Where it stands in the order is seen when it is closed. */
static void
test_written_while_open (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, EXTENT, TRUE);

  atomic_store (&extent->free_chunks, 0);
  write_as (fixture, extent, FM_PIN_PART, 0);
  assert_int_equal (written (fixture), 0);
  fm_pager_close (fixture->pager, extent, 0);
  assert_int_equal (written (fixture), EXTENT);
}

static void
test_closed_early (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, EXTENT, TRUE);

  atomic_store (&extent->free_chunks, ~(guint64) 1);
  fm_pager_close (fixture->pager, extent, 0);
  assert_int_equal (written (fixture), EXTENT / FM_CHUNKS);
}

/* ---- how long extents are ---- */

/* After @n of which one part in @part_used was used. */
static gsize
extent_size_after (Fixture *fixture, guint n, guint part_used)
{
  FmPager *pager = fixture->pager;
  gsize size = 0;
  guint i;

  for (i = 0; i < n; i++) {
    size = fm_pager_extent_size (pager, 0, size / part_used, 1);
    fm_pager_lock (pager);
    pager->handed_out += size;
    fm_pager_unlock (pager);
  }
  return size;
}

static void
test_extents_grow (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (extent_size_after (fixture, 8, 1), EXTENT);
}

/* Of those that were spilled while there was hardly anything in them, the next
 * one is no longer. */
static void
test_hardly_used (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (extent_size_after (fixture, 8, FM_CHUNKS),
      fixture->pager->config.extent_least);
}

/* A block that has an extent of its own, because those of its stream are too
 * short for two, counts for how long they are all the same. */
static void
test_alone (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  gsize size = 0;
  guint i;

  for (i = 0; i < 8; i++) {
    size = fm_pager_extent_size (pager, 0, 0, 1);
    fm_pager_note_alone (pager, 0, EXTENT - 1);
    fm_pager_lock (pager);
    pager->handed_out += EXTENT;
    fm_pager_unlock (pager);
  }
  assert_int_equal (size, EXTENT);
}

/* ---- a pool ---- */

/* A producer that maps a block of its pool for reading, too, is not the reader
 * of the queue. */
static void
test_producer_is_no_reader (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, EXTENT, FALSE);
  const FmCursor *cursor = fixture->pager->stream[0].cursor;

  write_extent (fixture, extent, 1);
  atomic_fetch_add (&fixture->pager->written, fm_pager_budget (fixture->pager));
  check_extent (fixture, extent, 1);
  spill (fixture, extent);
  read_it (fixture, extent, FM_PIN_WRITE);
  assert_false (cursor->is_used);

  /* An element that changes in place what comes out of a queue is one. */
  write_extent (fixture, extent, 1);
  atomic_fetch_add (&fixture->pager->written, fm_pager_budget (fixture->pager));
  spill (fixture, extent);
  read_it (fixture, extent, FM_PIN_WRITE);
  assert_true (cursor->is_used);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_planes_count_once),
      TEST (test_written_in_place),
      TEST (test_another_stream),
      TEST (test_written_while_open),
      TEST (test_closed_early),
      TEST (test_extents_grow),
      TEST (test_hardly_used),
      TEST (test_alone),
      TEST (test_producer_is_no_reader),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
