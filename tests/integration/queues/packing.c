/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.c: tests that nobody behind a queue can tell whether its buffers were
 * packed, whatever comes, however full it is, and whatever happens then.
 *
 * In a process with the tracer and a tiny `pack-above`.
 */
#include "packing-line.h"

#include <gst/net/net.h>
#include <gst/video/video.h>
#include <string.h>

#define SEQUENCES 400
#define ITEMS 300

/* ---- random sequences ---- */

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

static void
add_metas (Maker *maker, GstBuffer *buffer)
{
  static GstStaticCaps reference = GST_STATIC_CAPS ("timestamp/x-unix");

  if (happens (maker, 20)) {
    g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (
        "192.0.2.1", 5000 + g_rand_int_range (maker->rand, 0, 3));

    gst_buffer_add_net_address_meta (buffer, address);
  }
  if (happens (maker, 10)) {
    g_autoptr (GstCaps) caps = gst_static_caps_get (&reference);

    gst_buffer_add_reference_timestamp_meta (
        buffer, caps, maker->n, happens (maker, 50) ? 7 : GST_CLOCK_TIME_NONE);
  }
  if (happens (maker, 10))
    gst_buffer_add_video_crop_meta (buffer)->width = maker->n;
  /* What can't be packed. */
  if (happens (maker, 2))
    gst_buffer_add_protection_meta (
        buffer, gst_structure_new_empty ("protected"));
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
  add_metas (maker, buffer);
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
  GstElementFactory *factory = gst_element_get_factory (line->queue);
  guint what = g_rand_int_range (maker->rand, 0, 100);

  if (what < 6)
    assert_true (gst_pad_push_event (line->feed, make_event (maker)));
  else if (what < 12)
    assert_int_equal (
        gst_pad_push_list (line->feed, make_list (maker)), GST_FLOW_OK);
  else if (what < 13 && g_str_equal (GST_OBJECT_NAME (factory), "queue"))
    ask (line); /* queue2 may refuse, now and then */
  else if (what < 18)
    line_permit (line, g_rand_int_range (maker->rand, 0, 60));
  else
    assert_int_equal (
        gst_pad_push (line->feed, make_buffer (maker)), GST_FLOW_OK);
}

/* What comes out of @seed's sequence; adds to *@n_packed. */
static gchar *
run_sequence (
    const gchar *factory, guint seed, gboolean packed, guint64 *n_packed)
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
check_sequences (const gchar *factory)
{
  guint64 n_packed = 0, n_plain = 0;
  guint seed;

  for (seed = 0; seed < SEQUENCES; seed++) {
    g_autofree gchar *packed = run_sequence (factory, seed, TRUE, &n_packed);
    g_autofree gchar *plain = run_sequence (factory, seed, FALSE, &n_plain);

    if (!g_str_equal (packed, plain)) {
      g_file_set_contents ("packed.txt", packed, -1, NULL);
      g_file_set_contents ("plain.txt", plain, -1, NULL);
      fail_msg ("%s, seed %u: see packed.txt and plain.txt", factory, seed);
    }
  }
  assert_true (n_packed > SEQUENCES * ITEMS / 5);
  assert_int_equal (n_plain, 0);
}

static void
test_queue (void **state)
{
  check_sequences ("queue");
}

static void
test_queue2 (void **state)
{
  check_sequences ("queue2");
}

/* ---- what happens then ---- */

#define SIZE 500
#define MANY 400

static GstFlowReturn
push (Line *line, guint n)
{
  return gst_pad_push (line->feed, line_buffer (SIZE, n));
}

static Line *
new_full_line (void)
{
  Line *line = line_new ("queue", TRUE);
  guint64 before = line_figure ("packed");
  guint i;

  for (i = 0; i < MANY; i++)
    assert_int_equal (push (line, i), GST_FLOW_OK);
  assert_true (line_figure ("packed") > before + MANY / 2);
  return line;
}

/* The numbers of the buffers that it has seen. */
static GArray *
numbers_of (Line *line)
{
  GArray *numbers = g_array_new (FALSE, FALSE, sizeof (guint));
  guint i;

  g_mutex_lock (&line->lock);
  for (i = 0; i < line->seen->len; i++) {
    const gchar *at = strstr (g_ptr_array_index (line->seen, i), "offset ");
    guint number;

    if (at == NULL)
      continue;
    number = g_ascii_strtoull (at + strlen ("offset "), NULL, 10);
    g_array_append_val (numbers, number);
  }
  g_mutex_unlock (&line->lock);
  return numbers;
}

