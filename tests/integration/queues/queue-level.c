/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-level.c: tests tracer/queue-level.c by itself: what a queue is said to
 * hold, where that is counted by the buffers that are in use (appsink), and
 * where the queue tells its level.
 */
#include "queue-level.h"

#include "foreign-fixture.h"

#define PATIENCE (300 * G_USEC_PER_SEC)

static GstElement *
make (const gchar *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL)
    testing_skip ("an element is missing");
  return gst_object_ref_sink (element);
}

static gboolean
exceeds (FmQueueLevel *level, GstBuffer *buffer, gsize bytes, guint64 limit)
{
  return fm_queue_level_exceeds (level, buffer, bytes, bytes, limit);
}

static void
test_in_use (void **state)
{
  GstElement *sink = make ("appsink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  FmQueueLevel *level = fm_queue_level_new (sink, pad);
  GstBuffer *buffers[10];
  guint i;

  for (i = 0; i < 10; i++) {
    buffers[i] = wrapped_buffer (BLOCK, i, NULL);
    assert_false (exceeds (level, buffers[i], BLOCK, 10 * BLOCK));
    /* The same one once more adds nothing. */
    assert_false (exceeds (level, buffers[i], BLOCK, 10 * BLOCK));
    assert_int_equal (fm_queue_level_bytes (level), (i + 1) * BLOCK);
  }
  for (i = 0; i < 5; i++) {
    g_autoptr (GstBuffer) next = wrapped_buffer (BLOCK, i, NULL);
    GThread *thread;

    assert_true (exceeds (level, next, BLOCK, 10 * BLOCK));
    thread = g_thread_new (
        "free", (GThreadFunc) (GCallback) gst_buffer_unref, buffers[i]);
    g_thread_join (thread);
    assert_int_equal (fm_queue_level_bytes (level), 9 * BLOCK);
    assert_false (exceeds (level, next, BLOCK, 10 * BLOCK));
    buffers[i] = g_steal_pointer (&next);
  }
  assert_true (exceeds (level, buffers[0], 11 * BLOCK, 10 * BLOCK));
  /* It may go before they do. */
  fm_queue_level_free (level);
  for (i = 0; i < 10; i++)
    gst_buffer_unref (buffers[i]);
  gst_object_unref (sink);
}

/* A buffer that rests in its pool is nobody's; one that was taken again is. */
static void
test_in_use_of_pools (void **state)
{
  GstElement *sink = make ("appsink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  FmQueueLevel *level = fm_queue_level_new (sink, pad);
  GstBufferPool *first = counting_pool_new (4), *second = counting_pool_new (4);
  GstBuffer *buffers[4], *others[4];
  guint i;

  for (i = 0; i < 4; i++) {
    buffers[i] = acquire (first);
    assert_false (exceeds (level, buffers[i], BLOCK, 4 * BLOCK));
  }
  others[0] = acquire (second);
  assert_true (exceeds (level, others[0], BLOCK, 4 * BLOCK));
  gst_buffer_unref (buffers[3]);
  assert_false (exceeds (level, others[0], BLOCK, 4 * BLOCK));
  buffers[3] = acquire (first);
  assert_true (exceeds (level, buffers[3], BLOCK, 4 * BLOCK));
  for (i = 0; i < 4; i++)
    gst_buffer_unref (buffers[i]);
  for (i = 1; i < 4; i++) {
    others[i] = acquire (second);
    assert_false (exceeds (level, others[i], BLOCK, 4 * BLOCK));
  }
  for (i = 0; i < 4; i++)
    gst_buffer_unref (others[i]);
  gst_buffer_pool_set_active (first, FALSE);
  gst_buffer_pool_set_active (second, FALSE);
  gst_object_unref (first);
  gst_object_unref (second);
  assert_int_equal (fm_queue_level_bytes (level), 0);
  fm_queue_level_free (level);
  gst_object_unref (sink);
}

static void
get_level (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  g_value_set_uint64 (value, 0);
}

static void
sink_class_init (gpointer class, gpointer unused)
{
  G_OBJECT_CLASS (class)->get_property = get_level;
  g_object_class_install_property (class, 1,
      g_param_spec_uint64 (
          "current-level-bytes", "", "", 0, G_MAXUINT64, 0, G_PARAM_READABLE));
}

/* appsink has a level since 1.28; what the program has is not in it. */
static void
test_level_of_sink (void **state)
{
  GType type = g_type_register_static_simple (GST_TYPE_ELEMENT, "LevelSink",
      sizeof (GstElementClass), sink_class_init, sizeof (GstElement), NULL, 0);
  GstElement *sink = gst_object_ref_sink (g_object_new (type, NULL));
  g_autoptr (GstPad) pad =
      gst_object_ref_sink (gst_pad_new ("sink", GST_PAD_SINK));
  FmQueueLevel *level = fm_queue_level_new (sink, pad);

  assert_true (fm_queue_level_is_told (level));
  fm_queue_level_free (level);
  GST_OBJECT_FLAG_SET (sink, GST_ELEMENT_FLAG_SINK);
  level = fm_queue_level_new (sink, pad);
  assert_false (fm_queue_level_is_told (level));
  fm_queue_level_free (level);
  gst_object_unref (sink);
}

static GstFlowReturn
swallow (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK;
}

/* Something that pushes into @entrance. */
static GstPad *
feed_new (GstPad *entrance)
{
  GstPad *feed = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  GstSegment segment;

  assert_true (gst_pad_set_active (feed, TRUE));
  assert_int_equal (gst_pad_link (feed, entrance), GST_PAD_LINK_OK);
  gst_pad_push_event (feed, gst_event_new_stream_start ("test"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (feed, gst_event_new_segment (&segment));
  return feed;
}

/* The real level: @exit is held, then let go. */
static void
check_level (GstElement *element, GstPad *entrance, GstPad *exit)
{
  FmQueueLevel *level = fm_queue_level_new (element, entrance);
  GstPad *feed, *end = gst_object_ref_sink (gst_pad_new ("end", GST_PAD_SINK));
  gint64 deadline = g_get_monotonic_time () + PATIENCE;
  g_autoptr (GstBuffer) next = wrapped_buffer (BLOCK, 0, NULL);
  gulong held;
  guint i;

  gst_pad_set_chain_function (end, swallow);
  gst_pad_set_active (end, TRUE);
  assert_int_equal (gst_pad_link (exit, end), GST_PAD_LINK_OK);
  held = gst_pad_add_probe (
      exit, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, hold, NULL, NULL);
  assert_int_equal (gst_element_set_state (element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  feed = feed_new (entrance);
  for (i = 0; i < 4; i++) {
    GstBuffer *buffer = wrapped_buffer (BLOCK, i, NULL);

    assert_false (exceeds (level, buffer, BLOCK, 4 * BLOCK + BLOCK / 2));
    assert_int_equal (fm_queue_level_bytes (level), (i + 1) * BLOCK);
    assert_int_equal (gst_pad_push (feed, buffer), GST_FLOW_OK);
  }
  assert_true (exceeds (level, next, BLOCK, 4 * BLOCK + BLOCK / 2));
  gst_pad_remove_probe (exit, held);
  while (
      exceeds (level, next, BLOCK, BLOCK) && g_get_monotonic_time () < deadline)
    g_usleep (1000);
  assert_int_equal (fm_queue_level_bytes (level), BLOCK);

  gst_element_set_state (element, GST_STATE_NULL);
  fm_queue_level_free (level);
  gst_pad_unlink (feed, entrance);
  gst_pad_unlink (exit, end);
  gst_object_unref (feed);
  gst_object_unref (end);
}

static void
test_level_of_queue (void **state)
{
  GstElement *queue = make ("queue");
  g_autoptr (GstPad) entrance = gst_element_get_static_pad (queue, "sink");
  g_autoptr (GstPad) exit = gst_element_get_static_pad (queue, "src");

  check_level (queue, entrance, exit);
  gst_object_unref (queue);
}

static GstPad *
request (GstElement *queue, const gchar *name)
{
  return gst_element_request_pad (
      queue, gst_element_get_pad_template (queue, "sink_%u"), name, NULL);
}

static void
test_level_of_multiqueue (void **state)
{
  GstElement *queue = make ("multiqueue");
  g_autoptr (GstPad) entrance = request (queue, "sink_0");
  g_autoptr (GstPad) other = request (queue, "sink_1");
  g_autoptr (GstPad) exit = gst_element_get_static_pad (queue, "src_0");
  g_autoptr (GstPad) other_exit = gst_element_get_static_pad (queue, "src_1");

  check_level (queue, entrance, exit);
  /* Each of its pads has a level of its own. */
  check_level (queue, other, other_exit);
  gst_object_unref (queue);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_in_use),
      cmocka_unit_test (test_in_use_of_pools),
      cmocka_unit_test (test_level_of_sink),
      cmocka_unit_test (test_level_of_queue),
      cmocka_unit_test (test_level_of_multiqueue),
  };

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
