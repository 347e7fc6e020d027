/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detection.h: how many bytes of buffers an element sits on.
 *
 * About one buffer in a MiB is followed as a sample, which stands for the
 * buffers that came before it. A sample is with the element that it entered
 * last, for as long as it exists. When it enters another element it moves
 * there, so an element through which buffers only pass is not blamed for a
 * queue behind it. A buffer that its pool has taken back is with no element.
 * Streams in which all buffers are small are left out: a buffer that is
 * followed has data attached, and a queue can't pack it then.
 *
 * Locking: a detection is used by one streaming thread at a time. A sample may
 * go away in any thread: one lock guards all samples and detections, and is
 * taken around a fork(). A sample belongs to one detection at a time; behind a
 * tee, to the one that it entered last.
 */
#ifndef FM_DETECTION_H
#define FM_DETECTION_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmDetection FmDetection;

typedef struct
{
  guint64 bytes;
  guint64 peak;            /* the most bytes held at a time */
  guint64 foreign_at_peak; /* how many of these were foreign */
  gint64 oldest_us;        /* how long the oldest has been there */
  gboolean keeps_all;      /* nothing has left since the oldest came */
} FmDetectionState;

FmDetection *fm_detection_new (void);
void fm_detection_unref (FmDetection *detection);

/* @buffer of @bytes enters, of which @foreign are in foreign memory. */
void fm_detection_enter (
    FmDetection *detection, GstBuffer *buffer, gsize bytes, gsize foreign);

/* @buffer enters something that need not be followed. */
void fm_detection_forget (GstBuffer *buffer);

/* Roughly how many bytes are there now. Any thread. */
guint64 fm_detection_bytes (FmDetection *detection);

/* Whether the element has held so much for so long that it is a queue. */
gboolean fm_detection_is_queue (FmDetection *detection);

/* What is there now, and what was. Any thread. */
FmDetectionState fm_detection_look (FmDetection *detection);

G_END_DECLS
#endif
