/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.h: watches the entrances of queue-like elements, and copies foreign
 * memory into filemem where much of it would gather.
 *
 * Which elements are queue-like the option `queues` says, by the names of their
 * factories; a type derived from one of those counts as well. They are found by
 * the pads that elements add, however the elements were made. With "auto" among
 * the names, elements that are seen to sit on megabytes are queues from then
 * on.
 *
 * A buffer that enters is copied only if the queue would otherwise hold more
 * than `copy-above` bytes. What a queue holds is asked of the element where it
 * can tell ("current-level-bytes"); else the foreign buffers that entered and
 * are still in use are counted.
 */
#ifndef FM_QUEUES_H
#define FM_QUEUES_H

#include "foreign.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *name;           /* path of the pad in its pipeline */
  guint64 hoard_peak;    /* with "auto": the most bytes that it sat on */
  guint64 hoard_foreign; /* of these, bytes of foreign memory */
  guint64 figure[FM_N_QUEUE_FIGURES];
  guint64 left_alone[FM_N_LEFT_ALONE];
} FmQueueRecord;

/* Starts watching, once; @names as the option `queues` gives them, which may be
 * "none"; @ours is the allocator to copy to. Never ends. */
void fm_queues_start (
    GstAllocator *ours, const gchar *names, guint64 copy_above);

/* One record (FmQueueRecord) for each entrance of a queue, in the order in
 * which they were seen first. Those that are gone count as long as there are
 * not too many. Any thread. */
GPtrArray *fm_queues_records (void);

G_END_DECLS
#endif
