/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * appsrc.h: what a program pushes into an appsrc, where it rests like in a
 * queue when what follows is slower, but enters by no pad.
 *
 * Pushes by the element's signals are seen by whoever has the tracer. Pushes by
 * the library's functions are seen where the shim is loaded before that
 * library. What comes out of an appsrc and was not seen before is counted.
 */
#ifndef FM_APPSRC_H
#define FM_APPSRC_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* To be called when a source pad is added, which is when the first appsrc is
 * being made: from then on all of them are watched. */
void fm_appsrc_look (void);

/* For the shim, in place of gst_app_src_push_buffer() or _buffer_list(), of
 * gst_app_src_push_sample() and gst_app_src_end_of_stream(), which it passes as
 * the last argument. */
GstFlowReturn gst_file_mem_tracer_push_buffer (GstElement *appsrc,
    gpointer item, GstFlowReturn (*push) (GstElement *, gpointer));
GstFlowReturn gst_file_mem_tracer_push_sample (GstElement *appsrc,
    GstSample *sample, GstFlowReturn (*push) (GstElement *, GstSample *));
GstFlowReturn gst_file_mem_tracer_end_of_stream (
    GstElement *appsrc, GstFlowReturn (*end) (GstElement *));

G_END_DECLS
#endif
