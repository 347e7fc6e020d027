/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hash.h: whether memory is what it was: a hash of 64 bits at the speed of
 * memory. Not against anybody who means harm.
 */
#ifndef FM_HASH_H
#define FM_HASH_H

#include <glib.h>

G_BEGIN_DECLS

/* What the first part of several begins with. */
#define FM_HASH_START G_GUINT64_CONSTANT (0x243f6a8885a308d3)

/* @data is aligned to 8 bytes, @length a multiple of 32. A part goes on where
 * the one before it ended, whose hash is @before. */
guint64 fm_hash (gconstpointer data, gsize length, guint64 before);

G_END_DECLS
#endif
