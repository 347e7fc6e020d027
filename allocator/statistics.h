/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * statistics.h: every figure that filemem knows about itself, in one table.
 *
 * FM_STATISTICS is that table: (SYMBOL, "name", KIND, unit, "description").
 * The enumeration, the allocator's "stats" structure, the tracer's record and
 * the report are all generated from it, so a new figure is one new row.
 *
 * A COUNTER only grows. A GAUGE is a level at one moment. Every value is a
 * guint64.
 *
 * What every allocation and map counts, and how long a thread waited, has a
 * place for each thread, and one for those threads that share their numbers;
 * so it can also be told what a thread did in between two looks at its own.
 * Everything else is a plain relaxed atomic. Nothing here takes a lock.
 */
#ifndef FM_STATISTICS_H
#define FM_STATISTICS_H

#include "private-api.h"
#include "thread-number.h"

#include <stdatomic.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* clang-format off */
#define FM_STATISTICS(X) \
  X (SIZE, "size", GAUGE, BYTES, "most bytes that live blocks and the backing file may take") \
  X (BUDGET, "budget", GAUGE, BYTES, "most bytes that may be resident") \
  X (LIVE_BYTES, "live-bytes", GAUGE, BYTES, "bytes of live blocks") \
  X (LIVE_BLOCKS, "live-blocks", GAUGE, NUMBER, "live blocks") \
  X (RESIDENT_BYTES, "resident-bytes", GAUGE, BYTES, "bytes of resident extents") \
  X (RESIDENT_PEAK, "resident-peak", GAUGE, BYTES, "highest resident-bytes so far") \
  X (PINNED_BYTES, "pinned-bytes", GAUGE, BYTES, "bytes of resident extents in which something is mapped") \
  X (PINNED_PEAK, "pinned-peak", GAUGE, BYTES, "highest pinned-bytes that were seen; they are looked at where room is short") \
  X (FLOOR, "floor", GAUGE, BYTES, "room that there is beside pinned-bytes, however little of the budget is left") \
  X (SPILLED_BYTES, "spilled-bytes", GAUGE, BYTES, "bytes of spilled extents") \
  X (SPILLED_PEAK, "spilled-peak", GAUGE, BYTES, "highest spilled-bytes so far") \
  X (USED_PEAK, "used-peak", GAUGE, BYTES, "most bytes of extents in use at a time, resident and spilled") \
  X (DISK_BYTES, "disk-bytes", GAUGE, BYTES, "bytes that the backing file takes on disk") \
  X (DISK_PEAK, "disk-peak", GAUGE, BYTES, "highest disk-bytes so far") \
  X (EXTENTS_RESIDENT, "extents-resident", GAUGE, NUMBER, "resident extents in use") \
  X (EXTENTS_IDLE, "extents-idle", GAUGE, NUMBER, "resident extents kept for reuse") \
  X (EXTENTS_SPILLED, "extents-spilled", GAUGE, NUMBER, "spilled extents") \
  X (EXTENTS_WRITING, "extents-writing", GAUGE, NUMBER, "of the resident ones, those being written") \
  X (EXTENTS_FILLING, "extents-filling", GAUGE, NUMBER, "extents being read back, neither resident nor spilled") \
  X (EXTENTS_VACANT, "extents-vacant", GAUGE, NUMBER, "extents that nobody uses and that have disk space still") \
  X (EXTENTS_RETIRED, "extents-retired", COUNTER, NUMBER, "extents lost to a failed mapping") \
  X (OLDEST_NS, "oldest-ns", GAUGE, NS, "age of the oldest block, or of older ones that were in its extent") \
  X (PAGE_CACHE_BYTES, "page-cache-bytes", GAUGE, BYTES, "bytes of the backing file in the page cache") \
  X (MAPPINGS, "mappings", GAUGE, NUMBER, "memory mappings (VMAs) of the process; the kernel allows vm.max_map_count") \
  X (ALLOCS, "allocs", COUNTER, NUMBER, "blocks allocated") \
  X (ALLOC_BYTES, "alloc-bytes", COUNTER, BYTES, "bytes of blocks allocated") \
  X (STORED_BYTES, "stored-bytes", COUNTER, BYTES, "bytes that were written into blocks, those of a pool each time; not all where nothing goes to disk") \
  X (ALLOC_WAITS, "alloc-waits", COUNTER, NUMBER, "allocations that waited for room") \
  X (ALLOC_WAIT_NS, "alloc-wait-ns", COUNTER, NS, "time that allocations waited for room") \
  X (ALLOC_WAIT_MAX_NS, "alloc-wait-max-ns", GAUGE, NS, "longest wait of an allocation") \
  X (MAPS_READ, "maps-read", COUNTER, NUMBER, "maps for reading alone") \
  X (MAPS_WRITE, "maps-write", COUNTER, NUMBER, "maps for writing") \
  X (MAPS_READ_RESIDENT, "maps-read-resident", COUNTER, NUMBER, "of maps-read, maps of resident blocks") \
  X (MAPS_READ_PREFETCHING, "maps-read-prefetching", COUNTER, NUMBER, "of maps-read, maps of blocks that were being read back already") \
  X (MAPS_READ_SPILLED, "maps-read-spilled", COUNTER, NUMBER, "of maps-read, maps of spilled blocks") \
  X (MAPS_WRITE_RESIDENT, "maps-write-resident", COUNTER, NUMBER, "of maps-write, maps of resident blocks") \
  X (MAPS_WRITE_PREFETCHING, "maps-write-prefetching", COUNTER, NUMBER, "of maps-write, maps of blocks that were being read back already") \
  X (MAPS_WRITE_SPILLED, "maps-write-spilled", COUNTER, NUMBER, "of maps-write, maps of spilled blocks") \
  X (MAP_WAITS, "map-waits", COUNTER, NUMBER, "maps that had to wait for a fill") \
  X (MAP_WAIT_NS, "map-wait-ns", COUNTER, NS, "time that maps waited") \
  X (MAP_WAIT_P50_NS, "map-wait-p50-ns", GAUGE, NS, "half of the waits of a map were no longer") \
  X (MAP_WAIT_P99_NS, "map-wait-p99-ns", GAUGE, NS, "99% of the waits of a map were no longer") \
  X (MAP_WAIT_P999_NS, "map-wait-p999-ns", GAUGE, NS, "99.9% of the waits of a map were no longer") \
  X (MAP_WAIT_MAX_NS, "map-wait-max-ns", GAUGE, NS, "longest wait of a map") \
  X (MAPS_IN_PLACE, "maps-in-place", COUNTER, NUMBER, "maps of the file itself, because a fill found no memory") \
  X (MAPS_LENT, "maps-lent", COUNTER, NUMBER, "maps of one block in the file, whose neighbours nobody wants: read out of order, or few of many") \
  X (LENT_BYTES, "lent-bytes", COUNTER, BYTES, "bytes of maps-lent; what is mapped again soon was read once") \
  X (MAPS_FAILED, "maps-failed", COUNTER, NUMBER, "maps that failed, because the disk did not give the bytes back") \
  X (SPILLS, "spills", COUNTER, NUMBER, "extents spilled") \
  X (SPILL_BYTES, "spill-bytes", COUNTER, BYTES, "bytes written to the backing file") \
  X (WRITES, "writes", COUNTER, NUMBER, "requests to write to the backing file") \
  X (CLEAN_SPILLS, "clean-spills", COUNTER, NUMBER, "of spills, those of extents that the file had already") \
  X (SPILL_CANCELS, "spill-cancels", COUNTER, NUMBER, "spills given up because the extent was in use again") \
  X (SPILL_FAILURES, "spill-failures", COUNTER, NUMBER, "spills that failed: disk full or error") \
  X (FILLS, "fills", COUNTER, NUMBER, "extents filled") \
  X (FILLS_TO_WRITE, "fills-to-write", COUNTER, NUMBER, "fills for a map for writing alone") \
  X (FILL_BYTES, "fill-bytes", COUNTER, BYTES, "bytes read from the backing file") \
  X (READS, "reads", COUNTER, NUMBER, "requests to read from the backing file") \
  X (PREFETCHES, "prefetches", COUNTER, NUMBER, "fills before anybody asked") \
  X (PREFETCH_BYTES, "prefetch-bytes", COUNTER, BYTES, "bytes filled before anybody asked") \
  X (PREFETCH_UNUSED_BYTES, "prefetch-unused-bytes", COUNTER, BYTES, "bytes filled before anybody asked, and never asked for") \
  X (DISK_BUSY_NS, "disk-busy-ns", COUNTER, NS, "time in which anything was being written or read") \
  X (PUNCHED_BYTES, "punched-bytes", COUNTER, BYTES, "bytes of disk space given back") \
  X (OVER_BUDGET, "over-budget", COUNTER, NUMBER, "times that the budget was exceeded for want of room") \
  X (DISK_FULL, "disk-full", COUNTER, NUMBER, "times that disk space was refused: size, reserve or file system") \
  X (SIZE_REACHED, "size-reached", COUNTER, NUMBER, "of disk-full, the times that size was why") \
  X (IO_ERRORS, "io-errors", COUNTER, NUMBER, "reads and writes of the backing file that failed") \
  X (FALLBACKS, "fallbacks", COUNTER, NUMBER, "allocations that became system memory, for any reason below") \
  X (FALLBACK_BYTES, "fallback-bytes", COUNTER, BYTES, "bytes of allocations that became system memory") \
  X (FALLBACKS_SMALL, "fallbacks-small", COUNTER, NUMBER, "fallbacks: smaller than min-size") \
  X (FALLBACKS_FULL, "fallbacks-full", COUNTER, NUMBER, "fallbacks: size reached") \
  X (FALLBACKS_TOO_LARGE, "fallbacks-too-large", COUNTER, NUMBER, "fallbacks: one block larger than size") \
  X (FALLBACKS_ADDRESSES, "fallbacks-addresses", COUNTER, NUMBER, "fallbacks: no room in the arena") \
  X (FALLBACKS_DIR, "fallbacks-dir", COUNTER, NUMBER, "fallbacks: no usable directory") \
  X (FALLBACKS_MEMORY, "fallbacks-memory", COUNTER, NUMBER, "fallbacks: the kernel gave no memory") \
  X (LOCK_WAITS, "lock-waits", COUNTER, NUMBER, "times that a thread waited for the pager's lock") \
  X (MINOR_FAULTS, "minor-faults", COUNTER, NUMBER, "minor page faults of the process") \
  X (MAJOR_FAULTS, "major-faults", COUNTER, NUMBER, "major page faults of the process")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_STAT_##symbol,
  FM_STATISTICS (X)
