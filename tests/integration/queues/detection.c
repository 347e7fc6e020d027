/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detection.c: tests who sits on buffers: tracer/detection.c alone, and an
 * element that nobody listed and that keeps what it gets. The second is a
 * process of its own, which this program starts with GST_TRACERS.
 */
#include "detection.h"
#include "mini-object.h"

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
enter (FmDetection *detection, GstBuffer *buffer, gsize bytes, gsize foreign)
{
  fm_detection_enter (detection, buffer, bytes, foreign);
  return fm_detection_bytes (detection);
}

static void
test_enters_and_goes (void **state)
{
  FmDetection *detection = fm_detection_new ();
  GstBuffer *a = wrapped (), *b = wrapped (), *c = wrapped ();
  FmDetectionState seen;

  assert_int_equal (
      enter (detection, a, TESTING_MIB, TESTING_MIB), TESTING_MIB);
  assert_int_equal (enter (detection, b, TESTING_MIB, 0), 2 * TESTING_MIB);
  gst_buffer_unref (a);
  assert_int_equal (enter (detection, c, TESTING_MIB, 0), 2 * TESTING_MIB);
  seen = fm_detection_look (detection);
  assert_int_equal (seen.bytes, 2 * TESTING_MIB);
  assert_int_equal (seen.peak, 2 * TESTING_MIB);
  assert_int_equal (seen.foreign_at_peak, TESTING_MIB);
  /* A buffer may outlive who watched it. */
  fm_detection_unref (detection);
  gst_buffer_unref (b);
  gst_buffer_unref (c);
}

/* One buffer stands for those before it, and has data attached; no other has.
 */
static void
test_samples (void **state)
{
  FmDetection *detection = fm_detection_new ();
  GstBuffer *buffers[8];
  guint i;

  for (i = 0; i < 8; i++) {
    buffers[i] = wrapped ();
    assert_int_equal (enter (detection, buffers[i], BLOCK, i < 2 ? BLOCK : 0),
        (i + 1) / 4 * TESTING_MIB);
    assert_int_equal (
        fm_mini_object_may_have_data (GST_MINI_OBJECT_CAST (buffers[i])),
        i % 4 == 3);
  }
  for (i = 0; i < 8; i++) {
    gst_buffer_unref (buffers[i]);
    assert_int_equal (
        fm_detection_bytes (detection), (2 - (i + 1) / 4) * TESTING_MIB);
  }
  fm_detection_unref (detection);
}

/* What may be packed is not followed, but counts with what is, up to a MiB. */
static void
test_small_ones (void **state)
{
  FmDetection *detection = fm_detection_new ();
  g_autoptr (GstBuffer) small = wrapped (), large = wrapped ();
  guint i;

  for (i = 0; i < 2048; i++)
    assert_int_equal (enter (detection, small, TESTING_KIB, 0), 0);
  assert_int_equal (enter (detection, large, BLOCK, 0), TESTING_MIB + BLOCK);
  fm_detection_unref (detection);
}

/* A buffer is with whom it entered last. */
static void
test_moves_on (void **state)
{
  FmDetection *first = fm_detection_new (), *second = fm_detection_new ();
  GstBuffer *buffers[BLOCKS];
  guint i;

  for (i = 0; i < BLOCKS; i++) {
    buffers[i] = wrapped ();
    enter (first, buffers[i], BLOCK, BLOCK);
    assert_int_equal (
        enter (second, buffers[i], BLOCK, BLOCK), (i + 1) / 4 * TESTING_MIB);
  }
  assert_int_equal (fm_detection_look (first).peak, TESTING_MIB);
  assert_int_equal (fm_detection_look (second).peak, BLOCKS / 4 * TESTING_MIB);
  /* Nor is it with whom it was before where nobody counts. */
  for (i = 0; i < BLOCKS; i++)
    fm_detection_forget (buffers[i]);
  assert_int_equal (fm_detection_bytes (second), 0);
  for (i = 0; i < BLOCKS; i++)
    gst_buffer_unref (buffers[i]);
  fm_detection_unref (first);
  fm_detection_unref (second);
}

/* One that is back in its pool is with nobody, though it exists. */
static void
test_pool (void **state)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  FmDetection *detection = fm_detection_new ();
  GstBuffer *buffers[8];
  guint round, i;

  gst_buffer_pool_config_set_params (config, NULL, BLOCK, 8, 8);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  for (round = 0; round < 3; round++) {
    for (i = 0; i < 8; i++) {
      gst_buffer_pool_acquire_buffer (pool, &buffers[i], NULL);
      fm_detection_enter (detection, buffers[i], BLOCK, 0);
    }
    assert_int_equal (fm_detection_look (detection).bytes, 8 * BLOCK);
    /* The next time they come in another order. */
    gst_buffer_unref (buffers[3]);
    for (i = 0; i < 8; i++) {
      if (i != 3)
        gst_buffer_unref (buffers[i]);
    }
    assert_int_equal (fm_detection_look (detection).bytes, 0);
    assert_int_equal (fm_detection_look (detection).peak, 8 * BLOCK);
  }
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
  fm_detection_unref (detection);
}

