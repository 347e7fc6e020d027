/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot.c: see snapshot.h.
 */
#include "snapshot.h"

#include "attribution.h"
#include "observe.h"
#include "process.h"

static void
take_stats (FmSnapshot *snapshot, GstFileMemAllocator *allocator)
{
  g_autoptr (GstStructure) stats = gst_file_mem_allocator_get_stats (allocator);
  guint i;

  for (i = 0; i < FM_N_STATISTICS; i++)
    gst_structure_get_uint64 (
        stats, fm_figure_spec (i)->name, &snapshot->stats[i]);
}

static void
take_process (guint64 *stats)
{
  const FmProcessMemory memory = fm_process_memory ("");

  stats[FM_STAT_PROCESS_PEAK] = memory.resident_peak;
  stats[FM_STAT_PROCESS_BYTES] = memory.resident;
  stats[FM_STAT_PROCESS_SHARED] = memory.shared;
  stats[FM_STAT_MALLOC_BYTES] = memory.malloced;
  stats[FM_STAT_OBJECTS_BYTES] =
      stats[FM_STAT_LIVE_BLOCKS] * FM_BYTES_OF_OBJECTS;
}

FmSnapshot *
fm_snapshot_new (GstFileMemAllocator *allocator, guint64 start)
{
  FmSnapshot *snapshot = g_new0 (FmSnapshot, 1);
  guint i;

  snapshot->tells_about = TRUE;
  snapshot->uptime = gst_util_get_timestamp () - start;
  snapshot->active = gst_file_mem_allocator_describe (allocator);
  snapshot->limited_by = gst_file_mem_allocator_limited_by (allocator);
  take_stats (snapshot, allocator);
  take_process (snapshot->stats);
  for (i = 0; i < FM_N_WAITS; i++)
    gst_file_mem_allocator_waits (allocator, i, snapshot->waits[i]);
  snapshot->queues = fm_queues_records ();
  snapshot->queues_at_once = fm_queues_at_once ();
  snapshot->elements = fm_attribution_elements ();
  snapshot->threads = fm_attribution_threads ();
  snapshot->fault_source = fm_faults_source ();
  fm_attribution_faults (&snapshot->stats[FM_STAT_ARENA_MINOR_FAULTS],
      &snapshot->stats[FM_STAT_ARENA_MAJOR_FAULTS]);
  fm_snapshot_derive (snapshot);
  return snapshot;
}

void
fm_snapshot_free (FmSnapshot *snapshot)
{
  g_free (snapshot->active);
  g_ptr_array_unref (snapshot->queues);
  g_ptr_array_unref (snapshot->elements);
  g_ptr_array_unref (snapshot->threads);
  g_free (snapshot);
}

guint64
fm_queue_file_backed (const FmQueueRecord *queue)
{
  guint64 bytes = queue->figure[FM_QUEUE_BYTES];
  guint64 foreign = queue->figure[FM_QUEUE_FOREIGN_BYTES];
  guint64 copied = queue->figure[FM_QUEUE_COPIED_BYTES]
      + queue->figure[FM_QUEUE_SHARED_BYTES];
  guint64 left = foreign - MIN (foreign, copied);

  /* The figures are read one after the other while buffers come: no two of them
   * are from the same moment. */
  return bytes - MIN (bytes, left);
}

gboolean
fm_snapshot_is_packed (const FmSnapshot *snapshot)
{
  guint64 all = 0;
  guint i;

  for (i = 0; i < snapshot->queues->len; i++) {
    const FmQueueRecord *queue = g_ptr_array_index (snapshot->queues, i);

    all += queue->figure[FM_QUEUE_BUFFERS];
  }
  return snapshot->stats[FM_STAT_PACKED] > all / 2;
}

/* A block of a pool is allocated once and passes many times. Bytes written into
 * blocks count twice if an element changes what came; bytes that entered queues
 * count twice if there are several queues in a row, or behind a tee: the lower
 * of the two is the better guess. What was packed was allocated two more times:
 * as a parcel, and when it came out. */
static guint64
passed_bytes (const FmSnapshot *snapshot)
{
  guint64 passed = snapshot->stats[FM_STAT_STORED_BYTES], entered = 0;
  guint64 allocated = snapshot->stats[FM_STAT_ALLOC_BYTES];
  guint64 packed = snapshot->stats[FM_STAT_PACKED_BYTES];
  guint i;

  for (i = 0; i < snapshot->queues->len; i++)
    entered += fm_queue_file_backed (g_ptr_array_index (snapshot->queues, i));
  if (entered > 0)
    passed = MIN (passed, entered);
  return MAX (passed, allocated - MIN (allocated, 2 * packed));
}

static guint64
rounded (guint64 dividend, guint64 divisor)
{
  return divisor > 0 ? (dividend + divisor / 2) / divisor : 0;
}

static void
sum_queues (FmSnapshot *snapshot, guint figure, FmQueueFigure of)
{
  guint i;

  snapshot->stats[figure] = 0;
  for (i = 0; i < snapshot->queues->len; i++) {
    const FmQueueRecord *queue = g_ptr_array_index (snapshot->queues, i);

    snapshot->stats[figure] += queue->figure[of];
  }
}

void
fm_snapshot_derive (FmSnapshot *snapshot)
{
  guint64 *stats = snapshot->stats;
  guint64 passed;

  sum_queues (snapshot, FM_STAT_PACKED, FM_QUEUE_PACKED);
  sum_queues (snapshot, FM_STAT_PACKED_BYTES, FM_QUEUE_PACKED_BYTES);
  sum_queues (snapshot, FM_STAT_PARCELS, FM_QUEUE_PARCELS);
  passed = passed_bytes (snapshot);

  stats[FM_STAT_PASSED_BYTES] = passed;
  stats[FM_STAT_WRITTEN_PERMILLE] = passed > 0
      ? (guint64) (1000.0 * (gdouble) stats[FM_STAT_SPILL_BYTES]
              / (gdouble) passed
          + 0.5)
      : 0;
  stats[FM_STAT_MEAN_WRITE_BYTES] =
      rounded (stats[FM_STAT_SPILL_BYTES], stats[FM_STAT_WRITES]);
  stats[FM_STAT_MEAN_READ_BYTES] =
      rounded (stats[FM_STAT_FILL_BYTES], stats[FM_STAT_READS]);
}
