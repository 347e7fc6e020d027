/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hoard.c: tests who sits on buffers: tracer/hoard.c alone, and an element that
 * nobody listed and that keeps what it gets, with queues=auto. The second is a
 * process of its own, which this program starts with GST_TRACERS.
 */
#include "hoard.h"

#include "../../unit/testing.h"

#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#define BLOCK (256 * TESTING_KIB)
#define BLOCKS 64

static GstBuffer *
wrapped (void)
{
  return gst_buffer_new_wrapped (g_malloc0 (BLOCK), BLOCK);
}

static guint64
peak (FmHoard *hoard)
{
  guint64 foreign;

  return fm_hoard_peak (hoard, &foreign);
}

static void
test_enters_and_goes (void **state)
{
  FmHoard *hoard = fm_hoard_new ();
  GstBuffer *a = wrapped (), *b = wrapped (), *c = wrapped ();
  guint64 foreign;

  assert_int_equal (fm_hoard_enter (hoard, a, BLOCK), BLOCK);
  assert_int_equal (fm_hoard_enter (hoard, b, 0), 2 * BLOCK);
  gst_buffer_unref (a);
  assert_int_equal (fm_hoard_enter (hoard, c, 0), 2 * BLOCK);
  assert_int_equal (fm_hoard_peak (hoard, &foreign), 2 * BLOCK);
  assert_int_equal (foreign, BLOCK);
  /* A buffer may outlive who watched it. */
  fm_hoard_unref (hoard);
  gst_buffer_unref (b);
  gst_buffer_unref (c);
}

/* A buffer is with whom it entered last. */
static void
test_moves_on (void **state)
{
  FmHoard *first = fm_hoard_new (), *second = fm_hoard_new ();
  GstBuffer *buffers[BLOCKS];
  guint i;

  for (i = 0; i < BLOCKS; i++) {
    buffers[i] = wrapped ();
    assert_int_equal (fm_hoard_enter (first, buffers[i], BLOCK), BLOCK);
    assert_int_equal (
        fm_hoard_enter (second, buffers[i], BLOCK), (i + 1) * BLOCK);
  }
  assert_int_equal (peak (first), BLOCK);
  assert_int_equal (peak (second), BLOCKS * BLOCK);
  for (i = 0; i < BLOCKS; i++)
    gst_buffer_unref (buffers[i]);
  fm_hoard_unref (first);
  fm_hoard_unref (second);
}

/* The same one twice is there once. */
static void
test_comes_back (void **state)
{
  FmHoard *hoard = fm_hoard_new ();
  g_autoptr (GstBuffer) buffer = wrapped (), next = wrapped ();

  fm_hoard_enter (hoard, buffer, BLOCK);
  fm_hoard_enter (hoard, buffer, BLOCK);
  assert_int_equal (fm_hoard_enter (hoard, next, BLOCK), 2 * BLOCK);
  fm_hoard_unref (hoard);
}

/* ---- the process ---- */

static GPtrArray *kept;
static guint n_ours;
static guint keeps_most; /* it lets the first of them go then */

static GstFlowReturn
keep (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  if (kept->len == keeps_most)
    g_ptr_array_remove_index (kept, 0);
  g_ptr_array_add (kept, buffer);
  n_ours +=
      gst_memory_is_type (gst_buffer_peek_memory (buffer, 0), "FileMemory");
  return GST_FLOW_OK;
}

/* An element that nobody listed. */
typedef struct
{
  GstElement parent;
} Keeper;
typedef GstElementClass KeeperClass;
static GType keeper_get_type (void);
G_DEFINE_TYPE (Keeper, keeper, GST_TYPE_ELEMENT)

static void
keeper_class_init (KeeperClass *klass)
{
}

static void
keeper_init (Keeper *self)
{
  GstPad *pad = gst_pad_new ("sink", GST_PAD_SINK);

  gst_pad_set_chain_function (pad, keep);
  gst_element_add_pad (GST_ELEMENT (self), pad);
}

/* How many of BLOCKS wrapped buffers of @size an element that keeps @most of
 * them was given in filemem. It has half of them for more than a second before
 * the rest comes. */
