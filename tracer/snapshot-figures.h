/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot-figures.h: what records say beyond statistics.h, in one table from
 * which they and the manual page are made.
 */
#ifndef FM_SNAPSHOT_FIGURES_H
#define FM_SNAPSHOT_FIGURES_H

/* (SYMBOL, "name", KIND, unit, "description"), as in statistics.h. */
/* clang-format off */
#define FM_SNAPSHOT_FIGURES(X) \
  X (PASSED_BYTES, "passed-bytes", GAUGE, BYTES, "bytes of buffers that came in, about: blocks allocated, or where pools use theirs again what was written into them, but not more than entered queues") \
  X (WRITTEN_PERMILLE, "written-permille", GAUGE, NUMBER, "bytes written to disk for each thousand of passed-bytes: written per byte, times 1000") \
  X (MEAN_WRITE_BYTES, "mean-write-bytes", GAUGE, BYTES, "mean size of a request to write, spill-bytes / writes; 0 if there was none") \
  X (MEAN_READ_BYTES, "mean-read-bytes", GAUGE, BYTES, "mean size of a request to read, fill-bytes / reads; 0 if there was none") \
  X (INTERVAL_WAIT_P50_NS, "interval-wait-p50-ns", GAUGE, NS, "since the last record half of the waits of a map were no longer") \
  X (INTERVAL_WAIT_P99_NS, "interval-wait-p99-ns", GAUGE, NS, "the same for 99% of them") \
  X (INTERVAL_WAIT_P999_NS, "interval-wait-p999-ns", GAUGE, NS, "the same for 99.9% of them") \
  X (INTERVAL_WAIT_MAX_NS, "interval-wait-max-ns", GAUGE, NS, "the longest of them, to a quarter") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, "minor page faults at addresses of blocks, in streaming threads; with attribution=on only") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, "major page faults at addresses of blocks, likewise")
/* clang-format on */

#endif
