/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot.h: all that is known at one moment, for whatever reports it:
 * records, reports, the live page.
 *
 * Locking: a snapshot belongs to the thread that took it; the tallies in it go
 * on counting.
 */
#ifndef FM_SNAPSHOT_H
#define FM_SNAPSHOT_H

#include "faults.h"
#include "queues.h"
#include "snapshot-figures.h"
#include "tally.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* GstBuffer and GstMemory of a block, wherever its data is. */
#define FM_BYTES_OF_OBJECTS 512

typedef struct
{
  guint64 uptime;       /* ns since filemem was loaded */
  gboolean tells_about; /* whether to add "about" (about.h), if there is room */
  gchar *active;        /* where buffers live, as text; NULL before the first */
  const gchar
      *limited_by; /* what leaves less than the size asked for, likewise */
  guint64 stats[FM_N_ALL_FIGURES];
  guint64 waits[FM_N_WAITS][FM_HISTOGRAM_BUCKETS];
  GPtrArray *queues; /* of FmQueueRecord */
  guint queues_at_once;

  /* With attribution; otherwise empty. */
  GPtrArray *elements; /* of FmTally */
  GPtrArray *threads;  /* of FmTally */
  FmFaultSource fault_source;
} FmSnapshot;

/* @start is the value of gst_util_get_timestamp() when filemem was loaded. Any
 * thread. */
FmSnapshot *fm_snapshot_new (GstFileMemAllocator *allocator, guint64 start);
void fm_snapshot_free (FmSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FmSnapshot, fm_snapshot_free)

/* Bytes that entered the queue and were in filemem at that time. */
guint64 fm_queue_file_backed (const FmQueueRecord *queue);

/* Whether most buffers that entered queues were packed. */
gboolean fm_snapshot_is_packed (const FmSnapshot *snapshot);

/* Fills in what is derived from other figures: what filemem does to flash, so
 * far. Zeros where nothing was written or read. */
void fm_snapshot_derive (FmSnapshot *snapshot);

G_END_DECLS
#endif