static int
keep_many (gsize size, guint most)
{
  GstElement *keeper;
  g_autoptr (GstPad) entrance = NULL;
  GstPad *feed;
  GstSegment segment;
  guint i;

  gst_init (NULL, NULL);
  keeps_most = most;
  kept = g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  keeper = gst_object_ref_sink (g_object_new (keeper_get_type (), NULL));
  entrance = gst_element_get_static_pad (keeper, "sink");
  gst_element_set_state (keeper, GST_STATE_PLAYING);
  feed = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  gst_pad_set_active (feed, TRUE);
  gst_pad_link (feed, entrance);
  gst_pad_push_event (feed, gst_event_new_stream_start ("test"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (feed, gst_event_new_segment (&segment));
  for (i = 0; i < BLOCKS; i++) {
    if (i == BLOCKS / 2)
      g_usleep (1200000);
    gst_pad_push (feed, gst_buffer_new_wrapped (g_malloc0 (size), size));
  }
  g_ptr_array_unref (kept);
  gst_object_unref (feed);
  gst_element_set_state (keeper, GST_STATE_NULL);
  gst_object_unref (keeper);
  return (int) n_ours;
}

static int
keep_many_with (const gchar *tracers, gsize size, guint most)
{
  g_autofree gchar *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree gchar *size_text = g_strdup_printf ("%" G_GSIZE_FORMAT, size);
  g_autofree gchar *most_text = g_strdup_printf ("%u", most);
  const gchar *argv[] = {self, size_text, most_text, NULL};
  g_auto (GStrv) environment =
      g_environ_setenv (g_get_environ (), "GST_TRACERS", tracers, TRUE);
  g_autoptr (GError) error = NULL;
  int status = -1;

  assert_true (g_spawn_sync (NULL, (gchar **) argv, environment, 0, NULL, NULL,
      NULL, NULL, &status, &error));
  assert_true (WIFEXITED (status));
  return WEXITSTATUS (status);
}

#define THREADS 4
#define ROUNDS 3000

static GstBuffer *shared[ROUNDS];
static atomic_uint arrived;

/* All enter each buffer at once, as if it was pushed into several pipelines. */
static gpointer
enter_all (gpointer hoard)
{
  guint i;

  for (i = 0; i < ROUNDS; i++) {
    atomic_fetch_add (&arrived, 1);
    while (atomic_load (&arrived) < (i + 1) * THREADS)
      sched_yield ();
    fm_hoard_enter (hoard, shared[i], 1);
  }
  return NULL;
}

/* It is with one of them, until it goes. */
static void
test_threads (void **state)
{
  FmHoard *hoards[THREADS];
  GThread *threads[THREADS];
  guint64 left = 0;
  guint i;

  for (i = 0; i < ROUNDS; i++)
    shared[i] = gst_buffer_new_allocate (NULL, 1, NULL);
  for (i = 0; i < THREADS; i++) {
    hoards[i] = fm_hoard_new ();
    threads[i] = g_thread_new ("enters", enter_all, hoards[i]);
  }
  for (i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  for (i = 0; i < THREADS; i++) {
    g_autoptr (GstBuffer) last = gst_buffer_new_allocate (NULL, 1, NULL);

    left += fm_hoard_enter (hoards[i], last, 1) - 1;
  }
  assert_int_equal (left, ROUNDS);
  for (i = 0; i < ROUNDS; i++)
    gst_buffer_unref (shared[i]);
  for (i = 0; i < THREADS; i++)
    fm_hoard_unref (hoards[i]);
}

static void
test_nobody_listed_it (void **state)
{
  assert_int_equal (
      keep_many_with ("filemem(dir=/var/tmp,size=256M)", BLOCK, BLOCKS), 0);
}

/* That it has had so much for a second is seen when the next one comes; then
 * it may hold 1 MiB that is not filemem's, as any queue. */
static void
test_seen_to_keep (void **state)
{
  int n = keep_many_with (
      "filemem(dir=/var/tmp,size=256M,queues=auto)", BLOCK, BLOCKS);

  assert_in_range (n, BLOCKS / 2 - 6, BLOCKS / 2);
}

/* Much is enough at once. */
static void
test_keeps_much (void **state)
{
  int n = keep_many_with (
      "filemem(dir=/var/tmp,size=256M,queues=auto)", 8 * BLOCK, BLOCKS);

  assert_in_range (n, BLOCKS - 32 / 2 - 3, BLOCKS - 32 / 2);
}

/* Frames that pass are large, but few at a time. */
static void
test_passes_on (void **state)
{
  const gchar *tracers = "filemem(dir=/var/tmp,size=256M,queues=auto)";

  assert_int_equal (keep_many_with (tracers, 32 * BLOCK, 2), 0);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_enters_and_goes),
      cmocka_unit_test (test_moves_on),
      cmocka_unit_test (test_comes_back),
      cmocka_unit_test (test_threads),
      cmocka_unit_test (test_nobody_listed_it),
      cmocka_unit_test (test_seen_to_keep),
      cmocka_unit_test (test_keeps_much),
      cmocka_unit_test (test_passes_on),
  };

  if (argc == 3)
    return keep_many (g_ascii_strtoull (argv[1], NULL, 10),
        (guint) g_ascii_strtoull (argv[2], NULL, 10));
  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
