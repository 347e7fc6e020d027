/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork.h: who has something to do around a fork(), and in which order.
 *
 * What takes a lock, so that the child finds it free and what it guards whole,
 * and what the child has to forget, is registered here, under a place of its
 * own. Before the fork the places have their turn from the first to the last,
 * in parent and child from the last to the first. The order is that of calls
 * (docs/design.md): who holds the lock of one place may call what takes that of
 * a later one, never the other way round.
 *
 * Child handlers may call what is safe in a signal handler and give locks back;
 * malloc() is not to be used there.
 */
#ifndef FM_FORK_H
#define FM_FORK_H

#include "private-api.h"

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FM_FORK_WATCH,       /* the thread that tells, and its page */
  FM_FORK_TRACER,      /* what is told at the end */
  FM_FORK_ATTRIBUTION, /* page faults of the thread that forks */
  FM_FORK_REGISTRY,
  FM_FORK_DETECTION,
  FM_FORK_PAGER, /* waits for the disk, with all others still at work */
  FM_N_FORK_PLACES
} FmForkPlace;

/* Each may be NULL. */
typedef struct
{
  void (*prepare) (void);
  void (*parent) (void);
  void (*child) (void);
} FmForkHandlers;

/* From now on @handlers are called, which are not copied. To register the same
 * again costs a load. Any thread, but none that holds the lock of a place;
 * waits for a fork that has begun. */
FM_PRIVATE_API
void fm_fork_register (FmForkPlace place, const FmForkHandlers *handlers);

G_END_DECLS
#endif
