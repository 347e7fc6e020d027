/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-private.h: what advice.c has in common with advice-queues.c, which
 * says what is to be said of each queue.
 */
#ifndef FM_ADVICE_PRIVATE_H
#define FM_ADVICE_PRIVATE_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Memory below this is not worth a word. */
#define FM_ADVICE_MIN ((guint64) 16 << 20)

/* What is the matter, as far as one thing must not be said because of another.
 */
typedef struct
{
  const FmSnapshot *snapshot;
  const guint64 *stats;
  guint n_streams;  /* that may have been at work at a time */
  gboolean mapped;  /* takes most of the budget, or more */
  gboolean pool;    /* fills of blocks that are written anew are many */
  gboolean turns;   /* streams that don't fit the budget take turns in it */
  gboolean refused; /* there is no room on disk */
  gboolean full;    /* or size is reached */
  gboolean yields;  /* others needed the memory */
  gboolean slow;    /* the disk is what producers wait for */
} FmMatter;

/* The option that stands in the way where there is no room on disk. */
static inline const gchar *
fm_advice_what_limits (const FmMatter *matter)
{
  return matter->snapshot->limited_by != NULL ? matter->snapshot->limited_by
                                              : "size";
}

/* Adds what is to be said of that queue alone. */
void fm_advice_on_queue (
    const FmMatter *matter, const FmQueueRecord *queue, GPtrArray *advice);

G_END_DECLS
#endif
