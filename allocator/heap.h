/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.h: the block heap: which bytes of which extent belong to which block.
 *
 * A shared extent has 64 chunks. A thread takes a chunk, or a run of them, from
 * the extent that its stream has open, and cuts small blocks from it one after
 * the other without a lock: what is written together is paged together, and
 * streams do not mix. A chunk is free once its last block is gone. It is taken
 * again, the lowest first, as long as its extent is open, so a shallow queue
 * cycles through memory that is still warm. A closed extent takes no new block
 * until most of it has become free: then a stream opens it again before it asks
 * for a fresh one, so that a few long-lived blocks do not hold megabytes each.
 * A large block has an extent of its own.
 *
 * Pure bookkeeping: no system call, and no byte of a block is ever touched, so
 * a spilled block can be freed without reading it.
 *
 * Locking: a stream's mutex guards which extent is open, and keeps that extent
 * from being left while chunks are taken from it; the heap's mutex guards the
 * list of extents that can be opened again. The chunks that a thread cuts from
 * are its own. Everything that a free touches is atomic.
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

/* Blocks of up to @small_most bytes share extents, which are at least twice as
 * long. Blocks hold at most @limit bytes; @n_streams is a power of two. */
FmHeap *fm_heap_new (
    FmExtentTable *table, gsize small_most, guint n_streams, guint64 limit);
void fm_heap_free (FmHeap *heap);

/* Whether a block of @size bytes at a multiple of @align + 1 is cut from a
 * shared extent. */
gboolean fm_heap_is_small (const FmHeap *heap, gsize size, gsize align);

/* Counts @bytes towards the limit; FALSE, and counts nothing, if they do not
 * fit. */
gboolean fm_heap_hold (FmHeap *heap, gsize bytes);
void fm_heap_unhold (FmHeap *heap, gsize bytes);

/* Cuts a small block, from the extent that @stream has open if need be. @thread
 * is the caller's number; numbers from FM_THREADS up are shared. *@ret_left is
 * an extent that has become free because the thread now cuts from another one,
 * or NULL. */
FmCutResult fm_heap_cut (FmHeap *heap, guint thread, guint stream, gsize size,
    gsize align, FmBlock *ret_block, gsize *ret_offset, FmExtent **ret_left);

/* Gives back what threads have taken and not cut, once none will cut any more;
 * calls @release for each extent that is free then. */
typedef void (*FmHeapReleaseFunc) (FmExtent *extent, gpointer data);
void fm_heap_end (FmHeap *heap, FmHeapReleaseFunc release, gpointer data);

/* Makes a fresh extent ready to be opened. */
void fm_heap_prepare (FmHeap *heap, FmExtent *extent);

/* Takes an extent that is mostly free and has room for the block, to be opened
 * again; NULL if there is none. The caller passes it to fm_heap_open(), or puts
 * it back, after which it is the last to be taken again; TRUE then means the
 * same as for fm_heap_leave(). */
FmExtent *fm_heap_take_mostly_free (FmHeap *heap, gsize size, gsize align);
gboolean fm_heap_put_back (FmHeap *heap, FmExtent *extent);

/* Opens an extent in the stream; NULL opens nothing. Returns what the stream
 * had open before, or NULL; the caller gives that up with fm_heap_leave(). */
FmExtent *fm_heap_open (FmHeap *heap, guint stream, FmExtent *extent);

/* How many bytes of the stream's open extent are in blocks. */
gsize fm_heap_open_bytes (FmHeap *heap, guint stream);

/* Gives up a stream's hold on an extent. TRUE if no block is left in it. */
gboolean fm_heap_leave (FmHeap *heap, FmExtent *extent);

/* Makes one block of a fresh extent. */
void fm_heap_own (FmHeap *heap, FmExtent *extent, FmBlock *ret_block);

/* Gives back a block, for which @held bytes were held if it has an extent of
 * its own. TRUE if it was the last of its extent. */
gboolean fm_heap_give (FmHeap *heap, const FmBlock *block, gsize held);

guint fm_heap_n_streams (const FmHeap *heap);
/* The stream of the writer with that number. */
guint fm_heap_stream (const FmHeap *heap, guint number);

G_END_DECLS
#endif
