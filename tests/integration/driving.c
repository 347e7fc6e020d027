/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * driving.c: see driving.h.
 *
 * Locking: one mutex for the hold and for the list of digests, not for what is
 * in them.
 */
#include "driving.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct DrivingDigest
{
  gchar *name;
  gboolean times;
  GChecksum *sum;
  guint64 buffers, bytes;
};

static GMutex lock;
static GPtrArray *digests;
static GCond released_cond;
static gboolean released;
static guint held;

/* ---- digests ---- */

static void
free_digest (gpointer data)
{
  DrivingDigest *digest = data;

  g_checksum_free (digest->sum);
  g_free (digest->name);
  g_free (digest);
}

DrivingDigest *
driving_digest_new (const gchar *name, gboolean times)
{
  DrivingDigest *digest = g_new0 (DrivingDigest, 1);

  digest->name = g_strdup (name);
  digest->times = times;
  digest->sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_mutex_lock (&lock);
  if (digests == NULL)
    digests = g_ptr_array_new_with_free_func (free_digest);
  g_ptr_array_add (digests, digest);
  g_mutex_unlock (&lock);
  return digest;
}

static void
digest_number (DrivingDigest *digest, guint64 number)
{
  number = GUINT64_TO_LE (number);
  g_checksum_update (digest->sum, (const guchar *) &number, sizeof number);
}

gboolean
driving_digest_buffer (GstBuffer **buffer, guint index, gpointer data)
{
  DrivingDigest *digest = data;
  GstMapInfo map;

  if (!gst_buffer_map (*buffer, &map, GST_MAP_READ))
    g_error ("%s: buffer %" G_GUINT64_FORMAT " can't be mapped", digest->name,
        digest->buffers);
  if (map.size > 0)
    g_checksum_update (digest->sum, map.data, map.size);
  digest->buffers++;
  digest->bytes += map.size;
  gst_buffer_unmap (*buffer, &map);

  if (digest->times) {
    digest_number (digest, GST_BUFFER_PTS (*buffer));
    digest_number (digest, GST_BUFFER_DTS (*buffer));
    digest_number (digest, GST_BUFFER_DURATION (*buffer));
    /* TAG_MEMORY tells a pool whether its memory was exchanged: a matter of
     * who was faster, no part of what is in the buffer. */
    digest_number (digest,
        GST_BUFFER_FLAGS (*buffer) & ~(guint) GST_BUFFER_FLAG_TAG_MEMORY);
  }
  return TRUE;
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (
      (*(DrivingDigest *const *) a)->name, (*(DrivingDigest *const *) b)->name);
}

void
driving_print_digests (void)
{
  guint i;

  if (digests == NULL)
    return;
  g_ptr_array_sort (digests, compare_names);
  for (i = 0; i < digests->len; i++) {
    const DrivingDigest *digest = g_ptr_array_index (digests, i);

    g_print ("digest %s %s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
        digest->name, g_checksum_get_string (digest->sum), digest->buffers,
        digest->bytes);
  }
  g_clear_pointer (&digests, g_ptr_array_unref);
}

void
driving_for_each_buffer (
    GstPadProbeInfo *info, GstBufferListFunc func, gpointer data)
{
  GstBuffer *buffer;

  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0) {
    gst_buffer_list_foreach (GST_PAD_PROBE_INFO_BUFFER_LIST (info), func, data);
    return;
  }
  buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  func (&buffer, 0, data);
}

static GstPadProbeReturn
take_digest (GstPad *pad, GstPadProbeInfo *info, gpointer digest)
{
  driving_for_each_buffer (info, driving_digest_buffer, digest);
  return GST_PAD_PROBE_OK;
}

void
driving_add_digest (GstPad *pad, const gchar *name, gboolean times)
{
  gst_pad_add_probe (
      pad, DRIVING_DATA, take_digest, driving_digest_new (name, times), NULL);
}

/* ---- the hold ---- */

void
driving_wait_for_release (void)
{
  g_mutex_lock (&lock);
  held++;
  while (!released)
    g_cond_wait (&released_cond, &lock);
  g_mutex_unlock (&lock);
}

void
driving_release (void)
{
  g_mutex_lock (&lock);
  released = TRUE;
  g_cond_broadcast (&released_cond);
  g_mutex_unlock (&lock);
}

guint
driving_n_held (void)
{
  guint n;

  g_mutex_lock (&lock);
  n = held;
  g_mutex_unlock (&lock);
  return n;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  driving_wait_for_release ();
  return GST_PAD_PROBE_REMOVE;
}

void
driving_add_hold (GstPad *pad)
{
  gst_pad_add_probe (pad, DRIVING_DATA, hold, NULL, NULL);
}

/* ---- the pipeline ---- */

static gboolean
has_all (gchar **names)
{
  gboolean all = TRUE;

  for (; *names != NULL; names++) {
    g_autoptr (GstElementFactory) factory = gst_element_factory_find (*names);

    if (factory == NULL) {
      g_printerr ("no element %s\n", *names);
      all = FALSE;
    }
  }
  return all;
}

gboolean
driving_has_elements (const gchar *names)
{
  g_auto (GStrv) list = g_strsplit (names, ":", -1);

  return has_all (list);
}

GstElement *
driving_parse (const gchar *description)
{
  g_autoptr (GstParseContext) context = gst_parse_context_new ();
  g_auto (GStrv) missing = NULL;
  g_autoptr (GError) error = NULL;
  GstElement *parsed = gst_parse_launch_full (
      description, context, GST_PARSE_FLAG_FATAL_ERRORS, &error);
  GstElement *whole;

  if (parsed == NULL) {
    /* An element without the property that it is given is "missing" as well,
     * and must not pass for one that is not installed. */
    missing = gst_parse_context_get_missing_elements (context);
    if (missing != NULL && !has_all (missing))
      exit (DRIVING_SKIP);
    g_printerr ("%s\n", error->message);
    exit (EXIT_FAILURE);
  }
  /* An element that stands alone comes as it is. */
  if (GST_IS_PIPELINE (parsed))
    return parsed;
  whole = gst_pipeline_new (NULL);
  gst_bin_add (GST_BIN (whole), parsed);
  return whole;
}

static void
watch_value (const GValue *value, gpointer func)
{
  ((DrivingFunc) func) (g_value_get_object (value));
}

static void
watch_added (GstBin *bin, GstBin *sub_bin, GstElement *element, gpointer func)
{
  ((DrivingFunc) func) (element);
}

void
driving_watch_elements (GstElement *pipeline, DrivingFunc func)
{
  GstIterator *elements = gst_bin_iterate_recurse (GST_BIN (pipeline));

  gst_iterator_foreach (elements, watch_value, func);
  gst_iterator_free (elements);
  g_signal_connect (
      pipeline, "deep-element-added", G_CALLBACK (watch_added), func);
}

GThread *
driving_start_thread (GstElement *pipeline, const gchar *name, GThreadFunc func)
{
  GstElement *element = gst_bin_get_by_name (GST_BIN (pipeline), name);

  return element != NULL ? g_thread_new (name, func, element) : NULL;
}

gint64
driving_cpu_time (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC
      + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

gboolean
driving_ended_well (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *debug = NULL;
  gboolean well;

  if (message == NULL) {
    g_printerr ("the pipeline has not ended in time\n");
    return FALSE;
  }
  well = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  if (!well) {
    gst_message_parse_error (message, &error, &debug);
    g_printerr ("error from %s: %s (%s)\n", GST_MESSAGE_SRC_NAME (message),
        error->message, debug != NULL ? debug : "");
  }
  gst_message_unref (message);
  return well;
}
