/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loss.c: tests that a program whose buffers are lost gets to know: an error on
 * the bus of the pipeline that was given them, once (the option on-loss).
 *
 * Real pipelines with a deep queue whose exit is blocked. When most of what is
 * in it is on disk, the backing file is cut through /proc/self/fd, and the
 * queue is let go: whatever maps a buffer that was on disk finds it gone.
 *
 * Each case is a child, with GStreamer of its own. An error that is posted
 * later than the pipeline ends would be missed on the bus; so the bus's sync
 * handler counts, and the count is taken after gst_deinit(), which waits for
 * the thread that posts.
 */
#include "../../unit/testing.h"

#include <gst/gst.h>
#include <stdatomic.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define SOURCE                                  \
  "videotestsrc num-buffers=64 pattern=ball ! " \
  "video/x-raw,format=I420,width=640,height=480,framerate=30/1 ! "
#define ENDLESS " max-size-bytes=0 max-size-buffers=0 max-size-time=0 "

/* Of the 28 MiB of a source, in a budget of 4. */
#define SPILLED ((guint64) 16 << 20)
#define BUFFER ((gsize) 460800)
#define N_HELD 48
#define ERROR_SECONDS 60

typedef struct
{
  const gchar *description; /* with elements "q" and "sink" */
  const gchar *entrance;    /* the pad of q by which buffers enter */
  const gchar *exit;        /* the one to block; NULL: take them by hand */
} Shape;

static const Shape shapes[] = {
    {SOURCE "queue name=q" ENDLESS "! filesink name=sink location=/dev/null",
        "sink", "src"},
    {SOURCE "queue name=q" ENDLESS
            "! jpegenc name=encoder ! fakesink name=sink",
        "sink", "src"},
    {SOURCE "tee name=t t. ! queue name=q" ENDLESS
            "! filesink name=sink location=/dev/null async=false "
            "t. ! queue" ENDLESS "! fakesink async=false",
        "sink", "src"},
    {SOURCE "queue2 name=q" ENDLESS "! filesink name=sink location=/dev/null",
        "sink", "src"},
    {SOURCE "multiqueue name=q" ENDLESS
            "! filesink name=sink location=/dev/null",
        "sink_0", "src_0"},
    {SOURCE "appsink name=q sync=false", "sink", NULL},
};

typedef struct
{
  const Shape *shape;
  const gchar *params;
  const gchar *source; /* of the error: an element; NULL: the pipeline itself */
  const gchar *dir;
} Case;

/* ---- in the child ---- */

/* What was seen on the bus of a pipeline. */
typedef struct
{
  GstElement *pipeline;
  GstPad *exit;
  gulong block;
  atomic_bool is_full; /* the source has come to its end */
  atomic_uint n_told;  /* that bytes are lost */
  gchar *source;       /* of the first one */
} Run;

static GstBusSyncReply
on_message (GstBus *bus, GstMessage *message, gpointer data)
{
  g_autoptr (GError) error = NULL;
  Run *run = data;

  if (GST_MESSAGE_TYPE (message) != GST_MESSAGE_ERROR)
    return GST_BUS_PASS;
  gst_message_parse_error (message, &error, NULL);
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ)
      && strstr (error->message, "Bytes of a buffer are lost") != NULL) {
    if (atomic_fetch_add (&run->n_told, 1) == 0)
      run->source = g_strdup (GST_OBJECT_NAME (GST_MESSAGE_SRC (message)));
    /* What the others say ends the test. */
    return GST_BUS_DROP;
  }
  return GST_BUS_PASS;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_event (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS)
    atomic_store (&((Run *) data)->is_full, TRUE);
  return GST_PAD_PROBE_OK;
}

/* Keeps the queue from giving anything, and sees when it has got all. */
static void
watch_queue (Run *run, const Shape *shape)
{
  g_autoptr (GstElement) queue =
      gst_bin_get_by_name (GST_BIN (run->pipeline), "q");
  g_autoptr (GstPad) entrance =
      gst_element_get_static_pad (queue, shape->entrance);

  testing_check (entrance != NULL);
  gst_pad_add_probe (
      entrance, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, run, NULL);
  if (shape->exit == NULL)
    return;
  run->exit = gst_element_get_static_pad (queue, shape->exit);
  testing_check (run->exit != NULL);
  run->block = gst_pad_add_probe (run->exit,
      GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER
          | GST_PAD_PROBE_TYPE_BUFFER_LIST,
      hold, NULL, NULL);
}

