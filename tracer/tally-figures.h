/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally-figures.h: what is known of an element or a thread, and what is known
 * of an element alone, in two tables of rows as figures.h has them.
 */
#ifndef FM_TALLY_FIGURES_H
#define FM_TALLY_FIGURES_H

#include "figures.h"

/* Those that each thread counts anyway, and page faults. */
/* clang-format off */
#define FM_COUNTED_FIGURES(X) \
  X (MAP_WAIT_NS, "map-wait-ns", COUNTER, NS, WAITED, "waited for maps", "time that maps waited") \
  X (MAP_WAITS, "map-waits", COUNTER, NUMBER, WAITED, "maps that waited", "maps that had to wait for a fill") \
  X (ALLOC_WAIT_NS, "alloc-wait-ns", COUNTER, NS, PRODUCERS, "waited for room", "time that allocations waited for room") \
  X (ALLOC_WAITS, "alloc-waits", COUNTER, NUMBER, PRODUCERS, "allocations that waited", "allocations that waited for room") \
  X (ALLOC_BYTES, "alloc-bytes", COUNTER, BYTES, ALLOCATED, "allocated", "bytes of blocks allocated") \
  X (ALLOCS, "allocs", COUNTER, NUMBER, ALLOCATED, "blocks allocated", "blocks allocated") \
  X (MAPS_READ, "maps-read", COUNTER, NUMBER, MAPS, "maps to read", "maps for reading alone") \
  X (MAPS_WRITE, "maps-write", COUNTER, NUMBER, MAPS, "maps to write", "maps for writing")

#define FM_FAULT_FIGURES(X) \
  X (MINOR_FAULTS, "minor-faults", COUNTER, NUMBER, FAULTS, "minor page faults", "minor page faults") \
  X (MAJOR_FAULTS, "major-faults", COUNTER, NUMBER, FAULTS, "major page faults", "major page faults") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, FAULTS, "minor page faults in blocks", "minor page faults at addresses of blocks; with fault-source=rusage, those counted where a block was mapped") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, FAULTS, "major page faults in blocks", "major page faults at addresses of blocks, likewise")

#define FM_TALLY_FIGURES(X) FM_COUNTED_FIGURES (X) FM_FAULT_FIGURES (X)

/* Of an element alone, not of a thread: what it keeps mapped. */
#define FM_MAPPED_FIGURES(X) \
  X (MAPPED, "mapped", GAUGE, NUMBER, MAPPED, "buffers mapped", "buffers that it has mapped") \
  X (MAPPED_BYTES, "mapped-bytes", GAUGE, BYTES, MAPPED, "mapped", "bytes of these") \
  X (MAPPED_MAX, "mapped-most", PEAK, NUMBER, MAPPED, "buffers mapped, most at once", "buffers of mapped-most-bytes") \
  X (MAPPED_MAX_BYTES, "mapped-most-bytes", PEAK, BYTES, MAPPED, "mapped, most at once", "most bytes that it had mapped at a time") \
  X (MAPPED_LONGEST_NS, "mapped-longest-ns", PEAK, NS, MAPPED, "mapped, longest", "for how long it had a buffer mapped, the longest of those that it has unmapped, to some milliseconds; before it has unmapped any, since when it has had some mapped")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_TALLY_##symbol,
  FM_COUNTED_FIGURES (X) FM_N_COUNTED_FIGURES,
  FM_TALLY_LAST_COUNTED = FM_N_COUNTED_FIGURES - 1,
  FM_FAULT_FIGURES (X)
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
