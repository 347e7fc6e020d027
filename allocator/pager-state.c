/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-state.c: the base of all files of the pager: its lock, its lists, whom
 * to notify when they change, and the time that transfers take.
 */
#include "pager-private.h"

#include <errno.h>
#include <unistd.h>

/* ---- the lock ---- */

void
fm_pager_lock (FmPager *pager)
{
  if (!fm_mutex_trylock_for_a_while (&pager->lock)) {
    fm_stats_add (pager->stats, FM_STAT_LOCK_WAITS, 1);
    fm_mutex_lock (&pager->lock);
  }
}

void
fm_pager_unlock (FmPager *pager)
{
  fm_mutex_unlock (&pager->lock);
}

void
fm_pager_leave (FmPager *pager)
{
  pager->in_flight++;
  fm_pager_unlock (pager);
}

void
fm_pager_return (FmPager *pager)
{
  fm_pager_lock (pager);
  pager->in_flight--;
  if (pager->frozen)
    fm_cond_broadcast (&pager->changed);
  fm_pager_wake_waiting (pager);
}

/* ---- transfers ---- */

void
fm_pager_begin_transfer (FmPager *pager)
{
  if (pager->n_transfers++ == 0)
    pager->busy_since = fm_now ();
}

static void
count_busy (FmPager *pager)
{
  gint64 now = fm_now ();

  fm_stats_add (pager->stats, FM_STAT_DISK_BUSY_NS,
      (guint64) (now - pager->busy_since) * 1000);
  pager->busy_since = now;
}

void
fm_pager_end_transfer (FmPager *pager)
{
  if (--pager->n_transfers == 0)
    count_busy (pager);
}

void
fm_pager_note_busy (FmPager *pager)
{
  if (pager->n_transfers > 0)
    count_busy (pager);
}

gboolean
fm_pager_warn_taken (FmPager *pager, int error)
{
  if (error == EBADF && fm_first_time (&pager->warned_closed))
    fm_warning ("the program has closed the backing file: buffers in "
                "memory stay there, those on disk are slow. Close all "
                "descriptors before the first buffer, or leave those alone "
                "that others have opened");
  if (error == ENODATA && fm_first_time (&pager->warned_cut))
    fm_warning ("somebody has cut the backing file short: buffers in memory "
                "stay there, those on disk are lost. Find out who writes to "
                "files under /proc/%d/fd, or is tidying up deleted files",
        (int) getpid ());
  return error == EBADF || error == ENODATA;
}

/* ---- the lists ---- */

/* Levels are changed, not set: the child of a fork has two pagers, its own and
 * the one that it inherited, with one set of figures. */

void
fm_pager_add_resident (FmPager *pager, FmExtent *extent)
{
  g_queue_push_tail_link (&pager->resident, &extent->link);
  fm_stats_add (pager->stats, FM_STAT_EXTENTS_RESIDENT, 1);
}

void
fm_pager_remove_resident (FmPager *pager, FmExtent *extent)
{
  g_queue_unlink (&pager->resident, &extent->link);
  fm_stats_sub (pager->stats, FM_STAT_EXTENTS_RESIDENT, 1);
}

gint
fm_pager_compare_spilled (gconstpointer a, gconstpointer b, gpointer unused)
{
  const FmExtentOrder *x = a, *y = b;

  if (x->stream != y->stream)
    return x->stream < y->stream ? -1 : 1;
  if (x->position != y->position)
    return x->position < y->position ? -1 : 1;
  if (x->first_granule != y->first_granule)
    return x->first_granule < y->first_granule ? -1 : 1;
  return 0;
}

void
fm_pager_add_spilled (FmPager *pager, FmExtent *extent)
{
  extent->order.stream =
      atomic_load_explicit (&extent->stream, memory_order_relaxed);
  extent->order.position =
      atomic_load_explicit (&extent->position, memory_order_relaxed);
  extent->order.first_granule = fm_extent_granule (pager->table, extent);
  g_tree_insert (pager->spilled, &extent->order, extent);
  pager->spilled_bytes += extent->length;
  atomic_fetch_add (&pager->n_spilled, 1);
  fm_stats_add (pager->stats, FM_STAT_EXTENTS_SPILLED, 1);
  fm_stats_add (pager->stats, FM_STAT_SPILLED_BYTES, extent->length);
  fm_stats_raise (pager->stats, FM_STAT_SPILLED_PEAK, pager->spilled_bytes);
}

void
fm_pager_remove_spilled (FmPager *pager, FmExtent *extent)
{
  g_tree_remove (pager->spilled, &extent->order);
  pager->spilled_bytes -= extent->length;
  atomic_fetch_sub (&pager->n_spilled, 1);
  fm_stats_sub (pager->stats, FM_STAT_EXTENTS_SPILLED, 1);
  fm_stats_sub (pager->stats, FM_STAT_SPILLED_BYTES, extent->length);
}

/* ---- whom to notify ---- */

FmPatience *
fm_pager_first_in_line (FmPager *pager, FmRoomKind kind)
{
  return pager->line[kind].head != NULL ? pager->line[kind].head->data : NULL;
}

gboolean
fm_pager_somebody_waits (FmPager *pager)
{
  return pager->line[FM_ROOM_FOR_ALLOC].length > 0
      || pager->line[FM_ROOM_FOR_FILL].length > 0;
}

void
fm_pager_wake_waiting (FmPager *pager)
{
  guint kind;

  for (kind = 0; kind < FM_N_ROOM_KINDS; kind++) {
    FmPatience *first = fm_pager_first_in_line (pager, kind);

    if (first != NULL)
      fm_cond_signal (&first->turn);
  }
}

void
fm_pager_wake_fills (FmPager *pager)
{
  GList *link;

  for (link = pager->line[FM_ROOM_FOR_FILL].head; link != NULL;
       link = link->next)
    fm_cond_signal (&((FmPatience *) link->data)->turn);
}

void
fm_pager_wake_readers (FmPager *pager)
{
  if (pager->n_readers_asleep > 0)
    fm_cond_broadcast (&pager->to_read);
}

void
fm_pager_wake_keeper (FmPager *pager)
{
  pager->n_kept++;
  if (atomic_load_explicit (&pager->keeper_awake, memory_order_relaxed)
      || atomic_load (&pager->inherited))
    return;
  atomic_store (&pager->keeper_awake, TRUE);
  if (pager->keeper_state == FM_THREADS_NONE)
    pager->keeper_wanted = TRUE;
  else
    fm_cond_signal (&pager->to_keep);
}
