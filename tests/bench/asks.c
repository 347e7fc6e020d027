/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * asks.c: what g_getenv() costs in a program that has never heard of GStreamer.
 * Run it with and without the shim in LD_PRELOAD.
 *
 *   asks [--calls=N] VARIABLE
 *
 * Calls are timed in batches; the figure is the median of all batches, so that
 * what else runs on the machine does not count. Without calls it is a small
 * program with GLib, to be started.
 *
 * Prints one line of name=value.
 */
#include "process.h"

#include <stdlib.h>

#define N_BATCHES 200

static gint
compare (gconstpointer a, gconstpointer b)
{
  gdouble x = *(const gdouble *) a, y = *(const gdouble *) b;

  return x < y ? -1 : x > y;
}

/* The ns of one call. */
static gdouble
time_batch (const gchar *variable, gint64 n_calls)
{
  guint64 started_at = clock_ns (CLOCK_MONOTONIC);
  gint64 i;

  for (i = 0; i < n_calls; i++)
    (void) g_getenv (variable);
  return (gdouble) (clock_ns (CLOCK_MONOTONIC) - started_at)
      / (gdouble) n_calls;
}

int
main (int argc, char **argv)
{
  gint64 n_calls = 0;
  gdouble ns[N_BATCHES];
  const GOptionEntry entries[] = {
      {"calls", 0, 0, G_OPTION_ARG_INT64, &n_calls, "How many", "N"}, {NULL}};
  g_autoptr (GOptionContext) context =
      g_option_context_new ("VARIABLE - what g_getenv() costs");
  g_autoptr (GError) error = NULL;
  guint i;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2
      || n_calls < 0) {
    g_printerr (
        "asks: %s\n", error != NULL ? error->message : "see asks --help");
    return 2;
  }
  if (n_calls == 0)
    return 0;
  for (i = 0; i < N_BATCHES; i++)
    ns[i] = time_batch (argv[1], MAX (n_calls / N_BATCHES, 1));
  qsort (ns, N_BATCHES, sizeof (gdouble), compare);
  g_print ("ns=%.2f\n", ns[N_BATCHES / 2]);
  return 0;
}
