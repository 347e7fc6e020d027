/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * records.c: see records.h. The fields come from the tables of figures; a new
 * row there is a new field here.
 */
#include "records.h"

#include <gst/gsttracerrecord.h>
#include <string.h>
#include <unistd.h>

static struct
{
  GstTracerRecord *all;
  GstTracerRecord *queue;
  GstTracerRecord *waits;
  GstTracerRecord *element;
  GstTracerRecord *thread;
  /* To get what has come since the last record. */
  guint64 waits_before[FM_HISTOGRAM_BUCKETS];
} records;

/* ---- declarations ---- */

static GstStructure *
figure (const gchar *description, FmFigureKind kind)
{
  return gst_structure_new ("value", "type", G_TYPE_GTYPE, G_TYPE_UINT64,
      "description", G_TYPE_STRING, description, "flags",
      GST_TYPE_TRACER_VALUE_FLAGS,
      kind == FM_KIND_COUNTER ? GST_TRACER_VALUE_FLAGS_AGGREGATED
                              : GST_TRACER_VALUE_FLAGS_NONE,
      "min", G_TYPE_UINT64, G_GUINT64_CONSTANT (0), "max", G_TYPE_UINT64,
      G_MAXUINT64, NULL);
}

static GstStructure *
words (const gchar *description)
{
  return gst_structure_new ("value", "type", G_TYPE_GTYPE, G_TYPE_STRING,
      "description", G_TYPE_STRING, description, NULL);
}

static GstStructure *
scope (const gchar *description, GType type, GstTracerValueScope related_to)
{
  return gst_structure_new ("scope", "type", G_TYPE_GTYPE, type, "description",
      G_TYPE_STRING, description, "related-to", GST_TYPE_TRACER_VALUE_SCOPE,
      related_to, NULL);
}

#define TS                  \
  "ts", GST_TYPE_STRUCTURE, \
      figure ("ns since filemem was loaded", FM_KIND_COUNTER)
#define ID \
  "id", GST_TYPE_STRUCTURE, figure ("of several with one name", FM_KIND_GAUGE)
#define PROCESS_ID                  \
  "process-id", GST_TYPE_STRUCTURE, \
      scope ("the process", G_TYPE_UINT64, GST_TRACER_VALUE_SCOPE_PROCESS)
