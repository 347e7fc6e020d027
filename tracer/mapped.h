/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mapped.h: how many buffers each element keeps mapped, and for how long.
 * Mapped buffers have to be in memory, whatever the budget.
 *
 * A map belongs to the element whose code runs in the thread (attribution.h),
 * until the buffer is unmapped, by whatever code in whatever thread.
 *
 * Locking: none.
 */
#ifndef FM_MAPPED_H
#define FM_MAPPED_H

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Watches maps of @allocator's memory from now on; there must be none yet. */
void fm_mapped_start (GstFileMemAllocator *allocator);

G_END_DECLS
#endif
