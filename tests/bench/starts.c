/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * starts.c: how long a program takes from its start to its end, without the
 * shim and with it.
 *
 *   starts --shim=FILE [--launcher=FILE] [--runs=N] PROGRAM [ARGUMENT...]
 *
 * The ways to start it take turns, in another order in each, so that what else
 * runs on the machine, and what ran just before, meets all of them alike:
 * plain; shim, which is in LD_PRELOAD; variables, the shim with four variables
 * of filemem's that it has to copy; again, which is plain once more and shows
 * what a difference means; launcher, by gst-filemem.
 *
 * Prints one line of name=value: the median of each way in microseconds.
 */
#include "process.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#define N_WAYS 5

static const gchar *const variables[][2] = {
    {"GST_FILEMEM_DIR", "/var/tmp"},
    {"GST_FILEMEM_SIZE", "8G"},
    {"GST_FILEMEM_RAM", "128M"},
    {"GST_FILEMEM_REPORT", "none"},
};

typedef struct
{
  const gchar *name;
  gchar **argv;
  gchar **environment;
  guint64 *ns; /* of each run */
} Way;

static gchar **
plain_environment (void)
{
  gchar **environment = g_get_environ ();
  guint i;

  environment = g_environ_unsetenv (environment, "LD_PRELOAD");
  for (i = 0; i < G_N_ELEMENTS (variables); i++)
    environment = g_environ_unsetenv (environment, variables[i][0]);
  return environment;
}

static gchar **
shim_environment (const gchar *shim)
{
  return g_environ_setenv (plain_environment (), "LD_PRELOAD", shim, TRUE);
}

static gchar **
variables_environment (const gchar *shim)
{
  gchar **environment = shim_environment (shim);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (variables); i++)
    environment =
        g_environ_setenv (environment, variables[i][0], variables[i][1], TRUE);
  return environment;
}

/* LAUNCHER run ARGV... */
static gchar **
launcher_argv (const gchar *launcher, gchar **argv)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  g_strv_builder_add_many (builder, launcher, "run", NULL);
  g_strv_builder_addv (builder, (const gchar **) argv);
  return g_strv_builder_end (builder);
}

static guint64
run_once (const Way *way)
{
  guint64 started_at = clock_ns (CLOCK_MONOTONIC);
  pid_t pid;
  int status;
  int error = posix_spawnp (
      &pid, way->argv[0], NULL, NULL, way->argv, way->environment);

  if (error != 0) {
    g_printerr ("starts: %s: %s\n", way->argv[0], g_strerror (error));
    exit (1);
  }
  if (waitpid (pid, &status, 0) != pid || status != 0) {
    g_printerr ("starts: %s, %s: status %d\n", way->argv[0], way->name, status);
    exit (1);
  }
  return clock_ns (CLOCK_MONOTONIC) - started_at;
}

/* Without a launcher that way is left out; tells how many there are. */
static guint
make_ways (
    Way ways[N_WAYS], gchar **program, const gchar *shim, const gchar *launcher)
{
  guint n_ways = 0;

  ways[n_ways++] = (Way){"plain", program, plain_environment (), NULL};
  ways[n_ways++] = (Way){"shim", program, shim_environment (shim), NULL};
  ways[n_ways++] = (Way){"again", program, plain_environment (), NULL};
  ways[n_ways++] =
      (Way){"variables", program, variables_environment (shim), NULL};
  if (launcher != NULL)
    ways[n_ways++] = (Way){"launcher", launcher_argv (launcher, program),
        plain_environment (), NULL};
  return n_ways;
}

/* Each way once. */
static void
run_round (Way *ways, guint n_ways, guint round, GRand *random)
{
  guint order[N_WAYS], i;

  for (i = 0; i < n_ways; i++) {
    guint other = (guint) g_rand_int_range (random, 0, (gint32) i + 1);

    order[i] = order[other];
    order[other] = i;
  }
  for (i = 0; i < n_ways; i++)
    ways[order[i]].ns[round] = run_once (&ways[order[i]]);
}

static gint
compare (gconstpointer a, gconstpointer b)
{
  guint64 x = *(const guint64 *) a, y = *(const guint64 *) b;

  return x < y ? -1 : x > y;
}

static void
print_median (Way *way, guint n_runs, const gchar *end)
{
  qsort (way->ns, n_runs, sizeof (guint64), compare);
  g_print (
      "%s_us=%.1f%s", way->name, (gdouble) way->ns[n_runs / 2] / 1000, end);
}

int
main (int argc, char **argv)
{
  gint n_runs = 500, run;
  g_autofree gchar *shim = NULL, *launcher = NULL;
  const GOptionEntry entries[] = {
      {"shim", 0, 0, G_OPTION_ARG_FILENAME, &shim, "The shim", "FILE"},
      {"launcher", 0, 0, G_OPTION_ARG_FILENAME, &launcher, "gst-filemem",
          "FILE"},
      {"runs", 0, 0, G_OPTION_ARG_INT, &n_runs, "How often each way", "N"},
      {NULL}};
  g_autoptr (GOptionContext) context =
      g_option_context_new ("PROGRAM [ARGUMENT...] - how long a start takes");
  g_autoptr (GError) error = NULL;
  g_autoptr (GRand) random = g_rand_new_with_seed (1);
  Way ways[N_WAYS];
  guint n_ways, i;

  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc < 2
      || shim == NULL || n_runs < 1) {
    g_printerr (
        "starts: %s\n", error != NULL ? error->message : "see starts --help");
    return 2;
  }

  n_ways = make_ways (ways, argv + 1, shim, launcher);
  for (i = 0; i < n_ways; i++) {
    ways[i].ns = g_new (guint64, n_runs);
    (void) run_once (&ways[i]); /* its files are in memory from now on */
  }
  for (run = 0; run < n_runs; run++)
    run_round (ways, n_ways, (guint) run, random);
  for (i = 0; i < n_ways; i++)
    print_median (&ways[i], (guint) n_runs, i + 1 < n_ways ? " " : "\n");
  return 0;
}
