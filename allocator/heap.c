/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.c: see heap.h.
 *
 * What counts as held against the limit: of a shared extent the chunks that are
 * not free, so that one small long-lived block holds little.
 *
 * `live` of a shared extent counts the chunks that are not free, plus one for
 * the stream that has it open, or for the thread that is about to open it. The
 * thread that brings it to zero has to give the extent back; so it is
 * decremented last.
 */
#include "heap.h"
#include "sync.h"
#include "thread-number.h"

#include <string.h>

/* An extent with this many free chunks is opened again. */
#define MOSTLY_FREE (FM_CHUNKS / 2)

/* How many of those are checked for one with room. */
#define CANDIDATES 8

/* What a thread cuts from. */
typedef struct
{
  _Alignas(64) FmExtent *extent;
  gsize filled, end; /* up to where it is cut, and up to where it may be */
} Cutter;

typedef struct
{
  _Alignas(64) FmMutex lock;
  FmExtent *open;
  Cutter
      cutter; /* of the threads that have none of their own; under the lock */
} Stream;

struct _FmHeap
{
  FmExtentTable *table;
  gsize small_most; /* bytes of a block that shares its extent */
  guint n_streams;
  guint64 limit;
  FmMutex lock;       /* of mostly_free */
  GQueue mostly_free; /* the latest at its end */
  _Alignas(64) _Atomic guint64 held;
  Cutter cutter[FM_THREADS];
  Stream stream[];
};

FmHeap *
fm_heap_new (
    FmExtentTable *table, gsize small_most, guint n_streams, guint64 limit)
{
  gsize bytes = sizeof (FmHeap) + n_streams * sizeof (Stream);
  FmHeap *heap = g_aligned_alloc0 (1, bytes, 64);
  guint i;

  heap->table = table;
  heap->small_most = small_most;
  heap->n_streams = n_streams;
  heap->limit = limit;
  fm_mutex_init (&heap->lock);
  g_queue_init (&heap->mostly_free);
  for (i = 0; i < n_streams; i++)
    fm_mutex_init (&heap->stream[i].lock);
  return heap;
}

void
fm_heap_free (FmHeap *heap)
{
  guint i;

  for (i = 0; i < heap->n_streams; i++)
    fm_mutex_clear (&heap->stream[i].lock);
  fm_mutex_clear (&heap->lock);
  g_aligned_free (heap);
}

guint
fm_heap_n_streams (const FmHeap *heap)
{
  return heap->n_streams;
}

guint
fm_heap_stream (const FmHeap *heap, guint number)
{
  return number & (heap->n_streams - 1);
}

