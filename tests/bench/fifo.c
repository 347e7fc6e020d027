/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fifo.c: one run of the FIFO benchmark.
 *
 * One thread allocates blocks, maps them, fills every byte and puts them into a
 * FIFO; another takes them out, maps them, checks every byte and frees them.
 * The FIFO is first filled to its depth; from then on it is kept between 15/16
 * of that and all of it, until everything has been written. What is measured
 * per block is how long the one took to allocate, map and fill it, and the
 * other to map and check it; waiting for each other does not count. The bytes
 * are part of it, because a mapped file makes a thread wait there and not in
 * gst_memory_map().
 *
 * With --paced each of the two starts a block only when its time has come.
 *
 * Prints one line of name=value. A byte that is not what was written ends the
 * run with exit code 1. fifo.py makes the table.
 */
#include "competitors.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define PAGE_WORDS 512
#define MIB ((gdouble) (1 << 20))
#define LONG_US 40000

/* ---- how long a block took ---- */

/* By length: 16 buckets for each doubling, so a percentile is right to 1/16. */
#define SUB_BITS 4
#define N_BUCKETS (64 << SUB_BITS)

typedef struct
{
  guint64 count[N_BUCKETS];
  guint64 total;
  guint64 longest; /* ns */
  guint64 n_long;
} Times;

static guint
bucket_of (guint64 ns)
{
  guint bits = g_bit_storage ((gulong) ns);

  if (bits <= SUB_BITS)
    return (guint) ns;
  return ((bits - SUB_BITS) << SUB_BITS)
      + (guint) ((ns >> (bits - SUB_BITS - 1)) & ((1 << SUB_BITS) - 1));
}

/* The longest time that falls into the bucket. */
static guint64
bucket_end (guint bucket)
{
  guint shift = bucket >> SUB_BITS;
  guint64 low = bucket & ((1 << SUB_BITS) - 1);

  if (shift == 0)
    return low;
  return ((low + (1 << SUB_BITS) + 1) << (shift - 1)) - 1;
}

static void
times_add (Times *times, guint64 ns)
{
  times->count[bucket_of (ns)]++;
  times->total++;
  times->longest = MAX (times->longest, ns);
  if (ns > LONG_US * 1000)
    times->n_long++;
}

static gdouble
times_ms (const Times *times, gdouble share)
{
  guint64 wanted = (guint64) ((gdouble) times->total * share), seen = 0;
  guint bucket;

  for (bucket = 0; bucket < N_BUCKETS - 1; bucket++) {
    seen += times->count[bucket];
    if (seen > wanted)
      break;
  }
  return (gdouble) MIN (bucket_end (bucket), times->longest) / 1e6;
}

static void
times_print (const Times *times, const gchar *who)
{
  g_print (" %s_p50=%.3f %s_p99=%.3f %s_p999=%.3f %s_max=%.3f "
           "%s_long=%" G_GUINT64_FORMAT,
      who, times_ms (times, 0.5), who, times_ms (times, 0.99), who,
      times_ms (times, 0.999), who, (gdouble) times->longest / 1e6, who,
      times->n_long);
}

/* ---- contents ---- */

/* Each page starts with a stamp of its own; the rest of it is one word, so that
 * filling is as fast as memory, and the sum of a page tells any change. */

static guint64
stamp_of (guint64 block, gsize page)
{
  return (block << 24 | page) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
}

static void
fill (guint8 *data, gsize size, guint64 block)
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

static gboolean
check (const guint8 *data, gsize size, guint64 block)
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

/* ---- the FIFO ---- */

typedef struct
{
  GMutex lock;
  GCond changed;
  GstMemory **slot;
  gsize n_slots;
  gsize least; /* kept in it while it is being written */
  gsize n_in;  /* put in so far */
  gsize n_out;
  gsize n_total;
  gboolean was_full;
} Fifo;

