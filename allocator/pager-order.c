/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-order.c: which extent to spill next, and which to read ahead.
 *
 * Both ask the same question: how soon will the extent be used? The extent to
 * spill is the one that will be used last; the one to read ahead will be used
 * first, and is read shortly before that.
 *
 * Each stream (the thread that writes) has an order of its own, in which a
 * queue is read. Where a reader reads what the stream wrote, a cursor knows
 * where, since when and how fast; from the number of bytes before an extent,
 * and that speed, follows the time until it is read. Extents that no reader is
 * heading for will be read last of all, and among these the one written last
 * after all others. What was read already and lives on belongs to a pool, or to
 * a loop: both come round in the order of writing.
 *
 * Nothing is spilled before it has settled, that is, before it rests in a queue
 * and is no longer passing from one element to the next. Time would be a poor
 * measure of that; instead, this counts how much has been written since the
 * extent was last unmapped, which adapts to any rate by itself.
 *
 * The scan for a victim is linear in the resident extents, and happens once per
 * transfer.
 */
#include "pager-private.h"

/* An extent is read ahead this long before it is used, or this many times as
 * long as a fill takes. */
#define LEAD ((gint64) 200000)
#define LEAD_FILLS 16

/* A reader that should have come this much earlier has stopped for now. */
#define STALL ((gint64) 500000)

/* How much of a change of speed is believed at once: a reader that stopped for
 * a while is not that slow. */
#define SLOWER 4

/* A speed is averaged over about this many extents. Otherwise, of two equally
 * fast streams, one that seemed slower for a moment would lose all that is kept
 * of it. */
#define SPEED_OVER 16

/* While a slow stream fills one of its short extents, no more than this many
 * budgets are written. */
#define BUDGETS_OF_SLOW 16

/* Later than anything that a cursor is heading for, and later than that. */
#define NOT_IN_SIGHT ((gdouble) (G_GINT64_CONSTANT (1) << 60))
#define LEFT_OPEN (4 * NOT_IN_SIGHT)

/* ---- cursors ---- */

/* For how long the cursor has been overdue. */
static gint64
stalled_for (const FmCursor *cursor, gint64 now)
{
  gint64 passed = now - cursor->time;
  gint64 expected = (gint64) ((gdouble) cursor->length * cursor->us_per_byte);

  return MAX (passed - expected, 0);
}

static gboolean
is_moving (const FmCursor *cursor, gint64 now)
{
  return cursor->is_used && stalled_for (cursor, now) < STALL;
}

/* Microseconds until the cursor reaches what lies @before bytes beyond it. One
 * that has stopped is likely to stay stopped for as long again. */
static gint64
time_until (const FmCursor *cursor, guint64 before, gint64 now)
{
  gint64 stalled = stalled_for (cursor, now);
  gint64 passed = now - cursor->time - stalled;

  return MAX ((gint64) ((gdouble) before * cursor->us_per_byte) - passed, 0)
      + stalled;
}

/* Bytes between the cursor and the extent that ends at @position, which lies
 * beyond it. */
static guint64
bytes_before (const FmCursor *cursor, guint64 position, gsize length)
{
  guint64 distance = position - cursor->position;

  return distance - MIN (distance, length);
}

/* How long before its use an extent should be in memory. */
static gint64
lead_time (FmPager *pager)
{
  return MAX (LEAD, LEAD_FILLS * pager->fill_us);
}

/* Bytes per microsecond, of all readers together. */
static gdouble
total_speed (FmPager *pager, gint64 now)
{
  gdouble total = 0;
  guint i, k;

  for (i = 0; i < pager->config.n_streams; i++) {
    for (k = 0; k < FM_CURSORS; k++) {
      const FmCursor *cursor = &pager->stream[i].cursor[k];

      if (is_moving (cursor, now) && cursor->us_per_byte > 0)
        total += 1 / cursor->us_per_byte;
    }
  }
  return total;
}

/* How far to read ahead of the cursor: its share of the window, by its speed.
 * The next extent is always included. */
static gsize
window_of (FmPager *pager, const FmCursor *cursor, gdouble total)
{
  gdouble share = total > 0 && cursor->us_per_byte > 0
      ? 1 / cursor->us_per_byte / total
      : 1;

  return MIN (
      cursor->ahead, (gsize) ((gdouble) fm_pager_window (pager) * share));
}

