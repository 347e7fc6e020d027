/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fifo.c: one run of one workload by one competitor.
 *
 *   fifo   blocks are allocated, written, wait in a deep FIFO, are read and
 *          freed (stream.h)
 *   pool   the same with blocks that are written again and again, the one that
 *          was read first is written next, as GstBufferPool has it
 *   mix    two such streams side by side, a 51st of the bytes being audio in
 *          blocks of 4 KiB
 *   two    two such streams of half the depth and half the bytes each, neither
 *          ahead of the other by more than a 32nd
 *   pause  two streams; the second starts when the first has filled its FIFO,
 *          and pauses for a while. The consumer of the first stops, and then
 *          catches up as fast as it can. Times count from the first fill on
 *   seek   a time-shift buffer (timeshift.h)
 *
 * With --paced a block is only started when its time has come. --slack and
 * --jump are in bytes, so that they mean the same for blocks of any size.
 *
 * Prints one line of name=value; times are in milliseconds, and steady_* is
 * from when the FIFO was full for the first time to the last block's writing. A
 * byte that is not what was written ends the run with exit code 1.
 */
#include "competitors.h"
#include "stream.h"
#include "timeshift.h"

#include <stdlib.h>
#include <string.h>

#define AUDIO_BLOCK 4096
#define AUDIO_PARTS 51     /* of the bytes, one is audio */
#define MIX_LEAD (8 << 20) /* bytes that one may be ahead */
#define TWO_LEAD (1.0 / 32)
#define ROOM_BYTES ((gint64) 64 << 20) /* more than the pause needs */

typedef struct
{
  gchar *workload;
  gchar *dir, *ram;
  gint64 block, depth, total;
  gint64 slack;    /* 0: a sixteenth of the depth */
  gint64 jump;     /* bytes between jumps */
  gint paced;      /* MiB/s */
  gdouble seconds; /* of the consumer's stop */
} Options;

static const Competitor *competitor;

static void
make_allocator (
    const Options *options, Setting *setting, GstAllocator **ret_allocator)
{
  g_autoptr (GError) error = NULL;

  setting->dir = options->dir;
  setting->ram = options->ram;
  *ret_allocator = competitor->make (setting, &error);
  if (*ret_allocator == NULL) {
    g_printerr ("%s\n", error->message);
    exit (77);
  }
}

static void
print_end (GstAllocator *allocator)
{
  if (competitor->print != NULL)
    competitor->print (allocator);
  g_print ("\n");
}

/* ---- streams ---- */

static void
stream_setup (Stream *stream, Group *group, const gchar *name,
    const Options *options, gint64 block, gint64 depth, gint64 total)
{
  const gsize batch = stream_batch ((gsize) block);

  memset (stream, 0, sizeof (*stream));
  stream->name = name;
  stream->group = group;
  stream->block = (gsize) block;
  stream->depth = (gsize) MAX (depth / block, (gint64) (2 * batch));
  stream->slack = options->slack > 0 ? (gsize) (options->slack / block)
                                     : stream->depth / 16;
  stream->slack = CLAMP (stream->slack, batch, stream->depth);
  stream->room = stream->depth;
  stream->n_total = MAX ((gsize) (total / block), stream->depth);
  stream->rate = (guint64) options->paced << 20;
  group->stream[group->n_streams++] = stream;
}

static void
setup_streams (const Options *options, Group *group, Stream stream[2])
{
  const gint64 depth = options->depth, total = options->total;
  const gint64 us = (gint64) (options->seconds * G_USEC_PER_SEC);

  if (g_str_equal (options->workload, "mix")) {
    stream_setup (&stream[0], group, "video", options, options->block,
        depth / AUDIO_PARTS * (AUDIO_PARTS - 1),
        total / AUDIO_PARTS * (AUDIO_PARTS - 1));
    stream_setup (&stream[1], group, "audio", options, AUDIO_BLOCK,
        depth / AUDIO_PARTS, total / AUDIO_PARTS);
    stream[0].rate = stream[0].rate / AUDIO_PARTS * (AUDIO_PARTS - 1);
    stream[1].rate = stream[1].rate / AUDIO_PARTS;
    group->lead = (gdouble) MIX_LEAD / (gdouble) total;
  } else if (g_str_equal (options->workload, "two")) {
    stream_setup (&stream[0], group, "first", options, options->block,
        depth / 2, total / 2);
    stream_setup (&stream[1], group, "second", options, options->block,
        depth / 2, total / 2);
    stream[0].rate /= 2;
    stream[1].rate /= 2;
    group->lead = TWO_LEAD;
  } else if (g_str_equal (options->workload, "pause")) {
    stream_setup (
        &stream[0], group, "first", options, options->block, depth, total);
    stream[0].consumer_stop = us;
    stream[0].consumer_stops_at = (stream[0].n_total - stream[0].depth) / 8;
    stream[0].room += (gsize) ((options->seconds * (gdouble) stream[0].rate
                                   + (gdouble) ROOM_BYTES)
        / (gdouble) stream[0].block);
    /* As fast, but half as much in all, and it pauses half as long: so it is at
     * work again when the first one's consumer has to catch up. */
    stream_setup (&stream[1], group, "second", options, options->block,
        depth / 4, total / 2);
    stream[1].starts_after = &stream[0];
    stream[1].producer_stop = us / 2;
    stream[1].producer_stops_at = stream[1].n_total / 2;
    stream[0].counts_after = stream[1].counts_after = &stream[0];
  } else {
    stream_setup (&stream[0], group, "", options, options->block, depth, total);
    stream[0].pool = g_str_equal (options->workload, "pool");
  }
}

