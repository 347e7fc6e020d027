/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * soak-worker.c: a program that lives long and does all that programs do with
 * buffers, one thing after the other.
 *
 * Now and then it rests: nothing is left of what it did, and filemem has given
 * back what it kept for a while. It says so in a line
 *
 *   rest rounds=N FIGURE=VALUE ...
 *
 * and goes on when it is told a line on stdin; at the end of stdin it ends. So
 * whoever watches it can compare like with like.
 *
 *   soak-worker --seed N [--depth MIB] [--rest SECONDS] [--brief]
 *               [--own-budget] [ENCODER=DIGEST...]
 *   soak-worker --digests     prints ENCODER=DIGEST, as the above wants them
 *
 * --brief: it does not wait for what filemem gives back after a while.
 *
 * Exit code: 0 all well, 1 a failure.
 */
#include "activities.h"
#include "numbered.h"

#include <gst/filemem/filemem.h>

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_BUDGET (256 * MIB)

/* What there is none of when a worker rests, whatever went before. */
static const gchar *const none[] = {"live-blocks", "live-bytes", "maps-failed",
    "spill-failures", "io-errors", "extents-retired", "fallbacks-addresses",
    "fallbacks-dir", "fallbacks-memory", "maps-in-place"};
/* What filemem keeps for a while for whoever comes next. */
static const gchar *const kept[] = {"extents-cached", "extents-retained"};
static const gchar *const told[] = {"resident-bytes", "disk-bytes",
    "tables-bytes", "alloc-bytes", "spill-bytes", "fill-bytes", "yields",
    "yields-share", "over-budget", "fallbacks"};

gsize
worker_pick (Worker *worker, gsize least, gsize end)
{
  gdouble factor = (gdouble) end / (gdouble) least;

  return (
      gsize) ((gdouble) least * pow (factor, g_rand_double (worker->random)));
}

gboolean
worker_chance (Worker *worker, gint percent)
{
  return g_rand_int_range (worker->random, 0, 100) < percent;
}

void
worker_change_budget (Worker *worker)
{
  GstAllocator *allocator;

  if (!worker->own_budget || !worker_chance (worker, 30))
    return;
  allocator = gst_allocator_find (NULL);
  gst_file_mem_allocator_set_ram (GST_FILE_MEM_ALLOCATOR (allocator),
      worker_pick (worker, MIB, MOST_BUDGET));
  gst_object_unref (allocator);
}

guint64
worker_figure (const gchar *name)
{
  g_autoptr (GstAllocator) allocator = gst_allocator_find (NULL);
  GstStructure *stats = NULL;
  guint64 value = 0;

  g_object_get (allocator, "stats", &stats, NULL);
  if (!gst_structure_get_uint64 (stats, name, &value))
    numbered_complain ("there is no figure %s", name);
  gst_structure_free (stats);
  return value;
}

/* ---- rests ---- */

/* Some references go in other threads, soon after. */
static void
wait_for_none (const gchar *const *names, guint n_names)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;
  guint i;

  for (i = 0; i < n_names; i++) {
    while (worker_figure (names[i]) != 0) {
      if (g_get_monotonic_time () > end) {
        numbered_complain ("at rest, %s is %" G_GUINT64_FORMAT, names[i],
            worker_figure (names[i]));
        break;
      }
      g_usleep (LOOK_US);
    }
  }
}

static void
tell (const gchar *const *names, guint n_names)
{
  guint i;

  for (i = 0; i < n_names; i++)
    printf (" %s=%" G_GUINT64_FORMAT, names[i], worker_figure (names[i]));
}

/* FALSE: that was all. */
static gboolean
take_a_rest (guint n_rounds, gboolean brief)
{
  char line[16];

  wait_for_none (none, G_N_ELEMENTS (none));
  /* threads that wait for work, and what malloc() keeps for itself */
  gst_task_cleanup_all ();
  g_thread_pool_stop_unused_threads ();
  if (!brief)
    wait_for_none (kept, G_N_ELEMENTS (kept));
  malloc_trim (0);
  printf ("rest rounds=%u", n_rounds);
  tell (told, G_N_ELEMENTS (told));
  putchar ('\n');
  fflush (stdout);
  return fgets (line, sizeof line, stdin) != NULL;
}

/* ---- rounds ---- */

static void
play_a_round (Worker *worker)
{
  worker_change_budget (worker);
  switch (g_rand_int_range (worker->random, 0, 10)) {
    case 0 ... 1:
      fork_children (worker);
      break;
    case 2:
      play_encoder (worker);
      break;
    default:
      play_streams (worker);
      break;
  }
}

static void
work (Worker *worker, gdouble rest_seconds, gboolean brief)
{
  guint n_rounds = 0;
  gint64 next;

  do {
    next = g_get_monotonic_time () + (gint64) (rest_seconds * G_USEC_PER_SEC);
    do {
      play_a_round (worker);
      n_rounds++;
    } while (g_get_monotonic_time () < next
        && g_atomic_int_get (&numbered_n_wrong) == 0);
  } while (take_a_rest (n_rounds, brief)
      && g_atomic_int_get (&numbered_n_wrong) == 0);
}

static void
print_digests (void)
{
  guint i;

  for (i = 0; encoder_names[i] != NULL; i++) {
    g_autofree gchar *digest = encoder_digest (encoder_names[i]);

    if (digest != NULL)
      printf ("%s=%s\n", encoder_names[i], digest);
  }
}

static GHashTable *
take_digests (gchar **pairs)
{
  GHashTable *digests =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  for (; pairs != NULL && *pairs != NULL; pairs++) {
    g_auto (GStrv) pair = g_strsplit (*pairs, "=", 2);

    if (g_strv_length (pair) == 2)
      g_hash_table_insert (digests, g_strdup (pair[0]), g_strdup (pair[1]));
  }
  return digests;
}

int
main (int argc, char **argv)
{
  gint64 seed = 0;
  gint depth = 64;
  gdouble rest_seconds = 60;
  gboolean brief = FALSE, digests = FALSE, own_budget = FALSE;
  g_auto (GStrv) pairs = NULL;
  const GOptionEntry entries[] = {
      {"seed", 0, 0, G_OPTION_ARG_INT64, &seed, "To do the same again", "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT, &depth, "MiB in queues", "N"},
      {"rest", 0, 0, G_OPTION_ARG_DOUBLE, &rest_seconds, "Between two rests",
          "SECONDS"},
      {"brief", 0, 0, G_OPTION_ARG_NONE, &brief, "Short rests", NULL},
      {"own-budget", 0, 0, G_OPTION_ARG_NONE, &own_budget, "Change it", NULL},
      {"digests", 0, 0, G_OPTION_ARG_NONE, &digests, "Print them", NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &pairs, NULL, NULL},
      {NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new ("- soak");
  g_autoptr (GError) error = NULL;
  Worker worker = {0};

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || depth < 1) {
    fprintf (stderr, "soak-worker: %s\n",
        error != NULL ? error->message : "see soak-worker --help");
    return 2;
  }
  gst_init (NULL, NULL);
  if (digests) {
    print_digests ();
  } else {
    worker.random = g_rand_new_with_seed ((guint32) seed);
    worker.depth = (guint64) depth * MIB;
    worker.own_budget = own_budget;
    worker.digests = take_digests (pairs);
    work (&worker, rest_seconds, brief);
    g_hash_table_unref (worker.digests);
    g_rand_free (worker.random);
  }
  return g_atomic_int_get (&numbered_n_wrong) == 0 ? 0 : 1;
}