/* ---- victims ---- */

/* The best candidate of one kind so far: the one with the largest key. */
typedef struct
{
  FmExtent *extent;
  gdouble key;
} Best;

static void
consider (Best *best, FmExtent *extent, gdouble key)
{
  if (best->extent == NULL || key > best->key) {
    best->extent = extent;
    best->key = key;
  }
}

typedef struct
{
  gint64 now;
  guint64 written;
  gsize window;
  gdouble speed; /* of all readers */
  gint64 lead;
} Moment;

/* How soon a reader comes to the extent; NOT_IN_SIGHT and beyond if none does,
 * later for the younger. *@ret_wanted: very soon. */
static gdouble
time_of_use (FmPager *pager, const FmExtent *extent, const Moment *moment,
    gboolean *ret_wanted)
{
  FmStream *stream = &pager->stream[atomic_load_explicit (
      &extent->stream, memory_order_relaxed)];
  guint64 position =
      atomic_load_explicit (&extent->position, memory_order_relaxed);
  gdouble soonest = NOT_IN_SIGHT
      + (gdouble) atomic_load_explicit (&extent->written, memory_order_relaxed);
  gboolean is_unread =
      (atomic_load_explicit (&extent->word, memory_order_relaxed) & FM_UNREAD)
      != 0;
  guint i;

  *ret_wanted = FALSE;
  for (i = 0; i < FM_CURSORS; i++) {
    const FmCursor *cursor = &stream->cursor[i];
    guint64 before;
    gint64 time;

    /* What was read already can be read again only by a cursor that is moving
     * towards it. */
    if (!cursor->is_used || position < cursor->position
        || (!is_unread && !is_moving (cursor, moment->now)))
      continue;
    before = bytes_before (cursor, position, extent->length);
    time = time_until (cursor, before, moment->now);
    soonest = MIN (soonest, (gdouble) time);
    *ret_wanted = *ret_wanted
        || (is_moving (cursor, moment->now) && time < 2 * moment->lead
            && before
                < window_of (pager, cursor, moment->speed) + extent->length);
  }
  /* Read, and still alive: it comes round after those that were written before,
   * or lies cold. */
  if (!is_unread && soonest >= NOT_IN_SIGHT) {
    guint64 unmapped =
        atomic_load_explicit (&extent->unmapped, memory_order_relaxed);
    /* It may have been unmapped since @moment. */
    guint64 idle = moment->written - MIN (moment->written, unmapped);

    if (idle >= fm_pager_budget (pager))
      soonest = 2 * NOT_IN_SIGHT + (gdouble) idle;
    else
      soonest = (gdouble) (position - MIN (position, stream->behind))
          * MAX (stream->cursor[0].us_per_byte, 1e-3);
  }
  return soonest;
}

/* Whether it seems that no thread cuts blocks from it any more: a stream with
 * long extents fills one before a budget has been written, and a slow one
 * before many have; the thread may have ended. */
static gboolean
was_left_open (FmPager *pager, const FmExtent *extent, guint64 written)
{
  guint64 budgets =
      extent->length > pager->config.extent_least ? 1 : BUDGETS_OF_SLOW;

  return written
      >= atomic_load_explicit (&extent->written, memory_order_relaxed)
      + budgets * fm_pager_budget (pager);
}

/* Finds, for each stream, the first position of what was read and lives on. */
static void
find_behind (FmPager *pager)
{
  GList *link;
  guint i;

  for (i = 0; i < pager->config.n_streams; i++)
    pager->stream[i].behind = G_MAXUINT64;
  for (link = pager->resident.head; link != NULL; link = link->next) {
    const FmExtent *extent = link->data;
    FmStream *stream = &pager->stream[atomic_load_explicit (
        &extent->stream, memory_order_relaxed)];

    if ((atomic_load_explicit (&extent->word, memory_order_relaxed) & FM_UNREAD)
            == 0
        && atomic_load_explicit (&extent->full, memory_order_relaxed))
      stream->behind = MIN (stream->behind,
          atomic_load_explicit (&extent->position, memory_order_relaxed));
  }
}

