/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrances.c: whatever way a queue comes into being, what enters it is looked
 * at; and what the copies must not change for anybody else.
 *
 * Each case is a process of its own with GST_TRACERS=filemem, this program with
 * the name of the case as its argument. What it can see of the buffers it
 * checks itself; what filemem says of the queues is read from the log of its
 * tracer, by the parent, when the process has ended.
 */
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include "../../unit/testing.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK ((gsize) 64 * 1024)
#define N_BUFFERS 20
#define N_LISTS 5
#define PATIENCE (20 * GST_SECOND)
#define TICK (20 * 1000)
#define EXIT_SKIP 77

static const gchar *program;
static gchar *scratch;

/* ---- in the child: what enters ---- */

static GstAllocator *default_allocator;

static GstBuffer *
wrapped_buffer (guint seed)
{
  guint8 *data = g_malloc (BLOCK);
  GstBuffer *buffer;

  testing_fill (data, BLOCK, seed);
  buffer = gst_buffer_new_wrapped (data, BLOCK);
  GST_BUFFER_PTS (buffer) = seed * 10 * GST_MSECOND;
  GST_BUFFER_DURATION (buffer) = 10 * GST_MSECOND;
  return buffer;
}

static void
check_bytes (GstBuffer *buffer, guint seed)
{
  GstMapInfo info;

  testing_check (gst_buffer_map (buffer, &info, GST_MAP_READ));
  testing_check (info.size == BLOCK);
  testing_check (testing_is_filled (info.data, info.size, seed));
  gst_buffer_unmap (buffer, &info);
  testing_check (GST_BUFFER_PTS (buffer) == seed * 10 * GST_MSECOND);
}

static gboolean
is_ours (GstBuffer *buffer)
{
  guint i;

  for (i = 0; i < gst_buffer_n_memory (buffer); i++) {
    if (gst_buffer_peek_memory (buffer, i)->allocator != default_allocator)
      return FALSE;
  }
  return TRUE;
}

static void
feed (GstElement *source, guint from, guint n)
{
  guint i;

  for (i = from; i < from + n; i++)
    testing_check (
        gst_app_src_push_buffer (GST_APP_SRC (source), wrapped_buffer (i))
        == GST_FLOW_OK);
}

static void
end (GstElement *source)
{
  testing_check (
      gst_app_src_end_of_stream (GST_APP_SRC (source)) == GST_FLOW_OK);
}

/* ---- in the child: pipelines ---- */

static GstElement *
make (const gchar *factory, const gchar *name)
{
  GstElement *element = gst_element_factory_make (factory, name);

  if (element == NULL) {
    g_printerr ("no element %s\n", factory);
    exit (EXIT_SKIP);
  }
  return element;
}

static GstElement *
make_feed (void)
{
  GstElement *source = make ("appsrc", "feed");

  g_object_set (source, "format", GST_FORMAT_TIME, "max-bytes",
      G_GUINT64_CONSTANT (0), NULL);
  return source;
}

static GstElement *
parse (const gchar *description)
{
  g_autoptr (GstParseContext) context = gst_parse_context_new ();
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch_full (
      description, context, GST_PARSE_FLAG_FATAL_ERRORS, &error);

  if (pipeline == NULL) {
    g_auto (GStrv) missing = gst_parse_context_get_missing_elements (context);

    g_printerr ("%s\n", error->message);
    exit (missing != NULL ? EXIT_SKIP : EXIT_FAILURE);
  }
  return pipeline;
}

static GstElement *
get (GstElement *pipeline, const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  testing_check (element != NULL);
  return element;
}

static void
play (GstElement *pipeline)
{
  testing_check (gst_element_set_state (pipeline, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE);
}

static void
wait_for_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, PATIENCE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);

  testing_check (message != NULL);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;

    gst_message_parse_error (message, &error, NULL);
    g_printerr ("%s: %s\n", GST_MESSAGE_SRC_NAME (message), error->message);
  }
  testing_check (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS);
}

static void
stop (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

/* All that the feed gives goes through. Takes the pipeline. */
static void
run_fed (GstElement *pipeline)
{
  g_autoptr (GstElement) source = get (pipeline, "feed");

  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end (source);
  wait_for_end (pipeline);
  stop (pipeline);
}

#define FEED "appsrc name=feed format=time max-bytes=0 ! "

/* ---- in the child: cases of how a queue is made ---- */

static void
by_parse (void)
{
  run_fed (parse (FEED "queue name=it ! fakesink"));
}

static GstElement *
pipeline_of (GstElement *queue)
{
  GstElement *pipeline = gst_pipeline_new (NULL), *source = make_feed ();
  GstElement *sink = make ("fakesink", NULL);

  gst_bin_add_many (GST_BIN (pipeline), source, queue, sink, NULL);
  testing_check (gst_element_link_many (source, queue, sink, NULL));
  return pipeline;
}

static void
by_factory (void)
{
  run_fed (pipeline_of (make ("queue", "it")));
}

static void
by_type (void)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find ("queue2");
  g_autoptr (GstPluginFeature) loaded =
      gst_plugin_feature_load (GST_PLUGIN_FEATURE (factory));

  run_fed (pipeline_of (g_object_new (
      gst_element_factory_get_element_type (GST_ELEMENT_FACTORY (loaded)),
      "name", "it", NULL)));
}

