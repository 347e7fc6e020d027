/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-io.c: spill and fill, space given back, and the threads that do it.
 *
 * Spill: the extent is WRITING while its bytes go to the file at its own
 * offset; whoever maps it meanwhile may do so at once. If nobody has it mapped
 * at the end, and nobody had it mapped for writing in between, it becomes
 * SWAPPING, the file is mapped over it, and it is SPILLED. A reader who looks
 * without a map sees the same bytes before and after.
 *
 * Fill: the bytes are read into staging, whose pages then take the place of the
 * file at the extent's address. Large extents move in pieces.
 *
 * Two writers and two readers start with the first need for a spill. The keeper
 * gives back what has been idle for a while, and sleeps without a timer when
 * nothing is.
 */
#include "pager-private.h"
#include "seam.h"

#include <errno.h>
#include <string.h>

/* After a spill that failed the next one is not tried at once, unless disk
 * space was given back. */
#define BACKOFF ((gint64) 1000000)

/* Holes smaller than this share of an extent are not worth a call. */
#define HOLE_SHARE 8

/* ---- space given back ---- */

/* The extent that has been idle longest, of any size, if since before
 * @before. It is taken from its queue. */
static FmExtent *
take_oldest_idle (GHashTable *idle, gint64 before)
{
  GHashTableIter iter;
  gpointer value;
  GQueue *best = NULL;
  FmExtent *oldest = NULL;

  g_hash_table_iter_init (&iter, idle);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    GQueue *queue = value;
    FmExtent *extent = queue->head != NULL ? queue->head->data : NULL;

    if (extent != NULL && extent->idle_since <= before
        && (oldest == NULL || extent->idle_since < oldest->idle_since)) {
      oldest = extent;
      best = queue;
    }
  }
  if (oldest != NULL)
    g_queue_unlink (best, &oldest->link);
  return oldest;
}

void
fm_pager_vacate (FmPager *pager, FmExtent *extent)
{
  FmArenaResult result;

  fm_pager_leave (pager);
  result =
      fm_arena_vacate (pager->arena, fm_extent_offset (pager->table, extent),
          fm_extent_run_length (pager->table, extent));
  if (result == FM_ARENA_DONE && extent->disk_bytes > 0)
    fm_backing_file_drop_cache (pager->file,
        fm_extent_offset (pager->table, extent), extent->disk_bytes);
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
  FmExtent *extent = take_oldest_idle (pager->idle_memory, before);

  if (extent == NULL)
    return FALSE;
  fm_stats_sub (pager->stats, FM_STAT_EXTENTS_IDLE, 1);
  fm_pager_vacate (pager, extent);
  return TRUE;
}

gboolean
fm_pager_reclaim_disk (FmPager *pager, gint64 before)
{
  FmExtent *extent = take_oldest_idle (pager->idle_disk, before);
  int error;

  if (extent == NULL)
    return FALSE;
  fm_pager_leave (pager);
  error = fm_backing_file_punch (pager->file,
      fm_extent_offset (pager->table, extent),
      fm_extent_run_length (pager->table, extent), extent->disk_bytes);
  fm_pager_return (pager);
  if (error == 0) {
    fm_stats_add (pager->stats, FM_STAT_PUNCHED_BYTES, extent->disk_bytes);
    extent->disk_bytes = 0;
  } else if (error != EINTR) {
    /* No holes on this file system: the space stays ours, to be used again. */
    fm_debug ("can't give disk space back: %s", g_strerror (error));
    fm_pager_keep_disk (pager, extent);
    return FALSE;
  }
  fm_pager_keep_disk (pager, extent);
  return TRUE;
}

/* Punches the free pages of a spilled extent whose blocks are partly gone. The
 * extent is SWAPPING meanwhile, so nobody fills or reuses it. */
