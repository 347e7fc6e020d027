/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-space.c: extents not in use, and the space that they and others give
 * back.
 *
 * A released extent that is resident is cached memory, to be handed out again,
 * last in first out, with no system call. One without memory that still has
 * disk space is retained: that space is used again before new space. What has
 * been unused for a while, or is in the way, is given back: memory to the
 * kernel, disk space by punching holes. In spilled extents some of whose blocks
 * are gone, the free chunks are punched as well.
 */
#include "pager-private.h"

#include <errno.h>

/* A shorter run is not worth a call. */
#define BYTES_WORTH_PUNCHING ((gsize) 64 << 10)

/* An extent of which less than this share has become free is not worth a
 * look. */
#define SHARE_WORTH_A_LOOK 8

/* ---- cached extents ---- */

void
fm_cache_init (FmCache *cache)
{
  cache->by_length = g_hash_table_new (NULL, NULL);
  cache->n = 0;
}

void
fm_cache_clear (FmCache *cache)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, cache->by_length);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    /* The links are embedded in the extents. */
    g_queue_init (value);
    g_queue_free (value);
  }
  g_hash_table_unref (cache->by_length);
}

static void
cache_put (FmCache *cache, FmExtent *extent)
{
  gpointer key = GUINT_TO_POINTER (extent->n_granules);
  GQueue *queue = g_hash_table_lookup (cache->by_length, key);

  if (queue == NULL) {
    queue = g_queue_new ();
    g_hash_table_insert (cache->by_length, key, queue);
  }
  extent->unused_since = fm_now ();
  g_queue_push_tail_link (queue, &extent->link);
  cache->n++;
}

FmExtent *
fm_cache_take (FmCache *cache, guint n_granules)
{
  GQueue *queue =
      g_hash_table_lookup (cache->by_length, GUINT_TO_POINTER (n_granules));
  GList *link = queue != NULL ? g_queue_pop_tail_link (queue) : NULL;

  if (link == NULL)
    return NULL;
  cache->n--;
  return link->data;
}

/* The extent that has been unused longest, of any size, if that was before
 * @before. */
static FmExtent *
cache_take_oldest (FmCache *cache, gint64 before)
{
  GHashTableIter iter;
  gpointer value;
  GQueue *best = NULL;
  FmExtent *oldest = NULL;

  g_hash_table_iter_init (&iter, cache->by_length);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    GQueue *queue = value;
    FmExtent *extent = queue->head != NULL ? queue->head->data : NULL;

    if (extent != NULL && extent->unused_since <= before
        && (oldest == NULL || extent->unused_since < oldest->unused_since)) {
      oldest = extent;
      best = queue;
    }
  }
  if (oldest != NULL) {
    g_queue_unlink (best, &oldest->link);
    cache->n--;
  }
  return oldest;
}

static void
keep_memory (FmPager *pager, FmExtent *extent)
{
  fm_extent_set_state (extent, FM_FREE, ~0u);
  extent->dead = FALSE;
  pager->cached_bytes += extent->resident_bytes;
  cache_put (&pager->cached, extent);
  fm_stats_set (pager->stats, FM_STAT_EXTENTS_CACHED, pager->cached.n);
  /* This is as good as room. */
  fm_pager_wake_waiting (pager);
  fm_pager_wake_readers (pager);
  fm_pager_wake_keeper (pager);
}

FmExtent *
fm_pager_take_memory (FmPager *pager, guint n_granules)
{
  FmExtent *extent = fm_cache_take (&pager->cached, n_granules);

  if (extent != NULL) {
    pager->cached_bytes -= extent->resident_bytes;
    fm_stats_set (pager->stats, FM_STAT_EXTENTS_CACHED, pager->cached.n);
  }
  return extent;
}

FmExtent *
fm_pager_take_donor (FmPager *pager, FmExtent *extent)
{
  GQueue *queue = g_hash_table_lookup (
      pager->cached.by_length, GUINT_TO_POINTER (extent->n_granules));
  FmExtent *donor =
      queue != NULL && queue->tail != NULL ? queue->tail->data : NULL;

  /* With another length, its pages would not be where they are wanted. */
  if (donor == NULL || donor->resident_bytes != extent->length
      || extent->resident_bytes > 0
      || !atomic_load (&pager->arena->dontunmap_works))
    return NULL;
  (void) fm_pager_take_memory (pager, extent->n_granules);
  extent->resident_bytes = donor->resident_bytes;
  donor->resident_bytes = 0;
  return donor;
}

void
fm_pager_keep_disk (FmPager *pager, FmExtent *extent)
{
  fm_extent_set_state (extent, FM_FREE, ~0u);
  extent->dead = FALSE;
  fm_pager_wake_waiting (pager);
  if (extent->disk_bytes > 0) {
    cache_put (&pager->retained, extent);
    fm_pager_wake_keeper (pager);
  } else {
    fm_runs_give (pager->runs, fm_extent_granule (pager->table, extent),
        extent->n_granules);
  }
}

/* ---- memory ---- */

