/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-gstreamer.c: checks whether filemem gets into a GStreamer program:
 * plugin, shim, tracer hooks, GST_TRACERS.
 *
 * Each answer comes from a program that was really started (doctor-probe.c), in
 * an environment that differs from the user's only where the question requires
 * it. Unless the question is about the registry, the registry is switched off:
 * that is fast, and the user's stays as it is.
 */
#include "doctor.h"

#include <errno.h>
#include <gst/filemem/gstfilememallocator.h>
#include <string.h>
#include <unistd.h>

#define ALLOCATOR "GstFileMemAllocator"

/* ---- the plugin ---- */

static void
check_whitelist (const Doctor *doctor)
{
  const gchar *whitelist = g_getenv (DOCTOR_WHITELIST);
  g_autofree gchar *longer = NULL;
  g_autofree gchar *quoted = NULL;
  g_autofree gchar *fix = NULL;
  DoctorProbe probe;

  if (whitelist == NULL)
    return;
  doctor_probe (doctor_without_registry (doctor_plain_environment (doctor)),
      doctor->plugin, &probe);
  if (probe.tracer) {
    doctor_ok ("plugin", DOCTOR_WHITELIST "=%s lets it in", whitelist);
  } else {
    longer = g_strdup_printf (
        "%s%sfilemem", whitelist, whitelist[0] != '\0' ? ":" : "");
    quoted = doctor_shell_quote (longer);
    fix = g_strdup_printf ("export " DOCTOR_WHITELIST "=%s", quoted);
    doctor_problem (
        "plugin", fix, DOCTOR_WHITELIST "=%s keeps filemem out", whitelist);
  }
  doctor_probe_clear (&probe);
}

void
doctor_check_plugin (const Doctor *doctor)
{
  g_autofree gchar *fix = NULL;
  gchar **environment;
  DoctorProbe probe;

  if (doctor->plugin == NULL) {
    doctor_problem ("plugin", DOCTOR_BUILD, "libgstfilemem.so was not found");
    return;
  }
  if (access (doctor->plugin, R_OK) != 0) {
    doctor_problem (
        "plugin", DOCTOR_BUILD, "%s: %s", doctor->plugin, g_strerror (errno));
    return;
  }
  environment = doctor_without_registry (doctor_plain_environment (doctor));
  environment = g_environ_unsetenv (environment, DOCTOR_WHITELIST);
  doctor_probe (environment, doctor->plugin, &probe);
  if (probe.tracer) {
    doctor_ok ("plugin", "%s registers the tracer", doctor->plugin);
    if (g_strcmp0 (probe.version, PACKAGE_VERSION) != 0)
      doctor_note ("plugin", "build and install all of filemem again",
          "it is filemem %s, and this is %s", probe.version, PACKAGE_VERSION);
    check_whitelist (doctor);
  } else {
    fix = doctor_probe_fix (
        &probe, "build and install filemem again, against this GStreamer");
    doctor_problem (
        "plugin", fix, "%s does not load: %s", doctor->plugin, probe.error);
  }
  doctor_probe_clear (&probe);
}

/* ---- the shim, and whether GStreamer has tracers at all ---- */

static void
judge_shim (const Doctor *doctor, const DoctorProbe *probe)
{
  g_autofree gchar *fix = doctor_probe_fix (probe, DOCTOR_BUG);

  if (g_strcmp0 (probe->memory, GST_ALLOCATOR_FILEMEM) == 0)
    doctor_ok (
        "shim", "%s works: a program's buffer came from filemem", doctor->shim);
  else if (g_strcmp0 (probe->allocator, ALLOCATOR) == 0)
    doctor_problem ("buffers", "see the other problems, or try another --dir",
        "filemem is loaded, but a buffer was ordinary memory: %s",
        probe->error);
  else if (!probe->ended)
    doctor_problem ("shim", fix, "%s: %s", doctor->shim, probe->error);
  else if (probe->tracer)
    doctor_problem (
        "shim", fix, "the tracer is loaded, but not used: %s", probe->error);
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
    doctor_problem ("shim", DOCTOR_BUILD, "%s was not found",
        doctor->shim != NULL ? doctor->shim : DOCTOR_SHIM);
    return;
  }
  if (strpbrk (doctor->shim, " \t\n:") != NULL) {
    doctor_problem ("shim", "move filemem to a path without spaces and colons",
        "%s can't be preloaded, because of its path", doctor->shim);
    return;
  }
  if (doctor->plugin == NULL)
    return; /* the plugin's line says it */
  environment = doctor_without_registry (doctor_plain_environment (doctor));
  environment = g_environ_unsetenv (environment, DOCTOR_WHITELIST);
  environment = g_environ_setenv (
      environment, "GST_FILEMEM_PLUGIN", doctor->plugin, TRUE);
  preload =
      g_strconcat (before != NULL && !doctor_preloads_shim () ? before : "",
          ":", doctor->shim, NULL);
  environment = g_environ_setenv (environment, "LD_PRELOAD", preload, TRUE);
  doctor_probe (environment, NULL, &probe);
  judge_shim (doctor, &probe);
  doctor_probe_clear (&probe);
}

/* ---- this environment ---- */

static void
check_active (const Doctor *doctor, const gchar *params)
{
  DoctorProbe probe;

  if (doctor_params_have_exe (params)) {
    doctor_note ("active", "remove exe from GST_TRACERS, to try it",
        "not tried: exe keeps filemem out of this program");
    return;
  }
  doctor_probe (doctor_environment (doctor), NULL, &probe);
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
  g_autofree gchar *params = fm_options_tracer_params (tracers);
  g_autofree gchar *quoted = NULL;
  g_autofree gchar *fix = NULL;

  if (mended != NULL) {
    quoted = doctor_shell_quote (mended);
    fix = g_strdup_printf ("export GST_TRACERS=%s (tracers are separated by "
                           "';', without spaces)",
        quoted);
    doctor_problem ("tracers", fix,
        "GST_TRACERS='%s' is not what GStreamer can read", tracers);
  }
  if (doctor_tracers_cut_short (tracers))
    doctor_problem ("tracers",
        "put a value that contains ';' or ')' into its GST_FILEMEM_ variable",
        "GST_TRACERS='%s': the parameters of filemem end too early", tracers);

  if (params != NULL || doctor_preloads_shim ())
    check_active (doctor, params);
  else if (mended == NULL)
    doctor_note ("active",
        "start it with gst-filemem run, or with GST_TRACERS=filemem",
        "nothing in this environment starts filemem");
}
