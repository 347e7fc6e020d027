/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure-watch.h: waits until the kernel says that programs stall for memory.
 *
 * Where a service manager speaks systemd's memory pressure protocol
 * (MEMORY_PRESSURE_WATCH and MEMORY_PRESSURE_WRITE in the environment), it says
 * what to wait for: a file of the kernel, or a FIFO. Else that is the process's
 * own memory cgroup (version 2), or the machine: PSI, 200 ms of 2 s. Where the
 * kernel does not let us, nobody waits.
 *
 * Locking: none. A thread of its own sleeps in poll(), without a timer.
 */
#ifndef FM_PRESSURE_WATCH_H
#define FM_PRESSURE_WATCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _FmPressureWatch FmPressureWatch;

/* Of which file that would be; NULL if of none. *@ret_trigger is what is to be
 * written to it, or NULL. @root as in machine.h. */
gchar *fm_pressure_watch_path (const gchar *root, GBytes **ret_trigger);

/* @func is called with @data by that thread each time. NULL if there is nothing
 * to wait for. */
FmPressureWatch *fm_pressure_watch_new (
    const gchar *root, void (*func) (gpointer data), gpointer data);

/* Once @func is not called any more. */
void fm_pressure_watch_free (FmPressureWatch *watch);

/* In the child of a fork, where the thread is not. Async-signal-safe. */
void fm_pressure_watch_abandon (FmPressureWatch *watch);

G_END_DECLS
#endif
