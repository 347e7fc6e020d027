/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-threads.c: tests the block heap under threads that cut, hand blocks to
 * each other, give them back, and close and reopen extents under each other's
 * hands.
 *
 * An assertion of cmocka works in the thread of the test alone; the others note
 * what went wrong, and all of them stop.
 *
 * Locking: rows_lock guards the part of the pager. The map of cells has none:
 * who holds a block owns its cells, and that the heap hands them on in order is
 * what the thread sanitizer checks.
 */
#include "heap-fixture.h"
#include "sync.h"

#define THREADS 4
#define ROWS 20
#define SLOTS 16
#define CELL ((gsize) 64)
#define CELLS (EXTENT / CELL)
#define MOST_BLOCKS 900
#define STEPS (TESTING_THREAD_SANITIZER ? 12000 : 150000)

typedef struct
{
  FmBlock block;
  gsize offset, size;
  guint8 mark;
} Held;

typedef struct
{
  Fixture *fixture;
  FmMutex rows_lock;  /* of in_use and had */
  gboolean had[ROWS]; /* by a stream, or about to be */
  guint8 cells[ROWS * CELLS];
  _Atomic (Held *) slot[SLOTS]; /* blocks on their way to anybody */
  _Atomic (const gchar *) wrong;
} Stress;

typedef struct
{
  Stress *stress;
  guint number;
  GRand *rand;
  GPtrArray *held;
  guint8 mark;
} Worker;

static gboolean
has_failed (Stress *stress)
{
  return atomic_load_explicit (&stress->wrong, memory_order_relaxed) != NULL;
}

static void
check (Stress *stress, gboolean is_right, const gchar *otherwise)
{
  if (!is_right)
    atomic_store (&stress->wrong, otherwise);
}

/* ---- the pager's part ---- */

static void
give_row (FmExtent *extent, gpointer data)
{
  Stress *stress = data;
  guint row = row_of (stress->fixture, extent);
  const guint8 *cell = stress->cells + row * CELLS;
  guint i;

  for (i = 0; i < CELLS; i++)
    check (stress, cell[i] == 0, "an extent was given back with a block in it");
  fm_mutex_lock (&stress->rows_lock);
  check (
      stress, stress->fixture->in_use[row], "an extent was given back twice");
  check (
      stress, !stress->had[row], "an extent was given back that a stream had");
  stress->fixture->in_use[row] = FALSE;
  fm_mutex_unlock (&stress->rows_lock);
}

static FmExtent *
get_row (Stress *stress)
{
  FmExtent *extent = NULL;
  guint row;

  fm_mutex_lock (&stress->rows_lock);
  for (row = 0; row < ROWS && extent == NULL; row++) {
    if (!stress->fixture->in_use[row]) {
      extent = acquire (stress->fixture, row, TRUE);
      stress->had[row] = TRUE;
    }
  }
  fm_mutex_unlock (&stress->rows_lock);
  return extent;
}

/* Notes who has an extent open. */
static void
set_had (Stress *stress, FmExtent *extent, gboolean had)
{
  guint row = row_of (stress->fixture, extent);

  fm_mutex_lock (&stress->rows_lock);
  check (
      stress, stress->fixture->in_use[row], "an extent was opened when dead");
  check (stress, stress->had[row] != had, "an extent was open in two streams");
  stress->had[row] = had;
  fm_mutex_unlock (&stress->rows_lock);
}

/* A spill closes it, whether a stream has it open or not. */
static void
close_row (Stress *stress, guint row)
{
  FmExtent *extent = fm_extent_at (&stress->fixture->table, row);

  fm_mutex_lock (&stress->rows_lock);
  if (stress->fixture->in_use[row])
    atomic_store (&extent->full, TRUE);
  fm_mutex_unlock (&stress->rows_lock);
}

/* ---- what store.c does ---- */

static void
open_in_stream (Stress *stress, guint stream, FmExtent *extent)
{
  FmExtent *before = fm_heap_open (stress->fixture->heap, stream, extent);

  if (before == NULL)
    return;
  atomic_store (&before->full, TRUE);
  set_had (stress, before, FALSE);
  if (fm_heap_leave (stress->fixture->heap, before))
    give_row (before, stress);
}

static FmExtent *
open_again (Worker *worker, gsize size, gsize align)
{
  Stress *stress = worker->stress;
  FmExtent *extent =
      fm_heap_take_mostly_free (stress->fixture->heap, size, align);

  if (extent == NULL)
    return NULL;
  set_had (stress, extent, TRUE);
  if (g_rand_int_range (worker->rand, 0, 4) > 0) {
    atomic_store (&extent->full, FALSE);
    return extent;
  }
  set_had (stress, extent, FALSE);
  if (fm_heap_put_back (stress->fixture->heap, extent))
    give_row (extent, stress);
  return NULL;
}

