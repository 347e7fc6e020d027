/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.c: see heap.h.
 *
 * What blocks hold of the limit: a shared extent counts whole from the moment
 * it is opened, less each page of it that has become free, so that one small
 * block which lives long does not hold megabytes.
 */
#include "heap.h"
#include "sync.h"

#include <string.h>

typedef struct
{
  _Alignas(64) FmMutex lock;
  FmExtent *open;
} Lane;

struct _FmHeap
{
  FmExtentTable *table;
  gsize extent_size;
  guint n_lanes;
  guint64 limit;
  _Alignas(64) _Atomic guint64 held;
  Lane lane[];
};

FmHeap *
fm_heap_new (
    FmExtentTable *table, gsize extent_size, guint n_lanes, guint64 limit)
{
  gsize bytes = sizeof (FmHeap) + n_lanes * sizeof (Lane);
  FmHeap *heap = g_aligned_alloc0 (1, bytes, 64);
  guint i;

  heap->table = table;
  heap->extent_size = extent_size;
  heap->n_lanes = n_lanes;
  heap->limit = limit;
  for (i = 0; i < n_lanes; i++)
    fm_mutex_init (&heap->lane[i].lock);
  return heap;
}

void
fm_heap_free (FmHeap *heap)
{
  guint i;

  for (i = 0; i < heap->n_lanes; i++)
    fm_mutex_clear (&heap->lane[i].lock);
  g_aligned_free (heap);
}

guint
fm_heap_n_lanes (const FmHeap *heap)
{
  return heap->n_lanes;
}

gboolean
fm_heap_is_small (const FmHeap *heap, gsize size, gsize align)
{
  gsize half = heap->extent_size / 2;

  return size <= half && align <= half - size;
}

gboolean
fm_heap_hold (FmHeap *heap, gsize bytes)
{
  guint64 before = atomic_load (&heap->held);

  do {
    if (bytes > heap->limit || before > heap->limit - bytes)
      return FALSE;
  } while (
      !atomic_compare_exchange_weak (&heap->held, &before, before + bytes));
  return TRUE;
}

void
fm_heap_unhold (FmHeap *heap, gsize bytes)
{
  atomic_fetch_sub (&heap->held, bytes);
}

gboolean
fm_heap_cut (FmHeap *heap, guint lane_index, gsize size, gsize align,
    FmBlock *ret_block, gsize *ret_offset)
{
  Lane *lane = &heap->lane[lane_index];
  FmExtent *extent;
  gboolean fits = FALSE;

  fm_mutex_lock (&lane->lock);
  extent = lane->open;
  if (extent != NULL
      && !atomic_load_explicit (&extent->full, memory_order_relaxed)) {
    /* Extents start at a multiple of their size, which is above any align. */
    gsize start = (extent->filled + align) & ~align;

    if (start + size <= heap->extent_size) {
      ret_block->extent = extent;
      ret_block->start = (guint32) extent->filled;
      ret_block->length = (guint32) (start + size - extent->filled);
      *ret_offset = fm_extent_offset (heap->table, extent) + start;
      extent->filled = start + size;
      atomic_fetch_add_explicit (&extent->live, 1, memory_order_relaxed);
      fits = TRUE;
    }
  }
  fm_mutex_unlock (&lane->lock);
  return fits;
}

/* @length bytes of a shared extent are in no block any more. */
static void
count_unused (FmHeap *heap, FmExtent *extent, gsize start, gsize length)
{
  _Atomic guint16 *unused = heap->table->unused_in_page
      + fm_extent_offset (heap->table, extent) / FM_PAGE;
  gsize end = start + length;
  guint freed = 0;

  while (start < end) {
    gsize page = start / FM_PAGE;
    gsize n = MIN (end, (page + 1) * FM_PAGE) - start;

    if (atomic_fetch_add_explicit (
            &unused[page], (guint16) n, memory_order_relaxed)
            + n
        == FM_PAGE)
      freed++;
    start += n;
  }
  if (freed > 0) {
    atomic_fetch_add_explicit (
        &extent->free_pages, freed, memory_order_relaxed);
    fm_heap_unhold (heap, freed * FM_PAGE);
  }
}

/* One block, or the lane, lets go of the extent. TRUE if it was the last. */
static gboolean
let_go (FmHeap *heap, FmExtent *extent)
{
  if (atomic_fetch_sub_explicit (&extent->live, 1, memory_order_acq_rel) != 1)
    return FALSE;
  if (extent->shared)
    fm_heap_unhold (
        heap, heap->extent_size - atomic_load (&extent->free_pages) * FM_PAGE);
  return TRUE;
}

FmExtent *
fm_heap_open (FmHeap *heap, guint lane_index, FmExtent *extent)
{
  Lane *lane = &heap->lane[lane_index];
  FmExtent *before;

  if (extent != NULL) {
    memset ((gpointer) (heap->table->unused_in_page
                + fm_extent_offset (heap->table, extent) / FM_PAGE),
        0, heap->extent_size / FM_PAGE * sizeof (guint16));
    extent->filled = 0;
    atomic_store (&extent->free_pages, 0);
    atomic_store (&extent->live, 1);
  }

  fm_mutex_lock (&lane->lock);
  before = lane->open;
  lane->open = extent;
  fm_mutex_unlock (&lane->lock);
  return before;
}

gboolean
fm_heap_leave (FmHeap *heap, FmExtent *extent)
{
  if (extent->filled < heap->extent_size)
    count_unused (
        heap, extent, extent->filled, heap->extent_size - extent->filled);
  return let_go (heap, extent);
}

void
fm_heap_own (FmHeap *heap, FmExtent *extent, FmBlock *ret_block)
{
  atomic_store (&extent->free_pages, 0);
  atomic_store (&extent->live, 1);
  ret_block->extent = extent;
  ret_block->start = 0;
  ret_block->length = 0;
}

gboolean
fm_heap_give (FmHeap *heap, const FmBlock *block, gsize held)
{
  if (block->extent->shared)
    count_unused (heap, block->extent, block->start, block->length);
  else
    fm_heap_unhold (heap, held);
  return let_go (heap, block->extent);
}