#define FIGURE(symbol, name, kind, unit, group, label, description) \
  name, GST_TYPE_STRUCTURE, figure (description, FM_KIND_##kind),

/* clang-format off */
static GstTracerRecord *
declare_all (void)
{
  return gst_tracer_record_new ("filemem.class",
      PROCESS_ID,
      TS,
      FM_ALL_FIGURES (FIGURE)
      FM_INTERVAL_FIGURES (FIGURE)
      "fault-source", GST_TYPE_STRUCTURE,
      words ("how page faults of blocks are known: none, rusage or perf"),
      NULL);
}

static GstTracerRecord *
declare_queue (void)
{
  return gst_tracer_record_new ("filemem-queue.class",
      "queue", GST_TYPE_STRUCTURE,
      scope ("path of the pad at which buffers enter", G_TYPE_STRING, GST_TRACER_VALUE_SCOPE_PAD),
      TS,
      ID,
      FM_QUEUE_FIGURES (FIGURE)
      NULL);
}

static GstTracerRecord *
declare_waits (void)
{
  return gst_tracer_record_new ("filemem-waits.class",
      PROCESS_ID,
      "kind", GST_TYPE_STRUCTURE,
      words ("what waited: map, for a spilled block; alloc, for room"),
      TS,
      "upto-ns", GST_TYPE_STRUCTURE,
      figure ("longest wait that counts here; a quarter more than the one before", FM_KIND_GAUGE),
      "count", GST_TYPE_STRUCTURE,
      figure ("waits of that length", FM_KIND_COUNTER),
      NULL);
}

static GstTracerRecord *
declare_element (void)
{
  return gst_tracer_record_new ("filemem-element.class",
      "element", GST_TYPE_STRUCTURE,
      scope ("path of the element whose code ran", G_TYPE_STRING, GST_TRACER_VALUE_SCOPE_ELEMENT),
      TS,
      ID,
      FM_TALLY_FIGURES (FIGURE)
      FM_MAPPED_FIGURES (FIGURE)
      NULL);
}

static GstTracerRecord *
declare_thread (void)
{
  return gst_tracer_record_new ("filemem-thread.class",
      "thread", GST_TYPE_STRUCTURE,
      scope ("name of the thread", G_TYPE_STRING, GST_TRACER_VALUE_SCOPE_THREAD),
      "tid", GST_TYPE_STRUCTURE,
      figure ("number of the thread", FM_KIND_GAUGE),
      "element", GST_TYPE_STRUCTURE,
      scope ("path of the element whose loop runs in it, such as a queue", G_TYPE_STRING, GST_TRACER_VALUE_SCOPE_ELEMENT),
      TS,
      ID,
      FM_TALLY_FIGURES (FIGURE)
      NULL);
}
/* clang-format on */

static GstTracerRecord *
keep (GstTracerRecord *record)
{
  GST_OBJECT_FLAG_SET (record, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  return record;
}

void
fm_records_start (void)
{
  records.all = keep (declare_all ());
  records.queue = keep (declare_queue ());
  records.waits = keep (declare_waits ());
  records.element = keep (declare_element ());
  records.thread = keep (declare_thread ());
}

/* ---- logging ---- */

/* In the form in which a structure needs a string. Records are logged without
 * quoting, and names of elements and threads may contain anything. */
static gchar *
quoted (const gchar *text)
{
  GValue value = G_VALUE_INIT;
  gchar *serialized;

  g_value_init (&value, G_TYPE_STRING);
  g_value_set_static_string (&value, text);
  serialized = gst_value_serialize (&value);
  g_value_unset (&value);
  return serialized != NULL ? serialized : g_strdup ("\"\"");
}

static guint64
longest (const guint64 count[FM_HISTOGRAM_BUCKETS])
{
  guint i;

  for (i = FM_HISTOGRAM_BUCKETS; i > 0; i--) {
    if (count[i - 1] > 0)
      return fm_histogram_limit (i - 1);
  }
  return 0;
}

static void
log_all (const FmSnapshot *snapshot)
{
  const guint64 *now = snapshot->waits[FM_WAIT_MAP];
  guint64 since[FM_HISTOGRAM_BUCKETS];
  guint i;

  for (i = 0; i < FM_HISTOGRAM_BUCKETS; i++)
    since[i] = now[i] - records.waits_before[i];
  memcpy (records.waits_before, now, sizeof records.waits_before);

  /* clang-format off */
  gst_tracer_record_log (records.all, (guint64) getpid (), snapshot->uptime
#define X(symbol, ...) , snapshot->stats[FM_STAT_##symbol]
      FM_ALL_FIGURES (X)
#undef X
      , fm_histogram_percentile (since, 500)
      , fm_histogram_percentile (since, 990)
      , fm_histogram_percentile (since, 999)
      , longest (since)
      , fm_fault_source_name (snapshot->fault_source));
  /* clang-format on */
}

static void
log_queue (const FmQueueRecord *queue, guint64 ts)
{
  g_autofree gchar *name = quoted (queue->name);

  /* clang-format off */
  gst_tracer_record_log (records.queue, name, ts, queue->id
#define X(symbol, ...) , queue->figure[FM_QUEUE_##symbol]
      FM_QUEUE_FIGURES (X)
#undef X
      );
  /* clang-format on */
}

static void
log_waits (const FmSnapshot *snapshot, FmWait wait, const gchar *kind)
{
  guint i;

  for (i = 0; i < FM_HISTOGRAM_BUCKETS; i++) {
    if (snapshot->waits[wait][i] > 0)
      gst_tracer_record_log (records.waits, (guint64) getpid (), kind,
          snapshot->uptime, fm_histogram_limit (i), snapshot->waits[wait][i]);
  }
}

#define X(symbol, ...) , fm_tally_get (tally, FM_TALLY_##symbol)

static void
log_element (FmTally *tally, guint64 ts)
{
  g_autofree gchar *element = quoted (tally->element);
  guint64 mapped[FM_N_MAPPED_FIGURES];

  fm_tally_get_mapped (tally, mapped);
#define M(symbol, ...) , mapped[FM_##symbol]
  gst_tracer_record_log (records.element, element, ts,
      tally->item.id FM_TALLY_FIGURES (X) FM_MAPPED_FIGURES (M));
#undef M
}

static void
log_thread (FmTally *tally, guint64 ts)
{
  g_autofree gchar *thread = quoted (tally->thread);
  g_autofree gchar *element = quoted (tally->element);

  gst_tracer_record_log (records.thread, thread, tally->tid, element, ts,
      tally->item.id FM_TALLY_FIGURES (X));
}

#undef X

void
fm_records_log (const FmSnapshot *snapshot)
{
  guint i;

  log_all (snapshot);
#define X(symbol, name, ...) log_waits (snapshot, FM_WAIT_##symbol, name);
  FM_WAITS (X)
#undef X
  for (i = 0; i < snapshot->queues->len; i++)
    log_queue (g_ptr_array_index (snapshot->queues, i), snapshot->uptime);
  for (i = 0; i < snapshot->elements->len; i++)
    log_element (g_ptr_array_index (snapshot->elements, i), snapshot->uptime);
  for (i = 0; i < snapshot->threads->len; i++)
    log_thread (g_ptr_array_index (snapshot->threads, i), snapshot->uptime);
}
