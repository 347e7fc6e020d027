/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pads.h: sees what passes through the pads of all elements, and reports it to
 * those that want to know: the entrances of queues (queues.h), and attribution,
 * which tracks whose code runs in which thread (attribution.h).
 *
 * A signal announces every pad that an element adds, and one can listen to its
 * emissions for all elements at once, however they were made. So no hook of the
 * tracing subsystem is needed; any hook would cost 8% of a core at 100,000
 * buffers a second.
 */
#ifndef FM_PADS_H
#define FM_PADS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Starts watching, if anything wants to know; never ends. */
void fm_pads_start (void);

G_END_DECLS
#endif
