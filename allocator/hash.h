/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hash.h: a 64-bit hash at the speed of memory, to tell whether memory has
 * changed. Not a defence against deliberate collisions.
 */
#ifndef FM_HASH_H
#define FM_HASH_H

#include <glib.h>

G_BEGIN_DECLS

/* The value of @before for the first part. */
#define FM_HASH_START G_GUINT64_CONSTANT (0x243f6a8885a308d3)

/* @data is aligned to 8 bytes, @length a multiple of 32. @before is the hash of
 * the part that ended where this one begins. */
guint64 fm_hash (gconstpointer data, gsize length, guint64 before);

G_END_DECLS
#endif
