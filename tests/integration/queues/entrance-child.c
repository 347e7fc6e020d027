/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-child.c: see entrance-child.h.
 */
#include "entrance-child.h"

#include <stdlib.h>

static const gchar *scratch;
static GstAllocator *default_allocator;

void
start_child (const gchar *dir, gboolean with_filemem)
{
  const gchar *type;

  gst_init (NULL, NULL);
  scratch = dir;
  default_allocator = gst_allocator_find (NULL);
  type = G_OBJECT_TYPE_NAME (default_allocator);
  testing_check (g_str_equal (type, "GstFileMemAllocator") == with_filemem);
}

const gchar *
scratch_dir (void)
{
  return scratch;
}

/* ---- what enters ---- */

GstBuffer *
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

void
check_bytes (GstBuffer *buffer, guint seed)
{
  GstMapInfo info;

  testing_check (gst_buffer_map (buffer, &info, GST_MAP_READ));
  testing_check (info.size == BLOCK);
  testing_check (testing_is_filled (info.data, info.size, seed));
  gst_buffer_unmap (buffer, &info);
  testing_check (GST_BUFFER_PTS (buffer) == seed * 10 * GST_MSECOND);
}

gboolean
is_ours (GstBuffer *buffer)
{
  guint i;

  for (i = 0; i < gst_buffer_n_memory (buffer); i++) {
    if (gst_buffer_peek_memory (buffer, i)->allocator != default_allocator)
      return FALSE;
  }
  return TRUE;
}

void
feed (GstElement *source, guint from, guint n)
{
  guint i;

  for (i = from; i < from + n; i++)
    testing_check (
        gst_app_src_push_buffer (GST_APP_SRC (source), wrapped_buffer (i))
        == GST_FLOW_OK);
}

void
end_feed (GstElement *source)
{
  testing_check (
      gst_app_src_end_of_stream (GST_APP_SRC (source)) == GST_FLOW_OK);
}

/* ---- pipelines ---- */

GstElement *
make (const gchar *factory, const gchar *name)
{
  GstElement *element = gst_element_factory_make (factory, name);

  if (element == NULL) {
    g_printerr ("no element %s\n", factory);
    exit (EXIT_SKIP);
  }
  return element;
}

GstElement *
make_feed (void)
{
  GstElement *source = make ("appsrc", "feed");

  g_object_set (source, "format", GST_FORMAT_TIME, "max-bytes",
      G_GUINT64_CONSTANT (0), NULL);
  return source;
}

GstElement *
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

GstElement *
get (GstElement *pipeline, const gchar *name)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  testing_check (element != NULL);
  return element;
}

void
play (GstElement *pipeline)
{
  testing_check (gst_element_set_state (pipeline, GST_STATE_PLAYING)
      != GST_STATE_CHANGE_FAILURE);
}

void
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

void
stop_pipeline (GstElement *pipeline)
{
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

void
run_fed (GstElement *pipeline)
{
  g_autoptr (GstElement) source = get (pipeline, "feed");

  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end_feed (source);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
}

GstPadProbeReturn
block (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK;
}
