/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.h: the block heap: which bytes of which extent belong to which block.
 *
 * A shared extent has 64 chunks. A thread takes a chunk, or a run of them, from
 * the extent that its stream has open, and cuts small blocks from it one after
 * the other without a lock: what is written together is paged together, and
 * streams do not mix. A chunk whose last block is gone is free. It is taken
 * again, the lowest first, as long as its extent is open, so a shallow queue
 * goes round in memory that is still warm. An extent that is closed takes no
 * new block, unless most of it has become free: then a stream opens it again
 * before it asks for a fresh one, so that a few blocks which live long do not
 * hold megabytes each. A large block has an extent of its own.
 *
 * Pure bookkeeping: no system call, and no byte of a block is ever touched, so
 * a spilled block can be freed without reading it.
 *
 * Locking: a stream's mutex guards which extent is open, and that it is not
 * left while chunks are taken from it; the heap's mutex guards the list of
 * those that can be opened again. What a thread cuts from is its own.
 * Everything that a free touches is atomic.
 */
#ifndef FM_HEAP_H
#define FM_HEAP_H

#include "extent.h"

G_BEGIN_DECLS

typedef struct _FmHeap FmHeap;

typedef enum {
  FM_CUT_DONE,
  FM_CUT_NO_EXTENT, /* open one that has room, and try again */
  FM_CUT_FULL       /* the limit is reached */
} FmCutResult;

/* Blocks of up to @small_most bytes share extents, which are twice as long at
 * least. At most @limit bytes are held by blocks; @n_streams is a power of two.
 */
FmHeap *fm_heap_new (
    FmExtentTable *table, gsize small_most, guint n_streams, guint64 limit);
void fm_heap_free (FmHeap *heap);

/* A block of @size bytes at a multiple of @align + 1 is cut from a shared
 * extent. */
gboolean fm_heap_is_small (const FmHeap *heap, gsize size, gsize align);

/* Counts @bytes towards the limit; FALSE, and nothing counted, if they do not
 * fit. */
gboolean fm_heap_hold (FmHeap *heap, gsize bytes);
void fm_heap_unhold (FmHeap *heap, gsize bytes);

/* Cuts a small block, from what @stream has open if need be. @thread is the
 * caller's number; FM_THREADS and above are shared. *@ret_left is an extent
 * that has become free because the thread cuts from another one now, or NULL.
 */
FmCutResult fm_heap_cut (FmHeap *heap, guint thread, guint stream, gsize size,
    gsize align, FmBlock *ret_block, gsize *ret_offset, FmExtent **ret_left);

/* Gives back what threads have taken and not cut, when none will cut any more;
 * @release is called for each extent that is free then. */
typedef void (*FmHeapReleaseFunc) (FmExtent *extent, gpointer data);
void fm_heap_end (FmHeap *heap, FmHeapReleaseFunc release, gpointer data);

/* Makes a fresh extent ready to be opened. */
void fm_heap_prepare (FmHeap *heap, FmExtent *extent);

/* An extent that is mostly free, and has room for the block, to be opened
 * again; NULL if there is none. It is to be given to fm_heap_open(), or back,
 * to be the last that is taken again; TRUE means the same as for a leave. */
FmExtent *fm_heap_take_mostly_free (FmHeap *heap, gsize size, gsize align);
gboolean fm_heap_put_back (FmHeap *heap, FmExtent *extent);

/* Opens an extent in the stream; NULL opens nothing. Returns what the stream
 * had open before, or NULL; that one is to be given up with fm_heap_leave(). */
FmExtent *fm_heap_open (FmHeap *heap, guint stream, FmExtent *extent);

/* Bytes of what the stream has open that are in blocks. */
gsize fm_heap_open_bytes (FmHeap *heap, guint stream);

/* Gives up a stream's hold on an extent. TRUE if no block is left in it. */
gboolean fm_heap_leave (FmHeap *heap, FmExtent *extent);

/* Makes one block of a fresh extent; @held of its bytes are held. */
void fm_heap_own (FmHeap *heap, FmExtent *extent, FmBlock *ret_block);

/* Gives a block back, of which @held bytes were held if it has an extent of
 * its own. TRUE if that was the last of its extent. */
gboolean fm_heap_give (FmHeap *heap, const FmBlock *block, gsize held);

guint fm_heap_n_streams (const FmHeap *heap);
/* The stream of the writer of that number. */
guint fm_heap_stream (const FmHeap *heap, guint number);

G_END_DECLS
#endif
