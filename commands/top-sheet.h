/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-sheet.h: lines of text with styles, of a fixed width that nothing
 * exceeds. The view is written on a sheet, from which the screen and the plain
 * text are made.
 *
 * Everything that is put on a sheet is made harmless first. What does not fit
 * on the line is cut.
 */
#ifndef FM_TOP_SHEET_H
#define FM_TOP_SHEET_H

#include "top-words.h"

G_BEGIN_DECLS

typedef enum {
  FM_STYLE_NORMAL,
  FM_STYLE_HEADING,
  FM_STYLE_LABEL,
  FM_STYLE_CHOSEN,
  FM_STYLE_BAR,
  FM_STYLE_FAINT,
  FM_STYLE_WARNING,
  FM_N_STYLES
} FmStyle;

typedef struct
{
  FmStyle style;
  gchar *text; /* tame */
} FmSpan;

typedef struct
{
  guint width;
  gboolean utf8;
  GPtrArray *lines; /* GArray of FmSpan; the last is the one being written */
  guint column;     /* where the next text goes */
} FmSheet;

typedef enum { FM_ALIGN_LEFT, FM_ALIGN_RIGHT } FmAlign;

FmSheet *fm_sheet_new (guint width, gboolean utf8);
void fm_sheet_free (FmSheet *sheet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FmSheet, fm_sheet_free)

/* The number of complete lines. */
guint fm_sheet_length (FmSheet *sheet);
/* The columns left on the line. */
guint fm_sheet_room (FmSheet *sheet);

void fm_sheet_put (FmSheet *sheet, FmStyle style, const gchar *text);
/* Only as many as there is room for. */
void fm_sheet_put_spaces (FmSheet *sheet, guint columns);
void fm_sheet_end_line (FmSheet *sheet);

/* In exactly @columns, cut or padded with spaces. */
void fm_sheet_put_cell (FmSheet *sheet, FmStyle style, const gchar *text,
    guint columns, FmAlign align, FmCut cut);

/* Puts @text on the line if there is room for all of it, else at the start of
 * the next line, @indent columns in. */
void fm_sheet_flow (
    FmSheet *sheet, FmStyle style, const gchar *text, guint indent);

/* Puts the words of @text one after the other, on no more than @lines lines. */
void fm_sheet_wrap (FmSheet *sheet, FmStyle style, const gchar *text,
    guint indent, guint lines);

/* Puts @fraction, from 0 to 1, as a bar that is @columns wide, including its
 * brackets; with a line in it at @mark, from 0 to 1; 0: nowhere. */
void fm_sheet_put_bar (
    FmSheet *sheet, guint columns, gdouble fraction, gdouble mark);

G_END_DECLS
#endif
