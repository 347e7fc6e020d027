/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.h: copies the foreign memory of a buffer into filemem.
 *
 * Memory is foreign if the file-backed allocator did not provide it: wrapped
 * memory, memory of other allocators, and what became system memory because
 * filemem had no room. The copy has the same memories, byte for byte, and every
 * flag, timestamp, offset and meta of the original, except for metas that go
 * with its memory: a GstParentBufferMeta, which would keep the original alive
 * although it is to be freed at once, and any meta that declares itself to be
 * about the memory and can't be copied. Anything attached as qdata is lost:
 * there is no way to tell that it is there.
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

/* Bytes of @buffer that @ours did not provide, out of those in *@ret_all.
 * *@ret_kept is what they keep from being freed: all of the parent memory of
 * which they may be a small part, except for *@last, which was counted before.
 * *@last is set to that parent, and may only be compared with. */
gsize fm_foreign_bytes (GstBuffer *buffer, GstAllocator *ours, gsize *ret_all,
    gsize *ret_kept, gpointer *last);

/* Whether memory of that type stands for something in a device, to which the
 * element that receives it is likely to pass it. */
gboolean fm_foreign_is_of_device (GstMemory *mem);

/* Whether buffers with @caps are in such memory. */
gboolean fm_foreign_caps_are_of_device (GstCaps *caps);

/* Whether metas of that kind must not accompany a copy of the bytes. */
gboolean fm_foreign_goes_with_memory (const GstMetaInfo *info);

/* Whether @meta has a map function that knows its own memory alone, and so
 * can't map a copy. */
gboolean fm_foreign_knows_its_memory (const GstMeta *meta);

/* Why the buffer should be left alone, as far as can be told without copying;
 * FM_NOT_LEFT_ALONE if there is no reason. */
FmLeftAlone fm_foreign_look (GstBuffer *buffer, GstAllocator *ours);

/* Copies of memories that others have as well: a tee gives the same memory to
 * each of its branches. Maps GstMemory, not held, to GstMemory. */
GHashTable *fm_foreign_copies_new (void);

/* Whether any memory of @buffer may have been copied before. */
gboolean fm_foreign_is_among (GstBuffer *buffer, GHashTable *copies);

/* A copy of @buffer in which no memory is foreign; memories that are not
 * foreign are shared. So are copies in @copies that still hold the same bytes;
 * new copies that others may want are added there. *@ret_copied is the number
 * of bytes that were copied. Returns NULL, with the reason in @ret_why, if
 * there can't be a copy. */
GstBuffer *fm_foreign_copy (GstBuffer *buffer, GstAllocator *ours,
    GHashTable *copies, gsize *ret_copied, FmLeftAlone *ret_why);

G_END_DECLS
#endif
