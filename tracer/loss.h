/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loss.h: turns lost bytes into an error of the program.
 *
 * When a buffer can't be mapped because the disk does not give its bytes back,
 * most elements take no notice, and the program would end successfully with
 * holes in its output. So the pipeline to which the bytes were given gets an
 * error on its bus, once: from the element that mapped the buffer if
 * attribution knows it, else from each pipeline through whose pads something
 * has passed.
 *
 * The thread that maps may hold locks of its element, so another thread, of
 * GStreamer's pool, posts the message.
 */
#ifndef FM_LOSS_H
#define FM_LOSS_H

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Starts watching for losses, once, in buffers of @allocator. */
void fm_loss_start (GstFileMemAllocator *allocator);
gboolean fm_loss_is_watched (void);

/* Something passes through a pad of @element: remembers which pipeline the
 * element is part of. Any thread; once for each pad. */
void fm_loss_see (GstElement *element);

G_END_DECLS
#endif
