/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-fixture.c: see heap-fixture.h.
 */
#include "heap-fixture.h"

#include <string.h>

int
fixture_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  if (!fm_extent_table_init (&fixture->table, LIMIT, EXTENT))
    return -1;
  fixture->heap = fm_heap_new (&fixture->table, EXTENT / 2, STREAMS, LIMIT);
  *state = fixture;
  return 0;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  fm_heap_free (fixture->heap);
  fm_extent_table_clear (&fixture->table);
  g_free (fixture);
  return 0;
}

void
assert_held (Fixture *fixture, guint64 held)
{
  assert_true (held <= LIMIT);
  assert_false (fm_heap_hold (fixture->heap, LIMIT - held + 1));
  assert_true (fm_heap_hold (fixture->heap, LIMIT - held));
  fm_heap_unhold (fixture->heap, LIMIT - held);
}

void
assert_free_chunks (FmExtent *extent, guint64 bits)
{
  assert_true (atomic_load (&extent->free_chunks) == bits);
}

guint
row_of (Fixture *fixture, FmExtent *extent)
{
  return fm_extent_granule (&fixture->table, extent);
}

FmExtent *
acquire (Fixture *fixture, guint row, gboolean shared)
{
  FmExtent *extent = fm_extent_at (&fixture->table, row);

  assert_false (fixture->in_use[row]);
  fixture->in_use[row] = TRUE;
  extent->n_granules = 1;
  extent->length = EXTENT;
  extent->chunk_bits = g_bit_storage (EXTENT / FM_CHUNKS) - 1;
  extent->shared = shared;
  atomic_store (&extent->full, !shared);
  if (shared)
    fm_heap_prepare (fixture->heap, extent);
  return extent;
}

void
release (Fixture *fixture, FmExtent *extent)
{
  guint row = row_of (fixture, extent);

  assert_true (fixture->in_use[row]);
  fixture->in_use[row] = FALSE;
}

gboolean
change_open (Fixture *fixture, guint stream, FmExtent *extent)
{
  FmExtent *before;

  if (extent != NULL)
    atomic_store (&extent->full, FALSE);
  before = fm_heap_open (fixture->heap, stream, extent);
  if (before == NULL)
    return FALSE;
  atomic_store (&before->full, TRUE);
  if (!fm_heap_leave (fixture->heap, before))
    return FALSE;
  release (fixture, before);
  return TRUE;
}

FmExtent *
open_fresh (Fixture *fixture, guint stream, guint row)
{
  FmExtent *extent = acquire (fixture, row, TRUE);

  change_open (fixture, stream, extent);
  return extent;
}

gboolean
close_stream (Fixture *fixture, guint stream)
{
  return change_open (fixture, stream, NULL);
}

FmBlock
cut_aligned (
    Fixture *fixture, guint thread, gsize size, gsize align, gsize *ret_offset)
{
  FmExtent *left;
  FmBlock block;

  memset (&block, 0xee, sizeof block);
  assert_int_equal (fm_heap_cut (fixture->heap, thread, thread & (STREAMS - 1),
                        size, align, &block, ret_offset, &left),
      FM_CUT_DONE);
  assert_null (left);
  return block;
}

FmBlock
cut (Fixture *fixture, guint thread, gsize size)
{
  gsize offset;

  return cut_aligned (fixture, thread, size, 0, &offset);
}

void
assert_not_cut (Fixture *fixture, guint thread, gsize size, gsize align,
    FmCutResult expected)
{
  FmExtent *left;
  FmBlock block;
  gsize offset;

  assert_int_equal (fm_heap_cut (fixture->heap, thread, thread & (STREAMS - 1),
                        size, align, &block, &offset, &left),
      expected);
  assert_null (left);
}

gboolean
give (Fixture *fixture, const FmBlock *block)
{
  if (!fm_heap_give (fixture->heap, block, 0))
    return FALSE;
  release (fixture, block->extent);
  return TRUE;
}
