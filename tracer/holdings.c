/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * holdings.c: see holdings.h.
 */
#include "holdings.h"

#define LEVEL "current-level-bytes"

/* The foreign buffers in use. A buffer's weak reference holds one to this. */
typedef struct
{
  gatomicrefcount refs;
  GMutex lock;
  GHashTable *bytes;  /* of GstBuffer, not held */
  GHashTable *pooled; /* those among them that have a pool */
  guint64 total;
} InUse;

struct _FmHolding
{
  GWeakRef teller;  /* who has the property */
  GType level_type; /* of the property; 0 if nobody has it */
  guint64 level;    /* at most so much was kept when it was asked last */
  /* What came since then, and from the time before until then: the bytes of
   * buffers, and what they keep. */
  guint64 bytes, kept, bytes_before, kept_before;
  InUse *in_use; /* where nobody can be asked */
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

/* Bytes of buffers that are resting in their pools, which a buffer that does so
 * does not name. */
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
ask_level (FmHolding *holding)
{
  g_autoptr (GObject) teller = g_weak_ref_get (&holding->teller);
  guint64 large = 0;
  guint small = 0;

  if (teller == NULL)
    return 0;
  if (holding->level_type == G_TYPE_UINT64) {
    g_object_get (teller, LEVEL, &large, NULL);
    return large;
  }
  g_object_get (teller, LEVEL, &small, NULL);
  return small;
}

FmHolding *
fm_holding_new (GstElement *element, GstPad *pad)
{
  FmHolding *holding = g_new0 (FmHolding, 1);

  /* A multiqueue has one level for each of its pads. */
  if (tells_level (G_OBJECT (pad), &holding->level_type))
    g_weak_ref_init (&holding->teller, pad);
  else if (tells_level (G_OBJECT (element), &holding->level_type))
    g_weak_ref_init (&holding->teller, element);
  if (holding->level_type == 0) {
    holding->in_use = g_new0 (InUse, 1);
    g_atomic_ref_count_init (&holding->in_use->refs);
    g_mutex_init (&holding->in_use->lock);
    holding->in_use->bytes = g_hash_table_new (NULL, NULL);
    holding->in_use->pooled = g_hash_table_new (NULL, NULL);
  }
  return holding;
}

void
fm_holding_free (FmHolding *holding)
{
  if (holding->level_type != 0)
    g_weak_ref_clear (&holding->teller);
  g_clear_pointer (&holding->in_use, in_use_unref);
  g_free (holding);
}

/* What is kept for each byte of the level, from what came since it was asked
 * last and in the time before that. */
static guint64
kept_at_level (FmHolding *holding, guint64 level)
{
  guint64 bytes = holding->bytes + holding->bytes_before;
  guint64 kept = holding->kept + holding->kept_before;

  if (kept <= bytes || bytes == 0)
    return level;
  return (guint64) ((gdouble) level * (gdouble) kept / (gdouble) bytes);
}

static void
ask (FmHolding *holding)
{
  holding->level = kept_at_level (holding, ask_level (holding));
  holding->bytes_before = holding->bytes;
  holding->kept_before = holding->kept;
  holding->bytes = holding->kept = 0;
}

gboolean
fm_holding_exceeds (FmHolding *holding, GstBuffer *buffer, gsize bytes,
    gsize kept, guint64 limit)
{
  gboolean exceeds;

  if (limit == 0)
    return TRUE;
  if (holding->in_use != NULL)
    return exceeds_in_use (holding->in_use, buffer, kept, limit);
  exceeds = holding->level + holding->kept + kept > limit;
  if (exceeds) {
    ask (holding);
    exceeds = holding->level > 0 && holding->level + kept > limit;
  }
  holding->bytes += bytes;
  holding->kept += kept;
  return exceeds;
}

void
fm_holding_add (FmHolding *holding, GstBuffer *buffer, gsize kept)
{
  if (holding->in_use != NULL)
    (void) exceeds_in_use (holding->in_use, buffer, kept, G_MAXUINT64);
}

gboolean
fm_holding_is_told (FmHolding *holding)
{
  return holding->in_use == NULL;
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
fm_holding_bytes (FmHolding *holding)
{
  return holding->in_use != NULL ? total_in_use (holding->in_use)
                                 : holding->level + holding->kept;
}

guint64
fm_holding_level (FmHolding *holding)
{
  return holding->in_use != NULL ? total_in_use (holding->in_use)
                                 : ask_level (holding);
}