static gboolean
open_with_room (Worker *worker, gsize size, gsize align)
{
  FmExtent *extent = open_again (worker, size, align);

  if (extent == NULL)
    extent = get_row (worker->stress);
  if (extent == NULL)
    return FALSE;
  open_in_stream (worker->stress,
      fm_heap_stream (worker->stress->fixture->heap, worker->number), extent);
  return TRUE;
}

static Held *
alloc (Worker *worker, gsize size, gsize align)
{
  Stress *stress = worker->stress;
  Held held = {.size = MAX (size, 1)};
  FmExtent *left;
  FmCutResult result;

  do {
    result = fm_heap_cut (stress->fixture->heap, worker->number,
        worker->number & (STREAMS - 1), size, align, &held.block, &held.offset,
        &left);
    if (left != NULL)
      give_row (left, stress);
    /* There are twice as many bytes as rows. */
    check (stress, result != FM_CUT_FULL, "a cut was refused");
  } while (result == FM_CUT_NO_EXTENT && !has_failed (stress)
      && open_with_room (worker, size, align));
  return result == FM_CUT_DONE ? g_memdup2 (&held, sizeof held) : NULL;
}

/* ---- what the threads do ---- */

static void
mark_cells (Stress *stress, Held *held, guint8 from, guint8 to)
{
  guint8 *cell = stress->cells + held->offset / CELL;
  gsize n = (held->size + CELL - 1) / CELL, i;

  for (i = 0; i < n; i++) {
    check (stress, cell[i] == from, "two blocks overlap");
    cell[i] = to;
  }
  held->mark = to;
}

/* Blocks start at a cell, so that no two have a part of one. */
static void
cut_one (Worker *worker)
{
  static const gsize aligns[] = {CELL - 1, CELL - 1, CELL - 1, CHUNK - 1};
  static const gsize sizes[] = {0, 100, 1316, 1316, CHUNK, CHUNK + 7, 9000};
  guint dice = g_rand_int_range (worker->rand, 0, 100);
  gsize size = sizes[dice % G_N_ELEMENTS (sizes)];
  gsize align = aligns[dice % G_N_ELEMENTS (aligns)];
  Held *held;

  if (dice == 0)
    size = EXTENT / 2 - align;
  held = alloc (worker, size, align);
  if (held == NULL)
    return;
  check (worker->stress, (held->offset & align) == 0, "a block is not aligned");
  mark_cells (worker->stress, held, 0, worker->mark);
  g_ptr_array_add (worker->held, held);
}

static void
give_held (Stress *stress, Held *held)
{
  mark_cells (stress, held, held->mark, 0);
  if (fm_heap_give (stress->fixture->heap, &held->block, 0))
    give_row (held->block.extent, stress);
  g_free (held);
}

static Held *
pick (Worker *worker)
{
  if (worker->held->len == 0)
    return NULL;
  return g_ptr_array_remove_index_fast (worker->held,
      (guint) g_rand_int_range (worker->rand, 0, (gint32) worker->held->len));
}

/* Puts one of its blocks, if it has any, where another thread finds it, and
 * takes what it finds there itself. */
static void
exchange (Worker *worker)
{
  guint i = (guint) g_rand_int_range (worker->rand, 0, SLOTS);
  Held *held = atomic_exchange (&worker->stress->slot[i], pick (worker));

  if (held != NULL)
    g_ptr_array_add (worker->held, held);
}

static void
step (Worker *worker, gboolean wants_more)
{
  guint dice = (guint) g_rand_int_range (worker->rand, 0, 200);
  guint stream = dice % fm_heap_n_streams (worker->stress->fixture->heap);

  if (dice < 4)
    open_in_stream (worker->stress, stream, NULL);
  else if (dice < 6)
    close_row (
        worker->stress, (guint) g_rand_int_range (worker->rand, 0, ROWS));
  else if (dice < 40)
    exchange (worker);
  else if (worker->held->len < MOST_BLOCKS && dice < (wants_more ? 150 : 90))
    cut_one (worker);
  else if (worker->held->len > 0)
    give_held (worker->stress, pick (worker));
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  guint i;

  for (i = 0; i < STEPS && !has_failed (worker->stress); i++)
    step (worker, (i / 1000) % 2 == 0);
  return NULL;
}

