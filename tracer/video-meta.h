/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * video-meta.h: the beginning of GstVideoMeta, unchanged since 1.0, so that
 * filemem need not link with GStreamer's video library.
 */
#ifndef FM_VIDEO_META_H
#define FM_VIDEO_META_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define FM_VIDEO_META_API "GstVideoMetaAPI"
#define FM_VIDEO_PLANES_MAX 4

typedef struct
{
  GstMeta meta;
  GstBuffer *buffer;
  guint flags;  /* an enumeration */
  guint format; /* another one */
  gint id;
  guint width, height;
  guint n_planes;
  gsize offset[FM_VIDEO_PLANES_MAX];
  gint stride[FM_VIDEO_PLANES_MAX];
  void (*map) (void); /* compared, never called */
} FmVideoMeta;

G_END_DECLS
#endif
