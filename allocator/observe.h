/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * observe.h: what the tracer and the shim may see and ask of an allocator
 * beyond the public interface. Not installed; the tracer and the library are of
 * one version.
 *
 * All functions may be called from any thread at any time.
 */
#ifndef FM_OBSERVE_H
#define FM_OBSERVE_H

#include "options.h"
#include "statistics.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* gst_file_mem_allocator_install() with @params; what was set in @given, or
 * NULL, wins. */
GST_FILEMEM_API
GstAllocator *gst_file_mem_allocator_install_given (
    const gchar *params, const FmOptions *given);

/* Its options as they were given. They live as long as the allocator. */
GST_FILEMEM_API
const FmOptions *gst_file_mem_allocator_options (
    GstFileMemAllocator *allocator);

/* A memory of @allocator's own; NULL if there is none to be had, of which
 * people are told as of an allocation. Nothing falls back to system memory, and
 * nothing is counted as if it did. */
GST_FILEMEM_API
GstMemory *gst_file_mem_allocator_alloc_ours (GstFileMemAllocator *allocator,
    gsize size, const GstAllocationParams *params);

/* What the calling thread has counted so far; NULL for one that shares its
 * number with others. It belongs to the thread as long as that lives, and is
 * for the installed allocator never freed. */
GST_FILEMEM_API
const FmStatsShard *gst_file_mem_allocator_thread_counters (
    GstFileMemAllocator *allocator);

/* How many waits of that kind fell into each bucket so far. */
GST_FILEMEM_API
void gst_file_mem_allocator_waits (GstFileMemAllocator *allocator, FmWait wait,
    guint64 ret_count[FM_HISTOGRAM_BUCKETS]);

/* Called by the thread whose map of a buffer has failed, after each, with
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
 * ours stays instead, by the option on-replace. On TRUE the reference was
 * taken. */
GST_FILEMEM_API
gboolean gst_file_mem_allocator_take_replacement (GstAllocator *allocator);

/* One line for people: where its blocks live; NULL before the first
 * allocation. */
GST_FILEMEM_API
gchar *gst_file_mem_allocator_describe (GstFileMemAllocator *allocator);

/* For people: the limit of the system that leaves less than the size that was
 * asked for; NULL if there is none. */
GST_FILEMEM_API
const gchar *gst_file_mem_allocator_limited_by (GstFileMemAllocator *allocator);

G_END_DECLS
#endif
