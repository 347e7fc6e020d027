/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-probe.c: a program that starts GStreamer and reports whose memory its
 * buffers are in.
 *
 * It is gst-filemem-doctor itself, executed again, because what matters is read
 * only once, when a process starts (LD_PRELOAD) or when GStreamer does
 * (GST_TRACERS). The doctor proper never initialises GStreamer. The program
 * prints one "name=value" per line.
 */
#include "doctor.h"

#include <errno.h>
#include <gst/gst.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUFFER_SIZE ((gsize) 1 << 20)

static void
print_tracer (void)
{
  GstPluginFeature *feature = gst_registry_find_feature (
      gst_registry_get (), "filemem", GST_TYPE_TRACER_FACTORY);
  g_autoptr (GstPlugin) plugin = NULL;

  if (feature == NULL)
    return;
  g_print ("tracer=filemem\n");
  plugin = gst_plugin_feature_get_plugin (feature);
  if (plugin != NULL)
    g_print ("version=%s\n", gst_plugin_get_version (plugin));
  if (plugin != NULL && gst_plugin_get_filename (plugin) != NULL)
    g_print ("plugin=%s\n", gst_plugin_get_filename (plugin));
  gst_object_unref (feature);
}

static void
print_allocator (void)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  g_autoptr (GstBuffer) buffer =
      gst_buffer_new_allocate (NULL, BUFFER_SIZE, NULL);

  g_print ("allocator=%s\n", G_OBJECT_TYPE_NAME (allocator));
  if (buffer != NULL) {
    GstMemory *memory = gst_buffer_peek_memory (buffer, 0);

    gst_buffer_memset (buffer, 0, 1, BUFFER_SIZE);
    g_print ("memory=%s\n",
        memory->allocator->mem_type != NULL ? memory->allocator->mem_type
                                            : "unknown");
  }
  gst_object_unref (allocator);
}

int
doctor_probe_main (const gchar *load)
{
  g_autoptr (GError) error = NULL;

  if (!gst_init_check (NULL, NULL, &error)) {
    g_print ("error=GStreamer does not start: %s\n",
        error != NULL ? error->message : "it gives no reason");
    return 0;
  }
  if (load != NULL) {
    GstPlugin *plugin = gst_plugin_load_file (load, &error);

    if (plugin == NULL)
      g_print ("error=%s\n", error->message);
    else
      gst_object_unref (plugin);
  }
  print_tracer ();
  print_allocator ();
  g_print ("end=\n");
  fflush (stdout);
  /* Without a report: the tracer's parameters may have a path for one. */
  _exit (0);
}

static void
end_with_parent (gpointer unused)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

/* The value of @name in what the program printed, or NULL. */
static gchar *
find (const gchar *text, const gchar *name)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  gsize length = strlen (name);
  guint i;

  for (i = 0; lines[i] != NULL; i++) {
    if (strncmp (lines[i], name, length) == 0 && lines[i][length] == '=')
      return g_strdup (lines[i] + length + 1);
  }
  return NULL;
}

/* The last message of filemem's, which says why there was no block; earlier
 * ones may be about options. Failing that, why the program did not end well. */
static gchar *
find_error (const gchar *out, const gchar *err, int status)
{
  gchar *error = find (out, "error");
  const gchar *line = g_strrstr (err, "\nfilemem: ");

  if (line != NULL)
    line++;
  else if (g_str_has_prefix (err, "filemem: "))
    line = err;

  if (error == NULL && line != NULL)
    error = g_strndup (line + strlen ("filemem: "),
        strcspn (line, "\n") - strlen ("filemem: "));
  if (error == NULL && WIFSIGNALED (status))
    error = g_strdup_printf ("GStreamer was ended by signal %d (%s)",
        WTERMSIG (status), strsignal (WTERMSIG (status)));
  if (error == NULL && WIFEXITED (status) && WEXITSTATUS (status) != 0)
    error = g_strdup_printf (
        "GStreamer ended with status %d", WEXITSTATUS (status));
  return error != NULL ? error : g_strdup ("GStreamer gives no reason");
}

void
doctor_probe (gchar **environment, const gchar *load, DoctorProbe *ret)
{
  gchar *arguments[] = {
      (gchar *) "/proc/self/exe", (gchar *) "--probe", (gchar *) load, NULL};
  g_autofree gchar *program = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree gchar *out = NULL;
  g_autofree gchar *err = NULL;
  g_autofree gchar *end = NULL;
  g_autofree gchar *tracer = NULL;
  g_autoptr (GError) error = NULL;
  gint status = 0;

  memset (ret, 0, sizeof *ret);
  if (program != NULL)
    arguments[0] = program;
  if (!g_spawn_sync (NULL, arguments, environment, G_SPAWN_DEFAULT,
          end_with_parent, NULL, &out, &err, &status, &error)) {
    ret->error = g_strdup (error->message);
  } else {
    end = find (out, "end");
    ret->ended = end != NULL;
    tracer = find (out, "tracer");
    ret->tracer = tracer != NULL;
    ret->plugin = find (out, "plugin");
    ret->version = find (out, "version");
    ret->allocator = find (out, "allocator");
    ret->memory = find (out, "memory");
    ret->error = find_error (out, err, status);
  }
  g_strfreev (environment);
}

void
doctor_probe_clear (DoctorProbe *probe)
{
  g_free (probe->plugin);
  g_free (probe->version);
  g_free (probe->allocator);
  g_free (probe->memory);
  g_free (probe->error);
}

gchar *
doctor_probe_fix (const DoctorProbe *probe, const gchar *otherwise)
{
  g_autofree gchar *lift = doctor_lift (DOCTOR_ADDRESSES | DOCTOR_DATA);

  if (strstr (probe->error, g_strerror (EMFILE)) != NULL)
    return g_strdup ("raise ulimit -n");
  /* GLib aborts a program that gets no memory. */
  if (lift != NULL
      && (!probe->ended || strstr (probe->error, g_strerror (ENOMEM)) != NULL))
    return g_steal_pointer (&lift);
  return g_strdup (otherwise);
}

/* ---- environments ---- */

gboolean
doctor_preloads_shim (void)
{
  const gchar *preload = g_getenv ("LD_PRELOAD");

  return preload != NULL && strstr (preload, DOCTOR_SHIM) != NULL;
}

gchar **
doctor_environment (const Doctor *doctor)
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

gchar **
doctor_plain_environment (const Doctor *doctor)
{
  gchar **environment = doctor_environment (doctor);

  environment = g_environ_unsetenv (environment, "GST_TRACERS");
  if (doctor_preloads_shim ())
    environment = g_environ_unsetenv (environment, "LD_PRELOAD");
  return environment;
}

gchar **
doctor_without_registry (gchar **environment)
{
  return g_environ_setenv (environment, "GST_REGISTRY_DISABLE", "yes", TRUE);
}
