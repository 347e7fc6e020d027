/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-sequences.c: a test that what leaves a queue is the same, packed or
 * not: random sequences of buffers, lists, events and queries, taken out at
 * random.
 *
 *   test-packing-sequences ELEMENT
 *
 * In a process with the tracer and a tiny `pack-above`.
 */
#include "packing-line.h"
#include "packing-metas.h"

#include <string.h>

#define SEQUENCES 400
#define ITEMS 300

static const gchar *factory;

typedef struct
{
  GRand *rand;
  guint n; /* buffers made */
  GstClockTime time;
} Maker;

static gboolean
happens (Maker *maker, guint percent)
{
  return (guint) g_rand_int_range (maker->rand, 0, 100) < percent;
}

static gsize
random_size (Maker *maker)
{
  if (happens (maker, 2))
    return 70000;
  return happens (maker, 3) ? 0 : g_rand_int_range (maker->rand, 1, 3000);
}

static void
add_times (Maker *maker, GstBuffer *buffer)
{
  maker->time += g_rand_int_range (maker->rand, 0, 40) * GST_MSECOND;
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
  metas_add (maker->rand, buffer, maker->n);
  if (happens (maker, 2))
    gst_mini_object_set_qdata (GST_MINI_OBJECT_CAST (buffer),
        g_quark_from_static_string ("packing-line"), buffer, NULL);
}

static GstBuffer *
make_buffer (Maker *maker)
{
  GstBuffer *buffer = line_buffer (random_size (maker), maker->n++);
  guint flags = 0;

  while (happens (maker, 20))
    buffer = gst_buffer_append (
        buffer, line_buffer (g_rand_int_range (maker->rand, 1, 100), 1));
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
  guint n = g_rand_int_range (maker->rand, 1, 6);
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

  switch (g_rand_int_range (maker->rand, 0, 5)) {
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
  assert_true (gst_pad_peer_query (line->feed, query));
  line_set_free (line, FALSE);
  gst_query_unref (query);
}

static void
feed_item (Line *line, Maker *maker)
{
  guint what = g_rand_int_range (maker->rand, 0, 100);

  if (what < 6)
    assert_true (gst_pad_push_event (line->feed, make_event (maker)));
  else if (what < 12)
    assert_int_equal (
        gst_pad_push_list (line->feed, make_list (maker)), GST_FLOW_OK);
  else if (what < 13 && g_str_equal (factory, "queue"))
    ask (line); /* others may refuse, now and then */
  else if (what < 18)
    line_permit (line, g_rand_int_range (maker->rand, 0, 60));
  else
    assert_int_equal (
        gst_pad_push (line->feed, make_buffer (maker)), GST_FLOW_OK);
}

/* What comes out of @seed's sequence; adds to *@n_packed. */
static gchar *
run_sequence (guint seed, gboolean packed, guint64 *n_packed)
{
  Maker maker = {g_rand_new_with_seed (seed), 0, 0};
  Line *line = line_new (factory, packed);
  guint64 before = line_figure ("packed");
  gchar *text;
  guint i;

  for (i = 0; i < ITEMS; i++)
    feed_item (line, &maker);
  line_set_free (line, TRUE);
  assert_true (gst_pad_push_event (line->feed, gst_event_new_eos ()));
  line_wait_for_end (line);
  *n_packed += line_figure ("packed") - before;
  text = line_text (line);
  line_free (line);
  g_rand_free (maker.rand);
  return text;
}

static void
test_sequences (void **state)
{
  guint64 n_packed = 0, n_plain = 0;
  guint seed;

  for (seed = 0; seed < SEQUENCES; seed++) {
    g_autofree gchar *packed = run_sequence (seed, TRUE, &n_packed);
    g_autofree gchar *plain = run_sequence (seed, FALSE, &n_plain);

    if (!g_str_equal (packed, plain)) {
      g_file_set_contents ("packed.txt", packed, -1, NULL);
      g_file_set_contents ("plain.txt", plain, -1, NULL);
      fail_msg ("%s, seed %u: see packed.txt and plain.txt", factory, seed);
    }
  }
  assert_true (n_packed > SEQUENCES * ITEMS / 5);
  assert_int_equal (n_plain, 0);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_sequences),
  };

  gst_init (&argc, &argv);
  factory = argv[1];
  return cmocka_run_group_tests (tests, NULL, NULL);
}