static void
in_bins (void)
{
  run_fed (parse (
      FEED "identity ! bin.( identity ! bin.( identity ! queue name=it ! "
           "identity ) ! identity ) ! fakesink"));
}

/* Before they are in the pipeline: adding an element by itself would unlink it.
 */
static void
linked_before (void)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *bin = gst_bin_new (NULL), *source = make_feed ();
  GstElement *queue = make ("queue", "it"), *sink = make ("fakesink", NULL);

  gst_bin_add_many (GST_BIN (bin), source, queue, sink, NULL);
  testing_check (gst_element_link_many (source, queue, sink, NULL));
  gst_bin_add (GST_BIN (pipeline), bin);
  run_fed (pipeline);
}

static void
linked_late (void)
{
  GstElement *pipeline = gst_pipeline_new (NULL), *source = make_feed ();
  GstElement *queue = make ("queue", "it"), *sink = make ("fakesink", NULL);

  gst_bin_add_many (GST_BIN (pipeline), queue, sink, NULL);
  testing_check (gst_element_link (queue, sink));
  play (pipeline);
  gst_bin_add (GST_BIN (pipeline), source);
  testing_check (gst_element_link (source, queue));
  testing_check (gst_element_sync_state_with_parent (source));
  run_fed (pipeline);
}

static void
request_pads (void)
{
  GstElement *pipeline = parse (
      FEED "tee name=t ! multiqueue name=it it.src_0 ! fakesink async=false");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) tee = get (pipeline, "t");
  g_autoptr (GstElement) queue = get (pipeline, "it");
  GstElement *sink = make ("fakesink", NULL);

  g_object_set (sink, "async", FALSE, NULL);
  play (pipeline);
  feed (source, 0, N_BUFFERS);
  /* One more while it plays. */
  gst_bin_add (GST_BIN (pipeline), sink);
  testing_check (gst_element_sync_state_with_parent (sink));
  testing_check (gst_element_link_pads (tee, "src_%u", queue, "sink_1"));
  testing_check (gst_element_link_pads (queue, "src_1", sink, "sink"));
  feed (source, N_BUFFERS, N_BUFFERS);
  end (source);
  wait_for_end (pipeline);
  stop (pipeline);
}

typedef GstAppSink OwnSink;
typedef GstAppSinkClass OwnSinkClass;
static GType own_sink_get_type (void);
G_DEFINE_TYPE (OwnSink, own_sink, GST_TYPE_APP_SINK)

static void
own_sink_class_init (OwnSinkClass *klass)
{
}

static void
own_sink_init (OwnSink *sink)
{
}

/* Takes all that comes to @sink, and checks it. */
static void
pull_all (GstElement *sink, guint n)
{
  guint i;

  for (i = 0; i < n; i++) {
    g_autoptr (GstSample) sample =
        gst_app_sink_pull_sample (GST_APP_SINK (sink));
    GstBuffer *buffer;

    testing_check (sample != NULL);
    buffer = gst_sample_get_buffer (sample);
    check_bytes (buffer, i);
    testing_check (is_ours (buffer));
  }
  testing_check (gst_app_sink_pull_sample (GST_APP_SINK (sink)) == NULL);
}

static void
run_into (GstElement *sink)
{
  GstElement *pipeline = gst_pipeline_new (NULL), *source = make_feed ();

  g_object_set (sink, "sync", FALSE, NULL);
  gst_bin_add_many (GST_BIN (pipeline), source, sink, NULL);
  testing_check (gst_element_link (source, sink));
  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end (source);
  pull_all (sink, N_BUFFERS);
  stop (pipeline);
}

static void
appsink_by_factory (void)
{
  run_into (make ("appsink", "it"));
}

/* The program is linked to the library; the plugin that registers the factory
 * has not been loaded, not even for an appsrc. */
