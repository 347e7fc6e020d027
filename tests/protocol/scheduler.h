/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scheduler.h: threads that take turns, for walking through every interleaving.
 *
 * Stands in for allocator/sync.h's locks, conditions and threads. Everything
 * runs in one thread of the system, as coroutines. Another coroutine may come
 * in between at fm_point(), before a lock is taken, and where one blocks;
 * nowhere else. Which one goes on at each such place is a decision;
 * scheduler_explore() runs a scenario again and again until every sequence of
 * decisions has been taken.
 *
 * Time stands still as long as anybody can run; then it jumps to the next
 * deadline. When nobody can run and there is no deadline, that is a deadlock.
 */
#ifndef FM_TEST_SCHEDULER_H
#define FM_TEST_SCHEDULER_H

#include <glib.h>

typedef struct Coroutine FmThread;

typedef struct
{
  FmThread *owner;
} FmMutex;

typedef struct
{
  int unused;
} FmCond;

void fm_mutex_init (FmMutex *mutex);
void fm_mutex_clear (FmMutex *mutex);
void fm_mutex_lock (FmMutex *mutex);
gboolean fm_mutex_trylock (FmMutex *mutex);
void fm_mutex_unlock (FmMutex *mutex);
void fm_cond_init (FmCond *cond);
void fm_cond_clear (FmCond *cond);
void fm_cond_signal (FmCond *cond);
void fm_cond_broadcast (FmCond *cond);
void fm_cond_wait (FmCond *cond, FmMutex *mutex);
gboolean fm_cond_wait_until (FmCond *cond, FmMutex *mutex, gint64 deadline);
gpointer fm_thread_join (FmThread *thread);
gint64 fm_now (void);
void fm_point (void);
FmThread *fm_scheduler_spawn (
    const gchar *name, GThreadFunc func, gpointer data);

/* Runs @scenario, in the first coroutine of each run, until all interleavings
 * have been walked; returns how many runs that took. Fails the program on a
 * deadlock.
 *
 * With SCHEDULER_ALL these are really all: a run that reaches a state in which
 * an earlier one has been goes on without trying the alternatives again, so it
 * takes as many runs as there are different states and ways on from them. Two
 * states are the same if all registered memory, all stacks and all waiting are.
 * Else no more than @most_preemptions times in one run does a coroutine that
 * could go on have to wait for another, and states are not compared. */
#define SCHEDULER_ALL G_MAXUINT
guint64 scheduler_explore (
    const gchar *name, void (*scenario) (void), guint most_preemptions);

/* Registers memory that is part of a run's state, until the end of the run. */
void scheduler_compare_state (gconstpointer memory, gsize bytes);

/* While off, no decision is taken: a coroutine goes on until it blocks. Off at
 * the start of each run. */
void scheduler_set_exploring (gboolean on);

/* Ends the program with @text and the decisions that led here. */
void scheduler_fail (const gchar *text) G_GNUC_NORETURN;

#define scheduler_assert(condition)              \
  G_STMT_START                                   \
  {                                              \
    if (!(condition))                            \
      scheduler_fail (G_STRLOC ": " #condition); \
  }                                              \
  G_STMT_END

#endif
