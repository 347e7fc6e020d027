/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * runs.c: tests which granules are free: best fit, alignment, merging,
 * exhaustion, agreement with a model that looks at every granule, and how many
 * addresses a long run with extents of all lengths takes.
 */
#include "runs.h"
#include "testing.h"

#include <math.h>

#define GRANULES 512
#define STEPS 20000

static guint
take (FmRuns *runs, guint n)
{
  guint first = G_MAXUINT;

  assert_true (fm_runs_take (runs, n, 1, &first));
  return first;
}

static void
assert_refused (FmRuns *runs, guint n)
{
  guint first;

  assert_false (fm_runs_take (runs, n, 1, &first));
}

static void
test_take_in_order (void **state)
{
  FmRuns *runs = fm_runs_new (10);

  assert_int_equal (take (runs, 3), 0);
  assert_int_equal (take (runs, 1), 3);
  assert_int_equal (take (runs, 6), 4);
  assert_refused (runs, 1);
  fm_runs_free (runs);
}

static void
test_one_granule (void **state)
{
  FmRuns *runs = fm_runs_new (1);

  assert_refused (runs, 2);
  assert_int_equal (take (runs, 1), 0);
  assert_refused (runs, 1);
  fm_runs_give (runs, 0, 1);
  assert_int_equal (take (runs, 1), 0);
  fm_runs_free (runs);
}

/* Free: 2 at 0, 4 at 3, 2 at 8. */
static FmRuns *
with_holes (void)
{
  FmRuns *runs = fm_runs_new (10);

  assert_int_equal (take (runs, 10), 0);
  fm_runs_give (runs, 0, 2);
  fm_runs_give (runs, 3, 4);
  fm_runs_give (runs, 8, 2);
  return runs;
}

static void
test_best_fit (void **state)
{
  FmRuns *runs = with_holes ();

  assert_refused (runs, 5);
  assert_int_equal (take (runs, 3), 3);
  /* What is left of the longest run is the best fit now. */
  assert_int_equal (take (runs, 1), 6);
  /* Among equals the lowest. */
  assert_int_equal (take (runs, 2), 0);
  assert_int_equal (take (runs, 2), 8);
  assert_refused (runs, 1);
  fm_runs_free (runs);
}

static void
test_merge_with_both (void **state)
{
  FmRuns *runs = with_holes ();

  fm_runs_give (runs, 2, 1);
  assert_refused (runs, 8);
  fm_runs_give (runs, 7, 1);
  assert_int_equal (take (runs, 10), 0);
  fm_runs_free (runs);
}

static void
test_merge_with_one (void **state)
{
  FmRuns *runs = fm_runs_new (9);

  assert_int_equal (take (runs, 9), 0);
  fm_runs_give (runs, 3, 3);
  fm_runs_give (runs, 6, 2);
  assert_refused (runs, 6);
  fm_runs_give (runs, 1, 2);
  assert_int_equal (take (runs, 7), 1);
  fm_runs_free (runs);
}

static void
test_give_part (void **state)
{
  FmRuns *runs = fm_runs_new (8);

  assert_int_equal (take (runs, 8), 0);
  fm_runs_give (runs, 2, 4);
  assert_refused (runs, 5);
  assert_int_equal (take (runs, 4), 2);
  fm_runs_free (runs);
}

/* ---- aligned ---- */

static guint
take_aligned (FmRuns *runs, guint n, guint align)
{
  guint first = G_MAXUINT;

  assert_true (fm_runs_take (runs, n, align, &first));
  assert_int_equal (first % align, 0);
  return first;
}

static void
assert_aligned_refused (FmRuns *runs, guint n, guint align)
{
  guint first;

  assert_false (fm_runs_take (runs, n, align, &first));
}

