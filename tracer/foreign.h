/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.h: the foreign memory of a buffer is copied into filemem.
 *
 * Foreign is what the file-backed allocator did not give: wrapped memory, that
 * of other allocators, and what became system memory because filemem had no
 * room. The copy has the same memories, byte for byte, and every flag,
 * timestamp, offset and meta of the original; a GstParentBufferMeta alone is
 * left out, because it would keep the original alive, which is to go at once.
 *
 * Some buffers are better left alone; FmLeftAlone says why.
 *
 * Locking: none; any thread.
 */
#ifndef FM_FOREIGN_H
#define FM_FOREIGN_H

#include "queue-figures.h"

#include <gst/gst.h>

G_BEGIN_DECLS

/* Bytes of @buffer that @ours did not give. */
gsize fm_foreign_bytes (GstBuffer *buffer, GstAllocator *ours);

/* Why the buffer should be left alone, as far as can be told without copying;
 * FM_NOT_LEFT_ALONE if it need not be. */
FmLeftAlone fm_foreign_look (GstBuffer *buffer, GstAllocator *ours);

/* A copy of @buffer in which no memory is foreign; those that are not are
 * shared. So are those of @earlier, if not NULL, that hold the same bytes: a
 * tee gives the same memory to each of its branches. NULL, and why in @ret_why,
 * if there can't be one. */
GstBuffer *fm_foreign_copy (GstBuffer *buffer, GstAllocator *ours,
    GstBuffer *earlier, FmLeftAlone *ret_why);

G_END_DECLS
#endif
