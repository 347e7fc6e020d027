/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.c: tests which bytes of which extent belong to which block, and what
 * they hold of the limit.
 */
#include "heap-fixture.h"

static void
test_small (void **state)
{
  FmHeap *heap = ((Fixture *) *state)->heap;

  assert_true (fm_heap_is_small (heap, 0, 0));
  assert_true (fm_heap_is_small (heap, EXTENT / 2, 0));
  assert_false (fm_heap_is_small (heap, EXTENT / 2 + 1, 0));
  assert_true (fm_heap_is_small (heap, EXTENT / 2 - 4095, 4095));
  assert_false (fm_heap_is_small (heap, EXTENT / 2 - 4094, 4095));
  assert_false (fm_heap_is_small (heap, 1, EXTENT - 1));
  assert_false (fm_heap_is_small (heap, 1, G_MAXSIZE));
  assert_false (fm_heap_is_small (heap, G_MAXSIZE, 0));
  assert_false (fm_heap_is_small (heap, G_MAXSIZE, G_MAXSIZE));
}

static void
test_limit (void **state)
{
  Fixture *fixture = *state;

  assert_held (fixture, 0);
  assert_false (fm_heap_hold (fixture->heap, G_MAXSIZE));
  assert_true (fm_heap_hold (fixture->heap, 1000));
  assert_false (fm_heap_hold (fixture->heap, G_MAXSIZE));
  assert_held (fixture, 1000);
  fm_heap_unhold (fixture->heap, 1000);
  assert_held (fixture, 0);
}

static void
test_nothing_open (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (fm_heap_n_streams (fixture->heap), STREAMS);
  assert_not_cut (fixture, 0, 1, 0, FM_CUT_NO_EXTENT);
  assert_held (fixture, 0);
  open_fresh (fixture, 0, 0);
  assert_not_cut (fixture, 1, 1, 0, FM_CUT_NO_EXTENT);
  cut (fixture, 0, 1);
}

static void
test_cut_in_order (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 1, 5);
  static const struct
  {
    gsize size, align, offset, start, length;
  } cuts[] = {
      {10, 0, 0, 0, 10},
      {1, 0, 10, 10, 1},
      {100, 15, 16, 11, 105},
      {0, 0, 116, 116, 1},
      {7, 4095, 4096, 117, 3986},
      {0, 63, 4160, 4103, 58},
      {4096, 0, 4161, 4161, 4096},
      {CHUNK, 8191, 16384, 8257, 12223},
      {1, 0, 20480, 20480, 1},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cuts); i++) {
    gsize offset;
    FmBlock block =
        cut_aligned (fixture, 1, cuts[i].size, cuts[i].align, &offset);

    assert_ptr_equal (block.extent, extent);
    assert_int_equal (offset, 5 * EXTENT + cuts[i].offset);
    assert_int_equal (block.start, cuts[i].start);
    assert_int_equal (block.length, cuts[i].length);
  }
}

/* Nothing is given back: each block begins where the one before ended. */
static void
test_nothing_wasted (void **state)
{
  static const gsize sizes[] = {1, 1316, CHUNK - 1, CHUNK, CHUNK + 7,
      3 * CHUNK + 1, EXTENT / 4 + 13, EXTENT / 2 - 1, EXTENT / 2};
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize end;

    open_fresh (fixture, 0, i);
    for (end = 0; end + sizes[i] <= EXTENT; end += sizes[i]) {
      FmBlock block = cut (fixture, 0, sizes[i]);

      assert_int_equal (row_of (fixture, block.extent), i);
      assert_int_equal (block.start, end);
      assert_int_equal (block.length, sizes[i]);
    }
    assert_not_cut (fixture, 0, sizes[i], 0, FM_CUT_NO_EXTENT);
    /* So that the next starts with a cutter of its own. */
    if (end < EXTENT)
      cut (fixture, 0, EXTENT - end);
  }
}

