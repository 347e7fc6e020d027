/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hoard.c: see hoard.h. What a buffer is worth, and with whom it is, hangs at
 * the buffer as qdata, which goes with it.
 */
#include "hoard.h"

#include "fork.h"
#include "sync.h"

#include <stdatomic.h>

struct _FmHoard
{
  gatomicrefcount refs;
  _Atomic guint64 bytes, foreign;
  atomic_uint n; /* buffers */
  _Atomic guint64 peak, foreign_at_peak;
};

typedef struct
{
  _Atomic (FmHoard *) hoard; /* holds a reference */
  gsize bytes, foreign;
} Tag;

/* Around every look at a buffer's tag: two threads may be the first to whom it
 * comes, and GStreamer's own lock below is not to be taken during a fork. */
static FmMutex lock;

static GQuark
tag_quark (void)
{
  return g_quark_from_static_string ("filemem-hoard");
}

static void
take_lock (void)
{
  fm_mutex_lock (&lock);
}

static void
give_lock (void)
{
  fm_mutex_unlock (&lock);
}

FmHoard *
fm_hoard_new (void)
{
  static const FmForkHandlers handlers = {take_lock, give_lock, give_lock};
  FmHoard *hoard = g_new0 (FmHoard, 1);

  fm_fork_register (FM_FORK_HOARD, &handlers);
  g_atomic_ref_count_init (&hoard->refs);
  return hoard;
}

void
fm_hoard_unref (FmHoard *hoard)
{
  if (g_atomic_ref_count_dec (&hoard->refs))
    g_free (hoard);
}

static void
move (Tag *tag, FmHoard *to)
{
  FmHoard *from = atomic_exchange (&tag->hoard, to);

  if (from == NULL)
    return;
  atomic_fetch_sub (&from->n, 1);
  atomic_fetch_sub (&from->bytes, tag->bytes);
  atomic_fetch_sub (&from->foreign, tag->foreign);
  fm_hoard_unref (from);
}

static void
tag_free (gpointer data)
{
  move (data, NULL);
  g_free (data);
}

static Tag *
get_tag (GstBuffer *buffer, gsize foreign)
{
  GstMiniObject *object = GST_MINI_OBJECT_CAST (buffer);
  Tag *tag;

  fm_mutex_lock (&lock);
  tag = gst_mini_object_get_qdata (object, tag_quark ());
  if (tag == NULL) {
    tag = g_new0 (Tag, 1);
    tag->bytes = gst_buffer_get_size (buffer);
    tag->foreign = foreign;
    gst_mini_object_set_qdata (object, tag_quark (), tag, tag_free);
  }
  fm_mutex_unlock (&lock);
  return tag;
}

guint64
fm_hoard_enter (FmHoard *hoard, GstBuffer *buffer, gsize foreign)
{
  guint64 bytes;
  Tag *tag;

  if (buffer->pool != NULL)
    return atomic_load (&hoard->bytes);
  tag = get_tag (buffer, foreign);
  atomic_fetch_add (&hoard->n, 1);
  bytes = atomic_fetch_add (&hoard->bytes, tag->bytes) + tag->bytes;
  foreign = atomic_fetch_add (&hoard->foreign, tag->foreign) + tag->foreign;
  if (bytes > atomic_load_explicit (&hoard->peak, memory_order_relaxed)) {
    atomic_store_explicit (&hoard->peak, bytes, memory_order_relaxed);
    atomic_store_explicit (
        &hoard->foreign_at_peak, foreign, memory_order_relaxed);
  }
  g_atomic_ref_count_inc (&hoard->refs);
  move (tag, hoard);
  return bytes;
}

guint
fm_hoard_buffers (FmHoard *hoard)
{
  return atomic_load (&hoard->n);
}

guint64
fm_hoard_peak (FmHoard *hoard, guint64 *ret_foreign)
{
  *ret_foreign = atomic_load (&hoard->foreign_at_peak);
  return atomic_load (&hoard->peak);
}
