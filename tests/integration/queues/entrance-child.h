/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-child.h: what the cases of entrances.c share: buffers that tell
 * where they belong, and the steps of a pipeline. All of it is for the
 * children, which end with a word on stderr if anything fails.
 */
#ifndef FM_ENTRANCE_CHILD_H
#define FM_ENTRANCE_CHILD_H

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

#include "../../unit/testing.h"

#define BLOCK ((gsize) 64 * 1024)
#define N_BUFFERS 20
#define PATIENCE (240 * GST_SECOND)
#define TICK (20 * 1000)

/* What a child ends with when this machine can't run its case. */
#define EXIT_SKIP 77

/* The first of all calls. @dir is the case's own; @with_filemem is whether the
 * default allocator must be filemem's. */
void start_child (const gchar *dir, gboolean with_filemem);

/* The directory of start_child(). */
const gchar *scratch_dir (void);

/* Foreign memory: BLOCK bytes that, like the time, follow from @seed. */
GstBuffer *wrapped_buffer (guint seed);
void check_bytes (GstBuffer *buffer, guint seed);

/* Whether all of its memory is of the default allocator. */
gboolean is_ours (GstBuffer *buffer);

/* ---- pipelines ---- */

/* An appsrc that takes whatever it is given. */
#define FEED "appsrc name=feed format=time max-bytes=0 ! "
GstElement *make_feed (void);
void feed (GstElement *source, guint from, guint n);
void end_feed (GstElement *source);

/* Both end the child as skipped if there is no such element. */
GstElement *make (const gchar *factory, const gchar *name);
GstElement *parse (const gchar *description);

GstElement *get (GstElement *pipeline, const gchar *name);
void play (GstElement *pipeline);
void wait_for_end (GstElement *pipeline);

/* Takes the pipeline. */
void stop_pipeline (GstElement *pipeline);

/* All that the feed gives goes through. Takes the pipeline. */
void run_fed (GstElement *pipeline);

/* A probe that lets nothing pass where it blocks. */
GstPadProbeReturn block (GstPad *pad, GstPadProbeInfo *info, gpointer unused);

#endif
