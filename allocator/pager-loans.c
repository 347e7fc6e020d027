/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-loans.c: single blocks of spilled extents, used where they are.
 *
 * A reader that reads in order wants all of an extent, and the next one as
 * well. One that jumps to a block, or takes one of ten, wants none of its
 * neighbours: a fill would read 4 MiB for 64 KiB. Such a block is lent. The
 * extent stays SPILLED, its address shows the file, the block's pages are
 * brought into the page cache, and a pin keeps other threads from filling the
 * extent meanwhile. A reader that goes on to the next block, or has borrowed
 * half of the extent, is about to want all of it.
 *
 * How much is used of what was filled (pager-use.c) shows whether a stream is
 * read like that.
 *
 * What is lent is clean page cache, which the kernel can take, and no part of
 * the budget. It stays for a while after its pin is gone: the next element maps
 * the same buffer again. When more than a window, or many blocks, are on loan,
 * the oldest loan ends first; the extent is SWAPPING meanwhile, so that no
 * thread makes memory of it, or gives its addresses to another extent.
 *
 * Locking: all of this with the pager's lock held.
 */
#include "pager-private.h"

#include <errno.h>

/* In an extent that is read out of order, a block is worth a read of its own if
 * it is no more than this part of the extent. */
#define PART_WORTH_A_READ 4

/* If more than this is unused, blocks are lent even to a reader that reads in
 * order. */
#define MOST_UNUSED 0.75

/* Adjacent blocks that have to be read before such a stream gets a fill
 * again. */
#define RUN_OF_WASTEFUL 2

/* ---- what is lent ---- */

/* Whole pages around the block. */
static void
pages_of (
    FmPager *pager, const FmBlock *block, gsize *ret_offset, gsize *ret_length)
{
  gsize start = fm_extent_offset (pager->table, block->extent) + block->start;
  gsize length = block->length > 0 ? block->length : block->extent->length;

  *ret_offset = start & ~(FM_PAGE - 1);
  *ret_length = ((start + length + FM_PAGE - 1) & ~(FM_PAGE - 1)) - *ret_offset;
}

/* Whether the block is next to the one that was lent last. */
static gboolean
is_next (const FmBlock *block)
{
  const FmExtent *extent = block->extent;
  gint64 after = (gint64) block->start
      - (gint64) (extent->lent_start + extent->lent_length);
  gint64 before =
      (gint64) extent->lent_start - (gint64) (block->start + block->length);
  gint64 near = block->length / 2;

  return extent->lent_length > 0
      && ((after >= 0 && after < near) || (before >= 0 && before < near));
}

gboolean
fm_pager_may_lend (FmPager *pager, const FmBlock *block, FmPinFlags flags)
{
  const FmExtent *extent = block->extent;
  const FmStream *stream = &pager->stream[extent->order.stream];
  gboolean wasteful = stream->unused > MOST_UNUSED;

  /* No thread may fill it now, whatever is wanted of it. */
  if (FM_WORD_PINS (atomic_load (&extent->word)) > 0)
    return extent->is_lent && !atomic_load (&pager->inherited);
  if ((flags & FM_PIN_WRITE) != 0
      || block->length * PART_WORTH_A_READ > extent->length
      || block->length == 0 || extent->not_file > 0
      || atomic_load (&pager->inherited)
      || atomic_load (&pager->arena->memory_locked)
      || atomic_load (&pager->arena->no_populate))
    return FALSE;
  if (extent->lent_length > 0 && block->start == extent->lent_start)
    return TRUE;
  if (extent->lent_bytes + block->length > extent->length / 2
      || (is_next (block)
          && extent->lent_run + 1u >= (wasteful ? RUN_OF_WASTEFUL : 1)))
    return FALSE;
  return wasteful
      || fm_pager_is_jump (
          pager, extent->order.stream, extent->order.position, extent->length);
}

