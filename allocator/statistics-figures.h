/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * statistics-figures.h: every figure that the core knows about itself, in one
 * table, with rows as in figures.h.
 */
#ifndef FM_STATISTICS_FIGURES_H
#define FM_STATISTICS_FIGURES_H

#include "figures.h"

/* Why an allocation became system memory: R (X, SYMBOL, "name", "words"). Each
 * reason is a figure. */
/* clang-format off */
#define FM_FALLBACK_REASONS(R, X) \
  R (X, SMALL, "small", "smaller than min-size") \
  R (X, FULL, "full", "size reached") \
  R (X, TOO_LARGE, "too-large", "one block larger than size") \
  R (X, ADDRESSES, "addresses", "no addresses left") \
  R (X, DIR, "dir", "no usable directory or size") \
  R (X, MEMORY, "memory", "the kernel gave no memory")
#define FM_FALLBACK_ROW(X, symbol, name, words) \
  X (FALLBACKS_##symbol, "fallbacks-" name, COUNTER, NUMBER, REASONS, words, "fallbacks: " words)

#define FM_STATISTICS(X) \
  X (SIZE, "size", LIMIT, BYTES, LIMITS, "most on disk (size)", "most bytes that live blocks and the backing file may take") \
  X (BUDGET, "budget", LIMIT, BYTES, LIMITS, "budget (ram)", "most bytes that may be resident now: ram, or less while others need the memory") \
  X (RAM, "ram", LIMIT, BYTES, LIMITS, "budget asked for", "the budget while nobody else needs the memory") \
  X (HEADROOM, "headroom", GAUGE, BYTES, MEMORY, "left for all", "bytes of memory, of the machine or of the memory cgroup, that any program could still take when filemem last checked; 0 before that") \
  X (SHARE, "share", GAUGE, BYTES, MEMORY, "of what all share", "bytes that may be resident here while the other programs of the user that leave ram alone use their shares (ram-total); 0 if ram is given") \
  X (PROGRAMS, "programs", GAUGE, NUMBER, MEMORY, "programs that share", "programs that have blocks in memory and share ram-total, including this one; 0 if nothing is shared") \
  X (YIELDS, "yields", COUNTER, NUMBER, MEMORY, "times that it gave way", "times that the budget gave way to others") \
  X (YIELDS_MACHINE, "yields-machine", COUNTER, NUMBER, MEMORY, "of these, to the machine", "of yields, those because the machine was short of memory (MemAvailable)") \
  X (YIELDS_CGROUP, "yields-cgroup", COUNTER, NUMBER, MEMORY, "of these, to a cgroup", "of yields, those because a memory cgroup was near its limit") \
  X (YIELDS_STALLS, "yields-stalls", COUNTER, NUMBER, MEMORY, "of these, to programs that wait for memory", "of yields, those because the kernel or the service manager reported that programs stalled for memory (PSI, MEMORY_PRESSURE_WATCH)") \
  X (YIELDS_SHARE, "yields-share", COUNTER, NUMBER, MEMORY, "of these, to programs that share", "of yields, those to other programs that share ram-total") \
  X (LIVE_BYTES, "live-bytes", GAUGE, BYTES, ALLOCATED, "live", "bytes of live blocks") \
  X (LIVE_BLOCKS, "live-blocks", GAUGE, NUMBER, ALLOCATED, "live blocks", "live blocks") \
  X (OLDEST_NS, "oldest-ns", GAUGE, NS, ALLOCATED, "oldest data", "age of the oldest live block, or of an older one that was in its extent") \
  X (ALLOCS, "allocs", COUNTER, NUMBER, ALLOCATED, "blocks allocated", "blocks allocated") \
  X (ALLOC_BYTES, "alloc-bytes", COUNTER, BYTES, ALLOCATED, "allocated", "bytes of blocks allocated") \
  X (STORED_BYTES, "stored-bytes", COUNTER, BYTES, ALLOCATED, "written into blocks", "bytes written into blocks, those of a pool each time; incomplete while nothing goes to disk") \
  X (RESIDENT_BYTES, "resident-bytes", GAUGE, BYTES, MEMORY, "resident", "bytes of resident extents") \
  X (RESIDENT_PEAK, "resident-peak", PEAK, BYTES, MEMORY, "resident, peak", "highest resident-bytes so far") \
  X (PINNED_BYTES, "pinned-bytes", GAUGE, BYTES, MEMORY, "mapped", "bytes of resident extents that have a mapped block") \
  X (PINNED_PEAK, "pinned-peak", PEAK, BYTES, MEMORY, "mapped, peak", "highest pinned-bytes seen; sampled when room is short") \
  X (FLOOR, "floor", GAUGE, BYTES, MEMORY, "room beside what is mapped", "room that is left beside pinned-bytes, however small the budget") \
  X (USED_PEAK, "used-peak", PEAK, BYTES, MEMORY, "in memory and on disk, peak", "highest sum of the bytes of resident and spilled extents in use") \
  X (PAGE_CACHE_BYTES, "page-cache-bytes", GAUGE, BYTES, MEMORY, "page cache", "bytes of the backing file in the page cache") \
  X (MAPPINGS, "mappings", GAUGE, NUMBER, MEMORY, "mappings", "memory mappings (VMAs) of the process; the kernel allows vm.max_map_count") \
  X (TABLES_BYTES, "tables-bytes", GAUGE, BYTES, MEMORY, "filemem's tables", "bytes of memory in filemem's tables of extents") \
  X (SPILLED_BYTES, "spilled-bytes", GAUGE, BYTES, DISK, "spilled", "bytes of spilled extents") \
  X (SPILLED_PEAK, "spilled-peak", PEAK, BYTES, DISK, "spilled, peak", "highest spilled-bytes so far") \
  X (DISK_BYTES, "disk-bytes", GAUGE, BYTES, DISK, "on disk", "bytes that the backing file takes on disk") \
  X (DISK_PEAK, "disk-peak", PEAK, BYTES, DISK, "on disk, peak", "highest disk-bytes so far") \
  X (PUNCHED_BYTES, "punched-bytes", COUNTER, BYTES, DISK, "disk space given back", "bytes of disk space given back") \
  X (EXTENTS_RESIDENT, "extents-resident", GAUGE, NUMBER, EXTENTS, "resident", "resident extents in use") \
  X (EXTENTS_CACHED, "extents-cached", GAUGE, NUMBER, EXTENTS, "cached", "resident extents kept for reuse") \
  X (EXTENTS_WRITING, "extents-writing", GAUGE, NUMBER, EXTENTS, "being written", "of the resident ones, those being written") \
  X (EXTENTS_FILLING, "extents-filling", GAUGE, NUMBER, EXTENTS, "being read", "extents being read back, neither resident nor spilled") \
  X (EXTENTS_SPILLED, "extents-spilled", GAUGE, NUMBER, EXTENTS, "spilled", "spilled extents") \
  X (EXTENTS_RETAINED, "extents-retained", GAUGE, NUMBER, EXTENTS, "retained", "unused extents without memory that still have disk space") \
  X (EXTENTS_RETIRED, "extents-retired", COUNTER, NUMBER, EXTENTS, "retired", "extents lost to a failed mapping") \
  X (SPILLS, "spills", COUNTER, NUMBER, TRANSFERS, "spills", "extents spilled") \
  X (SPILL_BYTES, "spill-bytes", COUNTER, BYTES, TRANSFERS, "written", "bytes written to the backing file") \
  X (CLEAN_SPILLS, "clean-spills", COUNTER, NUMBER, TRANSFERS, "spills that had nothing to write", "of spills, those of extents whose bytes were in the file already") \
  X (SPILL_CANCELS, "spill-cancels", COUNTER, NUMBER, TRANSFERS, "spills given up", "spills given up because the extent was in use again") \
  X (FILLS, "fills", COUNTER, NUMBER, TRANSFERS, "fills", "extents filled") \
  X (FILLS_TO_WRITE, "fills-to-write", COUNTER, NUMBER, TRANSFERS, "fills of blocks to be written", "of fills, those for maps for writing alone") \
  X (FILL_BYTES, "fill-bytes", COUNTER, BYTES, TRANSFERS, "read", "bytes read from the backing file") \
  X (PREFETCHES, "prefetches", COUNTER, NUMBER, TRANSFERS, "fills ahead of time", "of fills, those ahead of any map") \
  X (PREFETCH_BYTES, "prefetch-bytes", COUNTER, BYTES, TRANSFERS, "read ahead", "bytes filled ahead of any map") \
  X (PREFETCH_UNUSED_BYTES, "prefetch-unused-bytes", COUNTER, BYTES, TRANSFERS, "read ahead in vain", "of prefetch-bytes, those that were never mapped") \
  X (MAPS_LENT, "maps-lent", COUNTER, NUMBER, TRANSFERS, "single blocks used on disk", "maps of single blocks where they are in the file, because their neighbours are not wanted: reads out of order, or of few blocks") \
  X (LENT_BYTES, "lent-bytes", COUNTER, BYTES, TRANSFERS, "read for single blocks", "bytes read for maps-lent; a block that is mapped again soon is read once") \
  X (DISK_BUSY_NS, "disk-busy-ns", COUNTER, NS, TRANSFERS, "disk busy", "time during which anything was being written or read") \
  X (WRITES, "writes", COUNTER, NUMBER, WEAR, "writes", "write requests to the backing file") \
  X (READS, "reads", COUNTER, NUMBER, WEAR, "reads", "read requests to the backing file") \
  X (MAPS_READ, "maps-read", COUNTER, NUMBER, MAPS, "maps to read", "maps for reading alone") \
  X (MAPS_WRITE, "maps-write", COUNTER, NUMBER, MAPS, "maps to write", "maps for writing") \
  X (MAPS_READ_RESIDENT, "maps-read-resident", COUNTER, NUMBER, MAPS, "to read, found in memory", "of maps-read, maps of resident blocks") \
  X (MAPS_READ_PREFETCHING, "maps-read-prefetching", COUNTER, NUMBER, MAPS, "to read, found being read back", "of maps-read, maps of blocks that were being read back already") \
  X (MAPS_READ_SPILLED, "maps-read-spilled", COUNTER, NUMBER, MAPS, "to read, found on disk", "of maps-read, maps of spilled blocks") \
  X (MAPS_WRITE_RESIDENT, "maps-write-resident", COUNTER, NUMBER, MAPS, "to write, found in memory", "of maps-write, maps of resident blocks") \
  X (MAPS_WRITE_PREFETCHING, "maps-write-prefetching", COUNTER, NUMBER, MAPS, "to write, found being read back", "of maps-write, maps of blocks that were being read back already") \
  X (MAPS_WRITE_SPILLED, "maps-write-spilled", COUNTER, NUMBER, MAPS, "to write, found on disk", "of maps-write, maps of spilled blocks") \
  X (MAPS_IN_PLACE, "maps-in-place", COUNTER, NUMBER, MAPS, "maps of the file itself", "maps of the file itself, because a fill got no memory") \
  X (MAP_WAITS, "map-waits", COUNTER, NUMBER, WAITED, "maps that waited", "maps that waited for a fill") \
  X (MAP_WAIT_NS, "map-wait-ns", COUNTER, NS, WAITED, "waited for maps", "time that maps waited") \
  X (MAP_WAIT_P50_NS, "map-wait-p50-ns", SUMMARY, NS, WAITED, "map wait, median", "half of the map waits were no longer") \
  X (MAP_WAIT_P99_NS, "map-wait-p99-ns", SUMMARY, NS, WAITED, "map wait, 99%", "99% of the map waits were no longer") \
  X (MAP_WAIT_P999_NS, "map-wait-p999-ns", SUMMARY, NS, WAITED, "map wait, 99.9%", "99.9% of the map waits were no longer") \
  X (MAP_WAIT_MAX_NS, "map-wait-max-ns", PEAK, NS, WAITED, "map wait, longest", "longest map wait") \
  X (ALLOC_WAITS, "alloc-waits", COUNTER, NUMBER, PRODUCERS, "allocations that waited", "allocations that waited for room") \
  X (ALLOC_WAIT_NS, "alloc-wait-ns", COUNTER, NS, PRODUCERS, "waited for room", "time that allocations waited for room") \
  X (ALLOC_WAIT_MAX_NS, "alloc-wait-max-ns", PEAK, NS, PRODUCERS, "wait for room, longest", "longest wait of an allocation") \
  X (IO_ERRORS, "io-errors", COUNTER, NUMBER, TROUBLE, "I/O errors", "reads and writes of the backing file that failed") \
  X (MAPS_FAILED, "maps-failed", COUNTER, NUMBER, TROUBLE, "failed maps", "maps that failed because the disk did not return the bytes") \
  X (SPILL_FAILURES, "spill-failures", COUNTER, NUMBER, TROUBLE, "failed spills", "spills that failed: disk full, or an error") \
  X (DISK_FULL, "disk-full", COUNTER, NUMBER, TROUBLE, "times disk space was refused", "times that disk space was refused: size, reserve or file system") \
  X (SIZE_REACHED, "size-reached", COUNTER, NUMBER, TROUBLE, "times size was reached", "of disk-full, those because of size") \
  X (OVER_BUDGET, "over-budget", COUNTER, NUMBER, TROUBLE, "times over budget", "times that the budget was exceeded for want of room") \
  X (FALLBACKS, "fallbacks", COUNTER, NUMBER, FALLBACKS, "became system memory, times", "allocations that became system memory, for any reason below") \
  X (FALLBACK_BYTES, "fallback-bytes", COUNTER, BYTES, FALLBACKS, "became system memory", "bytes of allocations that became system memory") \
  FM_FALLBACK_REASONS (FM_FALLBACK_ROW, X) \
  X (LOCK_WAITS, "lock-waits", COUNTER, NUMBER, LOCKS, "waits for the pager's lock", "times that a thread waited for the pager's lock") \
  X (MINOR_FAULTS, "minor-faults", COUNTER, NUMBER, FAULTS, "minor page faults", "minor page faults of the process") \
  X (MAJOR_FAULTS, "major-faults", COUNTER, NUMBER, FAULTS, "major page faults", "major page faults of the process")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_STAT_##symbol,
  FM_STATISTICS (X)
#undef X
      FM_N_STATISTICS
} FmStatistic;

#endif
