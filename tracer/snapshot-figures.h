/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot-figures.h: what is known of the process beyond the core's figures,
 * and all figures together, in one enumeration that goes on where the core's
 * ends.
 */
#ifndef FM_SNAPSHOT_FIGURES_H
#define FM_SNAPSHOT_FIGURES_H

#include "statistics-figures.h"

/* Rows as figures.h has them. */
/* clang-format off */
#define FM_SNAPSHOT_FIGURES(X) \
  X (PROCESS_PEAK, "process-peak", PEAK, BYTES, PROCESS, "memory of the process, peak", "highest memory of the process so far, filemem's and the rest (VmHWM)") \
  X (PROCESS_BYTES, "process-bytes", GAUGE, BYTES, PROCESS, "memory of the process", "memory of the process (VmRSS)") \
  X (MALLOC_BYTES, "malloc-bytes", GAUGE, BYTES, PROCESS, "malloc", "bytes that malloc() has handed out to the program and its libraries, including filemem") \
  X (PROCESS_SHARED, "process-shared-bytes", GAUGE, BYTES, PROCESS, "shared memory", "of process-bytes, shared memory (RssShmem), such as images of a display") \
  X (OBJECTS_BYTES, "objects-bytes", GAUGE, BYTES, PROCESS, "objects", "estimate of the bytes that the objects of live blocks take: half a KiB each, part of malloc-bytes") \
  X (PASSED_BYTES, "passed-bytes", SUMMARY, BYTES, WEAR, "came in", "estimate of the bytes of buffers that came in: blocks allocated or, where pools reuse theirs, bytes written into them, but no more than entered queues") \
  X (WRITTEN_PERMILLE, "written-permille", SUMMARY, PERMILLE, WEAR, "written per byte", "bytes written to disk for each thousand of passed-bytes: written per byte, times 1000") \
  X (MEAN_WRITE_BYTES, "mean-write-bytes", SUMMARY, BYTES, WEAR, "mean write", "mean size of a request to write, spill-bytes / writes; 0 if there was none") \
  X (MEAN_READ_BYTES, "mean-read-bytes", SUMMARY, BYTES, WEAR, "mean read", "mean size of a request to read, fill-bytes / reads; 0 if there was none") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, FAULTS, "minor page faults in blocks", "minor page faults at addresses of blocks in streaming threads; only with attribution=on") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, FAULTS, "major page faults in blocks", "the same for major page faults") \
  X (PACKED, "packed", COUNTER, NUMBER, PACKED, "small buffers packed", "small buffers that rested in parcels, in all queues listed") \
  X (PACKED_BYTES, "packed-bytes", COUNTER, BYTES, PACKED, "bytes of these", "bytes of these") \
  X (PARCELS, "parcels", COUNTER, NUMBER, PACKED, "parcels", "parcels that entered these queues")

/* Since the last record: in records alone. */
#define FM_INTERVAL_FIGURES(X) \
  X (INTERVAL_WAIT_P50_NS, "interval-wait-p50-ns", GAUGE, NS, WAITED, "map wait of late, median", "half of the map waits since the last record were no longer") \
  X (INTERVAL_WAIT_P99_NS, "interval-wait-p99-ns", GAUGE, NS, WAITED, "map wait of late, 99%", "the same for 99% of them") \
  X (INTERVAL_WAIT_P999_NS, "interval-wait-p999-ns", GAUGE, NS, WAITED, "map wait of late, 99.9%", "the same for 99.9% of them") \
  X (INTERVAL_WAIT_MAX_NS, "interval-wait-max-ns", GAUGE, NS, WAITED, "map wait of late, longest", "the longest of them, to within a quarter")
/* clang-format on */

#define FM_ALL_FIGURES(X) \
  FM_STATISTICS (X)       \
  FM_SNAPSHOT_FIGURES (X)

enum {
  FM_STAT_LAST_OF_CORE = FM_N_STATISTICS - 1,
#define X(symbol, ...) FM_STAT_##symbol,
  FM_SNAPSHOT_FIGURES (X)
#undef X
      FM_N_ALL_FIGURES
};

/* For any of them. */
const FmFigureSpec *fm_figure_spec (unsigned id);

/* The title of the group. */
const char *fm_group_title (FmFigureGroup group);

#endif
