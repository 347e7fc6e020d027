/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-contents.c: the cases of what comes out of a queue: the right bytes,
 * one copy for all branches of a tee, lists that are still lists, and memory
 * that an element only lent, as it was.
 */
#include "entrance-cases.h"
#include "entrance-child.h"

#define N_LISTS 5

/* The same memory in all branches, by pointer. */
static void
check_branches (GstElement *pipeline)
{
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) a = get (pipeline, "a"), b = get (pipeline, "b");
  guint i;

  play (pipeline);
  feed (source, 0, N_BUFFERS);
  end_feed (source);
  for (i = 0; i < N_BUFFERS; i++) {
    g_autoptr (GstSample) first = gst_app_sink_pull_sample (GST_APP_SINK (a));
    g_autoptr (GstSample) second = gst_app_sink_pull_sample (GST_APP_SINK (b));
    GstBuffer *one, *other;

    testing_check (first != NULL && second != NULL);
    one = gst_sample_get_buffer (first);
    other = gst_sample_get_buffer (second);
    check_bytes (one, i);
    check_bytes (other, i);
    testing_check (is_ours (one) && is_ours (other));
    testing_check (
        gst_buffer_peek_memory (one, 0) == gst_buffer_peek_memory (other, 0));
  }
  stop_pipeline (pipeline);
}

#define BRANCHES(between)                                            \
  FEED "tee name=t t. ! queue name=it1 ! appsink name=a sync=false " \
       "t. ! " between "queue name=it2 ! appsink name=b sync=false"

void
behind_tee (void)
{
  check_branches (parse (BRANCHES ("")));
}

static GstPadProbeReturn
change_flag (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  info->data = gst_buffer_make_writable (GST_PAD_PROBE_INFO_BUFFER (info));
  GST_BUFFER_FLAG_SET (info->data, GST_BUFFER_FLAG_MARKER);
  return GST_PAD_PROBE_OK;
}

/* Another buffer with the same memory, as of an element that sets times. */
void
behind_tee_changed (void)
{
  GstElement *pipeline = parse (BRANCHES ("identity name=between ! "));
  g_autoptr (GstElement) between = get (pipeline, "between");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (between, "src");

  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, change_flag, NULL, NULL);
  check_branches (pipeline);
}

static GstBufferList *
new_list (guint from)
{
  GstBufferList *list = gst_buffer_list_new ();
  guint i;

  for (i = 0; i < N_BUFFERS; i++)
    gst_buffer_list_add (list, wrapped_buffer (from + i));
  return list;
}

static void
feed_lists (GstElement *source)
{
  guint i;

  for (i = 0; i < N_LISTS; i++)
    testing_check (gst_app_src_push_buffer_list (
                       GST_APP_SRC (source), new_list (i * N_BUFFERS))
        == GST_FLOW_OK);
  end_feed (source);
}

void
lists (void)
{
  GstElement *pipeline =
      parse (FEED "queue name=it ! appsink name=a sync=false buffer-list=true");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) sink = get (pipeline, "a");
  guint i, k;

  play (pipeline);
  feed_lists (source);
  for (i = 0; i < N_LISTS; i++) {
    g_autoptr (GstSample) sample =
        gst_app_sink_pull_sample (GST_APP_SINK (sink));
    GstBufferList *list;

    testing_check (sample != NULL);
    list = gst_sample_get_buffer_list (sample);
    testing_check (list != NULL);
    testing_check (gst_buffer_list_length (list) == N_BUFFERS);
    for (k = 0; k < N_BUFFERS; k++) {
      GstBuffer *buffer = gst_buffer_list_get (list, k);

      check_bytes (buffer, i * N_BUFFERS + k);
      testing_check (is_ours (buffer));
    }
  }
  testing_check (gst_app_sink_pull_sample (GST_APP_SINK (sink)) == NULL);
  stop_pipeline (pipeline);
}

void
lists_behind_tee (void)
{
  GstElement *pipeline = parse (
      FEED "tee name=t t. ! queue name=it1 ! "
           "appsink name=a sync=false buffer-list=true "
           "t. ! queue name=it2 ! appsink name=b sync=false buffer-list=true");
  g_autoptr (GstElement) source = get (pipeline, "feed");
  g_autoptr (GstElement) a = get (pipeline, "a"), b = get (pipeline, "b");
  guint i, k;

  play (pipeline);
  feed_lists (source);
  for (i = 0; i < N_LISTS; i++) {
    g_autoptr (GstSample) first = gst_app_sink_pull_sample (GST_APP_SINK (a));
    g_autoptr (GstSample) second = gst_app_sink_pull_sample (GST_APP_SINK (b));

    for (k = 0; k < N_BUFFERS; k++) {
      GstBuffer *one =
          gst_buffer_list_get (gst_sample_get_buffer_list (first), k);
      GstBuffer *other =
          gst_buffer_list_get (gst_sample_get_buffer_list (second), k);

      check_bytes (one, i * N_BUFFERS + k);
      check_bytes (other, i * N_BUFFERS + k);
      testing_check (is_ours (one) && is_ours (other));
      testing_check (
          gst_buffer_peek_memory (one, 0) == gst_buffer_peek_memory (other, 0));
    }
  }
  stop_pipeline (pipeline);
}

/* The memory that shmsink gives the source to write to is on its way back. */
void
lent_by_shmsink (void)
{
  g_autofree gchar *description = g_strdup_printf (
      "videotestsrc num-buffers=30 ! video/x-raw,width=320,height=240 ! "
      "queue name=it ! shmsink name=s shm-size=16000000 "
      "wait-for-connection=false sync=false socket-path=%s/shm",
      scratch_dir ());
  GstElement *pipeline = parse (description);

  play (pipeline);
  wait_for_end (pipeline);
  stop_pipeline (pipeline);
}
