/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-level.c: see queue-level.h.
 */
#include "queue-level.h"

#define LEVEL "current-level-bytes"

/* The foreign buffers in use. The weak reference of each buffer holds a
 * reference to this. */
typedef struct
{
  gatomicrefcount refs;
  GMutex lock;
  GHashTable *bytes;  /* of GstBuffer, not held */
  GHashTable *pooled; /* those among them that have a pool */
  guint64 total;
} InUse;

struct _FmQueueLevel
{
  GWeakRef teller;  /* the object that has the property */
  GType level_type; /* of the property; 0 if no object has it */
  guint64 level;    /* at most this much was kept when last asked */
  /* What has come since then, and in the period before that: the bytes of
   * buffers, and how much they keep. */
  guint64 bytes, kept, bytes_before, kept_before;
  InUse *in_use; /* if there is no property to read */
};

static void
in_use_unref (InUse *in_use)
{
  if (!g_atomic_ref_count_dec (&in_use->refs))
    return;
  g_hash_table_unref (in_use->bytes);
  g_hash_table_unref (in_use->pooled);
  g_mutex_clear (&in_use->lock);
  g_free (in_use);
}

static void
on_freed (gpointer data, GstMiniObject *buffer)
{
  InUse *in_use = data;
  gpointer bytes;

  g_mutex_lock (&in_use->lock);
  if (g_hash_table_steal_extended (in_use->bytes, buffer, NULL, &bytes))
    in_use->total -= GPOINTER_TO_SIZE (bytes);
  g_hash_table_remove (in_use->pooled, buffer);
  g_mutex_unlock (&in_use->lock);
  in_use_unref (in_use);
}

/* Bytes of buffers that are resting in their pools, apart from @except. A
 * resting buffer does not name its pool. */
static guint64
resting (InUse *in_use, GstBuffer *except)
{
  GHashTableIter iter;
  gpointer buffer;
  guint64 total = 0;

  g_hash_table_iter_init (&iter, in_use->pooled);
  while (g_hash_table_iter_next (&iter, &buffer, NULL)) {
    if (buffer != except
        && g_atomic_pointer_get (&((GstBuffer *) buffer)->pool) == NULL)
      total += GPOINTER_TO_SIZE (g_hash_table_lookup (in_use->bytes, buffer));
  }
  return total;
}

/* Only buffers of pools come again. */
static gboolean
exceeds_in_use (InUse *in_use, GstBuffer *buffer, gsize bytes, guint64 limit)
{
  gboolean known, exceeds;
  guint64 others;

  g_mutex_lock (&in_use->lock);
  known = g_hash_table_contains (in_use->bytes, buffer);
  others = in_use->total
      - GPOINTER_TO_SIZE (g_hash_table_lookup (in_use->bytes, buffer));
  if (others + bytes > limit && g_hash_table_size (in_use->pooled) > 0)
    others -= resting (in_use, buffer);
  exceeds = others > 0 && others + bytes > limit;
  if (!exceeds && !known) {
    g_hash_table_insert (in_use->bytes, buffer, GSIZE_TO_POINTER (bytes));
    if (buffer->pool != NULL)
      g_hash_table_add (in_use->pooled, buffer);
    in_use->total += bytes;
  }
  g_mutex_unlock (&in_use->lock);

  if (!exceeds && !known) {
    g_atomic_ref_count_inc (&in_use->refs);
    gst_mini_object_weak_ref (GST_MINI_OBJECT_CAST (buffer), on_freed, in_use);
  }
  return exceeds;
}

static gboolean
tells_level (GObject *object, GType *ret_type)
{
  GParamSpec *spec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (object), LEVEL);

  if (spec == NULL || (spec->flags & G_PARAM_READABLE) == 0
      || (spec->value_type != G_TYPE_UINT && spec->value_type != G_TYPE_UINT64))
    return FALSE;
  *ret_type = spec->value_type;
  return TRUE;
}

