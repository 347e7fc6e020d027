/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstreamer-child.c: see gstreamer-child.h.
 */
#include "gstreamer-child.h"

#include <string.h>

void
gstreamer_clean_environment (const gchar *dir)
{
  g_auto (GStrv) names = g_listenv ();
  g_autofree gchar *registry = g_build_filename (dir, "registry.bin", NULL);
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    if (g_str_has_prefix (names[i], "GST_FILEMEM_")
        || g_str_has_prefix (names[i], "GST_DEBUG")
        || g_str_equal (names[i], "GST_TRACERS")
        || g_str_equal (names[i], "G_MESSAGES_DEBUG")
        || g_str_equal (names[i], "XDG_RUNTIME_DIR"))
      g_unsetenv (names[i]);
  }
  g_setenv ("GST_REGISTRY", registry, TRUE);
  g_setenv ("GST_REGISTRY_FORK", "no", TRUE);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH_1_0", "", TRUE);
}

void
gstreamer_start (void)
{
  gst_init (NULL, NULL);
  g_log_set_always_fatal (
      G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
}

void
assert_names (const gchar *said, const gchar *what)
{
  if (strstr (said, what) == NULL)
    fail_msg ("it does not name '%s', but said:\n%s", what, said);
}
