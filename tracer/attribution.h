/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * attribution.h: which element allocates, maps, waits and has page faults, and
 * behind which queue or source.
 *
 * A thread runs the code of one element at a time. Which one is known because
 * every pad through which buffers pass reports when it is entered and left
 * (pads.c); before the first pad it is the element whose loop runs in the
 * thread, to which the pad's peer belongs. The library counts what each thread
 * does (statistics.h); whatever the counts have grown by in between is
 * attributed to the element. So the allocator knows nothing of this, and
 * attribution costs nothing where it is off.
 *
 * Locking: none; a thread's state is its own.
 */
#ifndef FM_ATTRIBUTION_H
#define FM_ATTRIBUTION_H

#include "tally.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Starts attribution, once, for blocks of @allocator. */
void fm_attribution_start (GstFileMemAllocator *allocator);
gboolean fm_attribution_is_on (void);

/* The tally of an element; the element holds the reference. */
FmTally *fm_attribution_of (GstElement *element);

/* Between these two the thread runs the code of @element, which it entered by
 * @pad. Pass the result of the first to the second. */
FmTally *fm_attribution_enter (FmTally *element, GstPad *pad);
void fm_attribution_leave (FmTally *before);

/* Whatever the thread enters next may belong to a different loop from before,
 * even if it looks the same. */
void fm_attribution_new_stream (void);

/* The element whose code the calling thread runs; NULL if that is not known. */
GstElement *fm_attribution_running (void);
/* Its tally; no reference. */
FmTally *fm_attribution_running_tally (void);

/* All elements and all threads (FmTally), including those that are gone. Any
 * thread. */
GPtrArray *fm_attribution_elements (void);
GPtrArray *fm_attribution_threads (void);

/* Page faults at addresses of blocks, of all threads that ever existed. */
void fm_attribution_faults (guint64 *ret_minor, guint64 *ret_major);

G_END_DECLS
#endif
