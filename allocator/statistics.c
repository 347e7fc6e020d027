/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * statistics.c: see statistics.h.
 */
#include "statistics.h"

#include <stdalign.h>
#include <sys/resource.h>
#include <unistd.h>

static const FmFigureSpec specs[FM_N_STATISTICS] = {
    FM_STATISTICS (FM_FIGURE_SPEC)};

const FmFigureSpec *
fm_statistic_spec (FmStatistic id)
{
  return &specs[id];
}

static void
page_faults (guint64 *ret_minor, guint64 *ret_major)
{
  struct rusage usage;

  *ret_minor = *ret_major = 0;
  if (getrusage (RUSAGE_SELF, &usage) == 0) {
    *ret_minor = (guint64) usage.ru_minflt;
    *ret_major = (guint64) usage.ru_majflt;
  }
}

FmStats *
fm_stats_new (void)
{
  FmStats *stats = g_aligned_alloc0 (1, sizeof (FmStats), alignof (FmStats));

  stats->process = getpid ();
  page_faults (&stats->minor_faults_before, &stats->major_faults_before);
  return stats;
}

void
fm_stats_free (FmStats *stats)
{
  g_aligned_free (stats);
}

void
fm_stats_raise (FmStats *stats, FmStatistic id, guint64 value)
{
  guint64 before = fm_stats_get (stats, id);

  while (value > before
      && !atomic_compare_exchange_weak (&stats->value[id], &before, value))
    continue;
}

guint64
fm_histogram_limit (guint bucket)
{
  const guint64 base = 1000; /* 1 us */
  guint64 octave = base << (bucket / 4);

  return octave + octave / 4 * (bucket % 4);
}

void
fm_stats_waited (FmStats *stats, FmWait wait, guint64 ns)
{
  guint thread = fm_thread_number (), bucket = 0;

  while (bucket < FM_HISTOGRAM_BUCKETS - 1 && ns > fm_histogram_limit (bucket))
    bucket++;
  atomic_fetch_add_explicit (
      &stats->waits[wait].count[bucket], 1, memory_order_relaxed);
  if (wait == FM_WAIT_MAP) {
    fm_stats_count (stats, thread, map_waits, 1);
    fm_stats_count (stats, thread, map_wait_ns, ns);
    fm_stats_raise (stats, FM_STAT_MAP_WAIT_MAX_NS, ns);
  } else {
    fm_stats_count (stats, thread, alloc_waits, 1);
    fm_stats_count (stats, thread, alloc_wait_ns, ns);
    fm_stats_raise (stats, FM_STAT_ALLOC_WAIT_MAX_NS, ns);
  }
}

void
fm_stats_map_missed (FmStats *stats, FmMapPlace place, gboolean to_write)
{
  static const FmStatistic missed[2][2] = {
      {FM_STAT_MAPS_READ_PREFETCHING, FM_STAT_MAPS_WRITE_PREFETCHING},
      {FM_STAT_MAPS_READ_SPILLED, FM_STAT_MAPS_WRITE_SPILLED},
  };

  if (place != FM_MAP_RESIDENT)
    fm_stats_add (stats, missed[place == FM_MAP_SPILLED][to_write ? 1 : 0], 1);
}

void
fm_stats_waits (
    FmStats *stats, FmWait wait, guint64 ret_count[FM_HISTOGRAM_BUCKETS])
{
  guint i;

  for (i = 0; i < FM_HISTOGRAM_BUCKETS; i++)
    ret_count[i] = atomic_load (&stats->waits[wait].count[i]);
}

guint64
fm_histogram_percentile (
    const guint64 count[FM_HISTOGRAM_BUCKETS], guint permille)
{
  guint64 total = 0, wanted, seen = 0;
  guint bucket;

  for (bucket = 0; bucket < FM_HISTOGRAM_BUCKETS; bucket++)
    total += count[bucket];
  if (total == 0)
    return 0;
  wanted = (total * permille + 999) / 1000;
  for (bucket = 0; bucket < FM_HISTOGRAM_BUCKETS - 1; bucket++) {
    seen += count[bucket];
    if (seen >= wanted)
      break;
  }
  return fm_histogram_limit (bucket);
}