static void
start (Run *run, const gchar *description, const Shape *shape)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstBus) bus = NULL;

  run->pipeline = gst_parse_launch (description, &error);
  if (error != NULL)
    testing_child_skip (error->message);
  bus = gst_element_get_bus (run->pipeline);
  gst_bus_set_sync_handler (bus, on_message, run, NULL);
  if (shape != NULL)
    watch_queue (run, shape);
  gst_element_set_state (run->pipeline, GST_STATE_PLAYING);
}

static guint64
statistic (const gchar *name)
{
  g_autoptr (GstAllocator) allocator = gst_allocator_find (NULL);
  g_autoptr (GstStructure) stats = NULL;
  guint64 value;

  testing_check (
      g_str_equal (G_OBJECT_TYPE_NAME (allocator), "GstFileMemAllocator"));
  g_object_get (allocator, "stats", &stats, NULL);
  testing_check (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

static void
cut_when_full (const Case *this_case, Run *run)
{
  g_autofree gchar *path = NULL;

  while (!atomic_load (&run->is_full) || statistic ("spilled-bytes") < SPILLED)
    g_usleep (1000);
  path = g_strdup_printf (
      "/proc/self/fd/%d", testing_find_backing_file (this_case->dir));
  testing_check (truncate (path, 0) == 0);
}

/* A program that takes the buffers itself. */
static void
pull_all (GstElement *pipeline)
{
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "q");
  GstSample *sample;
  GstMapInfo info;

  while (TRUE) {
    g_signal_emit_by_name (sink, "pull-sample", &sample);
    if (sample == NULL)
      return;
    if (gst_buffer_map (gst_sample_get_buffer (sample), &info, GST_MAP_READ))
      gst_buffer_unmap (gst_sample_get_buffer (sample), &info);
    gst_sample_unref (sample);
  }
}

/* Until the end of the stream, or until an element gives up. */
static void
wait_for_end (Run *run)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (run->pipeline);

  gst_message_unref (gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
}

static void
drain (Run *run)
{
  if (run->exit != NULL)
    gst_pad_remove_probe (run->exit, run->block);
  else
    pull_all (run->pipeline);
  gst_clear_object (&run->exit);
  wait_for_end (run);
}

/* The error is posted by another thread: after the end of the stream, if that
 * thread is late. */
static void
wait_for_error (Run *run)
{
  gint64 end = g_get_monotonic_time () + ERROR_SECONDS * G_USEC_PER_SEC;

  while (atomic_load (&run->n_told) == 0) {
    testing_check (g_get_monotonic_time () < end);
    g_usleep (1000);
  }
}

static void
end_run (Run *run)
{
  gst_element_set_state (run->pipeline, GST_STATE_NULL);
  gst_object_unref (run->pipeline);
}

/* filesink unmaps what it could not map. */
static void
be_silent (
    const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
}

static void
start_gstreamer (const Case *this_case)
{
  g_autofree gchar *tracers =
      g_strdup_printf ("filemem(dir=%s,ram=4M,size=1G,reserve=0%s)",
          this_case->dir, this_case->params);

  /* Not cmocka's handler, which would go on with the next test in here. */
  signal (SIGSEGV, SIG_DFL);
  signal (SIGBUS, SIG_DFL);
  g_setenv ("GST_TRACERS", tracers, TRUE);
  g_unsetenv ("GST_DEBUG");
  gst_init (NULL, NULL);
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
  g_log_set_default_handler (be_silent, NULL);
}

static void
run_shape (gconstpointer data)
{
  const Case *this_case = data;
  g_autofree gchar *pipeline_name = NULL;
  const gchar *source;
  const gboolean warns = strstr (this_case->params, "on-loss=warn") != NULL;
  Run run = {0};

  start_gstreamer (this_case);
  start (&run, this_case->shape->description, this_case->shape);
  pipeline_name = gst_object_get_name (GST_OBJECT (run.pipeline));
  cut_when_full (this_case, &run);
  drain (&run);
  testing_check (statistic ("maps-failed") > 0);
  if (!warns)
    wait_for_error (&run);
  end_run (&run);
  gst_deinit ();

  if (warns) {
    testing_check (atomic_load (&run.n_told) == 0);
    return;
  }
  testing_check (atomic_load (&run.n_told) == 1);
  source = this_case->source != NULL ? this_case->source : pipeline_name;
  testing_check (g_str_equal (run.source, source));
}

/* ---- two pipelines ---- */

/* Buffers that the program keeps, most of them on disk. */
static void
make_held (GstBuffer *held[N_HELD])
{
  guint i;

  for (i = 0; i < N_HELD; i++) {
    held[i] = gst_buffer_new_allocate (NULL, BUFFER, NULL);
    gst_buffer_memset (held[i], 0, (guint8) i, BUFFER);
  }
}

static void
push (Run *run, GstBuffer *buffer)
{
  g_autoptr (GstElement) source =
      gst_bin_get_by_name (GST_BIN (run->pipeline), "source");
  GstFlowReturn flow;

  g_signal_emit_by_name (source, "push-buffer", buffer, &flow);
  gst_buffer_unref (buffer);
}

static void
end_stream (Run *run)
{
  g_autoptr (GstElement) source =
      gst_bin_get_by_name (GST_BIN (run->pipeline), "source");
  GstFlowReturn flow;

  g_signal_emit_by_name (source, "end-of-stream", &flow);
  wait_for_end (run);
}

/* One pipeline has ended when the other loses bytes: it is not told. When it
 * runs again, and loses bytes itself, it is. */
static void
run_two (gconstpointer data)
{
  const Case *this_case = data;
  GstBuffer *held[N_HELD];
  Run ended = {0}, other = {0};
  guint i;

  start_gstreamer (this_case);
  start (&ended,
      "appsrc name=source ! filesink name=sink location=/dev/null async=false",
      NULL);
  push (&ended, gst_buffer_new_allocate (NULL, BUFFER, NULL));
  make_held (held);
  end_stream (&ended);
  gst_element_set_state (ended.pipeline, GST_STATE_NULL);

  start (&other, shapes[0].description, &shapes[0]);
  cut_when_full (this_case, &other);
  drain (&other);
  wait_for_error (&other);
  end_run (&other);
  gst_element_set_state (ended.pipeline, GST_STATE_PLAYING);
  for (i = 0; i < N_HELD; i++)
    push (&ended, held[i]);
  end_stream (&ended);
  wait_for_error (&ended);
  end_run (&ended);
  gst_deinit ();
  testing_check (atomic_load (&other.n_told) == 1);
  testing_check (atomic_load (&ended.n_told) == 1);
}

/* ---- the tests ---- */

static gchar *dir;

static int
setup (void **state)
{
  dir = testing_dir_new ();
  return 0;
}

static int
teardown (void **state)
{
  testing_dir_free (g_steal_pointer (&dir));
  return 0;
}

static void
run_case (Case *this_case, TestingChild func)
{
  g_autofree gchar *said = NULL;

  this_case->dir = dir;
  said = testing_run_child (func, this_case);
  if (testing_count_lines (said, "filemem: somebody has cut") != 1)
    fail_msg ("not one line about the file, but:\n%s", said);
}

static void
test_shape (void **state)
{
  Case this_case = {.shape = *state, .params = ""};

  run_case (&this_case, run_shape);
}

static void
test_warn (void **state)
{
  Case this_case = {.shape = *state, .params = ",on-loss=warn"};

  run_case (&this_case, run_shape);
}

static void
test_attribution (void **state)
{
  Case this_case = {
      .shape = *state, .params = ",attribution=on", .source = "sink"};

  run_case (&this_case, run_shape);
}

static void
test_two (void **state)
{
  Case this_case = {.params = ""};

  run_case (&this_case, run_two);
}

static void
test_two_with_attribution (void **state)
{
  Case this_case = {.params = ",attribution=on"};

  run_case (&this_case, run_two);
}

int
main (void)
{
#define TEST(name, func, data)                   \
  {                                              \
    name, func, setup, teardown, (void *) (data) \
  }
  const struct CMUnitTest tests[] = {
      TEST ("queue, filesink", test_shape, &shapes[0]),
      TEST ("queue, encoder", test_shape, &shapes[1]),
      TEST ("tee, two queues", test_shape, &shapes[2]),
      TEST ("queue2, filesink", test_shape, &shapes[3]),
      TEST ("multiqueue, filesink", test_shape, &shapes[4]),
      TEST ("appsink", test_shape, &shapes[5]),
      TEST ("on-loss=warn", test_warn, &shapes[0]),
      TEST ("attribution, queue", test_attribution, &shapes[0]),
      TEST ("attribution, queue2", test_attribution, &shapes[3]),
      TEST ("two pipelines", test_two, NULL),
      TEST ("two pipelines, attribution", test_two_with_attribution, NULL),
  };
#undef TEST

  return cmocka_run_group_tests_name ("loss", tests, NULL, NULL);
}