static void
end_of_stress (Stress *stress)
{
  guint i;

  for (i = 0; i < SLOTS; i++) {
    Held *held = atomic_load (&stress->slot[i]);

    if (held != NULL)
      give_held (stress, held);
  }
  for (i = 0; i < STREAMS; i++)
    open_in_stream (stress, i, NULL);
  fm_heap_end (stress->fixture->heap, give_row, stress);
  for (i = 0; i < ROWS; i++)
    check (
        stress, !stress->fixture->in_use[i], "an extent was never given back");
}

/* @numbers: of the threads. */
static void
run_stress (Fixture *fixture, const guint *numbers)
{
  Stress *stress = g_new0 (Stress, 1);
  Worker workers[THREADS];
  GThread *threads[THREADS];
  guint i;

  stress->fixture = fixture;
  fm_mutex_init (&stress->rows_lock);
  for (i = 0; i < THREADS; i++) {
    workers[i] = (Worker){.stress = stress,
        .number = numbers[i],
        .rand = g_rand_new_with_seed (691299 + i),
        .held = g_ptr_array_new (),
        .mark = (guint8) (1 + i)};
    threads[i] = g_thread_new ("worker", work, &workers[i]);
  }
  for (i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  for (i = 0; i < THREADS; i++) {
    while (workers[i].held->len > 0)
      give_held (stress, pick (&workers[i]));
    g_ptr_array_unref (workers[i].held);
    g_rand_free (workers[i].rand);
  }
  end_of_stress (stress);
  if (has_failed (stress))
    fail_msg ("%s", atomic_load (&stress->wrong));
  assert_held (fixture, 0);
  fm_mutex_clear (&stress->rows_lock);
  g_free (stress);
}

static void
test_one_stream (void **state)
{
  static const guint numbers[THREADS] = {0, STREAMS, 2 * STREAMS, 3 * STREAMS};

  run_stress (*state, numbers);
}

static void
test_shared_numbers (void **state)
{
  static const guint numbers[THREADS] = {
      FM_THREADS, FM_THREADS, FM_THREADS + STREAMS, FM_THREADS + 1};

  run_stress (*state, numbers);
}

static void
test_all_kinds (void **state)
{
  static const guint numbers[THREADS] = {0, STREAMS, FM_THREADS, 1};

  run_stress (*state, numbers);
}

/* ---- a cut while its extent is reopened ---- */

typedef struct
{
  FmHeap *heap;
  guint stream;
  FmExtent *extent;
  atomic_bool has_started, stop;
} Reopening;

static gpointer
reopen (gpointer data)
{
  Reopening *reopening = data;

  while (!atomic_load (&reopening->stop)) {
    atomic_store (&reopening->extent->full, TRUE);
    fm_heap_open (reopening->heap, reopening->stream, NULL);
    atomic_store (&reopening->extent->full, FALSE);
    fm_heap_open (reopening->heap, reopening->stream, reopening->extent);
    atomic_store (&reopening->has_started, TRUE);
  }
  return NULL;
}

/* A thread that has more than a chunk left to cut finds it closed or open, but
 * never that the limit is reached. */
static void
cut_while_reopened (Fixture *fixture, guint number)
{
  guint stream = number % STREAMS, n_done = 0;
  Reopening reopening = {.heap = fixture->heap,
      .stream = stream,
      .extent = open_fresh (fixture, stream, number)};
  GThread *thread;
  gsize offset;

  cut_aligned (fixture, number, 1, EXTENT / 4 - 1, &offset);
  thread = g_thread_new ("reopen", reopen, &reopening);
  while (!atomic_load (&reopening.has_started))
    g_thread_yield ();
  while (n_done < EXTENT / 4 - CHUNK) {
    FmExtent *left;
    FmBlock block;
    FmCutResult result = fm_heap_cut (fixture->heap, number,
        number & (STREAMS - 1), 1, 0, &block, &offset, &left);

    if (result == FM_CUT_FULL)
      break;
    n_done += result == FM_CUT_DONE;
  }
  atomic_store (&reopening.stop, TRUE);
  g_thread_join (thread);
  assert_int_equal (n_done, EXTENT / 4 - CHUNK);
}

static void
test_cut_while_reopened (void **state)
{
  guint number;

  for (number = 0; number < FM_THREADS; number++)
    cut_while_reopened (*state, number);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_one_stream),
      TEST (test_shared_numbers),
      TEST (test_all_kinds),
      TEST (test_cut_while_reopened),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
