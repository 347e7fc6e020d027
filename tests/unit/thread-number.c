/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * thread-number.c: tests the numbers of threads: nobody else's while a thread
 * lives, the lowest used again, shared ones beyond FM_THREADS; and the numbers
 * of those that write.
 */
#include "thread-number.h"
#include "sync.h"
#include "testing.h"

#include <pthread.h>
#include <stdatomic.h>

#define SHARING 10

/* A thread that has a number and waits until it may end. */
typedef struct
{
  GThread *thread;
  FmMutex lock;
  FmCond changed;
  gboolean has_number, may_end;
  guint (*take) (void);
  guint number, number_again;
} Worker;

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  guint number = worker->take ();

  fm_mutex_lock (&worker->lock);
  worker->number = number;
  worker->has_number = TRUE;
  fm_cond_broadcast (&worker->changed);
  while (!worker->may_end)
    fm_cond_wait (&worker->changed, &worker->lock);
  worker->number_again = worker->take ();
  fm_mutex_unlock (&worker->lock);
  return NULL;
}

static void
start_with (Worker *worker, guint (*take) (void))
{
  worker->take = take;
  worker->has_number = worker->may_end = FALSE;
  fm_mutex_init (&worker->lock);
  fm_cond_init (&worker->changed);
  worker->thread = g_thread_new ("worker", work, worker);
  fm_mutex_lock (&worker->lock);
  while (!worker->has_number)
    fm_cond_wait (&worker->changed, &worker->lock);
  fm_mutex_unlock (&worker->lock);
}

static void
start (Worker *worker)
{
  start_with (worker, fm_thread_number);
}

static void
end (Worker *worker)
{
  fm_mutex_lock (&worker->lock);
  worker->may_end = TRUE;
  fm_cond_broadcast (&worker->changed);
  fm_mutex_unlock (&worker->lock);
  g_thread_join (worker->thread);
  fm_mutex_clear (&worker->lock);
  fm_cond_clear (&worker->changed);
  assert_int_equal (worker->number_again, worker->number);
}

/* The number of a thread that ends at once. */
static guint
number_of_next (void)
{
  Worker worker;

  start (&worker);
  end (&worker);
  return worker.number;
}

static void
test_stays (void **state)
{
  guint number = fm_thread_number ();

  assert_true (number < FM_THREADS);
  assert_true (number_of_next () != number);
  assert_int_equal (fm_thread_number (), number);
}

static void
test_lowest_again (void **state)
{
  guint mine = fm_thread_number (), i;
  Worker workers[8];

  /* This is the first thread that asked. */
  assert_int_equal (mine, 0);
  for (i = 0; i < 8; i++) {
    start (&workers[i]);
    assert_int_equal (workers[i].number, 1 + i);
  }
  end (&workers[6]);
  end (&workers[2]);
  end (&workers[4]);
  start (&workers[4]);
  assert_int_equal (workers[4].number, 3);
  start (&workers[2]);
  assert_int_equal (workers[2].number, 5);
  start (&workers[6]);
  assert_int_equal (workers[6].number, 7);
  for (i = 0; i < 8; i++)
    end (&workers[i]);
  assert_int_equal (number_of_next (), 1);
}

static void
test_beyond (void **state)
{
  g_autofree Worker *workers = g_new0 (Worker, FM_THREADS + SHARING);
  gboolean used[FM_THREADS] = {FALSE};
  guint n_own = 0, i;

  used[fm_thread_number ()] = TRUE;
  for (i = 1; i < FM_THREADS + SHARING; i++) {
    guint number;

    start (&workers[i]);
    number = workers[i].number;
    if (number < FM_THREADS) {
      assert_false (used[number]);
      used[number] = TRUE;
      n_own++;
    } else {
      assert_true (number < 2 * FM_THREADS);
      assert_true (i >= FM_THREADS);
    }
  }
  assert_int_equal (n_own, FM_THREADS - 1);

  /* The end of one that shares gives nobody a number of its own. */
  end (&workers[FM_THREADS]);
  assert_true (number_of_next () >= FM_THREADS);
  end (&workers[40]);
  assert_int_equal (number_of_next (), workers[40].number);
  for (i = 1; i < FM_THREADS + SHARING; i++) {
    if (i != 40 && i != FM_THREADS)
      end (&workers[i]);
  }
  for (i = 0; i < 2 * FM_THREADS; i++)
    assert_int_equal (number_of_next (), 1);
}

/* ---- all at once ---- */

#define ROUNDS 2000
#define AT_ONCE 4

static atomic_uint owner[FM_THREADS];
static atomic_uint n_shared;

