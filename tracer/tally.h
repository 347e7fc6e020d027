/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.h: what one element did to buffers, or what happened in one thread.
 */
#ifndef FM_TALLY_H
#define FM_TALLY_H

#include "registry.h"
#include "statistics.h"
#include "tally-figures.h"

#include <glib-object.h>

G_BEGIN_DECLS

/* Of an element, or of a thread while it worked for one element. */
typedef struct
{
  FmRegistryItem item;
  gchar *element;  /* its path in the pipeline */
  GWeakRef object; /* the element; unset for a thread's */
  gchar *thread;   /* name; NULL for an element's */
  guint64 tid;
  _Atomic guint64 figure[FM_N_TALLY_FIGURES];

  /* For an element: the bytes and number of buffers that are mapped, in one
   * word (tally.c), and the maximum of that. */
  _Atomic guint64 mapped, mapped_most;
  _Atomic guint32 mapped_longest; /* ms */
  _Atomic guint32 mapped_since;   /* ms, of the first of those mapped now */
} FmTally;

/* With a reference for the caller, who must finally call
 * fm_registry_leave(). */
FmTally *fm_tally_new (FmRegistry *registry, const gchar *element,
    const gchar *thread, guint64 tid);

/* A clock that costs next to nothing, in ms; it wraps around. */
guint32 fm_tally_now (void);

/* The tally's element maps a buffer of @bytes, or unmaps one that it had mapped
 * at @since. As long as one is mapped, @tally is not freed. */
void fm_tally_map (FmTally *tally, gsize bytes, guint32 now);
void fm_tally_unmap (FmTally *tally, gsize bytes, guint32 since, guint32 now);

void fm_tally_get_mapped (
    FmTally *tally, guint64 ret_figure[FM_N_MAPPED_FIGURES]);

static inline void
fm_tally_add (FmTally *tally, FmTallyFigure figure, guint64 n)
{
  if (n > 0)
    atomic_fetch_add_explicit (&tally->figure[figure], n, memory_order_relaxed);
}

/* For a tally to which only this thread adds. */
static inline void
fm_tally_add_own (FmTally *tally, FmTallyFigure figure, guint64 n)
{
  atomic_store_explicit (&tally->figure[figure],
      atomic_load_explicit (&tally->figure[figure], memory_order_relaxed) + n,
      memory_order_relaxed);
}

static inline guint64
fm_tally_get (FmTally *tally, FmTallyFigure figure)
{
  return atomic_load_explicit (&tally->figure[figure], memory_order_relaxed);
}

static inline guint64
fm_tally_sum (FmTally *tally, FmTallyFigure a, FmTallyFigure b)
{
  return fm_tally_get (tally, a) + fm_tally_get (tally, b);
}

G_END_DECLS
#endif
