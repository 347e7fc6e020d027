/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * orders.c: blocks that are read in other orders than they were written in.
 *
 *   loop       all of them, --times times
 *   backwards  all of them once, the last first
 *   random     half as many as there are, any of them
 *   skip       one of ten; the other nine are freed unread, all in order
 *   seek       a sixteenth of all in order, from anywhere, 16 times
 *   two        two readers, one a quarter of all behind the other; each reads
 *              all of them once, and the second frees them
 *
 * All blocks are written first. Where it is not said, they stay until the end.
 *
 * Prints one line of name=value: bytes written and read while the readers were
 * at work, for each byte that they asked for; all_written and all_spilled, the
 * same of the whole run for each byte that the blocks hold; and the readers'
 * times for a block. What a mapped file has to write counts when it becomes
 * dirty, which is before the readers begin.
 *
 * Locking: one mutex for how far the two readers are; it is not held while a
 * block is read.
 */
#include "program.h"

#define SKIP_EVERY 10
#define SEEKS 16

typedef struct
{
  Times times;
  gdouble bytes;
} Reader;

static struct
{
  gint64 depth;
  gchar *order;
  gint times;
} options = {.depth = 256 << 20, .times = 3};

static Program program = {.name = "orders", .block = 65536};
static GstMemory **blocks;
static gsize n_blocks;
static Reader readers[2];

static void
read_block (Reader *reader, gsize i)
{
  const guint64 since = clock_ns (CLOCK_MONOTONIC);
  GstMapInfo info;

  block_map (blocks[i], &info, i);
  times_add (&reader->times, clock_ns (CLOCK_MONOTONIC) - since);
  reader->bytes += (gdouble) info.size;
  gst_memory_unmap (blocks[i], &info);
}

static void
free_block (gsize i)
{
  gst_memory_unref (blocks[i]);
  blocks[i] = NULL;
}

/* ---- the orders ---- */

static void
read_loop (void)
{
  gint round;
  gsize i;

  for (round = 0; round < options.times; round++) {
    for (i = 0; i < n_blocks; i++)
      read_block (&readers[0], i);
  }
}

static void
read_backwards (void)
{
  gsize i;

  for (i = n_blocks; i > 0; i--)
    read_block (&readers[0], i - 1);
}

static void
read_random (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  gsize i;

  for (i = 0; i < n_blocks / 2; i++)
    read_block (
        &readers[0], (gsize) g_rand_int_range (random, 0, (gint32) n_blocks));
}

static void
read_skip (void)
{
  gsize i;

  for (i = 0; i < n_blocks; i++) {
    if (i % SKIP_EVERY == 0)
      read_block (&readers[0], i);
    free_block (i);
  }
}

static void
read_seek (void)
{
  const gsize length = n_blocks / SEEKS;
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  gsize seek, i;

  for (seek = 0; seek < SEEKS; seek++) {
    const gsize start =
        (gsize) g_rand_int_range (random, 0, (gint32) (n_blocks - length + 1));

    for (i = start; i < start + length; i++)
      read_block (&readers[0], i);
  }
}

static GMutex lock;
static GCond changed;
static gsize n_read[2]; /* by each of the two, under the lock */

static void
has_read (guint reader)
{
  g_mutex_lock (&lock);
  n_read[reader]++;
  g_cond_signal (&changed);
  g_mutex_unlock (&lock);
}

static gpointer
run_first (gpointer unused)
{
  gsize i;

  for (i = 0; i < n_blocks; i++) {
    g_mutex_lock (&lock);
    while (i > n_read[1] + n_blocks / 4)
      g_cond_wait (&changed, &lock);
    g_mutex_unlock (&lock);
    read_block (&readers[0], i);
    has_read (0);
  }
  return NULL;
}

static gpointer
run_second (gpointer unused)
{
  gsize i;

  for (i = 0; i < n_blocks; i++) {
    g_mutex_lock (&lock);
    while (n_read[0] < MIN (i + n_blocks / 4, n_blocks))
      g_cond_wait (&changed, &lock);
    g_mutex_unlock (&lock);
    read_block (&readers[1], i);
    free_block (i);
    has_read (1);
  }
  return NULL;
}

static void
read_two (void)
{
  GThread *first = g_thread_new ("first", run_first, NULL);
  GThread *second = g_thread_new ("second", run_second, NULL);

  g_thread_join (first);
  g_thread_join (second);
}

static const struct
{
  const gchar *name;
  void (*read) (void);
} orders[] = {{"loop", read_loop}, {"backwards", read_backwards},
    {"random", read_random}, {"skip", read_skip}, {"seek", read_seek},
    {"two", read_two}};

static void
run (void (*read) (void))
{
  Traffic start, written, end;
  gsize i;

  traffic_now (&program, &start);
  for (i = 0; i < n_blocks; i++)
    blocks[i] = program_write_block (&program, i);
  traffic_now (&program, &written);
  read ();
  traffic_now (&program, &end);
  times_merge (&readers[0].times, &readers[1].times);
  g_print ("seconds=%.3f ", (gdouble) (end.ns - written.ns) / 1e9);
  traffic_print (&written, &end, readers[0].bytes + readers[1].bytes);
  g_print (" all_written=%.3f all_spilled=%.3f",
      (gdouble) (end.io.device_written - start.io.device_written)
          / (gdouble) options.depth,
      (gdouble) (end.spilled - start.spilled) / (gdouble) options.depth);
  times_print (&readers[0].times, "consumer");
  program_print_end (&program);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"order", 0, 0, G_OPTION_ARG_STRING, &options.order,
          "loop (default), backwards, random, skip, seek or two", "NAME"},
      {"times", 0, 0, G_OPTION_ARG_INT, &options.times, "loop: how often", "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT64, &options.depth, "Bytes of all blocks",
          "N"},
      {NULL}};
  guint i;

  options.order = g_strdup ("loop");
  program_parse (&program, entries, argc, argv);
  n_blocks = (gsize) (options.depth / program.block);
  for (i = 0; i < G_N_ELEMENTS (orders); i++) {
    if (g_str_equal (options.order, orders[i].name))
      break;
  }
  if (i == G_N_ELEMENTS (orders) || options.times < 1 || n_blocks < SEEKS
      || n_blocks > G_MAXINT32 - 1)
    program_usage (&program);
  program_make_allocator (&program, n_blocks);
  blocks = g_new0 (GstMemory *, n_blocks);
  run (orders[i].read);
  /* The blocks go with the process. */
  return 0;
}
