/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * parcel-metas.c: keeps what is attached to buffers in a parcel. A meta is kept
 * as its bytes. If it has a pointer, its kind says what to do about that: of
 * objects that are alike the parcel keeps one, and what belongs to the meta
 * alone is kept behind it.
 *
 * The layouts are those of libraries that need not be loaded; they are part of
 * the ABI. If the size differs, it is not the meta that we know.
 */
#include "foreign.h"
#include "parcel-private.h"

#include <gio/gio.h>

typedef struct
{
  GstMeta meta;
  GSocketAddress *address;
} AddressMeta;

/* Later versions have a structure as well. */
typedef struct
{
  GstMeta meta;
  GstCaps *reference;
  GstClockTime timestamp, duration;
} TimestampMeta;

typedef struct
{
  GstMeta meta;
  guint rate_n, rate_d, flags;
  GDateTime *daily_jam; /* or NULL */
  guint more[5];
} TimeCodeMeta;

typedef struct
{
  GstMeta meta;
  guint type;
  guint8 *data;
  gsize size;
} CaptionMeta;

typedef struct
{
  GstMeta meta;
  guint8 uuid[16];
  guint8 *data;
  gsize size;
} UserDataMeta;

/* The end of GstAudioMeta. */
typedef struct
{
  gsize *offsets; /* NULL, or the array that follows, or a longer one */
  gsize some[8];
  gpointer reserved[GST_PADDING];
} AudioMetaEnd;

typedef enum {
  META_UNKNOWN,
  META_LEFT_OUT, /* goes with the memory, which is to be freed */
  META_PLAIN,    /* no pointer except to what exists for ever */
  META_ADDRESS,
  META_CAPS,
  META_DATE,
  META_BUFFER, /* points to the buffer that has the meta */
  META_AUDIO,
  META_BYTES /* points to bytes of its own; their number follows */
} MetaKind;

typedef struct
{
  const gchar *api;
  MetaKind kind;
  gsize size;
  gsize offset; /* of the pointer */
} Known;

/* For a plain one: the bytes of its own that it has. */
#define PLAIN(api, bytes)                          \
  {                                                \
    api, META_PLAIN, sizeof (GstMeta) + (bytes), 0 \
  }
/* For one whose pointer is a field. */
#define FIELD(api, kind, type, field)                \
  {                                                  \
    api, kind, sizeof (type), offsetof (type, field) \
  }

static const Known known_metas[] = {
    FIELD ("GstNetAddressMetaAPI", META_ADDRESS, AddressMeta, address),
    FIELD ("GstReferenceTimestampMetaAPI", META_CAPS, TimestampMeta, reference),
    PLAIN ("GstRTPSourceMetaAPI", 72),
    PLAIN ("GstAudioClippingMetaAPI", 24),
    PLAIN ("GstAudioLevelMetaAPI", 8),
    {"GstAudioMetaAPI", META_AUDIO, sizeof (GstMeta) + 432, 0},
    {"GstVideoMetaAPI", META_BUFFER, sizeof (GstMeta) + 128, sizeof (GstMeta)},
    PLAIN ("GstVideoCropMetaAPI", 16),
    FIELD ("GstVideoTimeCodeMetaAPI", META_DATE, TimeCodeMeta, daily_jam),
    FIELD ("GstVideoCaptionMetaAPI", META_BYTES, CaptionMeta, data),
    FIELD ("GstVideoSEIUserDataUnregisteredMetaAPI", META_BYTES, UserDataMeta,
        data),
    PLAIN ("GstVideoAFDMetaAPI", 16),
    PLAIN ("GstVideoBarMetaAPI", 16),
    PLAIN ("GstVideoAffineTransformationMetaAPI", 64),
};

static const Known *
known_of (const GstMetaInfo *info)
{
  static const Known unknown = {.kind = META_UNKNOWN},
                     left_out = {.kind = META_LEFT_OUT};
  const gchar *api = g_type_name (info->api);
  guint i;

  if (fm_foreign_goes_with_memory (info))
    return &left_out;
  for (i = 0; i < G_N_ELEMENTS (known_metas); i++) {
    const Known *known = &known_metas[i];

    if (g_str_equal (api, known->api) && info->transform_func != NULL
        && known->size == info->size)
      return known;
  }
  return &unknown;
}