static GstElement *
run_without_appsrc (GstElement *sink)
{
  GstElement *pipeline = gst_pipeline_new (NULL);
  GstElement *source = g_object_new (GST_TYPE_APP_SRC, "name", "feed", "format",
      GST_FORMAT_TIME, "max-bytes", G_GUINT64_CONSTANT (0), NULL);

  g_object_set (sink, "sync", FALSE, NULL);
  gst_bin_add_many (GST_BIN (pipeline), source, sink, NULL);
  testing_check (gst_element_link (source, sink));
  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end (source);
  pull_all (sink, N_BUFFERS);
  return pipeline;
}

static void
appsink_by_type (void)
{
  stop (run_without_appsrc (
      g_object_new (GST_TYPE_APP_SINK, "name", "it", NULL)));
}

static void
appsink_subclass (void)
{
  stop (run_without_appsrc (
      g_object_new (own_sink_get_type (), "name", "it", NULL)));
}

/* Once more, when the plugin is there. */
static void
appsink_subclass_with_plugin (void)
{
  gst_object_unref (gst_object_ref_sink (make ("appsink", NULL)));
  run_into (g_object_new (own_sink_get_type (), "name", "it", NULL));
}

typedef struct
{
  GstElement *pipeline;
  GMutex lock;
  GCond done_cond;
  gboolean done;
} Insertion;

static GstPadProbeReturn
insert_queue (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Insertion *insertion = data;
  g_autoptr (GstPad) peer = gst_pad_get_peer (pad);
  GstElement *queue = make ("queue", "it");
  g_autoptr (GstPad) in = gst_element_get_static_pad (queue, "sink");
  g_autoptr (GstPad) out = gst_element_get_static_pad (queue, "src");

  gst_bin_add (GST_BIN (insertion->pipeline), queue);
  testing_check (gst_pad_unlink (pad, peer));
  testing_check (gst_pad_link (pad, in) == GST_PAD_LINK_OK);
  testing_check (gst_pad_link (out, peer) == GST_PAD_LINK_OK);
  testing_check (gst_element_sync_state_with_parent (queue));
  g_mutex_lock (&insertion->lock);
  insertion->done = TRUE;
  g_cond_signal (&insertion->done_cond);
  g_mutex_unlock (&insertion->lock);
  return GST_PAD_PROBE_REMOVE;
}

static void
added_while_playing (void)
{
  Insertion insertion = {
      .pipeline = parse (FEED "identity name=before ! fakesink async=false")};
  g_autoptr (GstElement) source = get (insertion.pipeline, "feed");
  g_autoptr (GstElement) before = get (insertion.pipeline, "before");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (before, "src");

  play (insertion.pipeline);
  feed (source, 0, N_BUFFERS);
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, insert_queue, &insertion, NULL);
  feed (source, N_BUFFERS, 1);
  g_mutex_lock (&insertion.lock);
  while (!insertion.done)
    g_cond_wait (&insertion.done_cond, &insertion.lock);
  g_mutex_unlock (&insertion.lock);
  feed (source, N_BUFFERS + 1, N_BUFFERS);
  end (source);
  wait_for_end (insertion.pipeline);
  stop (insertion.pipeline);
}

/* A file with pictures, pushed in one wrapped buffer, so that what the demuxer
 * cuts out of it is foreign. */
static void
in_decodebin (void)
{
  g_autofree gchar *path = g_build_filename (scratch, "file", NULL);
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc pattern=snow num-buffers=20 ! jpegenc ! matroskamux ! "
      "filesink location=%s",
      path);
  g_autofree gchar *data = NULL;
  GstElement *pipeline = parse (description);
  g_autoptr (GstElement) source = NULL;
  gsize size;

  play (pipeline);
  wait_for_end (pipeline);
  stop (pipeline);

  pipeline = parse ("appsrc name=feed max-bytes=0 ! decodebin ! fakesink");
  source = get (pipeline, "feed");
  testing_check (g_file_get_contents (path, &data, &size, NULL));
  testing_check (g_remove (path) == 0);
  play (pipeline);
  testing_check (gst_app_src_push_buffer (GST_APP_SRC (source),
                     gst_buffer_new_wrapped (g_steal_pointer (&data), size))
      == GST_FLOW_OK);
  end (source);
  wait_for_end (pipeline);
  stop (pipeline);
}

static void
in_splitmuxsink (void)
{
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc pattern=snow num-buffers=50 ! "
      "video/x-raw,width=320,height=240 ! x264enc speed-preset=ultrafast "
      "key-int-max=10 ! h264parse ! splitmuxsink max-size-time=500000000 "
      "location=%s/part%%02d.mp4",
      scratch);
  GstElement *pipeline = parse (description);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const gchar *name;
  guint n = 0;

  play (pipeline);
  wait_for_end (pipeline);
  stop (pipeline);
  dir = g_dir_open (scratch, 0, &error);
  while ((name = g_dir_read_name (dir)) != NULL) {
    if (g_str_has_prefix (name, "part")) {
      g_autofree gchar *path = g_build_filename (scratch, name, NULL);

      n++;
      testing_check (g_remove (path) == 0);
    }
  }
  testing_check (n > 1);
}

