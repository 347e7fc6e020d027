/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * run-held.c: run one pipeline, hold it back until its queues are full, let it
 * go, and print what came out.
 *
 * The pipeline is a gst_parse_launch() description. What happens to an element
 * is in its name, for elements inside of other elements and those added later
 * too:
 *   ...hold...   the first buffer at its sink pad waits until the release
 *   ...check...  every buffer at its sink pad goes into a digest: bytes, time
 *                stamps, duration, flags
 *   ...bytes...  the same, bytes alone (where time stamps come from a clock)
 *   feed         an appsrc: this program pushes the buffers of --feed
 *   pull         an appsink: this program takes from it after the release, and
 *                makes a digest as for "check"
 *
 * The release comes when somebody is held and the process has used next to no
 * processor time for a while: whatever can fill the queues has then done so.
 * That holds for any element, where the levels of queues are known for few.
 * With --filemem bytes must have been spilled besides.
 *
 * Output: one line "digest NAME SHA256 BUFFERS BYTES" for each digest, in the
 * order of names, and with --filemem one line "stat NAME VALUE" for each figure
 * of filemem. Exit code 0; 1 when anything fails; 77 when an element is
 * missing.
 *
 * Locking: one mutex for the state of the hold. A digest is written by the
 * streaming thread of its pad alone, and read after the pipeline has ended.
 */
#include "driving.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <stdio.h>
#include <string.h>

#define TICK_US (100 * 1000)
/* quiet: this many ticks in a row, each with less processor time than that */
#define QUIET_TICKS 3
#define QUIET_CPU_US (5 * 1000)
#define HOLD_MAX_US (180 * G_USEC_PER_SEC)
#define RUN_MAX (300 * GST_SECOND)

static gchar *arg_feed;
static gchar *arg_needs;
static gboolean arg_filemem;
static gboolean arg_free;
static guint feed_count;
static gsize feed_size;

static gpointer
feed_thread (gpointer data)
{
  GstAppSrc *src = data;
  GstFlowReturn flow = GST_FLOW_OK;
  guint32 x = 1;

  for (guint i = 0; i < feed_count && flow == GST_FLOW_OK; i++) {
    GstBuffer *buffer = gst_buffer_new_allocate (NULL, feed_size, NULL);
    GstMapInfo map;

    if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
      g_error ("feed: buffer %u can't be mapped", i);
    for (gsize at = 0; at + 4 <= map.size; at += 4) {
      x ^= x << 13;
      x ^= x >> 17;
      x ^= x << 5;
      memcpy (map.data + at, &x, 4);
    }
    memset (map.data + map.size / 4 * 4, 0x55, map.size % 4);
    gst_buffer_unmap (buffer, &map);
    GST_BUFFER_PTS (buffer) = i * 40 * GST_MSECOND;
    GST_BUFFER_DURATION (buffer) = 40 * GST_MSECOND;
    flow = gst_app_src_push_buffer (src, buffer);
  }
  gst_app_src_end_of_stream (src);
  gst_object_unref (src);
  return NULL;
}

static gpointer
pull_thread (gpointer data)
{
  GstAppSink *sink = data;
  DrivingDigest *digest = driving_digest_new (GST_OBJECT_NAME (sink), TRUE);
  GstSample *sample;

  driving_wait_for_release ();
  while ((sample = gst_app_sink_pull_sample (sink))) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);

    driving_digest_buffer (&buffer, 0, digest);
    gst_sample_unref (sample);
  }
  gst_object_unref (sink);
  return NULL;
}

static void
watch_element (GstElement *element)
{
  const gchar *name = GST_OBJECT_NAME (element);
  gboolean check = strstr (name, "check") != NULL;
  gboolean hold = strstr (name, "hold") != NULL;
  GstPad *pad;

  if (!check && !hold && !strstr (name, "bytes"))
    return;

  pad = gst_element_get_static_pad (element, "sink");
  if (!pad)
    g_error ("%s has no sink pad", name);
  if (hold && !arg_free)
    driving_add_hold (pad);
  if (check || strstr (name, "bytes"))
    driving_add_digest (pad, name, check);
  gst_object_unref (pad);
}

static GstStructure *
filemem_stats (void)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  GstStructure *stats = NULL;

  g_object_get (allocator, "stats", &stats, NULL);
  gst_object_unref (allocator);
  return stats;
}

static gboolean
has_spilled (void)
{
  GstStructure *stats = filemem_stats ();
  guint64 spilled = 0;

  gst_structure_get_uint64 (stats, "spilled-bytes", &spilled);
  gst_structure_free (stats);
  return spilled > 0;
}