static gpointer *
pointer_of (const GstMeta *meta, const Known *known)
{
  return (gpointer *) ((guint8 *) meta + known->offset);
}

/* The size of what the pointer points to. */
static gsize
own_bytes (const GstMeta *meta, const Known *known)
{
  gpointer *pointer = pointer_of (meta, known);

  return known->kind == META_BYTES && *pointer != NULL
      ? *(gsize *) (pointer + 1)
      : 0;
}

static AudioMetaEnd *
end_of_audio (const GstMeta *meta)
{
  return (AudioMetaEnd *) ((guint8 *) meta + meta->info->size
      - sizeof (AudioMetaEnd));
}

gboolean
fm_parcel_keeps_meta (const GstMeta *meta)
{
  const Known *known = known_of (meta->info);
  const AudioMetaEnd *audio;

  if (known->kind == META_BUFFER)
    return !fm_foreign_knows_its_memory (meta);
  if (known->kind != META_AUDIO)
    return known->kind != META_UNKNOWN;
  audio = end_of_audio (meta);
  return audio->offsets == NULL || audio->offsets == audio->some;
}

gsize
fm_parcel_size_of_meta (const GstMeta *meta)
{
  const Known *known = known_of (meta->info);

  if (known->kind == META_LEFT_OUT)
    return 0;
  return sizeof meta->info + meta->info->size - sizeof (GstMeta)
      + own_bytes (meta, known);
}

/* ---- objects that are kept ---- */

/* An address as bytes; of length 0 if it has no such form. */
static gsize
get_native (GSocketAddress *address, guint8 native[FM_PARCEL_NATIVE_MAX])
{
  gssize size = g_socket_address_get_native_size (address);

  return size > 0 && size <= FM_PARCEL_NATIVE_MAX
          && g_socket_address_to_native (address, native, size, NULL)
      ? (gsize) size
      : 0;
}

