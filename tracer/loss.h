/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loss.h: bytes that are lost become an error of the program.
 *
 * When a buffer can't be mapped because the disk does not give its bytes back,
 * most elements take no notice, and the program would end well with an output
 * that has holes. So the pipeline that was given the bytes gets an error on its
 * bus, once: from the element that mapped, where attribution knows it, else
 * from each pipeline through whose pads something has passed.
 *
 * Whoever maps may hold locks of its element: the message is posted by another
 * thread, of GStreamer's pool.
 */
#ifndef FM_LOSS_H
#define FM_LOSS_H

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Starts it, once, for buffers of @allocator. */
void fm_loss_start (GstFileMemAllocator *allocator);
gboolean fm_loss_is_watched (void);

/* Something passes through a pad of @element: remembers what it is part of. Any
 * thread; once for each pad. */
void fm_loss_see (GstElement *element);

G_END_DECLS
#endif
