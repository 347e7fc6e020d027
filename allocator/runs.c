/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * runs.c: see runs.h.
 *
 * A tree holds the free runs by (length, first granule); a table holds, at the
 * first and the last granule of each free run, its length (boundary tags), so
 * that neighbours are found at once. Other entries of the table are 0.
 */
#include "runs.h"

/* How many runs are checked for one that is suitably aligned as it is. */
#define CANDIDATES 16

struct _FmRuns
{
  guint n_granules;
  guint *length_at;
  GTree *by_length;
};

typedef struct
{
  guint length;
  guint first;
} Run;

static gint
compare_runs (gconstpointer a, gconstpointer b, gpointer unused)
{
  const Run *x = a, *y = b;

  if (x->length != y->length)
    return x->length < y->length ? -1 : 1;
  if (x->first != y->first)
    return x->first < y->first ? -1 : 1;
  return 0;
}

static void
insert (FmRuns *runs, guint first, guint length)
{
  Run *run = g_new (Run, 1);

  run->length = length;
  run->first = first;
  runs->length_at[first] = length;
  runs->length_at[first + length - 1] = length;
  g_tree_insert (runs->by_length, run, run);
}

static void
remove_run (FmRuns *runs, guint first, guint length)
{
  const Run key = {length, first};

  runs->length_at[first] = 0;
  runs->length_at[first + length - 1] = 0;
  g_tree_remove (runs->by_length, &key);
}

FmRuns *
fm_runs_new (guint n_granules)
{
  guint *length_at = g_try_new0 (guint, n_granules);
  FmRuns *runs;

  if (length_at == NULL)
    return NULL;
  runs = g_new0 (FmRuns, 1);
  runs->n_granules = n_granules;
  runs->length_at = length_at;
  runs->by_length = g_tree_new_full (compare_runs, NULL, g_free, NULL);
  insert (runs, 0, n_granules);
  return runs;
}

void
fm_runs_free (FmRuns *runs)
{
  g_tree_unref (runs->by_length);
  g_free (runs->length_at);
  g_free (runs);
}

/* Where @n granules fit into the run; FALSE if they do not. */
static gboolean
fits (const Run *run, guint n, guint align, guint *ret_first)
{
  guint skip = (align - run->first % align) % align;

  *ret_first = run->first + skip;
  return run->length >= n && run->length - n >= skip;
}

/* The best fit, among a few, that is suitably aligned as it is; otherwise one
 * that is long enough wherever it begins. */
static const Run *
find_run (FmRuns *runs, guint n, guint align, guint *ret_first)
{
  const Run least = {n, 0}, enough = {n + align - 1, 0};
  GTreeNode *node = g_tree_lower_bound (runs->by_length, &least);
  guint i;

  for (i = 0; i < CANDIDATES && node != NULL; i++) {
    if (fits (g_tree_node_key (node), n, align, ret_first))
      return g_tree_node_key (node);
    node = g_tree_node_next (node);
  }
  node = g_tree_lower_bound (runs->by_length, &enough);
  if (node == NULL || !fits (g_tree_node_key (node), n, align, ret_first))
    return NULL;
  return g_tree_node_key (node);
}

gboolean
fm_runs_take (FmRuns *runs, guint n, guint align, guint *ret_first)
{
  const Run *run = find_run (runs, n, align, ret_first);
  guint before, after;
  Run found;

  if (run == NULL)
    return FALSE;
  found = *run;
  remove_run (runs, found.first, found.length);
  before = *ret_first - found.first;
  after = found.length - before - n;
  if (before > 0)
    insert (runs, found.first, before);
  if (after > 0)
    insert (runs, *ret_first + n, after);
  return TRUE;
}

void
fm_runs_give (FmRuns *runs, guint first, guint n)
{
  guint after = first + n;

  if (after < runs->n_granules && runs->length_at[after] > 0) {
    guint length = runs->length_at[after];

    remove_run (runs, after, length);
    n += length;
  }
  if (first > 0 && runs->length_at[first - 1] > 0) {
    guint length = runs->length_at[first - 1];

    remove_run (runs, first - length, length);
    first -= length;
    n += length;
  }
  insert (runs, first, n);
}