static void
test_full_to_the_last_byte (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;

  open_fresh (fixture, 0, 0);
  cut (fixture, 0, EXTENT / 2);
  assert_not_cut (fixture, 0, EXTENT / 2 + 1, 0, FM_CUT_NO_EXTENT);
  cut (fixture, 0, EXTENT / 2 - 1);
  assert_not_cut (fixture, 0, 2, 0, FM_CUT_NO_EXTENT);
  assert_not_cut (fixture, 0, 1, 1, FM_CUT_NO_EXTENT);
  block = cut (fixture, 0, 1);
  assert_int_equal (block.start, EXTENT - 1);
  assert_not_cut (fixture, 0, 1, 0, FM_CUT_NO_EXTENT);
  assert_not_cut (fixture, 0, 0, 0, FM_CUT_NO_EXTENT);
}

/* Extents of a stream become longer with what it writes; a block that is small
 * by the longest finds a shorter one open, all of it free. */
static void
test_longer_than_all (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  guint n;

  for (n = FM_CHUNKS + 1; n <= 16 * FM_CHUNKS; n++) {
    assert_not_cut (fixture, 0, n * CHUNK, 0, FM_CUT_NO_EXTENT);
    assert_free_chunks (extent, ALL_FREE);
  }
  assert_held (fixture, 0);
  close_stream (fixture, 0);
}

static void
test_closed_takes_nothing (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock block;

  cut (fixture, 0, 1);
  atomic_store (&extent->full, TRUE);
  assert_not_cut (fixture, 0, 1, 0, FM_CUT_NO_EXTENT);
  assert_not_cut (fixture, 4, 1, 0, FM_CUT_NO_EXTENT);
  assert_held (fixture, CHUNK);
  /* What the thread has of it is cut once it is open again. */
  atomic_store (&extent->full, FALSE);
  block = cut (fixture, 0, 1);
  assert_int_equal (block.start, 1);
  assert_held (fixture, CHUNK);
}

static void
test_last_block_frees (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[3];
  guint i;

  open_fresh (fixture, 0, 0);
  for (i = 0; i < 3; i++)
    blocks[i] = cut (fixture, 0, i < 2 ? 100 : CHUNK - 200);
  assert_false (give (fixture, &blocks[1]));
  assert_false (close_stream (fixture, 0));
  assert_false (give (fixture, &blocks[0]));
  assert_true (give (fixture, &blocks[2]));
  assert_held (fixture, 0);
}

static void
test_leave_frees (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;

  open_fresh (fixture, 0, 0);
  assert_true (close_stream (fixture, 0));
  assert_held (fixture, 0);

  open_fresh (fixture, 0, 0);
  block = cut (fixture, 0, EXTENT / 2);
  assert_held (fixture, EXTENT / 2);
  assert_false (give (fixture, &block));
  assert_held (fixture, 0);
  assert_true (close_stream (fixture, 0));
}

/* A block of no bytes has a place, and lives as long as it. */
static void
test_no_bytes (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[CHUNK];
  guint i;

  open_fresh (fixture, 0, 0);
  for (i = 0; i < CHUNK; i++) {
    blocks[i] = cut (fixture, 0, 0);
    assert_int_equal (blocks[i].start, i);
  }
  assert_held (fixture, CHUNK);
  assert_false (close_stream (fixture, 0));
  for (i = 0; i < CHUNK - 1; i++)
    assert_false (give (fixture, &blocks[i]));
  assert_held (fixture, CHUNK);
  assert_true (give (fixture, &blocks[i]));
  assert_held (fixture, 0);
}

/* ---- chunks ---- */

