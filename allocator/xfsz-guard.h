/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * xfsz-guard.h: keeps SIGXFSZ from a program that does not expect it.
 *
 * A write, ftruncate or fallocate beyond RLIMIT_FSIZE raises SIGXFSZ in the
 * thread that makes it, which kills the process. Each of filemem's own writes
 * is between begin and end, whatever it goes to: the backing file, a report, or
 * a stderr that is a file.
 */
#ifndef FM_XFSZ_GUARD_H
#define FM_XFSZ_GUARD_H

#include "private-api.h"

#include <glib.h>
#include <signal.h>

G_BEGIN_DECLS

typedef struct
{
  sigset_t before;
  gboolean was_pending;
} FmXfszGuard;

/* Blocks the signal in the calling thread. */
FM_PRIVATE_API
void fm_xfsz_guard_begin (FmXfszGuard *guard);

/* Removes a signal that was raised meanwhile from the queue, and restores the
 * mask. Leaves errno alone. */
FM_PRIVATE_API
void fm_xfsz_guard_end (FmXfszGuard *guard);

G_END_DECLS
#endif
