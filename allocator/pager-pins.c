/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-pins.c: extents closed, opened again, pinned and unpinned.
 *
 * See pager.h for the interface, extent.h for the word. Pinning a resident
 * extent is one compare-and-swap; only a pin of one that is not resident takes
 * the lock, and waits.
 */
#include "pager-private.h"

/* Pins the extent, unless that takes more than one step. */
static gboolean
try_pin (FmExtent *extent, FmPinFlags flags, gboolean *ret_first_read)
{
  guint32 before = atomic_load_explicit (&extent->word, memory_order_relaxed);
  guint32 after;

  fm_point ();
  do {
    FmState state = FM_WORD_STATE (before);

    if (state != FM_RESIDENT && state != FM_WRITING)
      return FALSE;
    after = before + 1;
    if ((flags & FM_PIN_WRITE) != 0)
      after &= ~FM_CLEAN;
    if ((flags & FM_PIN_WRITE) != 0 && state == FM_WRITING)
      after |= FM_TOUCHED;
    if ((flags & FM_PIN_READ) != 0)
      after &= ~FM_UNREAD;
  } while (!atomic_compare_exchange_weak_explicit (&extent->word, &before,
      after, memory_order_acq_rel, memory_order_relaxed));
  *ret_first_read = ((before & ~after) & FM_UNREAD) != 0;
  return TRUE;
}

static void
note_unmapped (FmPager *pager, FmExtent *extent)
{
  atomic_store_explicit (&extent->unmapped,
      atomic_load_explicit (&pager->written, memory_order_relaxed),
      memory_order_relaxed);
}

static void
stamp (FmPager *pager, FmExtent *extent, gsize bytes, guint stream)
{
  guint64 written = bytes
      + atomic_fetch_add_explicit (
          &pager->written, bytes, memory_order_relaxed);
  guint64 position = bytes
      + atomic_fetch_add_explicit (
          &pager->stream[stream].position, bytes, memory_order_relaxed);

  atomic_store_explicit (&extent->written, written, memory_order_relaxed);
  atomic_store_explicit (&extent->unmapped, written, memory_order_relaxed);
  atomic_store_explicit (&extent->position, position, memory_order_relaxed);
  atomic_store_explicit (&extent->stream, stream, memory_order_relaxed);
}

/* Tells one block from the others; never 0. */
static guint64
key_of (FmPager *pager, const FmBlock *block)
{
  return ((guint64) (fm_extent_granule (pager->table, block->extent) + 1) << 32)
      + block->start;
}

/* Whether it is still a frame that already has its place in the order: one that
 * is mapped once for each plane, or that its writer, or an element in the
 * writer's thread, maps again. */
static gboolean
is_written_on (
    FmPager *pager, const FmBlock *block, FmPinFlags flags, guint stream)
{
  const FmExtent *extent = block->extent;

  if (atomic_load_explicit (&extent->position, memory_order_relaxed) == 0)
    return FALSE;
  return (flags & FM_PIN_PART) != 0
      || (atomic_load_explicit (&extent->stream, memory_order_relaxed) == stream
          && atomic_load_explicit (
                 &pager->stream[stream].last, memory_order_relaxed)
              == key_of (pager, block));
}

void
fm_pager_close (FmPager *pager, FmExtent *extent, guint stream)
{
  /* It may have been spilled while it was hardly used. */
  stamp (pager, extent, MAX (fm_extent_bytes_there (extent), FM_PAGE), stream);
  atomic_fetch_or_explicit (&extent->word, FM_UNREAD, memory_order_relaxed);
  atomic_store_explicit (&extent->full, TRUE, memory_order_relaxed);
}

/* Fills the extent for a map. TRUE if it is pinned now, FALSE on failure; the
 * lock is held. */
