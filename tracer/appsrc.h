/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * appsrc.h: watches what a program pushes into an appsrc. When the elements
 * behind it are slower, buffers rest there as in a queue, but they enter
 * through no pad.
 *
 * Pushes by the element's signals are seen wherever the tracer is loaded.
 * Pushes by the library's functions are seen where the shim is loaded before
 * that library. Whatever leaves an appsrc without having been seen on its way
 * in is counted.
 */
#ifndef FM_APPSRC_H
#define FM_APPSRC_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* To be called when a source pad is added, which happens while the first appsrc
 * is being made; from then on all of them are watched. */
void fm_appsrc_look (void);

/* For the shim, in place of gst_app_src_push_buffer() or _buffer_list(), of
 * gst_app_src_push_sample() and of gst_app_src_end_of_stream(). The shim passes
 * the original function as the last argument. */
GstFlowReturn gst_file_mem_tracer_push_buffer (GstElement *appsrc,
    gpointer item, GstFlowReturn (*push) (GstElement *, gpointer));
GstFlowReturn gst_file_mem_tracer_push_sample (GstElement *appsrc,
    GstSample *sample, GstFlowReturn (*push) (GstElement *, GstSample *));
GstFlowReturn gst_file_mem_tracer_end_of_stream (
    GstElement *appsrc, GstFlowReturn (*end) (GstElement *));

G_END_DECLS
#endif
