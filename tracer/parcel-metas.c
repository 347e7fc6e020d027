/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * parcel-metas.c: what is attached to buffers, in a parcel, by kind: some metas
 * are plain bytes; of those that refer to an object the record has a number,
 * and the parcel the object, once for all that are alike.
 */
#include "parcel-private.h"

#include <gio/gio.h>

/* GstNetAddressMeta and GstReferenceTimestampMeta of libraries that need not be
 * here, or of a version that has more. */
#define ADDRESS_API "GstNetAddressMetaAPI"
#define TIMESTAMP_API "GstReferenceTimestampMetaAPI"

typedef struct
{
  GstMeta meta;
  GSocketAddress *address;
} AddressMeta;

typedef enum {
  META_LEFT_OUT, /* keeps another buffer alive, which is to go */
  META_PLAIN,
  META_ADDRESS,
  META_TIMESTAMP,
  META_UNKNOWN
} MetaKind;

static MetaKind
kind_of (const GstMetaInfo *info)
{
  /* They say something of the picture or the packet, and refer to nothing. */
  static const gchar *const plain[] = {
      "GstRTPSourceMetaAPI", "GstVideoCropMetaAPI"};
  const gchar *api = g_type_name (info->api);
  guint i;

  if (info->api == GST_PARENT_BUFFER_META_API_TYPE)
    return META_LEFT_OUT;
  if (info->transform_func == NULL)
    return META_UNKNOWN;
  if (g_str_equal (api, ADDRESS_API) && info->size == sizeof (AddressMeta))
    return META_ADDRESS;
  if (g_str_equal (api, TIMESTAMP_API)
      && info->size == sizeof (GstReferenceTimestampMeta))
    return META_TIMESTAMP;
  for (i = 0; i < G_N_ELEMENTS (plain); i++) {
    if (g_str_equal (api, plain[i]))
      return META_PLAIN;
  }
  return META_UNKNOWN;
}

gboolean
fm_parcel_keeps_meta (const GstMeta *meta)
{
  return kind_of (meta->info) != META_UNKNOWN;
}

gsize
fm_parcel_size_of_meta (const GstMetaInfo *info)
{
  const gsize head = sizeof (guint8) + sizeof info;

  switch (kind_of (info)) {
    case META_PLAIN:
      return head + info->size - sizeof (GstMeta);
    case META_ADDRESS:
      return head + sizeof (guint32);
    case META_TIMESTAMP:
      return head + sizeof (guint32) + 2 * sizeof (GstClockTime);
    default:
      return 0;
  }
}

/* An address as bytes; of no length if it has no such form. */
static gsize
get_native (GSocketAddress *address, guint8 native[FM_PARCEL_NATIVE_MOST])
{
  gssize size = g_socket_address_get_native_size (address);

  return size > 0 && size <= FM_PARCEL_NATIVE_MOST
          && g_socket_address_to_native (address, native, size, NULL)
      ? (gsize) size
      : 0;
}

static void
note_last (FmParcel *parcel, const guint8 *native, gsize size, guint number)
{
  memcpy (parcel->filling->last_native, native, size);
  parcel->filling->last_native_size = size;
  parcel->filling->last_address_number = number;
}

static guint
add_address (FmParcel *parcel, GSocketAddress *address)
{
  if (parcel->addresses == NULL) {
    parcel->addresses = g_ptr_array_new_with_free_func (g_object_unref);
    parcel->filling->address_numbers = g_hash_table_new_full (
        g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  }
  g_ptr_array_add (parcel->addresses, g_object_ref (address));
  return parcel->addresses->len - 1;
}

/* Those of packets that follow each other are mostly alike, but of one object
 * each. */
static guint32
number_of_address (FmParcel *parcel, GSocketAddress *address)
{
  guint8 native[FM_PARCEL_NATIVE_MOST];
  gsize size = get_native (address, native);
  g_autoptr (GBytes) bytes = NULL;
  gpointer number;

  if (size == 0)
    return add_address (parcel, address);
  if (size == parcel->filling->last_native_size
      && memcmp (native, parcel->filling->last_native, size) == 0)
    return parcel->filling->last_address_number;
  bytes = g_bytes_new (native, size);
  if (parcel->filling->address_numbers == NULL
      || !g_hash_table_lookup_extended (
          parcel->filling->address_numbers, bytes, NULL, &number)) {
    number = GUINT_TO_POINTER (add_address (parcel, address));
    g_hash_table_insert (
        parcel->filling->address_numbers, g_steal_pointer (&bytes), number);
  }
  note_last (parcel, native, size, GPOINTER_TO_UINT (number));
  return parcel->filling->last_address_number;
}

static guint32
number_of_caps (FmParcel *parcel, GstCaps *caps)
{
  guint number;

  if (parcel->caps == NULL)
    parcel->caps =
        g_ptr_array_new_with_free_func ((GDestroyNotify) gst_caps_unref);
  for (number = 0; number < parcel->caps->len; number++) {
    if (gst_caps_is_equal (g_ptr_array_index (parcel->caps, number), caps))
      return number;
  }
  g_ptr_array_add (parcel->caps, gst_caps_ref (caps));
  return number;
}

void
fm_parcel_put_meta (FmParcel *parcel, const GstMeta *meta)
{
  guint8 kind = kind_of (meta->info);
  guint32 number;

  if (kind == META_LEFT_OUT)
    return;
  fm_parcel_put (parcel, &kind, sizeof kind);
  fm_parcel_put (parcel, &meta->info, sizeof meta->info);
  if (kind == META_PLAIN) {
    fm_parcel_put (parcel, meta + 1, meta->info->size - sizeof (GstMeta));
  } else if (kind == META_ADDRESS) {
    number = number_of_address (parcel, ((const AddressMeta *) meta)->address);
    fm_parcel_put (parcel, &number, sizeof number);
  } else {
    const GstReferenceTimestampMeta *timestamp =
        (const GstReferenceTimestampMeta *) meta;

    number = number_of_caps (parcel, timestamp->reference);
    fm_parcel_put (parcel, &number, sizeof number);
    fm_parcel_put (parcel, &timestamp->timestamp, sizeof timestamp->timestamp);
    fm_parcel_put (parcel, &timestamp->duration, sizeof timestamp->duration);
  }
}

void
fm_parcel_get_meta (FmParcelReader *reader, GstBuffer *buffer)
{
  const GstMetaInfo *info;
  GstClockTime timestamp, duration;
  GstMeta *meta;
  guint8 kind;
  guint32 number;

  fm_parcel_get (reader, &kind, sizeof kind);
  fm_parcel_get (reader, &info, sizeof info);
  if (kind == META_PLAIN) {
    meta = gst_buffer_add_meta (buffer, info, NULL);
    fm_parcel_get (reader, meta + 1, info->size - sizeof (GstMeta));
    return;
  }
  fm_parcel_get (reader, &number, sizeof number);
  if (kind == META_ADDRESS) {
    meta = gst_buffer_add_meta (buffer, info, NULL);
    ((AddressMeta *) meta)->address =
        g_object_ref (g_ptr_array_index (reader->parcel->addresses, number));
    return;
  }
  fm_parcel_get (reader, &timestamp, sizeof timestamp);
  fm_parcel_get (reader, &duration, sizeof duration);
  gst_buffer_add_reference_timestamp_meta (buffer,
      g_ptr_array_index (reader->parcel->caps, number), timestamp, duration);
}
