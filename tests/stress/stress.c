/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stress.c: everything at once, under a budget that is far too small.
 *
 * Some threads allocate blocks of all sizes with all kinds of parameters, write
 * them, hand them to each other through queues, and do to what they get
 * whatever a program may do: map and read, map twice, write again, read and
 * write, map for writing and write nothing, copy, share, resize, read through
 * the pointer of an earlier map, free. Every byte of a block follows from the
 * block's number and its place, so whoever has a block can check it at any
 * time. A block's address must never change.
 *
 * The budget is the smallest there is, or up to twice that, which changes now
 * and then, and some tens of times as much is kept alive, so that nearly every
 * map meets an extent that is spilled, being spilled or being filled.
 *
 * A block belongs to the thread that took it from its inbox; one that has been
 * shared is never written again. The inboxes use pthread's locks, which
 * sanitizers know.
 *
 *   stress [--seconds N] [--seed N] [--threads N] [--live MIB]
 *
 * FILEMEM_STRESS_SECONDS is the default of --seconds. The seed decides what the
 * threads do, but not how they meet. Exit code: 0 all well, 1 a failure, 77 too
 * little space on disk.
 */
#include <gst/filemem/filemem.h>

#include "items.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#define SIZE "1G"
#define DISK_MIN (3 * (guint64) 1024 * MIB)
#define MOST_THREADS 64

/* What ram=0 comes to, and how many things a thread does until it changes
 * that. */
#define BUDGET_MIN (4 * MIB)
#define BUDGET_CHANGES 1000

typedef struct
{
  guint index;
  GRand *random;
  guint64 n_items;
} Worker;

static GstAllocator *allocator;
static Inbox inbox[MOST_THREADS];
static guint n_threads = 6;
static gint64 live_most = 128 * (gint64) MIB;
static gint64 deadline;
static _Atomic guint64 budget_most = BUDGET_MIN;

/* ---- what can be done ---- */

static gboolean
chance (Worker *worker, gint percent)
{
  return g_rand_int_range (worker->random, 0, 100) < percent;
}

static gsize
below (Worker *worker, gsize limit)
{
  return limit > 0
      ? (gsize) g_rand_double_range (worker->random, 0, (gdouble) limit)
      : 0;
}

static gsize
random_size (Worker *worker)
{
  switch (g_rand_int_range (worker->random, 0, 20)) {
    case 0:
      return 0;
    case 1 ... 7:
      return below (worker, 4 * KIB);
    case 8 ... 14:
      return below (worker, 128 * KIB);
    case 15 ... 17:
      return below (worker, 768 * KIB);
    case 18:
      return EXTENT * (1 + below (worker, 4));
    default:
      return below (worker, 3 * MIB);
  }
}

static void
random_params (Worker *worker, GstAllocationParams *params)
{
  gst_allocation_params_init (params);
  if (chance (worker, 50))
    params->align = ((gsize) 1 << below (worker, 8)) - 1;
  else if (chance (worker, 5))
    params->align = ((gsize) 1 << below (worker, 17)) - 1;
  if (chance (worker, 30))
    params->prefix = below (worker, 300);
  if (chance (worker, 30))
    params->padding = below (worker, 300);
  if (chance (worker, 20))
    params->flags |= GST_MEMORY_FLAG_ZERO_PREFIXED;
  if (chance (worker, 20))
    params->flags |= GST_MEMORY_FLAG_ZERO_PADDED;
}

/* The bytes around what counts, which a program reaches by resizing. */
static void
check_zeros (GstMemory *mem, const GstAllocationParams *params, gsize size)
{
  gsize from = 0, to = size + params->prefix + params->padding, i;
  GstMapInfo info;

  gst_memory_resize (mem, -(gssize) params->prefix, to);
  if (!gst_memory_map (mem, &info, GST_MAP_READ)) {
    complain (NULL, "a fresh memory can't be mapped");
    return;
  }
  for (i = from; i < to; i++) {
    gboolean zero = i < params->prefix
        ? (params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED) != 0
        : i >= params->prefix + size
            && (params->flags & GST_MEMORY_FLAG_ZERO_PADDED) != 0;

    if (zero && info.data[i] != 0) {
      complain (
          NULL, "byte %" G_GSIZE_FORMAT " around a memory is not zero", i);
      break;
    }
  }
  gst_memory_unmap (mem, &info);
  gst_memory_resize (mem, (gssize) params->prefix, size);
}

