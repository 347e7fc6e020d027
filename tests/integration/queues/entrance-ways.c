/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-ways.c: the cases of how a queue comes into being: from a
 * description or by hand, by its factory or its type, in bins, late, or within
 * other elements.
 */
#include "entrance-cases.h"
#include "entrance-child.h"

#include <glib/gstdio.h>

void
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

void
by_factory (void)
{
  run_fed (pipeline_of (make ("queue", "it")));
}

void
by_type (void)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find ("queue2");
  g_autoptr (GstPluginFeature) loaded =
      gst_plugin_feature_load (GST_PLUGIN_FEATURE (factory));

  run_fed (pipeline_of (g_object_new (
      gst_element_factory_get_element_type (GST_ELEMENT_FACTORY (loaded)),
      "name", "it", NULL)));
}

void
in_bins (void)
{
  run_fed (parse (
      FEED "identity ! bin.( identity ! bin.( identity ! queue name=it ! "
           "identity ) ! identity ) ! fakesink"));
}

/* Before they are in the pipeline: adding an element by itself would unlink it.
 */
void
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

void
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

void
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
  end_feed (source);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
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
  end_feed (source);
  pull_all (sink, N_BUFFERS);
  stop_pipeline (pipeline);
}

void
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
  end_feed (source);
  pull_all (sink, N_BUFFERS);
  return pipeline;
}

void
appsink_by_type (void)
{
  stop_pipeline (run_without_appsrc (
      g_object_new (GST_TYPE_APP_SINK, "name", "it", NULL)));
}

void
appsink_subclass (void)
{
  stop_pipeline (run_without_appsrc (
      g_object_new (own_sink_get_type (), "name", "it", NULL)));
}

/* Once more, when the plugin is there. */
void
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

void
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
  end_feed (source);
  wait_for_end (insertion.pipeline);
  stop_pipeline (insertion.pipeline);
}

/* A file with pictures, pushed in one wrapped buffer, so that what the demuxer
 * cuts out of it is foreign. */
void
in_decodebin (void)
{
  g_autofree gchar *path = g_build_filename (scratch_dir (), "file", NULL);
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
  stop_pipeline (pipeline);

  pipeline = parse ("appsrc name=feed max-bytes=0 ! decodebin ! fakesink");
  source = get (pipeline, "feed");
  testing_check (g_file_get_contents (path, &data, &size, NULL));
  testing_check (g_remove (path) == 0);
  play (pipeline);
  testing_check (gst_app_src_push_buffer (GST_APP_SRC (source),
                     gst_buffer_new_wrapped (g_steal_pointer (&data), size))
      == GST_FLOW_OK);
  end_feed (source);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
}

void
in_splitmuxsink (void)
{
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc pattern=snow num-buffers=50 ! "
      "video/x-raw,width=320,height=240 ! x264enc speed-preset=ultrafast "
      "key-int-max=10 ! h264parse ! splitmuxsink max-size-time=500000000 "
      "location=%s/part%%02d.mp4",
      scratch_dir ());
  GstElement *pipeline = parse (description);
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = NULL;
  const gchar *name;
  guint n = 0;

  play (pipeline);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
  dir = g_dir_open (scratch_dir (), 0, &error);
  while ((name = g_dir_read_name (dir)) != NULL) {
    if (g_str_has_prefix (name, "part")) {
      g_autofree gchar *path = g_build_filename (scratch_dir (), name, NULL);

      n++;
      testing_check (g_remove (path) == 0);
    }
  }
  testing_check (n > 1);
}
