/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report.c: see report.h. Ends with advice where the figures give a reason.
 */
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* GstBuffer and GstMemory, whatever holds the data. */
#define BYTES_OF_OBJECTS 512

/* Queues that the report names. */
#define QUEUES_MOST 10

/* Maps that wait less often than this, one in so many, are no reason to speak.
 */
#define WAITS_WORTH_A_WORD 100

static guint64
get (const GstStructure *stats, const gchar *name)
{
  guint64 value = 0;

  gst_structure_get_uint64 (stats, name, &value);
  return value;
}

static gchar *
bytes (const GstStructure *stats, const gchar *name)
{
  return g_format_size_full (get (stats, name), G_FORMAT_SIZE_IEC_UNITS);
}

static gdouble
ms (const GstStructure *stats, const gchar *name)
{
  return (gdouble) get (stats, name) / 1e6;
}

/* One line of figures; @names are those of the bytes in it, in their order. */
static void
add_bytes_line (GString *text, const GstStructure *stats, const gchar *label,
    const gchar *format, const gchar *a, const gchar *b)
{
  g_autofree gchar *first = bytes (stats, a), *second = bytes (stats, b);

  g_string_append_printf (text, "  %-12s", label);
  g_string_append_printf (text, "%s %s, most %s\n", format, first, second);
}

static void
add_fallbacks (GString *text, const GstStructure *stats)
{
  static const struct
  {
    const gchar *name;
    const gchar *reason;
  } reasons[] = {
      {"fallbacks-small", "smaller than min-size"},
      {"fallbacks-full", "size reached"},
      {"fallbacks-too-large", "one block larger than size"},
      {"fallbacks-addresses", "no addresses left"},
      {"fallbacks-dir", "no usable directory or size"},
      {"fallbacks-memory", "the kernel gave no memory"},
  };
  g_autofree gchar *fallback_bytes = bytes (stats, "fallback-bytes");
  const gchar *separator = "";
  guint i;

  g_string_append_printf (text,
      "  %-12s%" G_GUINT64_FORMAT " allocations, %s became system memory",
      "fallbacks", get (stats, "fallbacks"), fallback_bytes);
  for (i = 0; i < G_N_ELEMENTS (reasons); i++) {
    guint64 n = get (stats, reasons[i].name);

    if (n > 0) {
      g_string_append_printf (text, "%s%" G_GUINT64_FORMAT " %s",
          separator[0] == '\0' ? ": " : separator, n, reasons[i].reason);
      separator = ", ";
    }
  }
  g_string_append_c (text, '\n');
}

static guint64
file_backed (const FmQueueRecord *queue)
{
  return queue->figure[FM_QUEUE_BYTES] - queue->figure[FM_QUEUE_FOREIGN_BYTES]
      + queue->figure[FM_QUEUE_COPIED_BYTES]
      + queue->figure[FM_QUEUE_SHARED_BYTES];
}

static gint
compare_bytes (gconstpointer a, gconstpointer b)
{
  guint64 x = (*(FmQueueRecord *const *) a)->figure[FM_QUEUE_BYTES];
  guint64 y = (*(FmQueueRecord *const *) b)->figure[FM_QUEUE_BYTES];

  return x < y ? 1 : x > y ? -1 : 0;
}

static void
add_queue (GString *text, const FmQueueRecord *queue)
{
  static const gchar *const reasons[FM_N_LEFT_ALONE] = {
#define X(symbol, name, words) [FM_LEFT_##symbol] = words,
      FM_LEFT_ALONE (X)
#undef X
  };
  g_autofree gchar *all = g_format_size_full (
      queue->figure[FM_QUEUE_BYTES], G_FORMAT_SIZE_IEC_UNITS);
  guint i;

  g_string_append_printf (text, "  %-12s%s: %s, %.0f%% file-backed", "queue",
      queue->name, all,
      100.0 * (gdouble) file_backed (queue)
          / (gdouble) queue->figure[FM_QUEUE_BYTES]);
  if (queue->hoard_peak > 0) {
    g_autofree gchar *peak =
        g_format_size_full (queue->hoard_peak, G_FORMAT_SIZE_IEC_UNITS);

    g_string_append_printf (text, ", held %s at most, %.0f%% file-backed", peak,
        100.0
            - 100.0 * (gdouble) queue->hoard_foreign
                / (gdouble) queue->hoard_peak);
  }
  if (queue->figure[FM_QUEUE_COPIES] > 0) {
    g_autofree gchar *copied = g_format_size_full (
        queue->figure[FM_QUEUE_COPIED_BYTES], G_FORMAT_SIZE_IEC_UNITS);

    g_string_append_printf (text, ", %s of it copied", copied);
  }
  for (i = 0; i < FM_N_LEFT_ALONE; i++) {
    if (queue->left_alone[i] > 0)
      g_string_append_printf (text, "; %" G_GUINT64_FORMAT " left alone: %s",
          queue->left_alone[i], reasons[i]);
  }
  g_string_append_c (text, '\n');
}

/* The largest ones. */
static void
add_queues (GString *text, GPtrArray *queues)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_copy (queues, NULL, NULL);
  guint i, n = 0;

  /* The records are the original's. */
  g_ptr_array_set_free_func (sorted, NULL);
  g_ptr_array_sort (sorted, compare_bytes);
  for (i = 0; i < sorted->len; i++) {
    const FmQueueRecord *queue = g_ptr_array_index (sorted, i);

    if (queue->figure[FM_QUEUE_BYTES] == 0)
      break;
    if (n++ < QUEUES_MOST)
      add_queue (text, queue);
  }
  if (n > QUEUES_MOST)
    g_string_append_printf (
        text, "  %-12s%u smaller ones\n", "queues", n - QUEUES_MOST);
}

