/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-sheet.c: see top-sheet.h.
 */
#include "top-sheet.h"

#include <math.h>

/* Eighths of a block. */
static const gchar *const eighths[] = {
    " ",
    "\xe2\x96\x8f",
    "\xe2\x96\x8e",
    "\xe2\x96\x8d",
    "\xe2\x96\x8c",
    "\xe2\x96\x8b",
    "\xe2\x96\x8a",
    "\xe2\x96\x89",
    "\xe2\x96\x88",
};
#define LINE "\xe2\x94\x82" /* a vertical line */

static void
clear_span (gpointer span)
{
  g_free (((FmSpan *) span)->text);
}

static void
start_line (FmSheet *sheet)
{
  GArray *line = g_array_new (FALSE, FALSE, sizeof (FmSpan));

  g_array_set_clear_func (line, clear_span);
  g_ptr_array_add (sheet->lines, line);
  sheet->column = 0;
}

FmSheet *
fm_sheet_new (guint width, gboolean utf8)
{
  FmSheet *sheet = g_new0 (FmSheet, 1);

  sheet->width = width;
  sheet->utf8 = utf8;
  sheet->lines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_array_unref);
  start_line (sheet);
  return sheet;
}

void
fm_sheet_free (FmSheet *sheet)
{
  g_ptr_array_unref (sheet->lines);
  g_free (sheet);
}

guint
fm_sheet_length (FmSheet *sheet)
{
  return sheet->lines->len - 1;
}

guint
fm_sheet_room (FmSheet *sheet)
{
  return sheet->width - sheet->column;
}

/* Takes @text, which is tame and fits. */
static void
add_span (FmSheet *sheet, FmStyle style, gchar *text)
{
  GArray *line = g_ptr_array_index (sheet->lines, sheet->lines->len - 1);
  FmSpan span = {.style = style, .text = text};

  sheet->column += fm_columns (text);
  g_array_append_val (line, span);
}

static void
put_spaces (FmSheet *sheet, FmStyle style, guint columns)
{
  columns = MIN (columns, fm_sheet_room (sheet));
  if (columns > 0)
    add_span (sheet, style, g_strnfill (columns, ' '));
}

void
fm_sheet_put (FmSheet *sheet, FmStyle style, const gchar *text)
{
  g_autofree gchar *tame = fm_tame (text, sheet->utf8);

  add_span (sheet, style,
      fm_clip (tame, fm_sheet_room (sheet), FM_CUT_END, sheet->utf8));
}

void
fm_sheet_put_spaces (FmSheet *sheet, guint columns)
{
  put_spaces (sheet, FM_STYLE_NORMAL, columns);
}

void
fm_sheet_end_line (FmSheet *sheet)
{
  start_line (sheet);
}

void
fm_sheet_put_cell (FmSheet *sheet, FmStyle style, const gchar *text,
    guint columns, FmAlign align, FmCut cut)
{
  g_autofree gchar *tame = fm_tame (text, sheet->utf8);
  guint room = MIN (columns, fm_sheet_room (sheet));
  gchar *clipped = fm_clip (tame, room, cut, sheet->utf8);
  guint spaces = room - fm_columns (clipped);

  if (align == FM_ALIGN_RIGHT)
    put_spaces (sheet, style, spaces);
  add_span (sheet, style, clipped);
  if (align == FM_ALIGN_LEFT)
    put_spaces (sheet, style, spaces);
}

void
fm_sheet_flow (FmSheet *sheet, FmStyle style, const gchar *text, guint indent)
{
  g_autofree gchar *tame = fm_tame (text, sheet->utf8);

  if (sheet->column > indent && fm_columns (tame) > fm_sheet_room (sheet))
    fm_sheet_end_line (sheet);
  if (sheet->column < indent)
    put_spaces (sheet, FM_STYLE_NORMAL, indent - sheet->column);
  fm_sheet_put (sheet, style, tame);
}

void
fm_sheet_wrap (
    FmSheet *sheet, FmStyle style, const gchar *text, guint indent, guint lines)
{
  g_auto (GStrv) words = g_strsplit_set (text, " \t\r\n", -1);
  guint last = fm_sheet_length (sheet) + lines - 1;
  guint gap = 0;

  for (guint i = 0; words[i] != NULL; i++) {
    g_autofree gchar *tame = fm_tame (words[i], sheet->utf8);

    if (*tame == '\0')
      continue;
    if (gap + fm_columns (tame) > fm_sheet_room (sheet)
        && sheet->column > indent && fm_sheet_length (sheet) < last) {
      fm_sheet_end_line (sheet);
      gap = 0;
    }
    if (sheet->column < indent)
      put_spaces (sheet, FM_STYLE_NORMAL, indent - sheet->column);
    put_spaces (sheet, style, gap);
    if (fm_sheet_room (sheet) == 0)
      break;
    fm_sheet_put (sheet, style, tame);
    gap = 1;
  }
}

/* What cell number @i of a bar shows. */
static const gchar *
bar_cell (FmSheet *sheet, gdouble filled, guint i)
{
  gdouble part = CLAMP (filled - i, 0, 1);

  if (!sheet->utf8)
    return part >= 0.5 ? "#" : " ";
  return eighths[(guint) round (part * 8)];
}

void
fm_sheet_put_bar (FmSheet *sheet, guint columns, gdouble fraction, gdouble mark)
{
  guint cells = MAX (MIN (columns, fm_sheet_room (sheet)), 3) - 2;
  gdouble filled = CLAMP (fraction, 0, 1) * cells;
  guint marked = MIN ((guint) (CLAMP (mark, 0, 1) * cells), cells - 1);

  fm_sheet_put (sheet, FM_STYLE_FAINT, "[");
  for (guint i = 0; i < cells; i++) {
    const gchar *glyph = bar_cell (sheet, filled, i);

    /* A mark that the bar has reached is hidden behind it. */
    if (glyph[0] == ' ' && mark > 0 && i == marked)
      fm_sheet_put (sheet, FM_STYLE_NORMAL, sheet->utf8 ? LINE : "|");
    else
      fm_sheet_put (sheet, FM_STYLE_BAR, glyph);
  }
  fm_sheet_put (sheet, FM_STYLE_FAINT, "]");
}
