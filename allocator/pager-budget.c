/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-budget.c: how much may be resident.
 *
 * Allocations may use the budget except some room that is kept for fills while
 * anything is spilled, so that a consumer always makes progress. Where so much
 * of the budget is pinned that less than a floor is left, the rest takes turns
 * within that floor: a program that holds more than the budget gets what it
 * holds, and no more than the floor beside it.
 *
 * Locking: all of this with the pager's lock held, except the budget itself and
 * whether it is crowded, which are atomic.
 */
#include "pager-private.h"

/* The room beside what is pinned, however small the budget: this, or half
 * of the budget if that is less, but at least two of the largest extents. */
#define FLOOR ((gsize) 8 << 20)

/* What was written just now takes one part of that room, what is read ahead
 * another, and what is on its way out or in takes the rest. */
#define PARTS_BESIDE_PINNED 4

/* How long, in microseconds, a count of what is pinned stays valid, if there
 * are more than a few extents. */
#define PINNED_MOMENT ((gint64) 1000)
#define PINNED_FEW 512

/* Pins that take more than this part of the budget make it crowded. */
#define CROWDED_PART 8

/* Extents for small blocks are no longer than this part of the budget, as are
 * the fill room and the window; the latter part limits the fill room. */
#define PART_OF_EXTENT 16
#define PART_OF_FILL_ROOM 8

gsize
fm_pager_budget (FmPager *pager)
{
  return atomic_load_explicit (&pager->budget, memory_order_relaxed);
}

gsize
fm_pager_ceiling (FmPager *pager)
{
  return atomic_load_explicit (&pager->ceiling, memory_order_relaxed);
}

void
fm_pager_take_budget (FmPager *pager, gsize budget)
{
  gsize part = budget / PART_OF_EXTENT, size = pager->config.extent_size;

  while (size > part && size > pager->config.extent_least)
    size /= 2;
  pager->extent_size = size;
  pager->window = CLAMP (part, size, 4 * size);
  pager->fill_room = MIN (MAX (part, size), budget / PART_OF_FILL_ROOM);
  pager->beside_pinned = budget;
  atomic_store_explicit (&pager->budget, budget, memory_order_relaxed);
  atomic_store_explicit (&pager->over_budget, pager->resident_bytes > budget,
      memory_order_relaxed);
  fm_stats_set (pager->stats, FM_STAT_BUDGET, budget);
}

/* How much of @most, which is kept free to make transfers smooth, is worth
 * keeping free. A queue little deeper than the budget has few transfers, and
 * each byte that is kept free is one more to be written and read. */
static gsize
kept_free (FmPager *pager, gsize most)
{
  gsize all = pager->spilled_bytes + pager->resident_bytes;
  gdouble share = (gdouble) pager->spilled_bytes / (gdouble) MAX (all, 1);

  return CLAMP ((gsize) ((gdouble) most * share),
      MIN (most, pager->config.extent_least), most);
}

/* The bytes of the extents in which something is mapped; *@ret_neighbours is
 * the length of the longest shared one among them. */
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

/* As it was a moment ago: with thousands of extents, counting takes longer than
 * the work that depends on it. */
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

static gsize
floor_bytes (FmPager *pager)
{
  return MAX (MIN (FLOOR, fm_pager_budget (pager) / 2), 2 * pager->largest);
}

void
fm_pager_tell_pinned (FmPager *pager)
{
  gsize neighbours;

  (void) count_pinned (pager, &neighbours);
  fm_stats_set (pager->stats, FM_STAT_FLOOR, floor_bytes (pager));
}

gboolean
fm_pager_is_crowded (FmPager *pager)
{
  return atomic_load_explicit (&pager->pinned_bytes, memory_order_relaxed)
      > fm_pager_budget (pager) / CROWDED_PART;
}