/* ---- in the child: cases of what must be right ---- */

/* The same memory in all branches, by pointer. */
static void
check_branches (GstElement *pipeline)
{
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) a = get (pipeline, "a"), b = get (pipeline, "b");
  guint i;

  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end (source);
  for (i = 0; i < N_BUFFERS; i++) {
    g_autoptr (GstSample) first = gst_app_sink_pull_sample (GST_APP_SINK (a));
    g_autoptr (GstSample) second = gst_app_sink_pull_sample (GST_APP_SINK (b));
    GstBuffer *one, *other;

    testing_check (first != NULL && second != NULL);
    one = gst_sample_get_buffer (first);
    other = gst_sample_get_buffer (second);
    check_bytes (one, i);
    check_bytes (other, i);
    testing_check (is_ours (one) && is_ours (other));
    testing_check (
        gst_buffer_peek_memory (one, 0) == gst_buffer_peek_memory (other, 0));
  }
  stop (pipeline);
}

#define BRANCHES(between)                                            \
  FEED "tee name=t t. ! queue name=it1 ! appsink name=a sync=false " \
       "t. ! " between "queue name=it2 ! appsink name=b sync=false"

static void
behind_tee (void)
{
  check_branches (parse (BRANCHES ("")));
}

static GstPadProbeReturn
change_flag (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  info->data = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  GST_BUFFER_FLAG_SET (info->data, GST_BUFFER_FLAG_MARKER);
  return GST_PAD_PROBE_OK;
}

/* Another buffer with the same memory, as of an element that sets times. */
static void
behind_tee_changed (void)
{
  GstElement *pipeline = parse (BRANCHES ("identity name=between ! "));
  g_autoptr (GstElement) between = get (pipeline, "between");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (between, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, change_flag, NULL, NULL);
  check_branches (pipeline);
}

static GstBufferList *
new_list (guint from)
{
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  for (i = 0; i < N_BUFFERS; i++)
    gst_buffer_list_add (list, wrapped_buffer (from + i));
  return list;
}

static void
feed_lists (GstElement *source)
{
  guint i;

  for (i = 0; i < N_LISTS; i++)
    testing_check (gst_app_src_push_buffer_list (
                       GST_APP_SRC (source), new_list (i * N_BUFFERS))
        == GST_FLOW_OK);
  end (source);
}

static void
lists (void)
{
  GstElement *pipeline =
      parse (FEED "queue name=it ! appsink name=a sync=false buffer-list=true");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) sink = get (pipeline, "a");
  guint i, k;

  play (pipeline);
  feed_lists (source);
  for (i = 0; i < N_LISTS; i++) {
    g_autoptr (GstSample) sample =
        gst_app_sink_pull_sample (GST_APP_SINK (sink));
    GstBufferList *list;

    testing_check (sample != NULL);
    list = gst_sample_get_buffer_list (sample);
    testing_check (list != NULL);
    testing_check (gst_buffer_list_length (list) == N_BUFFERS);
    for (k = 0; k < N_BUFFERS; k++) {
      GstBuffer *buffer = gst_buffer_list_get (list, k);

      check_bytes (buffer, i * N_BUFFERS + k);
      testing_check (is_ours (buffer));
    }
  }
  testing_check (gst_app_sink_pull_sample (GST_APP_SINK (sink)) == NULL);
  stop (pipeline);
}

static void
lists_behind_tee (void)
{
  GstElement *pipeline = parse (
      FEED "tee name=t t. ! queue name=it1 ! "
           "appsink name=a sync=false buffer-list=true "
           "t. ! queue name=it2 ! appsink name=b sync=false buffer-list=true");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) a = get (pipeline, "a"), b = get (pipeline, "b");
  guint i, k;

  play (pipeline);
  feed_lists (source);
  for (i = 0; i < N_LISTS; i++) {
    g_autoptr (GstSample) first = gst_app_sink_pull_sample (GST_APP_SINK (a));
    g_autoptr (GstSample) second = gst_app_sink_pull_sample (GST_APP_SINK (b));

    for (k = 0; k < N_BUFFERS; k++) {
      GstBuffer *one =
          gst_buffer_list_get (gst_sample_get_buffer_list (first), k);
      GstBuffer *other =
          gst_buffer_list_get (gst_sample_get_buffer_list (second), k);

      check_bytes (one, i * N_BUFFERS + k);
      check_bytes (other, i * N_BUFFERS + k);
      testing_check (is_ours (one) && is_ours (other));
      testing_check (
          gst_buffer_peek_memory (one, 0) == gst_buffer_peek_memory (other, 0));
    }
  }
  stop (pipeline);
}

