/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * observe.h: what the tracer and the shim may see and ask of an allocator
 * beyond the public interface. Not installed; the tracer and the library are
 * always of the same version.
 *
 * All functions may be called from any thread at any time.
 */
#ifndef FM_OBSERVE_H
#define FM_OBSERVE_H

#include "options.h"
#include "statistics.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Like gst_file_mem_allocator_install() with @params; options that are set in
 * @given, which may be NULL, win. */
GST_FILEMEM_API
GstAllocator *gst_file_mem_allocator_install_given (
    const gchar *params, const FmOptions *given);

/* Its options as the user gave them. They live as long as the allocator. */
GST_FILEMEM_API
const FmOptions *gst_file_mem_allocator_options (
    GstFileMemAllocator *allocator);

/* A memory of @allocator's own; NULL if none can be had, of which the user is
 * told as for any allocation. Nothing falls back to system memory, and nothing
 * is counted as a fallback. */
GST_FILEMEM_API
GstMemory *gst_file_mem_allocator_alloc_ours (GstFileMemAllocator *allocator,
    gsize size, const GstAllocationParams *params);

/* What the calling thread has counted so far; NULL if it shares its number with
 * others. The counters belong to the thread as long as it lives; those of the
 * installed allocator are never freed. */
GST_FILEMEM_API
const FmStatsShard *gst_file_mem_allocator_thread_counters (
    GstFileMemAllocator *allocator);

/* How many waits of this kind fell into each bucket so far. */
GST_FILEMEM_API
void gst_file_mem_allocator_waits (GstFileMemAllocator *allocator, FmWait wait,
    guint64 ret_count[FM_HISTOGRAM_BUCKETS]);

/* Called after each failed map of a buffer, by the thread that made it, with
 * whatever locks its element holds. */
typedef void (*GstFileMemAllocatorLossFunc) (void);
GST_FILEMEM_API
void gst_file_mem_allocator_set_loss_func (
    GstFileMemAllocator *allocator, GstFileMemAllocatorLossFunc func);

/* The addresses of its blocks; FALSE before the first allocation. */
GST_FILEMEM_API
gboolean gst_file_mem_allocator_arena (
    GstFileMemAllocator *allocator, gpointer *ret_base, gsize *ret_length);

/* For the shim, when the program sets @allocator as the default one: whether
 * ours stays instead, according to the option on-replace. If TRUE, it has taken
 * the reference. */
GST_FILEMEM_API
gboolean gst_file_mem_allocator_take_replacement (GstAllocator *allocator);

/* One line for people: where its blocks live; NULL before the first
 * allocation. */
GST_FILEMEM_API
gchar *gst_file_mem_allocator_describe (GstFileMemAllocator *allocator);

/* For people: the system limit that leaves less than the size asked for; NULL
 * if there is none. */
GST_FILEMEM_API
const gchar *gst_file_mem_allocator_limited_by (GstFileMemAllocator *allocator);

G_END_DECLS
#endif
