/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json.h: writes as much of JSON as reports need. A library would have to be
 * loaded into every program that uses filemem.
 *
 * A member of an object has a name; for an element of an array pass NULL.
 */
#ifndef FM_JSON_H
#define FM_JSON_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  GString *text;
  gboolean comma; /* one is due before what comes next */
} FmJson;

void fm_json_init (FmJson *json);

/* Ends the JSON, and returns the text. */
gchar *fm_json_steal (FmJson *json);

void fm_json_begin (FmJson *json, const gchar *name, gchar bracket);
void fm_json_end (FmJson *json, gchar bracket);
void fm_json_number (FmJson *json, const gchar *name, guint64 number);
void fm_json_null (FmJson *json, const gchar *name);

/* Anything in @string that is not UTF-8 is replaced. */
void fm_json_string (FmJson *json, const gchar *name, const gchar *string);

G_END_DECLS
#endif