void
fm_pager_retire (FmPager *pager, FmExtent *extent)
{
  fm_extent_set_state (extent, FM_RETIRED, 0);
  fm_pager_count_resident (pager, -(gssize) extent->resident_bytes);
  extent->resident_bytes = 0;
  fm_stats_add (pager->stats, FM_STAT_EXTENTS_RETIRED, 1);
  fm_cond_broadcast (&pager->changed);
  if (fm_first_time (&pager->warned_lost)) {
    fm_pager_leave (pager);
    fm_warning ("the kernel refused to map memory and lost what was there; "
                "buffers in it can't be mapped any more. Raise the limit on "
                "address space, data or mappings (ulimit -v, -d, "
                "vm.max_map_count)");
    fm_pager_return (pager);
  }
}

void
fm_pager_vacate (FmPager *pager, FmExtent *extent)
{
  gsize offset = fm_extent_offset (pager->table, extent);
  gsize length = fm_extent_run_length (pager->table, extent);
  FmArenaResult result;

  fm_pager_leave (pager);
  result = fm_arena_vacate (pager->arena, offset, length);
  if (result == FM_ARENA_DONE && extent->disk_bytes > 0)
    fm_backing_file_drop_cache (pager->file, offset, extent->disk_bytes);
  /* Space with holes can't be reused as it is. The space of an inherited extent
   * is the parent's. */
  if (extent->holes > 0 && !atomic_load (&pager->inherited)
      && fm_backing_file_punch (pager->file, offset, length, extent->disk_bytes)
          == 0) {
    extent->disk_bytes = 0;
    extent->holes = 0;
  }
  fm_pager_return (pager);

  if (result == FM_ARENA_LOST) {
    fm_pager_retire (pager, extent);
    return;
  }
  /* What could not be unmapped stays where it is, to be mapped over. */
  fm_pager_count_resident (pager, -(gssize) extent->resident_bytes);
  extent->resident_bytes = 0;
  fm_pager_keep_disk (pager, extent);
}

gboolean
fm_pager_reclaim_memory (FmPager *pager, gint64 before)
{
  FmExtent *extent = cache_take_oldest (&pager->cached, before);

  if (extent == NULL)
    return FALSE;
  pager->cached_bytes -= extent->resident_bytes;
  fm_stats_set (pager->stats, FM_STAT_EXTENTS_CACHED, pager->cached.n);
  fm_pager_vacate (pager, extent);
  return TRUE;
}

/* ---- when a transfer ends ---- */

void
fm_pager_put_away (FmPager *pager, FmExtent *extent)
{
  /* A child of a fork no longer hands these out. */
  if (atomic_load (&pager->inherited) || extent->holes > 0
      || pager->resident_bytes > fm_pager_budget (pager))
    fm_pager_vacate (pager, extent);
  else
    keep_memory (pager, extent);
}

gboolean
fm_pager_settle (FmPager *pager, FmExtent *extent, FmState state)
{
  gboolean dead = extent->dead;

  if (state == FM_RESIDENT && dead) {
    fm_pager_put_away (pager, extent);
  } else if (dead) {
    fm_pager_vacate (pager, extent);
  } else {
    fm_extent_set_state (extent, state, FM_TOUCHED);
    if (state == FM_RESIDENT)
      fm_pager_add_resident (pager, extent);
    else
      fm_pager_add_spilled (pager, extent);
  }
  fm_cond_broadcast (&pager->changed);
  return !dead;
}

/* ---- disk space ---- */

/* Space was given back: what failed for lack of it may be tried again. */
static void
note_punched (FmPager *pager, gsize bytes)
{
  fm_stats_add (pager->stats, FM_STAT_PUNCHED_BYTES, bytes);
  pager->failures = 0;
  pager->no_spill_before = 0;
}

gboolean
fm_pager_reclaim_disk (FmPager *pager, gint64 before)
{
  FmExtent *extent =
      pager->no_holes ? NULL : cache_take_oldest (&pager->retained, before);
  int error;

  if (extent == NULL)
    return FALSE;
  fm_pager_leave (pager);
  error = fm_backing_file_punch (pager->file,
      fm_extent_offset (pager->table, extent),
      fm_extent_run_length (pager->table, extent), extent->disk_bytes);
  if (error != 0)
    fm_info ("this file system takes no space back before the program ends: "
             "%s",
        g_strerror (error));
  fm_pager_return (pager);
  if (error == 0) {
    note_punched (pager, extent->disk_bytes);
    extent->disk_bytes = 0;
    extent->holes = 0;
  } else {
    /* The space stays ours, to be used again. */
    pager->no_holes = TRUE;
  }
  fm_pager_keep_disk (pager, extent);
  return error == 0;
}

static guint
free_chunks (FmExtent *extent)
{
  return (guint) __builtin_popcountll (atomic_load (&extent->free_chunks));
}

/* Punches the runs of free chunks, without the lock; returns how many
 * chunks. */