static void
add_advice (GString *text, const GstStructure *stats)
{
  guint64 maps = get (stats, "maps-read") + get (stats, "maps-write");
  guint64 allocs = get (stats, "allocs");

  if (get (stats, "disk-full") > 0)
    g_string_append (text,
        "  advice      the disk had no room at times: raise "
        "size, or choose another disk (dir)\n");
  if (get (stats, "fallbacks-full") > 0)
    g_string_append (text, "  advice      size was reached: raise it\n");
  if (get (stats, "over-budget") > 0)
    g_string_append (text,
        "  advice      the budget was exceeded at times: "
        "raise ram\n");
  if (get (stats, "alloc-waits") > 0
      && get (stats, "alloc-waits") > allocs / WAITS_WORTH_A_WORD)
    g_string_append (text,
        "  advice      the disk was the limit: producers had to wait for it. "
        "No harm, unless they are live\n");
  if (get (stats, "map-waits") > maps / WAITS_WORTH_A_WORD)
    g_string_append (text,
        "  advice      elements waited for buffers to come back from disk: "
        "raise ram, or use a faster disk\n");
  if (allocs > 0 && get (stats, "alloc-bytes") / allocs < 2 * BYTES_OF_OBJECTS)
    g_string_append (text,
        "  advice      buffers are small: GStreamer's own "
        "objects take about half a KiB of memory each, in "
        "which filemem can't help; use larger buffers\n");
}

gchar *
fm_report_text (const GstStructure *stats, GPtrArray *queues)
{
  GString *text = g_string_new (NULL);
  g_autofree gchar *size = bytes (stats, "size");
  g_autofree gchar *budget = bytes (stats, "budget");
  g_autofree gchar *allocated = bytes (stats, "alloc-bytes");
  g_autofree gchar *written = bytes (stats, "spill-bytes");
  g_autofree gchar *read = bytes (stats, "fill-bytes");
  g_autofree gchar *ahead = bytes (stats, "prefetch-bytes");
  g_autofree gchar *live = bytes (stats, "live-bytes");

  g_string_append_printf (
      text, "filemem report of process %d\n", (int) getpid ());
  if (get (stats, "allocs") == 0 && get (stats, "fallbacks") == 0) {
    g_string_append (text,
        "  nothing was allocated through GStreamer's default allocator\n");
    return g_string_free (text, FALSE);
  }
  g_string_append_printf (
      text, "  %-12ssize %s, budget (ram) %s\n", "limits", size, budget);
  g_string_append_printf (text,
      "  %-12s%" G_GUINT64_FORMAT " blocks, %s; live now %" G_GUINT64_FORMAT
      ", %s\n",
      "allocated", get (stats, "allocs"), allocated, get (stats, "live-blocks"),
      live);
  add_bytes_line (
      text, stats, "memory", "resident now", "resident-bytes", "resident-peak");
  add_bytes_line (text, stats, "disk", "in use now", "disk-bytes", "disk-peak");
  g_string_append_printf (text,
      "  %-12s%s written in %" G_GUINT64_FORMAT
      " spills, %s read in %" G_GUINT64_FORMAT
      " fills, %s of that ahead of time\n",
      "transfers", written, get (stats, "spills"), read, get (stats, "fills"),
      ahead);
  g_string_append_printf (text,
      "  %-12s%" G_GUINT64_FORMAT " for reading, %" G_GUINT64_FORMAT
      " for writing; %" G_GUINT64_FORMAT
      " waited: half up to %.1f ms, 99%% up to %.1f ms, longest %.1f ms\n",
      "maps", get (stats, "maps-read"), get (stats, "maps-write"),
      get (stats, "map-waits"), ms (stats, "map-wait-p50-ns"),
      ms (stats, "map-wait-p99-ns"), ms (stats, "map-wait-max-ns"));
  g_string_append_printf (text,
      "  %-12s%" G_GUINT64_FORMAT
      " allocations waited for room, longest %.1f ms\n",
      "producers", get (stats, "alloc-waits"), ms (stats, "alloc-wait-max-ns"));
  add_fallbacks (text, stats);
  add_queues (text, queues);
  g_string_append_printf (text,
      "  %-12s%" G_GUINT64_FORMAT " minor, %" G_GUINT64_FORMAT
      " major page faults of the process\n",
      "faults", get (stats, "minor-faults"), get (stats, "major-faults"));
  add_advice (text, stats);
  return g_string_free (text, FALSE);
}

void
fm_report_write (const GstStructure *stats, GPtrArray *queues, const gchar *to)
{
  g_autofree gchar *text = NULL, *pid = NULL, *path = NULL;
  g_auto (GStrv) parts = NULL;
  gboolean failed;
  FILE *file;

  if (g_str_equal (to, "none"))
    return;
  text = fm_report_text (stats, queues);
  if (g_str_equal (to, "stderr")) {
    fputs (text, stderr);
    return;
  }
  parts = g_strsplit (to, "%p", -1);
  pid = g_strdup_printf ("%d", (int) getpid ());
  path = g_strjoinv (pid, parts);
  /* Not g_file_set_contents(): it would put a file in the place of a device, a
   * pipe or a link. */
  file = fopen (path, "we");
  failed = file == NULL || fputs (text, file) < 0;
  if ((file != NULL && fclose (file) != 0) || failed)
    fprintf (stderr, "filemem: the report can't be written to %s: %s\n", path,
        g_strerror (errno));
}
