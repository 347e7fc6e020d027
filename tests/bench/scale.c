/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scale.c: many live blocks, and blocks that live long.
 *
 *   live     makes --live blocks and keeps them. Then, with all of them live,
 *            times three kinds of operation, each of which allocates a block,
 *            maps it for writing, touches it and unmaps it:
 *              fresh  and frees the new block, after a look at it
 *              fifo   and frees the oldest block without a look
 *              queue  and looks at the oldest block before it frees it
 *            The time of an operation is the median of batches; mean_ns has
 *            the waits for the disk in it.
 *            rss_per_block is what anonymous memory grew by with each block,
 *            in_blocks what of it is the blocks' own bytes.
 *   headers  a queue of --live blocks through which --total bytes pass, and
 *            every --every bytes one block of --header bytes that stays until
 *            the end: codec headers among video. Shows what the few bytes that
 *            stay keep of memory, disk and addresses.
 *   mixed    blocks of any size from --block to --largest, each size as likely
 *            as one twice as large, until --total bytes have passed; --hold
 *            bytes are live, of which any block is the next to go, so that some
 *            live very much longer than others. Shows what is left of memory,
 *            disk and addresses in the end.
 *
 * Prints one line of name=value; --series names a file for a CSV of how it
 * went. A block that does not hold what was written ends the run with exit
 * code 1.
 */
#include "process.h"

#include <gst/filemem/filemem.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOUCHED 64 /* bytes of each block, or all of it */
#define BATCH 256
#define SAMPLES 64

typedef struct
{
  GstAllocator *allocator;
  gboolean is_filemem;
  gsize block;
  guint64 n_live;
  GstMemory **queue; /* the block of number i is in i % n_live */
  guint64 n;         /* blocks made */

  const guint8 *lowest; /* addresses seen */
  const guint8 *highest;
  FILE *series;
  guint mappings_most;
} Run;

G_NORETURN static void
fail (const gchar *what)
{
  g_printerr ("scale: %s\n", what);
  exit (1);
}

/* ---- blocks ---- */

static GstMemory *
make_block (Run *run, gsize size, guint64 stamp)
{
  GstMemory *mem = gst_allocator_alloc (run->allocator, size, NULL);
  GstMapInfo info;

  if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
    fail ("a block can't be written");
  memset (info.data, (int) (stamp & 0xff), MIN (size, TOUCHED));
  if (mem->allocator == run->allocator) {
    run->lowest =
        run->lowest == NULL ? info.data : MIN (run->lowest, info.data);
    run->highest = MAX (run->highest, info.data + size);
  }
  gst_memory_unmap (mem, &info);
  return mem;
}

static void
look_at (GstMemory *mem, guint64 stamp)
{
  GstMapInfo info;

  if (!gst_memory_map (mem, &info, GST_MAP_READ))
    fail ("a block can't be read");
  if (info.data[0] != (guint8) stamp
      || info.data[MIN (info.size, TOUCHED) - 1] != (guint8) stamp)
    fail ("a block holds other bytes than were written");
  gst_memory_unmap (mem, &info);
}

static void
put_block (Run *run)
{
  run->queue[run->n % run->n_live] = make_block (run, run->block, run->n);
  run->n++;
}

static void
drop_oldest (Run *run, gboolean look)
{
  GstMemory *mem = run->queue[run->n % run->n_live];

  if (look)
    look_at (mem, run->n - run->n_live);
  gst_memory_unref (mem);
}

static void
free_all (Run *run)
{
  guint64 i;

  for (i = 0; i < MIN (run->n, run->n_live); i++)
    gst_memory_unref (run->queue[i]);
}

/* ---- figures ---- */

static guint64
statistic (const GstStructure *stats, const gchar *name)
{
  guint64 value = 0;

  if (stats != NULL && !gst_structure_get_uint64 (stats, name, &value))
    fail ("filemem does not know one of its statistics");
  return value;
}

static GstStructure *
get_stats (const Run *run)
{
  return run->is_filemem ? gst_file_mem_allocator_get_stats (
             GST_FILE_MEM_ALLOCATOR (run->allocator))
                         : NULL;
}

