/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-json.h: the text of a page, parsed, and its members looked up,
 * whatever they are.
 *
 * The text is another program's. A member that is missing or of another type is
 * the same to a caller: not there. json-glib takes more than JSON and calls
 * itself for each bracket, so what is not JSON's alphabet or is nested deeply
 * is refused before it gets to see it. Nor does a number that is none, 1e999,
 * get through to where it would be written as such.
 */
#ifndef FM_STATUS_PAGE_JSON_H
#define FM_STATUS_PAGE_JSON_H

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The object that the text is, or NULL: it is none. @text has a NUL behind it.
 */
JsonNode *fm_json_parse (const gchar *text, gsize length);

/* Each of these takes NULL for an object. */
JsonObject *fm_json_object (JsonObject *object, const gchar *name);
JsonArray *fm_json_array (JsonObject *object, const gchar *name);
const gchar *fm_json_string (JsonObject *object, const gchar *name);
gboolean fm_json_figure (
    JsonObject *object, const gchar *name, guint64 *ret_value);

/* The object at @index, NULL if that is something else. */
JsonObject *fm_json_element_object (JsonArray *array, guint index);
const gchar *fm_json_element_string (JsonArray *array, guint index);

G_END_DECLS
#endif
