/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * campaign.c: each call of the seam fails in each way that it can, wherever it
 * is made, in workloads of all kinds.
 *
 *   campaign [--quick] [--workload NAME]... [--csv FILE]
 *   campaign --list
 *   campaign --workload NAME --call CALL --answer ANSWER --nth N [--for-good]
 *
 * Each workload runs without a fault first, which counts its calls. Then for
 * each call, each way to fail, once and for good, it runs again and again, and
 * the Nth call fails: the first ones one by one, then at growing distances,
 * until a run ends before its Nth. (They are the same, over and over, and the
 * threads make no two runs the same anyway.) trial.h says what is asked of a
 * run. The quick form takes one way to fail for each call, once or for good.
 *
 * The last form is how one of them is looked at; what failed is printed so.
 *
 * Exit code: 0 all survived, 1 not, 77 where this can't be tested.
 */
#include "testing.h"
#include "trial.h"

#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many calls fail one by one, and how much further the next one is. */
#define ONE_BY_ONE 3
#define FURTHER 3

#define SKIPPED 77

static struct
{
  gboolean quick, list, for_good;
  gchar **workloads;
  gchar *csv, *call, *answer;
  gint nth, seconds;
} options = {.seconds = 240};

static const GOptionEntry entries[] = {
    {"quick", 0, 0, G_OPTION_ARG_NONE, &options.quick,
        "One way to fail for each call", NULL},
    {"workload", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.workloads,
        "Only this one", "NAME"},
    {"csv", 0, 0, G_OPTION_ARG_FILENAME, &options.csv,
        "A line for each run goes there", "FILE"},
    {"list", 0, 0, G_OPTION_ARG_NONE, &options.list,
        "List workloads, calls and answers", NULL},
    {"call", 0, 0, G_OPTION_ARG_STRING, &options.call, "Only this call",
        "CALL"},
    {"answer", 0, 0, G_OPTION_ARG_STRING, &options.answer,
        "Only this way to fail", "ANSWER"},
    {"nth", 0, 0, G_OPTION_ARG_INT, &options.nth, "Only the Nth call", "N"},
    {"for-good", 0, 0, G_OPTION_ARG_NONE, &options.for_good,
        "With --nth: the following ones, too", NULL},
    {"seconds", 0, 0, G_OPTION_ARG_INT, &options.seconds,
        "What takes longer hangs", "N"},
    {NULL},
};

/* ---- figures ---- */

typedef struct
{
  guint n_calls; /* without a fault */
  guint runs, survived;
  guint64 injected, lost;
} Row;

static Row total;
static FILE *csv;

static void
add (Row *to, const Row *row)
{
  to->runs += row->runs;
  to->survived += row->survived;
  to->injected += row->injected;
  to->lost += row->lost;
}

static void
print_row (const gchar *workload, const gchar *call, const Row *row)
{
  printf ("%-13s %-20s %7u %6u %9u %6u %8" G_GUINT64_FORMAT
          " %6" G_GUINT64_FORMAT "\n",
      workload, call, row->n_calls, row->runs, row->survived,
      row->runs - row->survived, row->injected, row->lost);
  fflush (stdout);
}

/* ---- one workload ---- */

static void
tell_failure (
    const Workload *workload, const Fault *fault, const Result *result)
{
  printf ("FAILED: --workload %s --call '%s' --answer '%s' --nth %u%s\n  %s\n",
      workload->name, fault->call->name, fault->answer->name, fault->nth,
      fault->for_good ? " --for-good" : "", result->why_not);
}

/* FALSE if the run ended before the Nth call. */
static gboolean
try_fault (const Workload *workload, const Fault *fault, Row *row)
{
  Result result;
  gboolean has_failed_call;

  trial_run (workload, fault, (guint) options.seconds, &result);
  has_failed_call = result.injected > 0;
  if (has_failed_call || !result.survived) {
    const Row this_one = {0, 1, result.survived, result.injected, result.lost};

    add (row, &this_one);
    if (csv != NULL)
      fprintf (csv, "%s,\"%s\",\"%s\",%s,%u,%u,%u,%s\n", workload->name,
          fault->call->name, fault->answer->name,
          fault->for_good ? "for good" : "once", fault->nth, result.injected,
          result.lost, result.survived ? "survived" : "failed");
  }
  if (!result.survived)
    tell_failure (workload, fault, &result);
  trial_clear (&result);
  return has_failed_call;
}

static void
try_each (const Workload *workload, const Call *call, const Answer *answer,
    gboolean for_good, Row *row)
{
  Fault fault = {call, answer, 1, for_good};

  while (try_fault (workload, &fault, row))
    fault.nth =
        fault.nth < ONE_BY_ONE ? fault.nth + 1 : FURTHER * fault.nth + for_good;
}

static guint
count_answers (const Call *call)
{
  guint n = 0;

  while (n < ANSWERS_MAX && call->answers[n].name != NULL)
    n++;
  return n;
}

