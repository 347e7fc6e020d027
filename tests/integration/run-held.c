/* filemem: GStreamer's buffers on disk
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
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define EXIT_SKIP 77
#define TICK_US (100 * 1000)
/* quiet: this many ticks in a row, each with less processor time than that */
#define QUIET_TICKS 3
#define QUIET_CPU_US (5 * 1000)
#define HOLD_MAX_US (20 * G_USEC_PER_SEC)
#define RUN_MAX (90 * GST_SECOND)

typedef struct
{
  gchar *name;
  gboolean times;
  GChecksum *sum;
  guint64 buffers;
  guint64 bytes;
} Digest;

static GMutex lock;
static GCond released_cond;
static gboolean released;
static guint held;
static GList *digests; /* protected by the lock; not the digests in it */

static gchar *arg_feed;
static gchar *arg_needs;
static gboolean arg_filemem;
static gboolean arg_free;
static guint feed_count;
static gsize feed_size;

static void
wait_for_release (void)
{
  g_mutex_lock (&lock);
  held++;
  while (!released)
    g_cond_wait (&released_cond, &lock);
  g_mutex_unlock (&lock);
}

static void
release (void)
{
  g_mutex_lock (&lock);
  released = TRUE;
  g_cond_broadcast (&released_cond);
  g_mutex_unlock (&lock);
}

static Digest *
digest_new (const gchar *name, gboolean times)
{
  Digest *digest = g_new0 (Digest, 1);

  digest->name = g_strdup (name);
  digest->times = times;
  digest->sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_mutex_lock (&lock);
  digests = g_list_prepend (digests, digest);
  g_mutex_unlock (&lock);
  return digest;
}

static void
digest_number (Digest *digest, guint64 number)
{
  number = GUINT64_TO_LE (number);
  g_checksum_update (digest->sum, (const guchar *) &number, sizeof number);
}

static gboolean
digest_buffer (GstBuffer **buffer, guint index, gpointer data)
{
  Digest *digest = data;
  GstMapInfo map;

  if (!gst_buffer_map (*buffer, &map, GST_MAP_READ))
    g_error ("%s: buffer %" G_GUINT64_FORMAT " can't be mapped", digest->name,
        digest->buffers);
  if (map.size)
    g_checksum_update (digest->sum, map.data, map.size);
  digest->buffers++;
  digest->bytes += map.size;
  gst_buffer_unmap (*buffer, &map);

  if (digest->times) {
    digest_number (digest, GST_BUFFER_PTS (*buffer));
    digest_number (digest, GST_BUFFER_DTS (*buffer));
    digest_number (digest, GST_BUFFER_DURATION (*buffer));
    /* TAG_MEMORY tells a pool whether its memory was exchanged: a matter of
     * who was faster, no part of what is in the buffer */
    digest_number (digest,
        GST_BUFFER_FLAGS (*buffer) & ~(guint) GST_BUFFER_FLAG_TAG_MEMORY);
  }
  return TRUE;
}

static GstPadProbeReturn
hold_probe (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  wait_for_release ();
  return GST_PAD_PROBE_REMOVE;
}

static GstPadProbeReturn
digest_probe (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  if (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST)
    gst_buffer_list_foreach (
        GST_PAD_PROBE_INFO_BUFFER_LIST (info), digest_buffer, data);
  else {
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

    digest_buffer (&buffer, 0, data);
  }
  return GST_PAD_PROBE_OK;
}

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
  Digest *digest = digest_new (GST_OBJECT_NAME (sink), TRUE);
  GstSample *sample;

  wait_for_release ();
  while ((sample = gst_app_sink_pull_sample (sink))) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);

    digest_buffer (&buffer, 0, digest);
    gst_sample_unref (sample);
  }
  gst_object_unref (sink);
  return NULL;
}

static void
watch_element (GstElement *element)
{
  const GstPadProbeType data =
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST;
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
    gst_pad_add_probe (pad, data, hold_probe, NULL, NULL);
  if (check || strstr (name, "bytes"))
    gst_pad_add_probe (pad, data, digest_probe, digest_new (name, check), NULL);
  gst_object_unref (pad);
}

static void
deep_element_added (
    GstBin *bin, GstBin *sub_bin, GstElement *element, gpointer data)
{
  watch_element (element);
}

static void
watch_value (const GValue *value, gpointer data)
{
  watch_element (g_value_get_object (value));
}

static GThread *
start_app (GstElement *pipeline, const gchar *name, GThreadFunc func)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  return element ? g_thread_new (name, func, element) : NULL;
}

static gint64
cpu_time_us (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC
      + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
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

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Digest *) a)->name, ((const Digest *) b)->name);
}

