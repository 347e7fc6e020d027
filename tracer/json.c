/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json.c: see json.h.
 */
#include "json.h"

void
fm_json_init (FmJson *json)
{
  json->text = g_string_new (NULL);
  json->comma = FALSE;
}

gchar *
fm_json_steal (FmJson *json)
{
  return g_string_free (g_steal_pointer (&json->text), FALSE);
}

static void
append_string (GString *text, const gchar *string)
{
  g_autofree gchar *valid = g_utf8_make_valid (string, -1);
  const gchar *at;

  g_string_append_c (text, '"');
  for (at = valid; *at != '\0'; at++) {
    if (*at == '"' || *at == '\\')
      g_string_append_c (text, '\\');
    if ((guchar) *at < 0x20 || *at == 0x7f)
      g_string_append_printf (text, "\\u%04x", (guint) (guchar) *at);
    else
      g_string_append_c (text, *at);
  }
  g_string_append_c (text, '"');
}

static void
begin_value (FmJson *json, const gchar *name)
{
  if (json->comma)
    g_string_append_c (json->text, ',');
  if (name != NULL) {
    append_string (json->text, name);
    g_string_append_c (json->text, ':');
  }
  json->comma = TRUE;
}

void
fm_json_begin (FmJson *json, const gchar *name, gchar bracket)
{
  begin_value (json, name);
  g_string_append_c (json->text, bracket);
  json->comma = FALSE;
}

void
fm_json_end (FmJson *json, gchar bracket)
{
  g_string_append_c (json->text, bracket);
  json->comma = TRUE;
}

void
fm_json_number (FmJson *json, const gchar *name, guint64 number)
{
  begin_value (json, name);
  g_string_append_printf (json->text, "%" G_GUINT64_FORMAT, number);
}

void
fm_json_null (FmJson *json, const gchar *name)
{
  begin_value (json, name);
  g_string_append (json->text, "null");
}

void
fm_json_string (FmJson *json, const gchar *name, const gchar *string)
{
  begin_value (json, name);
  append_string (json->text, string);
}
