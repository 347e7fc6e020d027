/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hoard.h: how many bytes of buffers an element sits on.
 *
 * A buffer is with the element that it entered last, as long as it exists. What
 * enters another element moves there, so an element through which buffers only
 * pass is not blamed for a queue behind it. Buffers of pools are left out: they
 * exist when nobody uses them as well.
 *
 * Locking: one lock for the tags of buffers, taken around a fork(). Any thread.
 * A buffer belongs to one hoard at a time, behind a tee to that which it
 * entered last.
 */
#ifndef FM_HOARD_H
#define FM_HOARD_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmHoard FmHoard;

FmHoard *fm_hoard_new (void);
void fm_hoard_unref (FmHoard *hoard);

/* @buffer, of which @foreign bytes are in foreign memory, enters. Returns the
 * bytes that are there now. */
guint64 fm_hoard_enter (FmHoard *hoard, GstBuffer *buffer, gsize foreign);

/* How many buffers are there now. */
guint fm_hoard_buffers (FmHoard *hoard);

/* The most bytes that were there, and how many of these were foreign. */
guint64 fm_hoard_peak (FmHoard *hoard, guint64 *ret_foreign);

G_END_DECLS
#endif
