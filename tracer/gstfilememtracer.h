/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememtracer.h: the tracer "filemem".
 */
#ifndef GST_FILE_MEM_TRACER_H
#define GST_FILE_MEM_TRACER_H

#include <gst/filemem/filemem.h>
#include <gst/gsttracer.h>

G_BEGIN_DECLS

#define GST_TYPE_FILE_MEM_TRACER (gst_file_mem_tracer_get_type ())
G_DECLARE_FINAL_TYPE (
    GstFileMemTracer, gst_file_mem_tracer, GST, FILE_MEM_TRACER, GstTracer)

void gst_file_mem_tracer_make (const gchar *params);

G_END_DECLS
#endif