/* The memory that shmsink gives the source to write to is on its way back. */
static void
lent_by_shmsink (void)
{
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240 ! "
      "queue name=it ! shmsink name=s shm-size=16000000 "
      "wait-for-connection=false sync=false socket-path=%s/shm",
      scratch);
  GstElement *pipeline = parse (description);

  play (pipeline);
  wait_for_end (pipeline);
  stop (pipeline);
}

/* ---- in the child: nobody takes anything ---- */

typedef struct
{
  gsize bytes;
  gsize foreign;
} Left;

static void
wait_until_fed (GstElement *source)
{
  gint64 deadline = g_get_monotonic_time () + PATIENCE / GST_USECOND;

  while (gst_app_src_get_current_level_bytes (GST_APP_SRC (source)) > 0) {
    testing_check (g_get_monotonic_time () < deadline);
    g_usleep (TICK);
  }
}

static GstPadProbeReturn
block (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
count_leaving (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Left *left = data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  gsize size = gst_buffer_get_size (buffer);

  left->bytes += size;
  if (!is_ours (buffer))
    left->foreign += size;
  return GST_PAD_PROBE_OK;
}

/* All of it is in the queue at once, and is then counted as it leaves. */
static void
hold_all (const gchar *queue_description, const gchar *exit_name)
{
  g_autofree gchar *description =
      g_strdup_printf (FEED "%s ! fakesink async=false", queue_description);
  GstElement *pipeline = parse (description);
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) queue = get (pipeline, "it");
  g_autoptr (GstPad) out = gst_element_get_static_pad (queue, exit_name);
  g_autofree gchar *most = g_strdup (g_getenv ("GST_FILEMEM_COPY_ABOVE"));
  Left left = {0};
  gulong held;

  /* Not the query how to allocate, for whose answer the source waits. */
  held = gst_pad_add_probe (out,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, block, NULL, NULL);
  play (pipeline);
  feed (source, 0, 5 * N_BUFFERS);
  wait_until_fed (source);
  gst_pad_add_probe (
      out, GST_PAD_PROBE_TYPE_BUFFER, count_leaving, &left, NULL);
  end (source);
  gst_pad_remove_probe (out, held);
  wait_for_end (pipeline);
  stop (pipeline);
  testing_check (left.bytes == 5 * N_BUFFERS * BLOCK);
  /* Less than that and it would not be worth a copy; the last one may not have
   * been in the queue. */
  testing_check (left.foreign >= (gsize) atoi (most) - BLOCK);
  testing_check (left.foreign <= (gsize) atoi (most) + BLOCK);
}

#define UNLIMITED " max-size-buffers=0 max-size-bytes=0 max-size-time=0"

static void
nobody_takes_from_queue (void)
{
  hold_all ("queue name=it" UNLIMITED, "src");
}

static void
nobody_takes_from_queue2 (void)
{
  hold_all ("queue2 name=it use-buffering=false" UNLIMITED, "src");
}

static void
nobody_takes_from_multiqueue (void)
{
  hold_all ("multiqueue name=it" UNLIMITED, "src_0");
}

static gint n_parents;

static void
parent_freed (gpointer data)
{
  g_free (data);
  g_atomic_int_add (&n_parents, -1);
}

/* Each buffer is a small part of a large memory, which lives as long. */
static void
nobody_takes_small_parts (void)
{
  GstElement *pipeline =
      parse (FEED "queue name=it" UNLIMITED " ! fakesink async=false");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) queue = get (pipeline, "it");
  g_autoptr (GstPad) out = gst_element_get_static_pad (queue, "src");
  gulong held = gst_pad_add_probe (out,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, block, NULL, NULL);
  gsize size = TESTING_MIB / 4;
  guint i;

  play (pipeline);
  for (i = 0; i < 5 * N_BUFFERS; i++) {
    gpointer data = g_malloc0 (size);
    g_autoptr (GstBuffer) whole = gst_buffer_new_wrapped_full (
        0, data, size, 0, size, data, parent_freed);

    g_atomic_int_inc (&n_parents);
    testing_check (
        gst_app_src_push_buffer (GST_APP_SRC (source),
            gst_buffer_copy_region (whole, GST_BUFFER_COPY_ALL, 0, 1316))
        == GST_FLOW_OK);
  }
  wait_until_fed (source);
  g_usleep (TICK);
  g_printerr ("%d parents of 256 KiB are alive\n", n_parents);
  testing_check (n_parents <= 6);
  end (source);
  gst_pad_remove_probe (out, held);
  wait_for_end (pipeline);
  stop (pipeline);
}