static gboolean
fill_for_pin (
    FmPager *pager, FmExtent *extent, FmExtent *donor, FmPinFlags flags)
{
  if ((flags & FM_PIN_READ) == 0)
    fm_stats_add (pager->stats, FM_STAT_FILLS_TO_WRITE, 1);
  switch (fm_pager_fill (pager, extent, donor)) {
    case FM_FILL_DONE:
      break;
    case FM_FILL_NO_MEMORY:
      /* In the child of a fork, what is the parent's is read-only. */
      if (!fm_pager_is_in_place (pager, extent)
          || (pager->arena->read_only && (flags & FM_PIN_WRITE) != 0))
        return FALSE;
      /* The file itself is at the address: slower, and outside the budget, but
       * correct. */
      extent->is_lent = FALSE;
      fm_stats_add (pager->stats, FM_STAT_MAPS_IN_PLACE, 1);
      break;
    case FM_FILL_IO_ERROR:
    case FM_FILL_GONE:
      return FALSE;
  }
  atomic_fetch_and (&extent->word,
      ~((flags & FM_PIN_READ) != 0 ? FM_UNREAD : 0)
          & ~((flags & FM_PIN_WRITE) != 0 ? FM_CLEAN : 0));
  atomic_fetch_add (&extent->word, 1);
  return TRUE;
}

/* Where a map whose extent was not resident, according to @word, finds its
 * block. */
static FmMapPlace
place_of (guint32 word)
{
  switch (FM_WORD_STATE (word)) {
    case FM_FILLING:
      return FM_MAP_PREFETCHING;
    case FM_SWAPPING:
    case FM_SPILLED:
      return FM_MAP_SPILLED;
    case FM_FREE:
    case FM_RESIDENT:
    case FM_WRITING:
    case FM_RETIRED:
      break;
  }
  return FM_MAP_RESIDENT;
}

/* Waits until the state of some extent changes. */
static void
wait_for_change (FmPager *pager, FmPatience *patience)
{
  fm_pager_end_waiting (pager, patience);
  fm_cond_wait (&pager->changed, &pager->lock);
}

/* Pins an extent that other threads have mapped where it is in the file. FALSE
 * if that is no use: what is @lost can't be brought in, and a child does not
 * write to its parent's file. */
static gboolean
pin_beside (FmPager *pager, FmExtent *extent, FmPinFlags flags, gboolean lost)
{
  if ((extent->is_lent && lost)
      || (pager->arena->read_only && (flags & FM_PIN_WRITE) != 0))
    return FALSE;
  atomic_fetch_add (&extent->word, 1);
  if (!extent->is_lent)
    fm_stats_add (pager->stats, FM_STAT_MAPS_IN_PLACE, 1);
  return TRUE;
}

static gboolean
pin_slowly (FmPager *pager, const FmBlock *block, FmPinFlags flags)
{
  FmExtent *extent = block->extent;
  gint64 start = fm_now ();
  FmPatience patience = {0};
  gboolean pinned = FALSE, failed = FALSE, first_read;
  gboolean may_lend = TRUE, lent = FALSE, lost = FALSE;
  gboolean was_unread = FALSE;
  FmExtent *donor = NULL;

  fm_pager_lock (pager);
  /* At once: until then this map counts as one of a resident block. */
  fm_stats_map_missed (pager->stats, place_of (atomic_load (&extent->word)),
      (flags & FM_PIN_WRITE) != 0);
  while (!pinned && !failed) {
    guint32 word = atomic_load (&extent->word);
    gsize missing;

    was_unread = (word & FM_UNREAD) != 0;

    switch (FM_WORD_STATE (word)) {
      case FM_RESIDENT:
      case FM_WRITING:
        pinned = try_pin (extent, flags, &first_read);
        break;
      case FM_SWAPPING:
      case FM_FILLING:
        wait_for_change (pager, &patience);
        break;
      case FM_SPILLED:
        /* A fork waits until nothing is in flight. */
        if (pager->frozen) {
          wait_for_change (pager, &patience);
          break;
        }
        if (donor == NULL && may_lend
            && fm_pager_may_lend (pager, block, flags)) {
          pinned = lent = may_lend = fm_pager_lend (pager, block, flags, &lost);
          break;
        }
        if (FM_WORD_PINS (word) > 0) {
          pinned = pin_beside (pager, extent, flags, lost);
          failed = !pinned;
          break;
        }
        if (fm_pager_is_my_turn (pager, FM_ROOM_FOR_FILL, &patience))
          donor = fm_pager_take_donor (pager, extent);
        missing = extent->length - MIN (extent->length, extent->resident_bytes);
        if (missing > 0
            && !fm_pager_step_towards_room (
                pager, missing, FM_ROOM_FOR_FILL, &patience))
          break;
        fm_pager_count_resident (pager, (gssize) missing);
        extent->resident_bytes += missing;
        /* Lets the next in line go now, not only after the disk. */
        fm_pager_end_waiting (pager, &patience);
        pinned = fill_for_pin (pager, extent, donor, flags);
        failed = !pinned;
        break;
      case FM_FREE:
      case FM_RETIRED:
        failed = TRUE;
        break;
    }
  }
  fm_pager_end_waiting (pager, &patience);
  if (pinned && !lent && (flags & FM_PIN_READ) != 0
      && (was_unread || (flags & FM_PIN_WRITE) == 0))
    fm_pager_note_read (pager, extent);
  if (donor != NULL)
    fm_pager_vacate (pager, donor);
  fm_pager_unlock (pager);

  fm_stats_waited (
      pager->stats, FM_WAIT_MAP, (guint64) (fm_now () - start) * 1000);
  if (failed)
    fm_stats_add (pager->stats, FM_STAT_MAPS_FAILED, 1);
  return pinned;
}

