/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scheduler.c: see scheduler.h.
 */
#include "scheduler-private.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <string.h>

struct SchedulerWorld scheduler;

static _Alignas(64) gchar stacks[MOST_COROUTINES][SCHEDULER_STACK];

static gpointer outside;

/* As swapcontext(), without its two system calls for the mask of signals: what
 * a called function has to keep is on the stack, and *@before points at it. */
void scheduler_switch (gpointer *before, gpointer next);

__asm__(".text\n"
        ".type scheduler_switch, @function\n"
        "scheduler_switch:\n"
        "  pushq %rbp\n"
        "  pushq %rbx\n"
        "  pushq %r12\n"
        "  pushq %r13\n"
        "  pushq %r14\n"
        "  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n"
        "  popq %r14\n"
        "  popq %r13\n"
        "  popq %r12\n"
        "  popq %rbx\n"
        "  popq %rbp\n"
        "  ret\n"
        ".size scheduler_switch, . - scheduler_switch\n");

#define N_KEPT 6

/* So that a switch to it calls @func, which never returns. */
static gpointer
new_context (gchar *stack, void (*func) (void))
{
  gpointer *top = (gpointer *) (stack + SCHEDULER_STACK);

  /* The stack has been zeroed; as after a call, it is aligned but for one
   * word, the address to return to. */
  top[-2] = func;
  return top - 2 - N_KEPT;
}

void
scheduler_print_coroutines (void)
{
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    const struct Coroutine *coroutine = &scheduler.coroutine[i];

    if (coroutine->state != UNUSED)
      fprintf (stderr, "  %s: state %d, waits for %p\n", coroutine->name,
          coroutine->state, coroutine->waits_for);
  }
}

static void __attribute__ ((noinline)) switch_to (struct Coroutine *next)
{
  struct Coroutine *before = scheduler.running;

  if (next == before)
    return;
  /* What registers hold is part of the state, too: it is on the stack now. */
  __builtin_unwind_init ();
  before->stack_end = (gchar *) &next;
  scheduler.running = next;
  scheduler_switch (&before->context, next->context);
}

/* Wakes whoever has the earliest deadline. */
static gboolean
let_time_pass (void)
{
  struct Coroutine *first = NULL;
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    struct Coroutine *coroutine = &scheduler.coroutine[i];

    if (coroutine->state == WAITS_FOR_COND && coroutine->deadline != 0
        && (first == NULL || coroutine->deadline < first->deadline))
      first = coroutine;
  }
  if (first == NULL)
    return FALSE;
  scheduler.now = MAX (scheduler.now, first->deadline);
  first->timed_out = TRUE;
  first->state = RUNNABLE;
  return TRUE;
}

/* What registers hold is part of the state, too: it is on the stack then. */
static guint __attribute__ ((noinline)) decide (guint n, gboolean can_go_on)
{
  volatile gsize end = 0;

  __builtin_unwind_init ();
  scheduler.running->stack_end = (gchar *) &end;
  return scheduler_decide (n, can_go_on);
}

/* Lets somebody run. */
static void
schedule (void)
{
  struct Coroutine *candidate[MOST_COROUTINES] = {NULL};
  gboolean can_go_on = scheduler.running->state == RUNNABLE;
  guint n = 0, i;

  if (can_go_on && !scheduler.exploring)
    return;
  do {
    /* It may be the one whom time has woken. */
    if (scheduler.running->state == RUNNABLE)
      candidate[n++] = scheduler.running;
    for (i = 0; i < MOST_COROUTINES; i++) {
      struct Coroutine *coroutine = &scheduler.coroutine[i];

      if (coroutine->state == RUNNABLE && coroutine != scheduler.running)
        candidate[n++] = coroutine;
    }
  } while (n == 0 && let_time_pass ());
  if (n == 0)
    scheduler_fail ("deadlock");
  switch_to (
      candidate[n > 1 && scheduler.exploring ? decide (n, can_go_on) : 0]);
}

void
fm_point (void)
{
  if (scheduler.exploring)
    schedule ();
}

static void
block (CoroutineState state, gpointer on, gint64 deadline)
{
  struct Coroutine *self = scheduler.running;

  self->state = state;
  self->waits_for = on;
  self->deadline = deadline;
  self->timed_out = FALSE;
  self->since = scheduler.waits++;
  schedule ();
}

