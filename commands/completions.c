/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * completions.c: writes a shell's completions from its template and the table
 * of options.
 *
 * Usage: completions TEMPLATE >FILE. In the template @ABOUT:name@ stands for a
 * short description of that option, to be put between single quotes, and a line
 * with @VARIABLE@ and @CHOICES@ is repeated for each option that has choices:
 * the variable, and its values with spaces between them. So no completion can
 * name an option that does not exist. Runs while filemem is built, and is not
 * installed.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

/* What follows one of these is detail, or means something to a shell. */
#define ENDS "(:;,'[]\\"

static gchar *
get_about (const FmOptionSpec *spec)
{
  gchar *about =
      g_strndup (spec->description, strcspn (spec->description, ENDS));

  return g_strchomp (about);
}

static void
print_about (const gchar *line)
{
  g_autoptr (GString) text = g_string_new (line);

  for (guint id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *spec = fm_option_spec ((FmOptionId) id);
    g_autofree gchar *mark = g_strdup_printf ("@ABOUT:%s@", spec->name);
    g_autofree gchar *about = get_about (spec);

    g_string_replace (text, mark, about, 0);
  }
  puts (text->str);
}

static void
print_choices (const gchar *line)
{
  for (guint id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *spec = fm_option_spec ((FmOptionId) id);
    g_autoptr (GString) text = g_string_new (line);
    g_autofree gchar *values = NULL;

    if (spec->choices == NULL)
      continue;
    values = g_strdelimit (g_strdup (spec->choices), ":", ' ');
    g_string_replace (text, "@VARIABLE@", spec->variable, 0);
    g_string_replace (text, "@CHOICES@", values, 0);
    puts (text->str);
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *template = NULL;
  g_auto (GStrv) lines = NULL;

  if (argc != 2) {
    fputs ("usage: completions TEMPLATE\n", stderr);
    return 2;
  }
  if (!g_file_get_contents (argv[1], &template, NULL, &error)) {
    fprintf (stderr, "completions: %s\n", error->message);
    return 1;
  }
  lines = g_strsplit (g_strchomp (template), "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++) {
    if (strstr (lines[i], "@CHOICES@") != NULL)
      print_choices (lines[i]);
    else
      print_about (lines[i]);
  }
  return fflush (stdout) == 0 ? 0 : 1;
}
