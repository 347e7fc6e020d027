/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-turns.c: tests whose turn it is to have room: a fill comes about
 * however many allocations wait, and does not wait for the disk of another. The
 * disk writes and reads only as much as the test lets it.
 */
#include "pager-fixture.h"
#include "seam.h"

/* Half of them are on disk. */
#define N_EXTENTS (2 * IN_BUDGET)

/* Who has waited for longer to allocate goes before fills that come later. */
#define OVERTAKING_US 100000

/* A test that gets nowhere fails after so long; one that succeeds never waits
 * for it. */
#define STUCK_US (20 * G_USEC_PER_SEC)

#define OLDER 6
#define YOUNGER 24
/* Enough for those who came before the fill and for that, not for all. */
#define WRITES (OLDER + 8)

static FmMutex lock;
static FmCond changed;
/* Under the lock. */
static guint writes_left;    /* that the disk will do */
static guint reads_at_least; /* that have to begin before it does any */
static guint n_reads;        /* fills of ours that have begun to read */
static guint n_done;         /* threads of ours that have what they want */
static gboolean stuck;       /* nobody is held up any more */

/* Of a thread of ours that has not begun to read. */
static _Thread_local gboolean is_new_reader;

/* With the lock held; not for ever. */
static void
wait_for_change (gint64 end)
{
  if (!fm_cond_wait_until (&changed, &lock, end)) {
    stuck = TRUE;
    fm_cond_broadcast (&changed);
  }
}

static int
disk (const FmCallInfo *info)
{
  const gint64 end = fm_now () + STUCK_US;

  if (info->call != FM_CALL_PWRITE && info->call != FM_CALL_PREAD)
    return 0;
  fm_mutex_lock (&lock);
  if (info->call == FM_CALL_PWRITE) {
    while (writes_left == 0 && !stuck)
      wait_for_change (end);
    writes_left -= MIN (writes_left, 1);
  } else if (is_new_reader) {
    is_new_reader = FALSE;
    n_reads++;
    fm_cond_broadcast (&changed);
    while (n_reads < reads_at_least && !stuck)
      wait_for_change (end);
  }
  fm_mutex_unlock (&lock);
  return 0;
}

static void
let_write (guint n)
{
  fm_mutex_lock (&lock);
  writes_left = n;
  fm_cond_broadcast (&changed);
  fm_mutex_unlock (&lock);
}

/* The budget is full, and as much is on disk; then the disk stops. */
static int
setup (void **state)
{
  Fixture *fixture;
  guint i;

  fm_mutex_init (&lock);
  fm_cond_init (&changed);
  reads_at_least = n_reads = n_done = 0;
  stuck = FALSE;
  writes_left = G_MAXUINT;
  fm_seam_set_hook (disk);
  fixture_setup (state);
  fixture = *state;
  for (i = 0; i < N_EXTENTS; i++)
    write_extent (fixture, acquire (fixture, EXTENT, FALSE), i);
  let_write (0);
  return 0;
}

static int
teardown (void **state)
{
  let_write (G_MAXUINT);
  fixture_teardown (state);
  fm_mutex_clear (&lock);
  fm_cond_clear (&changed);
  return 0;
}

/* ---- threads that want room ---- */

typedef struct
{
  GThread *thread;
  Fixture *fixture;
  FmExtent *extent;
  gboolean succeeds;
} Worker;

static void
note_done (void)
{
  fm_mutex_lock (&lock);
  n_done++;
  fm_mutex_unlock (&lock);
}

static gpointer
allocate (gpointer data)
{
  Worker *worker = data;

  worker->succeeds =
      fm_pager_acquire (worker->fixture->pager, EXTENT, FALSE, &worker->extent)
      == FM_ACQUIRED;
  note_done ();
  return NULL;
}

/* Not to read, so that nobody reads ahead. */
static gpointer
map (gpointer data)
{
  Worker *worker = data;
  FmPager *pager = worker->fixture->pager;

  is_new_reader = TRUE;
  worker->succeeds =
      fm_pager_pin (pager, &(FmBlock){worker->extent}, FM_PIN_WRITE);
  if (worker->succeeds)
    fm_pager_unpin (pager, &(FmBlock){worker->extent}, FM_PIN_WRITE, EXTENT, 1);
  note_done ();
  return NULL;
}

