/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fake-kernel.h: see fake-kernel.c.
 */
#ifndef FM_TEST_FAKE_KERNEL_H
#define FM_TEST_FAKE_KERNEL_H

#include "arena.h"
#include "backing-file.h"
#include "extent.h"

#define FAKE_PAGES 4

void fake_kernel_reset (void);

/* What the arena shows at @offset at this moment; fails where it shows
 * nothing. */
guint8 *fake_kernel_page (gsize offset);

#endif
