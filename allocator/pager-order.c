/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-order.c: which extent to spill next, and which to read ahead.
 *
 * A queue is read in the order in which it was written, so the extent that was
 * written last is read last: it is the one to spill, as long as it is settled,
 * which is to say that it rests in a queue and is not still passing from one
 * element to the next. Time would be a poor measure of that; what is counted
 * instead is how much has been written since it was last unmapped, which adapts
 * to any rate by itself.
 *
 * Each stream (the thread that writes) has an order of its own. When somebody
 * reads an extent, those that the same stream wrote next are wanted soon: what
 * is spilled of them is filled, and none of them is spilled, up to a window
 * that opens again from small after the reader has gone elsewhere.
 *
 * The scan for a victim is linear in the resident extents, some hundreds, and
 * happens once per transfer of megabytes.
 */
#include "pager-private.h"

gint
fm_pager_compare_spilled (gconstpointer a, gconstpointer b, gpointer unused)
{
  const FmExtentOrder *x = a, *y = b;

  if (x->stream != y->stream)
    return x->stream < y->stream ? -1 : 1;
  if (x->position != y->position)
    return x->position < y->position ? -1 : 1;
  if (x->first_grain != y->first_grain)
    return x->first_grain < y->first_grain ? -1 : 1;
  return 0;
}

/* It is about to be read. */
static gboolean
is_wanted (FmPager *pager, FmExtent *extent)
{
  guint32 number = atomic_load_explicit (&extent->stream, memory_order_relaxed);
  guint64 position =
      atomic_load_explicit (&extent->position, memory_order_relaxed);
  const FmStream *stream = &pager->stream[number];

  return stream->is_read && position > stream->reader
      && position - stream->reader <= stream->ahead + extent->length;
}

/* The best so far of one kind of candidates: the one with the largest key. */
typedef struct
{
  FmExtent *extent;
  guint64 key;
} Best;

static void
consider (Best *best, FmExtent *extent, guint64 key)
{
  if (best->extent == NULL || key > best->key) {
    best->extent = extent;
    best->key = key;
  }
}

FmExtent *
fm_pager_pick_victim (FmPager *pager, gboolean urgent)
{
  guint64 now = atomic_load_explicit (&pager->written, memory_order_relaxed);
  Best settled = {0}, unsettled = {0}, wanted = {0}, open = {0}, avoided = {0};
  const Best *const order[] = {&settled, &unsettled, &wanted, &open, &avoided};
  gint64 time = fm_now ();
  GList *link;
  guint i;

  if (time < pager->no_spill_before)
    return NULL;

  for (link = pager->resident.head; link != NULL; link = link->next) {
    FmExtent *extent = link->data;
    guint32 word = atomic_load_explicit (&extent->word, memory_order_relaxed);
    guint64 written =
        atomic_load_explicit (&extent->written, memory_order_relaxed);
    guint64 unmapped =
        atomic_load_explicit (&extent->unmapped, memory_order_relaxed);

    if (FM_WORD_STATE (word) != FM_RESIDENT || FM_WORD_PINS (word) > 0)
      continue;
    if (time < extent->no_spill_before)
      consider (&avoided, extent, G_MAXINT64 - extent->no_spill_before);
    else if (!atomic_load_explicit (&extent->full, memory_order_relaxed))
      consider (&open, extent, 0);
    else if (is_wanted (pager, extent))
      consider (&wanted, extent, written);
    else if (now >= unmapped + pager->window)
      consider (&settled, extent, written);
    else
      consider (&unsettled, extent, G_MAXUINT64 - unmapped);
  }

  for (i = 0; urgent && i < G_N_ELEMENTS (order); i++) {
    if (order[i]->extent != NULL)
      return order[i]->extent;
  }
  return settled.extent;
}

FmExtent *
fm_pager_pick_prefetch (FmPager *pager)
{
  guint number;

  for (number = 0; number < pager->config.n_streams; number++) {
    const FmStream *stream = &pager->stream[number];
    const FmExtentOrder reader = {number, stream->reader, G_MAXUINT};
    GTreeNode *node;

    if (!stream->is_read)
      continue;
    for (node = g_tree_upper_bound (pager->spilled, &reader); node != NULL;
         node = g_tree_node_next (node)) {
      FmExtent *extent = g_tree_node_value (node);

      if (extent->order.stream != number
          || extent->order.position - stream->reader
              > stream->ahead + extent->length)
        break;
      if (FM_WORD_PINS (atomic_load (&extent->word)) == 0)
        return extent;
    }
  }
  return NULL;
}

void
fm_pager_note_read (FmPager *pager, FmExtent *extent)
{
  FmStream *stream = &pager->stream[atomic_load_explicit (
      &extent->stream, memory_order_relaxed)];
  guint64 position =
      atomic_load_explicit (&extent->position, memory_order_relaxed);
  guint64 before = stream->reader;
  guint64 reach = 2 * (stream->ahead + extent->length);

  /* An element that looks at what it has just been given is not the reader of
   * the queue that this is on its way to. */
  if (!extent->prefetched
      && atomic_load_explicit (&pager->written, memory_order_relaxed)
              - atomic_load_explicit (&extent->unmapped, memory_order_relaxed)
          < pager->window)
    return;

  extent->prefetched = FALSE;
  if (!stream->is_read) {
    stream->is_read = TRUE;
    stream->ahead = pager->window;
  } else if (position + reach < before || position > before + reach) {
    stream->ahead = MIN (extent->length, pager->window);
  } else if (position > before) {
    stream->ahead = MIN (2 * stream->ahead, pager->window);
  }
  stream->reader = position;
  fm_pager_wake_readers (pager);
}

void
fm_pager_note_unused (FmPager *pager, FmExtent *extent)
{
  if (extent->prefetched && (atomic_load (&extent->word) & FM_UNREAD) != 0)
    fm_stats_add (pager->stats, FM_STAT_PREFETCH_UNUSED_BYTES, extent->length);
  extent->prefetched = FALSE;
}
