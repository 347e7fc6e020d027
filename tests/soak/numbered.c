/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * numbered.c: see numbered.h.
 *
 * A source and a sink belong to their streaming threads; only whether a sink
 * has ended may be asked by any.
 */
#include "numbered.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FACTOR G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)

gint numbered_n_wrong;

void
numbered_complain (const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  flockfile (stderr);
  fputs ("soak-worker: ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  funlockfile (stderr);
  va_end (args);
  g_atomic_int_inc (&numbered_n_wrong);
}

/* ---- contents ---- */

static guint64
first_word (guint32 stream, guint64 number)
{
  return ((guint64) stream << 32 ^ number) * FACTOR;
}

/* No two words of a buffer are alike, nor are those of two buffers. */
static void
fill (guint8 *data, gsize size, guint64 word)
{
  gsize i;

  for (i = 0; i < size / 8; i++, word += FACTOR)
    memcpy (data + 8 * i, &word, 8);
  memcpy (data + 8 * i, &word, size % 8);
}

static gboolean
is_filled (const guint8 *data, gsize size, guint64 word)
{
  guint64 differs = 0, found;
  gsize i;

  for (i = 0; i < size / 8; i++, word += FACTOR) {
    memcpy (&found, data + 8 * i, 8);
    differs |= found ^ word;
  }
  return differs == 0 && memcmp (data + 8 * i, &word, size % 8) == 0;
}

gsize
numbered_size (const Numbered *stream, guint64 number)
{
  guint64 any = first_word (stream->stream, number) >> 20;

  return stream->least + (gsize) (any % (stream->most - stream->least + 1));
}

GstBuffer *
numbered_make (const Numbered *stream, guint64 number)
{
  gsize size = numbered_size (stream, number);
  GstBuffer *buffer = stream->wrapped
      ? gst_buffer_new_wrapped (g_malloc (size), size)
      : gst_buffer_new_allocate (NULL, size, NULL);
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE)) {
    numbered_complain ("a new buffer can't be mapped");
    return buffer;
  }
  fill (map.data, map.size, first_word (stream->stream, number));
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_OFFSET (buffer) = number;
  GST_BUFFER_PTS (buffer) = number * NUMBERED_DURATION;
  GST_BUFFER_DURATION (buffer) = NUMBERED_DURATION;
  return buffer;
}

gboolean
numbered_is_right (const Numbered *stream, guint64 number, GstBuffer *buffer)
{
  GstMapInfo map;
  gboolean right;

  if (!gst_buffer_map (buffer, &map, GST_MAP_READ))
    return FALSE;
  right = map.size == numbered_size (stream, number)
      && is_filled (map.data, map.size, first_word (stream->stream, number));
  gst_buffer_unmap (buffer, &map);
  return right;
}

/* ---- the source ---- */

typedef struct
{
  GstPushSrc parent;
  Numbered stream;
  guint64 number; /* of the next buffer */
} NumberedSrc;

typedef struct
{
  GstPushSrcClass parent_class;
} NumberedSrcClass;

static GType numbered_src_get_type (void);
G_DEFINE_TYPE (NumberedSrc, numbered_src, GST_TYPE_PUSH_SRC)

static GstFlowReturn
numbered_src_create (GstPushSrc *src, GstBuffer **buffer)
{
  NumberedSrc *self = (NumberedSrc *) src;

  if (self->number >= self->stream.n_buffers)
    return GST_FLOW_EOS;
  *buffer = numbered_make (&self->stream, self->number++);
  return GST_FLOW_OK;
}

static gboolean
numbered_src_is_seekable (GstBaseSrc *src)
{
  return TRUE;
}

static gboolean
numbered_src_do_seek (GstBaseSrc *src, GstSegment *segment)
{
  NumberedSrc *self = (NumberedSrc *) src;

  self->number = segment->start / NUMBERED_DURATION;
  segment->time = segment->start;
  return TRUE;
}