#undef X
      FM_N_STATISTICS
} FmStatistic;

typedef enum { FM_STAT_KIND_COUNTER, FM_STAT_KIND_GAUGE } FmStatisticKind;

typedef struct
{
  const gchar *name;
  FmStatisticKind kind;
  const gchar *unit; /* "bytes", "ns" or "" */
  const gchar *description;
} FmStatisticSpec;

#define FM_STATS_SHARDS (FM_THREADS + 1)

/* What every allocation and map counts, in one cache line, and behind it what
 * those count that waited. */
typedef struct
{
  _Alignas(64) _Atomic guint64 allocs;
  _Atomic guint64 alloc_bytes;
  _Atomic guint64 frees;
  _Atomic guint64 freed_bytes;
  _Atomic guint64 maps_read;
  _Atomic guint64 maps_write;
  _Alignas(64) _Atomic guint64 map_waits;
  _Atomic guint64 map_wait_ns;
  _Atomic guint64 alloc_waits;
  _Atomic guint64 alloc_wait_ns;
} FmStatsShard;

/* Waits by their length: bucket 0 is up to 1 us, each next one reaches a
 * quarter further, so a percentile is right to a quarter. */
#define FM_HISTOGRAM_BUCKETS 112

typedef struct
{
  _Atomic guint64 count[FM_HISTOGRAM_BUCKETS];
} FmHistogram;

