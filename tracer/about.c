/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * about.c: see about.h.
 */
#include "about.h"

#include "machine.h"

#include <gst/gst.h>
#include <string.h>
#include <sys/utsname.h>

/* The most bytes of a command line. */
#define COMMAND_MAX 4096

static const FmOptions *options;
static gint64 began; /* us since 1970 */

void
fm_about_start (const FmOptions *in_force)
{
  options = in_force;
  began = g_get_real_time ();
}

static void
add_command (FmJson *json)
{
  g_autofree gchar *text = NULL;
  gsize length = 0, at;

  (void) g_file_get_contents ("/proc/self/cmdline", &text, &length, NULL);
  if (length > COMMAND_MAX) {
    length = COMMAND_MAX;
    text[length] = '\0';
  }
  fm_json_begin (json, "command", '[');
  for (at = 0; at < length; at += strlen (text + at) + 1)
    fm_json_string (json, NULL, text + at);
  fm_json_end (json, ']');
}

/* Adds the options that have a value, whether given or not. */
static void
add_options (FmJson *json)
{
  guint id;

  fm_json_begin (json, "options", '{');
  for (id = 0; options != NULL && id < FM_N_OPTIONS; id++) {
    const gchar *text = fm_options_text (options, id);

    if (text[0] != '\0')
      fm_json_string (json, fm_option_spec (id)->name, text);
  }
  fm_json_end (json, '}');
}

/* Read only once: it takes a walk through all cgroups, and a viewer asks for a
 * page each second. */
static guint64
get_memory (void)
{
  static gsize memory = 0;

  if (g_once_init_enter (&memory))
    g_once_init_leave (
        &memory, (gsize) MAX (fm_machine_headroom ("").total, 1));
  return memory;
}

static void
add_machine (FmJson *json)
{
  g_autofree gchar *kernel = NULL;
  struct utsname name;

  if (uname (&name) == 0)
    kernel =
        g_strdup_printf ("%s %s %s", name.sysname, name.release, name.machine);
  fm_json_string (json, "kernel", kernel != NULL ? kernel : "");
  fm_json_number (json, "processors", g_get_num_processors ());
  fm_json_number (json, "memory-bytes", get_memory ());
}

void
fm_about_add (FmJson *json)
{
  g_autoptr (GDateTime) date =
      g_date_time_new_from_unix_utc (began / G_USEC_PER_SEC);
  g_autofree gchar *since = g_date_time_format_iso8601 (date);
  g_autofree gchar *gstreamer = gst_version_string ();

  fm_json_begin (json, "about", '{');
  add_command (json);
  fm_json_string (json, "since", since);
  fm_json_string (json, "filemem", PACKAGE_VERSION);
  fm_json_string (json, "gstreamer", gstreamer);
  add_machine (json);
  add_options (json);
  fm_json_end (json, '}');
}
