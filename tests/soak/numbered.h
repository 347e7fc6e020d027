/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * numbered.h: buffers that have a number and whose every byte follows from it,
 * a source that makes them and a sink that checks them.
 *
 * What is wrong is said on stderr and counted; nothing stops for it.
 */
#ifndef FM_SOAK_NUMBERED_H
#define FM_SOAK_NUMBERED_H

#include <gst/base/gstbasesink.h>
#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>

/* Each buffer lasts as long, so that a position in time is a number. */
#define NUMBERED_DURATION (40 * GST_MSECOND)

/* The buffers of one stream. */
typedef struct
{
  guint32 stream;
  gsize least, most; /* bytes of a buffer */
  guint64 n_buffers;
  gboolean wrapped; /* memory that is not the default allocator's */
} Numbered;

/* How many things were wrong in this process. */
extern gint numbered_n_wrong;

void numbered_complain (const gchar *format, ...) G_GNUC_PRINTF (1, 2);

gsize numbered_size (const Numbered *stream, guint64 number);
GstBuffer *numbered_make (const Numbered *stream, guint64 number);
gboolean numbered_is_right (
    const Numbered *stream, guint64 number, GstBuffer *buffer);

/* An element of that stream; it can seek. */
GstElement *numbered_src_new (const Numbered *stream);

/* It wants the buffers of that stream one after the other, from where the last
 * seek went, and rests so long at each. */
GstElement *numbered_sink_new (const Numbered *stream, gulong rest_us);

/* Whether the end of the stream has come, after the last buffer. */
gboolean numbered_sink_has_ended (GstElement *sink);

#endif