typedef enum {
  FM_WAIT_MAP,   /* for a block that was spilled */
  FM_WAIT_ALLOC, /* for room in the budget */
  FM_N_WAITS
} FmWait;

/* Where a map found its block. */
typedef enum { FM_MAP_RESIDENT, FM_MAP_PREFETCHING, FM_MAP_SPILLED } FmMapPlace;

typedef struct
{
  _Atomic guint64 value[FM_N_STATISTICS]; /* but for what is computed */
  FmStatsShard shard[FM_STATS_SHARDS];
  FmHistogram waits[FM_N_WAITS];
  pid_t process; /* whose page faults these are: those at the start */
  guint64 minor_faults_before;
  guint64 major_faults_before;
} FmStats;

FM_PRIVATE_API
const FmStatisticSpec *fm_statistic_spec (FmStatistic id);

/* All zeros; page faults count from now on, in the child of a fork from there.
 */
FmStats *fm_stats_new (void);
void fm_stats_free (FmStats *stats);

/* The figures at one moment, each right by itself, together as close to one
 * moment as reading them one after the other is. */
void fm_stats_snapshot (FmStats *stats, guint64 ret_values[FM_N_STATISTICS]);

/* Counts one wait of the calling thread. */
void fm_stats_waited (FmStats *stats, FmWait wait, guint64 ns);

