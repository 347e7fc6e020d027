/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * streams.c: many queues at once, each with a producer and a consumer of its
 * own, or all with one producer, as behind a demuxer.
 *
 * The queues are filled to their depths first. From then on each consumer takes
 * a block whenever its producer has added one, so that the delay is constant;
 * what is measured begins --settle seconds later, and lasts for --seconds. With
 * --slow-streams some of the streams are slower than the others by a factor,
 * and as much shallower. With --pause a consumer in turn stops for a second.
 *
 * Prints one line of name=value: the rate held, bytes written and read per byte
 * that passed, and the times of the consumers.
 *
 * Locking: a queue's mutex is for its ring; it is not held while a block is
 * written or read.
 */
#include "program.h"

#include <stdatomic.h>

#define BATCH 4096   /* bytes that are worth a look at the clock */
#define FILL_SPEED 4 /* times the rate */

typedef struct
{
  gsize block;
  guint64 rate; /* bytes a second */
  gsize depth;  /* blocks */

  GMutex lock;
  GCond changed;
  GstMemory **ring;
  gsize n_in, n_out;

  /* The consumer's, while it counts. */
  Times times;
  guint64 n_moved; /* blocks */
} Queue;

static struct
{
  gint64 depth; /* bytes of all together */
  gint streams;
  gint n_slow;
  gint slow;
  gdouble rate; /* MiB/s of all together; 0: as fast as they can */
  gdouble settle;
  gdouble seconds;
  gboolean demux;
  gboolean pause;
} options = {.depth = 256 << 20,
    .streams = 8,
    .slow = 625,
    .rate = 20,
    .settle = 2.5,
    .seconds = 10};

static Program program = {.name = "streams", .block = 16384};
static Queue *queues;
static GMutex start_lock;
static GCond start_changed;
static gint n_full;
static gboolean measuring;
static atomic_bool counting, stopping;
static guint64 filling, started; /* when that began */

static guint64
tag (const Queue *queue, gsize i)
{
  return ((guint64) (queue - queues) << 32) + i;
}

static void
produce (Queue *queue)
{
  GstMemory *mem = program_write_block (&program, tag (queue, queue->n_in));

  g_mutex_lock (&queue->lock);
  while (queue->n_in - queue->n_out > queue->depth && !stopping)
    g_cond_wait (&queue->changed, &queue->lock);
  queue->ring[queue->n_in % (queue->depth + 2)] = mem;
  queue->n_in++;
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->lock);
}

static void
consume (Queue *queue)
{
  GstMemory *mem;
  GstMapInfo info;
  gsize i;
  guint64 since;

  g_mutex_lock (&queue->lock);
  while (queue->n_in - queue->n_out <= queue->depth && !stopping)
    g_cond_wait (&queue->changed, &queue->lock);
  i = queue->n_out;
  mem = stopping ? NULL : queue->ring[i % (queue->depth + 2)];
  g_mutex_unlock (&queue->lock);
  if (mem == NULL)
    return;

  since = clock_ns (CLOCK_MONOTONIC);
  block_map (mem, &info, tag (queue, i));
  if (counting) {
    times_add (&queue->times, clock_ns (CLOCK_MONOTONIC) - since);
    queue->n_moved++;
  }
  gst_memory_unmap (mem, &info);
  gst_memory_unref (mem);
  g_mutex_lock (&queue->lock);
  queue->n_out++;
  g_cond_broadcast (&queue->changed);
  g_mutex_unlock (&queue->lock);
}

static void
wait_for_start (void)
{
  g_mutex_lock (&start_lock);
  n_full++;
  g_cond_broadcast (&start_changed);
  while (!measuring)
    g_cond_wait (&start_changed, &start_lock);
  g_mutex_unlock (&start_lock);
}

/* Sleeps until so many bytes may have passed since then. */
static void
pace (guint64 since, guint64 bytes, guint64 rate)
{
  guint64 due, now;

  if (rate == 0)
    return;
  due = since + (guint64) ((gdouble) bytes * 1e9 / (gdouble) rate);
  now = clock_ns (CLOCK_MONOTONIC);
  if (due > now)
    g_usleep ((due - now) / 1000);
}

static gpointer
run_producer (gpointer data)
{
  Queue *queue = data;
  gsize n = 0;

  /* At a pace too, or the first blocks of all streams would be a mixture that
   * the rest is not. */
  while (queue->n_in < queue->depth && !stopping) {
    produce (queue);
    pace (filling, queue->n_in * queue->block, queue->rate * FILL_SPEED);
  }
  wait_for_start ();
  while (!stopping) {
    produce (queue);
    n++;
    if (n * queue->block % BATCH < queue->block)
      pace (started, n * queue->block, queue->rate);
  }
  return NULL;
}

/* One thread for all: a block for each in turn, as often as its rate asks. */
static gpointer
run_demuxer (gpointer unused)
{
  gdouble *owed = g_new0 (gdouble, options.streams);
  guint64 bytes = 0, all = 0;
  gdouble fastest = 0;
  gboolean full = FALSE;
  gint i;

  for (i = 0; i < options.streams; i++) {
    fastest = MAX (fastest, (gdouble) queues[i].rate);
    all += queues[i].rate;
  }
  while (!stopping) {
    gboolean all_full = TRUE;

    for (i = 0; i < options.streams && !stopping; i++) {
      owed[i] += (gdouble) queues[i].rate / fastest;
      if (owed[i] >= 1 && (full || queues[i].n_in < queues[i].depth)) {
        owed[i]--;
        produce (&queues[i]);
        bytes += full ? queues[i].block : 0;
      }
      all_full = all_full && queues[i].n_in >= queues[i].depth;
    }
    if (!full && all_full) {
      full = TRUE;
      for (i = 0; i < options.streams; i++)
        owed[i] = 0;
      wait_for_start ();
    }
    if (full)
      pace (started, bytes, options.rate > 0 ? all : 0);
  }
  g_free (owed);
  return NULL;
}

