/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-room.c: room in the budget: who may take it, and who waits.
 *
 * Allocations may use the budget but for a reserve that is kept for fills while
 * anything is spilled, so that a consumer always makes progress. Where what is
 * pinned takes so much of the budget that less than a floor is left, the rest
 * takes turns within that floor: a program that holds more than the budget gets
 * what it holds, and no more than the floor beside it.
 *
 * Who finds no room waits in one of two lines, so that small requests do not
 * starve large ones; only the first of each is woken. A fill goes before
 * allocations, so that consumers make room, but not for ever. One waits as long
 * as spills complete; when nothing moves, or nothing can be spilled, one goes
 * over the budget, which is counted and said once, rather than block for ever.
 *
 * Locking: all of this with the pager's lock held.
 */
#include "pager-private.h"

/* For how long fills may go before an allocation that waits. */
#define OVERTAKING ((gint64) 100000)

/* What there is room for beside what is pinned, however small the budget: this,
 * but not more than half of that, and two of the largest extents. */
#define FLOOR ((gsize) 8 << 20)

/* What was written just now takes one part of that, what is read ahead another,
 * and what is on its way out or in the rest. */
#define PARTS_BESIDE_PINNED 4

/* How long, in microseconds, what is pinned is taken for what it was, where
 * there are more than a few extents. */
#define PINNED_MOMENT ((gint64) 1000)
#define PINNED_FEW 512

/* More than such a part of the budget that is pinned is much. */
#define CROWDED_PART 8

/* Extents for small blocks are no longer than such a part of the budget, as are
 * the reserve and the window; the reserve is no more than such another. */
#define PART_OF_EXTENT 16
#define PART_OF_RESERVE 8

/* ---- how much ---- */

gsize
fm_pager_budget (FmPager *pager)
{
  return atomic_load_explicit (&pager->budget, memory_order_relaxed);
}

void
fm_pager_take_budget (FmPager *pager, gsize budget)
{
  gsize part = budget / PART_OF_EXTENT, size = pager->config.extent_size;

  while (size > part && size > pager->config.extent_least)
    size /= 2;
  pager->extent_size = size;
  pager->window = CLAMP (part, size, 4 * size);
  pager->reserve = MIN (MAX (part, size), budget / PART_OF_RESERVE);
  pager->beside_pinned = budget;
  atomic_store_explicit (&pager->budget, budget, memory_order_relaxed);
  atomic_store_explicit (&pager->over_budget, pager->resident_bytes > budget,
      memory_order_relaxed);
  fm_stats_set (pager->stats, FM_STAT_BUDGET, budget);
}

void
fm_pager_set_budget (FmPager *pager, gsize budget)
{
  fm_pager_lock (pager);
  fm_pager_take_budget (pager, budget);
  if (pager->threads_state == FM_THREADS_NONE
      && !atomic_load (&pager->inherited) && fm_pager_is_pressed (pager))
    fm_pager_start_threads (pager);
  fm_cond_broadcast (&pager->to_write);
  fm_pager_wake_waiting (pager);
  fm_pager_wake_readers (pager);
  fm_pager_unlock (pager);
}

/* Of @most, which is kept free to make transfers smooth, what that is worth. A
 * queue little deeper than the budget has few transfers, and each byte that is
 * kept free is one more to be written and read. */
static gsize
kept_free (FmPager *pager, gsize most)
{
  gsize all = pager->spilled_bytes + pager->resident_bytes;
  gdouble share = (gdouble) pager->spilled_bytes / (gdouble) MAX (all, 1);

  return CLAMP ((gsize) ((gdouble) most * share),
      MIN (most, pager->config.extent_least), most);
}

/* Of the extents in which something is mapped; *@ret_neighbours is how long the
 * longest of them is that is shared. */
