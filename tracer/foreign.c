/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.c: see foreign.h.
 *
 * The original's memories are never replaced: a pool takes a buffer back only
 * with the memories that it provided.
 */
#include "foreign.h"

#include "observe.h"
#include "video-meta.h"

#include <dlfcn.h>
#include <string.h>

static gboolean
is_ours (GstMemory *mem, GstAllocator *ours)
{
  return mem->allocator == ours;
}

gboolean
fm_foreign_is_of_device (GstMemory *mem)
{
  return gst_memory_is_type (mem, "dmabuf")
      || GST_MEMORY_FLAG_IS_SET (mem, GST_MEMORY_FLAG_PHYSICALLY_CONTIGUOUS);
}

gboolean
fm_foreign_caps_are_of_device (GstCaps *caps)
{
  guint n = gst_caps_get_size (caps), i, k;

  for (i = 0; i < n; i++) {
    GstCapsFeatures *features = gst_caps_get_features (caps, i);

    for (k = 0; features != NULL && k < gst_caps_features_get_size (features);
         k++) {
      const gchar *name = gst_caps_features_get_nth (features, k);

      if (g_str_has_prefix (name, "memory:")
          && !g_str_equal (name, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY))
        return TRUE;
    }
  }
  return FALSE;
}

gsize
fm_foreign_bytes (GstBuffer *buffer, GstAllocator *ours, gsize *ret_all,
    gsize *ret_kept, gpointer *last)
{
  guint n = gst_buffer_n_memory (buffer), i;
  gsize bytes = 0;

  *ret_all = *ret_kept = 0;
  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    *ret_all += mem->size;
    if (is_ours (mem, ours))
      continue;
    bytes += mem->size;
    if (mem->parent == NULL)
      *ret_kept += mem->maxsize;
    else if (mem->parent != *last)
      *ret_kept += mem->parent->maxsize;
    *last = mem->parent;
  }
  return bytes;
}

static gboolean
is_in_one_library (gconstpointer a, gconstpointer b)
{
  Dl_info of_a, of_b;

  return dladdr (a, &of_a) != 0 && dladdr (b, &of_b) != 0
      && of_a.dli_fbase == of_b.dli_fbase;
}

/* Whether a function of the element's own maps the video; it knows only its own
 * memory. The function that all others share is in the library of the meta
 * itself. */
gboolean
fm_foreign_knows_its_memory (const GstMeta *meta)
{
  return g_str_equal (g_type_name (meta->info->api), FM_VIDEO_META_API)
      && !is_in_one_library ((gconstpointer) ((const FmVideoMeta *) meta)->map,
          (gconstpointer) meta->info->transform_func);
}

/* GStreamer does not copy any of these, either: gst_buffer_copy() leaves out
 * metas without a transform function, and metas with this tag if the memory is
 * a different one. */
gboolean
fm_foreign_goes_with_memory (const GstMetaInfo *info)
{
  static GQuark tag = 0;

  if (tag == 0)
    tag = g_quark_from_static_string (GST_META_TAG_MEMORY_STR);
  return info->api == GST_PARENT_BUFFER_META_API_TYPE
      || (info->transform_func == NULL
          && gst_meta_api_type_has_tag (info->api, tag));
}

/* Any other meta without a transform function would be lost. One that describes
 * memory other than the buffer's has to keep that memory. */
static gboolean
look_at_meta (GstBuffer *buffer, GstMeta **meta, gpointer ret_loses)
{
  const GstMetaInfo *info = (*meta)->info;

  if (fm_foreign_goes_with_memory (info)
      || (info->transform_func != NULL && !fm_foreign_knows_its_memory (*meta)))
    return TRUE;
  *(gboolean *) ret_loses = TRUE;
  return FALSE;
}

FmLeftAlone
fm_foreign_look (GstBuffer *buffer, GstAllocator *ours)
{
  guint n = gst_buffer_n_memory (buffer), i;
  gboolean loses_meta = FALSE;

  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    if (is_ours (mem, ours))
      continue;
    if (GST_MEMORY_IS_NOT_MAPPABLE (mem))
      return FM_LEFT_NOT_MAPPABLE;
    if (fm_foreign_is_of_device (mem))
      return FM_LEFT_DEVICE;
  }
  gst_buffer_foreach_meta (buffer, look_at_meta, &loses_meta);
  return loses_meta ? FM_LEFT_META : FM_NOT_LEFT_ALONE;
}

/* The copy of one memory; its parent, of which it may be a small part, is not
 * copied. */
static GstMemory *
copy_memory (GstMemory *mem, GstAllocator *ours, FmLeftAlone *ret_why)
{
  GstAllocationParams params = {.align = mem->align};
  GstMapInfo from = GST_MAP_INFO_INIT, to = GST_MAP_INFO_INIT;
  GstMemory *copy;

  if (!gst_memory_map (mem, &from, GST_MAP_READ)) {
    *ret_why = FM_LEFT_NOT_MAPPABLE;
    return NULL;
  }
  copy = gst_file_mem_allocator_alloc_ours (
      GST_FILE_MEM_ALLOCATOR (ours), from.size, &params);
  if (copy == NULL) {
    *ret_why = FM_LEFT_NO_ROOM;
  } else if (!gst_memory_map (copy, &to, GST_MAP_WRITE)) {
    *ret_why = FM_LEFT_FAILED;
    g_clear_pointer (&copy, gst_memory_unref);
  } else {
    memcpy (to.data, from.data, from.size);
    gst_memory_unmap (copy, &to);
  }
  gst_memory_unmap (mem, &from);
  return copy;
}

