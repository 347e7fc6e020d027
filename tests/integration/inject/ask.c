/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ask.c: asks the shim for GST_PLUGIN_FEATURE_RANK and then GST_TRACERS, as
 * libgstreamer (fake-gstreamer.c) does it, and prints what it says.
 *
 *   ask FAKE [clearenv | remove | chdir | threads]
 *
 * `remove` takes GST_FILEMEM_RAM out of the environment before. The first line
 * is the answer, the second what the plugin saw while it was loaded, the third
 * the plugin that was loaded, the last the parameters of the tracer that it
 * made, `-` for none.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

#include "fake-gstreamer.h"

#define N_THREADS 8

static __typeof__ (&fake_ask) ask;
static gint ready;

static const gchar *
ask_for_tracers (void)
{
  if (ask ("GST_PLUGIN_FEATURE_RANK") != getenv ("GST_PLUGIN_FEATURE_RANK"))
    return "another rank";
  return ask ("GST_TRACERS");
}

static gpointer
ask_at_once (gpointer data)
{
  g_atomic_int_inc (&ready);
  while (g_atomic_int_get (&ready) < N_THREADS)
    ;
  return (gpointer) ask_for_tracers ();
}

static const gchar *
params_of (const gchar *file)
{
  gpointer plugin = file ? dlopen (file, RTLD_NOLOAD | RTLD_LAZY) : NULL;
  gchar **params = plugin ? dlsym (plugin, "fake_params") : NULL;

  return params && *params ? *params : "-";
}

/* Every thread gets the old value or the one answer. */
static gboolean
ask_in_threads (void)
{
  const gchar *old = getenv ("GST_TRACERS");
  const gchar *heard[N_THREADS], *answer;
  GThread *threads[N_THREADS];
  guint i;

  for (i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("ask", ask_at_once, NULL);
  for (i = 0; i < N_THREADS; i++)
    heard[i] = g_thread_join (threads[i]);
  answer = ask_for_tracers ();
  for (i = 0; i < N_THREADS; i++) {
    if (heard[i] != old && heard[i] != answer) {
      g_printerr ("ask: a thread heard %s\n", heard[i]);
      return FALSE;
    }
  }
  return TRUE;
}

int
main (int argc, char **argv)
{
  const gchar *mode = argc > 2 ? argv[2] : "";
  const gchar *answer, *mine;
  gpointer fake;
  gint *loads;
  gchar **file, **inner;

  g_return_val_if_fail (argc > 1, 1);
  fake = dlopen (argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!fake) {
    g_printerr ("ask: %s\n", dlerror ());
    return 1;
  }
  ask = (__typeof__ (ask)) dlsym (fake, "fake_ask");
  loads = dlsym (fake, "fake_loads");
  file = dlsym (fake, "fake_file");
  inner = dlsym (fake, "fake_inner");

  if (strcmp (mode, "clearenv") == 0)
    clearenv ();
  if (strcmp (mode, "remove") == 0)
    unsetenv ("GST_FILEMEM_RAM");
  if (strcmp (mode, "chdir") == 0 && chdir ("/") != 0)
    return 1;
  if (strcmp (mode, "threads") == 0 && !ask_in_threads ())
    return 1;

  answer = ask_for_tracers ();
  if (ask_for_tracers () != answer) {
    g_printerr ("ask: the second answer differs\n");
    return 1;
  }
  if (*loads > 1) {
    g_printerr ("ask: the plugin was loaded %d times\n", *loads);
    return 1;
  }
  /* The answer is for libgstreamer alone, and for this name alone. */
  mine = g_getenv ("GST_TRACERS");
  if (mine != getenv ("GST_TRACERS") || ask ("PATH") != getenv ("PATH")
      || ask ("GST_TRACER") != getenv ("GST_TRACER")
      || ask ("GST_TRACERS2") != getenv ("GST_TRACERS2")) {
    g_printerr ("ask: g_getenv is not getenv\n");
    return 1;
  }

  g_print ("%s\n%s\n%s\n%s\n", answer ? answer : "-", *inner ? *inner : "-",
      *file ? *file : "-", params_of (*file));
  return 0;
}
