/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-use.c: how much is used of what is filled.
 *
 * From an extent's fill until it is released or spilled again, the blocks of it
 * that are mapped are counted. A stream whose fills are mostly in vain is not
 * read ahead, and its single blocks are lent (pager-loans.c).
 *
 * Locking: the blocks are counted without a lock, by relaxed atomics: a wrong
 * count only makes a worse choice. The rest with the pager's lock held.
 */
#include "pager-private.h"

/* The use of extents is averaged over about this many. */
#define USE_OVER 4

/* If more than this is unused, nothing is read ahead. */
#define MUCH_UNUSED 0.5

void
fm_pager_note_used (const FmBlock *block)
{
  FmExtent *extent = block->extent;

  /* Two readers at once may count a block twice, or not at all. */
  if (block->start
      == atomic_load_explicit (&extent->used_last, memory_order_relaxed))
    return;
  atomic_store_explicit (
      &extent->used_last, block->start, memory_order_relaxed);
  atomic_store_explicit (&extent->used,
      atomic_load_explicit (&extent->used, memory_order_relaxed)
          + block->length,
      memory_order_relaxed);
}

void
fm_pager_note_lent (FmExtent *extent, gsize bytes)
{
  if (extent->lent_bytes == 0)
    extent->there = fm_extent_bytes_there (extent);
  extent->lent_bytes += bytes;
}

void
fm_pager_begin_use (FmExtent *extent)
{
  if (extent->lent_bytes == 0)
    extent->there = fm_extent_bytes_there (extent);
  atomic_store_explicit (&extent->used, 0, memory_order_relaxed);
  atomic_store_explicit (&extent->used_last, G_MAXUINT32, memory_order_relaxed);
  extent->was_filled = TRUE;
}

void
fm_pager_forget_use (FmExtent *extent)
{
  extent->was_filled = FALSE;
  extent->lent_bytes = 0;
  extent->lent_length = 0;
  extent->lent_run = 0;
}

void
fm_pager_end_use (FmPager *pager, FmExtent *extent)
{
  FmStream *stream = &pager->stream[atomic_load_explicit (
      &extent->stream, memory_order_relaxed)];
  gsize used = extent->lent_bytes;

  if (extent->shared && extent->there > 0
      && (extent->was_filled || extent->lent_bytes > 0)
      && atomic_load_explicit (&extent->position, memory_order_relaxed) > 0) {
    if (extent->was_filled)
      used += atomic_load_explicit (&extent->used, memory_order_relaxed);
    stream->unused +=
        (1 - (gdouble) MIN (used, extent->there) / (gdouble) extent->there
            - stream->unused)
        / USE_OVER;
  }
  fm_pager_forget_use (extent);
}

gboolean
fm_pager_wastes_much (FmPager *pager, guint stream)
{
  return pager->stream[stream].unused > MUCH_UNUSED;
}
