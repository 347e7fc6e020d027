/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-json.h: parses the text of a page, and looks up its members,
 * whatever they are.
 *
 * The text comes from another program. To a caller, a member that is missing
 * and one of another type are the same: not there. json-glib accepts more than
 * JSON and recurses for each bracket, so text that goes beyond JSON's alphabet
 * or is deeply nested is refused before json-glib sees it. Numbers that are not
 * finite, such as 1e999, are refused as well; they would otherwise be written
 * out as "inf".
 */
#ifndef FM_STATUS_PAGE_JSON_H
#define FM_STATUS_PAGE_JSON_H

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* The object in the text, or NULL if it is not one. A NUL follows @text. */
JsonNode *fm_json_parse (const gchar *text, gsize length);

/* Each of these accepts NULL for an object. */
JsonObject *fm_json_object (JsonObject *object, const gchar *name);
JsonArray *fm_json_array (JsonObject *object, const gchar *name);
const gchar *fm_json_string (JsonObject *object, const gchar *name);
gboolean fm_json_figure (
    JsonObject *object, const gchar *name, guint64 *ret_value);

/* The object at @index; NULL if it is something else. */
JsonObject *fm_json_element_object (JsonArray *array, guint index);
const gchar *fm_json_element_string (JsonArray *array, guint index);

G_END_DECLS
#endif