static void
print_stats (const Run *run)
{
  static const gchar *const names[] = {"budget", "live-bytes", "resident-bytes",
      "resident-peak", "spilled-bytes", "disk-bytes", "disk-peak",
      "spill-bytes", "fill-bytes", "punched-bytes", "fallbacks", "over-budget"};
  GstStructure *stats = get_stats (run);
  guint i;

  if (stats == NULL)
    return;
  for (i = 0; i < G_N_ELEMENTS (names); i++)
    g_print (" %s=%" G_GUINT64_FORMAT, names[i], statistic (stats, names[i]));
  gst_structure_free (stats);
}

/* One line of the series; @passed is how far the run is. */
static void
sample (Run *run, guint64 passed, guint64 live)
{
  GstStructure *stats = get_stats (run);
  guint mappings = process_mappings ();

  run->mappings_most = MAX (run->mappings_most, mappings);
  if (run->series != NULL)
    fprintf (run->series,
        "%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
        ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT ",%" G_GUINT64_FORMAT
        ",%u\n",
        passed, live, process_anonymous (), statistic (stats, "resident-bytes"),
        statistic (stats, "disk-bytes"), (guint64) (run->highest - run->lowest),
        mappings);
  g_clear_pointer (&stats, gst_structure_free);
}

/* ---- live ---- */

typedef enum { FRESH, FIFO, QUEUE } Kind;

static void
do_one (Run *run, Kind kind)
{
  if (kind == FRESH) {
    GstMemory *mem = make_block (run, run->block, run->n);

    look_at (mem, run->n);
    gst_memory_unref (mem);
  } else {
    drop_oldest (run, kind == QUEUE);
    put_block (run);
  }
}

static gint
compare_ns (gconstpointer a, gconstpointer b)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return x < y ? -1 : x > y;
}

static void
time_kind (Run *run, Kind kind, const gchar *name, guint64 n)
{
  guint64 n_batches = MAX (n / BATCH, 16), i, j;
  g_autofree guint64 *ns = g_new (guint64, n_batches);
  guint64 sum = 0;

  /* A quarter more, first, to get used to it. */
  for (i = 0; i < n_batches / 4 * BATCH; i++)
    do_one (run, kind);
  for (i = 0; i < n_batches; i++) {
    ns[i] = clock_ns (CLOCK_MONOTONIC);
    for (j = 0; j < BATCH; j++)
      do_one (run, kind);
    ns[i] = clock_ns (CLOCK_MONOTONIC) - ns[i];
    sum += ns[i];
  }
  qsort (ns, n_batches, sizeof (guint64), compare_ns);
  g_print ("%s_ns=%.1f %s_mean_ns=%.1f ", name,
      (gdouble) ns[n_batches / 2] / BATCH, name,
      (gdouble) sum / (gdouble) (n_batches * BATCH));
}

static void
run_live (Run *run, guint64 operations)
{
  guint64 before = process_anonymous (), after, in_blocks, start;
  const guint64 step = MAX (run->n_live / SAMPLES, 1);
  guint mappings_before = process_mappings ();
  gdouble n = (gdouble) run->n_live;

  start = clock_ns (CLOCK_MONOTONIC);
  while (run->n < run->n_live) {
    put_block (run);
    if (run->n % step == 0)
      sample (run, run->n * run->block, run->n * run->block);
  }
  g_print ("make_ns=%.1f ", (gdouble) (clock_ns (CLOCK_MONOTONIC) - start) / n);

  after = process_anonymous ();
  in_blocks = run->is_filemem ? process_resident (run->lowest, run->highest)
                              : run->n_live * run->block;
  g_print ("rss_per_block=%.1f in_blocks=%.1f gst_memory=%u ",
      ((gdouble) after - (gdouble) before) / n, (gdouble) in_blocks / n,
      (guint) sizeof (GstMemory));

  time_kind (run, FRESH, "fresh", operations);
  time_kind (run, FIFO, "fifo", operations);
  time_kind (run, QUEUE, "queue", operations);
  sample (run, run->n * run->block, run->n_live * run->block);
  g_print ("mappings_before=%u mappings_most=%u", mappings_before,
      run->mappings_most);
  print_stats (run);

  start = clock_ns (CLOCK_MONOTONIC);
  free_all (run);
  g_print (
      " free_ns=%.1f\n", (gdouble) (clock_ns (CLOCK_MONOTONIC) - start) / n);
}

