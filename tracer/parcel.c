/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * parcel.c: see parcel.h.
 *
 * The block is a sequence of records, each followed by its bytes. The size of
 * the buffer that stands for it is that of the bytes alone, so that a queue's
 * level is what it would be without parcels; the records are in the part of the
 * memory beyond its size.
 */
#include "parcel-private.h"

#include "foreign.h"
#include "mini-object.h"

/* The record of each buffer. The sizes of its memories, the fields, its metas
 * and its bytes follow it. */
typedef struct
{
  guint32 flags; /* of a list: how many records follow */
  guint16 n_memories;
  guint8 fields; /* those that are not GST_CLOCK_TIME_NONE */
  guint8 n_metas;
} Record;

enum {
  HAS_PTS = 1 << 0,
  HAS_DTS = 1 << 1,
  HAS_DURATION = 1 << 2,
  HAS_OFFSET = 1 << 3,
  HAS_OFFSET_END = 1 << 4,
  IS_LIST = 1 << 7
};

/* Flags that any mini object has, which are not the buffer's own. */
#define OBJECT_FLAGS (GST_MINI_OBJECT_FLAG_LAST - 1)

/* ---- the block ---- */

FmParcel *
fm_parcel_new (GstAllocator *allocator, gsize capacity, GDestroyNotify freed,
    gpointer data)
{
  GstMemory *memory = gst_allocator_alloc (allocator, capacity, NULL);
  FmParcelFilling *filling;
  FmParcel *parcel;

  if (memory == NULL)
    return NULL;
  filling = g_new0 (FmParcelFilling, 1);
  if (!gst_memory_map (memory, &filling->map, GST_MAP_WRITE)) {
    gst_memory_unref (memory);
    g_free (filling);
    return NULL;
  }
  parcel = g_new0 (FmParcel, 1);
  g_atomic_ref_count_init (&parcel->refs);
  parcel->allocator = allocator;
  parcel->memory = memory;
  parcel->filling = filling;
  parcel->freed = freed;
  parcel->data = data;
  return parcel;
}

/* Only the memory remains. */
static void
end_filling (FmParcel *parcel)
{
  gst_memory_unmap (parcel->memory, &parcel->filling->map);
  g_clear_pointer (&parcel->filling->address_of, g_hash_table_unref);
  g_clear_pointer (&parcel->filling, g_free);
}

void
fm_parcel_unref (FmParcel *parcel)
{
  if (!g_atomic_ref_count_dec (&parcel->refs))
    return;
  if (parcel->filling != NULL)
    end_filling (parcel);
  gst_memory_unref (parcel->memory);
  g_clear_pointer (&parcel->addresses, g_ptr_array_unref);
  g_clear_pointer (&parcel->caps, g_ptr_array_unref);
  g_clear_pointer (&parcel->dates, g_ptr_array_unref);
  parcel->freed (parcel->data);
  g_free (parcel);
}

/* ---- what can be packed ---- */

static gboolean
can_be_read (GstMemory *memory)
{
  return !GST_MEMORY_FLAG_IS_SET (memory, GST_MEMORY_FLAG_NOT_MAPPABLE)
      && !fm_foreign_is_of_device (memory);
}

FmUnpacked
fm_parcel_look (GstBuffer *buffer)
{
  guint n = gst_buffer_n_memory (buffer), n_metas = 0, i;
  gpointer state = NULL;
  GstMeta *meta;

  if (fm_mini_object_may_have_data (GST_MINI_OBJECT_CAST (buffer)))
    return FM_UNPACKED_DATA;
  for (i = 0; i < n; i++) {
    if (!can_be_read (gst_buffer_peek_memory (buffer, i)))
      return FM_UNPACKED_MEMORY;
  }
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    if (!fm_parcel_keeps_meta (meta) || ++n_metas > G_MAXUINT8)
      return FM_UNPACKED_META;
  }
  return FM_NOT_UNPACKED;
}

/* ---- in ---- */

static GstClockTime
time_of (GstBuffer *buffer)
{
  return GST_BUFFER_DTS_OR_PTS (buffer);
}

