/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * deep-queue.c: a queue element that holds gigabytes.
 *
 * source ! queue ! fakesink. The pipeline is paused, so that the sink keeps the
 * first buffer and the queue takes all others; when the source has come to its
 * end, the pipeline plays. Every byte of every buffer is checked at the sink.
 *
 * The source knows nothing of allocators: GstBaseSrc allocates what it fills,
 * as it does for any source.
 *
 *   deep-queue BLOCK-BYTES TOTAL-BYTES
 *
 * Exit code: 0 all bytes were right, 1 not, 2 wrong arguments.
 */
#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_WORDS 512

/* ---- contents ---- */

/* Each page starts with a stamp of its own; the rest of it repeats one word. */
static guint64
stamp_of (guint64 buffer, gsize page)
{
  return (buffer << 24 | page) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
}

static void
fill (guint64 *words, gsize n_words, guint64 buffer)
{
  gsize start, i;

  for (start = 0; start < n_words; start += PAGE_WORDS) {
    const guint64 stamp = stamp_of (buffer, start);

    words[start] = stamp;
    for (i = start + 1; i < MIN (start + PAGE_WORDS, n_words); i++)
      words[i] = ~stamp;
  }
}

static gboolean
is_right (const guint64 *words, gsize n_words, guint64 buffer)
{
  guint64 differs = 0;
  gsize start, i;

  for (start = 0; start < n_words; start += PAGE_WORDS) {
    const guint64 stamp = stamp_of (buffer, start);

    differs |= words[start] ^ stamp;
    for (i = start + 1; i < MIN (start + PAGE_WORDS, n_words); i++)
      differs |= words[i] ^ ~stamp;
  }
  return differs == 0;
}

/* ---- the source ---- */

typedef struct
{
  GstPushSrc parent;
  guint64 n_buffers;
} PatternSrc;

typedef struct
{
  GstPushSrcClass parent_class;
} PatternSrcClass;

static GType pattern_src_get_type (void);
G_DEFINE_TYPE (PatternSrc, pattern_src, GST_TYPE_PUSH_SRC)

static GstFlowReturn
pattern_src_fill (GstPushSrc *src, GstBuffer *buffer)
{
  PatternSrc *self = (PatternSrc *) src;
  GstMapInfo info;

  if (!gst_buffer_map (buffer, &info, GST_MAP_WRITE))
    return GST_FLOW_ERROR;
  fill ((guint64 *) info.data, info.size / sizeof (guint64), self->n_buffers);
  gst_buffer_unmap (buffer, &info);
  GST_BUFFER_OFFSET (buffer) = self->n_buffers++;
  return GST_FLOW_OK;
}

static void
pattern_src_class_init (PatternSrcClass *klass)
{
  static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE (
      "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  gst_element_class_add_static_pad_template (element_class, &template);
  gst_element_class_set_static_metadata (
      element_class, "Pattern", "Source", "Numbered bytes", "filemem");
  GST_PUSH_SRC_CLASS (klass)->fill = pattern_src_fill;
}

static void
pattern_src_init (PatternSrc *self)
{
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_BYTES);
}

/* ---- the pipeline ---- */

typedef struct
{
  gsize block;
  guint64 n_seen;
  gboolean wrong;
  gboolean ended; /* the source has */
  GMutex lock;
  GCond changed;
} State;

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, State *state)
{
  GstMapInfo info;

  if (!gst_buffer_map (buffer, &info, GST_MAP_READ)) {
    fprintf (stderr,
        "deep-queue: buffer %" G_GUINT64_FORMAT " can't be mapped\n",
        state->n_seen);
    state->wrong = TRUE;
    return;
  }
  if (info.size != state->block || GST_BUFFER_OFFSET (buffer) != state->n_seen
      || !is_right ((const guint64 *) info.data, info.size / sizeof (guint64),
          state->n_seen)) {
    if (!state->wrong)
      fprintf (stderr, "deep-queue: buffer %" G_GUINT64_FORMAT " is wrong\n",
          state->n_seen);
    state->wrong = TRUE;
  }
  gst_buffer_unmap (buffer, &info);
  state->n_seen++;
}

