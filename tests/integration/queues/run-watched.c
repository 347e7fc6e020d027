/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * run-watched.c: runs one pipeline, and tells what was in its queues, by
 * looking at what comes out of them: nothing of filemem is asked, but what its
 * allocator is.
 *
 * The pipeline is a gst_parse_launch() description. What happens to an element
 * is in its name:
 *   ...check...  every buffer at its sink pad goes into a digest: bytes, time
 *                stamps, duration, flags
 *   ...bytes...  the same, bytes alone
 *   feed         an appsrc: --feed FILE is pushed into it, in wrapped buffers
 *                of --chunk bytes
 *   pull         an appsink: what it has is taken, with a digest as for "check"
 *   send, recv   a network between them: what enters "send" waits while too
 *                much is on its way to "recv", which is told when all has come
 *
 * With --hold nothing leaves the pipeline, by "check", "bytes" or "pull", until
 * the process has used next to no processor time for a while: whatever can fill
 * the queues has then done so.
 *
 * Output, a line each:
 *   digest NAME SHA256 BUFFERS BYTES
 *   queue PAD BYTES FOREIGN HELD-BYTES HELD-FOREIGN
 * BYTES left the queue in all, FOREIGN of them not in memory of the default
 * allocator; HELD were in it when the hold ended. Exit code 0; 1 when anything
 * fails; 77 when an element is missing.
 *
 * Locking: one mutex for what is counted at queues and of packets.
 */
#include "../driving.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>

#include <stdlib.h>
#include <string.h>

#define TICK_US (25 * 1000)
/* quiet: this many ticks in a row, each with less processor time than that */
#define QUIET_TICKS 5
#define QUIET_CPU_US 2000
#define HOLD_MAX_US (120 * G_USEC_PER_SEC)
#define RUN_MAX (300 * GST_SECOND)
/* packets on the way when the next, or the next list of them, is sent: a socket
 * has room for some 90 */
#define ON_THE_WAY_MAX 8

/* What goes through a queue, from one of its sink pads on. */
typedef struct
{
  GstPad *pad; /* only to be compared with */
  gboolean has_exit;
  gchar *name;           /* once anything has entered */
  guint64 entered, left; /* buffers */
  guint64 bytes, foreign;
  guint64 held; /* buffers that are still to be counted as held */
  guint64 held_bytes, held_foreign;
} Passage;

static GMutex lock;
static GCond cond;
static GPtrArray *passages;
static GstAllocator *ours;

static guint64 n_sent, n_received;
static gboolean all_sent, told_end;

static gchar *arg_feed;
static gint arg_chunk = 65536;
static gboolean arg_hold;

/* ---- queues ---- */

static gsize
foreign_bytes (GstBuffer *buffer)
{
  gsize bytes = 0;
  guint i;

  for (i = 0; i < gst_buffer_n_memory (buffer); i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    if (mem->allocator != ours)
      bytes += mem->size;
  }
  return bytes;
}

static gboolean
buffer_enters (GstBuffer **buffer, guint index, gpointer data)
{
  Passage *passage = data;

  g_mutex_lock (&lock);
  if (passage->name == NULL)
    passage->name = gst_object_get_path_string (GST_OBJECT (passage->pad));
  passage->entered++;
  g_mutex_unlock (&lock);
  return TRUE;
}

static gboolean
buffer_leaves (GstBuffer **buffer, guint index, gpointer data)
{
  gsize bytes = gst_buffer_get_size (*buffer);
  gsize foreign = foreign_bytes (*buffer);
  Passage *passage = data;

  g_mutex_lock (&lock);
  passage->left++;
  passage->bytes += bytes;
  passage->foreign += foreign;
  if (passage->held > 0) {
    passage->held--;
    passage->held_bytes += bytes;
    passage->held_foreign += foreign;
  }
  g_mutex_unlock (&lock);
  return TRUE;
}

static GstPadProbeReturn
on_entering (GstPad *pad, GstPadProbeInfo *info, gpointer passage)
{
  driving_for_each_buffer (info, buffer_enters, passage);
  return GST_PAD_PROBE_OK;
}

static GstPadProbeReturn
on_leaving (GstPad *pad, GstPadProbeInfo *info, gpointer passage)
{
  driving_for_each_buffer (info, buffer_leaves, passage);
  return GST_PAD_PROBE_OK;
}

static Passage *
passage_new (GstPad *pad)
{
  Passage *passage = g_new0 (Passage, 1);

  passage->pad = pad;
  g_mutex_lock (&lock);
  g_ptr_array_add (passages, passage);
  g_mutex_unlock (&lock);
  gst_pad_add_probe (pad, DRIVING_DATA, on_entering, passage, NULL);
  return passage;
}