static gpointer
run_consumer (gpointer data)
{
  Queue *queue = data;
  guint64 number = (guint64) (queue - queues), paused = 0;

  while (!stopping) {
    guint64 second =
        started == 0 ? 0 : (clock_ns (CLOCK_MONOTONIC) - started) / 1000000000;

    if (options.pause && started != 0 && second != paused
        && second % (guint64) options.streams == number) {
      paused = second;
      g_usleep (G_USEC_PER_SEC);
    }
    consume (queue);
  }
  return NULL;
}

static void
setup (void)
{
  const gdouble all = options.rate > 0 ? options.rate * MIB : 1e9;
  gsize n_blocks = 0;
  gdouble shares = 0;
  gint i;

  for (i = 0; i < options.streams; i++)
    shares += i < options.n_slow ? 1.0 / options.slow : 1.0;
  queues = g_new0 (Queue, options.streams);
  for (i = 0; i < options.streams; i++) {
    gdouble share = (i < options.n_slow ? 1.0 / options.slow : 1.0) / shares;

    queues[i].block = (gsize) program.block;
    queues[i].rate = (guint64) (all * share);
    queues[i].depth =
        MAX ((gsize) ((gdouble) options.depth * share) / queues[i].block, 2);
    queues[i].ring = g_new0 (GstMemory *, queues[i].depth + 2);
    n_blocks += queues[i].depth + 4;
  }
  program_make_allocator (&program, n_blocks);
}

static void
print_result (const Traffic *before, const Traffic *after)
{
  g_autofree Times *times = g_new0 (Times, 1);
  gdouble bytes = 0;
  gint i;

  for (i = 0; i < options.streams; i++) {
    bytes += (gdouble) queues[i].n_moved * (gdouble) queues[i].block;
    times_merge (times, &queues[i].times);
  }
  g_print (
      "held=%.2f ", bytes / MIB / ((gdouble) (after->ns - before->ns) / 1e9));
  traffic_print (before, after, bytes);
  times_print (times, "consumer");
  program_print_end (&program);
}

static void
run (void)
{
  const gint n_producers = options.demux ? 1 : options.streams;
  g_autofree GThread **threads = g_new0 (GThread *, n_producers);
  g_autofree GThread **consumers = g_new0 (GThread *, options.streams);
  Traffic before, after;
  gint i;

  filling = clock_ns (CLOCK_MONOTONIC);
  for (i = 0; i < n_producers; i++)
    threads[i] = g_thread_new (
        "producer", options.demux ? run_demuxer : run_producer, &queues[i]);
  g_mutex_lock (&start_lock);
  while (n_full < n_producers)
    g_cond_wait (&start_changed, &start_lock);
  started = clock_ns (CLOCK_MONOTONIC);
  measuring = TRUE;
  g_cond_broadcast (&start_changed);
  g_mutex_unlock (&start_lock);
  for (i = 0; i < options.streams; i++)
    consumers[i] = g_thread_new ("consumer", run_consumer, &queues[i]);
  /* What the filling has left behind settles first. */
  g_usleep ((gulong) (options.settle * G_USEC_PER_SEC));
  traffic_now (&program, &before);
  atomic_store (&counting, TRUE);
  g_usleep ((gulong) (options.seconds * G_USEC_PER_SEC));
  atomic_store (&counting, FALSE);
  traffic_now (&program, &after);
  atomic_store (&stopping, TRUE);
  for (i = 0; i < options.streams; i++) {
    g_mutex_lock (&queues[i].lock);
    g_cond_broadcast (&queues[i].changed);
    g_mutex_unlock (&queues[i].lock);
  }
  for (i = 0; i < n_producers; i++)
    g_thread_join (threads[i]);
  for (i = 0; i < options.streams; i++)
    g_thread_join (consumers[i]);
  print_result (&before, &after);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"streams", 0, 0, G_OPTION_ARG_INT, &options.streams, "Queues", "N"},
      {"slow-streams", 0, 0, G_OPTION_ARG_INT, &options.n_slow,
          "Of those, slow ones", "N"},
      {"slow", 0, 0, G_OPTION_ARG_INT, &options.slow, "By which factor", "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT64, &options.depth, "Bytes in all queues",
          "N"},
      {"rate", 0, 0, G_OPTION_ARG_DOUBLE, &options.rate,
          "MiB/s of all together; 0: as fast as they can", "N"},
      {"settle", 0, 0, G_OPTION_ARG_DOUBLE, &options.settle,
          "Seconds that pass before", "N"},
      {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds,
          "How long it is measured", "N"},
      {"demux", 0, 0, G_OPTION_ARG_NONE, &options.demux, "One producer for all",
          NULL},
      {"pause", 0, 0, G_OPTION_ARG_NONE, &options.pause,
          "Each second another consumer stops for one", NULL},
      {NULL}};

  program_parse (&program, entries, argc, argv);
  if (options.streams < 1 || options.slow < 1)
    program_usage (&program);
  setup ();
  run ();
  /* The blocks go with the process. */
  return 0;
}
