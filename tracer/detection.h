/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detection.h: how many bytes of buffers an element sits on.
 *
 * A sample of the buffers is followed, about one in a MiB, which stands for
 * those that came before it. It is with the element that it entered last, as
 * long as it exists. What enters another element moves there, so an element
 * through which buffers only pass is not blamed for a queue behind it. A buffer
 * that its pool has taken back is with nobody. Streams in which all buffers are
 * small are left out: one that is followed has data attached, with which a
 * queue can't pack it.
 *
 * Locking: a detection is for one streaming thread at a time. A sample may go
 * in any thread: one lock for all of them and for detections, taken around a
 * fork(). A sample belongs to one detection at a time, behind a tee to that
 * which it entered last.
 */
#ifndef FM_DETECTION_H
#define FM_DETECTION_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmDetection FmDetection;

typedef struct
{
  guint64 bytes;
  guint64 peak;            /* the most bytes that were there */
  guint64 foreign_at_peak; /* how many of these were foreign */
  gint64 oldest_us;        /* for so long the oldest has been there */
  gboolean keeps_all;      /* nothing has left since that came */
} FmDetectionState;

FmDetection *fm_detection_new (void);
void fm_detection_unref (FmDetection *detection);

/* @buffer enters, of @bytes, of which @foreign are in foreign memory. */
void fm_detection_enter (
    FmDetection *detection, GstBuffer *buffer, gsize bytes, gsize foreign);

/* @buffer enters something of which it need not be known. */
void fm_detection_forget (GstBuffer *buffer);

/* How many bytes are there now, about. Any thread. */
guint64 fm_detection_bytes (FmDetection *detection);

/* Whether so much has been there for so long that it is a queue. */
gboolean fm_detection_is_queue (FmDetection *detection);

/* What is there now, and was. Any thread. */
FmDetectionState fm_detection_look (FmDetection *detection);

G_END_DECLS
#endif
