/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.h: in a deep queue of small buffers, the buffers rest in parcels.
 *
 * At the entrance of a queue that holds more than `pack-above` bytes, the
 * contents of a buffer smaller than `pack-below` go into the open parcel, and
 * the buffer goes back to where it came from. A full parcel enters the queue in
 * place of its buffers; where it leaves, they are made again and pushed, one
 * after the other. Anything other than a buffer to be packed closes the open
 * parcel and enters behind it, so the order is preserved.
 */
#ifndef FM_PACKING_H
#define FM_PACKING_H

#include "queue-figures.h"
#include "registry.h"

#include <gst/filemem/filemem.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct _FmPacking FmPacking;

/* To be called once: memory for parcels comes from @allocator. */
void fm_packing_start (
    GstFileMemAllocator *allocator, guint64 above, guint64 below);

/* For what enters @element at @pad, whose chain function is @chain; counts in
 * @figure, which lives as long as @owner. NULL if the element's buffers are
 * never packed. */
FmPacking *fm_packing_new (GstElement *element, GstPad *pad,
    GstPadChainFunction chain, FmRegistryItem *owner,
    _Atomic guint64 figure[FM_N_QUEUE_FIGURES]);
FmPacking *fm_packing_ref (FmPacking *packing);
void fm_packing_unref (FmPacking *packing);

/* The pad is gone. Drops the caller's reference. */
void fm_packing_leave (FmPacking *packing);

/* The caller of any of these must hold the stream lock of the sink pad, except
 * for events that are out of line. */

/* Whether to call fm_packing_take(): usually not, where the queue is not
 * deep. */
gboolean fm_packing_is_due (const FmPacking *packing);

/* A buffer or a list comes. TRUE if it was packed: then it is gone, and as far
 * as the caller need know it has entered. Otherwise everything that came before
 * it is in the queue, and it has to follow. @may_copy: it does not matter if
 * its bytes go elsewhere. */
gboolean fm_packing_take (
    FmPacking *packing, GstMiniObject *item, gboolean may_copy);

/* Whether to call fm_packing_entered() with the result of an item that has
 * entered as it is. */
gboolean fm_packing_is_on (const FmPacking *packing);
void fm_packing_entered (FmPacking *packing, GstFlowReturn result);

/* An event or a query comes, and is about to enter. */
void fm_packing_see_event (FmPacking *packing, GstEvent *event);
void fm_packing_see_query (FmPacking *packing, GstQuery *query);

/* The pad is no longer active: what the queue held is gone. */
void fm_packing_stop (FmPacking *packing);

G_END_DECLS
#endif
