/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.h: what rests in a deep queue of small buffers rests in parcels.
 *
 * At the entrance of a queue that holds more than `pack-above` bytes a buffer
 * smaller than `pack-below` goes into the open parcel, and back to where it
 * came from. A parcel that is full enters the queue in place of its buffers;
 * where it leaves, they are made again and pushed, one after the other. All
 * that is not a buffer to be packed closes the open parcel and enters behind
 * it, so that the order stays what it is.
 */
#ifndef FM_PACKING_H
#define FM_PACKING_H

#include "queue-figures.h"
#include "registry.h"

#include <gst/filemem/filemem.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct _FmPacking FmPacking;

/* Once: memory for parcels is @allocator's. */
void fm_packing_start (
    GstFileMemAllocator *allocator, guint64 above, guint64 below);

/* For what enters @element at @pad, whose chain function is @chain; counts in
 * @figure, which lives as long as @owner. NULL if its buffers are never packed.
 */
FmPacking *fm_packing_new (GstElement *element, GstPad *pad,
    GstPadChainFunction chain, FmRegistryItem *owner,
    _Atomic guint64 figure[FM_N_QUEUE_FIGURES]);
FmPacking *fm_packing_ref (FmPacking *packing);
void fm_packing_unref (FmPacking *packing);

/* The pad is gone. Drops the caller's reference. */
void fm_packing_leave (FmPacking *packing);

/* All of these are for whoever holds the stream lock of the sink pad, but for
 * events that are out of line. */

/* Whether fm_packing_take() is to be called: mostly not, where the queue is not
 * deep. */
gboolean fm_packing_is_due (const FmPacking *packing);

/* A buffer or a list comes. TRUE if it was packed: then it is gone, and has
 * entered as far as the caller need know. Else all that came before it is in
 * the queue, and it has to follow. @may_copy: nobody minds if its bytes go
 * elsewhere. */
gboolean fm_packing_take (
    FmPacking *packing, GstMiniObject *item, gboolean may_copy);

/* Whether fm_packing_entered() is to be told what came of an item that has
 * entered as it is. */
gboolean fm_packing_is_on (const FmPacking *packing);
void fm_packing_entered (FmPacking *packing, GstFlowReturn result);

/* An event or a query comes, and follows. */
void fm_packing_see_event (FmPacking *packing, GstEvent *event);
void fm_packing_see_query (FmPacking *packing, GstQuery *query);

/* The pad is no longer active: what the queue holds is gone. */
void fm_packing_stop (FmPacking *packing);

G_END_DECLS
#endif