/* The pad at the other end of the queue; NULL if there is none yet. */
static GstPad *
other_end (GstPad *pad)
{
  GstIterator *inside = gst_pad_iterate_internal_links (pad);
  GValue value = G_VALUE_INIT;
  GstPad *other = NULL;

  if (inside == NULL)
    return NULL;
  if (gst_iterator_next (inside, &value) == GST_ITERATOR_OK) {
    other = g_value_get_object (&value);
    g_value_unset (&value);
  }
  gst_iterator_free (inside);
  return other;
}

static Passage *
find_passage (GstPad *entrance)
{
  Passage *found = NULL;
  guint i;

  g_mutex_lock (&lock);
  for (i = 0; i < passages->len && found == NULL; i++) {
    Passage *passage = g_ptr_array_index (passages, i);

    if (passage->pad == entrance)
      found = passage;
  }
  g_mutex_unlock (&lock);
  return found;
}

/* Either of the two may be added first. */
static void
watch_queue_pad (GstElement *element, GstPad *pad, gpointer unused)
{
  gboolean is_entrance = GST_PAD_IS_SINK (pad);
  GstPad *other = other_end (pad);
  Passage *passage = is_entrance ? passage_new (pad) : find_passage (other);

  if (other == NULL || passage == NULL || passage->has_exit)
    return;
  passage->has_exit = TRUE;
  gst_pad_add_probe (
      is_entrance ? other : pad, DRIVING_DATA, on_leaving, passage, NULL);
}

static gboolean
watch_existing_pad (GstElement *element, GstPad *pad, gpointer unused)
{
  watch_queue_pad (element, pad, NULL);
  return TRUE;
}

static gboolean
is_queue (GstElement *element)
{
  static const gchar *const names[] = {"queue", "queue2", "multiqueue",
      "rtpjitterbuffer", "downloadbuffer", NULL};
  GstElementFactory *factory = gst_element_get_factory (element);

  return factory != NULL && g_strv_contains (names, GST_OBJECT_NAME (factory));
}

/* ---- the ends of the pipeline ---- */

/* What is in the queues now was held. */
static void
release (void)
{
  guint i;

  g_mutex_lock (&lock);
  for (i = 0; i < passages->len; i++) {
    Passage *passage = g_ptr_array_index (passages, i);

    passage->held = passage->entered - passage->left;
  }
  g_mutex_unlock (&lock);
  driving_release ();
}

static gpointer
push_wrapped (gpointer source)
{
  g_autofree gchar *data = NULL;
  GstFlowReturn flow = GST_FLOW_OK;
  gsize size, at;

  if (!g_file_get_contents (arg_feed, &data, &size, NULL))
    g_error ("%s can't be read", arg_feed);
  for (at = 0; at < size && flow == GST_FLOW_OK; at += arg_chunk) {
    gsize n = MIN (size - at, (gsize) arg_chunk);

    flow = gst_app_src_push_buffer (
        source, gst_buffer_new_wrapped (g_memdup2 (data + at, n), n));
  }
  gst_app_src_end_of_stream (source);
  gst_object_unref (source);
  return NULL;
}

static gpointer
pull (gpointer sink)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  Passage *passage = passage_new (pad);
  DrivingDigest *digest = driving_digest_new ("pull", TRUE);
  GstSample *sample;

  driving_wait_for_release ();
  while ((sample = gst_app_sink_pull_sample (sink)) != NULL) {
    GstBuffer *buffer = gst_sample_get_buffer (sample);

    buffer_leaves (&buffer, 0, passage);
    driving_digest_buffer (&buffer, 0, digest);
    gst_sample_unref (sample);
  }
  gst_object_unref (sink);
  return NULL;
}

/* ---- the network ---- */

/* A list goes as a whole. */
static void
wait_to_send (GstPadProbeInfo *info)
{
  g_mutex_lock (&lock);
  while (n_sent - n_received > ON_THE_WAY_MAX)
    g_cond_wait (&cond, &lock);
  n_sent += (info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0
      ? gst_buffer_list_length (GST_PAD_PROBE_INFO_BUFFER_LIST (info))
      : 1;
  g_mutex_unlock (&lock);
}

static GstPadProbeReturn
on_sending (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0) {
    wait_to_send (info);
  } else if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info))
      == GST_EVENT_EOS) {
    g_mutex_lock (&lock);
    all_sent = TRUE;
    g_mutex_unlock (&lock);
  }
  return GST_PAD_PROBE_OK;
}

static gboolean
buffer_received (GstBuffer **buffer, guint index, gpointer unused)
{
  g_mutex_lock (&lock);
  n_received++;
  g_cond_broadcast (&cond);
  g_mutex_unlock (&lock);
  return TRUE;
}

static GstPadProbeReturn
on_receiving (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  driving_for_each_buffer (info, buffer_received, NULL);
  return GST_PAD_PROBE_OK;
}

