/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * runs.h: which granules of the arena are free.
 *
 * A granule is the smallest part of the arena that an extent can have; an
 * extent is a run of them. Best fit, lowest address first among equals,
 * neighbours merge when they are given back. Pure bookkeeping, no lock: the
 * pager's mutex guards it.
 */
#ifndef FM_RUNS_H
#define FM_RUNS_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _FmRuns FmRuns;

/* @n_granules free granules. NULL if there is no memory for the table. */
FmRuns *fm_runs_new (guint n_granules);
void fm_runs_free (FmRuns *runs);

/* Takes a run of exactly @n granules that begins at a multiple of @align. FALSE
 * if no run is long enough. */
gboolean fm_runs_take (FmRuns *runs, guint n, guint align, guint *ret_first);

/* Gives back a run that is taken, all of it or a part. */
void fm_runs_give (FmRuns *runs, guint first, guint n);

G_END_DECLS
#endif
