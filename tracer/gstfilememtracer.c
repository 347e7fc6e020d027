/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememtracer.c: the tracer that makes a GstFileMemAllocator the default
 * allocator, and logs what it does.
 *
 * A process may construct several of these (gst-inspect-1.0 does); they share
 * the one allocator and the one log. The tracer object itself goes at once, for
 * it registers no hook: any hook would make every pad push of the program look
 * for hooks (queues.c does without). The last record and the report are written
 * once: when the registry goes, which is in gst_deinit() while there is still a
 * log, or else at exit, because many programs never call gst_deinit().
 *
 * Locking: `lock` guards `stopping` and the thread that writes the records.
 * That thread exists only where stats-interval asks for it.
 */

/**
 * SECTION:tracer-filemem
 * @short_description: keep large buffer queues on disk instead of in memory
 *
 * Replaces GStreamer's default allocator by one whose memory lives in a
 * temporary file, so that a queue may grow as large as the disk while the
 * memory stays within a budget.
 *
 * |[
 * GST_TRACERS='filemem(dir=/var/tmp,size=8G,ram=128M,report=stderr)' \
 *     gst-launch-1.0 videotestsrc num-buffers=1000 ! queue ! fakesink
 * ]|
 *
 * Statistics in the log of the tracers, each second:
 *
 * |[
 * GST_TRACERS='filemem(stats-interval=1)' GST_DEBUG=GST_TRACER:7 \
 *     gst-launch-1.0 videotestsrc num-buffers=1000 ! queue ! fakesink
 * ]|
 */
#include "gstfilememtracer.h"

#include "options.h"
#include "queues.h"
#include "report.h"
#include "statistics.h"

#include <gst/gsttracerrecord.h>
#include <stdlib.h>

struct _GstFileMemTracer
{
  GstTracer parent;
};

G_DEFINE_TYPE (GstFileMemTracer, gst_file_mem_tracer, GST_TYPE_TRACER);

/* What the tracers of this process share. */
static struct
{
  GstFileMemAllocator *allocator; /* NULL where the exe option says so */
  GstTracerRecord *record;
  GstTracerRecord *queue_record;
  GThread *thread;
  GMutex lock;
  GCond wake;
  gboolean stopping;
  gboolean finished;
  gint64 start;
} shared;

static guint64
field (const GstStructure *stats, FmStatistic id)
{
  guint64 value = 0;

  gst_structure_get_uint64 (stats, fm_statistic_spec (id)->name, &value);
  return value;
}

static GstStructure *
field_description (const gchar *description, FmStatisticKind kind)
{
  return gst_structure_new ("value", "type", G_TYPE_GTYPE, G_TYPE_UINT64,
      "description", G_TYPE_STRING, description, "flags",
      GST_TYPE_TRACER_VALUE_FLAGS,
      kind == FM_STAT_KIND_GAUGE ? GST_TRACER_VALUE_FLAGS_NONE
                                 : GST_TRACER_VALUE_FLAGS_AGGREGATED,
      "min", G_TYPE_UINT64, G_GUINT64_CONSTANT (0), "max", G_TYPE_UINT64,
      G_MAXUINT64, NULL);
}

static GstStructure *
time_description (void)
{
  return gst_structure_new ("value", "type", G_TYPE_GTYPE, G_TYPE_UINT64,
      "description", G_TYPE_STRING, "event ts", "min", G_TYPE_UINT64,
      G_GUINT64_CONSTANT (0), "max", G_TYPE_UINT64, G_MAXUINT64, NULL);
}

