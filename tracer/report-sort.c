/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report-sort.c: see report.h: which queues, elements and threads come first in
 * a report.
 */
#include "report.h"

static gint
compare_queues (gconstpointer a, gconstpointer b)
{
  const guint64 *x = (*(FmQueueRecord *const *) a)->figure;
  const guint64 *y = (*(FmQueueRecord *const *) b)->figure;
  FmQueueFigure by =
      x[FM_QUEUE_LEVEL] != y[FM_QUEUE_LEVEL] ? FM_QUEUE_LEVEL : FM_QUEUE_BYTES;

  return x[by] < y[by] ? 1 : x[by] > y[by] ? -1 : 0;
}

GPtrArray *
fm_report_sorted_queues (GPtrArray *queues)
{
  GPtrArray *sorted = g_ptr_array_new ();
  guint i;

  for (i = 0; i < queues->len; i++) {
    FmQueueRecord *queue = g_ptr_array_index (queues, i);

    if (queue->figure[FM_QUEUE_BYTES] + queue->figure[FM_QUEUE_UNSEEN] > 0)
      g_ptr_array_add (sorted, queue);
  }
  g_ptr_array_sort (sorted, compare_queues);
  return sorted;
}

/* The figures may go on counting during the sort, so each is read once. */
typedef struct
{
  FmTally *tally;
  guint64 waited, mapped;
} Rank;

static gint
compare_ranks (gconstpointer a, gconstpointer b)
{
  const Rank *x = a, *y = b;

  if (x->waited != y->waited)
    return x->waited < y->waited ? 1 : -1;
  return x->mapped < y->mapped ? 1 : x->mapped > y->mapped ? -1 : 0;
}

GPtrArray *
fm_report_sorted_tallies (GPtrArray *tallies)
{
  g_autoptr (GArray) ranks = g_array_new (FALSE, FALSE, sizeof (Rank));
  GPtrArray *sorted = g_ptr_array_new ();
  guint i;

  for (i = 0; i < tallies->len; i++) {
    FmTally *tally = g_ptr_array_index (tallies, i);
    const Rank rank = {tally,
        fm_tally_sum (tally, FM_TALLY_MAP_WAIT_NS, FM_TALLY_ALLOC_WAIT_NS),
        fm_tally_sum (tally, FM_TALLY_MAPS_READ, FM_TALLY_MAPS_WRITE)};

    if (rank.mapped > 0 || fm_tally_get (tally, FM_TALLY_ALLOCS) > 0
        || fm_tally_sum (tally, FM_TALLY_MINOR_FAULTS, FM_TALLY_MAJOR_FAULTS)
            > 0)
      g_array_append_val (ranks, rank);
  }
  g_array_sort (ranks, compare_ranks);
  for (i = 0; i < ranks->len; i++)
    g_ptr_array_add (sorted, g_array_index (ranks, Rank, i).tally);
  return sorted;
}