static Item *
own_item (Worker *worker, GstMemory *mem, guint64 number, gsize start)
{
  worker->n_items++;
  return item_new (mem, number, start);
}

static void
write_item (Worker *worker, Item *item, GstMapFlags flags)
{
  GstMapInfo info;

  if (!map_item (item, &info, flags))
    return;
  if ((flags & GST_MAP_READ) != 0)
    check_contents (item, info.data, "mapped to read and write");
  item->number = worker->n_items << 8 | worker->index;
  worker->n_items++;
  write_contents (info.data, item->number, item->start, item->size);
  if (chance (worker, 10))
    check_contents (item, info.data, "just written");
  unmap_item (item, &info);
}

static Item *
make_item (Worker *worker)
{
  GstAllocationParams params;
  gsize size = random_size (worker);
  GstMemory *mem;
  Item *item;
  gint64 pin;

  random_params (worker, &params);
  pin = 2 * pin_of (size + params.prefix + params.padding + 2 * params.align);
  count_pin (pin);
  mem = gst_allocator_alloc (allocator, size, &params);
  if (mem == NULL || mem->allocator != allocator) {
    complain (NULL, "no memory of %" G_GSIZE_FORMAT " bytes", size);
    exit (1);
  }
  if (params.flags != 0)
    check_zeros (mem, &params, size);
  item = own_item (worker, mem, 0, 0);
  write_item (worker, item, GST_MAP_WRITE);
  count_pin (-pin);
  if (((gsize) item->data & params.align) != 0 && params.prefix == 0)
    complain (item, "is at %p, not aligned to %" G_GSIZE_FORMAT, item->data,
        params.align + 1);
  return item;
}

static void
read_item (Worker *worker, Item *item)
{
  GstMapInfo info, again;

  if (!map_item (item, &info, GST_MAP_READ))
    return;
  if (chance (worker, 30) && map_item (item, &again, GST_MAP_READ)) {
    check_contents (item, again.data, "mapped twice");
    unmap_item (item, &again);
  }
  check_contents (item, info.data, "mapped to read");
  unmap_item (item, &info);
}

/* A map for writing that writes nothing leaves what was there. */
static void
touch_item (Item *item)
{
  GstMapInfo info;

  if (map_item (item, &info, GST_MAP_WRITE))
    unmap_item (item, &info);
}

/* Reads without a map, as some elements do: the address shows the bytes for the
 * whole life of the block. */
static void
stray_read (Item *item)
{
  if (item->data != NULL)
    check_contents (item, item->data, "read after unmap");
}

static Item *
copy_item (Worker *worker, Item *item)
{
  gsize start = below (worker, item->size + 1);
  gsize size = below (worker, item->size - start + 1);
  gint64 pin = pin_of (item->mem->maxsize) + 2 * pin_of (size);
  GstMemory *copy;

  count_pin (pin);
  copy = gst_memory_copy (item->mem, (gssize) start, (gssize) size);
  count_pin (-pin);
  if (copy == NULL) {
    complain (item, "can't be copied");
    return NULL;
  }
  return own_item (worker, copy, item->number, item->start + start);
}

static Item *
share_item (Worker *worker, Item *item)
{
  gsize start = below (worker, item->size + 1);
  gsize size = below (worker, item->size - start + 1);
  GstMemory *sub = gst_memory_share (item->mem, (gssize) start, (gssize) size);
  Item *share;

  if (sub == NULL) {
    complain (item, "can't be shared");
    return NULL;
  }
  share = own_item (worker, sub, item->number, item->start + start);
  item->shared = share->shared = TRUE;
  return share;
}

