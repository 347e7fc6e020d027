/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * statistics.h: the values of the figures of statistics-figures.h, all guint64.
 *
 * The counters of every allocation and map, and of how long a thread waited,
 * exist once for each thread, and once for all threads that share their
 * numbers; so a thread can also tell what it did between two looks at its own.
 * Everything else is a plain relaxed atomic. Nothing here takes a lock.
 */
#ifndef FM_STATISTICS_H
#define FM_STATISTICS_H

#include "private-api.h"
#include "statistics-figures.h"
#include "thread-number.h"

#include <stdatomic.h>
#include <sys/types.h>

G_BEGIN_DECLS

#define FM_STATS_SHARDS (FM_THREADS + 1)

/* The counters of every allocation and map, in one cache line; behind it those
 * of allocations and maps that waited. */
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
 * quarter further, so a percentile is exact to within a quarter. */
#define FM_HISTOGRAM_BUCKETS 112

typedef struct
{
  _Atomic guint64 count[FM_HISTOGRAM_BUCKETS];
} FmHistogram;

/* Where a map found its block. */
typedef enum { FM_MAP_RESIDENT, FM_MAP_PREFETCHING, FM_MAP_SPILLED } FmMapPlace;

typedef struct
{
  _Atomic guint64 value[FM_N_STATISTICS]; /* except those that are computed */
  FmStatsShard shard[FM_STATS_SHARDS];
  FmHistogram waits[FM_N_WAITS];
  pid_t process; /* whose page faults follow: those at the start */
  guint64 minor_faults_before;
  guint64 major_faults_before;
} FmStats;

const FmFigureSpec *fm_statistic_spec (FmStatistic id);

/* All zeros; page faults count from now on, in the child of a fork from the
 * fork on. */
FmStats *fm_stats_new (void);
void fm_stats_free (FmStats *stats);

/* The figures at one moment, each exact by itself; together as close to one
 * moment as reading them one after the other allows. */
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

/* The length, in ns, that @permille of the waits in @count did not exceed,
 * rounded to the upper end of a bucket; 0 if there are none. */
FM_PRIVATE_API
guint64 fm_histogram_percentile (
    const guint64 count[FM_HISTOGRAM_BUCKETS], guint permille);

/* Raises a maximum to @value if that is higher. */
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
