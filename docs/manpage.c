/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * manpage.c: writes gst-filemem(1) from its template and the tables.
 *
 * Usage: manpage TEMPLATE >PAGE. A line @OPTIONS@ of the template becomes a
 * list of the options, @STATISTICS@ one of the figures, @RECORDS@ one of those
 * that are in records alone, @QUEUES@ one of those of a queue, @TALLIES@ one of
 * those of an element or a thread, @MAPPED@ one of those of an element alone,
 * @VERSION@ anywhere the version, and @KNOWN@ the names of known queues; so the
 * page can't name what is not there, nor miss what is. Runs while filemem is
 * built, and is not installed.
 */
#include "options.h"
#include "queue-figures.h"
#include "snapshot-figures.h"
#include "tally-figures.h"

#include <stdio.h>
#include <string.h>

/* Text of the tables as roff, within a line. What looks like a minus is one, so
 * that it can be copied into a terminal. */
static void
print_text (const gchar *text)
{
  for (; *text != '\0'; text++) {
    if (*text == '-')
      fputs ("\\-", stdout);
    else if (*text == '\\')
      fputs ("\\e", stdout);
    else
      putchar (*text);
  }
}

/* A description of the tables, which begins small and has no full stop. */
static void
print_description (const gchar *text)
{
  putchar (g_ascii_toupper (text[0]));
  print_text (text + 1);
  fputs (".\n", stdout);
}

static void
print_option (const FmOptionSpec *spec, const gchar *accepted)
{
  fputs (".TP\n.BR ", stdout);
  print_text (spec->name);
  printf (" \" (\" %s )\n", spec->variable);
  print_description (spec->description);
  fputs ("Takes ", stdout);
  print_text (accepted);
  /* Where filemem chooses, the description says what. */
  if (spec->default_text[0] != '\0') {
    fputs (".\nDefault: ", stdout);
    print_text (spec->default_text);
  }
  fputs (".\n", stdout);
}

static void
print_options (void)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    g_autofree gchar *accepted = fm_option_accepted ((FmOptionId) id);

    print_option (fm_option_spec ((FmOptionId) id), accepted);
  }
}

static void
print_figure (const FmFigureSpec *spec)
{
  static const gchar *const kinds[] = FM_KIND_NAMES;

  fputs (".TP\n.BR ", stdout);
  print_text (spec->name);
  printf (" \" (%s%s%s)\"\n", kinds[spec->kind],
      spec->unit[0] != '\0' ? ", " : "", spec->unit);
  print_description (spec->description);
}

#define TABLE(figures)       \
  (const FmFigureSpec[])     \
  {                          \
    figures (FM_FIGURE_SPEC) \
    {                        \
      NULL                   \
    }                        \
  }

/* With the marks that stand for them in the template. */
static const struct
{
  const gchar *mark;
  const FmFigureSpec *figures;
} tables[] = {
    {"@STATISTICS@", TABLE (FM_ALL_FIGURES)},
    {"@RECORDS@", TABLE (FM_INTERVAL_FIGURES)},
    {"@QUEUES@", TABLE (FM_QUEUE_FIGURES)},
    {"@TALLIES@", TABLE (FM_TALLY_FIGURES)},
    {"@MAPPED@", TABLE (FM_MAPPED_FIGURES)},
};

static gboolean
print_table (const gchar *mark)
{
  const FmFigureSpec *spec;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (tables); i++) {
    if (!g_str_equal (mark, tables[i].mark))
      continue;
    for (spec = tables[i].figures; spec->name != NULL; spec++)
      print_figure (spec);
    return TRUE;
  }
  return FALSE;
}

/* Marks within a line, and what they stand for. */
static void
print_words (const gchar *line)
{
  g_autoptr (GString) text = g_string_new (line);
  g_auto (GStrv) known = g_strsplit (FM_OPTIONS_QUEUES, ":", -1);
  g_autofree gchar *names = g_strjoinv (", ", known);

  g_string_replace (text, "@VERSION@", PACKAGE_VERSION, 0);
  g_string_replace (text, "@KNOWN@", names, 0);
  puts (text->str);
}

static void
print_line (const gchar *line)
{
  if (g_str_equal (line, "@OPTIONS@"))
    print_options ();
  else if (!print_table (line))
    print_words (line);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *template = NULL;
  g_auto (GStrv) lines = NULL;
  guint i;

  if (argc != 2) {
    fputs ("usage: manpage TEMPLATE\n", stderr);
    return 2;
  }
  if (!g_file_get_contents (argv[1], &template, NULL, &error)) {
    fprintf (stderr, "manpage: %s\n", error->message);
    return 1;
  }
  lines = g_strsplit (g_strchomp (template), "\n", -1);
  for (i = 0; lines[i] != NULL; i++)
    print_line (lines[i]);
  return fflush (stdout) == 0 ? 0 : 1;
}