static void
end_network (GstElement *receiver)
{
  gboolean now;

  g_mutex_lock (&lock);
  now = all_sent && n_received == n_sent && !told_end;
  told_end |= now;
  g_mutex_unlock (&lock);
  if (now)
    gst_element_send_event (receiver, gst_event_new_eos ());
}

/* ---- the pipeline ---- */

static void
watch_element (GstElement *element)
{
  const gchar *name = GST_OBJECT_NAME (element);
  gboolean check = strstr (name, "check") != NULL;
  gboolean send = g_str_equal (name, "send"), recv = g_str_equal (name, "recv");
  g_autoptr (GstPad) pad = NULL;

  if (is_queue (element)) {
    gst_element_foreach_sink_pad (element, watch_existing_pad, NULL);
    gst_element_foreach_src_pad (element, watch_existing_pad, NULL);
    g_signal_connect (element, "pad-added", G_CALLBACK (watch_queue_pad), NULL);
  }
  if (!check && !send && !recv && strstr (name, "bytes") == NULL)
    return;
  pad = gst_element_get_static_pad (element, recv ? "src" : "sink");
  if (send)
    gst_pad_add_probe (pad, DRIVING_DATA | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
        on_sending, NULL, NULL);
  else if (recv)
    gst_pad_add_probe (pad, DRIVING_DATA, on_receiving, NULL, NULL);
  else {
    if (arg_hold)
      driving_add_hold (pad);
    driving_add_digest (pad, name, check);
  }
}

/* Waits for the end, and lets go on the way there. */
static gboolean
wait_for_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstElement) receiver =
      gst_bin_get_by_name (GST_BIN (pipeline), "recv");
  gint64 start = g_get_monotonic_time (), cpu = driving_cpu_time ();
  gboolean holds = arg_hold;
  guint quiet = 0;

  if (!holds)
    release ();
  while (g_get_monotonic_time () - start < (gint64) (RUN_MAX / GST_USECOND)) {
    GstMessage *message = gst_bus_timed_pop_filtered (
        bus, TICK_US * GST_USECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    gint64 before = cpu;

    /* An appsink may say so before anything is taken from it. */
    if (message != NULL) {
      if (holds)
        release ();
      return driving_ended_well (message);
    }
    if (receiver != NULL)
      end_network (receiver);
    cpu = driving_cpu_time ();
    quiet = cpu - before < QUIET_CPU_US ? quiet + 1 : 0;
    if (holds
        && (quiet >= QUIET_TICKS
            || g_get_monotonic_time () - start > HOLD_MAX_US)) {
      release ();
      holds = FALSE;
    }
  }
  return driving_ended_well (NULL);
}

static gboolean
run (GstElement *pipeline)
{
  GThread *feeding, *pulling;
  gboolean well;

  driving_watch_elements (pipeline, watch_element);
  pulling = driving_start_thread (pipeline, "pull", pull);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  feeding = driving_start_thread (pipeline, "feed", push_wrapped);
  well = wait_for_end (pipeline);
  if (well && pulling != NULL)
    g_thread_join (g_steal_pointer (&pulling));
  gst_element_set_state (pipeline, GST_STATE_NULL);
  if (pulling != NULL)
    g_thread_join (pulling);
  if (feeding != NULL)
    g_thread_join (feeding);
  return well;
}

static void
print_passages (void)
{
  guint i;

  for (i = 0; i < passages->len; i++) {
    Passage *passage = g_ptr_array_index (passages, i);

    if (passage->name != NULL)
      g_print ("queue %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
               " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
          passage->name, passage->bytes, passage->foreign, passage->held_bytes,
          passage->held_foreign);
  }
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"hold", 0, 0, G_OPTION_ARG_NONE, &arg_hold, "fill the queues first",
          NULL},
      {"feed", 0, 0, G_OPTION_ARG_FILENAME, &arg_feed,
          "what to push into the appsrc", "FILE"},
      {"chunk", 0, 0, G_OPTION_ARG_INT, &arg_chunk, "in buffers of this size",
          "BYTES"},
      {NULL},
  };
  g_autoptr (GOptionContext) options = g_option_context_new ("DESCRIPTION");
  GError *error = NULL;
  GstElement *pipeline;
  gboolean well;

  g_option_context_add_main_entries (options, entries, NULL);
  g_option_context_add_group (options, gst_init_get_option_group ());
  if (!g_option_context_parse (options, &argc, &argv, &error) || argc != 2) {
    g_printerr ("%s\n", error != NULL ? error->message : "one DESCRIPTION");
    return EXIT_FAILURE;
  }
  ours = gst_allocator_find (NULL);
  passages = g_ptr_array_new ();
  pipeline = driving_parse (argv[1]);
  well = run (pipeline);
  gst_object_unref (pipeline);
  if (well) {
    driving_print_digests ();
    print_passages ();
  }
  return well ? EXIT_SUCCESS : EXIT_FAILURE;
}
