/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally-figures.h: what is known of an element or a thread, and of an element
 * alone, in two tables from which records, reports and the manual page are
 * made.
 */
#ifndef FM_TALLY_FIGURES_H
#define FM_TALLY_FIGURES_H

/* (SYMBOL, "name", KIND, unit, "description"), as in statistics.h. */
/* clang-format off */
#define FM_TALLY_FIGURES(X) \
  X (ALLOCS, "allocs", COUNTER, NUMBER, "blocks allocated") \
  X (ALLOC_BYTES, "alloc-bytes", COUNTER, BYTES, "bytes of blocks allocated") \
  X (ALLOC_WAITS, "alloc-waits", COUNTER, NUMBER, "allocations that waited for room") \
  X (ALLOC_WAIT_NS, "alloc-wait-ns", COUNTER, NS, "time that allocations waited for room") \
  X (MAPS_READ, "maps-read", COUNTER, NUMBER, "maps for reading alone") \
  X (MAPS_WRITE, "maps-write", COUNTER, NUMBER, "maps for writing") \
  X (MAP_WAITS, "map-waits", COUNTER, NUMBER, "maps that had to wait for a fill") \
  X (MAP_WAIT_NS, "map-wait-ns", COUNTER, NS, "time that maps waited") \
  X (MINOR_FAULTS, "minor-faults", COUNTER, NUMBER, "minor page faults") \
  X (MAJOR_FAULTS, "major-faults", COUNTER, NUMBER, "major page faults") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, "minor page faults at addresses of blocks; with fault-source=rusage, those counted where a block was mapped") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, "major page faults at addresses of blocks, likewise")

/* Of an element alone, not of a thread: what it keeps mapped. */
#define FM_MAPPED_FIGURES(X) \
  X (MAPPED, "mapped", GAUGE, NUMBER, "buffers that it has mapped") \
  X (MAPPED_BYTES, "mapped-bytes", GAUGE, BYTES, "bytes of these") \
  X (MAPPED_MOST, "mapped-most", GAUGE, NUMBER, "buffers of mapped-most-bytes") \
  X (MAPPED_MOST_BYTES, "mapped-most-bytes", GAUGE, BYTES, "most bytes that it had mapped at a time") \
  X (MAPPED_LONGEST_NS, "mapped-longest-ns", GAUGE, NS, "for how long it had a buffer mapped, the longest of those that it has unmapped, to some milliseconds; before it has unmapped any, since when it has had some mapped")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_TALLY_##symbol,
  FM_TALLY_FIGURES (X)
#undef X
      FM_N_TALLY_FIGURES
} FmTallyFigure;

typedef enum {
#define X(symbol, ...) FM_##symbol,
  FM_MAPPED_FIGURES (X)
#undef X
      FM_N_MAPPED_FIGURES
} FmMappedFigure;

#endif
