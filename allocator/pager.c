/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager.c: extents handed out and taken back.
 *
 * See pager.h for the interface, extent.h for the states, pager-private.h for
 * the lock.
 */
#include "pager-private.h"

/* A stream has one extent open, reads another, and has more on their way: an
 * extent takes one such part of the stream's share of the budget. */
#define EXTENTS_OF_A_STREAM 16

/* That share is averaged over about this many of its extents. As measured it is
 * always a little less than that of N equal streams, or of one that is alone
 * but for its encoder's few bytes; ABOUT makes up for that. */
#define SHARE_OVER 8
#define ABOUT 0.0625

/* ---- handing out and taking back ---- */

/* Aligned to huge pages only if it contains whole ones. */
static guint
alignment_of (FmPager *pager, guint n_granules)
{
  gsize huge = FM_HUGE_PAGE / pager->table->granule;

  return pager->arena->huge_pages && n_granules >= huge ? (guint) huge : 1;
}

static gboolean
take_run (FmPager *pager, guint n_granules, guint *ret_first)
{
  if (!fm_runs_take (
          pager->runs, n_granules, alignment_of (pager, n_granules), ret_first))
    return FALSE;
  if (fm_extent_table_make_usable (pager->table, *ret_first + n_granules))
    return TRUE;
  fm_runs_give (pager->runs, *ret_first, n_granules);
  return FALSE;
}

/* The extent for a free run, preferably one with disk space; NULL if there is
 * none. Releases the lock only when it has to give space back to find one. */
static FmExtent *
take_retained (FmPager *pager, guint n_granules)
{
  for (;;) {
    FmExtent *extent = fm_cache_take (&pager->retained, n_granules);
    guint first;

    if (extent != NULL)
      return extent;
    if (take_run (pager, n_granules, &first)) {
      extent = fm_extent_at (pager->table, first);
      extent->link.data = extent;
      extent->n_granules = n_granules;
      extent->disk_bytes = 0;
      extent->resident_bytes = 0;
      extent->holes = 0;
      return extent;
    }
    if (!fm_pager_reclaim_disk (pager, G_MAXINT64)
        && !fm_pager_reclaim_memory (pager, G_MAXINT64))
      return NULL;
  }
}

/* Makes a retained extent resident; its room is counted already. */
static FmAcquireResult
make_resident (FmPager *pager, FmExtent *extent, gsize length)
{
  gsize offset = fm_extent_offset (pager->table, extent);
  FmArenaResult result;

  fm_pager_leave (pager);
  result = fm_arena_make_anonymous (pager->arena, offset,
      fm_extent_run_length (pager->table, extent), length);
  fm_pager_return (pager);

  if (result == FM_ARENA_DONE) {
    extent->resident_bytes = length;
    return FM_ACQUIRED;
  }
  fm_pager_count_resident (pager, -(gssize) length);
  if (result == FM_ARENA_UNCHANGED)
    fm_pager_keep_disk (pager, extent);
  else
    fm_pager_retire (pager, extent);
  return FM_ACQUIRE_NO_MEMORY;
}

static void
count_largest (FmPager *pager, gsize length)
{
  if (length > pager->largest) {
    pager->largest = length;
    pager->n_largest = 0;
  }
  pager->n_largest += length == pager->largest ? 1 : 0;
}

static void
find_largest (FmPager *pager)
{
  GList *link;

  pager->largest = 0;
  for (link = pager->by_age.head; link != NULL; link = link->next)
    if (!((const FmExtent *) link->data)->shared)
      count_largest (pager, ((const FmExtent *) link->data)->length);
}

static void
hand_out (FmPager *pager, FmExtent *extent, gsize length, gboolean shared)
{
  guint64 written =
      atomic_load_explicit (&pager->written, memory_order_relaxed);

  extent->shared = shared;
  extent->chunk_bits =
      shared ? g_bit_storage ((gulong) (length / FM_CHUNKS)) - 1 : 0;
  extent->length = length;
  extent->has_hash = FALSE;
  if (!shared)
    count_largest (pager, length);
  pager->handed_out += length;
  extent->dead = FALSE;
  extent->prefetched = FALSE;
  extent->holes_looked_for = 0;
  extent->not_file = 0;
  extent->no_spill_before = 0;
  extent->is_lent = FALSE;
  fm_pager_forget_use (extent);
  atomic_store_explicit (&extent->full, !shared, memory_order_relaxed);
  atomic_store_explicit (&extent->written, written, memory_order_relaxed);
  atomic_store_explicit (&extent->unmapped, written, memory_order_relaxed);
  atomic_store_explicit (&extent->position, 0, memory_order_relaxed);
  atomic_store_explicit (&extent->stream, 0, memory_order_relaxed);
  atomic_store (&extent->word, FM_WORD (FM_RESIDENT));
  extent->handed_out = fm_now ();
  extent->age_link.data = extent;
  g_queue_push_tail_link (&pager->by_age, &extent->age_link);
  fm_pager_add_resident (pager, extent);
  fm_stats_raise (pager->stats, FM_STAT_USED_PEAK,
      pager->resident_bytes - pager->cached_bytes + pager->spilled_bytes);
}

