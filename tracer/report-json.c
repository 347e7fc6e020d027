/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report-json.c: the report for programs: what the records say, under the same
 * names, in one object.
 */
#include "report.h"

#include "about.h"
#include "advice.h"
#include "json.h"
#include "report-version.h"

#include <unistd.h>

static void
add_stats (FmJson *json, const FmSnapshot *snapshot)
{
  guint i;

  fm_json_begin (json, "stats", '{');
  for (i = 0; i < FM_N_ALL_FIGURES; i++)
    fm_json_number (json, fm_figure_spec (i)->name, snapshot->stats[i]);
  fm_json_string (
      json, "fault-source", fm_fault_source_name (snapshot->fault_source));
  fm_json_end (json, '}');
}

static void
add_waits (
    FmJson *json, const gchar *name, const guint64 count[FM_HISTOGRAM_BUCKETS])
{
  guint i;

  fm_json_begin (json, name, '[');
  for (i = 0; i < FM_HISTOGRAM_BUCKETS; i++) {
    if (count[i] == 0)
      continue;
    fm_json_begin (json, NULL, '[');
    fm_json_number (json, NULL, fm_histogram_limit (i));
    fm_json_number (json, NULL, count[i]);
    fm_json_end (json, ']');
  }
  fm_json_end (json, ']');
}

static void
add_queue (FmJson *json, const FmQueueRecord *queue)
{
  guint i;

  fm_json_begin (json, NULL, '{');
  fm_json_string (json, "queue", queue->name);
  fm_json_number (json, "id", queue->id);
  fm_json_number (json, "gone", queue->is_gone);
  for (i = 0; i < FM_N_QUEUE_FIGURES; i++)
    fm_json_number (json, fm_queue_figure_spec (i)->name, queue->figure[i]);
  fm_json_end (json, '}');
}

static void
add_mapped (FmJson *json, FmTally *element)
{
  guint64 mapped[FM_N_MAPPED_FIGURES];

  fm_tally_get_mapped (element, mapped);
#define X(symbol, name, ...) fm_json_number (json, name, mapped[FM_##symbol]);
  FM_MAPPED_FIGURES (X)
#undef X
}

static void
add_tally (FmJson *json, FmTally *tally)
{
  fm_json_begin (json, NULL, '{');
  if (tally->thread != NULL) {
    fm_json_string (json, "thread", tally->thread);
    fm_json_number (json, "tid", tally->tid);
  }
  fm_json_string (json, "element", tally->element);
  fm_json_number (json, "id", tally->item.id);
#define X(symbol, name, ...) \
  fm_json_number (json, name, fm_tally_get (tally, FM_TALLY_##symbol));
  FM_TALLY_FIGURES (X)
#undef X
  if (tally->thread == NULL)
    add_mapped (json, tally);
  fm_json_end (json, '}');
}

/* The same items in the same order, but with those that are gone after the
 * others. Each is asked only once: it may go meanwhile, and must not appear
 * twice. */
static GPtrArray *
living_first (GPtrArray *items, gboolean (*is_gone) (gconstpointer item),
    guint *ret_living)
{
  GPtrArray *sorted = g_ptr_array_sized_new (items->len);
  g_autoptr (GPtrArray) gone = g_ptr_array_new ();
  guint i;

  for (i = 0; i < items->len; i++) {
    gpointer item = g_ptr_array_index (items, i);

    g_ptr_array_add (is_gone (item) ? gone : sorted, item);
  }
  *ret_living = sorted->len;
  g_ptr_array_extend (sorted, gone, NULL, NULL);
  return sorted;
}

static gboolean
tally_is_gone (gconstpointer tally)
{
  return atomic_load (&((FmTally *) tally)->item.is_gone);
}

static gboolean
queue_is_gone (gconstpointer queue)
{
  return ((const FmQueueRecord *) queue)->is_gone;
}

static void
add_tallies (FmJson *json, const gchar *name, GPtrArray *tallies, guint most)
{
  g_autoptr (GPtrArray) by_figures = fm_report_sorted_tallies (tallies);
  guint living, i;
  g_autoptr (GPtrArray) sorted =
      living_first (by_figures, tally_is_gone, &living);

  fm_json_begin (json, name, '[');
  for (i = 0; i < MIN (sorted->len, most); i++)
    add_tally (json, g_ptr_array_index (sorted, i));
  fm_json_end (json, ']');
}

static void
add_queues (FmJson *json, GPtrArray *queues, guint most)
{
  g_autoptr (GPtrArray) by_figures = fm_report_sorted_queues (queues);
  guint living, i;
  g_autoptr (GPtrArray) sorted =
      living_first (by_figures, queue_is_gone, &living);

  fm_json_begin (json, "queues", '[');
  for (i = 0; i < MIN (sorted->len, most); i++)
    add_queue (json, g_ptr_array_index (sorted, i));
  fm_json_end (json, ']');
  fm_json_number (json, "queues-left-out", living - MIN (living, i));
}

gchar *
fm_report_json (const FmSnapshot *snapshot, guint most)
{
  g_autoptr (GPtrArray) advice = fm_advice (snapshot);
  g_autofree gchar *path = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree gchar *program =
      path != NULL ? g_path_get_basename (path) : g_strdup ("");
  FmJson json;
  guint i;

  fm_json_init (&json);
  fm_json_begin (&json, NULL, '{');
  fm_json_number (&json, "version", FM_REPORT_VERSION);
  fm_json_number (&json, "pid", (guint64) getpid ());
  fm_json_string (&json, "program", program);
  fm_json_number (&json, "uptime-ns", snapshot->uptime);
  fm_json_string (
      &json, "active", snapshot->active != NULL ? snapshot->active : "");
  if (snapshot->tells_about)
    fm_about_add (&json);
  add_stats (&json, snapshot);
  fm_json_begin (&json, "waits", '{');
#define X(symbol, name, ...) \
  add_waits (&json, name, snapshot->waits[FM_WAIT_##symbol]);
  FM_WAITS (X)
#undef X
  fm_json_end (&json, '}');
  add_queues (&json, snapshot->queues, most);
  add_tallies (&json, "elements", snapshot->elements, most);
  add_tallies (&json, "threads", snapshot->threads, most);
  fm_json_begin (&json, "advice", '[');
  for (i = 0; i < MIN (advice->len, most); i++)
    fm_json_string (&json, NULL, g_ptr_array_index (advice, i));
  fm_json_end (&json, ']');
  fm_json_end (&json, '}');
  return fm_json_steal (&json);
}
