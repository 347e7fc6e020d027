/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot.h: all that is known at one moment, for whoever tells it: records,
 * reports, the live page.
 *
 * Locking: a snapshot belongs to who took it; the tallies in it go on counting.
 */
#ifndef FM_SNAPSHOT_H
#define FM_SNAPSHOT_H

#include "faults.h"
#include "queues.h"
#include "tally.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* What the records say beyond statistics.h; (SYMBOL, "name", KIND, unit,
 * "description"). */
/* clang-format off */
#define FM_SNAPSHOT_FIGURES(X) \
  X (INTERVAL_WAIT_P50_NS, "interval-wait-p50-ns", GAUGE, NS, "since the last record half of the waits of a map were no longer") \
  X (INTERVAL_WAIT_P99_NS, "interval-wait-p99-ns", GAUGE, NS, "the same for 99% of them") \
  X (INTERVAL_WAIT_P999_NS, "interval-wait-p999-ns", GAUGE, NS, "the same for 99.9% of them") \
  X (INTERVAL_WAIT_MAX_NS, "interval-wait-max-ns", GAUGE, NS, "the longest of them, to a quarter") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, "minor page faults at addresses of blocks, in streaming threads; with attribution=on only") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, "major page faults at addresses of blocks, likewise")
/* clang-format on */

typedef struct
{
  guint64 uptime; /* ns since filemem was loaded */
  gchar *active;  /* where buffers live, for people; NULL before the first */
  guint64 stats[FM_N_STATISTICS];
  guint64 waits[FM_N_WAITS][FM_HISTOGRAM_BUCKETS];
  GPtrArray *queues; /* of FmQueueRecord */

  /* With attribution; else there is nothing. */
  GPtrArray *elements; /* of FmTally */
  GPtrArray *threads;  /* of FmTally */
  FmFaultSource fault_source;
  guint64 arena_minor_faults;
  guint64 arena_major_faults;
} FmSnapshot;

/* @start is what gst_util_get_timestamp() said when filemem was loaded. Any
 * thread. */
FmSnapshot *fm_snapshot_new (GstFileMemAllocator *allocator, guint64 start);
void fm_snapshot_free (FmSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FmSnapshot, fm_snapshot_free)

/* Bytes that entered the queue and were in filemem then. */
guint64 fm_queue_file_backed (const FmQueueRecord *queue);

G_END_DECLS
#endif