static guint64
difference (guint64 more, guint64 less)
{
  return more > less ? more - less : 0;
}

void
fm_stats_snapshot (FmStats *stats, guint64 ret_values[FM_N_STATISTICS])
{
  guint64 waits[FM_HISTOGRAM_BUCKETS], longest;
  guint64 frees = 0, freed_bytes = 0, minor, major;
  guint i;

  /* Reads frees before allocations, so that nothing seems freed that was not
   * yet allocated. */
  for (i = 0; i < FM_STATS_SHARDS; i++) {
    frees += atomic_load (&stats->shard[i].frees);
    freed_bytes += atomic_load (&stats->shard[i].freed_bytes);
  }
  for (i = 0; i < FM_N_STATISTICS; i++)
    ret_values[i] = fm_stats_get (stats, i);
  for (i = 0; i < FM_STATS_SHARDS; i++) {
    FmStatsShard *shard = &stats->shard[i];

    ret_values[FM_STAT_ALLOCS] += atomic_load (&shard->allocs);
    ret_values[FM_STAT_ALLOC_BYTES] += atomic_load (&shard->alloc_bytes);
    ret_values[FM_STAT_MAPS_READ] += atomic_load (&shard->maps_read);
    ret_values[FM_STAT_MAPS_WRITE] += atomic_load (&shard->maps_write);
    ret_values[FM_STAT_MAP_WAITS] += atomic_load (&shard->map_waits);
    ret_values[FM_STAT_MAP_WAIT_NS] += atomic_load (&shard->map_wait_ns);
    ret_values[FM_STAT_ALLOC_WAITS] += atomic_load (&shard->alloc_waits);
    ret_values[FM_STAT_ALLOC_WAIT_NS] += atomic_load (&shard->alloc_wait_ns);
  }
  /* A map is counted before it is known where it finds its block. */
  ret_values[FM_STAT_MAPS_READ_RESIDENT] =
      difference (ret_values[FM_STAT_MAPS_READ],
          ret_values[FM_STAT_MAPS_READ_PREFETCHING]
              + ret_values[FM_STAT_MAPS_READ_SPILLED]);
  ret_values[FM_STAT_MAPS_WRITE_RESIDENT] =
      difference (ret_values[FM_STAT_MAPS_WRITE],
          ret_values[FM_STAT_MAPS_WRITE_PREFETCHING]
              + ret_values[FM_STAT_MAPS_WRITE_SPILLED]);
  ret_values[FM_STAT_LIVE_BLOCKS] =
      difference (ret_values[FM_STAT_ALLOCS], frees);
  ret_values[FM_STAT_LIVE_BYTES] =
      difference (ret_values[FM_STAT_ALLOC_BYTES], freed_bytes);

  fm_stats_waits (stats, FM_WAIT_MAP, waits);
  longest = ret_values[FM_STAT_MAP_WAIT_MAX_NS];
  ret_values[FM_STAT_MAP_WAIT_P50_NS] =
      MIN (fm_histogram_percentile (waits, 500), longest);
  ret_values[FM_STAT_MAP_WAIT_P99_NS] =
      MIN (fm_histogram_percentile (waits, 990), longest);
  ret_values[FM_STAT_MAP_WAIT_P999_NS] =
      MIN (fm_histogram_percentile (waits, 999), longest);

  /* The kernel counts the page faults of a child from zero. */
  page_faults (&minor, &major);
  if (getpid () == stats->process) {
    minor = difference (minor, stats->minor_faults_before);
    major = difference (major, stats->major_faults_before);
  }
  ret_values[FM_STAT_MINOR_FAULTS] = minor;
  ret_values[FM_STAT_MAJOR_FAULTS] = major;
}
