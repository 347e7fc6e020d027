/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.h: the block heap: which bytes of which extent belong to which block.
 *
 * Small blocks are cut from an extent one after the other, in the order in
 * which they are asked for: what is written together is paged together. Each
 * thread cuts from its own lane, so streams do not mix. An extent that is full
 * takes no new block; it goes back when its last block is gone. A large block
 * has an extent of its own.
 *
 * Pure bookkeeping: no system call, and no byte of a block is ever touched, so
 * a spilled block can be freed without reading it.
 *
 * Locking: a lane's mutex guards its open extent and how far that is filled.
 * Everything that a free touches is atomic.
 */
#ifndef FM_HEAP_H
#define FM_HEAP_H

#include "extent.h"

G_BEGIN_DECLS

typedef struct _FmHeap FmHeap;

/* The bytes that a block takes of its extent, alignment included. */
typedef struct
{
  FmExtent *extent;
  guint32 start; /* both 0 in an extent of its own */
  guint32 length;
} FmBlock;

/* At most @limit bytes are held by blocks. */
FmHeap *fm_heap_new (
    FmExtentTable *table, gsize extent_size, guint n_lanes, guint64 limit);
void fm_heap_free (FmHeap *heap);

/* A block of @size bytes at a multiple of @align + 1 is cut from a shared
 * extent. */
gboolean fm_heap_is_small (const FmHeap *heap, gsize size, gsize align);

/* Counts @bytes towards the limit; FALSE, and nothing counted, if they do not
 * fit. */
gboolean fm_heap_hold (FmHeap *heap, gsize bytes);
void fm_heap_unhold (FmHeap *heap, gsize bytes);

/* Cuts a small block from what the lane has open. FALSE if there is nothing
 * open or it is full: then open another and try again. */
gboolean fm_heap_cut (FmHeap *heap, guint lane, gsize size, gsize align,
    FmBlock *ret_block, gsize *ret_offset);

/* Opens a fresh shared extent, whose bytes are held, in the lane; NULL opens
 * nothing. Returns what the lane had open before, or NULL; the lane's hold on
 * that one is to be given up with fm_heap_leave(). */
FmExtent *fm_heap_open (FmHeap *heap, guint lane, FmExtent *extent);

/* Gives up a lane's hold on an extent that takes no new blocks any more. TRUE
 * if no block is left in it. */
gboolean fm_heap_leave (FmHeap *heap, FmExtent *extent);

/* Makes one block of a fresh extent; @held of its bytes are held. */
void fm_heap_own (FmHeap *heap, FmExtent *extent, FmBlock *ret_block);

/* Gives a block back, of which @held bytes were held if it has an extent of
 * its own. TRUE if that was the last of its extent. */
gboolean fm_heap_give (FmHeap *heap, const FmBlock *block, gsize held);

guint fm_heap_n_lanes (const FmHeap *heap);

G_END_DECLS
#endif
