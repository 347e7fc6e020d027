/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-threads.c: the threads that spill, fill ahead, and give back.
 *
 * Two writers and two readers start when the first spill is needed, the keeper
 * with the first extent that becomes unused. The keeper gives back what has
 * been unused for a while, and sleeps without a timer when nothing is unused.
 */
#include "pager-private.h"
#include "seam.h"

#include <errno.h>
#include <string.h>

static gpointer
writer (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    gint64 until;
    FmUrgency urgency = fm_pager_urgency (pager, &until);
    gboolean urgent = urgency != FM_NOT_URGENT;
    gboolean pressed =
        !pager->frozen && (urgent || fm_pager_is_pressed (pager));
    FmExtent *victim;

    /* Cached memory beyond what is on its way from consumer to producer goes
     * before any block has to; it goes to the fills first, which can use it as
     * it is. */
    if (pressed && pager->cached_bytes > pager->window) {
      if (urgent && fm_pager_reclaim_memory (pager, G_MAXINT64))
        continue;
      pressed = urgent;
    }
    victim = pressed ? fm_pager_pick_victim (pager, urgency) : NULL;
    if (victim != NULL) {
      if (fm_extent_commit (victim, FM_RESIDENT, FM_WRITING)) {
        /* Otherwise a stream might go on cutting blocks from it. */
        atomic_store_explicit (&victim->full, TRUE, memory_order_relaxed);
        fm_pager_spill (pager, victim);
      }
      continue;
    }
    /* Threads that wait for room in vain must find out; not those that only
     * have to wait until more may be spilled. */
    if (pager->in_flight == 0 && !pager->frozen && until == G_MAXINT64)
      fm_pager_wake_waiting (pager);
    if (fm_now () < pager->no_spill_before)
      until = MIN (until, pager->no_spill_before);
    if (until < G_MAXINT64)
      fm_cond_wait_until (&pager->to_write, &pager->lock, until);
    else
      fm_cond_wait (&pager->to_write, &pager->lock);
  }
  fm_pager_unlock (pager);
  return NULL;
}

/* Takes the room for a fill that no thread waits for, if permissible. */
static gboolean
take_room_ahead (FmPager *pager, FmExtent *extent)
{
  gsize missing = extent->length - MIN (extent->length, extent->resident_bytes);

  /* With a small budget it would only have to be spilled again. */
  if (!fm_pager_may_overtake (pager)
      || (fm_pager_somebody_waits (pager) && missing > pager->fill_room))
    return FALSE;
  if (pager->resident_bytes + missing > fm_pager_most_resident (pager))
    return FALSE;
  fm_pager_count_resident (pager, (gssize) missing);
  extent->resident_bytes += missing;
  return TRUE;
}

static gpointer
reader (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    gint64 when = G_MAXINT64;
    FmExtent *extent =
        pager->frozen ? NULL : fm_pager_pick_prefetch (pager, &when);
    FmExtent *donor = NULL;
    gboolean has_room = extent != NULL && pager->cached_bytes <= pager->window
        && take_room_ahead (pager, extent);

    /* Cached memory is first of all for the next allocation, which would
     * otherwise have to touch fresh pages while a producer waits for it. */
    if (extent != NULL && !has_room && !fm_pager_somebody_waits (pager))
      donor = fm_pager_take_donor (pager, extent);
    if (!has_room && donor == NULL && extent != NULL
        && pager->cached_bytes > pager->window)
      has_room = take_room_ahead (pager, extent);
    if (!has_room && donor == NULL) {
      if (extent == NULL || fm_pager_somebody_waits (pager)
          || !fm_pager_reclaim_memory (pager, G_MAXINT64)) {
        pager->n_readers_asleep++;
        if (when < G_MAXINT64)
          fm_cond_wait_until (&pager->to_read, &pager->lock, when);
        else
          fm_cond_wait (&pager->to_read, &pager->lock);
        pager->n_readers_asleep--;
      }
      continue;
    }
    extent->prefetched = TRUE;
    atomic_fetch_or (&extent->word, FM_UNREAD);
    switch (fm_pager_fill (pager, extent, donor)) {
      case FM_FILL_DONE:
        fm_stats_add (pager->stats, FM_STAT_PREFETCHES, 1);
        fm_stats_add (pager->stats, FM_STAT_PREFETCH_BYTES, extent->length);
        break;
      case FM_FILL_NO_MEMORY:
      case FM_FILL_IO_ERROR:
        /* A thread that needs it will try again, and see the error. */
        fm_pager_stop_reading_ahead (pager, extent->order.stream);
        break;
      case FM_FILL_GONE:
        break;
    }
    if (donor != NULL)
      fm_pager_vacate (pager, donor);
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
  int error = 0;
  guint i;

  pager->threads_state = FM_THREADS_STARTING;
  fm_pager_leave (pager);
  for (i = 0; i < FM_N_THREADS; i++) {
    const guint kind = i < FM_N_WRITERS ? 0 : 1;

    thread[i] =
        fm_seam_thread_start (kinds[kind].name, kinds[kind].func, pager);
    if (thread[i] == NULL && error == 0)
      error = errno;
  }
  /* One writer is enough; without readers, each thread that needs a fill does
   * it itself. */
  if (thread[0] == NULL && fm_first_time (&pager->warned_threads))
    fm_warning ("no thread can be started to write buffers to disk (%s): they "
                "stay in memory. %s",
        g_strerror (error), fm_seam_thread_fix (error));
  fm_pager_return (pager);
  memcpy (pager->thread, thread, sizeof thread);
  pager->threads_state =
      thread[0] != NULL ? FM_THREADS_RUNNING : FM_THREADS_REFUSED;
  fm_cond_broadcast (&pager->changed);
}

