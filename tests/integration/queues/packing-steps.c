/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-steps.c: see packing-steps.h.
 */
#include "packing-steps.h"

#include "packing-line.h"
#include "packing-metas.h"

typedef struct
{
  Choices *choices;
  gboolean asks;
  guint n; /* buffers made */
  GstClockTime time;
} Maker;

static gboolean
happens (Maker *maker, guint percent)
{
  return choices_percent (maker->choices, percent);
}

static gsize
choose_size (Maker *maker)
{
  if (happens (maker, 2))
    return 70000;
  return happens (maker, 3) ? 0 : 1 + choices_below (maker->choices, 2999);
}

static void
add_times (Maker *maker, GstBuffer *buffer)
{
  maker->time += choices_below (maker->choices, 40) * GST_MSECOND;
  if (happens (maker, 5))
    maker->time -= MIN (maker->time, 500 * GST_MSECOND);
  if (happens (maker, 90))
    GST_BUFFER_PTS (buffer) = maker->time;
  if (happens (maker, 30))
    GST_BUFFER_DTS (buffer) = maker->time;
  if (happens (maker, 50))
    GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
  if (happens (maker, 30))
    GST_BUFFER_OFFSET_END (buffer) = maker->n;
}

/* Metas, and now and then what can't be packed. */
static void
add_more (Maker *maker, GstBuffer *buffer)
{
  metas_add (maker->choices, buffer, maker->n);
  if (happens (maker, 2))
    gst_mini_object_set_qdata (GST_MINI_OBJECT_CAST (buffer),
        g_quark_from_static_string ("packing-line"), buffer, NULL);
}

static GstBuffer *
make_buffer (Maker *maker)
{
  GstBuffer *buffer = line_buffer (choose_size (maker), maker->n++);
  guint flags = 0;

  while (happens (maker, 20))
    buffer = gst_buffer_append (
        buffer, line_buffer (1 + choices_below (maker->choices, 99), 1));
  add_times (maker, buffer);
  add_more (maker, buffer);
  if (happens (maker, 20))
    flags |= GST_BUFFER_FLAG_DELTA_UNIT;
  if (happens (maker, 5))
    flags |= GST_BUFFER_FLAG_DISCONT | GST_BUFFER_FLAG_RESYNC;
  if (happens (maker, 5))
    flags |= GST_BUFFER_FLAG_GAP | GST_BUFFER_FLAG_DROPPABLE;
  if (happens (maker, 5))
    flags |= GST_BUFFER_FLAG_LAST << 2;
  if (happens (maker, 5))
    GST_BUFFER_FLAG_UNSET (buffer, GST_BUFFER_FLAG_TAG_MEMORY);
  GST_BUFFER_FLAG_SET (buffer, flags);
  return buffer;
}

static GstBufferList *
make_list (Maker *maker)
{
  guint n = 1 + choices_below (maker->choices, 5);
  GstBufferList *list = gst_buffer_list_new ();

  while (n-- > 0)
    gst_buffer_list_add (list, make_buffer (maker));
  return list;
}

static GstEvent *
make_event (Maker *maker)
{
  g_autoptr (GstCaps) caps = NULL;
  GstSegment segment;

  switch (choices_below (maker->choices, 5)) {
    case 0:
      return gst_event_new_gap (maker->time, 1);
    case 1:
      return gst_event_new_tag (
          gst_tag_list_new (GST_TAG_TRACK_NUMBER, maker->n, NULL));
    case 2:
      caps =
          gst_caps_new_simple ("test/x-any", "n", G_TYPE_INT, maker->n, NULL);
      return gst_event_new_caps (caps);
    case 3:
      gst_segment_init (&segment, GST_FORMAT_TIME);
      segment.start = maker->n;
      return gst_event_new_segment (&segment);
    default:
      return gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM,
          gst_structure_new ("test", "n", G_TYPE_UINT, maker->n, NULL));
  }
}

static void
ask (Line *line)
{
  GstQuery *query = gst_query_new_drain ();

  line_set_free (line, TRUE);
  testing_check (gst_pad_peer_query (line->feed, query));
  line_set_free (line, FALSE);
  gst_query_unref (query);
}

static void
feed_item (Line *line, Maker *maker)
{
  guint what = choices_below (maker->choices, 100);

  if (what < 6)
    testing_check (gst_pad_push_event (line->feed, make_event (maker)));
  else if (what < 12)
    testing_check (
        gst_pad_push_list (line->feed, make_list (maker)) == GST_FLOW_OK);
  else if (what < 13 && maker->asks)
    ask (line);
  else if (what < 18)
    line_permit (line, choices_below (maker->choices, 60));
  else
    testing_check (
        gst_pad_push (line->feed, make_buffer (maker)) == GST_FLOW_OK);
}

gchar *
packing_steps_run (
    const gchar *factory, Choices *choices, guint items, gboolean packed)
{
  /* Others than a queue may refuse a query, now and then. */
  Maker maker = {.choices = choices, .asks = g_str_equal (factory, "queue")};
  Line *line = line_new (factory, packed);
  gchar *text;
  guint i;

  for (i = 0; i < items && !choices_are_over (choices); i++)
    feed_item (line, &maker);
  line_set_free (line, TRUE);
  testing_check (gst_pad_push_event (line->feed, gst_event_new_eos ()));
  line_wait_for_end (line);
  text = line_text (line);
  line_free (line);
  return text;
}