gboolean
fm_pager_pin (FmPager *pager, const FmBlock *block, FmPinFlags flags)
{
  FmExtent *extent = block->extent;
  gboolean first_read;

  if (G_UNLIKELY (!try_pin (extent, flags, &first_read)))
    return pin_slowly (pager, block, flags);
  if (first_read
      && atomic_load_explicit (&pager->n_spilled, memory_order_relaxed) > 0) {
    fm_pager_lock (pager);
    fm_pager_note_read (pager, extent);
    fm_pager_unlock (pager);
  }
  return TRUE;
}

gboolean
fm_pager_reopen (FmPager *pager, FmExtent *extent, gboolean may_fill)
{
  const FmBlock all = {extent, 0, 0};
  gboolean first_read;

  /* For writing, so that a spill that has begun is given up. */
  if (may_fill ? !fm_pager_pin (pager, &all, FM_PIN_WRITE)
               : !try_pin (extent, FM_PIN_WRITE, &first_read))
    return FALSE;
  /* Blocks are not cut where the file itself is mapped. */
  if (FM_WORD_STATE (atomic_load (&extent->word)) == FM_SPILLED) {
    fm_pager_unpin (pager, &all, FM_PIN_READ, 0, 0);
    return FALSE;
  }
  /* It is as good as fresh: it has not been left open yet. */
  atomic_store_explicit (&extent->written,
      atomic_load_explicit (&pager->written, memory_order_relaxed),
      memory_order_relaxed);
  atomic_store (&extent->full, FALSE);
  fm_pager_unpin (pager, &all, FM_PIN_WRITE, 0, 0);
  return TRUE;
}

void
fm_pager_unpin (FmPager *pager, const FmBlock *block, FmPinFlags flags,
    gsize bytes, guint stream)
{
  FmExtent *extent = block->extent;
  guint32 word;

  /* While blocks are still being cut from an extent it is not a candidate: it
   * gets its stamp when it is closed. */
  if (atomic_load_explicit (&extent->full, memory_order_relaxed)) {
    if (block->length > 0)
      fm_pager_note_used (block);
    if ((flags & FM_PIN_WRITE) == 0 || bytes == 0
        || is_written_on (pager, block, flags, stream)) {
      note_unmapped (pager, extent);
    } else {
      stamp (pager, extent, bytes, stream);
      atomic_store_explicit (&pager->stream[stream].last, key_of (pager, block),
          memory_order_relaxed);
    }
    if ((flags & FM_PIN_WRITE) != 0)
      atomic_fetch_or_explicit (&extent->word, FM_UNREAD, memory_order_relaxed);
  }

  fm_point ();
  word = atomic_load_explicit (&extent->word, memory_order_relaxed);
  do {
    /* The subclass lets no surplus unmap through; if any other caller makes
     * that mistake, it must not damage the state. */
    if (G_UNLIKELY (FM_WORD_PINS (word) == 0))
      return;
  } while (!atomic_compare_exchange_weak_explicit (&extent->word, &word,
      word - 1, memory_order_seq_cst, memory_order_relaxed));
  if (FM_WORD_PINS (word) == 1 && atomic_load (&pager->over_budget)) {
    fm_pager_lock (pager);
    fm_cond_signal (&pager->to_write);
    fm_pager_unlock (pager);
  }
}
