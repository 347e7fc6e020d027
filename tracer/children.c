/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * children.c: see children.h. The variables are replaced, never removed, and
 * only if filemem is in them: so nothing moves in an environment that another
 * thread may be reading.
 */
#include "children.h"

#include <string.h>

#define SHIM "libgstfilemem-inject.so"
#define TRACER "filemem"

static gboolean
is_shim (const gchar *item)
{
  g_autofree gchar *name = g_path_get_basename (item);

  return g_str_equal (name, SHIM);
}

/* GStreamer's own rule: the name ends at the parenthesis. */
static gboolean
is_tracer (const gchar *item)
{
  return strncmp (item, TRACER, strlen (TRACER)) == 0
      && (item[strlen (TRACER)] == '\0' || item[strlen (TRACER)] == '(');
}

gchar *
fm_children_without (const gchar *list, const gchar *separators,
    gboolean (*is_ours) (const gchar *item))
{
  GString *rest = g_string_new (NULL);

  while (*list != '\0') {
    gsize length = strcspn (list, separators);
    g_autofree gchar *item = g_strndup (list, length);

    if (length > 0 && !is_ours (item)) {
      if (rest->len > 0)
        g_string_append_c (rest, separators[0]);
      g_string_append (rest, item);
    }
    list += length + (list[length] != '\0' ? 1 : 0);
  }
  return g_string_free (rest, FALSE);
}

static void
take_out (const gchar *variable, const gchar *separators,
    gboolean (*is_ours) (const gchar *item))
{
  const gchar *before = g_getenv (variable);
  g_autofree gchar *after = NULL;

  if (before == NULL)
    return;
  after = fm_children_without (before, separators, is_ours);
  if (strlen (after) < strlen (before))
    g_setenv (variable, after, TRUE);
}

void
fm_children_leave_out (void)
{
  take_out ("LD_PRELOAD", ": ", is_shim);
  take_out ("GST_TRACERS", ";", is_tracer);
}
