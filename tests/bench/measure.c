/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * measure.c: see measure.h.
 */
#include "measure.h"

#include <string.h>

#define PAGE_WORDS 512
#define NS_PER_MS 1000000

/* ---- times ---- */

static guint
bucket_of (guint64 ns)
{
  guint bits = g_bit_storage ((gulong) ns);

  if (bits <= TIMES_SUB_BITS)
    return (guint) ns;
  return ((bits - TIMES_SUB_BITS) << TIMES_SUB_BITS)
      + (guint) ((ns >> (bits - TIMES_SUB_BITS - 1))
          & ((1 << TIMES_SUB_BITS) - 1));
}

/* The longest time that falls into the bucket. */
static guint64
bucket_end (guint bucket)
{
  guint shift = bucket >> TIMES_SUB_BITS;
  guint64 low = bucket & ((1 << TIMES_SUB_BITS) - 1);

  if (shift == 0)
    return low;
  return ((low + (1 << TIMES_SUB_BITS) + 1) << (shift - 1)) - 1;
}

void
times_add (Times *times, guint64 ns)
{
  times->count[bucket_of (ns)]++;
  times->total++;
  times->longest = MAX (times->longest, ns);
  if (ns > 10 * NS_PER_MS)
    times->n_over10++;
  if (ns > 40 * NS_PER_MS)
    times->n_long++;
}

void
times_merge (Times *times, const Times *others)
{
  guint bucket;

  for (bucket = 0; bucket < TIMES_BUCKETS; bucket++)
    times->count[bucket] += others->count[bucket];
  times->total += others->total;
  times->longest = MAX (times->longest, others->longest);
  times->n_over10 += others->n_over10;
  times->n_long += others->n_long;
}

static gdouble
times_ms (const Times *times, gdouble share)
{
  guint64 wanted = (guint64) ((gdouble) times->total * share), seen = 0;
  guint bucket;

  for (bucket = 0; bucket < TIMES_BUCKETS - 1; bucket++) {
    seen += times->count[bucket];
    if (seen > wanted)
      break;
  }
  return (gdouble) MIN (bucket_end (bucket), times->longest) / NS_PER_MS;
}

void
times_print (const Times *times, const gchar *who)
{
  g_print (" %s_p50=%.4f %s_p99=%.4f %s_p999=%.4f %s_max=%.4f", who,
      times_ms (times, 0.5), who, times_ms (times, 0.99), who,
      times_ms (times, 0.999), who, (gdouble) times->longest / NS_PER_MS);
  g_print (" %s_over10=%" G_GUINT64_FORMAT " %s_long=%" G_GUINT64_FORMAT, who,
      times->n_over10, who, times->n_long);
}

/* ---- contents ---- */

/* Each page starts with a stamp of its own; the rest of it is one word, so that
 * filling is as fast as memory, and the sum of a page tells any change. */

static guint64
stamp_of (guint64 block, gsize page)
{
  return (block << 24 | page) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
}

void
contents_fill (guint8 *data, gsize size, guint64 block)
{
  const gsize n_words = size / sizeof (guint64);
  guint64 *words = (guint64 *) data;
  gsize start, i;

  for (start = 0; start < n_words; start += PAGE_WORDS) {
    const guint64 stamp = stamp_of (block, start), rest = ~stamp;
    const gsize end = MIN (start + PAGE_WORDS, n_words);

    words[start] = stamp;
    for (i = start + 1; i < end; i++)
      words[i] = rest;
  }
  memset (data + n_words * sizeof (guint64), (int) (block & 0xff),
      size % sizeof (guint64));
}

gboolean
contents_right (const guint8 *data, gsize size, guint64 block)
{
  const gsize n_words = size / sizeof (guint64);
  const guint64 *words = (const guint64 *) data;
  gsize start, i;

  for (start = 0; start < n_words; start += PAGE_WORDS) {
    const guint64 stamp = stamp_of (block, start);
    const gsize end = MIN (start + PAGE_WORDS, n_words);
    guint64 differs = words[start] ^ stamp;

    for (i = start + 1; i < end; i++)
      differs |= words[i] ^ ~stamp;
    if (differs != 0)
      return FALSE;
  }
  for (i = n_words * sizeof (guint64); i < size; i++) {
    if (data[i] != (guint8) block)
      return FALSE;
  }
  return TRUE;
}

/* ---- the process ---- */

static gdouble
seconds (struct timeval time)
{
  return (gdouble) time.tv_sec + (gdouble) time.tv_usec / 1e6;
}

/* VmHWM; ru_maxrss starts with what the process before exec() had. */
static guint64
rss_peak (void)
{
  g_autofree gchar *text = NULL;
  const gchar *found;

  if (!g_file_get_contents ("/proc/self/status", &text, NULL, NULL))
    return 0;
  found = strstr (text, "\nVmHWM:");
  return found != NULL
      ? g_ascii_strtoull (found + strlen ("\nVmHWM:"), NULL, 10) << 10
      : 0;
}

void
moment_now (Moment *moment)
{
  getrusage (RUSAGE_SELF, &moment->usage);
  process_io (&moment->io);
  moment->ns = clock_ns (CLOCK_MONOTONIC);
}

void
moment_print_since (const Moment *since, gdouble bytes)
{
  Moment now;
  gdouble took;

  moment_now (&now);
  took = (gdouble) (now.ns - since->ns) / 1e9;
  g_print ("mib_s=%.1f seconds=%.3f user=%.3f system=%.3f", bytes / MIB / took,
      took, seconds (now.usage.ru_utime) - seconds (since->usage.ru_utime),
      seconds (now.usage.ru_stime) - seconds (since->usage.ru_stime));
  g_print (" minor_faults=%ld major_faults=%ld",
      now.usage.ru_minflt - since->usage.ru_minflt,
      now.usage.ru_majflt - since->usage.ru_majflt);
  g_print (" device_read=%" G_GUINT64_FORMAT " device_write=%" G_GUINT64_FORMAT
           " rss_peak=%" G_GUINT64_FORMAT,
      now.io.device_read - since->io.device_read,
      now.io.device_written - since->io.device_written, rss_peak ());
}