static gsize
count_pinned (FmPager *pager, gsize *ret_neighbours)
{
  gsize pinned = 0, neighbours = 0;
  GList *link;

  for (link = pager->resident.head; link != NULL; link = link->next) {
    const FmExtent *extent = link->data;

    if (FM_WORD_PINS (
            atomic_load_explicit (&extent->word, memory_order_relaxed))
        > 0) {
      pinned += extent->resident_bytes;
      if (extent->shared)
        neighbours = MAX (neighbours, extent->length);
    }
  }
  *ret_neighbours = neighbours;
  fm_stats_set (pager->stats, FM_STAT_PINNED_BYTES, pinned);
  fm_stats_raise (pager->stats, FM_STAT_PINNED_PEAK, pinned);
  return pinned;
}

/* As it was a moment ago: with thousands of extents a look takes longer than
 * what depends on it. */
static gsize
pinned_bytes (FmPager *pager)
{
  gint64 now = fm_now ();
  gsize pinned;

  if (now < pager->pinned_time + PINNED_MOMENT
      && pager->resident.length > PINNED_FEW)
    return pager->pinned_bytes;
  pinned = count_pinned (pager, &pager->neighbour_bytes);
  atomic_store_explicit (&pager->pinned_bytes, pinned, memory_order_relaxed);
  pager->pinned_time = now;
  return pinned;
}

void
fm_pager_tell_pinned (FmPager *pager)
{
  gsize neighbours;

  (void) count_pinned (pager, &neighbours);
}

gboolean
fm_pager_is_crowded (FmPager *pager)
{
  return atomic_load_explicit (&pager->pinned_bytes, memory_order_relaxed)
      > fm_pager_budget (pager) / CROWDED_PART;
}

static gsize
floor_bytes (FmPager *pager)
{
  return MAX (MIN (FLOOR, fm_pager_budget (pager) / 2), 2 * pager->largest);
}

gsize
fm_pager_most_resident (FmPager *pager)
{
  gsize budget = fm_pager_budget (pager), least = floor_bytes (pager);
  gsize pinned = 0, most = budget;

  /* Nobody need be counted where there is that much room anyway. */
  if (pager->resident_bytes + least > budget) {
    pinned = pinned_bytes (pager);
    /* What is pinned with others in its extent counts with them: at both ends
     * of what is held these are about one extent, on average. */
    least -= MIN (pager->neighbour_bytes, least / 2);
    most = MAX (budget, pinned + least);
  } else {
    atomic_store_explicit (&pager->pinned_bytes, 0, memory_order_relaxed);
  }
  pager->beside_pinned = most - pinned;
  return most;
}

gsize
fm_pager_window (FmPager *pager)
{
  return MIN (pager->window, pager->beside_pinned / PARTS_BESIDE_PINNED);
}

gboolean
fm_pager_is_pressed (FmPager *pager)
{
  gsize low =
      kept_free (pager, pager->reserve) + kept_free (pager, pager->window);
  gsize most = fm_pager_most_resident (pager);

  low = MIN (low, pager->beside_pinned / PARTS_BESIDE_PINNED);
  return pager->resident_bytes + low > most + pager->writing_bytes;
}

static gsize
room_limit (FmPager *pager, FmRoomKind kind)
{
  gsize limit = fm_pager_most_resident (pager);

  if (kind == FM_ROOM_FOR_ALLOC
      && atomic_load_explicit (&pager->n_spilled, memory_order_relaxed) > 0)
    limit -= MIN (kept_free (pager, pager->reserve),
        pager->beside_pinned / PARTS_BESIDE_PINNED);
  return limit;
}

static FmPatience *
first_in_line (FmPager *pager, FmRoomKind kind)
{
  return pager->line[kind].head != NULL ? pager->line[kind].head->data : NULL;
}

/* Clean extents go faster than those who wait for them wake up: not more is
 * spilled than they need, and what is on its way counts as gone. */