static void
numbered_src_class_init (NumberedSrcClass *klass)
{
  static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE (
      "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS (klass);

  gst_element_class_add_static_pad_template (element_class, &template);
  gst_element_class_set_static_metadata (
      element_class, "Numbered", "Source", "Numbered buffers", "filemem");
  GST_PUSH_SRC_CLASS (klass)->create = numbered_src_create;
  base_class->is_seekable = numbered_src_is_seekable;
  base_class->do_seek = numbered_src_do_seek;
}

static void
numbered_src_init (NumberedSrc *self)
{
  gst_base_src_set_format (GST_BASE_SRC (self), GST_FORMAT_TIME);
}

GstElement *
numbered_src_new (const Numbered *stream)
{
  NumberedSrc *self = g_object_new (numbered_src_get_type (), NULL);

  self->stream = *stream;
  return GST_ELEMENT (self);
}

/* ---- the sink ---- */

typedef struct
{
  GstBaseSink parent;
  Numbered stream;
  gulong rest_us;
  guint64 number;      /* of the next buffer */
  gboolean after_seek; /* which is where the segment starts */
  gint ended;
} NumberedSink;

typedef struct
{
  GstBaseSinkClass parent_class;
} NumberedSinkClass;

static GType numbered_sink_get_type (void);
G_DEFINE_TYPE (NumberedSink, numbered_sink, GST_TYPE_BASE_SINK)

static void
check_end (NumberedSink *self)
{
  if (self->number != self->stream.n_buffers || self->after_seek)
    numbered_complain ("stream %u: after %" G_GUINT64_FORMAT
                       " of %" G_GUINT64_FORMAT " buffers came the end%s",
        self->stream.stream, self->number, self->stream.n_buffers,
        self->after_seek ? ", straight after a seek" : "");
}

static gboolean
numbered_sink_event (GstBaseSink *sink, GstEvent *event)
{
  NumberedSink *self = (NumberedSink *) sink;

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    self->after_seek = TRUE;
    g_atomic_int_set (&self->ended, FALSE);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    check_end (self);
    g_atomic_int_set (&self->ended, TRUE);
  }
  return GST_BASE_SINK_CLASS (numbered_sink_parent_class)->event (sink, event);
}

static GstFlowReturn
numbered_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  NumberedSink *self = (NumberedSink *) sink;
  guint64 number = GST_BUFFER_PTS (buffer) / NUMBERED_DURATION;

  if (self->after_seek)
    self->number = sink->segment.start / NUMBERED_DURATION;
  self->after_seek = FALSE;
  if (number != self->number)
    numbered_complain ("stream %u: buffer %" G_GUINT64_FORMAT
                       " came in place of %" G_GUINT64_FORMAT,
        self->stream.stream, number, self->number);
  else if (!numbered_is_right (&self->stream, number, buffer))
    numbered_complain ("stream %u: buffer %" G_GUINT64_FORMAT " is wrong",
        self->stream.stream, number);
  self->number = number + 1;
  if (self->rest_us > 0)
    g_usleep (self->rest_us);
  return GST_FLOW_OK;
}

static void
numbered_sink_class_init (NumberedSinkClass *klass)
{
  static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE (
      "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS (klass);

  gst_element_class_add_static_pad_template (element_class, &template);
  gst_element_class_set_static_metadata (
      element_class, "Checks", "Sink", "Checks numbered buffers", "filemem");
  base_class->event = numbered_sink_event;
  base_class->render = numbered_sink_render;
}

static void
numbered_sink_init (NumberedSink *self)
{
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

GstElement *
numbered_sink_new (const Numbered *stream, gulong rest_us)
{
  NumberedSink *self = g_object_new (numbered_sink_get_type (), NULL);

  self->stream = *stream;
  self->rest_us = rest_us;
  return GST_ELEMENT (self);
}

gboolean
numbered_sink_has_ended (GstElement *sink)
{
  return g_atomic_int_get (&((NumberedSink *) sink)->ended);
}
