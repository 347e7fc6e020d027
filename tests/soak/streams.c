/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * streams.c: pipelines of numbered streams.
 *
 * A pipeline that is paused fills its queues behind the first buffer of each
 * sink; so deep queues are filled, emptied and filled again, at whatever speed
 * the machine has.
 */
#include "activities.h"
#include "numbered.h"

#define MOST_STREAMS 100
#define MOST_TEES 8
#define MOST_STEPS 5

typedef struct
{
  gsize least, most;
  gboolean wrapped;
} Kind;

/* RTP packets, compressed frames, raw ones; and memory of others. */
static const Kind kinds[] = {
    {20, 1400, FALSE},
    {2 * KIB, 60 * KIB, FALSE},
    {100 * KIB, 3 * MIB, FALSE},
    {8, 3 * MIB, FALSE},
    {188, 1400, TRUE},
    {64 * KIB, 1 * MIB, TRUE},
};

/* More small buffers than this take long and tell no more. */
#define MOST_BUFFERS 60000

/* Sinks that are slow get no more. */
#define SOME_BUFFERS 1000

static GstElement *
add_queue (Worker *worker, GstBin *bin, GstElement *from, guint64 depth)
{
  GstElement *queue = gst_element_factory_make (
      worker_chance (worker, 70) ? "queue" : "queue2", NULL);

  g_object_set (queue, "max-size-buffers", 0, "max-size-bytes", (guint) depth,
      "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  gst_bin_add (bin, queue);
  gst_element_link (from, queue);
  return queue;
}

static void
add_sink (Worker *worker, GstBin *bin, GstElement *from, const Numbered *stream)
{
  gulong rest_us =
      stream->n_buffers < SOME_BUFFERS && worker_chance (worker, 20) ? 500 : 0;
  GstElement *sink = numbered_sink_new (stream, rest_us);

  gst_bin_add (bin, sink);
  gst_element_link (from, sink);
}

static void
add_stream (Worker *worker, GstBin *bin, const Kind *kind, guint64 depth)
{
  Numbered stream = {worker->n_streams++, kind->least, kind->most,
      MIN (2 * depth / ((kind->least + kind->most) / 2) + 2, MOST_BUFFERS),
      kind->wrapped};
  GstElement *last = numbered_src_new (&stream);
  guint n_branches = 1, i;

  gst_bin_add (bin, last);
  /* No limit behind a tee: where one branch is full and the other wants a
   * buffer before it is paused, GStreamer waits for ever. */
  if (bin->numchildren < MOST_TEES && worker_chance (worker, 25)) {
    GstElement *tee = gst_element_factory_make ("tee", NULL);

    gst_bin_add (bin, tee);
    gst_element_link (last, tee);
    last = tee;
    n_branches = 2;
    depth = 0;
  }
  for (i = 0; i < n_branches; i++)
    add_sink (worker, bin, add_queue (worker, bin, last, depth), &stream);
}

static void
rest (Worker *worker, gsize most_ms)
{
  g_usleep (worker_pick (worker, 1, most_ms + 1) * 1000);
}

/* FALSE where it does not come to that state. What is asked of a pipeline while
 * it is on its way somewhere else, GStreamer 1.22 may forget, with filemem or
 * without; so each change is waited for. */
static gboolean
change_state (GstElement *pipeline, GstState state)
{
  gst_element_set_state (pipeline, state);
  return gst_element_get_state (pipeline, NULL, NULL, PATIENCE_US * GST_USECOND)
      == GST_STATE_CHANGE_SUCCESS;
}

static gboolean
seek (Worker *worker, GstElement *pipeline)
{
  /* All streams have two buffers and more. */
  gint64 number = worker_chance (worker, 50) ? 0 : 1;

  return change_state (pipeline, GST_STATE_PAUSED)
      && gst_element_seek_simple (pipeline, GST_FORMAT_TIME,
          GST_SEEK_FLAG_FLUSH, number * (gint64) NUMBERED_DURATION)
      && change_state (pipeline, GST_STATE_PAUSED);
}

static gboolean
has_ended (GstElement *pipeline)
{
  g_autoptr (GstIterator) sinks = gst_bin_iterate_sinks (GST_BIN (pipeline));
  GValue value = G_VALUE_INIT;
  gboolean all = TRUE;

  while (all && gst_iterator_next (sinks, &value) == GST_ITERATOR_OK) {
    all = numbered_sink_has_ended (g_value_get_object (&value));
    g_value_unset (&value);
  }
  return all;
}

static gboolean
play_to_end (GstElement *pipeline)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  if (!change_state (pipeline, GST_STATE_PLAYING))
    return FALSE;
  while (!has_ended (pipeline)) {
    if (g_get_monotonic_time () > end)
      return FALSE;
    g_usleep (LOOK_US);
  }
  return TRUE;
}

static gboolean
play_some (Worker *worker, GstElement *pipeline)
{
  guint n_steps = (guint) g_rand_int_range (worker->random, 0, MOST_STEPS), i;

  if (!change_state (pipeline, GST_STATE_PAUSED))
    return FALSE;
  rest (worker, 500);
  for (i = 0; i < n_steps; i++) {
    worker_change_budget (worker);
    if (!change_state (pipeline,
            worker_chance (worker, 50) ? GST_STATE_PAUSED : GST_STATE_PLAYING))
      return FALSE;
    rest (worker, 300);
    if (worker_chance (worker, 30) && !seek (worker, pipeline))
      return FALSE;
  }
  return worker_chance (worker, 40) || play_to_end (pipeline);
}

static void
check_errors (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);

  if (message != NULL)
    numbered_complain ("error of %s", GST_MESSAGE_SRC_NAME (message));
}

void
play_streams (Worker *worker)
{
  const Kind *kind =
      &kinds[g_rand_int_range (worker->random, 0, G_N_ELEMENTS (kinds))];
  guint n_streams = (guint) worker_pick (worker, 1, MOST_STREAMS + 1), i;
  guint64 depth = worker_pick (worker, worker->depth / 8, worker->depth);
  GstElement *pipeline = gst_pipeline_new (NULL);

  for (i = 0; i < n_streams; i++)
    add_stream (
        worker, GST_BIN (pipeline), kind, MAX (depth / n_streams, 256 * KIB));
  if (!play_some (worker, pipeline))
    numbered_complain ("%u streams do not go on", n_streams);
  check_errors (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
