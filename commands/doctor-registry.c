/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-registry.c: checks whether GStreamer finds the plugin by itself, and
 * can remember what it finds.
 */
#include "doctor.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* The variable that names the file into which GStreamer writes its list of
 * plugins, if it is set. */
static const gchar *
registry_variable (void)
{
  return g_getenv ("GST_REGISTRY_1_0") != NULL ? "GST_REGISTRY_1_0"
                                               : "GST_REGISTRY";
}

/* That file, or else GStreamer's own directory. */
static gchar *
registry_place (void)
{
  const gchar *file = g_getenv (registry_variable ());

  if (file != NULL)
    return g_strdup (file);
  return g_build_filename (g_get_user_cache_dir (), "gstreamer-1.0", NULL);
}

static gboolean
registry_is_disabled (void)
{
  const gchar *disable = g_getenv ("GST_REGISTRY_DISABLE");

  return disable != NULL && !g_str_equal (disable, "no");
}

/* Whether new files can be made in @dir. A directory that does not exist yet
 * can be made if the one above can be written to. */
static gboolean
takes_files (const gchar *dir)
{
  g_autofree gchar *at = g_strdup (dir);

  while (access (at, F_OK) != 0 && errno == ENOENT) {
    gchar *above = g_path_get_dirname (at);

    if (g_str_equal (above, at)) {
      g_free (above);
      return FALSE;
    }
    g_free (at);
    at = above;
  }
  return g_file_test (at, G_FILE_TEST_IS_DIR) && access (at, W_OK | X_OK) == 0;
}

/* GStreamer writes a new file beside the old one and renames it: so the
 * directory has to permit that, and there must be no directory by that name. */
static gboolean
can_be_kept (void)
{
  const gchar *file = g_getenv (registry_variable ());
  g_autofree gchar *place = registry_place ();
  g_autofree gchar *dir = g_path_get_dirname (place);

  if (file == NULL)
    return takes_files (place);
  return !g_file_test (file, G_FILE_TEST_IS_DIR) && takes_files (dir);
}

void
doctor_check_registry (const Doctor *doctor)
{
  g_autofree gchar *place = registry_place ();
  g_autofree gchar *fix = g_strdup_printf (
      "set %s to a file that can be written", registry_variable ());

  if (registry_is_disabled ())
    doctor_problem ("registry", "unset GST_REGISTRY_DISABLE, or use the shim",
        "GST_REGISTRY_DISABLE=%s: GStreamer finds no plugin by its name",
        g_getenv ("GST_REGISTRY_DISABLE"));
  else if (place[0] == '\0')
    doctor_note ("registry", fix,
        "%s is empty: each program looks at all plugins when it starts",
        registry_variable ());
  else if (can_be_kept ())
    doctor_ok ("registry", "%s can be written", place);
  else
    doctor_note ("registry", fix,
        "%s can't be written: each program looks at all plugins when it starts",
        place);
}

/* Whatever their names. */
static gboolean
is_same_file (const gchar *a, const gchar *b)
{
  struct stat a_status, b_status;

  return stat (a, &a_status) == 0 && stat (b, &b_status) == 0
      && a_status.st_dev == b_status.st_dev
      && a_status.st_ino == b_status.st_ino;
}

/* Whether @dir is one of the directories in which GStreamer looks besides its
 * own. */
static gboolean
path_has (const gchar *variable, const gchar *dir)
{
  const gchar *path = g_getenv (variable);
  g_auto (GStrv) dirs = g_strsplit (path != NULL ? path : "", ":", -1);
  guint i;

  for (i = 0; dirs[i] != NULL; i++) {
    if (is_same_file (dirs[i], dir))
      return TRUE;
  }
  return FALSE;
}

static void
explain_not_found (const gchar *plugin)
{
  g_autofree gchar *dir = g_path_get_dirname (plugin);
  g_autofree gchar *quoted = doctor_shell_quote (dir);
  g_autofree gchar *place = registry_place ();
  g_autofree gchar *place_quoted = doctor_shell_quote (place);
  g_autofree gchar *fix = NULL;
  gboolean is_newer = g_getenv ("GST_PLUGIN_PATH_1_0") != NULL;

  if (is_newer && path_has ("GST_PLUGIN_PATH", dir)
      && !path_has ("GST_PLUGIN_PATH_1_0", dir)) {
    fix = g_strdup_printf ("add %s to GST_PLUGIN_PATH_1_0", quoted);
    doctor_problem ("search", fix,
        "GST_PLUGIN_PATH is ignored, because GST_PLUGIN_PATH_1_0 is set");
  } else if (path_has (
                 is_newer ? "GST_PLUGIN_PATH_1_0" : "GST_PLUGIN_PATH", dir)) {
    fix = g_strdup_printf (
        "remove its registry, which is made again: %s", place_quoted);
    doctor_problem ("search", fix,
        "GStreamer looks into %s, and does not take the plugin: an earlier try "
        "may have put it on its blacklist",
        dir);
  } else {
    fix = g_strdup_printf ("use gst-filemem run, or export %s=%s",
        is_newer ? "GST_PLUGIN_PATH_1_0" : "GST_PLUGIN_PATH", quoted);
    doctor_note ("search", fix, "GStreamer does not find the plugin by itself");
  }
}

void
doctor_check_search (const Doctor *doctor)
{
  g_autofree gchar *fix = NULL;
  gchar **environment;
  DoctorProbe probe;

  if (registry_is_disabled ())
    return; /* the line on the registry says it */
  environment = doctor_plain_environment (doctor);
  environment = g_environ_unsetenv (environment, DOCTOR_WHITELIST);
  doctor_probe (environment, NULL, &probe);
  fix =
      doctor_probe_fix (&probe, "repair GStreamer: its own programs fail too");
  if (!probe.ended)
    doctor_problem ("search", fix, "GStreamer does not start: %s", probe.error);
  else if (!probe.tracer && doctor->plugin != NULL)
    explain_not_found (doctor->plugin);
  else if (!probe.tracer)
    doctor_note ("search", DOCTOR_BUILD, "GStreamer finds no plugin by itself");
  else if (doctor->plugin != NULL && probe.plugin != NULL
      && !is_same_file (doctor->plugin, probe.plugin))
    doctor_note ("search", "remove one of them, if they are not the same",
        "GStreamer finds another one by itself: %s", probe.plugin);
  else
    doctor_ok ("search", "GStreamer finds the plugin by itself");
  doctor_probe_clear (&probe);
}