/* ---- headers ---- */

typedef struct
{
  gdouble waste; /* bytes of memory and disk for each live byte */
  guint64 span;
} Kept;

static Kept
what_is_kept (Run *run, guint64 live)
{
  GstStructure *stats = get_stats (run);
  Kept kept = {(gdouble) (statistic (stats, "resident-bytes")
                   + statistic (stats, "disk-bytes"))
          / (gdouble) live,
      (guint64) (run->highest - run->lowest)};

  g_clear_pointer (&stats, gst_structure_free);
  return kept;
}

static void
run_headers (Run *run, guint64 total, guint64 every, gsize size)
{
  const guint64 n_blocks = total / run->block;
  const guint64 step = MAX (n_blocks / SAMPLES, 1);
  g_autoptr (GPtrArray) headers = g_ptr_array_new ();
  guint64 live = 0;
  Kept half = {0}, end;
  guint i;

  while (run->n < n_blocks) {
    if (run->n >= run->n_live)
      drop_oldest (run, TRUE);
    put_block (run);
    if (run->n * run->block >= (headers->len + 1) * every)
      g_ptr_array_add (headers, make_block (run, size, headers->len));
    live = MIN (run->n, run->n_live) * run->block + headers->len * size;
    if (run->n % step == 0)
      sample (run, run->n * run->block, live);
    if (run->n == n_blocks / 2)
      half = what_is_kept (run, live);
  }
  end = what_is_kept (run, live);
  g_print ("headers=%u live=%" G_GUINT64_FORMAT
           " waste_half=%.2f waste=%.2f span_half=%" G_GUINT64_FORMAT
           " span=%" G_GUINT64_FORMAT " mappings_most=%u",
      headers->len, live, half.waste, end.waste, half.span, end.span,
      run->mappings_most);
  print_stats (run);
  g_print ("\n");

  for (i = 0; i < headers->len; i++) {
    look_at (g_ptr_array_index (headers, i), i);
    gst_memory_unref (g_ptr_array_index (headers, i));
  }
  free_all (run);
}

/* ---- mixed ---- */

typedef struct
{
  GstMemory *mem;
  guint64 stamp;
  gsize size;
} Block;

static gsize
drop_any (GArray *live, GRand *random)
{
  guint i = (guint) g_rand_int_range (random, 0, (gint32) live->len);
  Block block = g_array_index (live, Block, i);

  look_at (block.mem, block.stamp);
  gst_memory_unref (block.mem);
  g_array_remove_index_fast (live, i);
  return block.size;
}

static void
run_mixed (Run *run, guint64 total, gsize largest, guint64 hold)
{
  const gdouble least = log2 ((gdouble) run->block);
  const gdouble most = log2 ((gdouble) largest);
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  g_autoptr (GArray) live = g_array_new (FALSE, FALSE, sizeof (Block));
  guint64 passed = 0, n_live = 0, sampled = 0;

  while (passed < total) {
    Block block = {.stamp = run->n++,
        .size = (gsize) exp2 (g_rand_double_range (random, least, most))};

    while (n_live + block.size > hold)
      n_live -= drop_any (live, random);
    block.mem = make_block (run, block.size, block.stamp);
    g_array_append_val (live, block);
    n_live += block.size;
    passed += block.size;
    if (passed - sampled >= total / SAMPLES) {
      sample (run, passed, n_live);
      sampled = passed;
    }
  }
  g_print ("blocks=%" G_GUINT64_FORMAT " live=%" G_GUINT64_FORMAT
           " span=%" G_GUINT64_FORMAT " mappings_most=%u",
      run->n, n_live, (guint64) (run->highest - run->lowest),
      run->mappings_most);
  print_stats (run);
  g_print ("\n");
  while (live->len > 0)
    drop_any (live, random);
}

