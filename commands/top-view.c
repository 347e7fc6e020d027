/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-view.c: see top-view.h; the list of programs, and what is shown in its
 * place. The view of one program is in top-details.c.
 */
#include "top-view.h"

#include "top-parts.h"

#include <string.h>

#define MARKER_COLUMNS 2
#define PID_COLUMNS 8
#define PROGRAM_MIN 12
#define PROGRAM_MAX 100
#define AMOUNT_COLUMNS 13
#define WAITS_COLUMNS 15

/* "118M/128M" */
static gchar *
amount (FmProgram *program, FmLevelId id)
{
  const FmLevel *level = &fm_levels[id];
  g_autofree gchar *first = NULL, *second = NULL;
  guint64 used, most;

  if (!fm_program_figure (program, level->used, &used)
      || !fm_program_figure (program, level->most, &most))
    return g_strdup ("-");
  first = fm_words_short_bytes (used);
  second = fm_words_short_bytes (most);
  return g_strdup_printf ("%s/%s", first, second);
}

static gchar *
ram (FmProgram *program)
{
  return amount (program, FM_LEVEL_RAM);
}

static gchar *
disk (FmProgram *program)
{
  return amount (program, FM_LEVEL_DISK);
}

static gchar *
waits (FmProgram *program)
{
  gdouble per_s;

  if (!program->answering)
    return g_strdup ("not answering");
  if (!fm_program_waits (program, &per_s))
    return g_strdup ("-");
  return fm_words_number (per_s);
}

/* The columns after the program's name; the first is the last to be dropped. */
static const struct
{
  const gchar *title;
  guint width;
  gchar *(*words) (FmProgram *program);
} columns[] = {
    {"RAM", AMOUNT_COLUMNS, ram},
    {"DISK", AMOUNT_COLUMNS, disk},
    {"WAITS/S", WAITS_COLUMNS, waits},
};

/* How many of them there is room for, and how much room that leaves for the
 * name. */
static guint
count_columns (guint width, guint *ret_program)
{
  guint left = width - MIN (width, MARKER_COLUMNS + PID_COLUMNS + 1);
  guint n = 0;

  while (n < G_N_ELEMENTS (columns) && left >= PROGRAM_MIN + columns[n].width)
    left -= columns[n++].width;
  *ret_program = MIN (left, PROGRAM_MAX);
  return n;
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

/* The words about the list's order and length have precedence over the title of
 * the column. */
static gchar *
get_title (const gchar *which, guint room)
{
  g_autofree gchar *title = g_strconcat ("PROGRAM", which, NULL);

  return fm_columns (title) > room && *which != '\0' ? g_strdup (which + 1)
                                                     : g_steal_pointer (&title);
}

/* @which: the words about the list, each with a space in front. */
static void
put_heading (FmSheet *sheet, const gchar *which)
{
  guint room, n = count_columns (sheet->width, &room);
  g_autofree gchar *program = get_title (which, room);
  FmStyle style = FM_STYLE_HEADING;

  put_left (sheet, style, "", MARKER_COLUMNS);
  put_right (sheet, style, "PID", PID_COLUMNS);
  put_left (sheet, style, "", 1);
  put_left (sheet, style, program, room);
  for (guint i = 0; i < n; i++)
    put_right (sheet, style, columns[i].title, columns[i].width);
  fm_sheet_end_line (sheet);
}

/* How many bytes of its arguments all others with the same name share, in whole
 * words; 0 if that leaves nothing. */
static gsize
count_shared (const GPtrArray *programs, FmProgram *program)
{
  const gchar *name = fm_program_string (program, "program");
  gsize length = strlen (program->arguments), shared = length;

  for (guint i = 0; i < programs->len; i++) {
    FmProgram *other = g_ptr_array_index (programs, i);
    gsize n = 0;

    if (!other->arguments
        || g_strcmp0 (name, fm_program_string (other, "program")) != 0)
      continue;
    while (n < shared && program->arguments[n] == other->arguments[n])
      n++;
    shared = n;
  }
  if (shared == length)
    return 0;
  while (shared > 0 && program->arguments[shared - 1] != ' ')
    shared--;
  return shared;
}

/* The name with the arguments, which tell apart programs with the same name; if
 * there is no room for all of them, with those that differ. */
static gchar *
get_name (
    FmSheet *sheet, const GPtrArray *programs, FmProgram *program, guint room)
{
  const gchar *name = fm_program_string (program, "program");
  g_autofree gchar *all = NULL;
  g_autofree gchar *tame = NULL;
  gsize shared;

  if (!name)
    name = "?";
  if (!program->arguments || *program->arguments == '\0')
    return g_strdup (name);
  all = g_strjoin (" ", name, program->arguments, NULL);
  tame = fm_tame (all, sheet->utf8);
  shared = count_shared (programs, program);
  if (shared == 0 || fm_columns (tame) <= room)
    return g_steal_pointer (&all);
  return g_strconcat (
      name, " ", fm_ellipsis (sheet->utf8), program->arguments + shared, NULL);
}

static void
put_program (FmSheet *sheet, const GPtrArray *programs, FmProgram *program,
    gboolean chosen)
{
  guint room, n = count_columns (sheet->width, &room);
  const gchar *problem = fm_program_problem (program);
  g_autofree gchar *name = get_name (sheet, programs, program, room);
  g_autofree gchar *pid = g_strdup_printf ("%" G_GINT64_FORMAT, program->pid);
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
    put_left (sheet, style, name, room);
    for (guint i = 0; i < n; i++) {
      g_autofree gchar *words = columns[i].words (program);

      put_right (sheet, style, words, columns[i].width);
    }
  }
  fm_sheet_end_line (sheet);
}