/* Sees the end of the stream go into the queue. */
static GstPadProbeReturn
on_event (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  State *state = data;

  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS) {
    g_mutex_lock (&state->lock);
    state->ended = TRUE;
    g_cond_signal (&state->changed);
    g_mutex_unlock (&state->lock);
  }
  return GST_PAD_PROBE_OK;
}

static GstElement *
make_pipeline (State *state, gint n_buffers, GstElement **ret_queue)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *src = g_object_new (pattern_src_get_type (), NULL);
  GstElement *queue = gst_element_factory_make ("queue", NULL);
  GstElement *sink = gst_element_factory_make ("fakesink", NULL);
  GstPad *pad;

  if (queue == NULL || sink == NULL) {
    fputs ("deep-queue: GStreamer's core elements are missing\n", stderr);
    exit (2);
  }
  g_object_set (
      src, "blocksize", (guint) state->block, "num-buffers", n_buffers, NULL);
  g_object_set (queue, "max-size-buffers", 0, "max-size-bytes", 0,
      "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  g_object_set (sink, "signal-handoffs", TRUE, "sync", FALSE,
      "enable-last-sample", FALSE, NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), state);
  gst_bin_add_many (GST_BIN (pipeline), src, queue, sink, NULL);
  gst_element_link_many (src, queue, sink, NULL);

  pad = gst_element_get_static_pad (queue, "sink");
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, state, NULL);
  gst_object_unref (pad);
  *ret_queue = queue;
  return pipeline;
}

static gboolean
play_to_end (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gboolean ok;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  ok = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (!ok)
    fputs ("deep-queue: the pipeline failed\n", stderr);
  gst_message_unref (message);
  gst_object_unref (bus);
  return ok;
}

/* What filemem says was on disk, if it is the default allocator; asked of the
 * object, so that this program needs nothing of it. */
static void
print_spilled (void)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  GstStructure *stats = NULL;
  guint64 spilled = 0;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (allocator), "stats")
      != NULL) {
    g_object_get (allocator, "stats", &stats, NULL);
    gst_structure_get_uint64 (stats, "spilled-peak", &spilled);
    gst_structure_free (stats);
  }
  printf ("spilled %" G_GUINT64_FORMAT " bytes at most\n", spilled);
  gst_object_unref (allocator);
}

int
main (int argc, char **argv)
{
  guint64 block = argc == 3 ? g_ascii_strtoull (argv[1], NULL, 10) : 0;
  guint64 total = argc == 3 ? g_ascii_strtoull (argv[2], NULL, 10) : 0;
  guint64 n_buffers = block > 0 ? total / block : 0;
  State state = {0};
  GstElement *pipeline, *queue;
  guint64 held = 0;
  guint bytes = 0, buffers = 0;
  gboolean ok;

  if (n_buffers < 2 || n_buffers > G_MAXINT || block % sizeof (guint64) != 0) {
    fputs ("usage: deep-queue BLOCK-BYTES TOTAL-BYTES\n", stderr);
    return 2;
  }
  gst_init (NULL, NULL);
  g_mutex_init (&state.lock);
  g_cond_init (&state.changed);
  state.block = block;
  pipeline = make_pipeline (&state, (gint) n_buffers, &queue);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  g_mutex_lock (&state.lock);
  while (!state.ended)
    g_cond_wait (&state.changed, &state.lock);
  g_mutex_unlock (&state.lock);
  g_object_get (queue, "current-level-bytes", &bytes, "current-level-buffers",
      &buffers, NULL);
  held = bytes;
  ok = play_to_end (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);

  printf ("held %" G_GUINT64_FORMAT " bytes in %u buffers; %" G_GUINT64_FORMAT
          " buffers came out\n",
      held, buffers, state.n_seen);
  print_spilled ();
  /* The sink has the first one in its hands. */
  if (buffers + 1 < n_buffers || state.n_seen != n_buffers) {
    fputs ("deep-queue: buffers are missing\n", stderr);
    ok = FALSE;
  }
  g_mutex_clear (&state.lock);
  g_cond_clear (&state.changed);
  return ok && !state.wrong ? 0 : 1;
}
