/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-private.h: what packing.c shares with the files that work for it:
 * packing-levels.c, which asks the queue, and packing-exit.c, the reader.
 */
#ifndef FM_PACKING_PRIVATE_H
#define FM_PACKING_PRIVATE_H

#include "packing.h"

#include "parcel.h"
#include "sync.h"

G_BEGIN_DECLS

typedef struct
{
  guint64 bytes, time, buffers;
} FmPackingLevels;

/* An element whose buffers can be packed. */
typedef struct
{
  const gchar *type;
  /* Whether the element keeps everything in memory, lets all of it through, and
   * does not depend on what is in it. */
  gboolean (*is_suitable) (GstElement *element);
  gboolean tells_by_pad; /* each of its pads has a level of its own */
  /* The element goes on if nothing is linked: what leaves it then is lost. */
  gboolean goes_on;
} FmPackingQueue;

struct _FmPacking
{
  gatomicrefcount refs;  /* the entrance's, the probe's, each parcel's */
  FmRegistryItem *owner; /* of the figures */
  GstElement *element;   /* not held: it exists while its pads are in use */
  GstPad *sink, *src;
  GstPadChainFunction chain;
  const FmPackingQueue *queue;
  _Atomic guint64 *figure;

  FmMutex lock;
  FmCond entered;
  /* Guarded by the lock. */
  FmParcel *open;
  gboolean is_filling;  /* the writer is at work on the open parcel */
  gboolean is_wanted;   /* and is to give it to the queue afterwards */
  gboolean is_entering; /* the reader is giving it to the queue */
  gulong probe;         /* 0: none */

  _Atomic guint n_parcels; /* that exist, wherever they are */
  _Atomic guint epoch;     /* changes when all that is held becomes void */
  _Atomic gint seen; /* what downstream returned to the reader, if not OK */

  /* The writer's. */
  gboolean is_packing;
  GstFlowReturn last;         /* what the queue returned last */
  gdouble rate;               /* of the segment */
  guint64 ask_at;             /* when this many bytes have come */
  guint64 bytes_most;         /* in a parcel, before a limit is reached */
  GstClockTime duration_most; /* likewise */

  /* The reader's. */
  gboolean is_nested; /* what passes comes from a parcel */
  GQueue rest;        /* of GstMiniObject, for which there was no peer */
  FmParcelReader reader;
  gboolean is_reading; /* the rest begins with what is left in the reader */
  GHashTable *known;   /* sequence numbers of events ahead of the rest */
  guint rest_epoch;
};

static inline void
fm_packing_count (FmPacking *packing, FmQueueFigure figure, guint64 n)
{
  atomic_fetch_add_explicit (&packing->figure[figure], n, memory_order_relaxed);
}

/* ---- packing-levels.c ---- */

/* The entry for @element; NULL if nothing is packed there. */
const FmPackingQueue *fm_packing_queue_of (GstElement *element);

FmPackingLevels fm_packing_get_levels (FmPacking *packing);
FmPackingLevels fm_packing_get_limits (FmPacking *packing);
gboolean fm_packing_is_filled (
    const FmPackingLevels *level, const FmPackingLevels *limit);

/* Whether parcels may be opened, given the queue's present state. */
gboolean fm_packing_is_suitable (
    FmPacking *packing, const FmPackingLevels *limit);

/* ---- packing-exit.c ---- */

/* Gives @parcel to the queue; takes ownership. Only for the one thread that
 * may. */
GstFlowReturn fm_packing_enter (FmPacking *packing, FmParcel *parcel);

/* From now on what leaves is seen, if it is not already; with the lock held. */
void fm_packing_add_probe (FmPacking *packing);

/* Drops the rest of what has left the queue, as the queue drops what it holds;
 * @is_lost: the queue itself would not have dropped it. For the reader, or for
 * a caller that knows that the reader is not at work. */
void fm_packing_drop_rest (FmPacking *packing, gboolean is_lost);

G_END_DECLS
#endif
