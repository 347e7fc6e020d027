/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememallocator.h: the public interface of the library.
 */
#ifndef GST_FILE_MEM_ALLOCATOR_H
#define GST_FILE_MEM_ALLOCATOR_H

#include <gst/gst.h>

G_BEGIN_DECLS

#ifndef GST_FILEMEM_API
#define GST_FILEMEM_API __attribute__ ((visibility ("default")))
#endif

/**
 * GST_ALLOCATOR_FILEMEM:
 *
 * The name of the allocator and its memory type.
 *
 * Since: 0.1
 */
#define GST_ALLOCATOR_FILEMEM "FileMemory"

/**
 * GST_TYPE_FILE_MEM_ALLOCATOR:
 *
 * The type of #GstFileMemAllocator.
 *
 * Since: 0.1
 */
#define GST_TYPE_FILE_MEM_ALLOCATOR (gst_file_mem_allocator_get_type ())

GST_FILEMEM_API
G_DECLARE_FINAL_TYPE (GstFileMemAllocator, gst_file_mem_allocator, GST,
    FILE_MEM_ALLOCATOR, GstAllocator)

GST_FILEMEM_API
GstAllocator *gst_file_mem_allocator_new (const gchar *options, GError **error);

GST_FILEMEM_API
GstAllocator *gst_file_mem_allocator_install (const gchar *options);

GST_FILEMEM_API
void gst_file_mem_allocator_set_ram (
    GstFileMemAllocator *allocator, guint64 bytes);

GST_FILEMEM_API
GstStructure *gst_file_mem_allocator_get_stats (GstFileMemAllocator *allocator);

G_END_DECLS
#endif
