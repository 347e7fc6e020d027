/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.h: the foreign memory of a buffer is copied into filemem.
 *
 * Foreign is what the file-backed allocator did not give: wrapped memory, that
 * of other allocators, and what became system memory because filemem had no
 * room. The copy has the same memories, byte for byte, and every flag,
 * timestamp, offset and meta of the original, but for those that go with its
 * memory: a GstParentBufferMeta, which would keep the original alive, which is
 * to go at once, and what says of itself that it is about the memory and can't
 * be copied.
 * What somebody attached as qdata is lost: nothing tells that it is there.
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

/* Bytes of @buffer that @ours did not give, of those in *@ret_all. What they
 * keep from being freed is in *@ret_kept: all of the parent memory of which
 * they may be a small part, but for *@last, which was counted before; *@last is
 * set to that parent, and is only to be compared with. */
gsize fm_foreign_bytes (GstBuffer *buffer, GstAllocator *ours, gsize *ret_all,
    gsize *ret_kept, gpointer *last);

/* Whether memory of that type stands for something of a device, to which
 * whoever takes it is likely to hand it. */
gboolean fm_foreign_is_of_device (GstMemory *mem);

/* Whether what has @caps is in such memory. */
gboolean fm_foreign_caps_are_of_device (GstCaps *caps);

/* Whether metas of that kind are not to be with a copy of the bytes. */
gboolean fm_foreign_goes_with_memory (const GstMetaInfo *info);

/* Whether @meta says how its own memory is mapped, which a copy is not. */
gboolean fm_foreign_knows_its_memory (const GstMeta *meta);

/* Why the buffer should be left alone, as far as can be told without copying;
 * FM_NOT_LEFT_ALONE if it need not be. */
FmLeftAlone fm_foreign_look (GstBuffer *buffer, GstAllocator *ours);

/* Copies of memories that others have as well: a tee gives the same memory to
 * each of its branches. Of GstMemory, not held, to GstMemory. */
GHashTable *fm_foreign_copies_new (void);

/* Whether memory of @buffer may have been copied before. */
gboolean fm_foreign_is_among (GstBuffer *buffer, GHashTable *copies);

/* A copy of @buffer in which no memory is foreign; those that are not are
 * shared. So are those in @copies that hold the same bytes still, and new ones
 * that somebody else may want are added there. *@ret_copied is the number of
 * bytes that were copied. NULL, and why in @ret_why, if there can't be one. */
GstBuffer *fm_foreign_copy (GstBuffer *buffer, GstAllocator *ours,
    GHashTable *copies, gsize *ret_copied, FmLeftAlone *ret_why);

G_END_DECLS
#endif
