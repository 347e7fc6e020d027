/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.c: tests that nobody behind a queue can tell whether its buffers were
 * packed, however full it is, and whatever happens then.
 *
 *   test-packing ELEMENT
 *
 * In a process with the tracer and a tiny `pack-above`.
 */
#include "packing-line.h"

#include <string.h>

#define SIZE 500
#define MANY 400

static const gchar *factory;

static gboolean
is_multiqueue (void)
{
  return g_str_equal (factory, "multiqueue");
}

static GstFlowReturn
push (Line *line, guint n)
{
  return gst_pad_push (line->feed, line_buffer (SIZE, n));
}

static guint
level_of (Line *line)
{
  guint level;

  g_object_get (line->teller, "current-level-bytes", &level, NULL);
  return level;
}

static Line *
new_full_line (void)
{
  Line *line = line_new (factory, TRUE);
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

/* The end sees nothing more, and the source hears of it. (To a multiqueue EOS
 * is no reason to stop at once, packed or not: one more may come.) */
static void
check_answer (GstFlowReturn answer, guint at)
{
  Line *line = new_full_line ();
  gboolean more = answer == GST_FLOW_EOS && is_multiqueue ();
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
  assert_in_range (line->n_buffers, at, at + more);
  if (!more)
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
    Line *line = line_new (factory, TRUE);
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
  Line *line = line_new (factory, TRUE);
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
  line_wait_for_next (line);
  gst_pad_unlink (out, line->end);
  line_permit (line, 1);
  line_wait_for (line, 21);
  /* Until the queue has noticed: then it waits to be told of a new link. */
  while (gst_pad_get_last_flow_return (out) != GST_FLOW_NOT_LINKED
      || (!is_multiqueue () && gst_pad_get_task_state (out) != GST_TASK_PAUSED))
    g_usleep (1000);
}

/* A multiqueue goes on, and what nobody takes is lost. So is what is left of a
 * parcel; but nothing that comes after somebody is linked again. */
static void
test_lost (void **state)
{
  Line *line = new_full_line ();
  g_autoptr (GstPad) out = line_src (line);
  guint64 before;
  guint i = 0, seen;

  lose_link (line, out);
  while (level_of (line) > 0)
    g_usleep (1000);
  seen = line->n_buffers;
  before = line_figure ("packed");
  assert_int_equal (gst_pad_link (out, line->end), GST_PAD_LINK_OK);
  gst_pad_push_event (line->end, gst_event_new_reconfigure ());
  line_set_free (line, FALSE);
  line_permit (line, 1);
  while (push (line, 1000 + i++) == GST_FLOW_NOT_LINKED)
    g_usleep (1000);
  for (; i < MANY; i++)
    assert_int_equal (push (line, 1000 + i), GST_FLOW_OK);
  assert_true (line_figure ("packed") > before + MANY / 2);
  line_set_free (line, TRUE);
  gst_pad_push_event (line->feed, gst_event_new_eos ());
  line_wait_for_end (line);
  assert_numbers (line, 1000, MANY, seen);
  line_free (line);
}

/* What could not be pushed is there when somebody is linked again. */
static void
test_relink (void **state)
{
  Line *line = new_full_line ();
  g_autoptr (GstPad) out = line_src (line);
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
  Line *line = new_full_line (), *other = line_new (factory, TRUE);
  g_autoptr (GstPad) out = line_src (line);
  g_autoptr (GstPad) others = line_src (other);
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
  g_autoptr (GstPad) out = line_src (line);

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
  Line *line = line_new (factory, TRUE);
  g_autoptr (GstPad) out = line_src (line);
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

  for (i = 0; i < MANY; i++) {
    GstBuffer *buffer = line_buffer (SIZE, i);

    GST_BUFFER_PTS (buffer) = i * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = GST_MSECOND;
    (void) gst_pad_push (((Line *) data)->feed, buffer);
  }
  return NULL;
}

static guint64
get_time_level (Line *line)
{
  guint64 level;

  g_object_get (line->teller, "current-level-time", &level, NULL);
  return level;
}

static guint64
get_byte_level (Line *line)
{
  return level_of (line);
}

/* What comes when the queue is full waits, and comes out when it is read. */
static void
check_limit (const gchar *property, guint64 limit, guint64 parcel,
    guint64 (*get_level) (Line *line))
{
  g_autofree gchar *value = g_strdup_printf ("%" G_GUINT64_FORMAT, limit);
  Line *line = line_new (factory, TRUE);
  guint64 before = line_figure ("packed"), level = 0, now;
  guint unchanged = 0;
  GThread *thread;

  gst_util_set_object_arg (G_OBJECT (line->queue), property, value);
  thread = g_thread_new ("push", push_all, line);
  while (unchanged < 50) {
    now = get_level (line);
    unchanged = now == level && now > limit / 2 ? unchanged + 1 : 0;
    level = now;
    g_usleep (2000);
  }
  assert_true (line_figure ("packed") > before);
  assert_in_range (level, limit - 2 * parcel, limit + 2 * parcel);
  line_set_free (line, TRUE);
  g_thread_join (thread);
  line_wait_for (line, MANY);
  assert_numbers (line, 0, MANY, 0);
  line_free (line);
}

/* A parcel is at least 4 KiB where the level would have it smaller. */
static void
test_limits (void **state)
{
  check_limit ("max-size-bytes", 100 * SIZE, 4096, get_byte_level);
  check_limit (
      "max-size-time", 100 * GST_MSECOND, 4 * GST_MSECOND, get_time_level);
}

static void
assert_not_packed (const gchar *property, const gchar *value)
{
  Line *line = line_new (factory, TRUE);
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
  static const struct
  {
    const gchar *factory, *property, *value;
  } cases[] = {
      {"queue", "leaky", "downstream"},
      {"queue", "leaky", "upstream"},
      {"queue", "max-size-buffers", "100000"},
      {"queue", "min-threshold-bytes", "1000"},
      {"queue", "min-threshold-buffers", "2"},
      {"queue", "min-threshold-time", "1000"},
      {"queue2", "max-size-buffers", "100000"},
      {"multiqueue", "max-size-buffers", "100000"},
      {"multiqueue", "use-interleave", "true"},
      {"multiqueue", "sync-by-running-time", "true"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (g_str_equal (cases[i].factory, factory))
      assert_not_packed (cases[i].property, cases[i].value);
  }
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
  Line *line = line_new (factory, TRUE);
  g_autoptr (GstPad) out = line_src (line);
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
  const struct CMUnitTest lost[] = {
      cmocka_unit_test (test_lost),
  };
  const struct CMUnitTest kept[] = {
      cmocka_unit_test (test_relink),
      cmocka_unit_test (test_relink_other),
      cmocka_unit_test (test_never_linked),
  };
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_no_end),
      cmocka_unit_test (test_edge),
      cmocka_unit_test (test_answers),
      cmocka_unit_test (test_flush),
      cmocka_unit_test (test_ready),
      cmocka_unit_test (test_probes),
      cmocka_unit_test (test_limits),
      cmocka_unit_test (test_not_packed),
      cmocka_unit_test (test_blocked),
      cmocka_unit_test (test_kept),
  };

  gst_init (&argc, &argv);
  factory = argv[1];
  return cmocka_run_group_tests (tests, NULL, NULL)
      + (is_multiqueue () ? cmocka_run_group_tests (lost, NULL, NULL)
                          : cmocka_run_group_tests (kept, NULL, NULL));
}
