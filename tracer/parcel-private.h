/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * parcel-private.h: what parcel.c shares with parcel-metas.c, which keeps the
 * metas attached to buffers.
 */
#ifndef FM_PARCEL_PRIVATE_H
#define FM_PARCEL_PRIVATE_H

#include "parcel.h"

#include <gio/gio.h>
#include <string.h>

G_BEGIN_DECLS

/* The most bytes of a network address; the longest are paths of local
 * sockets. */
#define FM_PARCEL_NATIVE_MAX 128

/* What a parcel needs only while it is open. */
typedef struct
{
  GstMapInfo map;
  GstClockTime pts, dts;               /* of the first */
  GstClockTime begin, last_begin, end; /* in DTS, or PTS where there is none */
  guint n;                             /* buffers */
  GHashTable *address_of;              /* by its native form */
  guint8 last_native[FM_PARCEL_NATIVE_MAX];
  gsize last_native_size;
  GSocketAddress *last_address;
} FmParcelFilling;

struct _FmParcel
{
  gatomicrefcount refs;
  GstAllocator *allocator;
  GstMemory *memory;
  gsize used;  /* of the memory */
  gsize bytes; /* of buffers */
  /* What metas refer to; or NULL. */
  GPtrArray *addresses, *caps, *dates;
  FmParcelFilling *filling; /* NULL: the parcel is closed */
  GDestroyNotify freed;
  gpointer data;
};

/* The caller has made sure that there is room. */
static inline void
fm_parcel_put (FmParcel *parcel, gconstpointer data, gsize size)
{
  memcpy (parcel->filling->map.data + parcel->used, data, size);
  parcel->used += size;
}

static inline void
fm_parcel_get (FmParcelReader *reader, gpointer data, gsize size)
{
  memcpy (data, reader->map.data + reader->position, size);
  reader->position += size;
}

/* Whether the meta can be kept. */
gboolean fm_parcel_keeps_meta (const GstMeta *meta);
/* Bytes that the meta takes; 0 if it is left out because it only keeps alive
 * another buffer, which is to be freed. */
gsize fm_parcel_size_of_meta (const GstMeta *meta);
void fm_parcel_put_meta (FmParcel *parcel, const GstMeta *meta);
/* Adds the next meta to @buffer. */
void fm_parcel_get_meta (FmParcelReader *reader, GstBuffer *buffer);

G_END_DECLS
#endif