/* In microseconds. */
#define LOOK_AGAIN 10000

static gboolean
look_if_due (FmPager *pager)
{
  if (!fm_pager_is_watchful (pager) || pager->frozen
      || fm_now () < pager->look_before)
    return FALSE;
  /* Another thread may be looking. */
  pager->look_before = fm_now () + LOOK_AGAIN;
  /* A fork waits for what is opened there. */
  fm_pager_leave (pager);
  fm_pager_watch_pressure (pager);
  fm_pager_return (pager);
  fm_pager_unlock (pager);
  fm_pager_look (pager);
  fm_pager_lock (pager);
  if (pager->threads_state == FM_THREADS_NONE && !pager->stopping
      && fm_pager_is_pressed (pager))
    fm_pager_start_threads (pager);
  return TRUE;
}

/* Gives back what is unused, and looks at the memory that is left. */
static gpointer
keeper (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  while (!pager->stopping) {
    gint64 before = fm_now () - pager->config.keep_unused, until = G_MAXINT64;

    while (!pager->stopping && !pager->frozen
        && (fm_pager_reclaim_memory (pager, before)
            || fm_pager_reclaim_disk (pager, before)
            || fm_pager_reclaim_holes (pager)))
      continue;
    if (pager->stopping)
      break;
    if (look_if_due (pager))
      continue;
    if (pager->cached.n > 0 || (pager->retained.n > 0 && !pager->no_holes)
        || pager->n_kept > 0) {
      pager->n_kept = 0;
      until = fm_now () + pager->config.keep_unused;
    }
    /* The end of a fork wakes this thread. */
    if (fm_pager_is_watchful (pager) && !pager->frozen)
      until = MIN (until, pager->look_before);
    if (until != G_MAXINT64) {
      fm_cond_wait_until (&pager->to_keep, &pager->lock, until);
    } else {
      atomic_store (&pager->keeper_awake, FALSE);
      fm_cond_wait (&pager->to_keep, &pager->lock);
    }
  }
  fm_pager_unlock (pager);
  return NULL;
}

void
fm_pager_start_keeper (FmPager *pager)
{
  FmThread *thread;

  if (!pager->keeper_wanted || pager->keeper_state != FM_THREADS_NONE
      || atomic_load (&pager->inherited))
    return;
  pager->keeper_state = FM_THREADS_STARTING;
  fm_pager_leave (pager);
  thread = fm_seam_thread_start ("filemem-keep", keeper, pager);
  fm_pager_return (pager);
  pager->keeper = thread;
  pager->keeper_state =
      thread != NULL ? FM_THREADS_RUNNING : FM_THREADS_REFUSED;
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
  /* The keeper may have started the others. */
  if (pager->keeper != NULL)
    fm_thread_join (pager->keeper);
  fm_pager_unwatch_pressure (pager);
  for (i = 0; i < FM_N_THREADS; i++) {
    if (pager->thread[i] != NULL)
      fm_thread_join (pager->thread[i]);
  }
  for (i = 0; i < FM_N_THREADS; i++) {
    if (pager->staging_huge[i] != NULL)
      fm_arena_staging_free (
          pager->staging_huge[i], fm_pager_staging_length (pager, TRUE));
    if (pager->staging_plain[i] != NULL)
      fm_arena_staging_free (
          pager->staging_plain[i], fm_pager_staging_length (pager, FALSE));
  }
}
