/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mapped.h: which element keeps how many buffers mapped, and for how long. What
 * is mapped has to be in memory, whatever the budget.
 *
 * A map is that of the element whose code runs in the thread (attribution.h),
 * and remains so until it is unmapped, by whatever code of whatever thread.
 *
 * Locking: none.
 */
#ifndef FM_MAPPED_H
#define FM_MAPPED_H

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Watches maps of @allocator's memory from now on, of which there is none
 * yet. */
void fm_mapped_start (GstFileMemAllocator *allocator);

G_END_DECLS
#endif
