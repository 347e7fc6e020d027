/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-private.h: what advice.c shares with advice-queues.c, which gives the
 * advice about each queue.
 */
#ifndef FM_ADVICE_PRIVATE_H
#define FM_ADVICE_PRIVATE_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Less memory than this is not worth mentioning. */
#define FM_ADVICE_MIN ((guint64) 16 << 20)

/* What is the matter, as far as one piece of advice rules out another. */
typedef struct
{
  const FmSnapshot *snapshot;
  const guint64 *stats;
  guint n_streams;  /* that may have been active at the same time */
  gboolean mapped;  /* mapped blocks take most of the budget, or more */
  gboolean pool;    /* many fills are of blocks that are written anew */
  gboolean turns;   /* streams that don't fit in the budget take turns in it */
  gboolean refused; /* there is no room on disk */
  gboolean full;    /* or `size` is reached */
  gboolean yields;  /* other processes needed the memory */
  gboolean slow;    /* producers wait for the disk */
} FmMatter;

/* The option that is the limit where there is no room on disk. */
static inline const gchar *
fm_advice_what_limits (const FmMatter *matter)
{
  return matter->snapshot->limited_by != NULL ? matter->snapshot->limited_by
                                              : "size";
}

/* Adds the advice about that queue alone. */
void fm_advice_on_queue (
    const FmMatter *matter, const FmQueueRecord *queue, GPtrArray *advice);

G_END_DECLS
#endif