static guint64
ask_level (FmQueueLevel *queue)
{
  g_autoptr (GObject) teller = g_weak_ref_get (&queue->teller);
  guint64 large = 0;
  guint small = 0;

  if (teller == NULL)
    return 0;
  if (queue->level_type == G_TYPE_UINT64) {
    g_object_get (teller, LEVEL, &large, NULL);
    return large;
  }
  g_object_get (teller, LEVEL, &small, NULL);
  return small;
}

FmQueueLevel *
fm_queue_level_new (GstElement *element, GstPad *pad)
{
  FmQueueLevel *queue = g_new0 (FmQueueLevel, 1);

  /* What a sink has given to the program, which may keep it, counts in no level
   * (appsink has had one since 1.28). A multiqueue has one for each of its
   * pads. */
  if (GST_OBJECT_FLAG_IS_SET (element, GST_ELEMENT_FLAG_SINK))
    queue->level_type = 0;
  else if (tells_level (G_OBJECT (pad), &queue->level_type))
    g_weak_ref_init (&queue->teller, pad);
  else if (tells_level (G_OBJECT (element), &queue->level_type))
    g_weak_ref_init (&queue->teller, element);
  if (queue->level_type == 0) {
    queue->in_use = g_new0 (InUse, 1);
    g_atomic_ref_count_init (&queue->in_use->refs);
    g_mutex_init (&queue->in_use->lock);
    queue->in_use->bytes = g_hash_table_new (NULL, NULL);
    queue->in_use->pooled = g_hash_table_new (NULL, NULL);
  }
  return queue;
}

void
fm_queue_level_free (FmQueueLevel *queue)
{
  if (queue->level_type != 0)
    g_weak_ref_clear (&queue->teller);
  g_clear_pointer (&queue->in_use, in_use_unref);
  g_free (queue);
}

/* How much @level keeps, from the ratio of kept to bytes in what came since it
 * was last asked and in the period before that. */
static guint64
kept_at_level (FmQueueLevel *queue, guint64 level)
{
  guint64 bytes = queue->bytes + queue->bytes_before;
  guint64 kept = queue->kept + queue->kept_before;

  if (kept <= bytes || bytes == 0)
    return level;
  return (guint64) ((gdouble) level * (gdouble) kept / (gdouble) bytes);
}

static void
ask (FmQueueLevel *queue)
{
  queue->level = kept_at_level (queue, ask_level (queue));
  queue->bytes_before = queue->bytes;
  queue->kept_before = queue->kept;
  queue->bytes = queue->kept = 0;
}

gboolean
fm_queue_level_exceeds (FmQueueLevel *queue, GstBuffer *buffer, gsize bytes,
    gsize kept, guint64 limit)
{
  gboolean exceeds;

  if (limit == 0)
    return TRUE;
  if (queue->in_use != NULL)
    return exceeds_in_use (queue->in_use, buffer, kept, limit);
  exceeds = queue->level + queue->kept + kept > limit;
  if (exceeds) {
    ask (queue);
    exceeds = queue->level > 0 && queue->level + kept > limit;
  }
  queue->bytes += bytes;
  queue->kept += kept;
  return exceeds;
}

void
fm_queue_level_add (FmQueueLevel *queue, GstBuffer *buffer, gsize kept)
{
  if (queue->in_use != NULL)
    (void) exceeds_in_use (queue->in_use, buffer, kept, G_MAXUINT64);
}

gboolean
fm_queue_level_is_told (FmQueueLevel *queue)
{
  return queue->in_use == NULL;
}

static guint64
total_in_use (InUse *in_use)
{
  guint64 total;

  g_mutex_lock (&in_use->lock);
  total = in_use->total;
  g_mutex_unlock (&in_use->lock);
  return total;
}

guint64
fm_queue_level_bytes (FmQueueLevel *queue)
{
  return queue->in_use != NULL ? total_in_use (queue->in_use)
                               : queue->level + queue->kept;
}

guint64
fm_queue_level_now (FmQueueLevel *queue)
{
  return queue->in_use != NULL ? total_in_use (queue->in_use)
                               : ask_level (queue);
}