static void
resize_item (Worker *worker, Item *item)
{
  gsize start, size;

  /* A memory that others look into keeps its size. */
  if (!gst_memory_is_writable (item->mem))
    return;
  start = below (worker, item->size + 1);
  size = below (worker, item->size - start + 1);
  gst_memory_resize (item->mem, (gssize) start, size);
  atomic_fetch_sub (&live_bytes, (gint64) (item->size - size));
  item->start += start;
  item->size = size;
  if (item->data != NULL)
    item->data += start;
}

/* ---- the threads ---- */

static void
pass_on (Worker *worker, Item *item)
{
  if (item == NULL)
    return;
  if (++item->n_passes > 4) {
    read_item (worker, item);
    item_free (item);
  } else {
    put (item, &inbox[below (worker, n_threads)]);
  }
}

static void
handle (Worker *worker, Item *item)
{
  Item *other = NULL;

  if (chance (worker, 30))
    stray_read (item);
  switch (g_rand_int_range (worker->random, 0, 12)) {
    case 0 ... 3:
      read_item (worker, item);
      break;
    case 4 ... 5:
      if (!item->shared)
        write_item (worker, item, GST_MAP_READWRITE);
      break;
    case 6 ... 7:
      if (!item->shared)
        write_item (worker, item, GST_MAP_WRITE);
      break;
    case 8:
      if (!item->shared)
        touch_item (item);
      break;
    case 9:
      other = copy_item (worker, item);
      break;
    case 10:
      other = share_item (worker, item);
      break;
    default:
      resize_item (worker, item);
      break;
  }
  if (chance (worker, 30))
    stray_read (item);
  pass_on (worker, other);
  pass_on (worker, item);
}

/* Somebody changes the budget now and then. */
static void
change_budget (Worker *worker)
{
  guint64 bytes = BUDGET_MIN + below (worker, BUDGET_MIN);
  guint64 most = atomic_load (&budget_most);

  while (most < bytes
      && !atomic_compare_exchange_weak (&budget_most, &most, bytes))
    continue;
  gst_file_mem_allocator_set_ram (GST_FILE_MEM_ALLOCATOR (allocator), bytes);
}

static void *
work (void *data)
{
  Worker *worker = data;

  while (g_get_monotonic_time () < deadline && !atomic_load (&failed)) {
    Item *item = NULL;

    if (below (worker, BUDGET_CHANGES) == 0)
      change_budget (worker);
    if (atomic_load (&live_bytes) >= live_most || chance (worker, 20))
      item = take (&inbox[worker->index]);
    if (item != NULL) {
      handle (worker, item);
    } else {
      item = make_item (worker);
      /* Straight after it was written, as a queue's neighbour would. */
      if (chance (worker, 20))
        handle (worker, item);
      else
        pass_on (worker, item);
    }
  }
  return NULL;
}

/* ---- the end ---- */

static void
drain (void)
{
  Worker worker = {0, g_rand_new_with_seed (0), 0};
  guint i;

  for (i = 0; i < n_threads; i++) {
    Item *item;

    while ((item = take (&inbox[i])) != NULL) {
      read_item (&worker, item);
      item_free (item);
    }
  }
  g_rand_free (worker.random);
}

static guint64
figure (const GstStructure *stats, const gchar *name)
{
  guint64 value = 0;

  if (!gst_structure_get_uint64 (stats, name, &value))
    complain (NULL, "there is no figure %s", name);
  return value;
}

