/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-details.c: see top-view.h; the details of one program.
 */
#include "top-view.h"

#include "top-parts.h"

#define BAR_MIN 12
/* The columns that the words about a level take, with the space before them:
 * all words, or some. */
#define MANY_COLUMNS 42
#define FEW_COLUMNS 27
#define BAR_MAX 60
#define ADVICE_LINES 4
#define COMMAND_LINES 6

static gchar *
bytes_rate (FmProgram *program, guint figure)
{
  g_autofree gchar *words = NULL;
  gdouble rate;

  if (!fm_program_rate (program, figure, &rate))
    return g_strdup ("-");
  words = fm_words_bytes (rate);
  return g_strconcat (words, "/s", NULL);
}

static void
put_title (FmSheet *sheet, FmProgram *program)
{
  const gchar *name = fm_program_string (program, "program");
  const gchar *active = fm_program_string (program, "active");
  g_autofree gchar *uptime = fm_words_uptime (fm_program_uptime_ns (program));
  g_autofree gchar *title = g_strdup_printf (
      "%s (%" G_GINT64_FORMAT ")", name ? name : "?", program->pid);
  g_autofree gchar *since = g_strdup_printf ("up %s", uptime);

  fm_sheet_put (sheet, FM_STYLE_HEADING, title);
  fm_sheet_put_spaces (sheet, 2);
  if (!program->answering) {
    fm_sheet_flow (sheet, FM_STYLE_WARNING, "not answering", FM_PART_INDENT);
    fm_sheet_put_spaces (sheet, 2);
  }
  fm_sheet_flow (sheet, FM_STYLE_NORMAL, since, FM_PART_INDENT);
  fm_sheet_end_line (sheet);
  if (active) {
    fm_sheet_put (sheet, FM_STYLE_FAINT, active);
    fm_sheet_end_line (sheet);
  }
}

/* A figure as a fraction of its maximum. */
static gdouble
get_part (FmProgram *program, const FmLevel *level, guint figure)
{
  guint64 most = fm_part_figure (program, level->most);

  return most > 0 ? (gdouble) fm_part_figure (program, figure) / (gdouble) most
                  : 0;
}

/* As many words as fit in @columns; the shortest form may be cut. */
static gchar *
say_level (FmProgram *program, const FmLevel *level, guint columns)
{
  gdouble percent = 100 * get_part (program, level, level->used);
  g_autofree gchar *used = fm_part_bytes (program, level->used);
  g_autofree gchar *most = fm_part_bytes (program, level->most);
  g_autofree gchar *peak = fm_part_bytes (program, level->peak);
  g_autofree gchar *few =
      g_strdup_printf ("%s of %s, %.0f%%", used, most, percent);
  g_autofree gchar *many = g_strdup_printf ("%s, peak %s", few, peak);
  g_autofree gchar *short_used =
      fm_words_short_bytes (fm_part_figure (program, level->used));
  g_autofree gchar *short_most =
      fm_words_short_bytes (fm_part_figure (program, level->most));

  if (fm_columns (many) <= columns)
    return g_steal_pointer (&many);
  if (fm_columns (few) <= columns)
    return g_steal_pointer (&few);
  return g_strdup_printf ("%s/%s, %.0f%%", short_used, short_most, percent);
}

/* The bar, with its words beside it, as many as there is room for, or below it
 * on a narrow sheet. The width alone decides how long a bar is, so all bars are
 * equally long. */
static void
put_level (FmSheet *sheet, FmProgram *program, const FmLevel *level)
{
  gdouble part = get_part (program, level, level->used);
  gdouble peak = get_part (program, level, level->peak);
  g_autofree gchar *words = NULL;
  guint room, columns;

  fm_part_label (sheet, level->label);
  room = fm_sheet_room (sheet);
  columns = room >= BAR_MIN + MANY_COLUMNS ? MANY_COLUMNS
      : room >= BAR_MIN + FEW_COLUMNS      ? FEW_COLUMNS
                                           : 0;
  if (columns == 0) {
    words = say_level (program, level, room);
    fm_sheet_put (sheet, FM_STYLE_NORMAL, words);
    fm_sheet_end_line (sheet);
    fm_sheet_put_bar (sheet, sheet->width, part, peak);
  } else {
    words = say_level (program, level, columns - 1);
    fm_sheet_put_bar (sheet, MIN (room - columns, BAR_MAX), part, peak);
    fm_sheet_put_spaces (sheet, 1);
    fm_sheet_put (sheet, FM_STYLE_NORMAL, words);
  }
  fm_sheet_end_line (sheet);
}

static void
put_rates (FmSheet *sheet, FmProgram *program)
{
  static const guint rates[] = {
      FM_STAT_ALLOC_BYTES, FM_STAT_SPILL_BYTES, FM_STAT_FILL_BYTES};

  fm_part_label (sheet, "Rates");
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++) {
    g_autofree gchar *rate = bytes_rate (program, rates[i]);

    fm_part_piece (sheet, FM_STYLE_NORMAL,
        g_strdup_printf ("%s %s", fm_figure_spec (rates[i])->label, rate));
  }
  fm_sheet_end_line (sheet);
}