static void
assert_numbers (Line *line, guint first, guint n, guint skip)
{
  g_autoptr (GArray) numbers = numbers_of (line);
  guint i;

  assert_int_equal (numbers->len - skip, n);
  for (i = 0; i < n; i++)
    assert_int_equal (g_array_index (numbers, guint, skip + i), first + i);
}

/* The end sees nothing more, and the source hears of it. */
static void
check_answer (GstFlowReturn answer, guint at)
{
  Line *line = new_full_line ();
  GstFlowReturn result = GST_FLOW_OK;
  guint i;

  line_answer (line, at, answer);
  line_set_free (line, TRUE);
  line_wait_for (line, at);
  for (i = 0; i < MANY && result == GST_FLOW_OK; i++) {
    result = push (line, MANY + i);
    g_usleep (1000);
  }
  assert_int_equal (result, answer);
  assert_numbers (line, 0, at, 0);
  line_free (line);
}

static void
test_answers (void **state)
{
  static const GstFlowReturn answers[] = {GST_FLOW_ERROR, GST_FLOW_EOS,
      GST_FLOW_NOT_NEGOTIATED, GST_FLOW_CUSTOM_ERROR};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (answers); i++) {
    check_answer (answers[i], 1);
    check_answer (answers[i], MANY / 2);
    check_answer (answers[i], MANY / 2 + 1);
  }
}

/* What was in the queue is gone, the open parcel with it. */
static void
test_flush (void **state)
{
  guint i, round, seen;

  for (round = 0; round < 20; round++) {
    Line *line = new_full_line ();

    line_permit (line, round * 20);
    line_wait_for (line, round * 20);
    gst_pad_push_event (line->feed, gst_event_new_flush_start ());
    seen = line->n_buffers;
    gst_pad_push_event (line->feed, gst_event_new_flush_stop (TRUE));
    line_start (line);
    for (i = 0; i < 100; i++)
      assert_int_equal (push (line, 1000 + i), GST_FLOW_OK);
    line_set_free (line, TRUE);
    gst_pad_push_event (line->feed, gst_event_new_eos ());
    line_wait_for_end (line);
    assert_numbers (line, 1000, 100, seen);
    line_free (line);
  }
}

/* To READY and back: there is no flush. */
static void
test_ready (void **state)
{
  Line *line = new_full_line ();
  guint i, seen;

  line_permit (line, 50);
  line_wait_for (line, 50);
  line_set_stopping (line, TRUE);
  gst_element_set_state (line->queue, GST_STATE_READY);
  line_set_stopping (line, FALSE);
  seen = line->n_buffers;
  gst_element_set_state (line->queue, GST_STATE_PLAYING);
  gst_pad_set_active (line->feed, FALSE);
  gst_pad_set_active (line->feed, TRUE);
  line_start (line);
  for (i = 0; i < MANY; i++)
    assert_int_equal (push (line, 1000 + i), GST_FLOW_OK);
  line_set_free (line, TRUE);
  gst_pad_push_event (line->feed, gst_event_new_eos ());
  line_wait_for_end (line);
  assert_numbers (line, 1000, MANY, seen);
  line_free (line);
}

/* Nothing more comes: what is in the open parcel comes out all the same, as
 * soon as it is asked for. */
static void
test_no_end (void **state)
{
  guint n;

  for (n = 1; n < 60; n++) {
    Line *line = line_new ("queue", TRUE);
    guint i;

    for (i = 0; i < n; i++)
      assert_int_equal (push (line, i), GST_FLOW_OK);
    line_set_free (line, TRUE);
    line_wait_for (line, n);
    assert_numbers (line, 0, n, 0);
    line_free (line);
  }
}

/* Writer and reader at full speed, at the edge of packing. */
static void
test_edge (void **state)
{
  Line *line = line_new ("queue", TRUE);
  guint i;

  for (i = 0; i < 100000; i++) {
    assert_int_equal (push (line, i), GST_FLOW_OK);
    if (i % 20 == 0)
      line_permit (line, 20);
  }
  line_set_free (line, TRUE);
  line_wait_for (line, i);
  assert_numbers (line, 0, i, 0);
  line_free (line);
}