FmExtent *
fm_pager_pick_victim (FmPager *pager, FmUrgency urgency)
{
  Best settled = {0}, unsettled = {0}, wanted = {0}, open = {0}, avoided = {0};
  const Best *const order[] = {&settled, &unsettled, &wanted, &open, &avoided};
  static const guint n_kinds[] = {
      [FM_NOT_URGENT] = 1, [FM_URGENT] = 2, [FM_MOST_URGENT] = 5};
  Moment moment = {.now = fm_now (),
      .written = atomic_load_explicit (&pager->written, memory_order_relaxed),
      .window = fm_pager_window (pager),
      .lead = lead_time (pager)};
  GList *link;
  guint i;

  if (moment.now < pager->no_spill_before)
    return NULL;
  moment.speed = total_speed (pager, moment.now);
  find_behind (pager);

  for (link = pager->resident.head; link != NULL; link = link->next) {
    FmExtent *extent = link->data;
    guint32 word = atomic_load_explicit (&extent->word, memory_order_relaxed);
    guint64 unmapped =
        atomic_load_explicit (&extent->unmapped, memory_order_relaxed);
    gboolean is_wanted;
    gdouble time;

    if (FM_WORD_STATE (word) != FM_RESIDENT || FM_WORD_PINS (word) > 0)
      continue;
    if (moment.now < extent->no_spill_before) {
      consider (&avoided, extent, (gdouble) -extent->no_spill_before);
      continue;
    }
    if (!atomic_load_explicit (&extent->full, memory_order_relaxed)) {
      if (was_left_open (pager, extent, moment.written))
        consider (&settled, extent, LEFT_OPEN);
      else
        consider (&open, extent, 0);
      continue;
    }
    time = time_of_use (pager, extent, &moment, &is_wanted);
    if (is_wanted)
      consider (&wanted, extent, time);
    else if (moment.written >= unmapped + moment.window)
      consider (&settled, extent, time);
    else
      consider (&unsettled, extent,
          (gdouble) (moment.written - MIN (moment.written, unmapped)));
  }

  for (i = 0; i < n_kinds[urgency]; i++) {
    if (order[i]->extent != NULL)
      return order[i]->extent;
  }
  return NULL;
}

/* ---- reading ahead ---- */

/* The first spilled extent beyond the cursor that is not mapped. */
static FmExtent *
next_spilled (FmPager *pager, guint number, const FmCursor *cursor)
{
  const FmExtentOrder at = {number, cursor->position, G_MAXUINT};
  GTreeNode *node;

  for (node = g_tree_upper_bound (pager->spilled, &at); node != NULL;
       node = g_tree_node_next (node)) {
    FmExtent *extent = g_tree_node_value (node);

    if (extent->order.stream != number)
      return NULL;
    if (FM_WORD_PINS (atomic_load (&extent->word)) == 0)
      return extent;
  }
  return NULL;
}

FmExtent *
fm_pager_pick_prefetch (FmPager *pager, gint64 *ret_when)
{
  gint64 now = fm_now (), lead = lead_time (pager), soonest = G_MAXINT64;
  gdouble total = total_speed (pager, now);
  FmExtent *best = NULL;
  guint i, k;

  *ret_when = G_MAXINT64;
  if (pager->spilled_bytes == 0)
    return NULL;
  for (i = 0; i < pager->config.n_streams; i++) {
    for (k = 0; k < FM_CURSORS && !fm_pager_wastes_much (pager, i); k++) {
      const FmCursor *cursor = &pager->stream[i].cursor[k];
      FmExtent *extent =
          is_moving (cursor, now) ? next_spilled (pager, i, cursor) : NULL;
      guint64 before;
      gint64 time;

      if (extent == NULL)
        continue;
      before = bytes_before (cursor, extent->order.position, extent->length);
      if (before > window_of (pager, cursor, total))
        continue;
      time = time_until (cursor, before, now);
      if (time > lead)
        *ret_when = MIN (*ret_when, now + time - lead);
      else if (time < soonest) {
        soonest = time;
        best = extent;
      }
    }
  }
  return best;
}

void
fm_pager_stop_reading_ahead (FmPager *pager, guint stream)
{
  guint i;

  for (i = 0; i < FM_CURSORS; i++)
    pager->stream[stream].cursor[i].is_used = FALSE;
}

