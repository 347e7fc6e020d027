/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * scheduler-private.h: what scheduler.c has in common with who decides:
 * explore.c, which takes all decisions after each other, or a fuzz target.
 */
#ifndef FM_TEST_SCHEDULER_PRIVATE_H
#define FM_TEST_SCHEDULER_PRIVATE_H

#include "scheduler.h"

#define MOST_COROUTINES 12
/* Sanitizers have larger frames. */
#ifndef SCHEDULER_STACK
#define SCHEDULER_STACK (16 * 1024)
#endif

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

extern struct SchedulerWorld
{
  struct Coroutine coroutine[MOST_COROUTINES];
  struct Coroutine *running;
  gboolean exploring;
  gint64 now;
  guint64 waits;
} scheduler;

/* Runs @func in a coroutine, to its end; all others have to have ended by
 * then. */
void scheduler_run (void (*func) (void));

void scheduler_print_coroutines (void);

/* ---- of who decides ---- */

/* Which of @n may go on, from 0; where the one that runs can, that is 0. */
guint scheduler_decide (guint n, gboolean can_go_on);

#endif
