/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scheduler.c: see scheduler.h.
 *
 * A depth-first walk without saved states: a run follows the decisions of the
 * one before up to the last that had an alternative left, takes that, and from
 * there on always the first. Choice 0 is to go on with the coroutine that runs.
 *
 * A state is known by a hash of 64 bits. Values that a stack still holds but
 * nobody will use make two states look different that are the same: that costs
 * runs, and misses nothing.
 */
#include "scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_COROUTINES 12
#define MOST_DECISIONS 4096
#define MOST_SHOWN 64
#define STACK_BYTES (16 * 1024)
#define MOST_REGIONS 48
#define HEAP_BYTES (1024 * 1024)
#define MOST_STATES ((gsize) 1 << 24)

typedef enum {
  UNUSED,
  RUNNABLE,
  WAITS_FOR_MUTEX,
  WAITS_FOR_COND,
  WAITS_FOR_END,
  ENDED
} CoroutineState;

struct Coroutine
{
  CoroutineState state;
  gpointer context; /* its stack pointer, while it does not run */
  gchar *stack;
  gchar *stack_end; /* the lowest address in use, while it does not run */
  const gchar *name;
  GThreadFunc func;
  gpointer data;
  gpointer waits_for; /* mutex, condition or coroutine */
  gint64 deadline;    /* 0: none */
  gboolean timed_out;
  guint64 since; /* order of waiting */
};

static struct
{
  struct Coroutine coroutine[MOST_COROUTINES];
  struct Coroutine *running;
  gpointer outside;
  gboolean exploring;
  gint64 now;
  guint64 waits;
  const gchar *name;
  void (*scenario) (void);

  guint choice[MOST_DECISIONS];
  guint n_choices[MOST_DECISIONS];
  guint n_decisions; /* of this run */
  guint n_given;     /* of which follow the run before */
  guint preemptions;
  guint most_preemptions;

  struct
  {
    gconstpointer memory;
    gsize bytes;
  } region[MOST_REGIONS];
  guint n_regions;
  gboolean compares; /* states are compared */
  guint64 *seen;     /* a hash table of those that were seen; 0 is empty */
  gsize n_seen;
  gboolean known; /* this run has come to a state that was seen before */

  gboolean in_run;
  gsize heap_used; /* by this run */
} world;

/* What a run allocates has the same address in each, so that pointers can be
 * compared: there is no use for giving memory back within a run, and at the
 * next one all of it is free. Needs G_SLICE=always-malloc. */
static _Alignas(64) gchar heap[HEAP_BYTES];

static _Alignas(64) gchar stacks[MOST_COROUTINES][STACK_BYTES];

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
  gpointer *top = (gpointer *) (stack + STACK_BYTES);

  /* The stack has been zeroed; as after a call, it is aligned but for one
   * word, the address to return to. */
  top[-2] = func;
  return top - 2 - N_KEPT;
}

static gboolean
is_in_heap (gpointer memory)
{
  return (gchar *) memory >= heap && (gchar *) memory < heap + HEAP_BYTES;
}

static gpointer
heap_alloc (gsize bytes)
{
  gsize start = (world.heap_used + sizeof (gsize) + 15) & ~(gsize) 15;

  if (start + bytes > HEAP_BYTES)
    abort ();
  world.heap_used = start + bytes;
  memcpy (heap + start - sizeof (gsize), &bytes, sizeof bytes);
  return heap + start;
}

extern void *__libc_malloc (size_t bytes);
extern void *__libc_realloc (void *memory, size_t bytes);
extern void __libc_free (void *memory);

void *
malloc (size_t bytes)
{
  return world.in_run ? heap_alloc (bytes) : __libc_malloc (bytes);
}

void
free (void *memory)
{
  if (!is_in_heap (memory))
    __libc_free (memory);
}

void *
calloc (size_t n, size_t each)
{
  void *memory = malloc (n * each);

  return memory != NULL ? memset (memory, 0, n * each) : NULL;
}

void *
realloc (void *memory, size_t bytes)
{
  gsize before;
  void *copy;

  if (memory != NULL && !is_in_heap (memory))
    return __libc_realloc (memory, bytes);
  copy = malloc (bytes);
  if (memory != NULL) {
    memcpy (&before, (gchar *) memory - sizeof before, sizeof before);
    memcpy (copy, memory, MIN (before, bytes));
  }
  return copy;
}

