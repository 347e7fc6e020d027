/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-names.c: see queue-names.h.
 */
#include "queue-names.h"

#include "options.h"

#include <string.h>

/* A queue2 with a ring buffer copies what enters it there. */
gboolean
fm_queue_keeps_own (GstElement *element)
{
  guint64 size = 0;

  if (!g_str_equal (G_OBJECT_TYPE_NAME (element), "GstQueue2"))
    return FALSE;
  g_object_get (element, "ring-buffer-max-size", &size, NULL);
  return size > 0;
}

/* An element that was told to keep its bytes in a file of its own holds no
 * memory. */
static gboolean
has_file (GstElement *element)
{
  g_autofree gchar *template = NULL;

  if (g_object_class_find_property (
          G_OBJECT_GET_CLASS (element), "temp-template")
      == NULL)
    return FALSE;
  g_object_get (element, "temp-template", &template, NULL);
  return template != NULL;
}

/* "GstAppSink" for "appsink": an element that a program makes from a library,
 * without the plugin, has a type but no factory. */
static gboolean
is_type_named (GType type, const gchar *names)
{
  g_autofree gchar *name = g_ascii_strdown (g_type_name (type), -1);

  return g_str_has_prefix (name, "gst")
      && fm_options_list_has (names, name + strlen ("gst"));
}

gboolean
fm_queue_is_named (GstElement *element, const gchar *names)
{
  GType type;

  for (type = G_OBJECT_TYPE (element); type != GST_TYPE_ELEMENT && type != 0;
       type = g_type_parent (type)) {
    GstElementClass *klass = g_type_class_peek (type);
    GstElementFactory *factory = klass != NULL ? klass->elementfactory : NULL;

    if (is_type_named (type, names)
        || (factory != NULL
            && fm_options_list_has (names, GST_OBJECT_NAME (factory))))
      return !has_file (element);
  }
  return FALSE;
}