static GSocketAddress *
add_address (FmParcel *parcel, GSocketAddress *address)
{
  if (parcel->addresses == NULL) {
    parcel->addresses = g_ptr_array_new_with_free_func (g_object_unref);
    parcel->filling->address_of = g_hash_table_new_full (
        g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  }
  g_ptr_array_add (parcel->addresses, g_object_ref (address));
  return address;
}

/* The addresses of successive packets are mostly equal, but each is an object
 * of its own. */
static GSocketAddress *
keep_address (FmParcel *parcel, GSocketAddress *address)
{
  FmParcelFilling *filling = parcel->filling;
  guint8 native[FM_PARCEL_NATIVE_MAX];
  gsize size = get_native (address, native);
  g_autoptr (GBytes) bytes = NULL;
  gpointer kept = NULL;

  if (size == 0)
    return add_address (parcel, address);
  if (size == filling->last_native_size
      && memcmp (native, filling->last_native, size) == 0)
    return filling->last_address;
  bytes = g_bytes_new (native, size);
  if (filling->address_of != NULL)
    kept = g_hash_table_lookup (filling->address_of, bytes);
  if (kept == NULL) {
    kept = add_address (parcel, address);
    g_hash_table_insert (filling->address_of, g_steal_pointer (&bytes), kept);
  }
  memcpy (filling->last_native, native, size);
  filling->last_native_size = size;
  filling->last_address = kept;
  return kept;
}

static gboolean
are_equal_caps (gconstpointer a, gconstpointer b)
{
  return gst_caps_is_equal (a, b);
}

static gpointer
caps_ref (gpointer caps)
{
  return gst_caps_ref (caps);
}

/* g_date_time_equal() also accepts the same moment in another time zone. */
static gboolean
are_equal_dates (gconstpointer a, gconstpointer b)
{
  return g_date_time_equal (a, b)
      && g_date_time_get_utc_offset ((GDateTime *) a)
      == g_date_time_get_utc_offset ((GDateTime *) b);
}

static gpointer
date_ref (gpointer date)
{
  return g_date_time_ref (date);
}

/* Returns one in *@kept that is equal to @object. */
static gpointer
keep (GPtrArray **kept, gpointer object, GEqualFunc are_equal,
    gpointer (*ref) (gpointer), GDestroyNotify unref)
{
  guint i;

  if (object == NULL)
    return NULL;
  if (*kept == NULL)
    *kept = g_ptr_array_new_with_free_func (unref);
  if (g_ptr_array_find_with_equal_func (*kept, object, are_equal, &i))
    return g_ptr_array_index (*kept, i);
  g_ptr_array_add (*kept, ref (object));
  return object;
}

/* ---- in and out ---- */

/* The value of a meta's pointer while the meta is in @parcel. */
static gpointer
keep_pointer (FmParcel *parcel, gpointer pointer, MetaKind kind)
{
  switch (kind) {
    case META_ADDRESS:
      return keep_address (parcel, pointer);
    case META_CAPS:
      return keep (&parcel->caps, pointer, are_equal_caps, caps_ref,
          (GDestroyNotify) gst_caps_unref);
    case META_DATE:
      return keep (&parcel->dates, pointer, are_equal_dates, date_ref,
          (GDestroyNotify) g_date_time_unref);
    default:
      return pointer;
  }
}

/* Behind the bytes of @meta, which are at @at. */
static void
put_pointer (
    FmParcel *parcel, gsize at, const GstMeta *meta, const Known *known)
{
  gpointer pointer = *pointer_of (meta, known);
  gpointer kept = keep_pointer (parcel, pointer, known->kind);
  gsize bytes = own_bytes (meta, known);

  memcpy (parcel->filling->map.data + at + known->offset - sizeof (GstMeta),
      &kept, sizeof kept);
  if (bytes > 0)
    fm_parcel_put (parcel, pointer, bytes);
}

void
fm_parcel_put_meta (FmParcel *parcel, const GstMeta *meta)
{
  const GstMetaInfo *info = meta->info;
  const Known *known = known_of (info);
  gsize at;

  if (known->kind == META_LEFT_OUT)
    return;
  fm_parcel_put (parcel, &info, sizeof info);
  at = parcel->used;
  fm_parcel_put (parcel, meta + 1, info->size - sizeof (GstMeta));
  if (known->offset > 0)
    put_pointer (parcel, at, meta, known);
}

/* Restores the pointer, or sets it to what is the new meta's own. */
static void
mend_pointer (FmParcelReader *reader, GstMeta *meta, const Known *known,
    GstBuffer *buffer)
{
  gpointer *pointer = pointer_of (meta, known);
  AudioMetaEnd *audio;
  gsize bytes;

  switch (known->kind) {
    case META_ADDRESS:
      g_object_ref (*pointer);
      break;
    case META_CAPS:
      caps_ref (*pointer);
      break;
    case META_DATE:
      if (*pointer != NULL)
        date_ref (*pointer);
      break;
    case META_BUFFER:
      *pointer = buffer;
      break;
    case META_BYTES:
      bytes = own_bytes (meta, known);
      *pointer = g_malloc (bytes);
      if (bytes > 0)
        fm_parcel_get (reader, *pointer, bytes);
      break;
    case META_AUDIO:
      audio = end_of_audio (meta);
      if (audio->offsets != NULL)
        audio->offsets = audio->some;
      break;
    default:
      break;
  }
}

void
fm_parcel_get_meta (FmParcelReader *reader, GstBuffer *buffer)
{
  const GstMetaInfo *info;
  GstMeta *meta;

  fm_parcel_get (reader, &info, sizeof info);
  meta = gst_buffer_add_meta (buffer, info, NULL);
  fm_parcel_get (reader, meta + 1, info->size - sizeof (GstMeta));
  mend_pointer (reader, meta, known_of (info), buffer);
}
