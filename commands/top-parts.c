/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-parts.c: see top-parts.h.
 */
#include "top-parts.h"

#include <string.h>

#define LABEL_COLUMNS 12

const FmLevel fm_levels[FM_N_LEVELS] = {
    [FM_LEVEL_RAM] = {"RAM", FM_STAT_RESIDENT_BYTES, FM_STAT_BUDGET,
        FM_STAT_RESIDENT_PEAK,
        "bytes in memory, of the budget (ram). The line is the most so far."},
    [FM_LEVEL_DISK] = {"Disk", FM_STAT_DISK_BYTES, FM_STAT_SIZE,
        FM_STAT_DISK_PEAK,
        "what the file takes, of the most that it may (size)."},
};

guint
fm_part_indent (FmSheet *sheet)
{
  return fm_part_is_wide (sheet) ? LABEL_COLUMNS : FM_PART_INDENT;
}

void
fm_part_label (FmSheet *sheet, const gchar *label)
{
  guint columns = strlen (label) + 1;

  fm_sheet_put_cell (sheet, FM_STYLE_LABEL, label,
      fm_part_is_wide (sheet) ? LABEL_COLUMNS : columns, FM_ALIGN_LEFT,
      FM_CUT_END);
}

/* Adds a piece behind a label; takes @text. */
void
fm_part_piece (FmSheet *sheet, FmStyle style, gchar *text)
{
  g_autofree gchar *piece = text;

  fm_sheet_flow (sheet, style, piece, fm_part_indent (sheet));
  fm_sheet_put_spaces (sheet, 2);
}

/* A figure of @program in words; "-" if it is unknown. */
gchar *
fm_part_bytes (FmProgram *program, guint figure)
{
  guint64 value;

  return fm_program_figure (program, figure, &value) ? fm_words_bytes (value)
                                                     : g_strdup ("-");
}

gchar *
fm_part_number (FmProgram *program, guint figure)
{
  guint64 value;

  return fm_program_figure (program, figure, &value) ? fm_words_number (value)
                                                     : g_strdup ("-");
}

guint64
fm_part_figure (FmProgram *program, guint figure)
{
  guint64 value = 0;

  fm_program_figure (program, figure, &value);
  return value;
}