static void
nobody_takes_from_appsink (void)
{
  GstElement *pipeline = parse (FEED "appsink name=it sync=false async=false");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) sink = get (pipeline, "it");
  g_autofree gchar *most = g_strdup (g_getenv ("GST_FILEMEM_COPY_ABOVE"));
  gsize foreign = 0;
  guint i;

  play (pipeline);
  feed (source, 0, 5 * N_BUFFERS);
  wait_until_fed (source);
  for (i = 0; i < 5 * N_BUFFERS; i++) {
    g_autoptr (GstSample) sample =
        gst_app_sink_pull_sample (GST_APP_SINK (sink));

    testing_check (sample != NULL);
    check_bytes (gst_sample_get_buffer (sample), i);
    if (!is_ours (gst_sample_get_buffer (sample)))
      foreign += BLOCK;
  }
  testing_check (foreign > 0 && foreign <= (gsize) atoi (most));
  stop (pipeline);
}

/* ---- in the child: backpressure, latency, quality of service ---- */

static gint n_pushed;

static gpointer
push_from_pool (gpointer pad)
{
  g_autoptr (GstAllocator) system = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  GstBuffer *buffer;

  gst_buffer_pool_config_set_params (config, NULL, BLOCK, 4, 4);
  gst_buffer_pool_config_set_allocator (config, system, NULL);
  testing_check (gst_buffer_pool_set_config (pool, config));
  testing_check (gst_buffer_pool_set_active (pool, TRUE));
  while (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL) == GST_FLOW_OK) {
    g_atomic_int_inc (&n_pushed);
    if (gst_pad_push (pad, buffer) != GST_FLOW_OK)
      break;
  }
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  return NULL;
}

/* The pool's buffers go back at once, so the pool is no limit any more; those
 * of the queue are. */
static void
check_limit (const gchar *property)
{
  GstElement *queue = gst_object_ref_sink (make ("queue", "it"));
  g_autoptr (GstPad) in = gst_element_get_static_pad (queue, "sink");
  g_autoptr (GstPad) out = gst_element_get_static_pad (queue, "src");
  GstPad *source = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  guint limit = 10, unchanged = 0, level = 0;
  gint before = -1;
  GstSegment segment;
  GThread *thread;

  g_object_set (queue, "max-size-buffers", 0, "max-size-bytes", 0,
      "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  g_object_set (queue, property,
      g_str_equal (property, "max-size-bytes") ? limit * (guint) BLOCK : limit,
      NULL);
  gst_pad_add_probe (
      out, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, block, NULL, NULL);
  gst_pad_set_active (source, TRUE);
  testing_check (gst_pad_link (source, in) == GST_PAD_LINK_OK);
  gst_element_set_state (queue, GST_STATE_PLAYING);
  gst_pad_push_event (source, gst_event_new_stream_start ("test"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (source, gst_event_new_segment (&segment));
  thread = g_thread_new ("push", push_from_pool, source);
  while (unchanged < 20) {
    gint now = g_atomic_int_get (&n_pushed);

    unchanged = now == before ? unchanged + 1 : 0;
    before = now;
    testing_check (now <= (gint) limit + 1);
    g_usleep (TICK);
  }
  g_object_get (queue, "current-level-buffers", &level, NULL);
  g_printerr ("%d pushed, %u in the queue\n", before, level);
  testing_check (level == limit);
  testing_check (before == (gint) limit + 1);
  gst_pad_set_active (in, FALSE);
  g_thread_join (thread);
  gst_element_set_state (queue, GST_STATE_NULL);
  gst_object_unref (queue);
  gst_object_unref (source);
}

static void
limit_of_buffers (void)
{
  check_limit ("max-size-buffers");
}

static void
limit_of_bytes (void)
{
  check_limit ("max-size-bytes");
}

static void
latency (void)
{
  GstElement *pipeline = parse (
      "videotestsrc is-live=true num-buffers=10 ! "
      "video/x-raw,width=320,height=240,framerate=50/1 ! "
      "queue name=it max-size-time=300000000 ! fakesink sync=true qos=true");
  g_autoptr (GstQuery) query = gst_query_new_latency ();
  GstClockTime least, most;
  gboolean live;

  play (pipeline);
  testing_check (gst_element_get_state (pipeline, NULL, NULL, PATIENCE)
      == GST_STATE_CHANGE_SUCCESS);
  testing_check (gst_element_query (pipeline, query));
  gst_query_parse_latency (query, &live, &least, &most);
  printf ("live %d, latency %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT "\n",
      live, least, most);
  wait_for_end (pipeline);
  stop (pipeline);
}

static GstPadProbeReturn
count_qos (GstPad *pad, GstPadProbeInfo *info, gpointer n)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_QOS)
    g_atomic_int_inc ((gint *) n);
  return GST_PAD_PROBE_OK;
}

