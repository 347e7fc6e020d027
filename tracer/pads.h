/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pads.h: sees what passes through the pads of all elements, and tells those
 * who want to know: the entrances of queues (queues.h), and who runs in which
 * thread (attribution.h).
 *
 * Every pad that an element adds is announced by a signal, to whose emissions
 * one can listen for all elements at once, however they were made: no hook of
 * the tracing subsystem is needed, of which any would cost 8% of a core at
 * 100,000 buffers a second.
 */
#ifndef FM_PADS_H
#define FM_PADS_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Starts it, if there is anybody who wants to know; never ends. */
void fm_pads_start (void);

G_END_DECLS
#endif
