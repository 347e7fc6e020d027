/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-flow.c: the cases of what must be as it is without filemem: a queue
 * is full at its limit and its source waits, latency is the same, and quality
 * of service gets through.
 */
#include "entrance-cases.h"
#include "entrance-child.h"

#include <stdio.h>

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
  gint now;
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
  /* It is full, and stays at that. */
  while (unchanged < 20) {
    now = g_atomic_int_get (&n_pushed);
    unchanged = now > (gint) limit ? unchanged + 1 : 0;
    testing_check (now <= (gint) limit + 1);
    g_usleep (TICK);
  }
  g_object_get (queue, "current-level-buffers", &level, NULL);
  g_printerr ("%d pushed, %u in the queue\n", now, level);
  testing_check (level == limit);
  gst_pad_set_active (in, FALSE);
  g_thread_join (thread);
  gst_element_set_state (queue, GST_STATE_NULL);
  gst_object_unref (queue);
  gst_object_unref (source);
}

void
limit_of_buffers (void)
{
  check_limit ("max-size-buffers");
}

void
limit_of_bytes (void)
{
  check_limit ("max-size-bytes");
}

void
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
  stop_pipeline (pipeline);
}

static GstPadProbeReturn
count_qos (GstPad *pad, GstPadProbeInfo *info, gpointer n)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_QOS)
    g_atomic_int_inc ((gint *) n);
  return GST_PAD_PROBE_OK;
}

void
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