static void
punch_free_pages (FmPager *pager, FmExtent *extent)
{
  gsize offset = fm_extent_offset (pager->table, extent);
  _Atomic guint16 *unused = pager->table->unused_in_page + offset / FM_PAGE;
  gsize n_pages = extent->length / FM_PAGE, start, end, punched = 0;
  guint free_pages = atomic_load (&extent->free_pages);

  fm_pager_remove_spilled (pager, extent);
  fm_extent_set_state (extent, FM_SWAPPING, 0);
  fm_pager_leave (pager);
  for (start = 0; start < n_pages; start = end + 1) {
    while (start < n_pages && atomic_load (&unused[start]) < FM_PAGE)
      start++;
    for (end = start; end < n_pages && atomic_load (&unused[end]) == FM_PAGE;)
      end++;
    if (end > start
        && fm_backing_file_punch (pager->file, offset + start * FM_PAGE,
               (end - start) * FM_PAGE, 0)
            == 0)
      punched += end - start;
  }
  fm_pager_return (pager);

  if (punched > extent->punched_pages) {
    gsize freed =
        MIN ((punched - extent->punched_pages) * FM_PAGE, extent->disk_bytes);

    fm_backing_file_uncount (pager->file, freed);
    extent->disk_bytes -= freed;
    fm_stats_add (pager->stats, FM_STAT_PUNCHED_BYTES, freed);
  }
  /* Also where a punch failed: not to be tried again and again. */
  extent->punched_pages = free_pages;
  if (extent->dead) {
    fm_pager_vacate (pager, extent);
    return;
  }
  fm_extent_set_state (extent, FM_SPILLED, 0);
  fm_pager_add_spilled (pager, extent);
  fm_cond_broadcast (&pager->changed);
}

static gboolean
find_holes (gpointer key, gpointer value, gpointer ret_extent)
{
  FmExtent *extent = value;
  guint free_pages = atomic_load (&extent->free_pages);

  if (!extent->shared || FM_WORD_PINS (atomic_load (&extent->word)) > 0
      || free_pages
          < extent->punched_pages + extent->length / FM_PAGE / HOLE_SHARE)
    return FALSE;
  *(FmExtent **) ret_extent = extent;
  return TRUE;
}

static gboolean
reclaim_holes (FmPager *pager)
{
  FmExtent *extent = NULL;

  g_tree_foreach (pager->spilled, find_holes, &extent);
  if (extent == NULL)
    return FALSE;
  punch_free_pages (pager, extent);
  return TRUE;
}

/* ---- staging ---- */

/* One range to read into, for @bytes of an extent: what it is and how much of
 * the extent moves with it. */
typedef struct
{
  gboolean huge;
  gsize read; /* bytes to read */
  gsize move; /* bytes of the extent's run to replace */
} Piece;

static gsize
staging_length (FmPager *pager, gboolean huge)
{
  return huge ? pager->config.extent_size : pager->table->grain;
}

static Piece
next_piece (FmPager *pager, gsize remaining)
{
  Piece piece;

  piece.huge = pager->arena->huge_pages && remaining >= FM_HUGE_PAGE;
  piece.read = MIN (remaining, staging_length (pager, piece.huge));
  if (piece.huge)
    piece.read &= ~(FM_HUGE_PAGE - 1);
  piece.move = piece.huge ? piece.read : pager->table->grain;
  return piece;
}

static void **
spare_staging (FmPager *pager, gboolean huge)
{
  return huge ? pager->staging_huge : pager->staging_plain;
}

static void *
take_staging (FmPager *pager, gboolean huge)
{
  void **spare = spare_staging (pager, huge), *staging = NULL;
  guint i;

  fm_pager_lock (pager);
  for (i = 0; i < FM_N_THREADS && staging == NULL; i++) {
    staging = spare[i];
    spare[i] = NULL;
  }
  fm_pager_unlock (pager);
  if (staging == NULL)
    staging =
        fm_arena_staging_new (pager->arena, staging_length (pager, huge), huge);
  return staging;
}

/* Keeps empty staging for the next one. */
static void
keep_staging (FmPager *pager, gboolean huge, void *staging)
{
  void **spare = spare_staging (pager, huge);
  guint i;

  if (staging == NULL)
    return;
  fm_pager_lock (pager);
  for (i = 0; i < FM_N_THREADS && staging != NULL; i++) {
    if (spare[i] == NULL) {
      spare[i] = staging;
      staging = NULL;
    }
  }
  fm_pager_unlock (pager);
  if (staging != NULL)
    fm_arena_staging_free (staging, staging_length (pager, huge));
}

/* ---- fill ---- */