/* Wakes the one that has waited longest; FALSE if nobody does. */
static gboolean
wake_one (CoroutineState state, gpointer on)
{
  struct Coroutine *longest = NULL;
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    struct Coroutine *coroutine = &scheduler.coroutine[i];

    if (coroutine->state == state && coroutine->waits_for == on
        && (longest == NULL || coroutine->since < longest->since))
      longest = coroutine;
  }
  if (longest != NULL)
    longest->state = RUNNABLE;
  return longest != NULL;
}

void
fm_mutex_init (FmMutex *mutex)
{
  mutex->owner = NULL;
}

void
fm_mutex_clear (FmMutex *mutex)
{
  scheduler_assert (mutex->owner == NULL);
}

gboolean
fm_mutex_trylock (FmMutex *mutex)
{
  fm_point ();
  if (mutex->owner != NULL)
    return FALSE;
  mutex->owner = scheduler.running;
  return TRUE;
}

void
fm_mutex_lock (FmMutex *mutex)
{
  while (mutex->owner != NULL) {
    scheduler_assert (mutex->owner != scheduler.running);
    block (WAITS_FOR_MUTEX, mutex, 0);
  }
  mutex->owner = scheduler.running;
}

void
fm_mutex_unlock (FmMutex *mutex)
{
  scheduler_assert (mutex->owner == scheduler.running);
  mutex->owner = NULL;
  while (wake_one (WAITS_FOR_MUTEX, mutex))
    continue;
}

void
fm_cond_init (FmCond *cond)
{
}

void
fm_cond_clear (FmCond *cond)
{
}

void
fm_cond_signal (FmCond *cond)
{
  (void) wake_one (WAITS_FOR_COND, cond);
}

void
fm_cond_broadcast (FmCond *cond)
{
  while (wake_one (WAITS_FOR_COND, cond))
    continue;
}

gboolean
fm_cond_wait_until (FmCond *cond, FmMutex *mutex, gint64 deadline)
{
  struct Coroutine *self = scheduler.running;

  fm_mutex_unlock (mutex);
  block (WAITS_FOR_COND, cond, deadline);
  fm_mutex_lock (mutex);
  return !self->timed_out;
}

void
fm_cond_wait (FmCond *cond, FmMutex *mutex)
{
  (void) fm_cond_wait_until (cond, mutex, 0);
}

gint64
fm_now (void)
{
  return scheduler.now;
}

static void
run_coroutine (void)
{
  struct Coroutine *self = scheduler.running;

  self->func (self->data);
  self->state = ENDED;
  while (wake_one (WAITS_FOR_END, self))
    continue;
  schedule ();
}

FmThread *
fm_scheduler_spawn (const gchar *name, GThreadFunc func, gpointer data)
{
  struct Coroutine *coroutine = NULL;
  guint i;

  for (i = 0; i < MOST_COROUTINES && coroutine == NULL; i++) {
    if (scheduler.coroutine[i].state == UNUSED)
      coroutine = &scheduler.coroutine[i];
  }
  scheduler_assert (coroutine != NULL);
  coroutine->stack = stacks[coroutine - scheduler.coroutine];
  /* Frames that were left and not returned from. */
  ASAN_UNPOISON_MEMORY_REGION (coroutine->stack, SCHEDULER_STACK);
  memset (coroutine->stack, 0, SCHEDULER_STACK);
  coroutine->stack_end = coroutine->stack + SCHEDULER_STACK;
  coroutine->name = name;
  coroutine->func = func;
  coroutine->data = data;
  coroutine->state = RUNNABLE;
  coroutine->context = new_context (coroutine->stack, run_coroutine);
  return coroutine;
}

gpointer
fm_thread_join (FmThread *thread)
{
  while (thread->state != ENDED)
    block (WAITS_FOR_END, thread, 0);
  thread->state = UNUSED;
  return NULL;
}

void
scheduler_set_exploring (gboolean on)
{
  scheduler.exploring = on;
}

static gpointer
run_main (gpointer data)
{
  void (*func) (void) = (void (*) (void)) (gsize) data;

  func ();
  scheduler_switch (&scheduler.running->context, outside);
  return NULL;
}

void
scheduler_run (void (*func) (void))
{
  guint i;

  scheduler.exploring = FALSE;
  scheduler.now = G_USEC_PER_SEC;
  scheduler.running = NULL;
  scheduler.running =
      fm_scheduler_spawn ("main", run_main, (gpointer) (gsize) func);
  scheduler_switch (&outside, scheduler.running->context);
  scheduler.coroutine[0].state = UNUSED;
  for (i = 0; i < MOST_COROUTINES; i++) {
    if (scheduler.coroutine[i].state != UNUSED)
      scheduler_fail ("a coroutine was left behind");
  }
}