/* In the middle of a parcel, after 21 buffers. */
static void
lose_link (Line *line, GstPad *out)
{
  line_permit (line, 20);
  line_wait_for (line, 20);
  gst_pad_unlink (out, line->end);
  line_permit (line, 1);
  line_wait_for (line, 21);
  while (gst_pad_get_last_flow_return (out) != GST_FLOW_NOT_LINKED)
    g_usleep (1000);
}

/* What could not be pushed is there when somebody is linked again. */
static void
test_relink (void **state)
{
  Line *line = new_full_line ();
  g_autoptr (GstPad) out = gst_element_get_static_pad (line->queue, "src");
  g_autoptr (GArray) numbers = NULL;
  guint i, gaps = 0;

  lose_link (line, out);
  assert_int_equal (gst_pad_link (out, line->end), GST_PAD_LINK_OK);
  gst_pad_push_event (line->end, gst_event_new_reconfigure ());
  line_set_free (line, TRUE);
  line_wait_for (line, MANY - 1);
  numbers = numbers_of (line);
  /* One was lost, as without filemem. */
  for (i = 1; i < numbers->len; i++) {
    gint by = g_array_index (numbers, guint, i)
        - g_array_index (numbers, guint, i - 1);

    assert_true (by == 1 || by == 2);
    gaps += by == 2;
  }
  assert_int_equal (gaps, 1);
  assert_int_equal (line_figure ("packed-lost"), 0);
  line_free (line);
}

/* Another element is linked, which has to be sent all events first. */
static void
test_relink_other (void **state)
{
  Line *line = new_full_line (), *other = line_new ("queue", TRUE);
  g_autoptr (GstPad) out = gst_element_get_static_pad (line->queue, "src");
  g_autoptr (GstPad) others = gst_element_get_static_pad (other->queue, "src");
  GstPad *fresh = other->end;

  lose_link (line, out);
  gst_pad_unlink (others, fresh);
  gst_pad_set_active (fresh, FALSE);
  gst_pad_set_active (fresh, TRUE);
  assert_int_equal (gst_pad_link (out, fresh), GST_PAD_LINK_OK);
  line_set_free (other, TRUE);
  gst_pad_push_event (fresh, gst_event_new_reconfigure ());
  line_wait_for (other, MANY - 23);
  assert_int_equal (line_figure ("packed-lost"), 0);
  line_free (line);
  line_free (other);
}

/* What waits for a link goes with the queue. */
static void
test_never_linked (void **state)
{
  guint64 before = line_live_blocks ();
  Line *line = new_full_line ();
  g_autoptr (GstPad) out = gst_element_get_static_pad (line->queue, "src");

  lose_link (line, out);
  g_clear_object (&out);
  assert_true (line_live_blocks () > before);
  line_free (line);
  assert_int_equal (line_live_blocks (), before);
}

static GstPadProbeReturn
count_one (GstPad *pad, GstPadProbeInfo *info, gpointer n)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  assert_int_equal (gst_buffer_get_size (buffer), SIZE);
  (*(guint *) n)++;
  return GST_PAD_PROBE_OK;
}

/* Probes of the program see buffers, whenever they were added. */
static void
test_probes (void **state)
{
  Line *line = line_new ("queue", TRUE);
  g_autoptr (GstPad) out = gst_element_get_static_pad (line->queue, "src");
  guint i, early = 0, late = 0;

  gst_pad_add_probe (out, GST_PAD_PROBE_TYPE_BUFFER, count_one, &early, NULL);
  for (i = 0; i < MANY; i++)
    assert_int_equal (push (line, i), GST_FLOW_OK);
  gst_pad_add_probe (out, GST_PAD_PROBE_TYPE_BUFFER, count_one, &late, NULL);
  line_set_free (line, TRUE);
  line_wait_for (line, MANY);
  assert_int_equal (early, MANY);
  /* The first was on its way. */
  assert_in_range (late, MANY - 1, MANY);
  line_free (line);
}

/* ---- levels and limits ---- */

static gpointer
push_all (gpointer data)
{
  guint i;

  for (i = 0; i < MANY; i++)
    (void) push (data, i);
  return NULL;
}