static void
try_call (const Workload *workload, const Call *call, Row *row)
{
  guint i, n = count_answers (call);

  for (i = 0; i < n; i++) {
    const Answer *answer = &call->answers[i];

    if (options.answer != NULL && !g_str_equal (answer->name, options.answer))
      continue;
    if (options.nth > 0) {
      const Fault fault = {call, answer, (guint) options.nth, options.for_good};

      (void) try_fault (workload, &fault, row);
      continue;
    }
    try_each (workload, call, answer, FALSE, row);
    /* A kernel that unmaps and refuses for ever leaves gaps in which staging of
     * another thread may come to lie, to the page: known, see docs/design.md.
     */
    if (!answer->unmaps)
      try_each (workload, call, answer, TRUE, row);
  }
}

/* Every other call, each in another way from one workload to the next. */
static void
try_call_quickly (
    const Workload *workload, guint number, const Call *call, Row *row)
{
  const guint turn = number + (guint) (call - calls);
  const Answer *answer = &call->answers[turn / 2 % count_answers (call)];
  const gboolean for_good = turn / 2 % 2 == 0 && !answer->unmaps;
  const Fault fault = {
      call, answer, for_good ? 1 : (row->n_calls + 1) / 2, for_good};

  if (turn % 2 == 1)
    (void) try_fault (workload, &fault, row);
}

static gboolean
is_worth (const Workload *workload, const Call *call)
{
  g_auto (GStrv) only =
      workload->only != NULL ? g_strsplit (workload->only, ":", -1) : NULL;

  return (options.call == NULL || g_str_equal (call->name, options.call))
      && (only == NULL
          || g_strv_contains ((const gchar *const *) only, call->name));
}

static void
try_workload (const Workload *workload, guint number)
{
  const Fault none = {NULL};
  Result plain;
  guint i;

  trial_run (workload, &none, (guint) options.seconds, &plain);
  if (!plain.survived) {
    printf (
        "FAILED: %s, without a fault\n  %s\n", workload->name, plain.why_not);
    total.runs++;
  }
  for (i = 0; calls[i].name != NULL && plain.survived; i++) {
    Row row = {.n_calls = plain.count[i]};

    if (row.n_calls == 0 || !is_worth (workload, &calls[i]))
      continue;
    if (options.quick)
      try_call_quickly (workload, number, &calls[i], &row);
    else
      try_call (workload, &calls[i], &row);
    print_row (workload->name, calls[i].name, &row);
    add (&total, &row);
  }
  trial_clear (&plain);
}

/* ---- all of them ---- */

static gboolean
is_wanted (const Workload *workload)
{
  return options.workloads == NULL
      || g_strv_contains (
          (const gchar *const *) options.workloads, workload->name);
}

/* In all children; none of its threads runs yet. */
static void
start_gstreamer (void)
{
  static const gchar *const plugins[] = {"coreelements", "app"};
  static gboolean started;
  guint i;

  if (started)
    return;
  started = TRUE;
  g_unsetenv ("GST_TRACERS");
  gst_init (NULL, NULL);
  /* Loaded once; their classes are made when filemem watches. */
  for (i = 0; i < G_N_ELEMENTS (plugins); i++)
    gst_object_unref (gst_plugin_load_by_name (plugins[i]));
}

static void
list (void)
{
  guint i, j;

  for (i = 0; calls[i].name != NULL; i++) {
    printf ("%s:", calls[i].name);
    for (j = 0; j < count_answers (&calls[i]); j++)
      printf ("%s %s", j > 0 ? ";" : "", calls[i].answers[j].name);
    printf ("\n");
  }
}

int
main (int argc, char **argv)
{
  static const Workload *const groups[] = {
      store_workloads, process_workloads, pipeline_workloads};
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  guint group, i, number = 0, tried = 0;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    fprintf (stderr, "campaign: %s\n", error->message);
    return 2;
  }
  if (options.list)
    list ();
  /* The thread sanitizer has no children that start threads; under valgrind
   * hundreds of runs take too long. */
  if (TESTING_THREAD_SANITIZER || g_getenv ("FILEMEM_UNDER_VALGRIND") != NULL) {
    printf ("skipped: not under this tool\n");
    return SKIPPED;
  }
  if (options.csv != NULL && (csv = fopen (options.csv, "w")) == NULL) {
    perror (options.csv);
    return 2;
  }
  if (csv != NULL)
    fprintf (csv, "workload,call,answer,how,nth,calls failed,lost,result\n");
  if (!options.list)
    printf ("%-13s %-20s %7s %6s %9s %6s %8s %6s\n", "workload", "call",
        "calls", "faults", "survived", "failed", "injected", "lost");
  for (group = 0; group < G_N_ELEMENTS (groups); group++) {
    for (i = 0; groups[group][i].name != NULL; i++, number++) {
      const Workload *workload = &groups[group][i];

      if (options.list)
        printf ("workload %s\n", workload->name);
      if (options.list || !is_wanted (workload))
        continue;
      if (workload->uses_gst)
        start_gstreamer ();
      tried++;
      try_workload (workload, number);
    }
  }
  if (options.list)
    return EXIT_SUCCESS;
  if (tried == 0) {
    fprintf (stderr, "campaign: there is no such workload (--list)\n");
    return 2;
  }
  print_row ("all", "", &total);
  if (csv != NULL && fclose (csv) != 0) {
    perror (options.csv);
    return 2;
  }
  return total.survived == total.runs ? EXIT_SUCCESS : EXIT_FAILURE;
}