/* Counts a map that did not find its block resident. */
void fm_stats_map_missed (FmStats *stats, FmMapPlace place, gboolean to_write);

/* How many waits fell into each bucket so far. */
void fm_stats_waits (
    FmStats *stats, FmWait wait, guint64 ret_count[FM_HISTOGRAM_BUCKETS]);

/* The longest wait that still counts in @bucket, in ns. */
FM_PRIVATE_API
guint64 fm_histogram_limit (guint bucket);

/* The length, in ns, that @permille of the waits in @count did not exceed, to
 * the upper end of a bucket; 0 if there are none. */
FM_PRIVATE_API
guint64 fm_histogram_percentile (
    const guint64 count[FM_HISTOGRAM_BUCKETS], guint permille);

/* Raises a maximum. */
void fm_stats_raise (FmStats *stats, FmStatistic id, guint64 value);

/* Counts in a shard; @thread is the caller's number. */
#define fm_stats_count(stats, thread, field, n) \
  fm_stats_count_in (&(stats)->shard[MIN (thread, FM_THREADS)].field, thread, n)

static inline void
fm_stats_count_in (_Atomic guint64 *value, guint thread, guint64 n)
{
  if (G_LIKELY (thread < FM_THREADS))
    atomic_store_explicit (value,
        atomic_load_explicit (value, memory_order_relaxed) + n,
        memory_order_relaxed);
  else
    atomic_fetch_add_explicit (value, n, memory_order_relaxed);
}

static inline void
fm_stats_add (FmStats *stats, FmStatistic id, guint64 n)
{
  atomic_fetch_add_explicit (&stats->value[id], n, memory_order_relaxed);
}

static inline void
fm_stats_sub (FmStats *stats, FmStatistic id, guint64 n)
{
  atomic_fetch_sub_explicit (&stats->value[id], n, memory_order_relaxed);
}

static inline void
fm_stats_set (FmStats *stats, FmStatistic id, guint64 value)
{
  atomic_store_explicit (&stats->value[id], value, memory_order_relaxed);
}

static inline guint64
fm_stats_get (FmStats *stats, FmStatistic id)
{
  return atomic_load_explicit (&stats->value[id], memory_order_relaxed);
}

G_END_DECLS
#endif
