/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-levels.c: asks the queue: how much it holds, how much it may hold,
 * and whether its buffers can rest in parcels. All of this may change at any
 * time, so it is asked for each parcel.
 */
#include "packing-private.h"

FmPackingLevels
fm_packing_get_levels (FmPacking *packing)
{
  guint buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (packing->queue->tells_by_pad ? (gpointer) packing->sink
                                             : packing->element,
      "current-level-bytes", &bytes, "current-level-time", &time,
      "current-level-buffers", &buffers, NULL);
  return (FmPackingLevels){bytes, time, buffers};
}

FmPackingLevels
fm_packing_get_limits (FmPacking *packing)
{
  guint buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (packing->element, "max-size-bytes", &bytes, "max-size-time",
      &time, "max-size-buffers", &buffers, NULL);
  return (FmPackingLevels){bytes, time, buffers};
}

gboolean
fm_packing_is_filled (
    const FmPackingLevels *level, const FmPackingLevels *limit)
{
  return (limit->bytes > 0 && level->bytes >= limit->bytes)
      || (limit->time > 0 && level->time >= limit->time)
      || (limit->buffers > 0 && level->buffers >= limit->buffers);
}

static gboolean
is_suitable_queue (GstElement *element)
{
  guint leaky = 0, buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (element, "leaky", &leaky, "min-threshold-buffers", &buffers,
      "min-threshold-bytes", &bytes, "min-threshold-time", &time, NULL);
  return leaky == 0 && buffers == 0 && bytes == 0 && time == 0;
}

/* A queue2 that estimates the time in it from a bitrate would estimate it from
 * parcels. */
static gboolean
is_suitable_queue2 (GstElement *element)
{
  g_autofree gchar *template = NULL;
  guint64 ring = 0, bitrate = 0;

  g_object_get (
      element, "temp-template", &template, "ring-buffer-max-size", &ring, NULL);
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (element), "bitrate")
      != NULL)
    g_object_get (element, "bitrate", &bitrate, NULL);
  return template == NULL && ring == 0 && bitrate == 0;
}

/* Otherwise the element reads from each buffer how far its streams are
 * apart. */
static gboolean
is_suitable_multiqueue (GstElement *element)
{
  gboolean interleave = FALSE, by_time = FALSE;

  g_object_get (element, "use-interleave", &interleave, "sync-by-running-time",
      &by_time, NULL);
  return !interleave && !by_time;
}

const FmPackingQueue *
fm_packing_queue_of (GstElement *element)
{
  static const FmPackingQueue queues[] = {
      {"GstQueue", is_suitable_queue, FALSE, FALSE},
      {"GstQueue2", is_suitable_queue2, FALSE, FALSE},
      {"GstMultiQueue", is_suitable_multiqueue, TRUE, TRUE},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (queues); i++) {
    if (g_str_equal (G_OBJECT_TYPE_NAME (element), queues[i].type))
      return &queues[i];
  }
  return NULL;
}

gboolean
fm_packing_is_suitable (FmPacking *packing, const FmPackingLevels *limit)
{
  return limit->buffers == 0 && packing->rate > 0
      && !gst_pad_is_blocked (packing->src)
      && packing->queue->is_suitable (packing->element);
}