static guint
level_of (Line *line)
{
  guint level;

  g_object_get (line->queue, "current-level-bytes", &level, NULL);
  return level;
}

/* A parcel is at least 4 KiB where the level would have it smaller. */
static void
test_limit (void **state)
{
  const guint limit = 100 * SIZE, parcel = 4096;
  Line *line = line_new ("queue", TRUE);
  guint unchanged = 0, level = 0, now;
  GThread *thread;

  g_object_set (line->queue, "max-size-bytes", limit, NULL);
  thread = g_thread_new ("push", push_all, line);
  while (unchanged < 50) {
    now = level_of (line);
    unchanged = now == level && now > limit / 2 ? unchanged + 1 : 0;
    level = now;
    g_usleep (2000);
  }
  assert_in_range (level, limit - 2 * parcel, limit + 2 * parcel);
  line_set_free (line, TRUE);
  g_thread_join (thread);
  line_wait_for (line, MANY);
  assert_numbers (line, 0, MANY, 0);
  line_free (line);
}

static void
assert_not_packed (const gchar *property, const gchar *value)
{
  Line *line = line_new ("queue", TRUE);
  guint64 before = line_figure ("packed");
  guint i;

  gst_util_set_object_arg (G_OBJECT (line->queue), property, value);
  for (i = 0; i < MANY; i++)
    assert_int_equal (push (line, i), GST_FLOW_OK);
  assert_int_equal (line_figure ("packed"), before);
  line_free (line);
}

static void
test_not_packed (void **state)
{
  assert_not_packed ("leaky", "downstream");
  assert_not_packed ("leaky", "upstream");
  assert_not_packed ("max-size-buffers", "100000");
  assert_not_packed ("min-threshold-bytes", "1000");
  assert_not_packed ("min-threshold-buffers", "2");
  assert_not_packed ("min-threshold-time", "1000");
}

static GstPadProbeReturn
block (GstPad *pad, GstPadProbeInfo *info, gpointer n_seen)
{
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  assert_int_equal (gst_buffer_get_size (buffer), SIZE);
  (*(guint *) n_seen)++;
  return GST_PAD_PROBE_OK;
}

/* Who blocks the pad looks at buffers, and may drop what it sees. */
static void
test_blocked (void **state)
{
  Line *line = line_new ("queue", TRUE);
  g_autoptr (GstPad) out = gst_element_get_static_pad (line->queue, "src");
  guint64 before = line_figure ("packed");
  guint i, n_seen = 0;
  gulong id = gst_pad_add_probe (out,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, block, &n_seen,
      NULL);

  for (i = 0; i < MANY; i++)
    assert_int_equal (push (line, i), GST_FLOW_OK);
  assert_int_equal (line_figure ("packed"), before);
  while (!gst_pad_is_blocking (out))
    g_usleep (1000);
  gst_pad_remove_probe (out, id);
  line_set_free (line, TRUE);
  line_wait_for (line, MANY);
  assert_int_equal (n_seen, 1);
  assert_numbers (line, 0, MANY, 0);
  line_free (line);
}

/* What a buffer that is kept for ever keeps. */
static void
test_kept (void **state)
{
  Line *line = new_full_line ();
  g_autoptr (GstBuffer) kept = NULL;

  line_keep (line, MANY / 2);
  line_set_free (line, TRUE);
  line_wait_for (line, MANY);
  kept = line_kept (line);
  assert_int_equal (gst_buffer_get_size (kept), SIZE);
  assert_null (gst_buffer_peek_memory (kept, 0)->parent);
  assert_true (gst_buffer_is_all_memory_writable (kept));
  line_free (line);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_no_end),
      cmocka_unit_test (test_edge),
      cmocka_unit_test (test_queue),
      cmocka_unit_test (test_queue2),
      cmocka_unit_test (test_answers),
      cmocka_unit_test (test_flush),
      cmocka_unit_test (test_ready),
      cmocka_unit_test (test_relink),
      cmocka_unit_test (test_relink_other),
      cmocka_unit_test (test_never_linked),
      cmocka_unit_test (test_probes),
      cmocka_unit_test (test_limit),
      cmocka_unit_test (test_not_packed),
      cmocka_unit_test (test_blocked),
      cmocka_unit_test (test_kept),
  };

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