static void
test_lowest_chunk_again (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock blocks[8], block;
  guint i;

  for (i = 0; i < 8; i++)
    blocks[i] = cut (fixture, 0, CHUNK);
  give (fixture, &blocks[5]);
  give (fixture, &blocks[2]);
  give (fixture, &blocks[3]);
  assert_free_chunks (extent, (ALL_FREE << 8) | BIT (2) | BIT (3) | BIT (5));
  assert_held (fixture, 5 * CHUNK);

  block = cut (fixture, 0, 10);
  assert_int_equal (block.start, 2 * CHUNK);
  /* Another thread takes the next. */
  block = cut (fixture, 4, 10);
  assert_int_equal (block.start, 3 * CHUNK);
  /* The first one goes on in its chunk, and then to the lowest. */
  block = cut (fixture, 0, CHUNK - 10);
  assert_int_equal (block.start, 2 * CHUNK + 10);
  block = cut (fixture, 0, CHUNK);
  assert_int_equal (block.start, 5 * CHUNK);
  block = cut (fixture, 0, CHUNK);
  assert_int_equal (block.start, 8 * CHUNK);
}

/* A shallow queue goes round in the same memory. */
static void
test_shallow_queue (void **state)
{
  Fixture *fixture = *state;
  FmBlock queue[8];
  guint i;

  open_fresh (fixture, 0, 0);
  for (i = 0; i < 1000; i++) {
    if (i >= 8)
      assert_false (give (fixture, &queue[i % 8]));
    queue[i % 8] = cut (fixture, 0, 1316);
    assert_true (queue[i % 8].start < 5 * CHUNK);
  }
  for (i = 0; i < 8; i++)
    assert_false (give (fixture, &queue[i]));
}

static void
test_block_over_chunks (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock a, b, c;

  a = cut (fixture, 0, 100);
  b = cut (fixture, 0, 3 * CHUNK);
  c = cut (fixture, 0, 2 * CHUNK - 100);
  assert_int_equal (b.start, 100);
  assert_int_equal (c.start, 100 + 3 * CHUNK);
  assert_free_chunks (extent, ALL_FREE << 5);
  assert_held (fixture, 5 * CHUNK);

  give (fixture, &b);
  assert_free_chunks (extent, (ALL_FREE << 5) | BIT (1) | BIT (2));
  assert_held (fixture, 3 * CHUNK);
  give (fixture, &c);
  assert_free_chunks (extent, ALL_FREE << 1);
  assert_held (fixture, CHUNK);
  give (fixture, &a);
  assert_free_chunks (extent, ALL_FREE);
  assert_held (fixture, 0);
  assert_true (close_stream (fixture, 0));
}

static void
test_limit_by_chunks (void **state)
{
  Fixture *fixture = *state;
  guint64 others = LIMIT - 3 * CHUNK;
  FmBlock a, b;

  open_fresh (fixture, 0, 0);
  assert_true (fm_heap_hold (fixture->heap, others));
  cut (fixture, 0, 1);
  assert_held (fixture, others + CHUNK);
  assert_not_cut (fixture, 4, 2 * CHUNK + 1, 0, FM_CUT_FULL);
  assert_held (fixture, others + CHUNK);
  b = cut (fixture, 0, 3 * CHUNK - 10);
  assert_held (fixture, others + 3 * CHUNK);
  assert_not_cut (fixture, 0, 10, 0, FM_CUT_FULL);
  assert_not_cut (fixture, 1, 1, 0, FM_CUT_FULL);
  assert_held (fixture, LIMIT);
  cut (fixture, 0, 9);
  assert_not_cut (fixture, 0, 1, 0, FM_CUT_FULL);

  give (fixture, &b);
  assert_held (fixture, LIMIT - CHUNK);
  assert_not_cut (fixture, 0, CHUNK + 1, 0, FM_CUT_FULL);
  assert_held (fixture, LIMIT - CHUNK);
  a = cut (fixture, 0, CHUNK);
  assert_int_equal (a.start, CHUNK);
  assert_held (fixture, LIMIT);
}

