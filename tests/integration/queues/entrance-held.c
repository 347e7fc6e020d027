/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-held.c: the cases of queues from which nobody takes anything: no
 * more foreign memory stays in them than GST_FILEMEM_COPY_ABOVE allows.
 */
#include "entrance-cases.h"
#include "entrance-child.h"

#include <stdlib.h>

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
  end_feed (source);
  gst_pad_remove_probe (out, held);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
  testing_check (left.bytes == 5 * N_BUFFERS * BLOCK);
  /* Less than that and it would not be worth a copy; the last one may not have
   * been in the queue. */
  testing_check (left.foreign >= (gsize) atoi (most) - BLOCK);
  testing_check (left.foreign <= (gsize) atoi (most) + BLOCK);
}

#define UNLIMITED " max-size-buffers=0 max-size-bytes=0 max-size-time=0"

void
nobody_takes_from_queue (void)
{
  hold_all ("queue name=it" UNLIMITED, "src");
}

void
nobody_takes_from_queue2 (void)
{
  hold_all ("queue2 name=it use-buffering=false" UNLIMITED, "src");
}

void
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
void
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
  for (i = 0;
       i < PATIENCE / GST_USECOND / TICK && g_atomic_int_get (&n_parents) > 6;
       i++)
    g_usleep (TICK);
  g_printerr ("%d parents of 256 KiB are alive\n", n_parents);
  testing_check (n_parents <= 6);
  end_feed (source);
  gst_pad_remove_probe (out, held);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
}

void
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
  stop_pipeline (pipeline);
}
