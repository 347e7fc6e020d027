/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * encoders.c: what encoders make of numbered frames is the same each time.
 *
 * They hold frames, and read them out of order and more than once. What has to
 * come out is what came out of a process without filemem.
 */
#include "activities.h"
#include "numbered.h"

#define WIDTH 176
#define HEIGHT 144
#define N_FRAMES 150

typedef struct
{
  const gchar *name, *settings;
} Encoder;

/* So that all they do follows from the frames, and nothing from the time. */
static const Encoder encoders[] = {
    {"x264enc", "speed-preset=ultrafast threads=1"},
    {"vp8enc", "deadline=1000000 cpu-used=5 threads=1"},
};

const gchar *const encoder_names[] = {"x264enc", "vp8enc", NULL};

static const Encoder *
find_encoder (const gchar *name)
{
  guint i = 0;

  while (!g_str_equal (encoders[i].name, name))
    i++;
  return &encoders[i];
}

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, GChecksum *sum)
{
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ)) {
    numbered_complain ("what an encoder made can't be mapped");
    return;
  }
  g_checksum_update (sum, map.data, (gssize) map.size);
  gst_buffer_unmap (buffer, &map);
}

static GstElement *
make_pipeline (const Encoder *encoder, GChecksum *sum)
{
  static const Numbered frames = {
      0, WIDTH * HEIGHT * 3 / 2, WIDTH * HEIGHT * 3 / 2, N_FRAMES, FALSE};
  g_autofree gchar *text = g_strdup_printf (
      "capsfilter name=first "
      "caps=video/x-raw,format=I420,width=%d,height=%d,framerate=25/1 "
      "! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 "
      "! %s %s ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 "
      "! fakesink name=last signal-handoffs=true",
      WIDTH, HEIGHT, encoder->name, encoder->settings);
  GstElement *pipeline = gst_parse_launch (text, NULL);
  GstElement *src = numbered_src_new (&frames);
  g_autoptr (GstElement) first =
      gst_bin_get_by_name (GST_BIN (pipeline), "first");
  g_autoptr (GstElement) last =
      gst_bin_get_by_name (GST_BIN (pipeline), "last");

  gst_bin_add (GST_BIN (pipeline), src);
  gst_element_link (src, first);
  g_signal_connect (last, "handoff", G_CALLBACK (on_handoff), sum);
  return pipeline;
}

static gboolean
run_to_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, PATIENCE_US * GST_USECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  return message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
}

gchar *
encoder_digest (const gchar *name)
{
  g_autoptr (GstElementFactory) factory = gst_element_factory_find (name);
  GChecksum *sum;
  GstElement *pipeline;
  gchar *digest;

  if (factory == NULL)
    return NULL;
  sum = g_checksum_new (G_CHECKSUM_SHA256);
  pipeline = make_pipeline (find_encoder (name), sum);
  if (!run_to_end (pipeline))
    numbered_complain ("%s has not come to its end", name);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  digest = g_strdup (g_checksum_get_string (sum));
  g_checksum_free (sum);
  return digest;
}

void
play_encoder (Worker *worker)
{
  g_autoptr (GList) names = g_hash_table_get_keys (worker->digests);
  guint n = g_list_length (names);
  g_autofree gchar *digest = NULL;
  const gchar *name;

  if (n == 0)
    return;
  name = g_list_nth_data (
      names, (guint) g_rand_int_range (worker->random, 0, (gint) n));
  digest = encoder_digest (name);
  if (g_strcmp0 (digest, g_hash_table_lookup (worker->digests, name)) != 0)
    numbered_complain ("%s made something else than without filemem", name);
}
