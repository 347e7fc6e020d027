/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-words.c: see top-words.h.
 */
#include "top-words.h"

#include <math.h>
#include <string.h>
#include <wchar.h>

#define ELLIPSIS "\xe2\x80\xa6"

/* At least two digits, so that a figure does not change its width all the time.
 */
static gchar *
round_figure (gdouble value, const gchar *unit)
{
  return g_strdup_printf (value < 9.95 ? "%.1f%s" : "%.0f%s", value, unit);
}

static gchar *
scale_bytes (gdouble bytes, const gchar *const *units)
{
  guint i = 0;

  /* 1023.5 would be printed as 1024. */
  while (bytes >= 1023.5 && units[i + 1] != NULL) {
    bytes /= 1024;
    i++;
  }
  return i == 0 ? g_strdup_printf ("%.0f%s", bytes, units[0])
                : round_figure (bytes, units[i]);
}

gchar *
fm_words_bytes (gdouble bytes)
{
  static const gchar *const units[] = {
      " B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", NULL};

  return scale_bytes (bytes, units);
}

gchar *
fm_words_short_bytes (gdouble bytes)
{
  static const gchar *const units[] = {"", "K", "M", "G", "T", "P", "E", NULL};

  return scale_bytes (bytes, units);
}

gchar *
fm_words_ns (gdouble ns)
{
  if (ns < 1e3)
    return g_strdup_printf ("%.0f ns", ns);
  if (ns < 999.5e3)
    return round_figure (ns / 1e3, " us");
  if (ns < 999.5e6)
    return round_figure (ns / 1e6, " ms");
  return round_figure (ns / 1e9, " s");
}

gchar *
fm_words_number (gdouble number)
{
  if (number > 0 && number < 0.05)
    return g_strdup ("<0.1");
  return number == floor (number) ? g_strdup_printf ("%.0f", number)
                                  : round_figure (number, "");
}

gchar *
fm_words_permille (guint64 permille)
{
  gdouble number = (gdouble) permille / 1e3;

  if (permille < 5)
    return g_strdup (permille > 0 ? "<0.01" : "0");
  return permille < 995 ? g_strdup_printf ("%.2f", number)
                        : round_figure (number, "");
}

gchar *
fm_words_uptime (guint64 ns)
{
  guint64 seconds = ns / G_GUINT64_CONSTANT (1000000000);
  guint minutes = seconds / 60 % 60;

  if (seconds < 3600)
    return g_strdup_printf ("%u:%02u", minutes, (guint) (seconds % 60));
  return g_strdup_printf ("%" G_GUINT64_FORMAT ":%02u:%02u", seconds / 3600,
      minutes, (guint) (seconds % 60));
}

gchar *
fm_words_path (const gchar *path)
{
  GString *words = g_string_new (NULL);

  if (*path == '/')
    path++;
  while (*path != '\0') {
    gsize length = strcspn (path, "/.");
    const gchar *colon = memchr (path, ':', length);
    const gchar *name = colon ? colon + 1 : path;

    /* The separator is removed with it. */
    if (path[length] != '\0')
      length++;
    g_string_append_len (words, name, path + length - name);
    path += length;
  }
  return g_string_free (words, FALSE);
}

static gint
width_of (gunichar c)
{
  return c < 0x80 ? 1 : wcwidth ((wchar_t) c);
}

gchar *
fm_tame (const gchar *text, gboolean utf8)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  GString *tame = g_string_new (NULL);

  for (const gchar *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    /* What GLib puts between a number and its unit does not deserve a '?'. */
    if (c == 0xa0 && !utf8)
      g_string_append_c (tame, ' ');
    else if (c == 0xfffd || !g_unichar_isprint (c) || (c >= 0x80 && !utf8)
        || width_of (c) < 0)
      g_string_append_c (tame, '?');
    else if (width_of (c) > 0)
      g_string_append_unichar (tame, c);
  }
  return g_string_free (tame, FALSE);
}

guint
fm_columns (const gchar *text)
{
  guint columns = 0;

  for (const gchar *p = text; *p != '\0'; p = g_utf8_next_char (p))
    columns += MAX (width_of (g_utf8_get_char (p)), 0);
  return columns;
}

/* The end of as much of @text as fits. */
static const gchar *
fit (const gchar *text, guint columns)
{
  const gchar *p = text;

  while (*p != '\0') {
    guint width = MAX (width_of (g_utf8_get_char (p)), 0);

    if (width > columns)
      break;
    columns -= width;
    p = g_utf8_next_char (p);
  }
  return p;
}

const gchar *
fm_ellipsis (gboolean utf8)
{
  return utf8 ? ELLIPSIS : "~";
}

gchar *
fm_clip (const gchar *text, guint columns, FmCut cut, gboolean utf8)
{
  const gchar *ellipsis = fm_ellipsis (utf8);
  guint all = fm_columns (text);
  const gchar *start = text;

  if (all <= columns)
    return g_strdup (text);
  if (columns == 0)
    return g_strdup ("");
  if (cut == FM_CUT_END) {
    g_autofree gchar *head = g_strndup (text, fit (text, columns - 1) - text);

    return g_strconcat (head, ellipsis, NULL);
  }
  while (all > columns - 1) {
    all -= MAX (width_of (g_utf8_get_char (start)), 0);
    start = g_utf8_next_char (start);
  }
  return g_strconcat (ellipsis, start, NULL);
}