static guint
n_waiting (Fixture *fixture, FmRoomKind kind)
{
  FmPager *pager = fixture->pager;
  guint n;

  fm_pager_lock (pager);
  n = pager->line[kind].length;
  fm_pager_unlock (pager);
  return n;
}

/* Starts one, and lets it wait or be done. */
static void
start (GArray *workers, Fixture *fixture, GThreadFunc func, FmExtent *extent)
{
  Worker *worker = g_new0 (Worker, 1);
  guint waiting, done;

  worker->fixture = fixture;
  worker->extent = extent;
  worker->thread = g_thread_new ("worker", func, worker);
  g_array_append_val (workers, worker);
  do {
    g_usleep (200);
    waiting = n_waiting (fixture, FM_ROOM_FOR_ALLOC)
        + n_waiting (fixture, FM_ROOM_FOR_FILL);
    fm_mutex_lock (&lock);
    done = n_done;
    fm_mutex_unlock (&lock);
  } while (waiting + done < workers->len);
}

/* All come to their end in the end, with what they wanted. */
static void
join (GArray *workers)
{
  guint i;

  let_write (G_MAXUINT);
  for (i = 0; i < workers->len; i++) {
    Worker *worker = g_array_index (workers, Worker *, i);

    g_thread_join (worker->thread);
    assert_true (worker->succeeds);
    g_free (worker);
  }
  g_array_unref (workers);
}

static FmExtent *
next_spilled (Fixture *fixture, guint *next)
{
  FmExtent *extent;

  do {
    extent = fm_extent_at (&fixture->table, *next);
    (*next)++;
    assert_true (*next < fixture->table.n_usable);
  } while (state_of (extent) != FM_SPILLED);
  return extent;
}

/* ---- the tests ---- */

/* Allocations that came earlier go first, those that come later do not. */
static void
test_fill_among_allocations (void **state)
{
  Fixture *fixture = *state;
  GArray *workers = g_array_new (FALSE, FALSE, sizeof (Worker *));
  const gint64 end = fm_now () + 2 * STUCK_US;
  guint next = 0, i, waiting;

  while (n_waiting (fixture, FM_ROOM_FOR_ALLOC) < OLDER)
    start (workers, fixture, allocate, NULL);
  g_usleep (2 * OVERTAKING_US);
  start (workers, fixture, map, next_spilled (fixture, &next));
  assert_int_equal (n_waiting (fixture, FM_ROOM_FOR_FILL), 1);
  for (i = 0; i < YOUNGER; i++)
    start (workers, fixture, allocate, NULL);
  g_usleep (2 * OVERTAKING_US);

  let_write (WRITES);
  fm_mutex_lock (&lock);
  while (n_reads == 0 && !stuck)
    wait_for_change (end);
  fm_mutex_unlock (&lock);
  waiting = n_waiting (fixture, FM_ROOM_FOR_ALLOC);
  join (workers);
  assert_false (stuck);
  assert_in_range (waiting, 1, YOUNGER);
}

/* Two of them have waited for room, and read at the same time. */
static void
test_fills_at_once (void **state)
{
  Fixture *fixture = *state;
  GArray *workers = g_array_new (FALSE, FALSE, sizeof (Worker *));
  const gint64 end = fm_now () + 2 * STUCK_US;
  guint next = 0;

  while (n_waiting (fixture, FM_ROOM_FOR_FILL) < 2)
    start (workers, fixture, map, next_spilled (fixture, &next));

  fm_mutex_lock (&lock);
  reads_at_least = n_reads + 2;
  fm_mutex_unlock (&lock);
  let_write (WRITES);
  fm_mutex_lock (&lock);
  while (n_reads < reads_at_least && !stuck)
    wait_for_change (end);
  fm_mutex_unlock (&lock);
  join (workers);
  assert_false (stuck);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_fill_among_allocations),
      TEST (test_fills_at_once),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
