/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-gstreamer.c: does filemem get into a GStreamer program? Plugin, shim,
 * tracer hooks, registry, GST_TRACERS.
 *
 * Each answer comes from a program that was really started (doctor-probe.c), in
 * an environment that differs from the user's only where the question asks for
 * it. Where the question is not about the registry, it is switched off: that is
 * fast, and the user's stays as it is.
 */
#include "doctor.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ALLOCATOR "GstFileMemAllocator"
#define MEMORY "FileMemory"
#define SHIM_NAME "libgstfilemem-inject.so"
#define WHITELIST "GST_PLUGIN_LOADING_WHITELIST"
#define BUILD_CURE                                                        \
  "build filemem (meson setup build && meson compile -C build), install " \
  "it, or set GST_FILEMEM_BUILD to its build directory"

/* ---- environments ---- */

static gboolean
preloads_shim (void)
{
  const gchar *preload = g_getenv ("LD_PRELOAD");

  return preload != NULL && strstr (preload, SHIM_NAME) != NULL;
}

/* The user's, but nothing of filemem prints a report, and no option keeps
 * filemem out of this program or of its one buffer. */
static gchar **
user_environment (const Doctor *doctor)
{
  static const FmOptionId not_here[] = {FM_OPTION_REPORT,
      FM_OPTION_REPORT_SIGNAL, FM_OPTION_STATS_INTERVAL, FM_OPTION_EXE,
      FM_OPTION_MIN_SIZE};
  gchar **environment = g_get_environ ();
  guint i;

  for (i = 0; i < G_N_ELEMENTS (not_here); i++)
    environment = g_environ_unsetenv (
        environment, fm_option_spec (not_here[i])->variable);
  if (doctor->dir != NULL)
    environment =
        g_environ_setenv (environment, "GST_FILEMEM_DIR", doctor->dir, TRUE);
  return environment;
}

/* The same, but nothing brings filemem in. */
static gchar **
plain_environment (const Doctor *doctor)
{
  gchar **environment = user_environment (doctor);

  environment = g_environ_unsetenv (environment, "GST_TRACERS");
  if (preloads_shim ())
    environment = g_environ_unsetenv (environment, "LD_PRELOAD");
  return environment;
}

static gchar **
without_registry (gchar **environment)
{
  return g_environ_setenv (environment, "GST_REGISTRY_DISABLE", "yes", TRUE);
}

/* ---- the plugin ---- */

static void
check_whitelist (const Doctor *doctor)
{
  const gchar *whitelist = g_getenv (WHITELIST);
  g_autofree gchar *cure = NULL;
  DoctorProbe probe;

  if (whitelist == NULL)
    return;
  doctor_probe (
      without_registry (plain_environment (doctor)), doctor->plugin, &probe);
  if (probe.tracer) {
    doctor_ok ("plugin", WHITELIST "=%s lets it in", whitelist);
  } else {
    cure = g_strdup_printf ("export " WHITELIST "='%s%sfilemem'", whitelist,
        whitelist[0] != '\0' ? ":" : "");
    doctor_problem (
        "plugin", cure, WHITELIST "=%s keeps filemem out", whitelist);
  }
  doctor_probe_clear (&probe);
}

void
doctor_check_plugin (const Doctor *doctor)
{
  gchar **environment;
  DoctorProbe probe;

  if (doctor->plugin == NULL) {
    doctor_problem ("plugin", BUILD_CURE, "libgstfilemem.so was not found");
    return;
  }
  if (access (doctor->plugin, R_OK) != 0) {
    doctor_problem (
        "plugin", BUILD_CURE, "%s: %s", doctor->plugin, g_strerror (errno));
    return;
  }
  environment = without_registry (plain_environment (doctor));
  environment = g_environ_unsetenv (environment, WHITELIST);
  doctor_probe (environment, doctor->plugin, &probe);
  if (probe.tracer) {
    doctor_ok ("plugin", "%s registers the tracer", doctor->plugin);
    check_whitelist (doctor);
  } else {
    doctor_problem ("plugin",
        "build and install filemem again, against this GStreamer",
        "%s does not load: %s", doctor->plugin, probe.error);
  }
  doctor_probe_clear (&probe);
}

/* ---- the shim, and whether GStreamer has tracers at all ---- */

