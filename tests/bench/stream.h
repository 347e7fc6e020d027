/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stream.h: one thread writes blocks into a FIFO, another reads them.
 *
 * The FIFO is first filled to its depth. From then on it is kept between that
 * and a little less (slack) until everything has been written, and then read to
 * its end. Blocks go through in batches of 64 KiB where they are smaller, so
 * that it is not the FIFO's lock that is measured.
 *
 * What is measured per block is how long the one took to allocate, map and fill
 * it, and the other to map and check it; waiting for each other does not count.
 * The bytes are part of it, because a mapped file makes a thread wait there and
 * not in gst_memory_map().
 *
 * Locking: a stream's mutex is for its FIFO and its list of used blocks; a
 * Group's for what several streams have in common. Neither is held while
 * anything else is done.
 */
#ifndef FM_BENCH_STREAM_H
#define FM_BENCH_STREAM_H

#include "measure.h"

#include <gst/gst.h>
#include <stdatomic.h>

#define MOST_STREAMS 2

typedef struct Stream Stream;

/* Streams that run together. */
typedef struct
{
  Stream *stream[MOST_STREAMS];
  guint n_streams;
  /* No producer is ahead of the other by more than this share of what it has
   * to write, or 0. */
  gdouble lead;

  GMutex lock; /* of the rest */
  GCond changed;
  guint n_full;
  /* From when all FIFOs were full to when the first producer had ended. */
  gboolean steady_begun, steady_ended;
  ProcessIo steady_io[2];
  guint64 steady_written[2]; /* bytes, by the producers */
  guint64 steady_ns[2];
} Group;

struct Stream
{
  /* To be set. */
  const gchar *name;
  GstAllocator *allocator;
  Group *group;
  gsize block; /* bytes */
  gsize depth; /* blocks, as the following */
  gsize slack;
  gsize room; /* may be in the FIFO in the end, at least depth */
  gsize n_total;
  guint64 rate;         /* bytes a second at most, or 0 */
  gboolean pool;        /* blocks are used again, the oldest first */
  Stream *starts_after; /* begins when that one's FIFO was full, or NULL */
  Stream *counts_after; /* times count when that one's FIFO was full, or NULL */
  /* How long, in microseconds, and before which block. A consumer that has
   * stopped catches up then; a producer goes on as slowly as before. */
  gint64 consumer_stop, producer_stop;
  gsize consumer_stops_at, producer_stops_at;

  /* What came of it. */
  Times producer, consumer;
  guint64 finished_ns; /* when the last block had been read */

  /* Inside. */
  gsize batch;
  GMutex lock;
  GCond changed;
  GstMemory **slot;
  GstMemory **used; /* a pool's blocks that were read */
  gsize n_in, n_out, n_used_in, n_used_out;
  _Atomic gsize n_produced;
  atomic_bool was_full;
  GThread *thread[2];
};

/* Blocks that go through the FIFO at a time. */
gsize stream_batch (gsize block);

/* The most blocks that live at one time. */
gsize stream_most_live (const Stream *stream);

/* Runs all streams to their end. A block that can't be written or read, or
 * holds anything else than was written, ends the program with status 1. */
void group_run (Group *group);

/* " steady_seconds= steady_bytes= steady_device_write= steady_device_read=" */
void group_print_steady (const Group *group);

/* Writes and unmaps a block, reads one; the time goes into @times, which may be
 * NULL. */
void block_write (GstMemory *mem, gsize i, guint64 since, Times *times);
void block_read (GstMemory *mem, gsize i, Times *times);

#endif
