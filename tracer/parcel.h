/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * parcel.h: many small buffers as one: their bytes, and all that GStreamer
 * knows of each, in a single block of memory, from which they are made again.
 *
 * A buffer and its memory take half a KiB besides their bytes, and more with
 * whatever is attached to them; in a parcel that is some tens of bytes, on disk
 * with the rest. A buffer that is made again has the same bytes, number and
 * sizes of memories, timestamps, offsets, flags and metas; it is another
 * GstBuffer, with memory of the allocator's. A buffer that would lose something
 * is refused.
 *
 * Locking: none. One thread fills a parcel; once it is closed it does not
 * change any more.
 */
#ifndef FM_PARCEL_H
#define FM_PARCEL_H

#include "queue-figures.h"

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _FmParcel FmParcel;

/* With room for @capacity bytes, in memory from @allocator; NULL if there is
 * none. @freed is called with @data when the parcel is freed, whatever became
 * of it. */
FmParcel *fm_parcel_new (GstAllocator *allocator, gsize capacity,
    GDestroyNotify freed, gpointer data);
void fm_parcel_unref (FmParcel *parcel);

/* Why @buffer must stay as it is; FM_NOT_UNPACKED if there is no reason. */
FmUnpacked fm_parcel_look (GstBuffer *buffer);

/* Adds a buffer, or a whole list, that fm_parcel_look() has let pass; it stays
 * the caller's. FALSE if there is no room for it, or it can't be read: then
 * nothing has changed. */
gboolean fm_parcel_add (FmParcel *parcel, GstMiniObject *item);

/* Bytes of the buffers in the parcel. */
gsize fm_parcel_bytes (const FmParcel *parcel);

/* The time from the beginning of the first to the end of the last, in ns; 0 if
 * there are no timestamps. */
GstClockTime fm_parcel_duration (const FmParcel *parcel);

/* Whether @buffer continues where the last one ended, as far as queues can
 * tell: it has a timestamp if all others have one, or none if they have none,
 * and not an earlier one. */
gboolean fm_parcel_continues (const FmParcel *parcel, GstBuffer *buffer);

/* Nothing more is to come: returns the buffer that stands for all of them, with
 * their size and duration. Takes @parcel. */
GstBuffer *fm_parcel_close (FmParcel *parcel);

/* The parcel that @buffer stands for, with a reference; NULL for any other
 * buffer. */
FmParcel *fm_parcel_of (GstBuffer *buffer);

/* Reads the buffers in the order in which they were added. */
typedef struct
{
  FmParcel *parcel;
  GstMapInfo map;
  gsize position;
} FmParcelReader;

/* Takes @parcel. FALSE if it can't be read: its bytes are lost. */
gboolean fm_parcel_reader_init (FmParcelReader *reader, FmParcel *parcel);
void fm_parcel_reader_clear (FmParcelReader *reader);

/* The next buffer, or list; NULL if there is none. */
GstMiniObject *fm_parcel_reader_next (FmParcelReader *reader);

G_END_DECLS
#endif
