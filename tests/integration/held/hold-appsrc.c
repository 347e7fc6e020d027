/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hold-appsrc.c: a program that pushes its own frames into an appsrc which
 * nothing takes them from, until all are there.
 *
 *   hold-appsrc WAY THREADS
 *
 * WAY is how it pushes: a signal (push-buffer, push-buffer-list, push-sample)
 * or a function of the library (buffer, list, sample). What comes out then is
 * checked, byte by byte; with several threads the order is anybody's guess. If
 * it is "nothing", there is no appsrc.
 *
 * Prints bytes of anonymous memory that the process had more when all were
 * there, the appsrc's level, how often it has had enough, and how many came
 * out. Exit code: 0 all was right, 1 not.
 */
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME ((gsize) 1 << 20)
#define FRAMES 64

typedef enum {
  BY_PUSH_BUFFER,
  BY_PUSH_BUFFER_LIST,
  BY_PUSH_SAMPLE,
  BY_BUFFER,
  BY_LIST,
  BY_SAMPLE,
  N_WAYS
} Way;

static const gchar *const ways[N_WAYS] = {"push-buffer", "push-buffer-list",
    "push-sample", "buffer", "list", "sample"};

typedef struct
{
  GstElement *appsrc;
  Way way;
  guint first, n;
} Pusher;

static gint n_enough, n_out, n_wrong;

/* Held while a frame is handed over by a function, and taken where one is no
 * longer in use, in whatever thread that is. */
static GMutex program_lock;
static gint n_in_use;

static G_NORETURN void
fail (const gchar *what)
{
  fprintf (stderr, "hold-appsrc: %s\n", what);
  exit (1);
}

static guint64
anonymous_bytes (void)
{
  g_autofree gchar *status = NULL;
  const gchar *at;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL)
      || (at = strstr (status, "RssAnon:")) == NULL)
    fail ("no RssAnon");
  return g_ascii_strtoull (at + strlen ("RssAnon:"), NULL, 10) * 1024;
}

static guint64
word_of (guint frame, gsize at)
{
  return ((guint64) frame << 32 | at) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
}

static void
free_frame (gpointer words)
{
  g_mutex_lock (&program_lock);
  n_in_use--;
  g_mutex_unlock (&program_lock);
  g_free (words);
}

static GstBuffer *
make_frame (guint number)
{
  guint64 *words = g_malloc (FRAME);
  GstBuffer *buffer;
  gsize i;

  for (i = 0; i < FRAME / sizeof *words; i++)
    words[i] = word_of (number, i);
  g_mutex_lock (&program_lock);
  n_in_use++;
  g_mutex_unlock (&program_lock);
  buffer = gst_buffer_new_wrapped_full (
      0, words, FRAME, 0, FRAME, words, free_frame);
  GST_BUFFER_PTS (buffer) = number * GST_SECOND;
  return buffer;
}

static GstFlowReturn
push (GstElement *appsrc, Way way, GstBuffer *buffer)
{
  g_autoptr (GstBufferList) list = NULL;
  g_autoptr (GstSample) sample = NULL;
  GstFlowReturn result = GST_FLOW_ERROR;

  if (way == BY_BUFFER)
    return gst_app_src_push_buffer (GST_APP_SRC (appsrc), buffer);
  if (way == BY_PUSH_BUFFER) {
    g_signal_emit_by_name (appsrc, "push-buffer", buffer, &result);
    gst_buffer_unref (buffer);
    return result;
  }
  if (way == BY_SAMPLE || way == BY_PUSH_SAMPLE) {
    sample = gst_sample_new (buffer, NULL, NULL, NULL);
    gst_buffer_unref (buffer);
    if (way == BY_SAMPLE)
      return gst_app_src_push_sample (GST_APP_SRC (appsrc), sample);
    g_signal_emit_by_name (appsrc, "push-sample", sample, &result);
    return result;
  }
  list = gst_buffer_list_new ();
  gst_buffer_list_add (list, buffer);
  if (way == BY_LIST)
    return gst_app_src_push_buffer_list (
        GST_APP_SRC (appsrc), g_steal_pointer (&list));
  g_signal_emit_by_name (appsrc, "push-buffer-list", list, &result);
  return result;
}