typedef enum { LIVE, HEADERS, MIXED, N_MODES } Mode;

/* N_MODES: there is no such one. */
static Mode
mode_named (const gchar *name)
{
  static const gchar *const names[N_MODES] = {"live", "headers", "mixed"};
  guint mode = 0;

  while (mode < N_MODES && !g_str_equal (names[mode], name))
    mode++;
  return (Mode) mode;
}

int
main (int argc, char **argv)
{
  gint64 block = 188, live = 10000, operations = 200000, header = 256;
  gint64 total = G_GINT64_CONSTANT (4) << 30, every = 4 << 20;
  gint64 largest = 8 << 20, hold = 1 << 30;
  g_autofree gchar *dir = g_strdup ("/var/tmp"), *ram = g_strdup ("256M"),
                   *size = g_strdup ("50%"), *series = NULL;
  const GOptionEntry entries[] = {
      {"block", 0, 0, G_OPTION_ARG_INT64, &block, "Bytes of a block", "N"},
      {"live", 0, 0, G_OPTION_ARG_INT64, &live, "Live blocks", "N"},
      {"operations", 0, 0, G_OPTION_ARG_INT64, &operations,
          "How many of each kind", "N"},
      {"total", 0, 0, G_OPTION_ARG_INT64, &total, "Bytes in all", "N"},
      {"every", 0, 0, G_OPTION_ARG_INT64, &every, "Bytes from header to header",
          "N"},
      {"header", 0, 0, G_OPTION_ARG_INT64, &header, "Bytes of a header", "N"},
      {"largest", 0, 0, G_OPTION_ARG_INT64, &largest,
          "mixed: bytes of the largest block", "N"},
      {"hold", 0, 0, G_OPTION_ARG_INT64, &hold, "mixed: live bytes", "N"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Where the file is", "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &ram, "Budget of filemem", "SIZE"},
      {"size", 0, 0, G_OPTION_ARG_STRING, &size, "Size of filemem", "SIZE"},
      {"series", 0, 0, G_OPTION_ARG_FILENAME, &series, "A CSV of how it went",
          "FILE"},
      {NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new (
      "live|headers|mixed system|filemem - many live blocks, "
      "and blocks that live long");
  g_autoptr (GError) error = NULL;
  Run run = {NULL};
  Mode mode = N_MODES;
  gboolean good = FALSE;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 3) {
    mode = mode_named (argv[1]);
    run.is_filemem = g_str_equal (argv[2], "filemem");
    good =
        mode != N_MODES && (run.is_filemem || g_str_equal (argv[2], "system"));
  }
  if (!good || block < 1 || live < 1 || header < 1 || every < 1
      || operations < 1 || largest <= block || hold < largest) {
    g_printerr (
        "scale: %s\n", error != NULL ? error->message : "see scale --help");
    return 2;
  }

  if (run.is_filemem) {
    g_autofree gchar *options =
        g_strdup_printf ("dir=%s,ram=%s,size=%s", dir, ram, size);

    run.allocator = gst_file_mem_allocator_new (options, &error);
  } else {
    run.allocator = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  }
  if (run.allocator == NULL)
    fail (error->message);
  if (series != NULL) {
    run.series = fopen (series, "w");
    if (run.series == NULL)
      fail ("the file for the series can't be written");
    fputs ("passed,live,anonymous,resident,disk,span,mappings\n", run.series);
  }
  run.block = (gsize) block;
  run.n_live = (guint64) live;
  /* Touched here, so that it does not count as growth. */
  run.queue = g_new (GstMemory *, run.n_live);
  memset (run.queue, 1, run.n_live * sizeof (GstMemory *));

  switch (mode) {
    case LIVE:
      run_live (&run, (guint64) operations);
      break;
    case HEADERS:
      run_headers (&run, (guint64) total, (guint64) every, (gsize) header);
      break;
    case MIXED:
      run_mixed (&run, (guint64) total, (gsize) largest, (guint64) hold);
      break;
    case N_MODES:
      break;
  }

  if (run.series != NULL)
    fclose (run.series);
  g_free (run.queue);
  gst_object_unref (run.allocator);
  return 0;
}