static guint
punch_runs (FmPager *pager, FmExtent *extent)
{
  gsize offset = fm_extent_offset (pager->table, extent);
  gsize chunk = extent->length / FM_CHUNKS;
  guint64 bits = atomic_load (&extent->free_chunks);
  guint start, end, punched = 0;

  for (start = 0; start < FM_CHUNKS; start = end + 1) {
    for (end = start; end < FM_CHUNKS && (bits >> end & 1) != 0;)
      end++;
    if ((end - start) * chunk >= BYTES_WORTH_PUNCHING
        && fm_backing_file_punch (
               pager->file, offset + start * chunk, (end - start) * chunk, 0)
            == 0)
      punched += end - start;
  }
  return punched;
}

/* Punches the free chunks of a spilled extent some of whose blocks are gone.
 * The extent is SWAPPING meanwhile, so no thread fills it; a block that is
 * nevertheless cut from a free chunk has no contents yet. */
static void
punch_free_chunks (FmPager *pager, FmExtent *extent)
{
  guint punched;

  fm_pager_remove_spilled (pager, extent);
  fm_extent_set_state (extent, FM_SWAPPING, 0);
  extent->holes_looked_for = free_chunks (extent);
  fm_pager_leave (pager);
  punched = punch_runs (pager, extent);
  fm_pager_return (pager);

  /* This includes what was punched before. */
  if (punched > extent->holes) {
    gsize chunk = extent->length / FM_CHUNKS;
    gsize freed = MIN ((punched - extent->holes) * chunk, extent->disk_bytes);

    extent->holes = punched;
    extent->disk_bytes -= freed;
    fm_backing_file_uncount (pager->file, freed);
    note_punched (pager, freed);
  }
  fm_pager_settle (pager, extent, FM_SPILLED);
}

static gboolean
is_worth_punching (gpointer key, gpointer value, gpointer ret_extent)
{
  FmExtent *extent = value;

  if (!extent->shared || FM_WORD_PINS (atomic_load (&extent->word)) > 0
      || free_chunks (extent)
          < extent->holes_looked_for + FM_CHUNKS / SHARE_WORTH_A_LOOK)
    return FALSE;
  *(FmExtent **) ret_extent = extent;
  return TRUE;
}

gboolean
fm_pager_reclaim_holes (FmPager *pager)
{
  FmExtent *extent = NULL;

  if (!pager->no_holes)
    g_tree_foreach (pager->spilled, is_worth_punching, &extent);
  if (extent == NULL)
    return FALSE;
  punch_free_chunks (pager, extent);
  return TRUE;
}

/* A filled extent has disk space that it will need only when it is spilled
 * again. It is WRITING meanwhile: any thread may pin it. */
static gboolean
reclaim_resident (FmPager *pager)
{
  FmExtent *extent = NULL;
  GList *link;
  int error;

  for (link = pager->resident.head; link != NULL && extent == NULL;
       link = link->next) {
    FmExtent *candidate = link->data;

    /* In this order: while an extent is WRITING, another writer owns its
     * figure. */
    if (FM_WORD_STATE (atomic_load (&candidate->word)) == FM_RESIDENT
        && candidate->disk_bytes > 0)
      extent = candidate;
  }
  if (extent == NULL || pager->no_holes)
    return FALSE;

  fm_extent_set_state (extent, FM_WRITING, 0);
  fm_pager_leave (pager);
  error = fm_backing_file_punch (pager->file,
      fm_extent_offset (pager->table, extent),
      fm_extent_run_length (pager->table, extent), extent->disk_bytes);
  fm_pager_return (pager);
  if (error == 0) {
    note_punched (pager, extent->disk_bytes);
    extent->disk_bytes = 0;
    extent->holes = 0;
  }
  atomic_fetch_and (&extent->word, ~FM_CLEAN);
  fm_pager_remove_resident (pager, extent);
  fm_pager_settle (pager, extent, FM_RESIDENT);
  return error == 0;
}

int
fm_pager_allocate_space (FmPager *pager, FmExtent *extent)
{
  gsize missing = extent->length - MIN (extent->length, extent->disk_bytes);
  gsize offset = fm_extent_offset (pager->table, extent);
  gboolean found;
  int error;

  if (missing == 0 && extent->holes == 0)
    return 0;
  for (;;) {
    error =
        fm_backing_file_allocate (pager->file, offset, extent->length, missing);
    if (error != ENOBUFS && error != ENOSPC && error != EDQUOT)
      break;
    fm_pager_lock (pager);
    found = fm_pager_reclaim_disk (pager, G_MAXINT64)
        || fm_pager_reclaim_holes (pager)
        || fm_pager_reclaim_memory (pager, G_MAXINT64)
        || reclaim_resident (pager);
    fm_pager_unlock (pager);
    if (!found)
      break;
  }
  if (error == 0) {
    extent->disk_bytes += missing;
    extent->holes = 0;
    extent->holes_looked_for = 0;
    fm_stats_raise (
        pager->stats, FM_STAT_DISK_PEAK, fm_backing_file_bytes (pager->file));
  }
  return error;
}