/* ---- what is read ---- */

/* The number of the cursor that comes to @position; FM_CURSORS if none does. */
static guint
find_cursor (const FmStream *stream, guint64 position, gsize length)
{
  guint i;

  for (i = 0; i < FM_CURSORS; i++) {
    const FmCursor *cursor = &stream->cursor[i];
    guint64 reach = 2 * (cursor->ahead + length);

    if (cursor->is_used && position + length >= cursor->position
        && position <= cursor->position + reach)
      break;
  }
  return i;
}

gboolean
fm_pager_is_jump (FmPager *pager, guint number, guint64 position, gsize length)
{
  const FmStream *stream = &pager->stream[number];

  return stream->cursor[0].is_used
      && find_cursor (stream, position, length) == FM_CURSORS;
}

/* The cursor that comes to @position, which becomes the first one; if there is
 * none, a new one replaces the one that has not moved for longest. */
static FmCursor *
cursor_at (
    FmStream *stream, guint64 position, gsize length, gboolean *ret_jumps)
{
  guint i = find_cursor (stream, position, length);
  FmCursor found;

  *ret_jumps = i == FM_CURSORS;
  if (*ret_jumps)
    i = FM_CURSORS - 1;
  found = stream->cursor[i];
  for (; i > 0; i--)
    stream->cursor[i] = stream->cursor[i - 1];
  stream->cursor[0] = found;
  return &stream->cursor[0];
}

static void
note_speed (FmCursor *cursor, guint64 position, gint64 now)
{
  gdouble bytes = (gdouble) (position - cursor->position);
  gdouble us = (gdouble) MAX (now - cursor->time, 0);

  if (cursor->us_per_byte > 0)
    us = MIN (us, SLOWER * cursor->us_per_byte * bytes);
  cursor->bytes += bytes - cursor->bytes / SPEED_OVER;
  cursor->us += us - cursor->us / SPEED_OVER;
  cursor->us_per_byte = cursor->us / cursor->bytes;
}

void
fm_pager_note_read (FmPager *pager, FmExtent *extent)
{
  FmStream *stream = &pager->stream[atomic_load_explicit (
      &extent->stream, memory_order_relaxed)];
  guint64 position =
      atomic_load_explicit (&extent->position, memory_order_relaxed);
  gint64 now = fm_now ();
  gboolean is_first, jumps;
  FmCursor *cursor;

  /* It was spilled while it was open: its place is unknown. */
  if (position == 0)
    return;
  /* An element that looks at what it has just been given is not the reader of
   * the queue for which this is headed. */
  if ((atomic_load_explicit (&extent->word, memory_order_relaxed) & FM_CLEAN)
          == 0
      && atomic_load_explicit (&pager->written, memory_order_relaxed)
              - atomic_load_explicit (&extent->unmapped, memory_order_relaxed)
          < fm_pager_window (pager))
    return;

  extent->prefetched = FALSE;
  is_first = !stream->cursor[0].is_used;
  cursor = cursor_at (stream, position, extent->length, &jumps);
  if (is_first) {
    *cursor = (FmCursor){.ahead = pager->window};
  } else if (jumps) {
    *cursor = (FmCursor){.ahead = MIN (extent->length, pager->window),
        .bytes = cursor->bytes,
        .us = cursor->us,
        .us_per_byte = cursor->us_per_byte};
  } else if (position > cursor->position) {
    cursor->ahead = MIN (2 * cursor->ahead, pager->window);
    note_speed (cursor, position, now);
  } else {
    /* A reader that goes backwards is ahead of nothing. */
    cursor->ahead = MIN (extent->length, pager->window);
  }
  cursor->is_used = TRUE;
  cursor->position = position;
  cursor->length = extent->length;
  cursor->time = now;
  fm_pager_wake_readers (pager);
}

void
fm_pager_note_unused (FmPager *pager, FmExtent *extent)
{
  if (extent->prefetched && (atomic_load (&extent->word) & FM_UNREAD) != 0)
    fm_stats_add (pager->stats, FM_STAT_PREFETCH_UNUSED_BYTES, extent->length);
  extent->prefetched = FALSE;
}