static gboolean
remove_of_memory (GstBuffer *buffer, GstMeta **meta, gpointer unused)
{
  if (fm_foreign_goes_with_memory ((*meta)->info))
    *meta = NULL;
  return TRUE;
}

/* Whether @copy was made of @mem, and @mem has not been written since. */
static gboolean
holds_the_same (GstMemory *copy, GstMemory *mem)
{
  GstMapInfo a = GST_MAP_INFO_INIT, b = GST_MAP_INFO_INIT;
  gboolean same = FALSE;

  if (copy->size != mem->size || !gst_memory_map (copy, &a, GST_MAP_READ))
    return FALSE;
  if (gst_memory_map (mem, &b, GST_MAP_READ)) {
    same = memcmp (a.data, b.data, a.size) == 0;
    gst_memory_unmap (mem, &b);
  }
  gst_memory_unmap (copy, &a);
  return same;
}

/* As buffers do with their memories: if two share one, neither may write to it.
 * FALSE if the memory is being written to, whether in a buffer or not. */
static gboolean
lock_shared (GstMemory *mem)
{
  GstMiniObject *object = GST_MINI_OBJECT_CAST (mem);

  if (!gst_mini_object_lock (object, GST_LOCK_FLAG_EXCLUSIVE))
    return FALSE;
  if (gst_mini_object_lock (object, GST_LOCK_FLAG_EXCLUSIVE))
    return TRUE;
  gst_mini_object_unlock (object, GST_LOCK_FLAG_EXCLUSIVE);
  return FALSE;
}

static void
unlock_shared (GstMemory *mem)
{
  GstMiniObject *object = GST_MINI_OBJECT_CAST (mem);

  gst_mini_object_unlock (object, GST_LOCK_FLAG_EXCLUSIVE);
  gst_mini_object_unlock (object, GST_LOCK_FLAG_EXCLUSIVE);
}

/* The copy of @mem, which may have been made before; locked, so that it can't
 * be written to before it is in a buffer. A reference to @mem other than the
 * buffer's and its copy's means that someone else may want the copy. */
static GstMemory *
find_or_copy (GstMemory *mem, GstAllocator *ours, gboolean is_shared,
    GHashTable *copies, gsize *copied, FmLeftAlone *ret_why)
{
  GstMemory *earlier = g_hash_table_lookup (copies, mem), *copy;

  if (earlier != NULL && lock_shared (earlier)) {
    if (holds_the_same (earlier, mem))
      return gst_memory_ref (earlier);
    unlock_shared (earlier);
  }
  copy = copy_memory (mem, ours, ret_why);
  if (copy == NULL)
    return NULL;
  (void) lock_shared (copy);
  *copied += copy->size;
  if (is_shared || GST_MINI_OBJECT_REFCOUNT_VALUE (mem) > 2)
    g_hash_table_insert (copies, mem, gst_memory_ref (copy));
  return copy;
}

static gboolean
count_meta (GstBuffer *buffer, GstMeta **meta, gpointer ret_n)
{
  if (!fm_foreign_goes_with_memory ((*meta)->info))
    (*(guint *) ret_n)++;
  return TRUE;
}

static guint
n_metas (GstBuffer *buffer)
{
  guint n = 0;

  gst_buffer_foreach_meta (buffer, count_meta, &n);
  return n;
}

GHashTable *
fm_foreign_copies_new (void)
{
  return g_hash_table_new_full (
      NULL, NULL, NULL, (GDestroyNotify) gst_memory_unref);
}

gboolean
fm_foreign_is_among (GstBuffer *buffer, GHashTable *copies)
{
  guint n = gst_buffer_n_memory (buffer), i;

  for (i = 0; i < n; i++) {
    if (g_hash_table_contains (copies, gst_buffer_peek_memory (buffer, i)))
      return TRUE;
  }
  return FALSE;
}

GstBuffer *
fm_foreign_copy (GstBuffer *buffer, GstAllocator *ours, GHashTable *copies,
    gsize *ret_copied, FmLeftAlone *ret_why)
{
  gboolean is_shared = GST_MINI_OBJECT_REFCOUNT_VALUE (buffer) > 1;
  g_autoptr (GstBuffer) copy = NULL;
  guint n, i;

  *ret_copied = 0;
  *ret_why = fm_foreign_look (buffer, ours);
  if (*ret_why != FM_NOT_LEFT_ALONE)
    return NULL;
  copy = gst_buffer_copy (buffer);
  n = gst_buffer_n_memory (buffer);
  if (copy == NULL || gst_buffer_n_memory (copy) != n) {
    *ret_why = FM_LEFT_FAILED;
    return NULL;
  }
  gst_buffer_foreach_meta (copy, remove_of_memory, NULL);
  /* A transform function may have refused. */
  if (n_metas (copy) != n_metas (buffer)) {
    *ret_why = FM_LEFT_META;
    return NULL;
  }
  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i), *fresh;

    if (is_ours (mem, ours))
      continue;
    fresh = find_or_copy (mem, ours, is_shared, copies, ret_copied, ret_why);
    if (fresh == NULL)
      return NULL;
    gst_buffer_replace_memory (copy, i, fresh);
    unlock_shared (fresh);
  }
  return g_steal_pointer (&copy);
}
