/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-parts.h: the parts that make up the view of one program.
 *
 * A part is a label and what follows it. On a wide sheet the labels have a
 * column of their own; on a narrow one, what does not fit beside the label goes
 * below, slightly indented.
 */
#ifndef FM_TOP_PARTS_H
#define FM_TOP_PARTS_H

#include "top-model.h"
#include "top-sheet.h"

G_BEGIN_DECLS

/* The indent of what is below something else. */
#define FM_PART_INDENT 2

static inline gboolean
fm_part_is_wide (FmSheet *sheet)
{
  return sheet->width >= 50;
}

/* Where the lines of a part begin. */
guint fm_part_indent (FmSheet *sheet);
void fm_part_label (FmSheet *sheet, const gchar *label);
/* Adds a piece behind the label; takes @text. */
void fm_part_piece (FmSheet *sheet, FmStyle style, gchar *text);

/* A figure (FM_STAT_...) of @program; 0 if it is unknown. */
guint64 fm_part_figure (FmProgram *program, guint figure);
/* The same in words; "-" if it is unknown. */
gchar *fm_part_bytes (FmProgram *program, guint figure);
gchar *fm_part_number (FmProgram *program, guint figure);

/* A figure that is shown with its limit: a column of the list, and a bar in the
 * view of one program. */
typedef struct
{
  const gchar *label;
  guint used, most, peak; /* figures */
  const gchar *explanation;
} FmLevel;

typedef enum { FM_LEVEL_RAM, FM_LEVEL_DISK, FM_N_LEVELS } FmLevelId;

extern const FmLevel fm_levels[FM_N_LEVELS];

/* The fullest queues, and the elements that wait the most: up to @most of
 * them. */
void fm_part_queues (FmSheet *sheet, FmProgram *program, guint most);
void fm_part_elements (FmSheet *sheet, FmProgram *program, guint most);

G_END_DECLS
#endif
