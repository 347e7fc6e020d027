/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * measure.h: how long blocks took, what they hold, and what the process used.
 */
#ifndef FM_BENCH_MEASURE_H
#define FM_BENCH_MEASURE_H

#include "process.h"

#include <sys/resource.h>

#define MIB ((gdouble) (1 << 20))

/* ---- times, by length ---- */

/* 16 buckets for each doubling, so a percentile is right to 1/16. */
#define TIMES_SUB_BITS 4
#define TIMES_BUCKETS (64 << TIMES_SUB_BITS)

typedef struct
{
  guint64 count[TIMES_BUCKETS];
  guint64 total;
  guint64 longest; /* ns */
  guint64 n_over10;
  guint64 n_long; /* over 40 ms */
} Times;

void times_add (Times *times, guint64 ns);
void times_merge (Times *times, const Times *others);

/* " WHO_p50=" and so on, in milliseconds. */
void times_print (const Times *times, const gchar *who);

/* ---- contents of a block ---- */

/* Fills @size bytes at @data as what block number @block holds; tells whether
 * they hold that. */
void contents_fill (guint8 *data, gsize size, guint64 block);
gboolean contents_right (const guint8 *data, gsize size, guint64 block);

/* ---- the process ---- */

typedef struct
{
  struct rusage usage;
  ProcessIo io;
  guint64 ns;
} Moment;

void moment_now (Moment *moment);

/* What went through and what was used since then: "mib_s= seconds= user=
 * system= minor_faults= major_faults= device_read= device_write=", and the
 * process's "rss_peak=". */
void moment_print_since (const Moment *since, gdouble bytes);

#endif
