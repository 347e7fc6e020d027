/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign-fixture.h: what the tests of tracer/foreign.c and of
 * tracer/queue-level.c feed them with: memory whose end is seen, memory and
 * metas that are like those of a device or of another library, and a pool that
 * counts.
 */
#ifndef FM_FOREIGN_FIXTURE_H
#define FM_FOREIGN_FIXTURE_H

#include <gst/gst.h>

#include "../../unit/testing.h"

#define BLOCK ((gsize) 100 * 1000)

/* Memory that is filled with @seed and can't be written. @ret_freed may be
 * NULL; else it is FALSE until nobody has the memory any more. */
GstMemory *wrapped_memory (gsize size, guint seed, gboolean *ret_freed);
GstBuffer *wrapped_buffer (gsize size, guint seed, gboolean *ret_freed);

/* Zeros, of an allocator of the test's own. It fails to be mapped, whatever
 * @flags say, unless @mappable. @mem_type may be NULL. */
GstMemory *fake_memory (
    const gchar *mem_type, GstMemoryFlags flags, gboolean mappable);

/* A guint is its parameter, the number. */
typedef struct
{
  GstMeta meta;
  guint number;
} NumberMeta;

/* Registers it by @name, which stands for the same @transform each time. */
const GstMetaInfo *number_meta_info (
    const gchar *name, GstMetaTransformFunction transform);

/* What @transform may be: a copy, or nothing at all. */
gboolean number_meta_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data);
gboolean refuse_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data);

/* An active pool of @n buffers of BLOCK bytes. */
GstBufferPool *counting_pool_new (guint n);

/* How many buffers it has made. */
guint counting_pool_created (GstBufferPool *pool);

/* Does not wait: the test fails if there is none. */
GstBuffer *acquire (GstBufferPool *pool);

#endif
