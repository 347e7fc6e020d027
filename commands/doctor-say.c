/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-say.c: the lines that gst-filemem-doctor prints.
 *
 * A line has a level, a subject, a text and, unless all is well, a fix. From a
 * child it travels as these four, separated by SEPARATOR, in printable ASCII.
 */
#include "doctor.h"

#include "messages.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEPARATOR "\t"
#define LEVEL_WIDTH 7
#define SUBJECT_WIDTH 13

static int say_fd = -1;

static const struct
{
  const gchar *name;
  const gchar *colour;
} levels[] = {
    [DOCTOR_OK] = {"ok", "\033[32m"},
    [DOCTOR_NOTE] = {"note", "\033[33m"},
    [DOCTOR_PROBLEM] = {"problem", "\033[31m"},
};

const gchar *
doctor_level_name (DoctorLevel level)
{
  return levels[level].name;
}

static gboolean
in_colour (void)
{
  const gchar *no_color = g_getenv ("NO_COLOR");
  const gchar *term = g_getenv ("TERM");

  return (no_color == NULL || no_color[0] == '\0')
      && g_strcmp0 (term, "dumb") != 0 && isatty (STDOUT_FILENO);
}

gchar *
doctor_ascii (const gchar *text)
{
  /* Characters that GLib puts between a number and its unit, and the library
   * into lists. */
  static const struct
  {
    const gchar *text;
    const gchar *ascii;
  } known[] = {{"\302\240", " "}, {"\342\200\246", "..."}};
  GString *ascii = g_string_new (NULL);
  guint i;

  while (*text != '\0') {
    for (i = 0; i < G_N_ELEMENTS (known); i++) {
      if (g_str_has_prefix (text, known[i].text))
        break;
    }
    if (i < G_N_ELEMENTS (known)) {
      g_string_append (ascii, known[i].ascii);
      text += strlen (known[i].text);
    } else {
      if (g_ascii_isprint (*text))
        g_string_append_c (ascii, *text);
      else
        g_string_append_printf (ascii, "\\%03o", (guchar) *text);
      text++;
    }
  }
  return g_string_free (ascii, FALSE);
}

/* Anything but printable ASCII needs the kind of quotes that allows escapes. */
gchar *
doctor_shell_quote (const gchar *text)
{
  GString *quoted;
  const gchar *at;

  for (at = text; g_ascii_isprint (*at); at++)
    continue;
  if (*at == '\0')
    return g_shell_quote (text);

  quoted = g_string_new ("$'");
  for (at = text; *at != '\0'; at++) {
    if (g_ascii_isprint (*at) && *at != '\'' && *at != '\\')
      g_string_append_c (quoted, *at);
    else
      g_string_append_printf (quoted, "\\%03o", (guchar) *at);
  }
  g_string_append_c (quoted, '\'');
  return g_string_free (quoted, FALSE);
}

gchar *
doctor_size (guint64 bytes)
{
  g_autofree gchar *size = fm_size_text (bytes);

  return doctor_ascii (size);
}

static void
print (DoctorLevel level, const gchar *subject, const gchar *text,
    const gchar *fix, gpointer data)
{
  gboolean colour = in_colour ();

  printf ("%s%-*s%s  %-*s %s\n", colour ? levels[level].colour : "",
      LEVEL_WIDTH, levels[level].name, colour ? "\033[0m" : "", SUBJECT_WIDTH,
      subject, text);
  if (fix[0] != '\0')
    printf ("%*s  %-*s fix: %s\n", LEVEL_WIDTH, "", SUBJECT_WIDTH, "", fix);
  fflush (stdout);
}

void
doctor_say_to (int fd)
{
  say_fd = fd;
}

static void
say (DoctorLevel level, const gchar *subject, const gchar *fix,
    const gchar *format, va_list arguments)
{
  g_autofree gchar *text = g_strdup_vprintf (format, arguments);
  g_autofree gchar *plain_text = doctor_ascii (text);
  g_autofree gchar *plain_fix = doctor_ascii (fix);
  g_autofree gchar *line =
      g_strdup_printf ("%d" SEPARATOR "%s" SEPARATOR "%s" SEPARATOR "%s\n",
          (int) level, subject, plain_text, plain_fix);
  gsize length = strlen (line), done = 0;

  while (done < length) {
    gssize n = write (say_fd, line + done, length - done);

    if (n <= 0)
      return; /* there is no reader any more */
    done += (gsize) n;
  }
}

void
doctor_ok (const gchar *subject, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  say (DOCTOR_OK, subject, "", format, arguments);
  va_end (arguments);
}

void
doctor_note (const gchar *subject, const gchar *fix, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  say (DOCTOR_NOTE, subject, fix, format, arguments);
  va_end (arguments);
}

void
doctor_problem (
    const gchar *subject, const gchar *fix, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  say (DOCTOR_PROBLEM, subject, fix, format, arguments);
  va_end (arguments);
}

void
doctor_hear (const gchar *line, DoctorCounts *counts)
{
  g_auto (GStrv) parts = g_strsplit (line, SEPARATOR, 4);
  guint64 level;

  if (g_strv_length (parts) != 4
      || !g_ascii_string_to_unsigned (
          parts[0], 10, DOCTOR_OK, DOCTOR_PROBLEM, &level, NULL))
    return;
  counts->n[level]++;
  (counts->take != NULL ? counts->take : print) (
      (DoctorLevel) level, parts[1], parts[2], parts[3], counts->data);
}
