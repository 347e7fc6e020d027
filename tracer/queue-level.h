/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-level.h: how many foreign bytes a queue may hold.
 *
 * If the element or the pad has the property "current-level-bytes", that is
 * read, but not for each buffer: the queue cannot hold more than it held when
 * last asked plus what has come since. A level counts the bytes of buffers;
 * where these are small parts of larger memory, the queue keeps more than that
 * from being freed, and the ratio seen of late tells how much more. For a queue
 * without the property, and for a sink, whose buffers the program may keep, the
 * foreign buffers that entered and are still in use are remembered; a buffer
 * that rests in its pool is not in use.
 *
 * Locking: a level is used by one streaming thread at a time; any thread may
 * ask what it is now. Any thread may free the buffers that it remembers; a
 * mutex guards these.
 */
#ifndef FM_QUEUE_LEVEL_H
#define FM_QUEUE_LEVEL_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmQueueLevel FmQueueLevel;

/* The level of what enters at @pad of @element, to which it holds no
 * reference. */
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

/* Whether the level is the queue's own figure. */
gboolean fm_queue_level_is_told (FmQueueLevel *queue);

/* The most foreign bytes that the queue may hold, as far as known. */
guint64 fm_queue_level_bytes (FmQueueLevel *queue);

/* The bytes in the queue now, from any allocator; for a queue that can't tell,
 * the foreign bytes. 0 once the queue is gone. Any thread. */
guint64 fm_queue_level_now (FmQueueLevel *queue);

G_END_DECLS
#endif