static gsize
size_of_record (GstBuffer *buffer)
{
  gsize size = sizeof (Record) + 5 * sizeof (guint64)
      + gst_buffer_n_memory (buffer) * sizeof (guint32)
      + gst_buffer_get_size (buffer);
  gpointer state = NULL;
  GstMeta *meta;

  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL)
    size += fm_parcel_size_of_meta (meta);
  return size;
}

static void
put_field (FmParcel *parcel, Record *record, guint64 value, guint8 field)
{
  if (value == GST_CLOCK_TIME_NONE)
    return;
  record->fields |= field;
  fm_parcel_put (parcel, &value, sizeof value);
}

static gboolean
put_bytes (FmParcel *parcel, GstMemory *memory)
{
  GstMapInfo map;

  if (!gst_memory_map (memory, &map, GST_MAP_READ))
    return FALSE;
  fm_parcel_put (parcel, map.data, map.size);
  gst_memory_unmap (memory, &map);
  return TRUE;
}

static void
note_time (FmParcel *parcel, GstBuffer *buffer)
{
  if (parcel->filling->n++ == 0) {
    parcel->filling->pts = GST_BUFFER_PTS (buffer);
    parcel->filling->dts = GST_BUFFER_DTS (buffer);
    parcel->filling->begin = time_of (buffer);
  }
  parcel->filling->last_begin = parcel->filling->end = time_of (buffer);
  if (GST_CLOCK_TIME_IS_VALID (parcel->filling->end)
      && GST_BUFFER_DURATION_IS_VALID (buffer))
    parcel->filling->end += GST_BUFFER_DURATION (buffer);
}

static gboolean
put_buffer (FmParcel *parcel, GstBuffer *buffer)
{
  Record record = {.flags = GST_BUFFER_FLAGS (buffer) & ~OBJECT_FLAGS,
      .n_memories = gst_buffer_n_memory (buffer)};
  gsize at = parcel->used;
  gpointer state = NULL;
  GstMeta *meta;
  guint i;

  if (parcel->used + size_of_record (buffer) > parcel->filling->map.maxsize)
    return FALSE;
  parcel->used += sizeof record;
  for (i = 0; i < record.n_memories; i++) {
    guint32 size = gst_buffer_peek_memory (buffer, i)->size;

    fm_parcel_put (parcel, &size, sizeof size);
  }
  put_field (parcel, &record, GST_BUFFER_PTS (buffer), HAS_PTS);
  put_field (parcel, &record, GST_BUFFER_DTS (buffer), HAS_DTS);
  put_field (parcel, &record, GST_BUFFER_DURATION (buffer), HAS_DURATION);
  put_field (parcel, &record, GST_BUFFER_OFFSET (buffer), HAS_OFFSET);
  put_field (parcel, &record, GST_BUFFER_OFFSET_END (buffer), HAS_OFFSET_END);
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL) {
    fm_parcel_put_meta (parcel, meta);
    record.n_metas += fm_parcel_size_of_meta (meta) > 0;
  }
  memcpy (parcel->filling->map.data + at, &record, sizeof record);
  for (i = 0; i < record.n_memories; i++) {
    if (!put_bytes (parcel, gst_buffer_peek_memory (buffer, i))) {
      parcel->used = at;
      return FALSE;
    }
  }
  note_time (parcel, buffer);
  parcel->bytes += gst_buffer_get_size (buffer);
  return TRUE;
}

