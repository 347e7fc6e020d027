/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-again.c: tests which extents take blocks again.
 */
#include "heap-fixture.h"

/* Fills an extent with blocks of a chunk each; no stream has it open then. */
static FmExtent *
make_filled (Fixture *fixture, guint row, FmBlock *blocks)
{
  FmExtent *extent = open_fresh (fixture, 0, row);
  guint i;

  for (i = 0; i < FM_CHUNKS; i++)
    blocks[i] = cut (fixture, 0, CHUNK);
  assert_false (close_stream (fixture, 0));
  return extent;
}

/* The block in @keep alone is left. */
static FmExtent *
make_mostly_free (Fixture *fixture, guint row, guint keep, FmBlock *ret_block)
{
  FmBlock blocks[FM_CHUNKS];
  FmExtent *extent = make_filled (fixture, row, blocks);
  guint i;

  for (i = 0; i < FM_CHUNKS; i++) {
    if (i != keep)
      assert_false (give (fixture, &blocks[i]));
  }
  *ret_block = blocks[keep];
  return extent;
}

static FmExtent *
take (Fixture *fixture, gsize size)
{
  return fm_heap_take_mostly_free (fixture->heap, size, 0);
}

static void
test_listed_when_mostly_free (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[FM_CHUNKS], block;
  FmExtent *extent = make_filled (fixture, 3, blocks), *taken = NULL;
  guint n = 0;

  while (taken == NULL) {
    assert_true (n < FM_CHUNKS - 1);
    assert_false (give (fixture, &blocks[n++]));
    taken = take (fixture, 1);
  }
  assert_ptr_equal (taken, extent);
  assert_true (n >= FM_CHUNKS / 2);
  assert_null (take (fixture, 1));

  change_open (fixture, 2, extent);
  block = cut (fixture, 2, CHUNK);
  assert_ptr_equal (block.extent, extent);
  assert_int_equal (block.start, 0);
  assert_held (fixture, (FM_CHUNKS - n + 1) * CHUNK);
}

static void
test_open_is_not_listed (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock a = cut (fixture, 0, CHUNK), b = cut (fixture, 0, CHUNK);

  assert_false (give (fixture, &a));
  assert_null (take (fixture, 1));
  assert_false (close_stream (fixture, 0));
  assert_ptr_equal (take (fixture, 1), extent);
  /* Whoever has it now has to give it up as well. */
  assert_false (give (fixture, &b));
  assert_true (fm_heap_put_back (fixture->heap, extent));
  assert_null (take (fixture, 1));
}

/* A block that was freed between take and open, or afterwards, listed it
 * again. */
static void
test_never_open_twice (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[FM_CHUNKS];
  FmExtent *extent = make_filled (fixture, 0, blocks);
  guint i;

  for (i = 0; i < FM_CHUNKS - 3; i++)
    give (fixture, &blocks[i]);
  assert_ptr_equal (take (fixture, 1), extent);
  assert_false (give (fixture, &blocks[i++]));
  assert_null (take (fixture, 1));
  change_open (fixture, 0, extent);
  assert_false (give (fixture, &blocks[i++]));
  assert_null (take (fixture, 1));
  assert_false (close_stream (fixture, 0));
  assert_ptr_equal (take (fixture, 1), extent);
  assert_null (take (fixture, 1));
}

static void
test_taken_has_room (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[FM_CHUNKS];
  FmExtent *extent = make_filled (fixture, 0, blocks);
  guint i;

  for (i = 0; i < FM_CHUNKS; i++) {
    if (i % 8 != 7)
      give (fixture, &blocks[i]);
  }
  assert_null (take (fixture, 7 * CHUNK + 1));
  assert_null (fm_heap_take_mostly_free (fixture->heap, 7 * CHUNK, 1));
  assert_ptr_equal (
      fm_heap_take_mostly_free (fixture->heap, 7 * CHUNK - 1, 1), extent);
  change_open (fixture, 0, extent);
  for (i = 0; i < 8; i++)
    blocks[i] = cut (fixture, 0, 7 * CHUNK);
  assert_free_chunks (extent, 0);
}

static void
test_order_of_taking (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent[3];
  FmBlock block;
  guint i;

  for (i = 0; i < 3; i++)
    extent[i] = make_mostly_free (fixture, i, 32, &block);
  /* The latest first; one that can't be opened now, last. */
  assert_ptr_equal (take (fixture, 1), extent[2]);
  assert_false (fm_heap_put_back (fixture->heap, extent[2]));
  assert_ptr_equal (take (fixture, 1), extent[1]);
  assert_ptr_equal (take (fixture, 1), extent[0]);
  assert_ptr_equal (take (fixture, 1), extent[2]);
  assert_null (take (fixture, 1));
  assert_false (fm_heap_leave (fixture->heap, extent[0]));
  assert_false (fm_heap_leave (fixture->heap, extent[2]));
  assert_false (fm_heap_put_back (fixture->heap, extent[1]));
  assert_ptr_equal (take (fixture, 1), extent[2]);
  assert_ptr_equal (take (fixture, 1), extent[0]);
  assert_ptr_equal (take (fixture, 1), extent[1]);
}

/* One without room is passed over, and stays for smaller blocks. */
static void
test_room_further_on (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[FM_CHUNKS];
  FmExtent *roomy = make_mostly_free (fixture, 0, 0, blocks);
  FmExtent *narrow = make_filled (fixture, 1, blocks);
  guint i;

  for (i = 0; i < FM_CHUNKS; i++) {
    if (i % 16 != 0)
      give (fixture, &blocks[i]);
  }
  assert_ptr_equal (take (fixture, EXTENT / 2), roomy);
  assert_null (take (fixture, EXTENT / 2));
  assert_ptr_equal (take (fixture, 15 * CHUNK), narrow);
}

static void
test_dead_is_not_taken (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent[2];
  FmBlock block[2];
  guint i;

  for (i = 0; i < 2; i++)
    extent[i] = make_mostly_free (fixture, i, i, &block[i]);
  assert_true (give (fixture, &block[1]));
  assert_ptr_equal (take (fixture, 1), extent[0]);
  assert_null (take (fixture, 1));
  assert_false (give (fixture, &block[0]));
  assert_true (fm_heap_leave (fixture->heap, extent[0]));
  release (fixture, extent[0]);
  assert_null (take (fixture, 1));
  /* The row is used again. */
  extent[1] = make_mostly_free (fixture, 1, 5, &block[1]);
  assert_ptr_equal (take (fixture, 1), extent[1]);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_listed_when_mostly_free),
      TEST (test_open_is_not_listed),
      TEST (test_never_open_twice),
      TEST (test_taken_has_room),
      TEST (test_order_of_taking),
      TEST (test_room_further_on),
      TEST (test_dead_is_not_taken),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