static void
print_streams (const Group *group, const Moment *before)
{
  g_autofree Times *producers = g_new0 (Times, 1),
                   *consumers = g_new0 (Times, 1);
  guint i;

  for (i = 0; i < group->n_streams; i++) {
    times_merge (producers, &group->stream[i]->producer);
    times_merge (consumers, &group->stream[i]->consumer);
  }
  times_print (producers, "producer");
  times_print (consumers, "consumer");
  for (i = 0; group->n_streams > 1 && i < group->n_streams; i++) {
    const Stream *stream = group->stream[i];
    g_autofree gchar *producer = g_strconcat (stream->name, "_producer", NULL);
    g_autofree gchar *consumer = g_strconcat (stream->name, "_consumer", NULL);

    times_print (&stream->producer, producer);
    times_print (&stream->consumer, consumer);
    g_print (" %s_seconds=%.3f", stream->name,
        (gdouble) (stream->finished_ns - before->ns) / 1e9);
  }
  group_print_steady (group);
}

static void
run_streams (const Options *options)
{
  Group group = {{NULL}};
  g_autofree Stream *stream = g_new0 (Stream, MOST_STREAMS);
  Setting setting = {NULL};
  GstAllocator *allocator;
  gdouble bytes = 0;
  Moment before;
  guint i;

  setup_streams (options, &group, stream);
  setting.block = stream[0].block;
  for (i = 0; i < group.n_streams; i++) {
    if (stream[i].block == setting.block) {
      setting.n_blocks += stream_most_live (&stream[i]);
    } else {
      setting.other_block = stream[i].block;
      setting.n_other_blocks += stream_most_live (&stream[i]);
    }
    bytes += (gdouble) stream[i].block * (gdouble) stream[i].n_total;
  }
  make_allocator (options, &setting, &allocator);
  for (i = 0; i < group.n_streams; i++)
    stream[i].allocator = allocator;

  moment_now (&before);
  group_run (&group);
  moment_print_since (&before, bytes);
  print_streams (&group, &before);
  print_end (allocator);
  gst_object_unref (allocator);
}

/* ---- seek ---- */

static void
run_timeshift (const Options *options)
{
  g_autofree Timeshift *shift = g_new0 (Timeshift, 1);
  Setting setting = {NULL};
  GstAllocator *allocator;
  Moment before;

  shift->block = (gsize) options->block;
  shift->depth = (gsize) (options->depth / options->block);
  shift->n_total = (gsize) (options->total / options->block);
  shift->slack =
      MAX ((gsize) ((options->slack > 0 ? options->slack : options->depth / 16)
               / options->block),
          2 * stream_batch (shift->block));
  shift->jump_every = (gsize) MAX (options->jump / options->block, 1);
  setting.block = shift->block;
  setting.n_blocks = timeshift_most_live (shift);
  make_allocator (options, &setting, &allocator);
  shift->allocator = allocator;

  moment_now (&before);
  timeshift_run (shift);
  moment_print_since (
      &before, (gdouble) shift->block * (gdouble) shift->n_total);
  times_print (&shift->producer, "producer");
  times_print (&shift->consumer, "consumer");
  timeshift_print (shift);
  print_end (allocator);
  gst_object_unref (allocator);
}

int
main (int argc, char **argv)
{
  static const gchar *const workloads[] = {
      "fifo", "pool", "mix", "two", "pause", "seek", NULL};
  Options options = {.workload = g_strdup ("fifo"),
      .dir = g_strdup ("/var/tmp"),
      .ram = g_strdup ("256M"),
      .block = 3 << 20,
      .depth = G_GINT64_CONSTANT (3) << 30,
      .total = G_GINT64_CONSTANT (9) << 30,
      .jump = 96 << 20,
      .seconds = 10};
  const GOptionEntry entries[] = {
      {"workload", 0, 0, G_OPTION_ARG_STRING, &options.workload,
          "fifo (default), pool, mix, two, pause or seek", "NAME"},
      {"block", 0, 0, G_OPTION_ARG_INT64, &options.block, "Bytes of a block",
          "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT64, &options.depth, "Bytes in the FIFO",
          "N"},
      {"total", 0, 0, G_OPTION_ARG_INT64, &options.total, "Bytes in all", "N"},
      {"slack", 0, 0, G_OPTION_ARG_INT64, &options.slack,
          "Bytes below the depth at which the consumer waits", "N"},
      {"jump", 0, 0, G_OPTION_ARG_INT64, &options.jump,
          "seek: bytes between two jumps", "N"},
      {"pause", 0, 0, G_OPTION_ARG_DOUBLE, &options.seconds,
          "pause: how long the consumer stops", "SECONDS"},
      {"paced", 0, 0, G_OPTION_ARG_INT, &options.paced, "MiB/s at most", "N"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &options.dir, "Where the file is",
          "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &options.ram, "Budget of filemem",
          "SIZE"},
      {NULL}};
  g_autofree gchar *names = competitor_names ();
  GOptionContext *context = g_option_context_new (names);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2) {
    competitor = competitor_find (argv[1]);
    /* One that was not built is one that can't run here. */
    if (competitor == NULL && g_str_equal (argv[1], "memkind")) {
      g_printerr ("built without memkind\n");
      return 77;
    }
  }
  g_option_context_free (context);
  if (competitor == NULL || options.block < 8
      || options.depth < 2 * options.block || options.total < options.depth
      || options.paced < 0 || !g_strv_contains (workloads, options.workload)) {
    g_printerr ("%s\n", error != NULL ? error->message : "see fifo --help");
    return 2;
  }

  if (g_str_equal (options.workload, "seek"))
    run_timeshift (&options);
  else
    run_streams (&options);
  g_free (options.workload);
  g_free (options.dir);
  g_free (options.ram);
  return 0;
}