static FmFillResult
fill_piece (FmPager *pager, gsize offset, const Piece *piece, int *ret_error)
{
  void *staging = take_staging (pager, piece->huge);
  FmArenaResult result;

  if (staging == NULL)
    return FM_FILL_NO_MEMORY;
  *ret_error = fm_backing_file_read (pager->file, offset, staging, piece->read);
  if (*ret_error != 0) {
    fm_arena_staging_free (staging, staging_length (pager, piece->huge));
    return *ret_error == ENOMEM ? FM_FILL_NO_MEMORY : FM_FILL_IO_ERROR;
  }
  result = fm_arena_replace (pager->arena, offset, &staging, piece->move);
  if (result != FM_ARENA_DONE) {
    fm_arena_staging_free (staging, staging_length (pager, piece->huge));
    return result == FM_ARENA_LOST ? FM_FILL_GONE : FM_FILL_NO_MEMORY;
  }
  keep_staging (pager, piece->huge, staging);
  return FM_FILL_DONE;
}

/* The system calls of a fill, without the lock. On failure what was filled
 * shows the file again where that is possible. */
static FmFillResult
fill_pieces (FmPager *pager, FmExtent *extent, int *ret_error)
{
  gsize start = fm_extent_offset (pager->table, extent), done = 0;
  FmFillResult result = FM_FILL_DONE;

  while (done < extent->length && result == FM_FILL_DONE) {
    const Piece piece = next_piece (pager, extent->length - done);

    result = fill_piece (pager, start + done, &piece, ret_error);
    if (result == FM_FILL_DONE)
      done += piece.move;
  }
  if (result != FM_FILL_DONE && result != FM_FILL_GONE && done > 0
      && fm_arena_show_file (pager->arena, start, done) == FM_ARENA_LOST)
    result = FM_FILL_GONE;
  return result;
}

FmFillResult
fm_pager_fill (FmPager *pager, FmExtent *extent)
{
  FmFillResult result;
  int error = 0;

  fm_pager_remove_spilled (pager, extent);
  fm_extent_set_state (extent, FM_FILLING, FM_TOUCHED);
  fm_pager_leave (pager);
  result = fill_pieces (pager, extent, &error);
  if (result == FM_FILL_IO_ERROR) {
    fm_stats_add (pager->stats, FM_STAT_IO_ERRORS, 1);
    if (fm_first_time (&pager->warned_io))
      fm_warning ("the disk did not give back what was written to it (%s): "
                  "a buffer can't be mapped. See the kernel's log, and use "
                  "another disk (dir)",
          g_strerror (error));
  }
  fm_pager_return (pager);

  if (result == FM_FILL_GONE) {
    fm_pager_retire (pager, extent);
    return result;
  }
  if (result == FM_FILL_DONE) {
    fm_stats_add (pager->stats, FM_STAT_FILLS, 1);
    fm_stats_add (pager->stats, FM_STAT_FILL_BYTES, extent->length);
  } else {
    fm_pager_count_resident (pager, -(gssize) extent->resident_bytes);
    extent->resident_bytes = 0;
  }
  if (extent->dead) {
    fm_pager_vacate (pager, extent);
    return FM_FILL_GONE;
  }
  if (result == FM_FILL_DONE) {
    fm_extent_set_state (extent, FM_RESIDENT, 0);
    fm_pager_add_resident (pager, extent);
  } else {
    fm_extent_set_state (extent, FM_SPILLED, 0);
    fm_pager_add_spilled (pager, extent);
  }
  fm_cond_broadcast (&pager->changed);
  return result;
}

/* ---- spill ---- */

static gboolean
is_wanted_again (FmExtent *extent)
{
  guint32 word = atomic_load_explicit (&extent->word, memory_order_relaxed);

  return FM_WORD_PINS (word) > 0 || (word & FM_TOUCHED) != 0;
}

/* Reserves the disk space that the extent lacks; gives up what is idle for it.
 * Without the lock. */
