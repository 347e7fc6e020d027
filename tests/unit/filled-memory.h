/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * filled-memory.h: memories of GStreamer with contents that tell where they
 * belong, as testing_fill() makes them.
 */
#ifndef FM_FILLED_MEMORY_H
#define FM_FILLED_MEMORY_H

#include <gst/gst.h>

/* All of @mem. FALSE if it can't be mapped. */
gboolean fill_memory (GstMemory *mem, guint seed);

/* FALSE as well if these are other bytes. */
gboolean is_memory_filled (GstMemory *mem, guint seed);

#endif