void
fm_view_list (FmSheet *sheet, const GPtrArray *programs, FmOrder order,
    guint chosen, guint rows)
{
  g_autoptr (GString) which = g_string_new (NULL);
  guint first = 0, end;

  if (chosen != FM_VIEW_NONE_CHOSEN && chosen >= rows)
    first = chosen - rows + 1;
  end = MIN (first + rows, programs->len);
  /* There are others, which are not on this list. */
  if (programs->len > rows)
    g_string_append_printf (which, " %u of %u", chosen + 1, programs->len);
  if (*fm_order_words (order) != '\0')
    g_string_append_printf (which, " %s", fm_order_words (order));
  put_heading (sheet, which->str);
  for (guint i = first; i < end; i++)
    put_program (sheet, programs, g_ptr_array_index (programs, i), i == chosen);
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
fm_view_none_matches (FmSheet *sheet, const gchar *filter)
{
  g_autofree gchar *typed = fm_tame (filter, sheet->utf8);
  g_autofree gchar *line = g_strdup_printf (
      "No program's name, command line or pid contains %s.", typed);
  const gchar *const lines[] = {line, NULL};

  put_lines (sheet, lines);
}

void
fm_view_help (FmSheet *sheet)
{
  static const gchar *const keys[] = {
      "up, down, tab: choose a program",
      "page up, page down: scroll its details",
      "s: sort by pid, RAM, disk, waits or name",
      "/: show only programs whose name, command line or pid contains what "
      "you type next; Enter keeps that, Esc shows all",
      "h: this help; any key leaves it",
      "q: quit",
      "",
      NULL,
  };
  static const gchar *const lines[] = {
      "Queues: bytes that each holds. A full bar is the most that any of them "
      "held since top started.",
      "Rates: bytes in a second.",
      "Waits: how often in a second an access to a buffer (map), or the making "
      "of one (allocation), had to wait for the disk, and the time that all of "
      "them together waited in a second.",
      "!: the program does not answer; its last figures are shown.",
      NULL,
  };

  put_lines (sheet, keys);
  for (guint i = 0; i < FM_N_LEVELS; i++) {
    g_autofree gchar *level = g_strdup_printf (
        "%s: %s", fm_levels[i].label, fm_levels[i].explanation);
    const gchar *const line[] = {level, NULL};

    put_lines (sheet, line);
  }
  put_lines (sheet, lines);
}