static gpointer
push_all (gpointer data)
{
  const Pusher *pusher = data;
  guint i;

  for (i = 0; i < pusher->n; i++) {
    GstBuffer *frame = make_frame (pusher->first + i);
    gboolean locked = pusher->way == BY_BUFFER || pusher->way == BY_LIST;

    if (locked)
      g_mutex_lock (&program_lock);
    if (push (pusher->appsrc, pusher->way, frame) != GST_FLOW_OK)
      fail ("a push was refused");
    if (locked)
      g_mutex_unlock (&program_lock);
  }
  return NULL;
}

static void
on_enough (GstElement *appsrc, gpointer unused)
{
  g_atomic_int_inc (&n_enough);
}

static void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer unused)
{
  guint number = GST_BUFFER_PTS (buffer) / GST_SECOND;
  const guint64 *words;
  GstMapInfo map;
  gsize i;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ) || map.size != FRAME)
    fail ("a frame can't be read");
  words = (const guint64 *) map.data;
  for (i = 0; i < FRAME / sizeof *words; i++)
    n_wrong += words[i] != word_of (number, i);
  gst_buffer_unmap (buffer, &map);
  n_out++;
}

static void
wait_for (GstElement *pipeline, GstMessageType type)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, type | GST_MESSAGE_ERROR);

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    fail ("the pipeline failed");
}

/* 0 if that was refused. */
static int
push_to_nothing (void)
{
  g_autoptr (GstElement) other = NULL;
  int wrong = 0;

  gst_init (NULL, NULL);
  other = gst_object_ref_sink (gst_element_factory_make ("fakesrc", NULL));
  wrong += gst_app_src_push_buffer (NULL, NULL) != GST_FLOW_ERROR;
  wrong +=
      gst_app_src_push_buffer_list ((gpointer) other, NULL) != GST_FLOW_ERROR;
  wrong += gst_app_src_end_of_stream (NULL) != GST_FLOW_ERROR;
  return wrong;
}

int
main (int argc, char **argv)
{
  guint n_threads =
      argc == 3 ? (guint) g_ascii_strtoull (argv[2], NULL, 10) : 0;
  Way way = 0;
  GstElement *pipeline, *appsrc, *sink;
  GThread *threads[FRAMES];
  Pusher pushers[FRAMES];
  guint64 before, held, level;
  guint i;

  if (argc == 3 && g_str_equal (argv[1], "nothing"))
    return push_to_nothing ();
  while (argc == 3 && way < N_WAYS && !g_str_equal (argv[1], ways[way]))
    way++;
  if (way == N_WAYS || n_threads == 0 || n_threads > FRAMES)
    fail ("usage: hold-appsrc WAY THREADS");
  gst_init (NULL, NULL);
  pipeline = gst_parse_launch (
      "appsrc name=source format=time max-bytes=1000000 block=false ! "
      "fakesink name=sink signal-handoffs=true sync=false",
      NULL);
  appsrc = gst_bin_get_by_name (GST_BIN (pipeline), "source");
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_signal_connect (appsrc, "enough-data", G_CALLBACK (on_enough), NULL);
  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), NULL);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);

  before = anonymous_bytes ();
  for (i = 0; i < n_threads; i++) {
    pushers[i] =
        (Pusher){appsrc, way, i * (FRAMES / n_threads), FRAMES / n_threads};
    threads[i] = g_thread_new ("push", push_all, &pushers[i]);
  }
  for (i = 0; i < n_threads; i++)
    g_thread_join (threads[i]);
  wait_for (pipeline, GST_MESSAGE_ASYNC_DONE);
  held = anonymous_bytes () - before;
  g_object_get (appsrc, "current-level-bytes", &level, NULL);
  if (way < BY_BUFFER)
    g_signal_emit_by_name (appsrc, "end-of-stream", &i);
  else
    gst_app_src_end_of_stream (GST_APP_SRC (appsrc));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for (pipeline, GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  printf ("held %" G_GUINT64_FORMAT " level %" G_GUINT64_FORMAT
          " enough %d out %d\n",
      held, level, n_enough, n_out);
  gst_object_unref (appsrc);
  gst_object_unref (sink);
  gst_object_unref (pipeline);
  while (g_atomic_int_get (&n_in_use) > 0)
    g_usleep (1000);
  return n_wrong == 0 && n_out == FRAMES ? 0 : 1;
}
