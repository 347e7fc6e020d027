/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-json.c: see status-page-json.h.
 */
#include "status-page-json.h"

#include <math.h>
#include <string.h>

/* The format needs a depth of 5. */
#define DEPTH_MAX 32

/* Outside strings: white space, punctuation, numbers, true, false, null. */
#define ALPHABET " \t\r\n[]{}:,+-.0123456789Etruefalsn"

static gboolean
is_tame (const gchar *text, gsize length)
{
  gboolean in_string = FALSE;
  guint depth = 0;

  for (gsize i = 0; i < length; i++) {
    gchar c = text[i];

    if (c == '\0')
      return FALSE;
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
    } else if (c == '"') {
      in_string = TRUE;
    } else if (!strchr (ALPHABET, c)) {
      return FALSE;
    } else if (c == '[' || c == '{') {
      if (++depth > DEPTH_MAX)
        return FALSE;
    } else if ((c == ']' || c == '}') && depth-- == 0) {
      return FALSE;
    }
  }
  return TRUE;
}

/* Whether all numbers below @node are finite. JSON has no others, and json-glib
 * would write 1e999, once read, as "inf". */
static gboolean
is_finite (JsonNode *node)
{
  JsonObjectIter iter;
  JsonArray *array;
  JsonNode *member;

  switch (json_node_get_node_type (node)) {
    case JSON_NODE_OBJECT:
      json_object_iter_init (&iter, json_node_get_object (node));
      while (json_object_iter_next (&iter, NULL, &member)) {
        if (!is_finite (member))
          return FALSE;
      }
      return TRUE;
    case JSON_NODE_ARRAY:
      array = json_node_get_array (node);
      for (guint i = 0; i < json_array_get_length (array); i++) {
        if (!is_finite (json_array_get_element (array, i)))
          return FALSE;
      }
      return TRUE;
    case JSON_NODE_VALUE:
      return json_node_get_value_type (node) != G_TYPE_DOUBLE
          || isfinite (json_node_get_double (node));
    default:
      return TRUE;
  }
}

JsonNode *
fm_json_parse (const gchar *text, gsize length)
{
  g_autoptr (JsonParser) parser = NULL;
  JsonNode *root;

  if (!is_tame (text, length) || !g_utf8_validate (text, length, NULL))
    return NULL;
  parser = json_parser_new ();
  if (!json_parser_load_from_data (parser, text, length, NULL))
    return NULL;
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root) || !is_finite (root))
    return NULL;
  return json_parser_steal_root (parser);
}

static JsonObject *
as_object (JsonNode *node)
{
  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node)
                                               : NULL;
}

static const gchar *
as_string (JsonNode *node)
{
  return node && JSON_NODE_HOLDS_VALUE (node)
          && json_node_get_value_type (node) == G_TYPE_STRING
      ? json_node_get_string (node)
      : NULL;
}

static JsonNode *
get_member (JsonObject *object, const gchar *name)
{
  return object ? json_object_get_member (object, name) : NULL;
}

JsonObject *
fm_json_object (JsonObject *object, const gchar *name)
{
  return as_object (get_member (object, name));
}

JsonArray *
fm_json_array (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node)
                                              : NULL;
}

const gchar *
fm_json_string (JsonObject *object, const gchar *name)
{
  return as_string (get_member (object, name));
}

gboolean
fm_json_figure (JsonObject *object, const gchar *name, guint64 *ret_value)
{
  JsonNode *node = get_member (object, name);

  if (!node || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_INT64)
    return FALSE;
  *ret_value = MAX (json_node_get_int (node), 0);
  return TRUE;
}

JsonObject *
fm_json_element_object (JsonArray *array, guint index)
{
  return as_object (json_array_get_element (array, index));
}

const gchar *
fm_json_element_string (JsonArray *array, guint index)
{
  return as_string (json_array_get_element (array, index));
}
