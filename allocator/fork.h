/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork.h: what has to be done around a fork(), and in which order.
 *
 * A handler takes a lock, so that the child finds it free and what it guards
 * consistent, or makes the child forget something. Each is registered here,
 * under a place of its own. Before the fork the places run from the first to
 * the last, in parent and child from the last to the first. The order is that
 * of calls (docs/design.md): code that holds the lock of one place may call
 * code that takes the lock of a later one, never the other way round.
 *
 * Child handlers may call what is safe in a signal handler and release locks;
 * they must not use malloc().
 */
#ifndef FM_FORK_H
#define FM_FORK_H

#include "private-api.h"

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FM_FORK_WATCH,       /* the thread that reports, and its page */
  FM_FORK_TRACER,      /* what is reported at the end */
  FM_FORK_ATTRIBUTION, /* page faults of the thread that forks */
  FM_FORK_REGISTRY,
  FM_FORK_DETECTION,
  FM_FORK_PAGER, /* waits for transfers in flight, with all other locks held */
  FM_N_FORK_PLACES
} FmForkPlace;

/* Each may be NULL. */
typedef struct
{
  void (*prepare) (void);
  void (*parent) (void);
  void (*child) (void);
} FmForkHandlers;

/* From now on @handlers are called; they are not copied. Registering the same
 * ones again costs a load. May be called by any thread that holds no lock of a
 * place; waits for a fork that has begun. */
FM_PRIVATE_API
void fm_fork_register (FmForkPlace place, const FmForkHandlers *handlers);

G_END_DECLS
#endif