static void
fifo_init (Fifo *fifo, gsize depth, gsize total)
{
  g_mutex_init (&fifo->lock);
  g_cond_init (&fifo->changed);
  fifo->slot = g_new (GstMemory *, depth);
  fifo->n_slots = depth;
  fifo->least = depth - MAX (depth / 16, 1);
  fifo->n_total = total;
}

static void
fifo_clear (Fifo *fifo)
{
  g_mutex_clear (&fifo->lock);
  g_cond_clear (&fifo->changed);
  g_free (fifo->slot);
}

static void
fifo_wait_for_place (Fifo *fifo)
{
  g_mutex_lock (&fifo->lock);
  while (fifo->n_in - fifo->n_out == fifo->n_slots)
    g_cond_wait (&fifo->changed, &fifo->lock);
  g_mutex_unlock (&fifo->lock);
}

static void
fifo_put (Fifo *fifo, GstMemory *mem)
{
  g_mutex_lock (&fifo->lock);
  fifo->slot[fifo->n_in++ % fifo->n_slots] = mem;
  if (fifo->n_in - fifo->n_out == fifo->n_slots)
    fifo->was_full = TRUE;
  if (fifo->was_full || fifo->n_in == fifo->n_total)
    g_cond_signal (&fifo->changed);
  g_mutex_unlock (&fifo->lock);
}

static gboolean
may_take (Fifo *fifo)
{
  return fifo->n_in == fifo->n_total
      || (fifo->was_full && fifo->n_in - fifo->n_out > fifo->least);
}

static GstMemory *
fifo_take (Fifo *fifo)
{
  GstMemory *mem;

  g_mutex_lock (&fifo->lock);
  while (!may_take (fifo))
    g_cond_wait (&fifo->changed, &fifo->lock);
  mem = fifo->slot[fifo->n_out++ % fifo->n_slots];
  g_cond_signal (&fifo->changed);
  g_mutex_unlock (&fifo->lock);
  return mem;
}

/* ---- the workload ---- */

typedef struct
{
  GstAllocator *allocator;
  gsize block;
  guint64 rate; /* bytes a second at most, or 0 */
  Fifo fifo;
  Times producer;
  Times consumer;
} Run;

static guint64
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return (guint64) now.tv_sec * G_GUINT64_CONSTANT (1000000000)
      + (guint64) now.tv_nsec;
}

static void
wait_for_turn (const Run *run, gint64 start, gsize i)
{
  gint64 early;

  if (run->rate == 0)
    return;
  early = start + (gint64) (i * run->block * G_USEC_PER_SEC / run->rate)
      - g_get_monotonic_time ();
  if (early > 0)
    g_usleep ((gulong) early);
}

static void
fail (const gchar *what, gsize i)
{
  g_printerr ("fifo: block %" G_GSIZE_FORMAT ": %s\n", i, what);
  exit (1);
}

static gpointer
produce (gpointer data)
{
  Run *run = data;
  gint64 start = g_get_monotonic_time ();
  gsize i;

  for (i = 0; i < run->fifo.n_total; i++) {
    GstMapInfo info;
    GstMemory *mem;
    guint64 before;

    fifo_wait_for_place (&run->fifo);
    wait_for_turn (run, start, i);
    before = now_ns ();
    mem = gst_allocator_alloc (run->allocator, run->block, NULL);
    if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
      fail ("can't be written", i);
    fill (info.data, info.size, i);
    times_add (&run->producer, now_ns () - before);
    gst_memory_unmap (mem, &info);
    fifo_put (&run->fifo, mem);
  }
  return NULL;
}

static void
consume (Run *run)
{
  gint64 start = 0;
  gsize i;

  for (i = 0; i < run->fifo.n_total; i++) {
    GstMemory *mem = fifo_take (&run->fifo);
    GstMapInfo info;
    guint64 before;

    if (start == 0)
      start = g_get_monotonic_time ();
    wait_for_turn (run, start, i);
    before = now_ns ();
    if (!gst_memory_map (mem, &info, GST_MAP_READ))
      fail ("can't be read", i);
    if (!check (info.data, info.size, i))
      fail ("holds other bytes than were written", i);
    times_add (&run->consumer, now_ns () - before);
    gst_memory_unmap (mem, &info);
    gst_memory_unref (mem);
  }
}