static int
reserve_space (FmPager *pager, FmExtent *extent)
{
  gsize missing = extent->length - MIN (extent->length, extent->disk_bytes);
  gsize offset = fm_extent_offset (pager->table, extent);
  gboolean found;
  int error;

  if (missing == 0)
    return 0;
  for (;;) {
    error =
        fm_backing_file_reserve (pager->file, offset, extent->length, missing);
    if (error != ENOSPC && error != EDQUOT)
      break;
    fm_pager_lock (pager);
    found = fm_pager_reclaim_disk (pager, G_MAXINT64) || reclaim_holes (pager);
    fm_pager_unlock (pager);
    if (!found)
      break;
  }
  if (error == 0) {
    extent->disk_bytes = extent->length;
    extent->punched_pages = 0;
    fm_stats_raise (
        pager->stats, FM_STAT_DISK_PEAK, fm_backing_file_bytes (pager->file));
  }
  return error;
}

/* Writes the extent out, in pieces so that it can be given up early. 0, an
 * errno, or ECANCELED if it is in use again. */
static int
write_extent (FmPager *pager, FmExtent *extent)
{
  gsize offset = fm_extent_offset (pager->table, extent), done = 0;
  int error = reserve_space (pager, extent);

  while (error == 0 && done < extent->length) {
    gsize n = MIN (extent->length - done, pager->config.extent_size);

    if (is_wanted_again (extent))
      return ECANCELED;
    error = fm_backing_file_write (
        pager->file, offset + done, pager->arena->base + offset + done, n);
    if (error == 0)
      fm_stats_add (pager->stats, FM_STAT_SPILL_BYTES, n);
    done += n;
  }
  return error;
}

/* Maps the file over the extent, in pieces so that no call holds the kernel's
 * lock for long; @ret_done bytes show the file at the end. */
static FmArenaResult
swap_pieces (FmPager *pager, FmExtent *extent, gsize *ret_done)
{
  gsize start = fm_extent_offset (pager->table, extent), done = 0;
  gsize length = fm_extent_run_length (pager->table, extent);
  gsize most = MAX (pager->config.extent_size, pager->table->grain);
  FmArenaResult result = FM_ARENA_DONE;

  while (done < length && result == FM_ARENA_DONE) {
    gsize n = MIN (length - done, most);

    result = fm_arena_show_file (pager->arena, start + done, n);
    if (result == FM_ARENA_DONE)
      done += n;
  }
  *ret_done = done;
  return result;
}

static void
warn_spill_failed (FmPager *pager, int error)
{
  gboolean full = error == ENOSPC || error == EDQUOT || error == EFBIG;

  fm_stats_add (pager->stats, FM_STAT_SPILL_FAILURES, 1);
  fm_stats_add (pager->stats, full ? FM_STAT_DISK_FULL : FM_STAT_IO_ERRORS, 1);
  if (full && fm_first_time (&pager->warned_full))
    fm_warning ("no more disk space for buffers (%s; %" G_GUINT64_FORMAT
                " MiB in use, size %" G_GUINT64_FORMAT
                " MiB, %" G_GUINT64_FORMAT
                " MiB of the disk are left alone): buffers "
                "stay in memory. Free some space, raise size, or use another "
                "disk (dir)",
        g_strerror (error), fm_backing_file_bytes (pager->file) >> 20,
        pager->file->limit >> 20, pager->file->reserve >> 20);
  else if (!full && fm_first_time (&pager->warned_io))
    fm_warning ("the disk refused a write (%s): buffers stay in memory. See "
                "the kernel's log, and use another disk (dir)",
        g_strerror (error));
}

/* An extent whose spill did not come about is resident again. */
static void
give_up_spill (FmPager *pager, FmExtent *extent, int error)
{
  if (error != 0 && error != ECANCELED)
    pager->no_spill_before = fm_now () + BACKOFF;
  else
    fm_stats_add (pager->stats, FM_STAT_SPILL_CANCELS, 1);
  fm_extent_set_state (extent, FM_RESIDENT, FM_TOUCHED);
  if (extent->dead) {
    fm_pager_remove_resident (pager, extent);
    fm_pager_keep_memory (pager, extent);
  }
}