static void
check_figures (void)
{
  static const gchar *const some[] = {
      "spills", "fills", "spill-cancels", "prefetches"};
  static const gchar *const none[] = {"live-blocks", "live-bytes", "fallbacks",
      "maps-failed", "spill-failures", "disk-full", "io-errors",
      "extents-retired", "maps-in-place"};
  GstStructure *stats =
      gst_file_mem_allocator_get_stats (GST_FILE_MEM_ALLOCATOR (allocator));
  gint64 most =
      (gint64) atomic_load (&budget_most) + atomic_load (&pinned_peak);
  gchar *text = gst_structure_to_string (stats);
  guint i;

  printf ("%s\n", text);
  g_free (text);
  for (i = 0; i < G_N_ELEMENTS (some); i++) {
    if (figure (stats, some[i]) == 0)
      complain (NULL, "there were no %s", some[i]);
  }
  for (i = 0; i < G_N_ELEMENTS (none); i++) {
    if (figure (stats, none[i]) != 0)
      complain (
          NULL, "%s is %" G_GUINT64_FORMAT, none[i], figure (stats, none[i]));
  }
  if (figure (stats, "resident-peak") > (guint64) most)
    complain (NULL,
        "%" G_GUINT64_FORMAT " bytes were resident, budget and what was mapped "
        "were %" G_GINT64_FORMAT,
        figure (stats, "resident-peak"), most);
  if (figure (stats, "disk-peak") > figure (stats, "size"))
    complain (NULL, "the file took %" G_GUINT64_FORMAT " bytes",
        figure (stats, "disk-peak"));
  gst_structure_free (stats);
}

static void
run (guint seed)
{
  Worker worker[MOST_THREADS];
  pthread_t thread[MOST_THREADS];
  guint i;

  for (i = 0; i < n_threads; i++) {
    pthread_mutex_init (&inbox[i].lock, NULL);
    inbox[i].tail = &inbox[i].head;
    worker[i].index = i;
    worker[i].random = g_rand_new_with_seed (seed + i);
    worker[i].n_items = 0;
  }
  for (i = 0; i < n_threads; i++) {
    if (pthread_create (&thread[i], NULL, work, &worker[i]) != 0) {
      complain (NULL, "no thread");
      exit (1);
    }
  }
  for (i = 0; i < n_threads; i++)
    pthread_join (thread[i], NULL);
  drain ();
  for (i = 0; i < n_threads; i++) {
    pthread_mutex_destroy (&inbox[i].lock);
    g_rand_free (worker[i].random);
  }
}

static gboolean
disk_has_room (const gchar *dir)
{
  struct statvfs info;

  return statvfs (dir, &info) == 0
      && (guint64) info.f_bavail * info.f_frsize >= DISK_MIN;
}

int
main (int argc, char **argv)
{
  const gchar *text = g_getenv ("FILEMEM_STRESS_SECONDS");
  const gchar *dir = g_getenv ("GST_FILEMEM_DIR");
  gint seconds = text != NULL ? atoi (text) : 10;
  gint64 seed = g_random_int ();
  gint threads = 6, live = 128;
  const GOptionEntry entries[] = {
      {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "How long", "N"},
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "To do the same again", "N"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "How many", "N"},
      {"live", 0, 0, G_OPTION_ARG_INT, &live, "MiB to keep alive", "N"},
      {NULL}};
  GOptionContext *context = g_option_context_new ("- stress of the allocator");
  GError *error = NULL;
  gboolean parsed;

  gst_init (NULL, NULL);
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_option_context_add_main_entries (context, entries, NULL);
  parsed = g_option_context_parse (context, &argc, &argv, &error);
  g_option_context_free (context);
  if (!parsed || threads < 1 || threads > MOST_THREADS || seconds < 1) {
    fprintf (stderr, "stress: %s\n",
        error != NULL ? error->message : "see stress --help");
    return 2;
  }
  if (!disk_has_room (dir != NULL ? dir : "/var/tmp")) {
    fputs ("stress: less than 3 GiB free on disk: skipped\n", stderr);
    return 77;
  }

  n_threads = (guint) threads;
  live_most = live * (gint64) MIB;
  printf ("stress: %d s, %u threads, %d MiB alive, seed %u\n", seconds,
      n_threads, live, (guint) seed);
  fflush (stdout);
  allocator = gst_file_mem_allocator_new ("ram=0,size=" SIZE, &error);
  if (allocator == NULL) {
    fprintf (stderr, "stress: %s\n", error->message);
    return 1;
  }
  deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  run ((guint) seed);
  check_figures ();
  gst_object_unref (allocator);
  gst_deinit ();
  puts (atomic_load (&failed) ? "stress: failed" : "stress: all well");
  return atomic_load (&failed) ? 1 : 0;
}