void
scheduler_fail (const gchar *text)
{
  guint i;

  fprintf (stderr, "%s: %s\nin %s, after decisions", world.name, text,
      world.running != NULL ? world.running->name : "nobody");
  if (world.n_decisions > MOST_SHOWN)
    fprintf (stderr, " (%u)", world.n_decisions - MOST_SHOWN);
  for (i = MAX (world.n_decisions, MOST_SHOWN) - MOST_SHOWN;
       i < world.n_decisions; i++)
    fprintf (stderr, " %u/%u", world.choice[i], world.n_choices[i]);
  fprintf (stderr, "\n");
  for (i = 0; i < MOST_COROUTINES; i++) {
    const struct Coroutine *coroutine = &world.coroutine[i];

    if (coroutine->state != UNUSED)
      fprintf (stderr, "  %s: state %d, waits for %p\n", coroutine->name,
          coroutine->state, coroutine->waits_for);
  }
  _exit (EXIT_FAILURE);
}

static void __attribute__ ((noinline)) switch_to (struct Coroutine *next)
{
  struct Coroutine *before = world.running;

  if (next == before)
    return;
  /* What registers hold is part of the state, too: it is on the stack now. */
  __builtin_unwind_init ();
  before->stack_end = (gchar *) &next;
  world.running = next;
  scheduler_switch (&before->context, next->context);
}

/* Wakes whoever has the earliest deadline. */
static gboolean
let_time_pass (void)
{
  struct Coroutine *first = NULL;
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    struct Coroutine *coroutine = &world.coroutine[i];

    if (coroutine->state == WAITS_FOR_COND && coroutine->deadline != 0
        && (first == NULL || coroutine->deadline < first->deadline))
      first = coroutine;
  }
  if (first == NULL)
    return FALSE;
  world.now = MAX (world.now, first->deadline);
  first->timed_out = TRUE;
  first->state = RUNNABLE;
  return TRUE;
}

static guint64
hash_bytes (guint64 hash, gconstpointer memory, gsize bytes)
{
  const guint8 *at = memory;
  guint64 word;

  for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
    memcpy (&word, at, sizeof word);
    hash = (hash ^ word) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);
    hash ^= hash >> 29;
  }
  for (; bytes > 0; bytes--, at++)
    hash = (hash ^ *at) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

/* How many wait that have waited longer. */
static guint
rank (const struct Coroutine *coroutine)
{
  guint i, n = 0;

  for (i = 0; i < MOST_COROUTINES; i++) {
    const struct Coroutine *other = &world.coroutine[i];

    n += other->state == WAITS_FOR_COND && other->since < coroutine->since;
  }
  return n;
}

static guint64
hash_coroutine (guint64 hash, const struct Coroutine *coroutine)
{
  const gchar *top = coroutine->stack + STACK_BYTES;
  gboolean waits = coroutine->state == WAITS_FOR_COND;
  const guint64 words[] = {
      coroutine->state,
      coroutine->state == RUNNABLE ? 0 : (guintptr) coroutine->waits_for,
      waits ? (guint64) coroutine->deadline : 0,
      waits ? rank (coroutine) : 0,
      coroutine->timed_out,
  };

  hash = hash_bytes (hash, words, sizeof words);
  if (coroutine->state == UNUSED || coroutine->state == ENDED)
    return hash;
  return hash_bytes (
      hash, coroutine->stack_end, (gsize) (top - coroutine->stack_end));
}

/* Whether the state at this decision is new; remembers it. */
static gboolean __attribute__ ((noinline)) is_new_state (void)
{
  guint64 hash = 0;
  gsize slot;
  guint i;

  __builtin_unwind_init ();
  world.running->stack_end = (gchar *) &slot;

  for (i = 0; i < world.n_regions; i++)
    hash = hash_bytes (hash, world.region[i].memory, world.region[i].bytes);
  for (i = 0; i < MOST_COROUTINES; i++)
    hash = hash_coroutine (hash, &world.coroutine[i]);
  hash = hash_bytes (hash, &world.running, sizeof world.running);
  hash = hash_bytes (hash, &world.now, sizeof world.now);
  hash = MAX (hash, 1);
  for (slot = hash % MOST_STATES; world.seen[slot] != 0;
       slot = (slot + 1) % MOST_STATES) {
    if (world.seen[slot] == hash)
      return FALSE;
  }
  world.seen[slot] = hash;
  if (++world.n_seen > MOST_STATES / 2)
    scheduler_fail ("too many states");
  return TRUE;
}

void
scheduler_compare_state (gconstpointer memory, gsize bytes)
{
  scheduler_assert (world.n_regions < MOST_REGIONS);
  world.region[world.n_regions].memory = memory;
  world.region[world.n_regions++].bytes = bytes;
}