/* Makes a written extent a spilled one. */
static void
finish_spill (FmPager *pager, FmExtent *extent)
{
  FmArenaResult result;
  gsize swapped, freed;

  fm_pager_remove_resident (pager, extent);
  fm_pager_leave (pager);
  fm_point ();
  result = swap_pieces (pager, extent, &swapped);
  if (atomic_load_explicit (&pager->arena->memory_locked, memory_order_relaxed)
      && fm_first_time (&pager->warned_locked))
    fm_warning ("the program locks its memory (mlockall): code that reads a "
                "buffer without mapping it is not supported");
  fm_pager_return (pager);

  if (result == FM_ARENA_LOST) {
    fm_pager_retire (pager, extent);
    return;
  }
  if (swapped == 0) {
    /* The kernel refused: as if it had never been tried. */
    fm_pager_add_resident (pager, extent);
    give_up_spill (pager, extent, ENOMEM);
    fm_cond_broadcast (&pager->changed);
    return;
  }
  /* Pieces that were refused show the same bytes from memory; they count until
   * the extent is filled or given back. */
  freed = MIN (swapped, extent->resident_bytes);
  extent->resident_bytes -= freed;
  fm_stats_add (pager->stats, FM_STAT_SPILLS, 1);
  if (extent->dead) {
    fm_pager_count_resident (pager, -(gssize) freed);
    fm_pager_vacate (pager, extent);
    return;
  }
  fm_extent_set_state (extent, FM_SPILLED, 0);
  fm_pager_add_spilled (pager, extent);
  fm_pager_count_resident (pager, -(gssize) freed);
  fm_cond_broadcast (&pager->changed);
}

/* Spills an extent that is WRITING. */
static void
spill (FmPager *pager, FmExtent *extent)
{
  int error;

  pager->writing++;
  fm_pager_leave (pager);
  error = write_extent (pager, extent);
  if (error != 0 && error != ECANCELED)
    warn_spill_failed (pager, error);
  fm_pager_return (pager);

  if (error == 0 && !extent->dead
      && fm_extent_commit (extent, FM_WRITING, FM_SWAPPING))
    finish_spill (pager, extent);
  else
    give_up_spill (pager, extent, error);

  pager->writing--;
  if (error == 0 || error == ECANCELED)
    pager->completions++;
  if (pager->waiting > 0)
    fm_cond_broadcast (&pager->changed);
}

/* ---- the threads ---- */

static gpointer
writer (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    gboolean urgent =
        pager->waiting > 0 || pager->resident_bytes > pager->config.budget;
    FmExtent *victim = NULL;

    if (!pager->frozen
        && (urgent
            || atomic_load_explicit (&pager->pressed, memory_order_relaxed)))
      victim = fm_pager_pick_victim (pager, urgent);
    if (victim != NULL) {
      if (fm_extent_commit (victim, FM_RESIDENT, FM_WRITING)) {
        /* Else a lane might go on cutting blocks from it. */
        atomic_store_explicit (&victim->full, TRUE, memory_order_relaxed);
        spill (pager, victim);
      }
    } else if (pager->no_spill_before != 0) {
      /* Try again when the disk may have recovered. */
      if (fm_now () >= pager->no_spill_before)
        pager->no_spill_before = 0;
      else
        fm_cond_wait_until (
            &pager->to_write, &pager->lock, pager->no_spill_before);
    } else {
      /* Who waits for room in vain is to find out. */
      if (pager->waiting > 0)
        fm_cond_broadcast (&pager->changed);
      fm_cond_wait (&pager->to_write, &pager->lock);
    }
  }
  fm_pager_unlock (pager);
  return NULL;
}

static gpointer
reader (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    FmExtent *extent = pager->frozen ? NULL : fm_pager_pick_prefetch (pager);
    gsize missing = extent != NULL
        ? extent->length - MIN (extent->length, extent->resident_bytes)
        : 0;

    if (extent == NULL) {
      fm_cond_wait (&pager->to_read, &pager->lock);
      continue;
    }
    if (pager->resident_bytes + missing > pager->config.budget) {
      if (!fm_pager_reclaim_memory (pager, G_MAXINT64))
        fm_cond_wait (&pager->to_read, &pager->lock);
      continue;
    }
    fm_pager_count_resident (pager, (gssize) missing);
    extent->resident_bytes += missing;
    extent->prefetched = TRUE;
    atomic_fetch_or (&extent->word, FM_UNREAD);
    switch (fm_pager_fill (pager, extent)) {
      case FM_FILL_DONE:
        fm_stats_add (pager->stats, FM_STAT_PREFETCHES, 1);
        fm_stats_add (pager->stats, FM_STAT_PREFETCH_BYTES, extent->length);
        break;
      case FM_FILL_NO_MEMORY:
      case FM_FILL_IO_ERROR:
        /* Whoever needs it will try again, and be told. */
        pager->stream[extent->order.stream].is_read = FALSE;
        break;
      case FM_FILL_GONE:
        break;
    }
  }
  fm_pager_unlock (pager);
  return NULL;
}