/* For everything up to now. */
static void
put_wear (FmSheet *sheet, FmProgram *program)
{
  static const guint means[] = {
      FM_STAT_MEAN_WRITE_BYTES, FM_STAT_MEAN_READ_BYTES};
  g_autofree gchar *written = NULL;
  guint64 permille;

  if (!fm_program_figure (program, FM_STAT_WRITTEN_PERMILLE, &permille))
    return;
  written = fm_words_permille (permille);
  fm_part_label (sheet, "Wear");
  fm_part_piece (sheet, FM_STYLE_NORMAL,
      g_strdup_printf (
          "%s %s", written, fm_figure_spec (FM_STAT_WRITTEN_PERMILLE)->label));
  for (guint i = 0; i < G_N_ELEMENTS (means); i++) {
    g_autofree gchar *words = fm_part_bytes (program, means[i]);

    if (fm_part_figure (program, means[i]) > 0)
      fm_part_piece (sheet, FM_STYLE_NORMAL,
          g_strdup_printf ("%s %s", fm_figure_spec (means[i])->label, words));
  }
  fm_sheet_end_line (sheet);
}

static void
put_waits_of (FmSheet *sheet, FmProgram *program, const gchar *words,
    guint count, guint time)
{
  gdouble per_s, ns_per_s;

  if (fm_program_rate (program, count, &per_s)
      && fm_program_rate (program, time, &ns_per_s)) {
    g_autofree gchar *often = fm_words_number (per_s);
    g_autofree gchar *ms = fm_words_number (ns_per_s / 1e6);

    fm_part_piece (sheet, ns_per_s > 0 ? FM_STYLE_WARNING : FM_STYLE_NORMAL,
        g_strdup_printf ("%s %s/s, %s ms/s", words, often, ms));
  } else {
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup_printf ("%s -", words));
  }
}

static void
put_waits (FmSheet *sheet, FmProgram *program)
{
  fm_part_label (sheet, "Waits");
  put_waits_of (sheet, program, "maps", FM_STAT_MAP_WAITS, FM_STAT_MAP_WAIT_NS);
  put_waits_of (sheet, program, "allocations", FM_STAT_ALLOC_WAITS,
      FM_STAT_ALLOC_WAIT_NS);
  fm_sheet_end_line (sheet);
}

static void
put_percentiles (FmSheet *sheet, FmProgram *program)
{
  static const struct
  {
    const gchar *words;
    guint figure;
  } percentiles[] = {
      {"50%:", FM_STAT_MAP_WAIT_P50_NS},
      {"99%:", FM_STAT_MAP_WAIT_P99_NS},
      {"99.9%:", FM_STAT_MAP_WAIT_P999_NS},
      {"longest:", FM_STAT_MAP_WAIT_MAX_NS},
  };

  fm_part_label (sheet, "Map waits");
  if (fm_part_figure (program, FM_STAT_MAP_WAITS) == 0)
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none so far"));
  for (guint i = 0; i < G_N_ELEMENTS (percentiles); i++) {
    g_autofree gchar *words = NULL;
    guint64 ns;

    if (fm_part_figure (program, FM_STAT_MAP_WAITS) == 0
        || !fm_program_figure (program, percentiles[i].figure, &ns))
      continue;
    words = fm_words_ns (ns);
    fm_part_piece (sheet, FM_STYLE_NORMAL,
        g_strdup_printf ("%s %s", percentiles[i].words, words));
  }
  fm_sheet_end_line (sheet);
}

static void
put_advice (FmSheet *sheet, FmProgram *program)
{
  g_autoptr (GPtrArray) advice = fm_program_advice (program);

  for (guint i = 0; i < advice->len; i++) {
    fm_part_label (sheet, "Advice");
    fm_sheet_wrap (sheet, FM_STYLE_WARNING, g_ptr_array_index (advice, i),
        fm_part_indent (sheet), ADVICE_LINES);
    fm_sheet_end_line (sheet);
  }
}

/* Comes last, as it may be long and never changes. */
static void
put_command (FmSheet *sheet, FmProgram *program)
{
  if (!program->command)
    return;
  fm_part_label (sheet, "Command");
  fm_sheet_wrap (sheet, FM_STYLE_FAINT, program->command,
      fm_part_indent (sheet), COMMAND_LINES);
  fm_sheet_end_line (sheet);
}

/* The figures of a group that are not 0, each with its number in front. */
static void
put_group (
    FmSheet *sheet, FmProgram *program, FmFigureGroup group, FmStyle style)
{
  for (guint i = 0; i < FM_N_ALL_FIGURES; i++) {
    const FmFigureSpec *spec = fm_figure_spec (i);
    g_autofree gchar *words = fm_part_number (program, i);

    if (spec->group == group && fm_part_figure (program, i) > 0)
      fm_part_piece (
          sheet, style, g_strdup_printf ("%s %s", words, spec->label));
  }
}

