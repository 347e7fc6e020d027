/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sync.h: locks, conditions and threads as the pager uses them.
 *
 * They are GLib's, except for threads, which are the seam's. They have names of
 * our own so that the protocol test (tests/protocol/protocol.c) can put a
 * scheduler in their place and walk through every interleaving of the pager's
 * real code: FM_SCHEDULER is defined there, and fm_point(), which does nothing
 * here, marks each place at which another thread may come in between.
 */
#ifndef FM_SYNC_H
#define FM_SYNC_H

#include <glib.h>

G_BEGIN_DECLS

#if defined(__SANITIZE_THREAD__)
#define FM_THREAD_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FM_THREAD_SANITIZER 1
#endif
#endif

#ifdef FM_SCHEDULER
#include "scheduler.h"
#elif defined(FM_THREAD_SANITIZER)

/* GLib's locks are futexes inside a library that was not built with the thread
 * sanitizer, which therefore reports everything they guard as a race. It knows
 * pthread's locks. */
#include <pthread.h>
#include <time.h>

typedef pthread_mutex_t FmMutex;
typedef pthread_cond_t FmCond;
typedef struct _FmThread FmThread; /* see seam.h */

#define fm_mutex_init(mutex) ((void) pthread_mutex_init (mutex, NULL))
#define fm_mutex_clear(mutex) ((void) pthread_mutex_destroy (mutex))
#define fm_mutex_lock(mutex) ((void) pthread_mutex_lock (mutex))
#define fm_mutex_trylock(mutex) (pthread_mutex_trylock (mutex) == 0)
#define fm_mutex_unlock(mutex) ((void) pthread_mutex_unlock (mutex))
#define fm_cond_clear(cond) ((void) pthread_cond_destroy (cond))
#define fm_cond_signal(cond) ((void) pthread_cond_signal (cond))
#define fm_cond_broadcast(cond) ((void) pthread_cond_broadcast (cond))
#define fm_cond_wait(cond, mutex) ((void) pthread_cond_wait (cond, mutex))
#define fm_now g_get_monotonic_time
#define fm_point() ((void) 0)

static inline void
fm_cond_init (FmCond *cond)
{
  pthread_condattr_t attributes;

  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (cond, &attributes);
  pthread_condattr_destroy (&attributes);
}

static inline gboolean
fm_cond_wait_until (FmCond *cond, FmMutex *mutex, gint64 deadline)
{
  const struct timespec until = {
      deadline / G_USEC_PER_SEC, deadline % G_USEC_PER_SEC * 1000};

  return pthread_cond_timedwait (cond, mutex, &until) == 0;
}

#else

typedef GMutex FmMutex;
typedef GCond FmCond;
typedef struct _FmThread FmThread; /* see seam.h */

#define fm_mutex_init g_mutex_init
#define fm_mutex_clear g_mutex_clear
#define fm_mutex_lock g_mutex_lock
#define fm_mutex_trylock g_mutex_trylock
#define fm_mutex_unlock g_mutex_unlock
#define fm_cond_init g_cond_init
#define fm_cond_clear g_cond_clear
#define fm_cond_signal g_cond_signal
#define fm_cond_broadcast g_cond_broadcast
#define fm_cond_wait g_cond_wait
#define fm_cond_wait_until g_cond_wait_until
#define fm_now g_get_monotonic_time
#define fm_point() ((void) 0)

/* For a lock that is held for less time than it takes to fall asleep: keeps
 * trying for about that long. */
#define FM_SPINS 200

static inline gboolean
fm_mutex_trylock_for_a_while (FmMutex *mutex)
{
  guint i;

  for (i = 0; i < FM_SPINS; i++) {
    if (fm_mutex_trylock (mutex))
      return TRUE;
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause ();
#endif
  }
  return FALSE;
}
#define FM_CAN_SPIN 1

#endif

#ifndef FM_CAN_SPIN
#define fm_mutex_trylock_for_a_while fm_mutex_trylock
#endif

G_END_DECLS
#endif