/* Lets somebody run: the decision. */
static void
schedule (void)
{
  struct Coroutine *candidate[MOST_COROUTINES] = {NULL};
  gboolean can_go_on = world.running->state == RUNNABLE;
  guint n = 0, i, choice = 0;

  if (can_go_on
      && (!world.exploring || world.preemptions >= world.most_preemptions))
    return;
  do {
    if (can_go_on)
      candidate[n++] = world.running;
    for (i = 0; i < MOST_COROUTINES; i++) {
      struct Coroutine *coroutine = &world.coroutine[i];

      if (coroutine->state == RUNNABLE && coroutine != world.running)
        candidate[n++] = coroutine;
    }
  } while (n == 0 && let_time_pass ());
  if (n == 0)
    scheduler_fail ("deadlock");

  if (n > 1 && world.exploring && !world.known && world.compares
      && world.n_decisions >= world.n_given)
    world.known = !is_new_state ();
  if (n > 1 && world.exploring && !world.known) {
    if (world.n_decisions == MOST_DECISIONS)
      scheduler_fail ("too many decisions: somebody spins");
    if (world.n_decisions >= world.n_given)
      world.choice[world.n_decisions] = 0;
    world.n_choices[world.n_decisions] = n;
    choice = world.choice[world.n_decisions++];
    if (choice >= n)
      scheduler_fail ("the scenario is not the same in each run");
    if (can_go_on && choice > 0)
      world.preemptions++;
  }
  switch_to (candidate[choice]);
}

void
fm_point (void)
{
  if (world.exploring)
    schedule ();
}

static void
block (CoroutineState state, gpointer on, gint64 deadline)
{
  struct Coroutine *self = world.running;

  self->state = state;
  self->waits_for = on;
  self->deadline = deadline;
  self->timed_out = FALSE;
  self->since = world.waits++;
  schedule ();
}

/* Wakes the one that has waited longest; FALSE if nobody does. */
static gboolean
wake_one (CoroutineState state, gpointer on)
{
  struct Coroutine *longest = NULL;
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    struct Coroutine *coroutine = &world.coroutine[i];

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
  mutex->owner = world.running;
  return TRUE;
}

void
fm_mutex_lock (FmMutex *mutex)
{
  while (mutex->owner != NULL) {
    scheduler_assert (mutex->owner != world.running);
    block (WAITS_FOR_MUTEX, mutex, 0);
  }
  mutex->owner = world.running;
}

void
fm_mutex_unlock (FmMutex *mutex)
{
  scheduler_assert (mutex->owner == world.running);
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
  struct Coroutine *self = world.running;

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
  return world.now;
}

static void
run_coroutine (void)
{
  struct Coroutine *self = world.running;

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
    if (world.coroutine[i].state == UNUSED)
      coroutine = &world.coroutine[i];
  }
  scheduler_assert (coroutine != NULL);
  coroutine->stack = stacks[coroutine - world.coroutine];
  memset (coroutine->stack, 0, STACK_BYTES);
  coroutine->stack_end = coroutine->stack + STACK_BYTES;
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
  world.exploring = on;
}

static gpointer
run_scenario (gpointer unused)
{
  world.scenario ();
  scheduler_switch (&world.running->context, world.outside);
  return NULL;
}

static void
run_once (void)
{
  world.n_decisions = 0;
  world.preemptions = 0;
  world.n_regions = 0;
  world.known = FALSE;
  world.exploring = FALSE;
  world.now = G_USEC_PER_SEC;
  world.running = NULL;
  world.running = fm_scheduler_spawn ("main", run_scenario, NULL);
  world.heap_used = 0;
  world.in_run = TRUE;
  scheduler_switch (&world.outside, world.running->context);
  world.in_run = FALSE;
  world.coroutine[0].state = UNUSED;
}

guint64
scheduler_explore (
    const gchar *name, void (*scenario) (void), guint most_preemptions)
{
  guint64 runs = 0;

  world.name = name;
  world.scenario = scenario;
  world.n_given = 0;
  world.most_preemptions = most_preemptions;
  world.compares = most_preemptions == SCHEDULER_ALL;
  world.n_seen = 0;
  if (world.compares)
    world.seen = g_new0 (guint64, MOST_STATES);
  for (;;) {
    guint i;

    run_once ();
    runs++;
    for (i = 0; i < MOST_COROUTINES; i++) {
      if (world.coroutine[i].state != UNUSED)
        scheduler_fail ("a coroutine was left behind");
    }
    while (world.n_decisions > 0
        && world.choice[world.n_decisions - 1] + 1
            >= world.n_choices[world.n_decisions - 1])
      world.n_decisions--;
    if (world.n_decisions == 0) {
      g_clear_pointer (&world.seen, g_free);
      return runs;
    }
    world.choice[world.n_decisions - 1]++;
    world.n_given = world.n_decisions;
  }
}