static GstTracerRecord *
make_record (void)
{
  /* clang-format off */
  return gst_tracer_record_new ("filemem.class",
      "ts", GST_TYPE_STRUCTURE, time_description (),
#define X(symbol, name, kind, unit, description) \
      name, GST_TYPE_STRUCTURE, \
      field_description (description, FM_STAT_KIND_##kind),
      FM_STATISTICS (X)
#undef X
      NULL);
  /* clang-format on */
}

static GstTracerRecord *
make_queue_record (void)
{
  /* clang-format off */
  return gst_tracer_record_new ("filemem-queue.class",
      "queue", GST_TYPE_STRUCTURE, gst_structure_new ("scope",
          "type", G_TYPE_GTYPE, G_TYPE_STRING,
          "description", G_TYPE_STRING, "path of the pad at which buffers enter",
          "related-to", GST_TYPE_TRACER_VALUE_SCOPE, GST_TRACER_VALUE_SCOPE_PAD,
          NULL),
      "ts", GST_TYPE_STRUCTURE, time_description (),
#define X(symbol, name, kind, unit, description) \
      name, GST_TYPE_STRUCTURE, \
      field_description (description, FM_STAT_KIND_##kind),
      FM_QUEUE_FIGURES (X)
#undef X
#define X(symbol, name, words) \
      name, GST_TYPE_STRUCTURE, field_description ( \
          "buffers left alone: " words, FM_STAT_KIND_COUNTER),
      FM_LEFT_ALONE (X)
#undef X
      NULL);
  /* clang-format on */
}

static void
log_queue_record (const FmQueueRecord *queue, guint64 ts)
{
  /* clang-format off */
  gst_tracer_record_log (shared.queue_record, queue->name, ts
#define X(symbol, ...) , queue->figure[FM_QUEUE_##symbol]
      FM_QUEUE_FIGURES (X)
#undef X
#define X(symbol, ...) , queue->left_alone[FM_LEFT_##symbol]
      FM_LEFT_ALONE (X)
#undef X
      );
  /* clang-format on */
}

static void
log_record (const GstStructure *stats, GPtrArray *records)
{
  guint64 ts = GST_CLOCK_DIFF (shared.start, gst_util_get_timestamp ());
  guint i;

  /* clang-format off */
  gst_tracer_record_log (shared.record, ts
#define X(symbol, ...) , field (stats, FM_STAT_##symbol)
      FM_STATISTICS (X)
#undef X
      );
  /* clang-format on */
  for (i = 0; i < records->len; i++)
    log_queue_record (g_ptr_array_index (records, i), ts);
}

static gchar *
option (const gchar *name)
{
  gchar *text = NULL;

  g_object_get (shared.allocator, name, &text, NULL);
  return text;
}

static gpointer
write_records (gpointer seconds)
{
  gint64 interval = GPOINTER_TO_INT (seconds) * G_USEC_PER_SEC;
  gint64 next = g_get_monotonic_time () + interval;

  g_mutex_lock (&shared.lock);
  while (!shared.stopping) {
    g_autoptr (GstStructure) stats = NULL;
    g_autoptr (GPtrArray) records = NULL;

    if (g_cond_wait_until (&shared.wake, &shared.lock, next)
        || g_get_monotonic_time () < next)
      continue;
    next += interval;
    g_mutex_unlock (&shared.lock);
    stats = gst_file_mem_allocator_get_stats (shared.allocator);
    records = fm_queues_records ();
    log_record (stats, records);
    g_mutex_lock (&shared.lock);
  }
  g_mutex_unlock (&shared.lock);
  return NULL;
}

/* The last record and the report. */
static void
finish (void)
{
  g_autoptr (GstStructure) stats = NULL;
  g_autoptr (GPtrArray) records = NULL;
  g_autofree gchar *to = NULL;
  GThread *thread;

  g_mutex_lock (&shared.lock);
  if (shared.finished || shared.allocator == NULL) {
    g_mutex_unlock (&shared.lock);
    return;
  }
  shared.finished = TRUE;
  shared.stopping = TRUE;
  thread = g_steal_pointer (&shared.thread);
  g_cond_signal (&shared.wake);
  g_mutex_unlock (&shared.lock);

  if (thread != NULL)
    g_thread_join (thread);
  stats = gst_file_mem_allocator_get_stats (shared.allocator);
  records = fm_queues_records ();
  log_record (stats, records);
  to = option ("report");
  fm_report_write (stats, records, to);
}

static void
on_deinit (gpointer unused, GObject *registry)
{
  finish ();
}

static void
start_queues (GstAllocator *allocator)
{
  g_autofree gchar *names = option ("queues");
  g_autofree gchar *copy_above = option ("copy-above");
  FmOptions options;

  /* What the allocator took can be read. */
  fm_options_init (&options);
  (void) fm_options_set (&options, FM_OPTION_COPY_ABOVE, copy_above, NULL);
  fm_queues_start (
      allocator, names, fm_options_number (&options, FM_OPTION_COPY_ABOVE));
  fm_options_clear (&options);
}

static void
start (const gchar *params)
{
  g_autofree gchar *interval = NULL;
  GstAllocator *allocator = gst_file_mem_allocator_install (params);
  gint seconds;

  if (allocator == NULL || shared.allocator != NULL)
    return;
  shared.allocator = GST_FILE_MEM_ALLOCATOR (allocator);
  shared.start = (gint64) gst_util_get_timestamp ();
  shared.record = make_record ();
  GST_OBJECT_FLAG_SET (shared.record, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  shared.queue_record = make_queue_record ();
  GST_OBJECT_FLAG_SET (shared.queue_record, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  start_queues (allocator);
  g_object_weak_ref (G_OBJECT (gst_registry_get ()), on_deinit, NULL);
  atexit (finish);

  interval = option ("stats-interval");
  seconds = atoi (interval);
  if (seconds > 0)
    shared.thread = g_thread_new (
        "filemem-stats", write_records, GINT_TO_POINTER (seconds));
}

static void
gst_file_mem_tracer_constructed (GObject *object)
{
  g_autofree gchar *params = NULL;

  G_OBJECT_CLASS (gst_file_mem_tracer_parent_class)->constructed (object);
  g_object_get (object, "params", &params, NULL);
  start (params);
}

static void
gst_file_mem_tracer_class_init (GstFileMemTracerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = gst_file_mem_tracer_constructed;
}

static void
gst_file_mem_tracer_init (GstFileMemTracer *self)
{
}