static void
quality_of_service (void)
{
  GstElement *pipeline =
      parse (FEED "queue name=it ! fakesink sync=true qos=true");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (source, "src");
  gint n = 0;

  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM, count_qos, &n, NULL);
  run_fed (pipeline);
  g_printerr ("%d QoS events\n", n);
  testing_check (n >= N_BUFFERS / 2);
}

/* ---- the parent ---- */

typedef struct
{
  const gchar *name;
  void (*run) (void);
  const gchar *copy_above; /* NULL: without filemem */
  const gchar *queue; /* part of the name of each that must be in the log */
  guint n_queues;
  gboolean is_lent;
} Case;

static const Case cases[] = {
    {"parse", by_parse, "0", "GstQueue:it", 1},
    {"factory", by_factory, "0", "GstQueue:it", 1},
    {"type", by_type, "0", "GstQueue2:it", 1},
    {"bins", in_bins, "0", "GstQueue:it", 1},
    {"linked-before", linked_before, "0", "GstQueue:it", 1},
    {"linked-late", linked_late, "0", "GstQueue:it", 1},
    {"request-pads", request_pads, "0", "GstMultiQueue:it", 2},
    {"appsink-factory", appsink_by_factory, "0", "GstAppSink:it", 1},
    {"appsink-type", appsink_by_type, "0", "GstAppSink:it", 1},
    {"appsink-subclass", appsink_subclass, "0", "OwnSink:it", 1},
    {"appsink-subclass-plugin", appsink_subclass_with_plugin, "0", "OwnSink:it",
        1},
    {"added-while-playing", added_while_playing, "0", "GstQueue:it", 1},
    {"decodebin", in_decodebin, "0", "/GstMultiQueue:", 1},
    {"splitmuxsink", in_splitmuxsink, "0", "GstSplitMuxSink", 1},
    {"tee", behind_tee, "0", "GstQueue:it", 2},
    {"tee-changed", behind_tee_changed, "0", "GstQueue:it", 2},
    {"lists", lists, "0", "GstQueue:it", 1},
    {"lists-tee", lists_behind_tee, "0", "GstQueue:it", 2},
    {"lent", lent_by_shmsink, "0", "GstQueue:it", 1, TRUE},
    {"held-queue", nobody_takes_from_queue, "1048576", "GstQueue:it", 1},
    {"held-queue-little", nobody_takes_from_queue, "300000", "GstQueue:it", 1},
    {"held-queue2", nobody_takes_from_queue2, "1048576", "GstQueue2:it", 1},
    {"held-multiqueue", nobody_takes_from_multiqueue, "1048576",
        "GstMultiQueue:it", 1},
    {"held-appsink", nobody_takes_from_appsink, "1048576", "GstAppSink:it", 1},
    {"held-parts", nobody_takes_small_parts, "1048576", "GstQueue:it", 1},
    {"limit-buffers", limit_of_buffers, "0", "GstQueue:it", 1},
    {"limit-bytes", limit_of_bytes, "0", "GstQueue:it", 1},
    {"latency", latency, "0", NULL, 0},
    {"latency-plain", latency, NULL, NULL, 0},
    {"qos", quality_of_service, "0", "GstQueue:it", 1},
};

static const Case *
find_case (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (g_str_equal (cases[i].name, name))
      return &cases[i];
  }
  g_error ("no case %s", name);
}

static gchar **
environment_of (const Case *which, const gchar *log)
{
  gchar **names = g_listenv (), **env = g_get_environ ();
  g_autofree gchar *tracer =
      g_strdup_printf ("filemem(dir=%s,size=256M,ram=16M,reserve=0)", scratch);
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    if (g_str_has_prefix (names[i], "GST_FILEMEM_")
        || g_str_has_prefix (names[i], "GST_DEBUG")
        || g_str_equal (names[i], "GST_TRACERS"))
      env = g_environ_unsetenv (env, names[i]);
  }
  g_strfreev (names);
  env = g_environ_setenv (env, "G_DEBUG", "fatal-criticals", TRUE);
  if (which->copy_above == NULL)
    return env;
  env = g_environ_setenv (env, "GST_TRACERS", tracer, TRUE);
  env =
      g_environ_setenv (env, "GST_FILEMEM_COPY_ABOVE", which->copy_above, TRUE);
  env = g_environ_setenv (env, "GST_DEBUG", "GST_TRACER:7", TRUE);
  env = g_environ_setenv (env, "GST_DEBUG_NO_COLOR", "1", TRUE);
  return g_environ_setenv (env, "GST_DEBUG_FILE", log, TRUE);
}

