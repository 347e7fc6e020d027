/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-view.c: see top-view.h; the list of programs, and what is shown instead.
 * The one program is in top-details.c.
 */
#include "top-view.h"

#define MARKER_COLUMNS 2
#define PID_COLUMNS 8
#define PROGRAM_LEAST 12
#define PROGRAM_MOST 40
#define AMOUNT_COLUMNS 13
#define WAITS_COLUMNS 15

/* Which columns a sheet has room for; the first that goes is the last. */
typedef struct
{
  guint program; /* its width */
  gboolean ram, disk, waits;
} Columns;

static Columns
choose_columns (guint width)
{
  guint left = width - MIN (width, MARKER_COLUMNS + PID_COLUMNS + 1);
  Columns columns = {0};

  columns.ram = left >= PROGRAM_LEAST + AMOUNT_COLUMNS;
  left -= columns.ram ? AMOUNT_COLUMNS : 0;
  columns.disk = columns.ram && left >= PROGRAM_LEAST + AMOUNT_COLUMNS;
  left -= columns.disk ? AMOUNT_COLUMNS : 0;
  columns.waits = columns.disk && left >= PROGRAM_LEAST + WAITS_COLUMNS;
  left -= columns.waits ? WAITS_COLUMNS : 0;
  columns.program = MIN (left, PROGRAM_MOST);
  return columns;
}

static void
put_right (FmSheet *sheet, FmStyle style, const gchar *text, guint columns)
{
  fm_sheet_put_cell (sheet, style, text, columns, FM_ALIGN_RIGHT, FM_CUT_END);
}

static void
put_left (FmSheet *sheet, FmStyle style, const gchar *text, guint columns)
{
  fm_sheet_put_cell (sheet, style, text, columns, FM_ALIGN_LEFT, FM_CUT_END);
}

/* @which: what is said of the list's length, or nothing. */
static void
put_heading (FmSheet *sheet, const Columns *columns, const gchar *which)
{
  g_autofree gchar *program = g_strconcat ("PROGRAM", which, NULL);
  FmStyle style = FM_STYLE_HEADING;

  put_left (sheet, style, "", MARKER_COLUMNS);
  put_right (sheet, style, "PID", PID_COLUMNS);
  put_left (sheet, style, "", 1);
  put_left (sheet, style, program, columns->program);
  if (columns->ram)
    put_right (sheet, style, "RAM", AMOUNT_COLUMNS);
  if (columns->disk)
    put_right (sheet, style, "DISK", AMOUNT_COLUMNS);
  if (columns->waits)
    put_right (sheet, style, "WAITS/S", WAITS_COLUMNS);
  fm_sheet_end_line (sheet);
}

/* "118M/128M" */
static gchar *
amount (FmProgram *program, const gchar *used, const gchar *most)
{
  g_autofree gchar *first = NULL, *second = NULL;
  guint64 a, b;

  if (!fm_program_figure (program, used, &a)
      || !fm_program_figure (program, most, &b))
    return g_strdup ("-");
  first = fm_words_short_bytes (a);
  second = fm_words_short_bytes (b);
  return g_strdup_printf ("%s/%s", first, second);
}

static gchar *
waits (FmProgram *program)
{
  gdouble maps, allocs = 0;

  if (!program->answering)
    return g_strdup ("not answering");
  if (!fm_program_rate (program, "map-waits", &maps))
    return g_strdup ("-");
  fm_program_rate (program, "alloc-waits", &allocs);
  return fm_words_number (maps + allocs);
}

static void
put_program (
    FmSheet *sheet, FmProgram *program, const Columns *columns, gboolean chosen)
{
  const gchar *problem = fm_program_problem (program);
  const gchar *name = fm_program_string (program, "program");
  g_autofree gchar *pid = g_strdup_printf ("%" G_GINT64_FORMAT, program->pid);
  g_autofree gchar *ram = amount (program, "resident-bytes", "budget");
  g_autofree gchar *disk = amount (program, "disk-bytes", "size");
  g_autofree gchar *waited = waits (program);
  gboolean bad = problem || !program->answering;
  FmStyle style = chosen ? FM_STYLE_CHOSEN
      : bad              ? FM_STYLE_WARNING
                         : FM_STYLE_NORMAL;

  put_left (sheet, style, chosen ? ">" : "", 1);
  put_left (sheet, style, bad ? "!" : "", MARKER_COLUMNS - 1);
  put_right (sheet, style, pid, PID_COLUMNS);
  put_left (sheet, style, "", 1);
  if (problem) {
    put_left (sheet, style, problem, fm_sheet_room (sheet));
  } else {
    put_left (sheet, style, name ? name : "?", columns->program);
    if (columns->ram)
      put_right (sheet, style, ram, AMOUNT_COLUMNS);
    if (columns->disk)
      put_right (sheet, style, disk, AMOUNT_COLUMNS);
    if (columns->waits)
      put_right (sheet, style, waited, WAITS_COLUMNS);
  }
  fm_sheet_end_line (sheet);
}

void
fm_view_list (
    FmSheet *sheet, const GPtrArray *programs, guint chosen, guint rows)
{
  Columns columns = choose_columns (sheet->width);
  g_autofree gchar *which = NULL;
  guint first = 0, end;

  if (chosen != FM_VIEW_NONE_CHOSEN && chosen >= rows)
    first = chosen - rows + 1;
  end = MIN (first + rows, programs->len);
  /* Others are there, but not on this list. */
  if (programs->len > rows)
    which = g_strdup_printf (" %u of %u", chosen + 1, programs->len);
  put_heading (sheet, &columns, which);
  for (guint i = first; i < end; i++)
    put_program (sheet, g_ptr_array_index (programs, i), &columns, i == chosen);
}

static void
put_lines (FmSheet *sheet, const gchar *const *lines)
{
  for (guint i = 0; lines[i] != NULL; i++) {
    fm_sheet_wrap (sheet, FM_STYLE_NORMAL, lines[i], 0, G_MAXUINT / 2);
    fm_sheet_end_line (sheet);
  }
}

void
fm_view_nobody (FmSheet *sheet, gint64 pid, const gchar *obstacle)
{
  g_autofree gchar *ended =
      g_strdup_printf ("Program %" G_GINT64_FORMAT " has ended.", pid);
  const gchar *const its_end[] = {ended, NULL};
  const gchar *const unseen[] = {
      "No program that uses filemem can be seen:", obstacle, NULL};
  const gchar *const nobody[] = {
      "No program that uses filemem is running.",
      "",
      "Start one with: gst-filemem run PROGRAM",
      "It will show up here.",
      NULL,
  };

  put_lines (sheet, pid != 0 ? its_end : obstacle ? unseen : nobody);
}

void
fm_view_help (FmSheet *sheet)
{
  static const gchar *const lines[] = {
      "up, down, tab: choose a program",
      "h: this help; any key leaves it",
      "q: quit",
      "",
      "RAM: bytes in memory, of the budget (ram). The line is the most so far.",
      "Disk: what the file takes, of the most that it may (size).",
      "Queues: bytes that each holds. A full bar is the most that any of them "
      "held since you look.",
      "Rates: bytes in a second.",
      "Waits: how often in a second an access to a buffer (map), or the making "
      "of one (allocation), had to wait for the disk, and the time that all of "
      "them together waited in a second.",
      "!: the program does not answer; its last figures are shown.",
      NULL,
  };

  put_lines (sheet, lines);
}