static void
print_digest (gpointer data, gpointer user_data)
{
  Digest *digest = data;

  g_print ("digest %s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
      digest->name, g_checksum_get_string (digest->sum), digest->buffers,
      digest->bytes);
}

static void
free_digest (gpointer data)
{
  Digest *digest = data;

  g_checksum_free (digest->sum);
  g_free (digest->name);
  g_free (digest);
}

/* Takes the message. */
static gboolean
ended_well (GstMessage *message)
{
  gboolean well = FALSE;

  if (!message)
    g_printerr ("the pipeline has not ended in time\n");
  else if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    well = TRUE;
  else {
    GError *error = NULL;
    gchar *debug = NULL;

    gst_message_parse_error (message, &error, &debug);
    g_printerr ("error from %s: %s (%s)\n", GST_MESSAGE_SRC_NAME (message),
        error->message, debug ? debug : "");
    g_error_free (error);
    g_free (debug);
  }
  g_clear_pointer (&message, gst_message_unref);
  return well;
}

/* Returns FALSE when the pipeline ended, or nothing was spilled, before. */
static gboolean
hold_until_full (GstBus *bus)
{
  gint64 deadline = g_get_monotonic_time () + HOLD_MAX_US;
  gint64 cpu = cpu_time_us ();
  guint quiet = 0;
  guint now_held;

  do {
    GstMessage *message = gst_bus_timed_pop_filtered (
        bus, TICK_US * GST_USECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    gint64 before = cpu;

    if (message) {
      if (ended_well (message))
        g_printerr ("the pipeline has ended while it was held\n");
      return FALSE;
    }
    cpu = cpu_time_us ();
    quiet = cpu - before < QUIET_CPU_US ? quiet + 1 : 0;

    g_mutex_lock (&lock);
    now_held = held;
    g_mutex_unlock (&lock);
    if (now_held && quiet >= QUIET_TICKS && (!arg_filemem || has_spilled ()))
      return TRUE;
  } while (g_get_monotonic_time () < deadline);

  g_printerr ("%s\n",
      !now_held ? "no buffer has reached an element to hold"
          : quiet < QUIET_TICKS
          ? "the queues were still filling after 20 s"
          : "nothing was spilled while the pipeline was held");
  return FALSE;
}

static gboolean
run (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstIterator *elements = gst_bin_iterate_recurse (GST_BIN (pipeline));
  GThread *feed, *pull;
  gboolean well = TRUE;

  gst_iterator_foreach (elements, watch_value, NULL);
  gst_iterator_free (elements);
  g_signal_connect (
      pipeline, "deep-element-added", G_CALLBACK (deep_element_added), NULL);

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  feed = start_app (pipeline, "feed", feed_thread);
  pull = start_app (pipeline, "pull", pull_thread);
  if (!arg_free)
    well = hold_until_full (bus);
  release ();
  if (well)
    well = ended_well (gst_bus_timed_pop_filtered (
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

static gboolean
has_elements (const gchar *list)
{
  gchar **names = g_strsplit (list, ":", -1);
  gboolean all = TRUE;

  for (gchar **name = names; *name; name++) {
    GstElementFactory *factory = gst_element_factory_find (*name);

    if (!factory) {
      g_printerr ("no element %s\n", *name);
      all = FALSE;
    } else
      gst_object_unref (factory);
  }
  g_strfreev (names);
  return all;
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
  GstParseContext *parse;
  GstElement *pipeline;
  GError *error = NULL;
  gchar **missing;
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
  if (arg_needs && !has_elements (arg_needs))
    return EXIT_SKIP;
  parse = gst_parse_context_new ();
  pipeline = gst_parse_launch_full (
      argv[1], parse, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  missing = gst_parse_context_get_missing_elements (parse);
  gst_parse_context_free (parse);
  if (!pipeline) {
    gchar *names = missing ? g_strjoinv (":", missing) : NULL;

    /* An element with a property that it does not have is "missing" as well,
     * and must not pass for one that is not installed. */
    if (names && !has_elements (names))
      return EXIT_SKIP;
    g_printerr ("%s\n", error->message);
    return 1;
  }
  /* gst_parse_launch() gives an element that stands alone as it is */
  if (!GST_IS_PIPELINE (pipeline)) {
    GstElement *whole = gst_pipeline_new (NULL);

    gst_bin_add (GST_BIN (whole), pipeline);
    pipeline = whole;
  }

  well = run (pipeline);
  gst_object_unref (pipeline);
  if (well) {
    digests = g_list_sort (digests, compare_names);
    g_list_foreach (digests, print_digest, NULL);
  }
  if (arg_filemem) {
    GstStructure *stats = filemem_stats ();

    gst_structure_foreach (stats, print_stat, NULL);
    gst_structure_free (stats);
  }
  g_list_free_full (digests, free_digest);
  return well ? 0 : 1;
}