static void
record_loan (FmPager *pager, const FmBlock *block, gsize length)
{
  FmExtent *extent = block->extent;
  FmLoan *loan;
  GList *link;

  if (FM_WORD_PINS (atomic_load (&extent->word)) == 0)
    extent->is_lent = TRUE;
  if (extent->lent_length == 0 || block->start != extent->lent_start) {
    extent->lent_run = is_next (block) ? extent->lent_run + 1 : 0;
    extent->lent_start = block->start;
    extent->lent_length = block->length;
    fm_pager_note_lent (extent, block->length);
  }
  for (link = pager->loans.head; link != NULL; link = link->next) {
    loan = link->data;
    if (loan->block.extent == extent && loan->block.start == block->start
        && loan->bytes >= length)
      return;
  }

  loan = g_slice_new (FmLoan);
  loan->block = *block;
  loan->bytes = length;
  g_queue_push_tail (&pager->loans, loan);
  pager->lent_bytes += length;
}

/* The loan that is to end next, if one has to; its extent is SWAPPING. NULL if
 * there is none. */
static FmLoan *
take_back (FmPager *pager)
{
  guint i, n = pager->loans.length;

  for (i = 0; i < n
       && (pager->lent_bytes > fm_pager_window (pager)
           || pager->loans.length > FM_LOANS_MAX);
       i++) {
    FmLoan *loan = g_queue_pop_head (&pager->loans);
    FmExtent *extent = loan->block.extent;
    guint32 word = atomic_load (&extent->word);

    if (FM_WORD_PINS (word) > 0 || FM_WORD_STATE (word) != FM_SPILLED) {
      g_queue_push_tail (&pager->loans, loan);
      continue;
    }
    pager->lent_bytes -= loan->bytes;
    fm_pager_remove_spilled (pager, extent);
    fm_extent_set_state (extent, FM_SWAPPING, 0);
    return loan;
  }
  return NULL;
}

void
fm_pager_end_loans (FmPager *pager, const FmExtent *extent)
{
  GList *link = pager->loans.head;

  while (extent->lent_bytes > 0 && link != NULL) {
    GList *next = link->next;
    FmLoan *loan = link->data;

    if (loan->block.extent == extent) {
      pager->lent_bytes -= loan->bytes;
      g_queue_delete_link (&pager->loans, link);
      g_slice_free (FmLoan, loan);
    }
    link = next;
  }
}

/* Ends one loan, if that is due; releases the lock meanwhile. */
static void
give_back (FmPager *pager)
{
  FmLoan *back = take_back (pager);
  gsize offset, length;

  if (back == NULL)
    return;
  pages_of (pager, &back->block, &offset, &length);
  fm_pager_leave (pager);
  fm_arena_forget (pager->arena, offset, length);
  fm_backing_file_drop_cache (pager->file, offset, length);
  fm_pager_return (pager);
  (void) fm_pager_settle (pager, back->block.extent, FM_SPILLED);
  g_slice_free (FmLoan, back);
}

gboolean
fm_pager_lend (
    FmPager *pager, const FmBlock *block, FmPinFlags flags, gboolean *ret_lost)
{
  FmExtent *extent = block->extent;
  gsize offset, length;
  int error;

  pages_of (pager, block, &offset, &length);
  record_loan (pager, block, length);
  atomic_fetch_add (&extent->word, 1);
  fm_pager_leave (pager);
  /* Who writes beside a loan has to be able to: a file system that has shut
   * down gives a page for reading. */
  error = fm_arena_bring_in (
      pager->arena, offset, length, (flags & FM_PIN_WRITE) != 0);
  if (error == 0 && fm_backing_file_is_cut (pager->file))
    error = ENODATA;
  fm_pager_return (pager);

  *ret_lost =
      error == EFAULT || error == EIO || error == EHWPOISON || error == ENODATA;
  if (error == 0) {
    fm_stats_add (pager->stats, FM_STAT_MAPS_LENT, 1);
    fm_stats_add (pager->stats, FM_STAT_LENT_BYTES, length);
  } else {
    atomic_fetch_sub (&extent->word, 1);
  }
  give_back (pager);
  return error == 0;
}

void
fm_pager_free_loans (FmPager *pager)
{
  FmLoan *loan;

  while ((loan = g_queue_pop_head (&pager->loans)) != NULL)
    g_slice_free (FmLoan, loan);
}