/* Whether all that came is there still. */
static void
test_keeps_all (void **state)
{
  FmDetection *detection = fm_detection_new ();
  GstBuffer *a = wrapped (), *b = wrapped (), *c = wrapped ();

  assert_false (fm_detection_look (detection).keeps_all);
  assert_int_equal (fm_detection_look (detection).oldest_us, 0);
  enter (detection, a, TESTING_MIB, 0);
  g_usleep (1000);
  enter (detection, b, TESTING_MIB, 0);
  assert_true (fm_detection_look (detection).keeps_all);
  assert_true (fm_detection_look (detection).oldest_us >= 1000);
  gst_buffer_unref (a);
  assert_false (fm_detection_look (detection).keeps_all);
  gst_buffer_unref (b);
  assert_int_equal (fm_detection_look (detection).oldest_us, 0);
  g_usleep (1000);
  enter (detection, c, TESTING_MIB, 0);
  assert_true (fm_detection_look (detection).keeps_all);
  gst_buffer_unref (c);
  fm_detection_unref (detection);
}

/* The same one twice is there once. */
static void
test_comes_back (void **state)
{
  FmDetection *detection = fm_detection_new ();
  g_autoptr (GstBuffer) buffer = wrapped (), next = wrapped ();

  enter (detection, buffer, TESTING_MIB, 0);
  enter (detection, buffer, TESTING_MIB, 0);
  assert_int_equal (enter (detection, next, TESTING_MIB, 0), 2 * TESTING_MIB);
  fm_detection_unref (detection);
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
enter_all (gpointer detection)
{
  guint i;

  for (i = 0; i < ROUNDS; i++) {
    atomic_fetch_add (&arrived, 1);
    while (atomic_load (&arrived) < (i + 1) * THREADS)
      sched_yield ();
    fm_detection_enter (detection, shared[i], TESTING_MIB, TESTING_MIB);
  }
  return NULL;
}

/* It is with one of them, until it goes. */
static void
test_threads (void **state)
{
  FmDetection *detections[THREADS];
  GThread *threads[THREADS];
  guint64 left = 0;
  guint i;

  for (i = 0; i < ROUNDS; i++)
    shared[i] = gst_buffer_new_allocate (NULL, 1, NULL);
  for (i = 0; i < THREADS; i++) {
    detections[i] = fm_detection_new ();
    threads[i] = g_thread_new ("enters", enter_all, detections[i]);
  }
  for (i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  for (i = 0; i < THREADS; i++) {
    g_autoptr (GstBuffer) last = gst_buffer_new_allocate (NULL, 1, NULL);

    left += enter (detections[i], last, TESTING_MIB, 0) - TESTING_MIB;
  }
  assert_int_equal (left, ROUNDS * TESTING_MIB);
  for (i = 0; i < ROUNDS; i++)
    gst_buffer_unref (shared[i]);
  for (i = 0; i < THREADS; i++)
    fm_detection_unref (detections[i]);
}

static void
test_nobody_listed_it (void **state)
{
  assert_int_equal (
      keep_many_with (
          "filemem(dir=/var/tmp,size=256M,queues=known)", BLOCK, BLOCKS),
      0);
}

/* That it has had so much for a second is seen when the next one comes; then
 * it may hold 1 MiB that is not filemem's, as any queue. */
static void
test_seen_to_keep (void **state)
{
  int n = keep_many_with ("filemem(dir=/var/tmp,size=256M)", BLOCK, BLOCKS);

  assert_in_range (n, BLOCKS / 2 - 6, BLOCKS / 2);
}

/* Much is enough at once. */
static void
test_keeps_much (void **state)
{
  int n = keep_many_with ("filemem(dir=/var/tmp,size=256M)", 8 * BLOCK, BLOCKS);

  assert_in_range (n, BLOCKS - 32 / 2 - 3, BLOCKS - 32 / 2);
}

/* Frames that pass are large, but few at a time. */
static void
test_passes_on (void **state)
{
  const gchar *tracers = "filemem(dir=/var/tmp,size=256M)";

  assert_int_equal (keep_many_with (tracers, 32 * BLOCK, 2), 0);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_enters_and_goes),
      cmocka_unit_test (test_samples),
      cmocka_unit_test (test_small_ones),
      cmocka_unit_test (test_pool),
      cmocka_unit_test (test_keeps_all),
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
