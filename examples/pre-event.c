/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pre-event.c: a pre-event recorder. It keeps the last seconds of a video in a
 * queue of its own, and when something happens writes them to a file, from the
 * key frame on. What happens is SIGUSR1, or that the video has come to
 * --trigger seconds. SIGINT and SIGTERM end it.
 *
 * This is plain GStreamer: nothing in here knows of filemem.
 */
#include <gst/app/gstappsink.h>
#include <gst/gst.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define SOURCE                                                          \
  "videotestsrc is-live=true ! video/x-raw,width=1280,height=720 ! "    \
  "x264enc tune=zerolatency bitrate=8000 key-int-max=30 ! h264parse ! " \
  "video/x-h264,stream-format=byte-stream,alignment=au"

static volatile sig_atomic_t signalled, ended;

static void
on_signal (int number)
{
  if (number == SIGUSR1)
    signalled = 1;
  else
    ended = 1;
}

static gboolean
is_key_frame (GstSample *sample)
{
  return !GST_BUFFER_FLAG_IS_SET (
      gst_sample_get_buffer (sample), GST_BUFFER_FLAG_DELTA_UNIT);
}

/* Since the video began. */
static GstClockTime
time_of (GstSample *sample)
{
  return gst_segment_to_running_time (gst_sample_get_segment (sample),
      GST_FORMAT_TIME, GST_BUFFER_PTS (gst_sample_get_buffer (sample)));
}

/* Drops what is older than @seconds, but for what begins with a key frame. */
static void
trim (GQueue *history, guint seconds)
{
  GstClockTime newest = time_of (g_queue_peek_tail (history));
  guint i, n_old = 0;

  for (i = 0; i < history->length; i++) {
    GstSample *sample = g_queue_peek_nth (history, i);

    if (time_of (sample) + seconds * GST_SECOND > newest)
      break;
    if (is_key_frame (sample))
      n_old = i;
  }
  while (n_old-- > 0)
    gst_sample_unref (g_queue_pop_head (history));
}

static gboolean
write_all (GQueue *history, const gchar *path)
{
  FILE *file = fopen (path, "wb");
  gboolean well = file != NULL;
  GstSample *sample;
  guint64 bytes = 0;

  while ((sample = g_queue_pop_head (history)) != NULL) {
    GstMapInfo map;

    if (well
        && gst_buffer_map (
            gst_sample_get_buffer (sample), &map, GST_MAP_READ)) {
      well = fwrite (map.data, 1, map.size, file) == map.size;
      bytes += map.size;
      gst_buffer_unmap (gst_sample_get_buffer (sample), &map);
    }
    gst_sample_unref (sample);
  }
  if (file != NULL && fclose (file) != 0)
    well = FALSE;
  if (well)
    printf ("%s: %" G_GUINT64_FORMAT " bytes\n", path, bytes);
  else
    perror (path);
  return well;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *source = g_strdup (SOURCE), *description = NULL;
  gint seconds = 30, trigger = -1;
  const GOptionEntry entries[] = {
      {"seconds", 0, 0, G_OPTION_ARG_INT, &seconds, "how much to keep", "N"},
      {"trigger", 0, 0, G_OPTION_ARG_INT, &trigger,
          "what happens, happens after so many seconds of video", "N"},
      {"source", 0, 0, G_OPTION_ARG_STRING, &source,
          "where the video comes from", "PIPELINE"},
      {NULL},
  };
  g_autoptr (GOptionContext) options = g_option_context_new ("OUTPUT");
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;
  GQueue history = G_QUEUE_INIT;
  gboolean well = TRUE;

  signal (SIGUSR1, on_signal);
  signal (SIGINT, on_signal);
  signal (SIGTERM, on_signal);
  g_option_context_add_main_entries (options, entries, NULL);
  g_option_context_add_group (options, gst_init_get_option_group ());
  if (!g_option_context_parse (options, &argc, &argv, &error) || argc != 2) {
    fprintf (stderr, "%s\n", error != NULL ? error->message : "one OUTPUT");
    return EXIT_FAILURE;
  }
  description = g_strdup_printf ("%s ! appsink name=sink sync=false", source);
  pipeline = gst_parse_launch (description, &error);
  if (pipeline == NULL) {
    fprintf (stderr, "%s\n", error->message);
    return EXIT_FAILURE;
  }
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);

  while (!ended && !gst_app_sink_is_eos (GST_APP_SINK (sink))) {
    GstSample *sample =
        gst_app_sink_try_pull_sample (GST_APP_SINK (sink), 100 * GST_MSECOND);

    if (sample != NULL) {
      g_queue_push_tail (&history, sample);
      trim (&history, seconds);
      if (trigger >= 0
          && time_of (sample) >= (GstClockTime) trigger * GST_SECOND)
        break;
    }
    if (signalled) {
      signalled = 0;
      well = write_all (&history, argv[1]) && well;
    }
  }
  if (!ended && history.length > 0)
    well = write_all (&history, argv[1]) && well;
  g_queue_clear_full (&history, (GDestroyNotify) gst_sample_unref);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
