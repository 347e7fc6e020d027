/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure-watch.h: waits until the kernel says that programs stall for memory.
 *
 * Where a service manager speaks systemd's memory pressure protocol
 * (MEMORY_PRESSURE_WATCH and MEMORY_PRESSURE_WRITE in the environment), it says
 * what to wait for: a file of the kernel, or a FIFO. Otherwise that is the
 * process's own memory cgroup (version 2), or the machine: PSI, 200 ms of 2 s.
 * Where the kernel does not permit that, there is no watch.
 *
 * Locking: none. A thread of its own sleeps in poll(), without a timer.
 */
#ifndef FM_PRESSURE_WATCH_H
#define FM_PRESSURE_WATCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _FmPressureWatch FmPressureWatch;

/* The file it would watch; NULL if there is none. *@ret_trigger is what is to
 * be written to it, or NULL. @root as in machine.h. */
gchar *fm_pressure_watch_path (const gchar *root, GBytes **ret_trigger);

/* The watch's thread calls @func with @data each time. NULL if there is nothing
 * to wait for. */
FmPressureWatch *fm_pressure_watch_new (
    const gchar *root, void (*func) (gpointer data), gpointer data);

/* Returns once @func is no longer called. */
void fm_pressure_watch_free (FmPressureWatch *watch);

/* In the child of a fork, where the thread does not exist.
 * Async-signal-safe. */
void fm_pressure_watch_abandon (FmPressureWatch *watch);

G_END_DECLS
#endif