/* The records (GstStructure) of queues whose names have @part. */
static GPtrArray *
read_records (const gchar *log, const gchar *part)
{
  GPtrArray *records =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_structure_free);
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  gchar **line;

  assert_true (g_file_get_contents (log, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (line = lines; *line != NULL; line++) {
    const gchar *start = strstr (*line, " filemem-queue, ");
    GstStructure *record;

    if (start == NULL || strstr (start, "queue=(string)%s") != NULL)
      continue;
    record = gst_structure_from_string (start + 1, NULL);
    if (record == NULL)
      fail_msg ("a record that can't be read: %s", start + 1);
    if (strstr (gst_structure_get_string (record, "queue"), part) != NULL)
      g_ptr_array_add (records, record);
    else
      gst_structure_free (record);
  }
  return records;
}

static guint64
figure (const GstStructure *record, const gchar *name)
{
  guint64 value = 0;

  assert_true (gst_structure_get_uint64 (record, name, &value));
  return value;
}

static void
check_record (const Case *which, const GstStructure *record)
{
  guint64 most = g_ascii_strtoull (which->copy_above, NULL, 10);

  assert_true (figure (record, "buffers") > 0);
  assert_true (figure (record, "foreign-bytes") > 0);
  if (which->is_lent) {
    assert_int_equal (figure (record, "copies"), 0);
    assert_int_equal (figure (record, "left-lent"), figure (record, "buffers"));
    return;
  }
  /* What one branch of a tee copied another one shares. */
  assert_true (
      figure (record, "copied-bytes") + figure (record, "shared-bytes") > 0);
  assert_true (figure (record, "foreign-peak") <= most);
  if (most == 0)
    assert_int_equal (
        figure (record, "copied-bytes") + figure (record, "shared-bytes"),
        figure (record, "foreign-bytes"));
}

/* Runs the case; what it wrote to stdout. */
static gchar *
run_case (const Case *which)
{
  g_autofree gchar *log = NULL, *complaints = NULL;
  gchar *said = NULL;
  gchar *argv[] = {(gchar *) program, (gchar *) which->name, NULL, NULL};
  g_auto (GStrv) env = NULL;
  g_autoptr (GPtrArray) records = NULL;
  int status;
  guint i;

  scratch = testing_dir_new ();
  argv[2] = scratch;
  log = g_build_filename (scratch, "log", NULL);
  env = environment_of (which, log);
  assert_true (g_spawn_sync (
      NULL, argv, env, 0, NULL, NULL, &said, &complaints, &status, NULL));
  if (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_SKIP) {
    testing_dir_free (g_steal_pointer (&scratch));
    testing_skip (complaints);
  }
  if (status != 0)
    fail_msg ("status %d: %s", status, complaints);
  if (which->queue != NULL) {
    records = read_records (log, which->queue);
    assert_int_equal (records->len, which->n_queues);
    for (i = 0; i < records->len; i++)
      check_record (which, g_ptr_array_index (records, i));
  }
  testing_dir_free (g_steal_pointer (&scratch));
  return said;
}

static void
test_case (void **state)
{
  g_free (run_case (*state));
}

/* The same with filemem and without. */
static void
test_latency (void **state)
{
  g_autofree gchar *with = run_case (find_case ("latency"));
  g_autofree gchar *without = run_case (find_case ("latency-plain"));

  print_message ("%s", with);
  assert_true (g_str_has_prefix (with, "live 1"));
  assert_string_equal (with, without);
}

static int
run_child (const gchar *name, const gchar *dir)
{
  const Case *which = find_case (name);
  const gchar *type;

  gst_init (NULL, NULL);
  scratch = g_strdup (dir);
  default_allocator = gst_allocator_find (NULL);
  type = G_OBJECT_TYPE_NAME (default_allocator);
  testing_check (
      g_str_equal (type, "GstFileMemAllocator") == (which->copy_above != NULL));
  which->run ();
  return 0;
}

int
main (int argc, char **argv)
{
  struct CMUnitTest tests[G_N_ELEMENTS (cases) + 1] = {{0}};
  guint i, n = 0;

  program = argv[0];
  if (argc > 2)
    return run_child (argv[1], argv[2]);
  gst_init (&argc, &argv);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (cases[i].run == latency)
      continue;
    tests[n].name = cases[i].name;
    tests[n].test_func = test_case;
    tests[n].initial_state = (void *) &cases[i];
    n++;
  }
  tests[n].name = "latency";
  tests[n].test_func = test_latency;
  n++;
  return _cmocka_run_group_tests ("entrances", tests, n, NULL, NULL);
}