static void
test_no_run (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock blocks[FM_CHUNKS];
  guint i;

  for (i = 0; i < FM_CHUNKS; i++)
    blocks[i] = cut (fixture, 0, CHUNK);
  for (i = 0; i < FM_CHUNKS; i += 2)
    give (fixture, &blocks[i]);
  assert_held (fixture, EXTENT / 2);
  assert_not_cut (fixture, 0, CHUNK + 1, 0, FM_CUT_NO_EXTENT);
  assert_not_cut (fixture, 0, CHUNK, 1, FM_CUT_NO_EXTENT);
  assert_held (fixture, EXTENT / 2);
  assert_free_chunks (extent, G_GUINT64_CONSTANT (0x5555555555555555));

  give (fixture, &blocks[41]);
  blocks[41] = cut (fixture, 0, 2 * CHUNK + 1);
  assert_int_equal (blocks[41].start, 40 * CHUNK);
  blocks[0] = cut (fixture, 4, CHUNK);
  assert_int_equal (blocks[0].start, 0);
}

/* Threads with a number of their own have a chunk each; those that share
 * theirs cut from one chunk in each stream. */
static void
test_who_cuts_where (void **state)
{
  static const struct
  {
    guint thread, row, start;
  } cuts[] = {
      {0, 0, 0},
      {STREAMS, 0, CHUNK},
      {FM_THREADS, 0, 2 * CHUNK},
      {0, 0, 10},
      {FM_THREADS + STREAMS, 0, 2 * CHUNK + 10},
      {FM_THREADS + 1, 1, 0},
      {FM_THREADS, 0, 2 * CHUNK + 20},
      {FM_THREADS - STREAMS, 0, 3 * CHUNK},
      {FM_THREADS + STREAMS + 1, 1, 10},
      {1, 1, CHUNK},
  };
  Fixture *fixture = *state;
  guint i;

  open_fresh (fixture, 0, 0);
  open_fresh (fixture, 1, 1);
  for (i = 0; i < G_N_ELEMENTS (cuts); i++) {
    FmBlock block = cut (fixture, cuts[i].thread, 10);

    assert_int_equal (row_of (fixture, block.extent), cuts[i].row);
    assert_int_equal (block.start, cuts[i].start);
  }
  assert_held (fixture, 6 * CHUNK);
}

/* ---- what a thread leaves ---- */

static FmExtent *
cut_and_leave (Fixture *fixture, guint thread, gsize size)
{
  FmExtent *left;
  FmBlock block;
  gsize offset;

  assert_int_equal (fm_heap_cut (fixture->heap, thread, thread & (STREAMS - 1),
                        size, 0, &block, &offset, &left),
      FM_CUT_DONE);
  return left;
}

static void
test_left_is_free (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock block = cut (fixture, 0, 100);

  open_fresh (fixture, 0, 1);
  assert_false (give (fixture, &block));
  assert_held (fixture, CHUNK);
  assert_ptr_equal (cut_and_leave (fixture, 0, 10), extent);
  release (fixture, extent);
  assert_held (fixture, CHUNK);
  /* Only once, and from there on in the other. */
  assert_null (cut_and_leave (fixture, 0, 10));
  assert_held (fixture, CHUNK);
}

static void
test_left_has_blocks (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock a = cut (fixture, 0, CHUNK), b = cut (fixture, 0, 100);

  open_fresh (fixture, 0, 1);
  assert_false (give (fixture, &b));
  assert_null (cut_and_leave (fixture, 0, 10));
  assert_free_chunks (extent, ALL_FREE << 1);
  assert_true (give (fixture, &a));
}

static void
test_left_is_open (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock a = cut (fixture, 0, CHUNK), b = cut (fixture, 0, 100);

  give (fixture, &a);
  give (fixture, &b);
  /* It goes to the first chunk, and of the second nothing is left. */
  assert_null (cut_and_leave (fixture, 0, CHUNK - 99));
  assert_free_chunks (extent, ALL_FREE << 1);
  assert_held (fixture, CHUNK);
}

