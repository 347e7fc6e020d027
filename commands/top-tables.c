/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-tables.c: see top-parts.h; the things of which a program has many.
 */
#include "top-parts.h"

#define NAME_WIDTH_MAX 44

/* A line with a name and figures in columns; the name gets the columns that are
 * left. */
static void
put_name (FmSheet *sheet, const gchar *path, guint others)
{
  g_autofree gchar *name = fm_words_path (path);
  guint room = sheet->width - MIN (sheet->width, others + FM_PART_INDENT);

  fm_sheet_put_spaces (sheet, FM_PART_INDENT);
  fm_sheet_put_cell (sheet, FM_STYLE_NORMAL, name, MIN (room, NAME_WIDTH_MAX),
      FM_ALIGN_LEFT, FM_CUT_START);
}

static void
put_cell (FmSheet *sheet, const gchar *text, guint columns)
{
  fm_sheet_put_cell (
      sheet, FM_STYLE_NORMAL, text, columns, FM_ALIGN_RIGHT, FM_CUT_END);
}

static void
put_queue (FmSheet *sheet, const FmQueueFigures *queue, guint64 peak)
{
  const guint level_columns = 10, rate_columns = 16;
  gboolean wide = fm_part_is_wide (sheet);
  guint bar = wide ? sheet->width / 4 : 0;
  g_autofree gchar *level = fm_words_bytes (queue->level_bytes);
  g_autofree gchar *rate = fm_words_bytes (queue->bytes_per_s);
  g_autofree gchar *in =
      queue->has_rate ? g_strdup_printf ("in %s/s", rate) : g_strdup ("in -");

  put_name (
      sheet, queue->name, level_columns + (wide ? 1 + bar + rate_columns : 0));
  if (wide) {
    fm_sheet_put_spaces (sheet, 1);
    fm_sheet_put_bar (sheet, bar,
        peak > 0 ? (gdouble) queue->level_bytes / (gdouble) peak : 0, 0);
  }
  put_cell (sheet, level, level_columns);
  if (wide)
    put_cell (sheet, in, rate_columns);
  fm_sheet_end_line (sheet);
}

static void
put_rest (FmSheet *sheet, guint n, const gchar *words)
{
  g_autofree gchar *text = g_strdup_printf ("  and %u %s", n, words);

  fm_sheet_put (sheet, FM_STYLE_FAINT, text);
  fm_sheet_end_line (sheet);
}

void
fm_part_queues (FmSheet *sheet, FmProgram *program, guint most)
{
  g_autoptr (GArray) queues = fm_program_queues (program);
  guint shown = MIN (queues->len, most);
  guint more = queues->len - shown + fm_program_queues_left_out (program);

  fm_part_label (sheet, "Queues");
  if (queues->len == 0)
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none"));
  fm_sheet_end_line (sheet);
  for (guint i = 0; i < shown; i++)
    put_queue (
        sheet, &g_array_index (queues, FmQueueFigures, i), program->level_peak);
  if (more > 0)
    put_rest (sheet, more, "with less in them");
}

void
fm_part_elements (FmSheet *sheet, FmProgram *program, guint most)
{
  const guint waits_columns = 12, time_columns = 14;
  g_autoptr (GArray) elements = fm_program_elements (program);

  fm_part_label (sheet, "Elements");
  if (!elements)
    fm_sheet_wrap (sheet, FM_STYLE_FAINT,
        "which of them wait: start it with GST_FILEMEM_ATTRIBUTION=on",
        fm_part_indent (sheet), 2);
  else
    fm_part_piece (sheet, FM_STYLE_NORMAL,
        g_strdup (!fm_program_has_rates (program) ? "-"
                : elements->len == 0              ? "none waits"
                                                  : "that wait most"));
  fm_sheet_end_line (sheet);
  for (guint i = 0; elements && i < elements->len && i < most; i++) {
    const FmElementFigures *element =
        &g_array_index (elements, FmElementFigures, i);
    g_autofree gchar *count = fm_words_number (element->waits_per_s);
    g_autofree gchar *ms = fm_words_number (element->waited * 1e3);
    g_autofree gchar *waits = g_strconcat (count, "/s", NULL);
    g_autofree gchar *time = g_strconcat (ms, " ms/s", NULL);
    gboolean wide = fm_part_is_wide (sheet);

    put_name (sheet, element->name, (wide ? waits_columns : 0) + time_columns);
    if (wide)
      put_cell (sheet, waits, waits_columns);
    put_cell (sheet, time, time_columns);
    fm_sheet_end_line (sheet);
  }
}