static void
judge_shim (const Doctor *doctor, const DoctorProbe *probe)
{
  if (g_strcmp0 (probe->memory, MEMORY) == 0)
    doctor_ok (
        "shim", "%s works: a program's buffer came from filemem", doctor->shim);
  else if (g_strcmp0 (probe->allocator, ALLOCATOR) == 0)
    doctor_problem ("buffers",
        "see the lines on directory, choice, size and calls",
        "filemem is loaded, but a buffer was ordinary memory: %s",
        probe->error);
  else if (!probe->ended)
    doctor_problem ("shim", "report it as a bug, with all of this output",
        "%s: %s", doctor->shim, probe->error);
  else if (probe->tracer)
    doctor_problem ("shim", "report it as a bug, with all of this output",
        "the tracer is loaded, but not used: %s", probe->error);
  else
    doctor_problem ("shim",
        "use a GStreamer with tracer hooks (not -Dtracer_hooks=false); see the "
        "line on the plugin first",
        "GStreamer does not take the tracer: %s", probe->error);
}

void
doctor_check_shim (const Doctor *doctor)
{
  const gchar *before = g_getenv ("LD_PRELOAD");
  g_autofree gchar *preload = NULL;
  gchar **environment;
  DoctorProbe probe;

  if (doctor->shim == NULL || access (doctor->shim, R_OK) != 0) {
    doctor_problem ("shim", BUILD_CURE, "%s was not found",
        doctor->shim != NULL ? doctor->shim : SHIM_NAME);
    return;
  }
  if (strpbrk (doctor->shim, " \t\n:") != NULL) {
    doctor_problem ("shim", "move filemem to a path without spaces and colons",
        "%s can't be preloaded, because of its path", doctor->shim);
    return;
  }
  if (doctor->plugin == NULL)
    return; /* the plugin's line says it */
  environment = without_registry (plain_environment (doctor));
  environment = g_environ_unsetenv (environment, WHITELIST);
  environment = g_environ_setenv (
      environment, "GST_FILEMEM_PLUGIN", doctor->plugin, TRUE);
  preload = g_strconcat (before != NULL && !preloads_shim () ? before : "", ":",
      doctor->shim, NULL);
  environment = g_environ_setenv (environment, "LD_PRELOAD", preload, TRUE);
  doctor_probe (environment, NULL, &probe);
  judge_shim (doctor, &probe);
  doctor_probe_clear (&probe);
}

/* ---- the registry ---- */

/* Where GStreamer writes its list of plugins: the file, or its directory. */
static gchar *
registry_place (void)
{
  const gchar *file = g_getenv ("GST_REGISTRY_1_0");

  if (file == NULL)
    file = g_getenv ("GST_REGISTRY");
  if (file != NULL)
    return g_strdup (file);
  return g_build_filename (g_get_user_cache_dir (), "gstreamer-1.0", NULL);
}

/* What does not exist yet can be made if what is above can be written. */
static gboolean
can_be_written (const gchar *path)
{
  g_autofree gchar *at = g_strdup (path);

  while (access (at, F_OK) != 0 && errno == ENOENT) {
    gchar *above = g_path_get_dirname (at);

    if (g_str_equal (above, at)) {
      g_free (above);
      return FALSE;
    }
    g_free (at);
    at = above;
  }
  return access (at, W_OK) == 0;
}

void
doctor_check_registry (const Doctor *doctor)
{
  g_autofree gchar *place = registry_place ();
  const gchar *disable = g_getenv ("GST_REGISTRY_DISABLE");

  if (disable != NULL && !g_str_equal (disable, "no"))
    doctor_problem ("registry", "unset GST_REGISTRY_DISABLE, or use the shim",
        "GST_REGISTRY_DISABLE=%s: GStreamer finds no plugin by its name",
        disable);
  else if (can_be_written (place))
    doctor_ok ("registry", "%s can be written", place);
  else
    doctor_note ("registry", "set GST_REGISTRY to a file that can be written",
        "%s can't be written: each program looks at all plugins when it starts",
        place);
}

/* The directories in which GStreamer looks besides its own. */
static gboolean
path_has (const gchar *variable, const gchar *dir)
{
  const gchar *path = g_getenv (variable);
  g_auto (GStrv) dirs = g_strsplit (path != NULL ? path : "", ":", -1);

  return g_strv_contains ((const gchar *const *) dirs, dir);
}