/* Free: 4 at 2, 5 at 7, 8 at 16. */
static FmRuns *
with_aligned_holes (void)
{
  FmRuns *runs = fm_runs_new (24);

  assert_int_equal (take (runs, 24), 0);
  fm_runs_give (runs, 2, 4);
  fm_runs_give (runs, 7, 5);
  fm_runs_give (runs, 16, 8);
  return runs;
}

/* The shortest that is long enough from where it is aligned. */
static void
test_aligned_best_fit (void **state)
{
  FmRuns *runs = with_aligned_holes ();

  assert_int_equal (take_aligned (runs, 4, 4), 8);
  assert_int_equal (take_aligned (runs, 4, 4), 16);
  /* What is left before and behind them is free. */
  assert_int_equal (take (runs, 1), 7);
  assert_int_equal (take_aligned (runs, 2, 2), 2);
  assert_int_equal (take (runs, 2), 4);
  assert_int_equal (take_aligned (runs, 4, 4), 20);
  assert_refused (runs, 1);
  fm_runs_free (runs);
}

static void
test_aligned_refused (void **state)
{
  FmRuns *runs = with_aligned_holes ();

  assert_int_equal (take_aligned (runs, 8, 8), 16);
  /* There are such that are long enough. */
  assert_aligned_refused (runs, 5, 4);
  assert_aligned_refused (runs, 4, 16);
  /* And nothing was taken. */
  assert_int_equal (take (runs, 5), 7);
  assert_int_equal (take (runs, 4), 2);
  assert_refused (runs, 1);
  fm_runs_free (runs);
}

/* More runs of the right length than are looked at, none of them aligned; then
 * one that is long enough wherever it begins. */
static void
test_aligned_behind_many (void **state)
{
  FmRuns *runs = fm_runs_new (GRANULES);
  guint i;

  assert_int_equal (take (runs, GRANULES), 0);
  for (i = 0; i < 40; i++)
    fm_runs_give (runs, 8 * i + 1, 4);
  assert_aligned_refused (runs, 4, 8);
  fm_runs_give (runs, 401, 11);
  assert_int_equal (take_aligned (runs, 4, 8), 408);
  assert_aligned_refused (runs, 4, 8);
  fm_runs_free (runs);
}

static void
test_aligned_merge (void **state)
{
  FmRuns *runs = fm_runs_new (32);

  assert_int_equal (take (runs, 1), 0);
  assert_int_equal (take_aligned (runs, 8, 8), 8);
  assert_int_equal (take_aligned (runs, 8, 8), 16);
  assert_aligned_refused (runs, 9, 8);
  /* With what is before and behind them. */
  fm_runs_give (runs, 8, 8);
  assert_int_equal (take (runs, 15), 1);
  fm_runs_give (runs, 16, 8);
  assert_int_equal (take_aligned (runs, 16, 16), 16);
  fm_runs_give (runs, 0, 16);
  fm_runs_give (runs, 16, 16);
  assert_int_equal (take_aligned (runs, 32, 32), 0);
  fm_runs_free (runs);
}

/* ---- against a model ---- */

/* The lowest of the shortest free runs that are long enough. */
static gboolean
model_take (gboolean *taken, guint n, guint *ret_first)
{
  guint start, end, best = G_MAXUINT, i;

  for (start = 0; start < GRANULES; start = end + 1) {
    for (end = start; end < GRANULES && !taken[end]; end++)
      continue;
    if (end - start >= n && end - start < best) {
      best = end - start;
      *ret_first = start;
    }
  }
  if (best == G_MAXUINT)
    return FALSE;
  for (i = 0; i < n; i++)
    taken[*ret_first + i] = TRUE;
  return TRUE;
}

typedef struct
{
  guint first, n;
} Taken;

static void
give_one (FmRuns *runs, gboolean *taken, GArray *live, GRand *rand)
{
  guint i = (guint) g_rand_int_range (rand, 0, (gint32) live->len);
  Taken *run = &g_array_index (live, Taken, i);
  guint n = g_rand_boolean (rand)
      ? run->n
      : (guint) g_rand_int_range (rand, 1, (gint32) run->n + 1);
  guint at = run->first + run->n - n, j;

  fm_runs_give (runs, at, n);
  for (j = 0; j < n; j++)
    taken[at + j] = FALSE;
  run->n -= n;
  if (run->n == 0)
    g_array_remove_index_fast (live, i);
}