gboolean
fm_heap_is_small (const FmHeap *heap, gsize size, gsize align)
{
  return size <= heap->small_most && align <= heap->small_most - size;
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

/* ---- chunks ---- */

/* The first of the lowest @n consecutive set bits; FM_CHUNKS if there are
 * none. */
static guint
find_run (guint64 bits, guint n)
{
  /* A word can't be shifted by all of its bits. */
  if (n > FM_CHUNKS)
    return FM_CHUNKS;
  while (n > 1) {
    guint half = n / 2;

    bits &= bits >> half;
    n -= half;
  }
  return bits != 0 ? (guint) __builtin_ctzll (bits) : FM_CHUNKS;
}

static guint64
run_of_bits (guint first, guint n)
{
  return (n == FM_CHUNKS ? ~(guint64) 0 : ((guint64) 1 << n) - 1) << first;
}

static gsize
chunk_size (const FmExtent *extent)
{
  return (gsize) 1 << extent->chunk_bits;
}

static guint
chunks_for (const FmExtent *extent, gsize bytes)
{
  return (guint) ((bytes + chunk_size (extent) - 1) >> extent->chunk_bits);
}

/* ---- extents that can be opened again ---- */

/* At most one stream has an extent open; the extent is on the list, or taken
 * from it, or neither. */
enum { NOT_LISTED, LISTED, TAKEN };

static void
list_mostly_free (FmHeap *heap, FmExtent *extent, gboolean is_next)
{
  guint expected = NOT_LISTED;

  fm_mutex_lock (&heap->lock);
  if (atomic_compare_exchange_strong (&extent->listed, &expected, LISTED)) {
    extent->mostly_free_link.data = extent;
    if (is_next)
      g_queue_push_tail_link (&heap->mostly_free, &extent->mostly_free_link);
    else
      g_queue_push_head_link (&heap->mostly_free, &extent->mostly_free_link);
  }
  fm_mutex_unlock (&heap->lock);
}

/* If most of an extent that no stream has open is free, remembers it. The
 * caller has a share in `live`. */
static void
consider_mostly_free (FmHeap *heap, FmExtent *extent)
{
  if (__builtin_popcountll (atomic_load (&extent->free_chunks)) >= MOSTLY_FREE
      && atomic_load (&extent->listed) == NOT_LISTED)
    list_mostly_free (heap, extent, TRUE);
}

static void
forget_mostly_free (FmHeap *heap, FmExtent *extent)
{
  fm_mutex_lock (&heap->lock);
  if (atomic_exchange (&extent->listed, NOT_LISTED) == LISTED)
    g_queue_unlink (&heap->mostly_free, &extent->mostly_free_link);
  fm_mutex_unlock (&heap->lock);
}

/* Takes a share in an extent, unless no share is left. */
static gboolean
take_share (FmExtent *extent)
{
  guint32 before = atomic_load (&extent->live);

  do {
    if (before == 0)
      return FALSE;
  } while (!atomic_compare_exchange_weak (&extent->live, &before, before + 1));
  return TRUE;
}

/* Gives up @n shares in the extent. TRUE if they were the last. */
static gboolean
let_go (FmHeap *heap, FmExtent *extent, guint32 n)
{
  if (atomic_fetch_sub (&extent->live, n) != n)
    return FALSE;
  if (extent->shared && atomic_load (&extent->listed) == LISTED)
    forget_mostly_free (heap, extent);
  return TRUE;
}

FmExtent *
fm_heap_take_mostly_free (FmHeap *heap, gsize size, gsize align)
{
  FmExtent *taken = NULL;
  guint i;
  GList *link;

  fm_mutex_lock (&heap->lock);
  link = heap->mostly_free.tail;
  for (i = 0; i < CANDIDATES && link != NULL && taken == NULL; i++) {
    FmExtent *extent = link->data;

    link = link->prev;
    if (find_run (atomic_load (&extent->free_chunks),
            chunks_for (extent, size + align))
            < FM_CHUNKS
        && take_share (extent)) {
      g_queue_unlink (&heap->mostly_free, &extent->mostly_free_link);
      atomic_store (&extent->listed, TAKEN);
      taken = extent;
    }
  }
  fm_mutex_unlock (&heap->lock);
  return taken;
}

/* ---- cutting ---- */

/* @length bytes of a shared extent are no longer in any block. TRUE if they
 * were the last. */
static gboolean
count_unused (FmHeap *heap, FmExtent *extent, gsize start, gsize length)
{
  gsize end = start + length;
  guint bits = extent->chunk_bits;
  guint64 freed = 0;
  guint32 n_freed;

  while (start < end) {
    gsize chunk = start >> bits;
    gsize n = MIN (end, (chunk + 1) << bits) - start;
    _Atomic guint32 *unused = fm_extent_unused (heap->table, extent) + chunk;

    if (atomic_fetch_add (unused, (guint32) n) + n == (gsize) 1 << bits) {
      atomic_store_explicit (unused, 0, memory_order_relaxed);
      freed |= (guint64) 1 << chunk;
    }
    start += n;
  }
  if (G_LIKELY (freed == 0))
    return FALSE;
  n_freed = (guint32) __builtin_popcountll (freed);
  /* Before another thread takes them and wrongly finds the limit reached. */
  fm_heap_unhold (heap, (guint64) n_freed << bits);
  atomic_fetch_or (&extent->free_chunks, freed);
  consider_mostly_free (heap, extent);
  return let_go (heap, extent, n_freed);
}

/* Avoids asking for an extent in which nothing may be held. */
static gboolean
is_full (FmHeap *heap, gsize bytes)
{
  return atomic_load (&heap->held) + bytes > heap->limit;
}

/* Takes chunks for the block from the extent that the stream has open; those
 * right after @cutter's if that helps. */
static FmCutResult
take_chunks (FmHeap *heap, Stream *stream, Cutter *cutter, gsize size,
    gsize align, FmExtent **ret_left)
{
  FmExtent *extent = stream->open, *before = cutter->extent;
  guint n, first, next;
  gboolean extends = FALSE;
  guint64 bits;

  if (extent == NULL
      || atomic_load_explicit (&extent->full, memory_order_relaxed))
    return is_full (heap, size + align) ? FM_CUT_FULL : FM_CUT_NO_EXTENT;
  bits = atomic_load (&extent->free_chunks);
  n = chunks_for (extent, size + align);
  first = find_run (bits, n);
  next = (guint) (cutter->end >> extent->chunk_bits);
  /* Extends the cutter's run where possible, to waste nothing of its last
   * chunk. But for small blocks, memory that is still warm is worth more than
   * the rest of a chunk. A cutter with no rest keeps no extent alive: where a
   * shorter extent was, it may be in the middle of a chunk. */
  if (bits != 0 && before == extent && next < FM_CHUNKS
      && (cutter->end & (chunk_size (extent) - 1)) == 0
      && (n > 1 || first == next)) {
    gsize missing = ((cutter->filled + align) & ~align) + size - cutter->end;
    guint fewer = chunks_for (extent, missing);

    extends =
        next + fewer <= FM_CHUNKS && (~bits & run_of_bits (next, fewer)) == 0;
    if (extends) {
      first = next;
      n = fewer;
    }
  }
  if (first == FM_CHUNKS)
    return is_full (heap, (gsize) n << extent->chunk_bits) ? FM_CUT_FULL
                                                           : FM_CUT_NO_EXTENT;
  if (!fm_heap_hold (heap, (guint64) n << extent->chunk_bits))
    return FM_CUT_FULL;

  atomic_fetch_and (&extent->free_chunks, ~run_of_bits (first, n));
  atomic_fetch_add (&extent->live, n);
  if (!extends) {
    if (before != NULL && cutter->filled < cutter->end
        && count_unused (
            heap, before, cutter->filled, cutter->end - cutter->filled))
      *ret_left = before;
    cutter->extent = extent;
    cutter->filled = (gsize) first << extent->chunk_bits;
  }
  cutter->end = (gsize) (first + n) << extent->chunk_bits;
  return FM_CUT_DONE;
}

static inline gboolean
cut (FmHeap *heap, Cutter *cutter, gsize size, gsize align, FmBlock *ret_block,
    gsize *ret_offset)
{
  /* Extents start at a multiple of the granule, which is larger than any
   * align. */
  gsize start = (cutter->filled + align) & ~align;
  FmExtent *extent = cutter->extent;

  if (extent == NULL || start + size > cutter->end
      || atomic_load_explicit (&extent->full, memory_order_relaxed))
    return FALSE;
  ret_block->extent = extent;
  ret_block->start = (guint32) cutter->filled;
  ret_block->length = (guint32) (start + size - cutter->filled);
  *ret_offset = fm_extent_offset (heap->table, extent) + start;
  cutter->filled = start + size;
  return TRUE;
}

FmCutResult
fm_heap_cut (FmHeap *heap, guint thread, guint stream_index, gsize size,
    gsize align, FmBlock *ret_block, gsize *ret_offset, FmExtent **ret_left)
{
  gboolean shares = thread >= FM_THREADS;
  FmCutResult result = FM_CUT_DONE;
  Cutter *cutter;
  Stream *stream;

  *ret_left = NULL;
  /* A block of no bytes needs a place as well, which lives as long as the
   * block. */
  size = MAX (size, 1);
  if (G_LIKELY (!shares)
      && cut (heap, &heap->cutter[thread], size, align, ret_block, ret_offset))
    return FM_CUT_DONE;

  stream = &heap->stream[stream_index];
  cutter = shares ? &stream->cutter : &heap->cutter[thread];
  fm_mutex_lock (&stream->lock);
  /* Try again, even if the cutter is the thread's own: the extent may have been
   * opened again meanwhile. take_chunks() relies on this. */
  if (!cut (heap, cutter, size, align, ret_block, ret_offset)) {
    result = take_chunks (heap, stream, cutter, size, align, ret_left);
    if (result == FM_CUT_DONE
        && !cut (heap, cutter, size, align, ret_block, ret_offset))
      /* The extent was closed a moment ago. */
      result = FM_CUT_NO_EXTENT;
  }
  fm_mutex_unlock (&stream->lock);
  return result;
}

void
fm_heap_end (FmHeap *heap, FmHeapReleaseFunc release, gpointer data)
{
  guint n_cutters = FM_THREADS + heap->n_streams, i;

  for (i = 0; i < n_cutters; i++) {
    Cutter *cutter = i < FM_THREADS ? &heap->cutter[i]
                                    : &heap->stream[i - FM_THREADS].cutter;
    gsize rest = cutter->end - cutter->filled;

    if (rest > 0 && count_unused (heap, cutter->extent, cutter->filled, rest))
      release (cutter->extent, data);
    cutter->filled = cutter->end;
  }
}

void
fm_heap_prepare (FmHeap *heap, FmExtent *extent)
{
  memset ((gpointer) fm_extent_unused (heap->table, extent), 0,
      FM_CHUNKS * sizeof (guint32));
  atomic_store (&extent->free_chunks, ~(guint64) 0);
  atomic_store (&extent->listed, TAKEN);
  atomic_store (&extent->live, 1);
}

FmExtent *
fm_heap_open (FmHeap *heap, guint stream_index, FmExtent *extent)
{
  Stream *stream = &heap->stream[stream_index];
  FmExtent *before;

  fm_mutex_lock (&stream->lock);
  before = stream->open;
  stream->open = extent;
  fm_mutex_unlock (&stream->lock);
  return before;
}

gsize
fm_heap_open_bytes (FmHeap *heap, guint stream_index)
{
  Stream *stream = &heap->stream[stream_index];
  gsize bytes;

  fm_mutex_lock (&stream->lock);
  bytes = stream->open != NULL ? fm_extent_bytes_there (stream->open) : 0;
  fm_mutex_unlock (&stream->lock);
  return bytes;
}

gboolean
fm_heap_leave (FmHeap *heap, FmExtent *extent)
{
  atomic_store (&extent->listed, NOT_LISTED);
  consider_mostly_free (heap, extent);
  return let_go (heap, extent, 1);
}

gboolean
fm_heap_put_back (FmHeap *heap, FmExtent *extent)
{
  atomic_store (&extent->listed, NOT_LISTED);
  list_mostly_free (heap, extent, FALSE);
  return let_go (heap, extent, 1);
}

void
fm_heap_own (FmHeap *heap, FmExtent *extent, FmBlock *ret_block)
{
  atomic_store (&extent->live, 1);
  ret_block->extent = extent;
  ret_block->start = 0;
  ret_block->length = 0;
}

gboolean
fm_heap_give (FmHeap *heap, const FmBlock *block, gsize held)
{
  if (block->extent->shared)
    return count_unused (heap, block->extent, block->start, block->length);
  fm_heap_unhold (heap, held);
  return let_go (heap, block->extent, 1);
}
