/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * in-use.c: an element that holds what it uses, as an encoder that looks ahead.
 *
 * A producer fills blocks as fast as it can, which gather in a queue; a
 * consumer takes one every so often and keeps it mapped until it has --held of
 * them, then lets the oldest go. With --pool blocks that were let go are filled
 * again before new ones are allocated, as GstBufferPool has it.
 *
 * Prints one line of name=value: bytes written and read per byte that passed,
 * the most that was resident, and by how much that exceeded what was promised:
 * the larger of the budget and what was mapped with a floor.
 *
 * Locking: one mutex for the queue and the pool; it is not held while a block
 * is written or read.
 */
#include "program.h"

#define FLOOR ((guint64) 8 << 20)
#define PAGE ((guint64) 4096)

typedef struct
{
  GstMemory *mem;
  GstMapInfo info;
} Held;

static struct
{
  gint blocks, held, least_us;
  gboolean pool, check;
} options = {.blocks = 500, .held = 50, .least_us = 5000};

static Program program = {.name = "in-use", .block = 1382400};
static GMutex lock;
static GCond changed;
static GQueue queue = G_QUEUE_INIT, pool = G_QUEUE_INIT;
static gsize most_queued;
static gsize n_held; /* by the consumer */

static GstMemory *
take_block (void)
{
  GstMemory *mem;

  g_mutex_lock (&lock);
  mem = g_queue_pop_head (&pool);
  g_mutex_unlock (&lock);
  return mem != NULL
      ? mem
      : gst_allocator_alloc (program.allocator, (gsize) program.block, NULL);
}

static gpointer
produce (gpointer unused)
{
  gint i;

  for (i = 0; i < options.blocks; i++) {
    GstMemory *mem = take_block ();
    GstMapInfo info;

    if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
      program_fail ("a block can't be written");
    contents_fill (info.data, info.size, (guint64) i);
    gst_memory_unmap (mem, &info);
    g_mutex_lock (&lock);
    g_queue_push_tail (&queue, mem);
    most_queued = MAX (most_queued, queue.length);
    g_cond_signal (&changed);
    g_mutex_unlock (&lock);
  }
  return NULL;
}

static void
let_go (Held *held)
{
  gst_memory_unmap (held->mem, &held->info);
  n_held--;
  g_mutex_lock (&lock);
  if (options.pool)
    g_queue_push_tail (&pool, held->mem);
  g_mutex_unlock (&lock);
  if (!options.pool)
    gst_memory_unref (held->mem);
  held->mem = NULL;
}

/* By how much the promise is exceeded now. The producer has a block in use, or
 * just had. */
static guint64
excess (void)
{
  /* It is set when the first block is allocated. */
  guint64 budget = program_figure (&program, "budget");
  guint64 resident = program_figure (&program, "resident-bytes");
  /* Whole pages are resident. */
  guint64 block = ((guint64) program.block + PAGE - 1) & -PAGE;
  guint64 promised =
      MAX (budget, (n_held + 1) * block + MAX (FLOOR, 2 * block));

  return resident > promised ? resident - promised : 0;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"blocks", 0, 0, G_OPTION_ARG_INT, &options.blocks, "In all", "N"},
      {"held", 0, 0, G_OPTION_ARG_INT, &options.held, "At a time", "N"},
      {"least-us", 0, 0, G_OPTION_ARG_INT, &options.least_us,
          "Microseconds that the consumer takes for one", "N"},
      {"pool", 0, 0, G_OPTION_ARG_NONE, &options.pool,
          "Blocks are filled again", NULL},
      {"check", 0, 0, G_OPTION_ARG_NONE, &options.check,
          "Fail if the promise was not kept", NULL},
      {NULL}};
  g_autofree Held *held = NULL;
  guint64 most_excess = 0;
  GThread *producer;
  Traffic start, end;
  Moment before;
  gdouble bytes;
  gint i;

  program_parse (&program, entries, argc, argv);
  if (options.held < 1)
    program_usage (&program);
  program_make_allocator (&program, (gsize) options.blocks + 2);
  held = g_new0 (Held, options.held);
  moment_now (&before);
  traffic_now (&program, &start);
  producer = g_thread_new ("producer", produce, NULL);
  for (i = 0; i < options.blocks; i++) {
    Held *slot = &held[i % options.held];

    if (slot->mem != NULL)
      let_go (slot);
    g_mutex_lock (&lock);
    while (queue.length == 0)
      g_cond_wait (&changed, &lock);
    slot->mem = g_queue_pop_head (&queue);
    g_mutex_unlock (&lock);
    block_map (slot->mem, &slot->info, (guint64) i);
    n_held++;
    most_excess = MAX (most_excess, excess ());
    g_usleep ((gulong) options.least_us);
  }
  g_thread_join (producer);
  traffic_now (&program, &end);
  bytes = (gdouble) program.block * options.blocks;
  moment_print_since (&before, bytes);
  g_print (" queued=%" G_GSIZE_FORMAT " excess=%.1f ",
      most_queued * (gsize) program.block, (gdouble) most_excess / MIB);
  traffic_print (&start, &end, bytes);
  program_print_end (&program);
  if (options.check && most_excess > 0)
    program_fail ("more is resident than was promised");
  if (options.check && program_figure (&program, "over-budget") > 0)
    program_fail ("the budget was exceeded for want of room");
  return 0;
}
