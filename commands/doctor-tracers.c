/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-tracers.c: reads GST_TRACERS both as GStreamer does and as people
 * write it.
 *
 * GStreamer splits the variable at ';' before it looks at parentheses. What
 * stands before a '(' is the name of a tracer, to the letter: with a space or a
 * comma it becomes a name that no tracer has, and GStreamer says nothing. These
 * are pure functions of the text.
 */
#include "doctor.h"
#include "tracer-params.h"

#include <string.h>

#define TRACER "filemem"

static gboolean
mentions_filemem (const gchar *tracers)
{
  g_autofree gchar *lower =
      tracers != NULL ? g_ascii_strdown (tracers, -1) : NULL;

  return lower != NULL && strstr (lower, TRACER) != NULL;
}

static gboolean
is_separator (gchar c)
{
  return c == ';' || c == ',' || g_ascii_isspace (c);
}

/* For an option that stands behind filemem instead of within its
 * parentheses. */
static gboolean
append_parameter (GString *mended, const gchar *at, gsize length)
{
  const gchar *last = strrchr (mended->str, ';');

  last = last != NULL ? last + 1 : mended->str;
  if (g_str_equal (last, TRACER))
    g_string_append_c (mended, '(');
  else if (g_str_has_prefix (last, TRACER "(") && g_str_has_suffix (last, ")"))
    mended->str[mended->len - 1] = ',';
  else
    return FALSE;
  g_string_append_len (mended, at, (gssize) length);
  g_string_append_c (mended, ')');
  return TRUE;
}

/* Appends @at, which begins with a '(', and as many ')' as it takes to close
 * that. */
static void
append_closed (GString *mended, const gchar *at, gsize length)
{
  gsize begin = mended->len + 1;

  g_string_append_len (mended, at, (gssize) length);
  do
    g_string_append_c (mended, ')');
  while (begin + fm_tracer_params_length (mended->str + begin) == mended->len);
}

/* Appends the tracer at @at, up to the end of its parameters, in lower case if
 * that makes it filemem's name. Returns what follows. */
static const gchar *
append_tracer (GString *mended, const gchar *at)
{
  gsize length = 0;

  while (at[length] != '\0' && at[length] != '(' && !is_separator (at[length]))
    length++;
  if (memchr (at, '=', length) != NULL && memchr (at, ')', length) == NULL
      && append_parameter (mended, at, length))
    return at + length;
  if (mended->len > 0)
    g_string_append_c (mended, ';');
  if (length == strlen (TRACER)
      && g_ascii_strncasecmp (at, TRACER, length) == 0)
    g_string_append (mended, TRACER);
  else
    g_string_append_len (mended, at, (gssize) length);
  at += length;

  /* A space before the parenthesis is one of the common mistakes. */
  length = strspn (at, " \t\n");
  if (at[length] != '(')
    return at;
  at += length;
  length = 1 + fm_tracer_params_length (at + 1);
  append_closed (mended, at, length);
  return at[length] == ')' ? at + length + 1 : at + length;
}

/* Superfluous semicolons do no harm, and do not count as a difference. */
static gchar *
without_empty_items (const gchar *tracers)
{
  g_auto (GStrv) items = g_strsplit (tracers, ";", -1);
  GString *kept = g_string_new (NULL);
  guint i;

  for (i = 0; items[i] != NULL; i++) {
    if (items[i][0] != '\0')
      g_string_append_printf (kept, "%s%s", kept->len > 0 ? ";" : "", items[i]);
  }
  return g_string_free (kept, FALSE);
}

gchar *
doctor_tracers_mend (const gchar *tracers)
{
  g_autoptr (GString) mended = g_string_new (NULL);
  g_autofree gchar *as_it_is = NULL;
  const gchar *at = tracers;

  if (!mentions_filemem (tracers) || doctor_tracers_cut_short (tracers))
    return NULL;
  while (*at != '\0') {
    if (is_separator (*at))
      at++;
    else
      at = append_tracer (mended, at);
  }
  as_it_is = without_empty_items (tracers);
  if (g_str_equal (tracers, mended->str) || g_str_equal (as_it_is, mended->str))
    return NULL;
  return g_strdup (mended->str);
}

/* The item of @tracers that is filemem, as GStreamer sees it; NULL if there is
 * none. */
static gchar *
find_item (const gchar *tracers)
{
  g_auto (GStrv) items = g_strsplit (tracers != NULL ? tracers : "", ";", -1);
  guint i;

  for (i = 0; items[i] != NULL; i++) {
    gsize length = strcspn (items[i], "(");

    if (length == strlen (TRACER) && strncmp (items[i], TRACER, length) == 0)
      return g_strdup (items[i]);
  }
  return NULL;
}

gboolean
doctor_tracers_cut_short (const gchar *tracers)
{
  g_autofree gchar *item = find_item (tracers);
  const gchar *end = item != NULL ? strchr (item, '(') : NULL;

  if (end == NULL)
    return FALSE;
  end++;
  end += fm_tracer_params_length (end);
  if (end[0] == '\0')
    return strstr (tracers, item)[strlen (item)] == ';';
  /* Another tracer behind a comma is another mistake. */
  return !is_separator (end[1]) && strchr (end + 1, ')') != NULL;
}