static gboolean
print_stat (GQuark field, const GValue *value, gpointer data)
{
  if (G_VALUE_HOLDS_UINT64 (value))
    g_print ("stat %s %" G_GUINT64_FORMAT "\n", g_quark_to_string (field),
        g_value_get_uint64 (value));
  return TRUE;
}

/* Returns FALSE when the pipeline ended, or nothing was spilled, before. */
static gboolean
hold_until_full (GstBus *bus)
{
  gint64 deadline = g_get_monotonic_time () + HOLD_MAX_US;
  gint64 cpu = driving_cpu_time ();
  guint quiet = 0;
  guint now_held;

  do {
    GstMessage *message = gst_bus_timed_pop_filtered (
        bus, TICK_US * GST_USECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    gint64 before = cpu;

    if (message) {
      if (driving_ended_well (message))
        g_printerr ("the pipeline has ended while it was held\n");
      return FALSE;
    }
    cpu = driving_cpu_time ();
    quiet = cpu - before < QUIET_CPU_US ? quiet + 1 : 0;

    now_held = driving_n_held ();
    if (now_held > 0 && quiet >= QUIET_TICKS
        && (!arg_filemem || has_spilled ()))
      return TRUE;
  } while (g_get_monotonic_time () < deadline);

  g_printerr ("%s\n",
      now_held == 0 ? "no buffer has reached an element to hold"
          : quiet < QUIET_TICKS
          ? "the queues were still filling after three minutes"
          : "nothing was spilled while the pipeline was held");
  return FALSE;
}

static gboolean
run (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GThread *feed, *pull;
  gboolean well = TRUE;

  driving_watch_elements (pipeline, watch_element);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  feed = driving_start_thread (pipeline, "feed", feed_thread);
  pull = driving_start_thread (pipeline, "pull", pull_thread);
  if (!arg_free)
    well = hold_until_full (bus);
  driving_release ();
  if (well)
    well = driving_ended_well (gst_bus_timed_pop_filtered (
        bus, RUN_MAX, GST_MESSAGE_ERROR | GST_MESSAGE_EOS));

  if (feed)
    g_thread_join (feed);
  /* an appsink has ended before all was taken from it */
  if (pull && well)
    g_thread_join (g_steal_pointer (&pull));
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (pull)
    g_thread_join (pull);
  gst_object_unref (bus);
  return well;
}

static gboolean
allocator_is_as_expected (void)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  const gchar *type = G_OBJECT_TYPE_NAME (allocator);
  gboolean is_filemem = g_str_equal (type, "GstFileMemAllocator");

  if (is_filemem != arg_filemem)
    g_printerr ("the default allocator is a %s, %s\n", type,
        arg_filemem ? "not a GstFileMemAllocator: filemem is not active"
                    : "but this is the run without filemem");
  gst_object_unref (allocator);
  return is_filemem == arg_filemem;
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"filemem", 0, 0, G_OPTION_ARG_NONE, &arg_filemem,
          "expect filemem to be active, and to spill", NULL},
      {"free", 0, 0, G_OPTION_ARG_NONE, &arg_free, "hold nothing", NULL},
      {"feed", 0, 0, G_OPTION_ARG_STRING, &arg_feed,
          "what to push into the appsrc", "COUNTxBYTES"},
      {"needs", 0, 0, G_OPTION_ARG_STRING, &arg_needs,
          "elements that are found by themselves", "NAME:NAME"},
      {NULL},
  };
  GOptionContext *options = g_option_context_new ("DESCRIPTION");
  GstElement *pipeline;
  GError *error = NULL;
  gboolean well;

  g_option_context_add_main_entries (options, entries, NULL);
  g_option_context_add_group (options, gst_init_get_option_group ());
  if (!g_option_context_parse (options, &argc, &argv, &error) || argc != 2) {
    g_printerr ("%s\n", error ? error->message : "one DESCRIPTION, please");
    return 1;
  }
  g_option_context_free (options);
  if (arg_feed
      && sscanf (arg_feed, "%ux%" G_GSIZE_FORMAT, &feed_count, &feed_size)
          != 2) {
    g_printerr ("--feed is COUNTxBYTES\n");
    return 1;
  }

  if (!allocator_is_as_expected ())
    return 1;
  if (arg_needs && !driving_has_elements (arg_needs))
    return DRIVING_SKIP;
  pipeline = driving_parse (argv[1]);
  well = run (pipeline);
  gst_object_unref (pipeline);
  if (well)
    driving_print_digests ();
  if (arg_filemem) {
    GstStructure *stats = filemem_stats ();

    gst_structure_foreach (stats, print_stat, NULL);
    gst_structure_free (stats);
  }
  return well ? 0 : 1;
}
