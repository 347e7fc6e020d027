/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-room.c: whose turn it is to take room in the budget, and who waits.
 *
 * A thread that finds no room waits in one of two lines, so that small requests
 * do not starve large ones; only the first in each is woken. A fill goes before
 * allocations, so that consumers make room, but not for ever. A thread waits as
 * long as spills complete; when nothing moves, or nothing can be spilled, it
 * goes over the budget rather than block for ever, which is counted and
 * reported once.
 *
 * Locking: all of this with the pager's lock held.
 */
#include "pager-private.h"

/* ---- whose turn it is ---- */

gboolean
fm_pager_is_my_turn (
    FmPager *pager, FmRoomKind kind, const FmPatience *patience)
{
  const FmPatience *first = fm_pager_first_in_line (pager, kind);
  const FmPatience *alloc = fm_pager_first_in_line (pager, FM_ROOM_FOR_ALLOC);
  const FmPatience *fill = fm_pager_first_in_line (pager, FM_ROOM_FOR_FILL);

  if (first != NULL && first != patience)
    return FALSE;
  /* An allocation that has waited for long goes first, but not before a fill
   * that has waited longer. */
  if (kind == FM_ROOM_FOR_FILL)
    return fm_pager_may_overtake (pager)
        || (patience->since != 0 && patience->since <= alloc->since);
  return fill == NULL
      || (patience->since != 0 && patience->since < fill->since
          && fm_now () >= patience->since + FM_OVERTAKING);
}

/* ---- waiting ---- */

/* The user was told why nothing can be written, and more ram does not fix
 * that. */
static gboolean
is_known_why (FmPager *pager)
{
  return atomic_load (&pager->warned_full) || atomic_load (&pager->warned_write)
      || atomic_load (&pager->warned_threads)
      || atomic_load (&pager->warned_unmapped)
      || atomic_load (&pager->warned_closed)
      || atomic_load (&pager->warned_cut);
}

/* Releases the lock to emit the warning. */
static void
give_up_waiting (FmPager *pager, FmPatience *patience)
{
  patience->over = TRUE;
  fm_stats_add (pager->stats, FM_STAT_OVER_BUDGET, 1);
  /* Nor does it where other programs need the memory. */
  if (fm_pager_budget (pager) == fm_pager_ceiling (pager)
      && !is_known_why (pager) && fm_first_time (&pager->warned_over)) {
    fm_pager_leave (pager);
    g_autofree gchar *budget = fm_size_text (fm_pager_budget (pager));

    fm_warning ("over the budget of %s (ram): the resident buffers are mapped "
                "or could not be written; the program goes on. If this happens "
                "often, raise ram, or check whether the disk is full or slow",
        budget);
    fm_pager_return (pager);
  }
}

/* Whether it makes sense to keep waiting. */
static gboolean
has_patience (FmPager *pager, gboolean fits, FmPatience *patience)
{
  gint64 now = fm_now ();

  if (patience->completions != pager->completions && fits) {
    patience->completions = pager->completions;
    patience->deadline = MIN (now, patience->since + pager->config.patience)
        + pager->config.patience;
  }
  return now < patience->deadline;
}

static void
begin_waiting (
    FmPager *pager, gsize bytes, FmRoomKind kind, FmPatience *patience)
{
  patience->since = fm_now ();
  patience->deadline = patience->since + pager->config.patience;
  patience->completions = pager->completions;
  patience->bytes = bytes;
  patience->link.data = patience;
  patience->kind = kind;
  fm_cond_init (&patience->turn);
  g_queue_push_tail_link (&pager->line[kind], &patience->link);
}

void
fm_pager_end_waiting (FmPager *pager, FmPatience *patience)
{
  if (patience->since == 0)
    return;
  g_queue_unlink (&pager->line[patience->kind], &patience->link);
  fm_cond_clear (&patience->turn);
  patience->since = 0;
  /* Now it is the next one's turn. */
  fm_pager_wake_waiting (pager);
}

gboolean
fm_pager_step_towards_room (
    FmPager *pager, gsize bytes, FmRoomKind kind, FmPatience *patience)
{
  gsize limit = fm_pager_room_limit (pager, kind);
  gboolean my_turn = fm_pager_is_my_turn (pager, kind, patience);

  if (patience->over || atomic_load (&pager->inherited))
    return TRUE;
  if (my_turn && bytes <= limit && pager->resident_bytes <= limit - bytes)
    return TRUE;
  if (my_turn && fm_pager_reclaim_memory (pager, G_MAXINT64))
    return FALSE;
  if (pager->threads_state == FM_THREADS_NONE) {
    fm_pager_start_threads (pager);
    return FALSE;
  }
  if (patience->since == 0)
    begin_waiting (pager, bytes, kind, patience);

  /* Nothing moves, and nothing can be made to move. */
  if (my_turn && pager->in_flight == 0
      && (pager->threads_state == FM_THREADS_REFUSED
          || fm_pager_pick_victim (pager, FM_MOST_URGENT) == NULL)) {
    give_up_waiting (pager, patience);
    return FALSE;
  }
  if (!has_patience (pager, bytes <= limit, patience)) {
    give_up_waiting (pager, patience);
    return FALSE;
  }
  fm_cond_broadcast (&pager->to_write);
  fm_cond_wait_until (&patience->turn, &pager->lock, patience->deadline);
  return FALSE;
}

/* ---- another budget ---- */

void
fm_pager_set_budget (FmPager *pager, gsize budget)
{
  fm_pager_lock (pager);
  atomic_store (&pager->ceiling, budget);
  fm_stats_set (pager->stats, FM_STAT_RAM, budget);
  fm_pager_take_budget (pager, budget);
  if (pager->threads_state == FM_THREADS_NONE
      && !atomic_load (&pager->inherited) && fm_pager_is_pressed (pager))
    fm_pager_start_threads (pager);
  fm_cond_broadcast (&pager->to_write);
  fm_pager_wake_waiting (pager);
  fm_pager_wake_readers (pager);
  fm_pager_unlock (pager);
}
