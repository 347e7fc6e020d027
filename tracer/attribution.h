/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * attribution.h: who allocates, maps, waits and has page faults: which element,
 * and behind which queue or source.
 *
 * A thread runs the code of one element at a time. Which one is known because
 * every pad through which buffers pass says so when it is entered and left
 * (pads.c); before the first one it is the element whose loop runs in the
 * thread, to which the pad's peer belongs. The library counts for each thread
 * what it does (statistics.h): what that has grown by in between is the
 * element's. So the allocator does not know of this, and where it is off it
 * costs nothing.
 *
 * Locking: none; what a thread is at is its own.
 */
#ifndef FM_ATTRIBUTION_H
#define FM_ATTRIBUTION_H

#include "tally.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Starts it, once, for blocks of @allocator. */
void fm_attribution_start (GstFileMemAllocator *allocator);
gboolean fm_attribution_is_on (void);

/* What is known of an element; a reference that the element holds. */
FmTally *fm_attribution_of (GstElement *element);

/* Between these two the thread runs the code of @element, which was entered by
 * @pad. The first returns what the second is to be given. */
FmTally *fm_attribution_enter (FmTally *element, GstPad *pad);
void fm_attribution_leave (FmTally *before);

/* What the thread enters next may belong to another loop than before, even if
 * it looks the same. */
void fm_attribution_new_stream (void);

/* The element whose code the calling thread runs; NULL where that is not
 * known. */
GstElement *fm_attribution_running (void);
/* What is known of it; no reference. */
FmTally *fm_attribution_running_tally (void);

/* All elements and all threads (FmTally), those that are gone too. Any
 * thread. */
GPtrArray *fm_attribution_elements (void);
GPtrArray *fm_attribution_threads (void);

/* Page faults at addresses of blocks, of all threads that there ever were. */
void fm_attribution_faults (guint64 *ret_minor, guint64 *ret_major);

G_END_DECLS
#endif