FmAcquireResult
fm_pager_acquire (
    FmPager *pager, gsize length, gboolean shared, FmExtent **ret_extent)
{
  guint n_granules =
      (guint) ((length + pager->table->granule - 1) / pager->table->granule);
  FmAcquireResult result = FM_ACQUIRED;
  FmPatience patience = {0};
  FmExtent *extent = NULL;
  gint64 since;

  if (atomic_load (&pager->inherited))
    return FM_ACQUIRE_INHERITED;
  if (n_granules > pager->table->n_granules)
    return FM_ACQUIRE_NO_ADDRESSES;

  if (atomic_load_explicit (&pager->look_due, memory_order_relaxed))
    fm_pager_look (pager);
  fm_pager_lock (pager);
  for (;;) {
    if (fm_pager_is_my_turn (pager, FM_ROOM_FOR_ALLOC, &patience))
      extent = fm_pager_take_memory (pager, n_granules);
    if (extent != NULL) {
      if (length > extent->resident_bytes) {
        fm_pager_count_resident (
            pager, (gssize) (length - extent->resident_bytes));
        extent->resident_bytes = length;
      }
      break;
    }
    if (!fm_pager_step_towards_room (
            pager, length, FM_ROOM_FOR_ALLOC, &patience))
      continue;
    fm_pager_count_resident (pager, (gssize) length);
    extent = take_retained (pager, n_granules);
    if (extent == NULL) {
      fm_pager_count_resident (pager, -(gssize) length);
      result = FM_ACQUIRE_NO_ADDRESSES;
    } else {
      result = make_resident (pager, extent, length);
    }
    break;
  }

  since = patience.since;
  fm_pager_end_waiting (pager, &patience);
  if (result == FM_ACQUIRED) {
    hand_out (pager, extent, length, shared);
    *ret_extent = extent;
    if (pager->threads_state == FM_THREADS_NONE && fm_pager_is_pressed (pager))
      fm_pager_start_threads (pager);
  }
  fm_pager_start_keeper (pager);
  fm_pager_unlock (pager);

  if (since != 0) {
    guint64 ns = (guint64) (fm_now () - since) * 1000;

    fm_stats_waited (pager->stats, FM_WAIT_ALLOC, ns);
  }
  return result;
}

gsize
fm_pager_extent_size (FmPager *pager, guint number, gsize used, gsize least)
{
  FmStream *stream = &pager->stream[number];
  gsize size = pager->config.extent_least;
  gdouble share;

  fm_pager_lock (pager);
  if (stream->extent_size > 0) {
    /* If only a little is left over, it counts as full. */
    if (stream->alone > 0)
      used = stream->alone;
    else if (used >= stream->extent_size / 2)
      used = stream->extent_size;
    stream->own += (gdouble) used - stream->own / SHARE_OVER;
    stream->all += (gdouble) (pager->handed_out - stream->handed_out)
        - stream->all / SHARE_OVER;
    share = stream->own / MAX (MAX (stream->all, stream->own), 1);
    /* By one step at a time: many streams that begin at once all seem to be
     * alone. */
    while (size < MIN (2 * stream->extent_size, pager->extent_size)
        && (gdouble) (2 * size) <= (gdouble) fm_pager_budget (pager) * share
                * (1 + ABOUT) / EXTENTS_OF_A_STREAM)
      size *= 2;
  }
  while (size < least)
    size *= 2;
  stream->extent_size = size;
  stream->handed_out = pager->handed_out;
  stream->alone = 0;
  fm_pager_unlock (pager);
  return size;
}

void
fm_pager_note_alone (FmPager *pager, guint number, gsize bytes)
{
  fm_pager_lock (pager);
  pager->stream[number].alone += bytes;
  fm_pager_unlock (pager);
}

