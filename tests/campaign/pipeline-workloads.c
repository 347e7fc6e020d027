/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pipeline-workloads.c: a real pipeline with a deep queue, and all of filemem
 * around it: the tracer, its records, its report and its status page.
 *
 * The queue is full before anything is taken from it, because the appsink takes
 * one buffer alone. The buffers tell by their contents which they are: they
 * have to come in order, all of them, unless the loss of bytes was told on the
 * bus. The tracer is linked with the test, as one that the shim makes.
 */
#include "gstfilememtracer.h"
#include "testing.h"
#include "trial.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <string.h>

#define LINE                                                            \
  "appsrc name=source max-bytes=0 ! "                                   \
  "queue name=q max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! " \
  "appsink name=sink sync=false max-buffers=1"

/* As long as no buffer comes, the bus is looked at so often. */
#define LOOK (GST_SECOND / 10)

typedef GstBuffer *(*MakeFunc) (guint number);

static atomic_uint n_foreign;

/* ---- the buffers ---- */

#define N_SMALL 4000
#define SMALL 3000

static GstBuffer *
make_small (guint number)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, SMALL, NULL);
  GstMapInfo info;

  testing_check (buffer != NULL);
  if (!gst_buffer_map (buffer, &info, GST_MAP_WRITE)) {
    trial_check_lost ();
    gst_buffer_unref (buffer);
    return NULL;
  }
  testing_fill (info.data, info.size, number);
  gst_buffer_unmap (buffer, &info);
  return buffer;
}

#define N_FOREIGN 200
#define FOREIGN (64 * TESTING_KIB)

static void
free_foreign (gpointer data)
{
  g_free (data);
  atomic_fetch_sub (&n_foreign, 1);
}

static GstBuffer *
make_foreign (guint number)
{
  guint8 *data = g_malloc (FOREIGN);

  testing_fill (data, FOREIGN, number);
  atomic_fetch_add (&n_foreign, 1);
  return gst_buffer_new_wrapped_full (
      0, data, FOREIGN, 0, FOREIGN, data, free_foreign);
}

/* ---- the pipeline ---- */

static void
push_all (GstElement *pipeline, MakeFunc make, guint n)
{
  g_autoptr (GstElement) source =
      gst_bin_get_by_name (GST_BIN (pipeline), "source");
  GstFlowReturn flow;
  guint i;

  for (i = 0; i < n; i++) {
    GstBuffer *buffer = make (i + 1);

    if (buffer == NULL)
      continue;
    GST_BUFFER_PTS (buffer) = i * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = GST_MSECOND;
    /* The signal is what filemem sees without the shim. */
    g_signal_emit_by_name (source, "push-buffer", buffer, &flow);
    testing_check (flow == GST_FLOW_OK);
    gst_buffer_unref (buffer);
  }
  g_signal_emit_by_name (source, "end-of-stream", &flow);
}

/* Whether the pipeline says that it has lost bytes; any other error is one of
 * the test. */
static gboolean
has_said_lost (GstBus *bus, GstClockTime wait)
{
  g_autoptr (GstMessage) message =
      gst_bus_timed_pop_filtered (bus, wait, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (message == NULL)
    return FALSE;
  gst_message_parse_error (message, &error, NULL);
  if (!trial_may_lose ())
    g_printerr ("on the bus: %s\n", error->message);
  trial_check_lost ();
  return TRUE;
}

/* Returns how many have come with what they were made of. */
static guint
pull_all (GstElement *pipeline, guint n, gsize size)
{
  g_autoptr (GstElement) sink =
      gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  guint next = 0, right = 0;
  gboolean lost = FALSE;

  while (!gst_app_sink_is_eos (GST_APP_SINK (sink)) && !lost) {
    g_autoptr (GstSample) sample =
        gst_app_sink_try_pull_sample (GST_APP_SINK (sink), LOOK);
    GstBuffer *buffer = sample != NULL ? gst_sample_get_buffer (sample) : NULL;
    GstMapInfo info;
    guint number;

    lost = has_said_lost (bus, 0);
    if (buffer == NULL)
      continue;
    number = (guint) (GST_BUFFER_PTS (buffer) / GST_MSECOND);
    testing_check (number >= next && number < n);
    next = number + 1;
    testing_check (gst_buffer_get_size (buffer) == size);
    if (!gst_buffer_map (buffer, &info, GST_MAP_READ)) {
      trial_check_lost ();
      continue;
    }
    testing_check (testing_is_filled (info.data, info.size, number + 1));
    gst_buffer_unmap (buffer, &info);
    right++;
  }
  /* Another thread tells, after the end of the stream if it is late. */
  if (right < n && trial_lost () == 0)
    (void) has_said_lost (bus, GST_CLOCK_TIME_NONE);
  return right;
}

static guint64
live_blocks (void)
{
  g_autoptr (GstAllocator) allocator = gst_allocator_find (NULL);
  g_autoptr (GstStructure) stats =
      gst_file_mem_allocator_get_stats (GST_FILE_MEM_ALLOCATOR (allocator));
  guint64 blocks;

  testing_check (gst_structure_get_uint64 (stats, "live-blocks", &blocks));
  return blocks;
}

/* The tracer stays until this process ends. */
static void
run_line (const gchar *params, MakeFunc make, guint n, gsize size)
{
  g_autofree gchar *all = g_strdup_printf (
      "dir=%s,ram=4M,size=128M,reserve=0,attribution=on,report=%s/run/report,"
      "record=%s/run/record,%s",
      trial_dir (), trial_dir (), trial_dir (), params);
  GstElement *pipeline;
  guint right;

  gst_file_mem_tracer_make (all);
  trial_hear ();
  pipeline = gst_parse_launch (LINE, NULL);
  testing_check (pipeline != NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  push_all (pipeline, make, n);
  right = pull_all (pipeline, n, size);
  testing_check (right == n || trial_lost () > 0);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
  /* Who tells of a loss has the pipeline for as long. */
  while (atomic_load (&n_foreign) > 0 || live_blocks () > 0)
    g_usleep (1000);
  gst_deinit ();
}

static void
run_packed (void)
{
  run_line ("pack-above=64K", make_small, N_SMALL, SMALL);
}

static void
run_foreign (void)
{
  run_line ("copy-above=64K", make_foreign, N_FOREIGN, FOREIGN);
}

/* Report and record are two files that can't be written. */
const Workload pipeline_workloads[] = {
    {"packed", run_packed, .uses_gst = TRUE, .words = {.times = 2}},
    {"foreign", run_foreign, .uses_gst = TRUE, .words = {.times = 2}},
    {NULL},
};
