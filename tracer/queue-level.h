/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-level.h: how many foreign bytes a queue may hold.
 *
 * An element or a pad with the property "current-level-bytes" is asked, and not
 * for each buffer: what has entered since it was asked last cannot be more than
 * what it held then and what has come. A level counts the bytes of buffers;
 * where these are small parts of larger memory, as much more is kept as has
 * been of late. Of one without, and of a sink, whose buffers the program may
 * keep, the foreign buffers that entered and are still in use are remembered;
 * one that rests in its pool is not in use.
 *
 * Locking: a level is for one streaming thread at a time; what it is now may be
 * asked by any. The buffers that it remembers may be freed by any thread; a
 * mutex guards these.
 */
#ifndef FM_QUEUE_LEVEL_H
#define FM_QUEUE_LEVEL_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmQueueLevel FmQueueLevel;

/* Of what enters at @pad of @element, of which it holds no reference. */
FmQueueLevel *fm_queue_level_new (GstElement *element, GstPad *pad);
void fm_queue_level_free (FmQueueLevel *queue);

/* Whether the queue may keep more than @limit foreign bytes from being freed if
 * @buffer enters, which has @bytes of them and keeps @kept; if not, they are
 * counted as entering. One buffer alone is never too much, unless @limit is 0:
 * a queue that is empty whenever something comes is as shallow as can be,
 * however large its buffers. */
gboolean fm_queue_level_exceeds (FmQueueLevel *queue, GstBuffer *buffer,
    gsize bytes, gsize kept, guint64 limit);

/* @buffer stays foreign and enters all the same. */
void fm_queue_level_add (FmQueueLevel *queue, GstBuffer *buffer, gsize kept);

/* Whether the level is what the queue says. */
gboolean fm_queue_level_is_told (FmQueueLevel *queue);

/* The most foreign bytes that it may hold, as known. */
guint64 fm_queue_level_bytes (FmQueueLevel *queue);

/* The bytes in the queue now, whoever gave them; of one that can't tell the
 * foreign ones. 0 once the queue is gone. Any thread. */
guint64 fm_queue_level_now (FmQueueLevel *queue);

G_END_DECLS
#endif