FmUrgency
fm_pager_urgency (FmPager *pager, gint64 *ret_until)
{
  const FmPatience *fill = first_in_line (pager, FM_ROOM_FOR_FILL);
  const FmPatience *alloc = first_in_line (pager, FM_ROOM_FOR_ALLOC);
  gsize resident =
      pager->resident_bytes - MIN (pager->resident_bytes, pager->writing_bytes);
  gsize most = fm_pager_most_resident (pager);

  *ret_until = G_MAXINT64;
  /* Between two blocks that one holder has mapped there is one less. */
  if (resident > most + 2 * pager->largest
      || (fill != NULL
          && resident + fill->bytes > room_limit (pager, FM_ROOM_FOR_FILL)))
    return FM_MOST_URGENT;
  if (alloc == NULL
      || resident + alloc->bytes <= room_limit (pager, FM_ROOM_FOR_ALLOC))
    return resident > most ? FM_URGENT : FM_NOT_URGENT;
  /* Who writes waits a while for those who read, to spare what these are about
   * to read. */
  if (fm_now () >= alloc->since + OVERTAKING)
    return FM_MOST_URGENT;
  *ret_until = alloc->since + OVERTAKING;
  return FM_URGENT;
}

void
fm_pager_count_resident (FmPager *pager, gssize change)
{
  gsize budget = fm_pager_budget (pager);

  pager->resident_bytes += (gsize) change;
  atomic_store_explicit (&pager->over_budget, pager->resident_bytes > budget,
      memory_order_relaxed);
  fm_stats_add (pager->stats, FM_STAT_RESIDENT_BYTES, (guint64) change);

  if (change > 0) {
    fm_stats_raise (pager->stats, FM_STAT_RESIDENT_PEAK, pager->resident_bytes);
    if (fm_pager_is_pressed (pager))
      fm_cond_signal (&pager->to_write);
  } else if (change < 0) {
    fm_pager_wake_waiting (pager);
    fm_pager_wake_readers (pager);
  }
}

/* ---- whose turn it is ---- */

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
    FmPatience *first = first_in_line (pager, kind);

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

gboolean
fm_pager_may_overtake (FmPager *pager)
{
  const FmPatience *first = first_in_line (pager, FM_ROOM_FOR_ALLOC);

  return first == NULL || fm_now () < first->since + OVERTAKING;
}

gboolean
fm_pager_is_my_turn (
    FmPager *pager, FmRoomKind kind, const FmPatience *patience)
{
  const FmPatience *first = first_in_line (pager, kind);
  const FmPatience *alloc = first_in_line (pager, FM_ROOM_FOR_ALLOC);
  const FmPatience *fill = first_in_line (pager, FM_ROOM_FOR_FILL);

  if (first != NULL && first != patience)
    return FALSE;
  /* An allocation that has waited for long goes first, but not before a fill
   * that has waited for longer. */
  if (kind == FM_ROOM_FOR_FILL)
    return fm_pager_may_overtake (pager)
        || (patience->since != 0 && patience->since <= alloc->since);
  return fill == NULL
      || (patience->since != 0 && patience->since < fill->since
          && fm_now () >= patience->since + OVERTAKING);
}

/* ---- waiting ---- */

/* The lock is released to speak. */
static void
give_up_waiting (FmPager *pager, FmPatience *patience)
{
  patience->over = TRUE;
  fm_stats_add (pager->stats, FM_STAT_OVER_BUDGET, 1);
  if (fm_first_time (&pager->warned_over)) {
    fm_pager_leave (pager);
    fm_warning ("more than the budget of %" G_GSIZE_FORMAT " MiB (ram) has to "
                "be in memory, because what is there is in use or can't be "
                "written; the program goes on. If this happens often, raise "
                "ram, or see whether the disk is full or slow",
        fm_pager_budget (pager) >> 20);
    fm_pager_return (pager);
  }
}

/* Whether it makes sense to wait on. */
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
  /* It is the next one's turn. */
  fm_pager_wake_waiting (pager);
}

gboolean
fm_pager_step_towards_room (
    FmPager *pager, gsize bytes, FmRoomKind kind, FmPatience *patience)
{
  gsize limit = room_limit (pager, kind);
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

  /* Nothing moves, and nothing can be made to. */
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
