/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * sync.h: locks, conditions and threads as the pager uses them.
 *
 * They are GLib's. They stand behind names of our own so that the protocol
 * test (tests/unit/protocol.c) can put a scheduler in their place and walk
 * through every interleaving of the pager's real code: there FM_SCHEDULER is
 * defined, and fm_point(), which is nothing here, marks each place at which
 * another thread may come in between.
 */
#ifndef FM_SYNC_H
#define FM_SYNC_H

#include <glib.h>

G_BEGIN_DECLS

#ifdef FM_SCHEDULER
#include "scheduler.h"
#else

typedef GMutex FmMutex;
typedef GCond FmCond;
typedef GThread FmThread;

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
#define fm_thread_join g_thread_join
#define fm_now g_get_monotonic_time
#define fm_point() ((void)0)

#endif

G_END_DECLS
#endif