void
fm_pager_start_threads (FmPager *pager)
{
  static const struct
  {
    const gchar *name;
    GThreadFunc func;
  } kinds[] = {{"filemem-write", writer}, {"filemem-read", reader}};
  FmThread *thread[FM_N_THREADS];
  guint i;

  pager->threads_state = FM_THREADS_STARTING;
  fm_pager_leave (pager);
  for (i = 0; i < FM_N_THREADS; i++) {
    const guint kind = i < FM_N_WRITERS ? 0 : 1;

    thread[i] =
        fm_seam_thread_start (kinds[kind].name, kinds[kind].func, pager);
  }
  /* One writer is enough to work with; without readers every fill is done by
   * whoever needs it. */
  if (thread[0] == NULL && fm_first_time (&pager->warned_threads))
    fm_warning ("no thread can be started to write buffers to disk: they stay "
                "in memory. Raise the limit on processes (ulimit -u)");
  fm_pager_return (pager);
  memcpy (pager->thread, thread, sizeof thread);
  pager->threads_state =
      thread[0] != NULL ? FM_THREADS_RUNNING : FM_THREADS_REFUSED;
  fm_cond_broadcast (&pager->changed);
}

/* Looks after what is idle. */
static gpointer
keeper (gpointer data)
{
  FmPager *pager = data;
  guint64 releases = 0;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    gint64 before = fm_now () - pager->config.idle;
    gboolean found = pager->releases != releases;

    while (!pager->stopping && !pager->frozen
        && (fm_pager_reclaim_memory (pager, before)
            || fm_pager_reclaim_disk (pager, before) || reclaim_holes (pager)))
      found = TRUE;
    releases = pager->releases;
    if (pager->stopping)
      break;
    if (found) {
      fm_cond_wait_until (
          &pager->to_keep, &pager->lock, fm_now () + pager->config.idle);
    } else {
      atomic_store (&pager->keeper_awake, FALSE);
      fm_cond_wait (&pager->to_keep, &pager->lock);
    }
  }
  fm_pager_unlock (pager);
  return NULL;
}

void
fm_pager_wake_keeper (FmPager *pager)
{
  if (atomic_load_explicit (&pager->keeper_awake, memory_order_relaxed)
      || atomic_load (&pager->inherited))
    return;
  atomic_store (&pager->keeper_awake, TRUE);
  if (pager->keeper_state == FM_THREADS_NONE) {
    FmThread *thread;

    pager->keeper_state = FM_THREADS_STARTING;
    fm_pager_leave (pager);
    thread = fm_seam_thread_start ("filemem-keep", keeper, pager);
    fm_pager_return (pager);
    pager->keeper = thread;
    pager->keeper_state =
        thread != NULL ? FM_THREADS_RUNNING : FM_THREADS_REFUSED;
  } else {
    fm_cond_signal (&pager->to_keep);
  }
}

void
fm_pager_stop_threads (FmPager *pager)
{
  guint i;

  fm_pager_lock (pager);
  pager->stopping = TRUE;
  fm_cond_broadcast (&pager->to_write);
  fm_cond_broadcast (&pager->to_read);
  fm_cond_broadcast (&pager->to_keep);
  fm_pager_unlock (pager);
  /* The threads of a parent do not exist in its child. */
  if (atomic_load (&pager->inherited))
    return;
  for (i = 0; i < FM_N_THREADS; i++) {
    if (pager->thread[i] != NULL)
      fm_thread_join (pager->thread[i]);
  }
  if (pager->keeper != NULL)
    fm_thread_join (pager->keeper);
  for (i = 0; i < FM_N_THREADS; i++) {
    if (pager->staging_huge[i] != NULL)
      fm_arena_staging_free (
          pager->staging_huge[i], staging_length (pager, TRUE));
    if (pager->staging_plain[i] != NULL)
      fm_arena_staging_free (
          pager->staging_plain[i], staging_length (pager, FALSE));
  }
}
