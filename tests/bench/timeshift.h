/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * timeshift.h: a time-shift buffer. The newest blocks are kept, as many as its
 * depth; a reader reads one for each that is written, in order, and jumps to a
 * random place in the buffer every now and then. The places are the same in
 * each run.
 *
 * The oldest blocks are dropped without having been read. A reader that finds
 * its place dropped (it was too slow) jumps as well.
 */
#ifndef FM_BENCH_TIMESHIFT_H
#define FM_BENCH_TIMESHIFT_H

#include "measure.h"

#include <gst/gst.h>

typedef struct
{
  /* To be set; depth and the following count blocks. */
  GstAllocator *allocator;
  gsize block;
  gsize depth;
  gsize slack; /* the writer may be ahead by this many */
  gsize n_total;
  gsize jump_every;

  /* What came of it. */
  Times producer, consumer;
  Times jump; /* the first block after a jump; not in consumer */
  gsize n_read, n_jumps, n_overtaken;
  ProcessIo steady_io[2]; /* when it was first full, and at the end */

  /* Inside. */
  gsize batch;
  GMutex lock; /* of the rest; not held while anything else is done */
  GCond changed;
  GstMemory **slot;
  gsize tail, head; /* the oldest and the next, counted from the start */
} Timeshift;

/* The most blocks that live at one time. */
gsize timeshift_most_live (const Timeshift *shift);

void timeshift_run (Timeshift *shift);

/* " steady_bytes= ... jumps= ..." */
void timeshift_print (const Timeshift *shift);

#endif
