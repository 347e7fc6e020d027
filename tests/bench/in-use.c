/* filemem: GStreamer's buffers on disk
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
#include "competitors.h"
#include "measure.h"

#include <stdatomic.h>
#include <stdlib.h>

#define FLOOR ((gsize) 8 << 20)

typedef struct
{
  GstMemory *mem;
  GstMapInfo info;
} Held;

static struct
{
  gint64 block;
  gint blocks, held, least_us;
  gboolean pool;
  gchar *dir, *ram;
} options = {.block = 1382400, .blocks = 500, .held = 50, .least_us = 5000};

static GstAllocator *allocator;
static GMutex lock;
static GCond changed;
static GQueue queue = G_QUEUE_INIT, pool = G_QUEUE_INIT;
static gsize most_queued;
static atomic_size_t mapped;

static void
fail (const gchar *what)
{
  g_printerr ("%s\n", what);
  exit (1);
}

static guint64
figure (const gchar *name)
{
  GstStructure *stats = NULL;
  guint64 value = 0;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (allocator), "stats")
      == NULL)
    return 0;
  g_object_get (allocator, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, name, &value);
  gst_structure_free (stats);
  return value;
}

static GstMemory *
take_block (void)
{
  GstMemory *mem;

  g_mutex_lock (&lock);
  mem = g_queue_pop_head (&pool);
  g_mutex_unlock (&lock);
  return mem != NULL
      ? mem
      : gst_allocator_alloc (allocator, (gsize) options.block, NULL);
}

static gpointer
produce (gpointer unused)
{
  gint i;

  for (i = 0; i < options.blocks; i++) {
    GstMemory *mem = take_block ();
    GstMapInfo info;

    if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
      fail ("a block can't be written");
    atomic_fetch_add (&mapped, info.size);
    contents_fill (info.data, info.size, (guint64) i);
    atomic_fetch_sub (&mapped, info.size);
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
  atomic_fetch_sub (&mapped, held->info.size);
  gst_memory_unmap (held->mem, &held->info);
  g_mutex_lock (&lock);
  if (options.pool)
    g_queue_push_tail (&pool, held->mem);
  g_mutex_unlock (&lock);
  if (!options.pool)
    gst_memory_unref (held->mem);
  held->mem = NULL;
}

/* By how much the promise is exceeded now. Taken while others move: two looks
 * at what is mapped, the larger counts. */
static guint64
excess (guint64 budget)
{
  guint64 before = atomic_load (&mapped);
  guint64 resident = figure ("resident-bytes");
  guint64 in_use = MAX (before, atomic_load (&mapped));
  guint64 promised =
      MAX (budget, in_use + MAX (FLOOR, 2 * (guint64) options.block));

  return resident > promised ? resident - promised : 0;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {{"block", 0, 0, G_OPTION_ARG_INT64,
                                      &options.block, "Bytes of a block", "N"},
      {"blocks", 0, 0, G_OPTION_ARG_INT, &options.blocks, "In all", "N"},
      {"held", 0, 0, G_OPTION_ARG_INT, &options.held, "At a time", "N"},
      {"least-us", 0, 0, G_OPTION_ARG_INT, &options.least_us,
          "Microseconds that the consumer takes for one", "N"},
      {"pool", 0, 0, G_OPTION_ARG_NONE, &options.pool,
          "Blocks are filled again", NULL},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &options.dir, "Where the file is",
          "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &options.ram, "Budget of filemem",
          "SIZE"},
      {NULL}};
  g_autofree gchar *names = competitor_names ();
  GOptionContext *context = g_option_context_new (names);
  const Competitor *competitor = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree Held *held = NULL;
  guint64 budget, most_excess = 0;
  Setting setting = {NULL};
  GThread *producer;
  Moment before;
  gdouble bytes;
  gint i;

  options.dir = g_strdup ("/var/tmp");
  options.ram = g_strdup ("64M");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2)
    competitor = competitor_find (argv[1]);
  g_option_context_free (context);
  if (competitor == NULL || options.held < 1 || options.block < 16) {
    g_printerr ("%s\n", error != NULL ? error->message : "see in-use --help");
    return 2;
  }
  setting = (Setting){.dir = options.dir,
      .ram = options.ram,
      .block = (gsize) options.block,
      .n_blocks = (gsize) options.blocks + 2};
  allocator = competitor->make (&setting, &error);
  if (allocator == NULL) {
    g_printerr ("%s\n", error->message);
    return 77;
  }
  held = g_new0 (Held, options.held);
  moment_now (&before);
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
    if (!gst_memory_map (slot->mem, &slot->info, GST_MAP_READ))
      fail ("a block can't be read");
    atomic_fetch_add (&mapped, slot->info.size);
    if (!contents_right (slot->info.data, slot->info.size, (guint64) i))
      fail ("a block holds other bytes than were written");
    budget = figure ("budget");
    most_excess = MAX (most_excess, excess (budget));
    g_usleep ((gulong) options.least_us);
  }
  g_thread_join (producer);
  bytes = (gdouble) options.block * options.blocks;
  moment_print_since (&before, bytes);
  g_print (" queued=%" G_GSIZE_FORMAT " written=%.3f read=%.3f excess=%.1f",
      most_queued * (gsize) options.block,
      (gdouble) figure ("spill-bytes") / bytes,
      (gdouble) figure ("fill-bytes") / bytes, (gdouble) most_excess / MIB);
  if (competitor->print != NULL)
    competitor->print (allocator);
  g_print ("\n");
  return 0;
}