static gboolean
has_group (FmProgram *program, FmFigureGroup group)
{
  for (guint i = 0; i < FM_N_ALL_FIGURES; i++) {
    if (fm_figure_spec (i)->group == group && fm_part_figure (program, i) > 0)
      return TRUE;
  }
  return FALSE;
}

static void
put_extents (FmSheet *sheet, FmProgram *program)
{
  fm_part_label (sheet, "Extents");
  if (!has_group (program, FM_GROUP_EXTENTS))
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none"));
  put_group (sheet, program, FM_GROUP_EXTENTS, FM_STYLE_NORMAL);
  fm_sheet_end_line (sheet);
}

/* What others need; shows nothing until filemem has looked. */
static void
put_memory (FmSheet *sheet, FmProgram *program)
{
  g_autofree gchar *left = fm_part_bytes (program, FM_STAT_HEADROOM);
  g_autofree gchar *share = fm_part_bytes (program, FM_STAT_SHARE);
  g_autofree gchar *asked = fm_part_bytes (program, FM_STAT_RAM);
  guint64 programs = fm_part_figure (program, FM_STAT_PROGRAMS);
  guint64 yields = fm_part_figure (program, FM_STAT_YIELDS);

  if (fm_part_figure (program, FM_STAT_HEADROOM) == 0)
    return;
  fm_part_label (sheet, "Memory");
  fm_part_piece (sheet, FM_STYLE_NORMAL,
      g_strdup_printf (
          "%s %s", left, fm_figure_spec (FM_STAT_HEADROOM)->label));
  if (programs > 1)
    fm_part_piece (sheet, FM_STYLE_NORMAL,
        g_strdup_printf ("%s here of the %s that %" G_GUINT64_FORMAT
                         " programs share",
            share, asked, programs));
  if (yields > 0)
    fm_part_piece (sheet, FM_STYLE_WARNING,
        g_strdup_printf ("%" G_GUINT64_FORMAT " %s", yields,
            fm_figure_spec (FM_STAT_YIELDS)->label));
  fm_sheet_end_line (sheet);
}

/* About small buffers, if there were any. */
static void
put_packed (FmSheet *sheet, FmProgram *program)
{
  g_autofree gchar *count = fm_part_number (program, FM_STAT_PACKED);
  g_autofree gchar *size = fm_part_bytes (program, FM_STAT_PACKED_BYTES);
  g_autofree gchar *parcels = fm_part_number (program, FM_STAT_PARCELS);

  if (fm_part_figure (program, FM_STAT_PACKED) == 0)
    return;
  fm_part_label (sheet, "Packed");
  fm_part_piece (sheet, FM_STYLE_NORMAL,
      g_strdup_printf ("%s buffers, %s, in %s parcels", count, size, parcels));
  fm_sheet_end_line (sheet);
}

static void
put_fallbacks (FmSheet *sheet, FmProgram *program)
{
  g_autofree gchar *count = fm_part_number (program, FM_STAT_FALLBACKS);
  g_autofree gchar *size = fm_part_bytes (program, FM_STAT_FALLBACK_BYTES);

  fm_part_label (sheet, "Fallbacks");
  if (fm_part_figure (program, FM_STAT_FALLBACKS) == 0)
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none"));
  else
    fm_part_piece (sheet, FM_STYLE_WARNING,
        g_strdup_printf ("%s to system memory, %s", count, size));
  put_group (sheet, program, FM_GROUP_REASONS, FM_STYLE_NORMAL);
  fm_sheet_end_line (sheet);
}

/* What should never happen; shows nothing if it has not. */
static void
put_trouble (FmSheet *sheet, FmProgram *program)
{
  if (!has_group (program, FM_GROUP_TROUBLE))
    return;
  fm_part_label (sheet, "Trouble");
  put_group (sheet, program, FM_GROUP_TROUBLE, FM_STYLE_WARNING);
  fm_sheet_end_line (sheet);
}

void
fm_view_program (
    FmSheet *sheet, FmProgram *program, gboolean with_title, guint queues)
{
  const gchar *problem = fm_program_problem (program);

  if (problem) {
    g_autofree gchar *text = g_strdup_printf (
        "Program %" G_GINT64_FORMAT ": %s", program->pid, problem);

    fm_sheet_wrap (sheet, FM_STYLE_WARNING, text, 0, 3);
    fm_sheet_end_line (sheet);
    return;
  }
  if (with_title)
    put_title (sheet, program);
  for (guint i = 0; i < FM_N_LEVELS; i++)
    put_level (sheet, program, &fm_levels[i]);
  put_memory (sheet, program);
  put_rates (sheet, program);
  put_wear (sheet, program);
  put_waits (sheet, program);
  put_percentiles (sheet, program);
  put_trouble (sheet, program);
  fm_part_queues (sheet, program, queues);
  put_packed (sheet, program);
  put_extents (sheet, program);
  put_fallbacks (sheet, program);
  fm_part_elements (sheet, program, queues);
  put_advice (sheet, program);
  put_command (sheet, program);
}
