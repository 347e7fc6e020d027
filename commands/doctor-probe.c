/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-probe.c: a program that starts GStreamer and says whose memory its
 * buffers are.
 *
 * It is gst-filemem-doctor itself, executed again, because what matters is read
 * once, when a process starts (LD_PRELOAD) or GStreamer does (GST_TRACERS).
 * The doctor proper never initialises GStreamer. The program prints one
 * "name=value" a line.
 */
#include "doctor.h"

#include <gst/gst.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

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
  return 0;
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

/* What filemem had to say, or else why the program did not end well. */
static gchar *
find_error (const gchar *out, const gchar *err, int status)
{
  gchar *error = find (out, "error");
  const gchar *line = strstr (err, "filemem: ");

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
  g_free (probe->allocator);
  g_free (probe->memory);
  g_free (probe->error);
}
