/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * explore.c: takes all decisions of the scheduler, run by run: see scheduler.h.
 *
 * A depth-first walk without saved states: a run follows the decisions of the
 * one before up to the last that had an alternative left, takes that, and from
 * there on always the first. Choice 0 is to go on with the coroutine that runs.
 *
 * A state is known by a hash of 64 bits. Values that a stack still holds but
 * nobody will use make two states look different that are the same: that costs
 * runs, and misses nothing.
 */
#include "scheduler-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_DECISIONS 4096
#define MOST_SHOWN 64
#define MOST_REGIONS 48
#define HEAP_BYTES (1024 * 1024)
#define MOST_STATES ((gsize) 1 << 24)

static struct
{
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
      scheduler.running != NULL ? scheduler.running->name : "nobody");
  if (world.n_decisions > MOST_SHOWN)
    fprintf (stderr, " (%u)", world.n_decisions - MOST_SHOWN);
  for (i = MAX (world.n_decisions, MOST_SHOWN) - MOST_SHOWN;
       i < world.n_decisions; i++)
    fprintf (stderr, " %u/%u", world.choice[i], world.n_choices[i]);
  fprintf (stderr, "\n");
  scheduler_print_coroutines ();
  _exit (EXIT_FAILURE);
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
    const struct Coroutine *other = &scheduler.coroutine[i];

    n += other->state == WAITS_FOR_COND && other->since < coroutine->since;
  }
  return n;
}

static guint64
hash_coroutine (guint64 hash, const struct Coroutine *coroutine)
{
  const gchar *top = coroutine->stack + SCHEDULER_STACK;
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
static gboolean
is_new_state (void)
{
  guint64 hash = 0;
  gsize slot;
  guint i;

  for (i = 0; i < world.n_regions; i++)
    hash = hash_bytes (hash, world.region[i].memory, world.region[i].bytes);
  for (i = 0; i < MOST_COROUTINES; i++)
    hash = hash_coroutine (hash, &scheduler.coroutine[i]);
  hash = hash_bytes (hash, &scheduler.running, sizeof scheduler.running);
  hash = hash_bytes (hash, &scheduler.now, sizeof scheduler.now);
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

guint
scheduler_decide (guint n, gboolean can_go_on)
{
  guint choice;

  if (can_go_on && world.preemptions >= world.most_preemptions)
    return 0;
  if (!world.known && world.compares && world.n_decisions >= world.n_given)
    world.known = !is_new_state ();
  if (world.known)
    return 0;
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
  return choice;
}

static void
run_once (void)
{
  world.n_decisions = 0;
  world.preemptions = 0;
  world.n_regions = 0;
  world.known = FALSE;
  world.heap_used = 0;
  world.in_run = TRUE;
  scheduler_run (world.scenario);
  world.in_run = FALSE;
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
    run_once ();
    runs++;
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
