/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pad-functions.c: filemem wraps the functions of pads; elements and programs
 * that set them, take them away or call them themselves notice nothing.
 *
 * This program runs with GST_TRACERS="filemem(attribution=on)", in which the
 * pads of every element are wrapped.
 */
#include "../../unit/testing.h"

#include <gst/gst.h>
#include <stdatomic.h>
#include <stdlib.h>

#define PADS 2000

/* ---- an element with a pad, and what pushes into it ---- */

typedef struct
{
  GstElement *element;
  GstPad *sink, *src;
} Fixture;

static atomic_uint n_dropped, n_seen, n_notified;

static GstFlowReturn
drop (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gst_buffer_unref (buffer);
  atomic_fetch_add (&n_dropped, 1);
  return GST_FLOW_OK;
}

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->element =
      gst_object_ref_sink (gst_element_factory_make ("bin", NULL));
  fixture->sink = gst_pad_new ("sink", GST_PAD_SINK);
  fixture->src = gst_object_ref_sink (gst_pad_new ("src", GST_PAD_SRC));
  gst_pad_set_chain_function (fixture->sink, drop);
  atomic_store (&n_dropped, 0);
  atomic_store (&n_seen, 0);
  atomic_store (&n_notified, 0);
  *state = fixture;
  return 0;
}

static void
start (Fixture *fixture)
{
  gst_pad_set_active (fixture->src, TRUE);
  gst_pad_set_active (fixture->sink, TRUE);
  gst_element_add_pad (fixture->element, fixture->sink);
  assert_int_equal (
      gst_pad_link (fixture->src, fixture->sink), GST_PAD_LINK_OK);
}

static void
push_events (GstPad *src)
{
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (src, gst_event_new_stream_start ("stream"));
  gst_pad_push_event (src, gst_event_new_segment (&segment));
}

static GstFlowReturn
push (Fixture *fixture)
{
  return gst_pad_push (fixture->src, gst_buffer_new ());
}

static GstFlowReturn
push_list (Fixture *fixture)
{
  GstBufferList *list = gst_buffer_list_new ();

  gst_buffer_list_add (list, gst_buffer_new ());
  return gst_pad_push_list (fixture->src, list);
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  gst_object_unref (fixture->element);
  gst_object_unref (fixture->src);
  g_free (fixture);
  return 0;
}

/* ---- set while data flows ---- */

static GstPadChainFunction chain_before;

static GstFlowReturn
see (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  atomic_fetch_add (&n_seen, 1);
  return chain_before (pad, parent, buffer);
}

/* As programs do that look into other people's elements. */
static void
look_into (Fixture *fixture, gpointer data)
{
  start (fixture);
  push_events (fixture->src);
  assert_int_equal (push (fixture), GST_FLOW_OK);
  chain_before = GST_PAD_CHAINFUNC (fixture->sink);
  gst_pad_set_chain_function_full (fixture->sink, see, data, NULL);
  assert_int_equal (push (fixture), GST_FLOW_OK);
  assert_int_equal (push_list (fixture), GST_FLOW_OK);
  assert_int_equal (atomic_load (&n_seen), 2);
  assert_int_equal (atomic_load (&n_dropped), 3);
  assert_ptr_equal (fixture->sink->chaindata, data);
}

static void
test_intercepted (void **state)
{
  look_into (*state, NULL);
}

static void
test_intercepted_with_data (void **state)
{
  look_into (*state, *state);
}

/* ---- data and its end ---- */

static void
notify (gpointer data)
{
  assert_null (data);
  atomic_fetch_add (&n_notified, 1);
}

static void
test_notified (void **state)
{
  Fixture *fixture = *state;

  gst_pad_set_chain_function_full (fixture->sink, drop, NULL, notify);
  start (fixture);
  push_events (fixture->src);
  assert_int_equal (push (fixture), GST_FLOW_OK);
  gst_pad_set_chain_function (fixture->sink, drop);
  assert_int_equal (atomic_load (&n_notified), 1);
}

/* ---- not there ---- */

/* GStreamer says what is missing, as a critical or a warning. */
static void
test_no_list_function (void **state)
{
  Fixture *fixture = *state;

  gst_pad_set_chain_list_function (fixture->sink, NULL);
  start (fixture);
  push_events (fixture->src);
  assert_int_equal (push (fixture), GST_FLOW_OK);
  assert_int_equal (push_list (fixture), GST_FLOW_NOT_SUPPORTED);
}

static void
test_no_event_function (void **state)
{
  Fixture *fixture = *state;

  gst_pad_set_event_function (fixture->sink, NULL);
  start (fixture);
  push_events (fixture->src);
  assert_false (gst_pad_push_event (fixture->src, gst_event_new_eos ()));
}

/* ---- taken away while data flows ---- */

static GMutex lock;
static GCond cond;
static GstPad *to_push;  /* with a reference; under the lock */
static atomic_uint flow; /* 1: data flows; 2: it has ended */

/* Into one pad after the other, as long as it takes anything. */
static gpointer
push_into_many (gpointer buffer)
{
  guint i;

  for (i = 0; i < PADS; i++) {
    g_autoptr (GstPad) src = NULL;

    g_mutex_lock (&lock);
    while (to_push == NULL)
      g_cond_wait (&cond, &lock);
    src = g_steal_pointer (&to_push);
    g_mutex_unlock (&lock);
    push_events (src);
    while (gst_pad_push (src, gst_buffer_ref (buffer)) == GST_FLOW_OK)
      atomic_store (&flow, 1);
    atomic_store (&flow, 2);
  }
  return NULL;
}

static void
wait_for_flow (guint at_least)
{
  while (atomic_load (&flow) < at_least)
    sched_yield ();
}

/* As gst_collect_pads_remove_pad() does. */
static void
test_taken_away (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  GThread *thread = g_thread_new ("pushes", push_into_many, buffer);
  guint i;

  for (i = 0; i < PADS; i++) {
    GstPad *sink = i == 0 ? fixture->sink : gst_pad_new (NULL, GST_PAD_SINK);
    volatile gint32 pause = g_rand_int_range (random, 0, 2000);

    fixture->sink = sink;
    gst_pad_set_chain_function (sink, drop);
    start (fixture);
    atomic_store (&flow, 0);
    g_mutex_lock (&lock);
    to_push = gst_object_ref (fixture->src);
    g_cond_signal (&cond);
    g_mutex_unlock (&lock);
    wait_for_flow (1);
    while (pause > 0)
      pause--;
    gst_pad_set_chain_function (sink, NULL);
    wait_for_flow (2);
    gst_pad_unlink (fixture->src, sink);
    gst_element_remove_pad (fixture->element, sink);
    gst_pad_set_active (fixture->src, FALSE);
  }
  g_thread_join (thread);
}

/* ---- the program ---- */

static void
say_nothing (
    const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
}

static gboolean
is_filemem_there (void)
{
  g_autoptr (GstAllocator) allocator = gst_allocator_find ("FileMemory");

  return allocator != NULL;
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      TEST (test_intercepted),
      TEST (test_intercepted_with_data),
      TEST (test_notified),
      TEST (test_no_list_function),
      TEST (test_no_event_function),
      TEST (test_taken_away),
  };

  g_setenv ("GST_TRACERS", "filemem(attribution=on)", TRUE);
  gst_init (&argc, &argv);
  g_assert_true (is_filemem_there ());
  g_log_set_default_handler (say_nothing, NULL);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