void
fm_pager_release (FmPager *pager, FmExtent *extent)
{
  fm_pager_lock (pager);
  g_queue_unlink (&pager->by_age, &extent->age_link);
  if (!extent->shared && extent->length == pager->largest
      && --pager->n_largest == 0)
    find_largest (pager);
  fm_pager_note_unused (pager, extent);
  fm_pager_end_loans (pager, extent);
  fm_pager_end_use (pager, extent);
  switch (FM_WORD_STATE (atomic_load (&extent->word))) {
    case FM_RESIDENT:
      fm_pager_remove_resident (pager, extent);
      fm_pager_put_away (pager, extent);
      break;
    case FM_WRITING:
    case FM_SWAPPING:
    case FM_FILLING:
      /* The thread that works on it finishes, and puts it where it belongs. */
      extent->dead = TRUE;
      break;
    case FM_SPILLED:
      fm_pager_remove_spilled (pager, extent);
      fm_pager_vacate (pager, extent);
      break;
    case FM_FREE:
    case FM_RETIRED:
      break;
  }
  fm_pager_start_keeper (pager);
  fm_pager_unlock (pager);
}

/* ---- the pager itself ---- */

void
fm_pager_update_stats (FmPager *pager)
{
  const GList *oldest;
  guint n_usable;
  gint64 since;

  fm_pager_lock (pager);
  n_usable = pager->table->n_usable;
  oldest = pager->by_age.head;
  since = oldest != NULL ? ((const FmExtent *) oldest->data)->handed_out : 0;
  fm_stats_set (pager->stats, FM_STAT_OLDEST_NS,
      oldest != NULL ? (guint64) (fm_now () - since) * 1000 : 0);
  fm_stats_set (pager->stats, FM_STAT_EXTENTS_RETAINED, pager->retained.n);
  fm_stats_raise (pager->stats, FM_STAT_STORED_BYTES,
      atomic_load_explicit (&pager->written, memory_order_relaxed));
  fm_pager_tell_pinned (pager);
  fm_pager_note_busy (pager);
  fm_pager_unlock (pager);
  fm_stats_set (pager->stats, FM_STAT_TABLES_BYTES,
      fm_extent_table_resident (pager->table, n_usable));
}

gboolean
fm_pager_is_inherited (FmPager *pager)
{
  return atomic_load (&pager->inherited);
}

FmPager *
fm_pager_new (const FmPagerConfig *config, FmExtentTable *table, FmArena *arena,
    FmBackingFile *file, FmStats *stats)
{
  FmRuns *runs = fm_runs_new (table->n_granules);
  FmPager *pager;

  if (runs == NULL)
    return NULL;

  pager = g_new0 (FmPager, 1);
  pager->config = *config;
  pager->table = table;
  pager->arena = arena;
  pager->file = file;
  pager->stats = stats;
  pager->runs = runs;
  fm_mutex_init (&pager->lock);
  fm_cond_init (&pager->changed);
  fm_cond_init (&pager->to_write);
  fm_cond_init (&pager->to_read);
  fm_cond_init (&pager->to_keep);
  g_queue_init (&pager->resident);
  g_queue_init (&pager->by_age);
  g_queue_init (&pager->loans);
  fm_cache_init (&pager->cached);
  fm_cache_init (&pager->retained);
  g_queue_init (&pager->line[FM_ROOM_FOR_ALLOC]);
  g_queue_init (&pager->line[FM_ROOM_FOR_FILL]);
  pager->spilled = g_tree_new_full (fm_pager_compare_spilled, NULL, NULL, NULL);
  pager->stream = g_new0 (FmStream, config->n_streams);
  pager->link.data = pager;
  atomic_store (&pager->ceiling, config->budget);
  fm_stats_set (stats, FM_STAT_RAM, config->budget);
  fm_pager_take_budget (pager, config->budget);
  fm_pager_fork_add (pager);
  return pager;
}

void
fm_pager_free (FmPager *pager)
{
  fm_pager_fork_remove (pager);
  fm_pager_stop_threads (pager);
  fm_cache_clear (&pager->cached);
  fm_cache_clear (&pager->retained);
  g_tree_unref (pager->spilled);
  fm_runs_free (pager->runs);
  g_free (pager->stream);
  fm_pager_free_loans (pager);
  fm_cond_clear (&pager->changed);
  fm_cond_clear (&pager->to_write);
  fm_cond_clear (&pager->to_read);
  fm_cond_clear (&pager->to_keep);
  fm_mutex_clear (&pager->lock);
  g_free (pager);
}
