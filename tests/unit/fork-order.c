/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork-order.c: tests the registrar of fork handlers: the order of the places
 * in all three phases, what is left out, and places that come while others
 * fork.
 *
 * What the handlers of parent and child do is written into shared memory, of
 * which each has its half.
 */
#include "fork.h"
#include "testing.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PLACES(X) \
  X (WATCH) X (TRACER) X (ATTRIBUTION) X (REGISTRY) X (DETECTION) X (PAGER)

#define STEPS_MAX 64

typedef enum { PREPARE = 'b', PARENT = 'p', CHILD = 'c' } Phase;

typedef struct
{
  guint n;
  struct
  {
    Phase phase;
    FmForkPlace place;
  } step[STEPS_MAX];
} Log;

static Log *logs; /* the parent's and the child's */
static Log *mine;

/* Whether the place has been prepared and not resumed. */
static gboolean prepared[FM_N_FORK_PLACES];
static atomic_uint n_wrong;

static void
note (Phase phase, FmForkPlace place)
{
  if (mine->n < STEPS_MAX) {
    mine->step[mine->n].phase = phase;
    mine->step[mine->n].place = place;
    mine->n++;
  }
  if (prepared[place] == (phase == PREPARE))
    atomic_fetch_add (&n_wrong, 1);
  prepared[place] = phase == PREPARE;
}

#define HANDLERS(place)                   \
  static void prepare_##place (void)      \
  {                                       \
    note (PREPARE, FM_FORK_##place);      \
  }                                       \
  static void resume_##place (void)       \
  {                                       \
    note (PARENT, FM_FORK_##place);       \
  }                                       \
  static void resume_child_##place (void) \
  {                                       \
    mine = &logs[1];                      \
    note (CHILD, FM_FORK_##place);        \
  }
PLACES (HANDLERS)
#undef HANDLERS

static const FmForkHandlers all[FM_N_FORK_PLACES] = {
#define HANDLERS(place) \
  [FM_FORK_##place] = {prepare_##place, resume_##place, resume_child_##place},
    PLACES (HANDLERS)
#undef HANDLERS
};
static const FmForkHandlers none;

static int
set_up (void **state)
{
  logs = mmap (NULL, 2 * sizeof *logs, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal (logs, MAP_FAILED);
  mine = &logs[0];
  return 0;
}

static int
tear_down (void **state)
{
  guint place;

  for (place = 0; place < FM_N_FORK_PLACES; place++)
    fm_fork_register (place, &none);
  munmap (logs, 2 * sizeof *logs);
  return 0;
}

/* FALSE where the child ended badly, or somebody's turn was wrong so far. */
static gboolean
fork_well (void)
{
  int status = 0;
  pid_t pid;

  pid = fork ();
  if (pid == 0)
    _exit (atomic_load (&n_wrong) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
  return pid > 0 && waitpid (pid, &status, 0) == pid && status == 0
      && atomic_load (&n_wrong) == 0;
}

/* From @at on the log has one phase of the places for which @handlers have
 * anything, in that direction. Returns where it ends. */
static guint
check_phase (const Log *log, guint at, Phase phase, gboolean backwards,
    const FmForkHandlers *const *handlers)
{
  guint i;

  for (i = 0; i < FM_N_FORK_PLACES; i++) {
    FmForkPlace place = backwards ? FM_N_FORK_PLACES - 1 - i : i;

    if (handlers[place]->prepare == NULL)
      continue;
    assert_true (at < log->n);
    assert_int_equal (log->step[at].phase, phase);
    assert_int_equal (log->step[at].place, place);
    at++;
  }
  return at;
}

static void
check_logs (const FmForkHandlers *const *handlers)
{
  guint at = check_phase (&logs[0], 0, PREPARE, FALSE, handlers);

  at = check_phase (&logs[0], at, PARENT, TRUE, handlers);
  assert_int_equal (logs[0].n, at);
  at = check_phase (&logs[1], 0, CHILD, TRUE, handlers);
  assert_int_equal (logs[1].n, at);
}

static void
test_order (void **state)
{
  static const FmForkPlace order[FM_N_FORK_PLACES] = {FM_FORK_DETECTION,
      FM_FORK_PAGER, FM_FORK_WATCH, FM_FORK_REGISTRY, FM_FORK_ATTRIBUTION,
      FM_FORK_TRACER};
  const FmForkHandlers *handlers[FM_N_FORK_PLACES];
  guint i;

  /* The order of registering is none. */
  for (i = 0; i < FM_N_FORK_PLACES; i++) {
    handlers[order[i]] = &all[order[i]];
    fm_fork_register (order[i], &all[order[i]]);
  }
  assert_true (fork_well ());
  check_logs (handlers);
}

static void
test_again (void **state)
{
  const FmForkHandlers *handlers[FM_N_FORK_PLACES];
  guint i;

  for (i = 0; i < FM_N_FORK_PLACES; i++)
    handlers[i] = &none;
  handlers[FM_FORK_REGISTRY] = &all[FM_FORK_REGISTRY];
  for (i = 0; i < 3; i++)
    fm_fork_register (FM_FORK_REGISTRY, &all[FM_FORK_REGISTRY]);
  assert_true (fork_well ());
  check_logs (handlers);
}

static void
test_one_function (void **state)
{
  static const FmForkHandlers child_only = {.child = resume_child_TRACER};

  prepared[FM_FORK_TRACER] = TRUE;
  fm_fork_register (FM_FORK_TRACER, &child_only);
  assert_true (fork_well ());
  prepared[FM_FORK_TRACER] = FALSE;
  assert_int_equal (logs[0].n, 0);
  assert_int_equal (logs[1].n, 1);
  assert_int_equal (logs[1].step[0].phase, CHILD);
}

/* ---- from several threads ---- */

static atomic_bool stopping;

static gpointer
come_and_go (gpointer place)
{
  const guint i = GPOINTER_TO_UINT (place);

  while (!atomic_load (&stopping)) {
    fm_fork_register (i, &all[i]);
    g_thread_yield ();
    fm_fork_register (i, &none);
  }
  return NULL;
}

/* Whoever has had its turn before the fork has it afterwards, and nobody
 * else. */
static void
test_threads (void **state)
{
  GThread *threads[FM_N_FORK_PLACES];
  gboolean well = TRUE;
  guint i;

  atomic_store (&stopping, FALSE);
  for (i = 0; i < FM_N_FORK_PLACES; i++)
    threads[i] = g_thread_new ("place", come_and_go, GUINT_TO_POINTER (i));
  for (i = 0; i < 100; i++)
    well = fork_well () && well;
  atomic_store (&stopping, TRUE);
  for (i = 0; i < FM_N_FORK_PLACES; i++)
    g_thread_join (threads[i]);
  assert_true (well);
}

static gpointer
fork_often (gpointer ret_well)
{
  gboolean *well = ret_well;
  guint i;

  for (i = 0; i < 50; i++)
    *well = fork_well () && *well;
  return NULL;
}

/* Two forks at once take turns. */
static void
test_forks_at_once (void **state)
{
  gboolean here = TRUE, there = TRUE;
  GThread *other;
  guint i;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("the sanitizer takes its parent's thread for a leak of the "
                  "child");
  for (i = 0; i < FM_N_FORK_PLACES; i++)
    fm_fork_register (i, &all[i]);
  other = g_thread_new ("fork", fork_often, &there);
  fork_often (&here);
  g_thread_join (other);
  assert_true (here && there);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST (test_order),
      TEST (test_again),
      TEST (test_one_function),
      TEST (test_threads),
      TEST (test_forks_at_once),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
