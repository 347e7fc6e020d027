/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-metas.h: metas of all kinds that a parcel keeps, and some that it
 * does not: attached to a buffer, and in words.
 */
#ifndef FM_PACKING_METAS_H
#define FM_PACKING_METAS_H

#include "../../unit/choices.h"

#include <gst/gst.h>

/* Some; @n is in what they say. */
void metas_add (Choices *choices, GstBuffer *buffer, guint n);

/* All that @meta of @buffer says. */
void metas_describe (GString *text, const GstMeta *meta, GstBuffer *buffer);

#endif
