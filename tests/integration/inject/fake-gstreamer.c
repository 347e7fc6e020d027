/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fake-gstreamer.c: a module that bears libgstreamer's name and does what the
 * shim knows of it, so that ask.c can see the shim's very answers. Loading a
 * plugin only takes note of it, and asks for GST_TRACERS as a plugin may.
 * FAKE_FAIL makes it fail. A copy of the module is the plugin, whose tracer
 * only takes note of its parameters.
 */
#include <glib.h>

#include "fake-gstreamer.h"

gint fake_loads;
gchar *fake_file;
gchar *fake_inner;
gchar *fake_params;

const gchar *
fake_ask (const gchar *name)
{
  /* A tail call would return to the caller, and the shim looks at that. */
  const gchar *volatile answer = g_getenv (name);

  return answer;
}

gpointer
gst_plugin_load_file (const gchar *filename, GError **error)
{
  g_atomic_int_inc (&fake_loads);
  fake_file = g_strdup (filename);
  fake_inner = g_strdup (fake_ask ("GST_TRACERS"));
  if (g_getenv ("FAKE_FAIL")) {
    g_set_error_literal (
        error, g_quark_from_static_string ("fake"), 1, "the fake fails");
    return NULL;
  }
  return &fake_loads;
}

void
gst_file_mem_tracer_make (const gchar *params)
{
  fake_params = g_strdup (params);
}