static void
explain_not_found (const gchar *plugin)
{
  g_autofree gchar *dir = g_path_get_dirname (plugin);
  g_autofree gchar *place = registry_place ();
  g_autofree gchar *cure = NULL;
  gboolean is_newer = g_getenv ("GST_PLUGIN_PATH_1_0") != NULL;

  if (is_newer && path_has ("GST_PLUGIN_PATH", dir)
      && !path_has ("GST_PLUGIN_PATH_1_0", dir)) {
    cure = g_strdup_printf ("add %s to GST_PLUGIN_PATH_1_0", dir);
    doctor_problem ("search", cure,
        "GST_PLUGIN_PATH is ignored, because GST_PLUGIN_PATH_1_0 is set");
  } else if (path_has (
                 is_newer ? "GST_PLUGIN_PATH_1_0" : "GST_PLUGIN_PATH", dir)) {
    cure =
        g_strdup_printf ("remove its registry, which is made again: %s", place);
    doctor_problem ("search", cure,
        "GStreamer looks into %s, and does not take the plugin: an earlier try "
        "may have put it on its blacklist",
        dir);
  } else {
    cure = g_strdup_printf ("use gst-filemem run, or export %s='%s'",
        is_newer ? "GST_PLUGIN_PATH_1_0" : "GST_PLUGIN_PATH", dir);
    doctor_note (
        "search", cure, "GStreamer does not find the plugin by itself");
  }
}

void
doctor_check_search (const Doctor *doctor)
{
  gchar **environment = plain_environment (doctor);
  DoctorProbe probe;

  environment = g_environ_unsetenv (environment, WHITELIST);
  doctor_probe (environment, NULL, &probe);
  if (!probe.ended)
    doctor_problem ("search", "repair GStreamer: its own programs fail too",
        "GStreamer does not start: %s", probe.error);
  else if (!probe.tracer && doctor->plugin != NULL)
    explain_not_found (doctor->plugin);
  else if (!probe.tracer)
    doctor_note ("search", BUILD_CURE, "GStreamer finds no plugin by itself");
  else if (doctor->plugin != NULL && probe.plugin != NULL
      && !g_str_equal (doctor->plugin, probe.plugin))
    doctor_note ("search", "remove one of them, if they are not the same",
        "GStreamer finds another one by itself: %s", probe.plugin);
  else
    doctor_ok ("search", "GStreamer finds the plugin by itself");
  doctor_probe_clear (&probe);
}

/* ---- this environment ---- */

static void
check_active (const Doctor *doctor)
{
  DoctorProbe probe;

  doctor_probe (user_environment (doctor), NULL, &probe);
  if (g_strcmp0 (probe.allocator, ALLOCATOR) == 0)
    doctor_ok ("active", "programs started from here use filemem");
  else
    doctor_problem ("active", "see the other lines, or use gst-filemem run",
        "GST_TRACERS or LD_PRELOAD names filemem, but programs started from "
        "here do not use it: %s",
        probe.error);
  doctor_probe_clear (&probe);
}

void
doctor_check_tracers (const Doctor *doctor)
{
  const gchar *tracers = g_getenv ("GST_TRACERS");
  g_autofree gchar *mended = doctor_tracers_mend (tracers);
  g_autofree gchar *params = doctor_tracers_params (tracers);
  g_autofree gchar *cure = NULL;

  if (mended != NULL) {
    cure = g_strdup_printf ("export GST_TRACERS='%s' (tracers are separated by "
                            "';', without spaces)",
        mended);
    doctor_problem ("tracers", cure,
        "GST_TRACERS='%s' is not what GStreamer can read", tracers);
  }
  if (doctor_tracers_cut_short (tracers))
    doctor_problem ("tracers",
        "put a value that contains ';' or ')' into its GST_FILEMEM_ variable",
        "GST_TRACERS='%s': the parameters of filemem end too early", tracers);

  if (params != NULL || preloads_shim ())
    check_active (doctor);
  else if (mended == NULL)
    doctor_note ("active",
        "start it with gst-filemem run, or with GST_TRACERS=filemem",
        "nothing in this environment starts filemem");
}