/* What was a thread's last extent may be another one by now. */
static void
test_left_without_rest (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;

  open_fresh (fixture, 0, 0);
  block = cut (fixture, 0, CHUNK);
  assert_false (close_stream (fixture, 0));
  assert_true (give (fixture, &block));
  open_fresh (fixture, 1, 0);
  assert_not_cut (fixture, 0, 1, 0, FM_CUT_NO_EXTENT);
  open_fresh (fixture, 0, 1);
  block = cut (fixture, 0, 1);
  assert_int_equal (row_of (fixture, block.extent), 1);
  assert_held (fixture, CHUNK);
}

static void
count_left (FmExtent *extent, gpointer data)
{
  Fixture *fixture = data;

  assert_int_equal (row_of (fixture, extent), 0);
  release (fixture, extent);
}

/* An extent begins where a shorter one was, of which its thread had cut the
 * last byte that it took: where that was is in the middle of a chunk now. */
static void
test_longer_life (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock block;

  extent->length = EXTENT / 16;
  extent->chunk_bits -= 4;
  block = cut (fixture, 0, 3 * CHUNK / 16);
  assert_false (close_stream (fixture, 0));
  assert_true (give (fixture, &block));

  open_fresh (fixture, 0, 0);
  block = cut (fixture, 0, 2 * CHUNK);
  assert_int_equal (block.start, 0);
  assert_false (close_stream (fixture, 0));
  assert_true (give (fixture, &block));
  assert_held (fixture, 0);
}

static void
test_end (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_fresh (fixture, 0, 0);
  FmBlock blocks[5];

  blocks[0] = cut (fixture, 0, 10);
  blocks[1] = cut (fixture, STREAMS, CHUNK);
  blocks[2] = cut (fixture, FM_THREADS, 100);
  open_fresh (fixture, 1, 1);
  blocks[3] = cut (fixture, 1, 10);
  open_fresh (fixture, 2, 2);
  blocks[4] = cut (fixture, 2, 10);
  assert_false (close_stream (fixture, 0));
  assert_false (close_stream (fixture, 1));
  assert_false (give (fixture, &blocks[0]));
  assert_false (give (fixture, &blocks[1]));
  assert_false (give (fixture, &blocks[2]));
  assert_false (give (fixture, &blocks[4]));
  assert_free_chunks (extent, ~(BIT (0) | BIT (2)));

  /* The second extent has a block, the third is open. */
  fm_heap_end (fixture->heap, count_left, fixture);
  assert_false (fixture->in_use[0]);
  assert_held (fixture, CHUNK);
  fm_heap_end (fixture->heap, count_left, fixture);
  assert_held (fixture, CHUNK);
  assert_true (give (fixture, &blocks[3]));
  assert_true (close_stream (fixture, 2));
  assert_held (fixture, 0);
}

static void
test_own_extent (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, 7, FALSE);
  FmBlock block;

  assert_true (fm_heap_hold (fixture->heap, 12345));
  fm_heap_own (fixture->heap, extent, &block);
  assert_ptr_equal (block.extent, extent);
  assert_int_equal (block.start, 0);
  assert_int_equal (block.length, 0);
  assert_held (fixture, 12345);
  assert_true (fm_heap_give (fixture->heap, &block, 12345));
  assert_held (fixture, 0);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_small),
      TEST (test_limit),
      TEST (test_nothing_open),
      TEST (test_cut_in_order),
      TEST (test_nothing_wasted),
      TEST (test_full_to_the_last_byte),
      TEST (test_longer_than_all),
      TEST (test_closed_takes_nothing),
      TEST (test_last_block_frees),
      TEST (test_leave_frees),
      TEST (test_no_bytes),
      TEST (test_lowest_chunk_again),
      TEST (test_shallow_queue),
      TEST (test_block_over_chunks),
      TEST (test_limit_by_chunks),
      TEST (test_no_run),
      TEST (test_who_cuts_where),
      TEST (test_left_is_free),
      TEST (test_left_has_blocks),
      TEST (test_left_is_open),
      TEST (test_left_without_rest),
      TEST (test_longer_life),
      TEST (test_end),
      TEST (test_own_extent),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