gsize
fm_pager_most_resident (FmPager *pager)
{
  gsize budget = fm_pager_budget (pager), least = floor_bytes (pager);
  gsize pinned = 0, most = budget;

  /* No need to count if there is that much room anyway. */
  if (pager->resident_bytes + least > budget) {
    pinned = pinned_bytes (pager);
    /* A pinned block counts with all others in its extent: at both ends of what
     * is held these come to about one extent, on average. */
    least -= MIN (pager->neighbour_bytes, least / 2);
    most = MAX (budget, pinned + least);
  } else {
    atomic_store_explicit (&pager->pinned_bytes, 0, memory_order_relaxed);
    pager->pinned_time = 0;
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
      kept_free (pager, pager->fill_room) + kept_free (pager, pager->window);
  gsize most = fm_pager_most_resident (pager);

  low = MIN (low, pager->beside_pinned / PARTS_BESIDE_PINNED);
  return pager->resident_bytes + low > most + pager->writing_bytes;
}

gsize
fm_pager_room_limit (FmPager *pager, FmRoomKind kind)
{
  gsize limit = fm_pager_most_resident (pager);

  if (kind == FM_ROOM_FOR_ALLOC
      && atomic_load_explicit (&pager->n_spilled, memory_order_relaxed) > 0)
    limit -= MIN (kept_free (pager, pager->fill_room),
        pager->beside_pinned / PARTS_BESIDE_PINNED);
  return limit;
}

/* Clean extents are spilled faster than waiting threads wake up: so no more is
 * spilled than these need, and what is on its way counts as gone. */
FmUrgency
fm_pager_urgency (FmPager *pager, gint64 *ret_until)
{
  const FmPatience *fill = fm_pager_first_in_line (pager, FM_ROOM_FOR_FILL);
  const FmPatience *alloc = fm_pager_first_in_line (pager, FM_ROOM_FOR_ALLOC);
  gsize resident =
      pager->resident_bytes - MIN (pager->resident_bytes, pager->writing_bytes);
  gsize most = fm_pager_most_resident (pager);

  *ret_until = G_MAXINT64;
  /* A holder between two blocks that it maps has one fewer. */
  if (resident > most + 2 * pager->largest
      || (fill != NULL
          && resident + fill->bytes
              > fm_pager_room_limit (pager, FM_ROOM_FOR_FILL)))
    return FM_MOST_URGENT;
  if (alloc == NULL
      || resident + alloc->bytes
          <= fm_pager_room_limit (pager, FM_ROOM_FOR_ALLOC))
    return resident > most ? FM_URGENT : FM_NOT_URGENT;
  /* A waiting writer lets waiting readers go first for a while, to spare what
   * they are about to read. */
  if (fm_now () >= alloc->since + FM_OVERTAKING)
    return FM_MOST_URGENT;
  *ret_until = alloc->since + FM_OVERTAKING;
  return FM_URGENT;
}

gboolean
fm_pager_is_watchful (FmPager *pager)
{
  return pager->config.machine != NULL
      && (pager->resident_bytes > FM_PAGER_YIELDS_TO || pager->is_counted);
}

/* The keeper may be asleep for long, if something is unused. */
void
fm_pager_call_keeper (FmPager *pager)
{
  fm_pager_wake_keeper (pager);
  fm_cond_signal (&pager->to_keep);
}

static void
have_watched (FmPager *pager)
{
  pager->is_watched = !pager->is_watched;
  if (pager->is_watched)
    fm_pager_call_keeper (pager);
}

void
fm_pager_note_claim (FmPager *pager, gboolean is_counted)
{
  pager->is_counted = is_counted && pager->config.total != NULL;
  if (fm_pager_is_watchful (pager) != pager->is_watched)
    have_watched (pager);
}

void
fm_pager_count_resident (FmPager *pager, gssize change)
{
  gsize budget = fm_pager_budget (pager);

  pager->resident_bytes += (gsize) change;
  if (fm_pager_is_watchful (pager) != pager->is_watched)
    have_watched (pager);
  atomic_store_explicit (&pager->over_budget, pager->resident_bytes > budget,
      memory_order_relaxed);
  fm_stats_add (pager->stats, FM_STAT_RESIDENT_BYTES, (guint64) change);

  if (change > 0) {
    if (pager->config.machine != NULL
        && pager->resident_bytes >= pager->look_at)
      atomic_store_explicit (&pager->look_due, TRUE, memory_order_relaxed);
    fm_stats_raise (pager->stats, FM_STAT_RESIDENT_PEAK, pager->resident_bytes);
    if (fm_pager_is_pressed (pager))
      fm_cond_signal (&pager->to_write);
  } else if (change < 0) {
    fm_pager_wake_waiting (pager);
    fm_pager_wake_readers (pager);
  }
}

gboolean
fm_pager_may_overtake (FmPager *pager)
{
  const FmPatience *first = fm_pager_first_in_line (pager, FM_ROOM_FOR_ALLOC);

  return first == NULL || fm_now () < first->since + FM_OVERTAKING;
}