static void
test_against_model (void **state)
{
  FmRuns *runs = fm_runs_new (GRANULES);
  GRand *rand = g_rand_new_with_seed (691299);
  GArray *live = g_array_new (FALSE, FALSE, sizeof (Taken));
  gboolean taken[GRANULES] = {FALSE};
  guint step, refused = 0;

  for (step = 0; step < STEPS; step++) {
    /* Full and nearly empty by turns. */
    gboolean wants_more = (step / 1000) % 2 == 0;

    if (live->len == 0
        || g_rand_int_range (rand, 0, 3) < (wants_more ? 2 : 1)) {
      Taken run = {0, (guint) g_rand_int_range (rand, 1, 24)};
      guint expected = G_MAXUINT;
      gboolean fits = model_take (taken, run.n, &expected);

      assert_int_equal (fm_runs_take (runs, run.n, 1, &run.first), fits);
      if (fits) {
        assert_int_equal (run.first, expected);
        g_array_append_val (live, run);
      } else {
        refused++;
      }
    } else {
      give_one (runs, taken, live, rand);
    }
  }
  assert_true (refused > 0);
  while (live->len > 0)
    give_one (runs, taken, live, rand);
  assert_int_equal (take (runs, GRANULES), 0);

  g_array_unref (live);
  g_rand_free (rand);
  fm_runs_free (runs);
}

/* ---- fragmentation ---- */

/* As filemem has it: four times as many addresses as bytes that may be live,
 * extents from one granule to 64 MiB, those of 2 MiB and more at a huge page,
 * and some that live very much longer than others. Half as much again is
 * enough. */
#define MANY_GRANULES 16384
#define FRAGMENTS 100000

static void
test_fragmentation (void **state)
{
  FmRuns *runs = fm_runs_new (4 * MANY_GRANULES);
  GRand *rand = g_rand_new_with_seed (4711);
  GArray *live = g_array_new (FALSE, FALSE, sizeof (Taken));
  guint step, n_live = 0, highest = 0;

  for (step = 0; step < FRAGMENTS; step++) {
    Taken run = {0, (guint) exp2 (g_rand_double_range (rand, 0, 9))};

    while (n_live + run.n > MANY_GRANULES) {
      /* Mostly one of those that came last. */
      guint i = (guint) (live->len * (1 - pow (g_rand_double (rand), 4)));
      Taken gone;

      i = MIN (i, live->len - 1);
      gone = g_array_index (live, Taken, i);
      fm_runs_give (runs, gone.first, gone.n);
      n_live -= gone.n;
      g_array_remove_index (live, i);
    }
    assert_true (fm_runs_take (runs, run.n, run.n >= 16 ? 16 : 1, &run.first));
    highest = MAX (highest, run.first + run.n);
    n_live += run.n;
    g_array_append_val (live, run);
  }
  assert_in_range (highest, MANY_GRANULES / 2, 2 * MANY_GRANULES);

  g_array_unref (live);
  g_rand_free (rand);
  fm_runs_free (runs);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_take_in_order),
      cmocka_unit_test (test_one_granule),
      cmocka_unit_test (test_best_fit),
      cmocka_unit_test (test_merge_with_both),
      cmocka_unit_test (test_merge_with_one),
      cmocka_unit_test (test_give_part),
      cmocka_unit_test (test_aligned_best_fit),
      cmocka_unit_test (test_aligned_refused),
      cmocka_unit_test (test_aligned_behind_many),
      cmocka_unit_test (test_aligned_merge),
      cmocka_unit_test (test_against_model),
      cmocka_unit_test (test_fragmentation),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
