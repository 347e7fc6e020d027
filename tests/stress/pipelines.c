/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pipelines.c: real pipelines, one after the other, for the thread sanitizer:
 * deep queues of frames and of small packets, a multiqueue, a tee, foreign
 * memory from an appsrc. Each has to come to its end without an error; that
 * what comes out is right is for other tests.
 *
 * The tracer and its options come with the environment. Exit code: 0 all well,
 * 1 an error, 77 an element is missing.
 */
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include <stdlib.h>

#define SKIP 77
#define FOREIGN 40
#define FOREIGN_BYTES (100 * 1000)

#define DEEP "max-size-buffers=0 max-size-bytes=0 max-size-time=0"
#define FRAMES                                   \
  "videotestsrc num-buffers=40 pattern=black ! " \
  "video/x-raw,format=I420,width=640,height=480"
#define PACKETS "audiotestsrc num-buffers=3000 samplesperbuffer=100"
#define SLOW "identity sleep-time=2000 ! fakesink"
#define HASTY "identity sleep-time=20 ! fakesink"

static const gchar *const pipelines[] = {
    FRAMES " ! queue " DEEP " ! " SLOW,
    FRAMES " ! queue2 " DEEP " use-buffering=false ! " SLOW,
    FRAMES " ! tee name=t t. ! queue " DEEP " ! " SLOW " t. ! queue " DEEP
           " ! " SLOW,
    PACKETS " ! queue " DEEP " ! " HASTY,
    PACKETS " ! queue2 " DEEP " use-buffering=false ! " HASTY,
    "multiqueue name=m " DEEP " " FRAMES " ! m. " PACKETS " ! m. m. ! " SLOW
    " m. ! " HASTY,
    "appsrc name=feed max-bytes=0 ! queue " DEEP " ! " SLOW,
};

static void
feed (GstAppSrc *appsrc)
{
  guint i;

  for (i = 0; i < FOREIGN; i++)
    gst_app_src_push_buffer (appsrc,
        gst_buffer_new_wrapped (g_malloc0 (FOREIGN_BYTES), FOREIGN_BYTES));
  gst_app_src_end_of_stream (appsrc);
}

static int
run (const gchar *description)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  g_autoptr (GstElement) appsrc = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  int status = EXIT_SUCCESS;

  if (error != NULL) {
    g_print ("%s: %s\n", description, error->message);
    return SKIP;
  }
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  appsrc = gst_bin_get_by_name (GST_BIN (pipeline), "feed");
  if (appsrc != NULL)
    feed (GST_APP_SRC (appsrc));
  bus = gst_element_get_bus (pipeline);
  message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    gst_message_parse_error (message, &error, NULL);
    g_print ("%s: %s\n", description, error->message);
    status = EXIT_FAILURE;
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return status;
}

int
main (int argc, char **argv)
{
  int status = EXIT_SUCCESS;
  guint i;

  gst_init (&argc, &argv);
  for (i = 0; i < G_N_ELEMENTS (pipelines); i++)
    status = MAX (status, run (pipelines[i]));
  return status;
}
