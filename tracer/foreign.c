/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.c: see foreign.h.
 *
 * The original's memories are never replaced: a pool takes a buffer back only
 * with the memories that it gave.
 */
#include "foreign.h"

#include <string.h>

static gboolean
is_ours (GstMemory *mem, GstAllocator *ours)
{
  return mem->allocator == ours;
}

/* Memory types that stand for something of a device, and that whoever takes
 * them is likely to hand to one. */
static gboolean
is_of_device (GstMemory *mem)
{
  return gst_memory_is_type (mem, "dmabuf")
      || GST_MEMORY_FLAG_IS_SET (mem, GST_MEMORY_FLAG_PHYSICALLY_CONTIGUOUS);
}

gsize
fm_foreign_bytes (GstBuffer *buffer, GstAllocator *ours)
{
  guint n = gst_buffer_n_memory (buffer), i;
  gsize bytes = 0;

  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    if (!is_ours (mem, ours))
      bytes += mem->size;
  }
  return bytes;
}

/* A meta without a transform function is not copied. One that says something
 * about another memory than the buffer's has to keep that. */
static gboolean
look_at_meta (GstBuffer *buffer, GstMeta **meta, gpointer ret_loses)
{
  if ((*meta)->info->transform_func != NULL)
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
    if (is_of_device (mem))
      return FM_LEFT_DEVICE;
  }
  gst_buffer_foreach_meta (buffer, look_at_meta, &loses_meta);
  return loses_meta ? FM_LEFT_META : FM_NOT_LEFT_ALONE;
}

/* The copy of one memory; its parent, of which it may be a small part, is not
 * copied with it. */
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
  copy = gst_allocator_alloc (ours, from.size, &params);
  if (copy == NULL || !is_ours (copy, ours)) {
    *ret_why = FM_LEFT_NO_ROOM;
    g_clear_pointer (&copy, gst_memory_unref);
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
remove_parent (GstBuffer *buffer, GstMeta **meta, gpointer unused)
{
  if ((*meta)->info->api == GST_PARENT_BUFFER_META_API_TYPE)
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

GstBuffer *
fm_foreign_copy (GstBuffer *buffer, GstAllocator *ours, GstBuffer *earlier,
    FmLeftAlone *ret_why)
{
  g_autoptr (GstBuffer) copy = NULL;
  guint n, i;

  *ret_why = fm_foreign_look (buffer, ours);
  if (*ret_why != FM_NOT_LEFT_ALONE)
    return NULL;
  copy = gst_buffer_copy (buffer);
  n = gst_buffer_n_memory (buffer);
  if (copy == NULL || gst_buffer_n_memory (copy) != n) {
    *ret_why = FM_LEFT_FAILED;
    return NULL;
  }
  if (earlier != NULL && gst_buffer_n_memory (earlier) != n)
    earlier = NULL;
  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i), *fresh = NULL;

    if (is_ours (mem, ours))
      continue;
    if (earlier != NULL
        && holds_the_same (gst_buffer_peek_memory (earlier, i), mem))
      fresh = gst_buffer_get_memory (earlier, i);
    else
      fresh = copy_memory (mem, ours, ret_why);
    if (fresh == NULL)
      return NULL;
    gst_buffer_replace_memory (copy, i, fresh);
  }
  gst_buffer_foreach_meta (copy, remove_parent, NULL);
  return g_steal_pointer (&copy);
}