static gboolean
put_list (FmParcel *parcel, GstBufferList *list)
{
  Record record = {.flags = gst_buffer_list_length (list), .fields = IS_LIST};
  const FmParcelFilling before = *parcel->filling;
  gsize used = parcel->used, bytes = parcel->bytes;
  guint i;

  if (parcel->used + sizeof record > parcel->filling->map.maxsize)
    return FALSE;
  fm_parcel_put (parcel, &record, sizeof record);
  for (i = 0; i < record.flags; i++) {
    if (!put_buffer (parcel, gst_buffer_list_get (list, i))) {
      parcel->used = used;
      parcel->bytes = bytes;
      parcel->filling->n = before.n;
      parcel->filling->end = before.end;
      parcel->filling->last_begin = before.last_begin;
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
fm_parcel_add (FmParcel *parcel, GstMiniObject *item)
{
  return GST_IS_BUFFER (item) ? put_buffer (parcel, GST_BUFFER_CAST (item))
                              : put_list (parcel, GST_BUFFER_LIST_CAST (item));
}

gsize
fm_parcel_bytes (const FmParcel *parcel)
{
  return parcel->bytes;
}

GstClockTime
fm_parcel_duration (const FmParcel *parcel)
{
  return GST_CLOCK_TIME_IS_VALID (parcel->filling->begin)
          && GST_CLOCK_TIME_IS_VALID (parcel->filling->end)
      ? parcel->filling->end - parcel->filling->begin
      : 0;
}

gboolean
fm_parcel_continues (const FmParcel *parcel, GstBuffer *buffer)
{
  GstClockTime time = time_of (buffer);

  return GST_CLOCK_TIME_IS_VALID (time)
      == GST_CLOCK_TIME_IS_VALID (parcel->filling->last_begin)
      && (!GST_CLOCK_TIME_IS_VALID (time)
          || time >= parcel->filling->last_begin);
}

/* ---- the buffer that stands for it ---- */

typedef struct
{
  GstMeta meta;
  FmParcel *parcel;
} ParcelMeta;

static const GstMetaInfo *parcel_meta_info (void);

static gboolean
parcel_meta_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  ((ParcelMeta *) meta)->parcel = NULL;
  return TRUE;
}

static void
parcel_meta_free (GstMeta *meta, GstBuffer *buffer)
{
  g_clear_pointer (&((ParcelMeta *) meta)->parcel, fm_parcel_unref);
}

static FmParcel *
fm_parcel_ref (FmParcel *parcel)
{
  g_atomic_ref_count_inc (&parcel->refs);
  return parcel;
}

/* A copy stands for the same buffers. */
static gboolean
parcel_meta_transform (GstBuffer *copy, GstMeta *meta, GstBuffer *buffer,
    GQuark type, gpointer data)
{
  ParcelMeta *copied;

  if (!GST_META_TRANSFORM_IS_COPY (type))
    return FALSE;
  copied = (ParcelMeta *) gst_buffer_add_meta (copy, parcel_meta_info (), NULL);
  copied->parcel = fm_parcel_ref (((ParcelMeta *) meta)->parcel);
  return TRUE;
}

static GType
parcel_meta_api (void)
{
  static gsize type = 0;

  if (g_once_init_enter (&type)) {
    static const gchar *tags[] = {NULL};

    g_once_init_leave (
        &type, gst_meta_api_type_register ("FilememParcelMetaAPI", tags));
  }
  return type;
}

static const GstMetaInfo *
parcel_meta_info (void)
{
  static gsize info = 0;

  if (g_once_init_enter (&info))
    g_once_init_leave (&info,
        (gsize) gst_meta_register (parcel_meta_api (), "FilememParcelMeta",
            sizeof (ParcelMeta), parcel_meta_init, parcel_meta_free,
            parcel_meta_transform));
  return (const GstMetaInfo *) info;
}

/* A parcel that was closed early would take far more than it needs. */
static void
shrink (FmParcel *parcel)
{
  GstMemory *less;
  GstMapInfo map;

  if (parcel->used > parcel->filling->map.maxsize / 2)
    return;
  less = gst_allocator_alloc (parcel->allocator, parcel->used, NULL);
  if (less == NULL)
    return;
  if (!gst_memory_map (less, &map, GST_MAP_WRITE)) {
    gst_memory_unref (less);
    return;
  }
  memcpy (map.data, parcel->filling->map.data, parcel->used);
  gst_memory_unmap (parcel->memory, &parcel->filling->map);
  gst_memory_unref (parcel->memory);
  parcel->memory = less;
  parcel->filling->map = map;
}

GstBuffer *
fm_parcel_close (FmParcel *parcel)
{
  GstBuffer *buffer = gst_buffer_new ();
  GstMeta *meta = gst_buffer_add_meta (buffer, parcel_meta_info (), NULL);

  GST_BUFFER_PTS (buffer) = parcel->filling->pts;
  GST_BUFFER_DTS (buffer) = parcel->filling->dts;
  if (fm_parcel_duration (parcel) > 0)
    GST_BUFFER_DURATION (buffer) = fm_parcel_duration (parcel);
  shrink (parcel);
  end_filling (parcel);
  gst_memory_resize (parcel->memory, 0, parcel->bytes);
  gst_buffer_append_memory (buffer, gst_memory_ref (parcel->memory));
  ((ParcelMeta *) meta)->parcel = parcel;
  return buffer;
}

FmParcel *
fm_parcel_of (GstBuffer *buffer)
{
  GstMeta *meta = gst_buffer_get_meta (buffer, parcel_meta_api ());

  return meta != NULL ? fm_parcel_ref (((ParcelMeta *) meta)->parcel) : NULL;
}

/* ---- out ---- */

gboolean
fm_parcel_reader_init (FmParcelReader *reader, FmParcel *parcel)
{
  reader->parcel = parcel;
  reader->position = 0;
  if (gst_memory_map (parcel->memory, &reader->map, GST_MAP_READ))
    return TRUE;
  fm_parcel_unref (parcel);
  return FALSE;
}

void
fm_parcel_reader_clear (FmParcelReader *reader)
{
  gst_memory_unmap (reader->parcel->memory, &reader->map);
  fm_parcel_unref (reader->parcel);
}

static guint64
get_field (FmParcelReader *reader, const Record *record, guint8 field)
{
  guint64 value = GST_CLOCK_TIME_NONE;

  if ((record->fields & field) != 0)
    fm_parcel_get (reader, &value, sizeof value);
  return value;
}

/* The allocation fails only where system memory fails, too: then the program is
 * at its end. */
static GstMemory *
get_bytes (FmParcelReader *reader, gsize size)
{
  const guint8 *data = reader->map.data + reader->position;
  GstMemory *memory =
      gst_allocator_alloc (reader->parcel->allocator, size, NULL);
  gpointer copy;
  GstMapInfo map;

  reader->position += size;
  if (G_LIKELY (gst_memory_map (memory, &map, GST_MAP_WRITE))) {
    memcpy (map.data, data, size);
    gst_memory_unmap (memory, &map);
    return memory;
  }
  gst_memory_unref (memory);
  copy = g_memdup2 (data, size);
  return gst_memory_new_wrapped (0, copy, size, 0, size, copy, g_free);
}

static GstBuffer *
get_buffer (FmParcelReader *reader, const Record *record)
{
  GstBuffer *buffer = gst_buffer_new ();
  const guint8 *sizes = reader->map.data + reader->position;
  guint i;

  reader->position += record->n_memories * sizeof (guint32);
  GST_BUFFER_PTS (buffer) = get_field (reader, record, HAS_PTS);
  GST_BUFFER_DTS (buffer) = get_field (reader, record, HAS_DTS);
  GST_BUFFER_DURATION (buffer) = get_field (reader, record, HAS_DURATION);
  GST_BUFFER_OFFSET (buffer) = get_field (reader, record, HAS_OFFSET);
  GST_BUFFER_OFFSET_END (buffer) = get_field (reader, record, HAS_OFFSET_END);
  for (i = 0; i < record->n_metas; i++)
    fm_parcel_get_meta (reader, buffer);
  for (i = 0; i < record->n_memories; i++) {
    guint32 size;

    memcpy (&size, sizes + i * sizeof size, sizeof size);
    gst_buffer_append_memory (buffer, get_bytes (reader, size));
  }
  /* Adding a memory sets one of them. */
  GST_MINI_OBJECT_FLAGS (buffer) =
      (GST_MINI_OBJECT_FLAGS (buffer) & OBJECT_FLAGS) | record->flags;
  return buffer;
}

GstMiniObject *
fm_parcel_reader_next (FmParcelReader *reader)
{
  GstBufferList *list;
  Record record;
  guint n;

  if (reader->position >= reader->parcel->used)
    return NULL;
  fm_parcel_get (reader, &record, sizeof record);
  if ((record.fields & IS_LIST) == 0)
    return GST_MINI_OBJECT_CAST (get_buffer (reader, &record));
  n = record.flags;
  list = gst_buffer_list_new_sized (n);
  while (n-- > 0) {
    fm_parcel_get (reader, &record, sizeof record);
    gst_buffer_list_add (list, get_buffer (reader, &record));
  }
  return GST_MINI_OBJECT_CAST (list);
}