/* What the device was asked for, by this process. */
static void
print_io (void)
{
  g_autofree gchar *text = NULL;
  const gchar *found;
  guint64 n;

  if (!g_file_get_contents ("/proc/self/io", &text, NULL, NULL))
    return;
  found = strstr (text, "\nread_bytes: ");
  if (found != NULL && sscanf (found, " read_bytes: %" G_GUINT64_FORMAT, &n))
    g_print (" read=%" G_GUINT64_FORMAT, n);
  found = strstr (text, "\nwrite_bytes: ");
  if (found != NULL && sscanf (found, " write_bytes: %" G_GUINT64_FORMAT, &n))
    g_print (" written=%" G_GUINT64_FORMAT, n);
}

static gdouble
seconds (struct timeval time)
{
  return (gdouble) time.tv_sec + (gdouble) time.tv_usec / 1e6;
}

static void
measure (Run *run, const Competitor *competitor)
{
  struct rusage before, after;
  guint64 start = now_ns ();
  gdouble took, bytes = (gdouble) run->fifo.n_total * (gdouble) run->block;
  GThread *producer;

  getrusage (RUSAGE_SELF, &before);
  producer = g_thread_new ("producer", produce, run);
  consume (run);
  g_thread_join (producer);
  took = (gdouble) (now_ns () - start) / 1e9;
  getrusage (RUSAGE_SELF, &after);

  g_print ("mib_s=%.1f seconds=%.2f user=%.2f system=%.2f", bytes / MIB / took,
      took, seconds (after.ru_utime) - seconds (before.ru_utime),
      seconds (after.ru_stime) - seconds (before.ru_stime));
  g_print (" minor_faults=%ld major_faults=%ld",
      after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt);
  times_print (&run->producer, "producer");
  times_print (&run->consumer, "consumer");
  print_io ();
  if (competitor->print != NULL)
    competitor->print (run->allocator);
  g_print ("\n");
}

int
main (int argc, char **argv)
{
  gint64 block = 3 << 20, depth = G_GINT64_CONSTANT (3) << 30,
         total = G_GINT64_CONSTANT (9) << 30;
  g_autofree gchar *dir = g_strdup ("/var/tmp"), *ram = g_strdup ("256M");
  gint paced = 0;
  const GOptionEntry entries[] = {
      {"block", 0, 0, G_OPTION_ARG_INT64, &block, "Bytes of a block", "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT64, &depth, "Bytes in the FIFO", "N"},
      {"total", 0, 0, G_OPTION_ARG_INT64, &total, "Bytes in all", "N"},
      {"paced", 0, 0, G_OPTION_ARG_INT, &paced, "MiB/s at most", "N"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Where the file is", "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &ram, "Budget of filemem", "SIZE"},
      {NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new (
      "system|mmap|filemem - one run of the FIFO benchmark");
  g_autoptr (GError) error = NULL;
  const Competitor *competitor = NULL;
  Run run = {NULL};
  Setting setting;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2)
    competitor = competitor_find (argv[1]);
  if (competitor == NULL || block < 1 || depth < 2 * block || total < depth) {
    g_printerr (
        "fifo: %s\n", error != NULL ? error->message : "see fifo --help");
    return 2;
  }

  fifo_init (&run.fifo, (gsize) (depth / block), (gsize) (total / block));
  run.block = (gsize) block;
  run.rate = (guint64) MAX (paced, 0) << 20;
  setting.dir = dir;
  setting.ram = ram;
  setting.block = run.block;
  setting.n_blocks = run.fifo.n_slots + 2; /* one in the hands of each */
  run.allocator = competitor->make (&setting, &error);
  if (run.allocator == NULL) {
    g_printerr ("fifo: %s\n", error->message);
    return 1;
  }
  measure (&run, competitor);
  gst_object_unref (run.allocator);
  fifo_clear (&run.fifo);
  return 0;
}