static gpointer
claim (gpointer data)
{
  guint number = fm_thread_number ();

  if (number >= FM_THREADS || atomic_fetch_add (&owner[number], 1) != 0)
    atomic_fetch_add (&n_shared, 1);
  else
    atomic_fetch_sub (&owner[number], 1);
  return NULL;
}

static void
test_at_once (void **state)
{
  GThread *threads[AT_ONCE];
  guint round, i;

  for (round = 0; round < ROUNDS; round++) {
    for (i = 0; i < AT_ONCE; i++)
      threads[i] = g_thread_new ("claim", claim, NULL);
    for (i = 0; i < AT_ONCE; i++)
      g_thread_join (threads[i]);
  }
  assert_int_equal (atomic_load (&n_shared), 0);
  assert_int_equal (number_of_next (), 1);
}

/* ---- at the end of a thread ---- */

static pthread_key_t late_key;

typedef struct
{
  guint number, late_number, late_number_again;
  guint round;
  Worker heir; /* takes the number that was given back */
} Late;

/* Others' destructors have run once when this one runs for the second time. */
static void
destroy_late (gpointer data)
{
  Late *late = data;

  if (late->round++ == 0) {
    pthread_setspecific (late_key, late);
    return;
  }
  start (&late->heir);
  late->late_number = fm_thread_number ();
  late->late_number_again = fm_thread_number ();
}

static gpointer
end_late (gpointer data)
{
  Late *late = data;

  late->number = fm_thread_number ();
  pthread_setspecific (late_key, late);
  return NULL;
}

static void
test_asks_at_its_end (void **state)
{
  Worker before, next;
  Late late = {0};

  assert_int_equal (pthread_key_create (&late_key, destroy_late), 0);
  start (&before);
  g_thread_join (g_thread_new ("late", end_late, &late));
  assert_int_equal (late.round, 2);
  assert_int_equal (late.number, before.number + 1);
  assert_int_equal (late.heir.number, late.number);
  assert_int_equal (late.late_number, late.number + 1);
  assert_int_equal (late.late_number_again, late.late_number);
  /* And that one was given back as well. */
  start (&next);
  assert_int_equal (next.number, late.late_number);
  end (&next);
  end (&late.heir);
  end (&before);
  pthread_key_delete (late_key);
}

/* ---- writers ---- */

static void
start_writer (Worker *worker)
{
  start_with (worker, fm_writer_number);
}

static guint
number_of_next_writer (void)
{
  Worker worker;

  start_writer (&worker);
  end (&worker);
  return worker.number;
}

/* It is told apart from the number of a thread, and used again. */
static void
test_writer (void **state)
{
  Worker reader, writers[4];
  guint i;

  assert_int_equal (fm_writer_number (), 0);
  assert_int_equal (fm_writer_number (), 0);
  /* Who only reads takes none. */
  start (&reader);
  for (i = 0; i < 4; i++) {
    start_writer (&writers[i]);
    assert_int_equal (writers[i].number, 1 + i);
  }
  end (&writers[1]);
  end (&writers[2]);
  start_writer (&writers[1]);
  assert_int_equal (writers[1].number, 2);
  start_writer (&writers[2]);
  assert_int_equal (writers[2].number, 3);
  for (i = 0; i < 4; i++)
    end (&writers[i]);
  end (&reader);
  assert_int_equal (number_of_next_writer (), 1);
}

static void
test_writers_beyond (void **state)
{
  g_autofree Worker *writers = g_new0 (Worker, FM_WRITERS + SHARING);
  gboolean used[FM_WRITERS] = {FALSE};
  guint i;

  used[fm_writer_number ()] = TRUE;
  for (i = 1; i < FM_WRITERS + SHARING; i++) {
    guint number;

    start_writer (&writers[i]);
    number = writers[i].number;
    assert_true (number < FM_WRITERS);
    assert_int_equal (used[number], i >= FM_WRITERS);
    used[number] = TRUE;
  }

  /* The end of one that shares gives away nobody's number. */
  end (&writers[FM_WRITERS]);
  start_writer (&writers[FM_WRITERS]);
  assert_true (writers[FM_WRITERS].number < FM_WRITERS);
  end (&writers[200]);
  assert_int_equal (number_of_next_writer (), writers[200].number);
  start_writer (&writers[200]);
  for (i = 1; i < FM_WRITERS + SHARING; i++)
    end (&writers[i]);
  for (i = 0; i < 2 * FM_WRITERS; i++)
    assert_int_equal (number_of_next_writer (), 1);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_stays),
      cmocka_unit_test (test_lowest_again),
      cmocka_unit_test (test_beyond),
      cmocka_unit_test (test_at_once),
      cmocka_unit_test (test_asks_at_its_end),
      cmocka_unit_test (test_writer),
      cmocka_unit_test (test_writers_beyond),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
