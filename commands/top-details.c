/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-details.c: see top-view.h; all about one program.
 */
#include "top-view.h"

#include "top-parts.h"

#define BAR_LEAST 12
/* What the words about a level take, with the space before: all, or some. */
#define MANY_COLUMNS 42
#define FEW_COLUMNS 27
#define BAR_MOST 60
#define ADVICE_LINES 4

static gchar *
bytes_rate (FmProgram *program, const gchar *name)
{
  g_autofree gchar *words = NULL;
  gdouble rate;

  if (!fm_program_rate (program, name, &rate))
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

typedef struct
{
  const gchar *label;
  const gchar *used, *most, *peak; /* figures */
} FmLevel;

static const FmLevel levels[] = {
    {"RAM", "resident-bytes", "budget", "resident-peak"},
    {"Disk", "disk-bytes", "size", "disk-peak"},
};

/* A figure as a part of the most that it may be. */
static gdouble
get_part (FmProgram *program, const FmLevel *level, const gchar *name)
{
  guint64 most = fm_part_figure (program, level->most);

  return most > 0 ? (gdouble) fm_part_figure (program, name) / (gdouble) most
                  : 0;
}

/* As many words as @columns hold; the fewest may be cut. */
static gchar *
say_level (FmProgram *program, const FmLevel *level, guint columns)
{
  gdouble percent = 100 * get_part (program, level, level->used);
  g_autofree gchar *used = fm_part_bytes (program, level->used);
  g_autofree gchar *most = fm_part_bytes (program, level->most);
  g_autofree gchar *peak = fm_part_bytes (program, level->peak);
  g_autofree gchar *few =
      g_strdup_printf ("%s of %s, %.0f%%", used, most, percent);
  g_autofree gchar *many = g_strdup_printf ("%s, most %s", few, peak);
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

/* The bar beside its words, with the more of them the more room there is; below
 * them on a narrow sheet. The width alone decides how long a bar is, so that
 * one is as long as the other. */
static void
put_level (FmSheet *sheet, FmProgram *program, const FmLevel *level)
{
  gdouble part = get_part (program, level, level->used);
  gdouble peak = get_part (program, level, level->peak);
  g_autofree gchar *words = NULL;
  guint room, columns;

  fm_part_label (sheet, level->label);
  room = fm_sheet_room (sheet);
  columns = room >= BAR_LEAST + MANY_COLUMNS ? MANY_COLUMNS
      : room >= BAR_LEAST + FEW_COLUMNS      ? FEW_COLUMNS
                                             : 0;
  if (columns == 0) {
    words = say_level (program, level, room);
    fm_sheet_put (sheet, FM_STYLE_NORMAL, words);
    fm_sheet_end_line (sheet);
    fm_sheet_put_bar (sheet, sheet->width, part, peak);
  } else {
    words = say_level (program, level, columns - 1);
    fm_sheet_put_bar (sheet, MIN (room - columns, BAR_MOST), part, peak);
    fm_sheet_put_spaces (sheet, 1);
    fm_sheet_put (sheet, FM_STYLE_NORMAL, words);
  }
  fm_sheet_end_line (sheet);
}

static void
put_rates (FmSheet *sheet, FmProgram *program)
{
  static const struct
  {
    const gchar *words, *name;
  } rates[] = {
      {"allocated", "alloc-bytes"},
      {"written", "spill-bytes"},
      {"read", "fill-bytes"},
  };

  fm_part_label (sheet, "Rates");
  for (guint i = 0; i < G_N_ELEMENTS (rates); i++) {
    g_autofree gchar *rate = bytes_rate (program, rates[i].name);

    fm_part_piece (sheet, FM_STYLE_NORMAL,
        g_strdup_printf ("%s %s", rates[i].words, rate));
  }
  fm_sheet_end_line (sheet);
}

/* Of all that there was so far. */
static void
put_wear (FmSheet *sheet, FmProgram *program)
{
  static const gchar *const means[][2] = {
      {"mean write", "mean-write-bytes"},
      {"mean read", "mean-read-bytes"},
  };
  g_autofree gchar *written = NULL;
  guint64 permille;

  if (!fm_program_figure (program, "written-permille", &permille))
    return;
  written = fm_words_permille (permille);
  fm_part_label (sheet, "Wear");
  fm_part_piece (
      sheet, FM_STYLE_NORMAL, g_strdup_printf ("%s written per byte", written));
  for (guint i = 0; i < G_N_ELEMENTS (means); i++) {
    g_autofree gchar *words = fm_part_bytes (program, means[i][1]);

    if (fm_part_figure (program, means[i][1]) > 0)
      fm_part_piece (sheet, FM_STYLE_NORMAL,
          g_strdup_printf ("%s %s", means[i][0], words));
  }
  fm_sheet_end_line (sheet);
}

static void
put_waits_of (FmSheet *sheet, FmProgram *program, const gchar *words,
    const gchar *count, const gchar *time)
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
  put_waits_of (sheet, program, "maps", "map-waits", "map-wait-ns");
  put_waits_of (sheet, program, "allocations", "alloc-waits", "alloc-wait-ns");
  fm_sheet_end_line (sheet);
}

static void
put_percentiles (FmSheet *sheet, FmProgram *program)
{
  static const struct
  {
    const gchar *words, *name;
  } percentiles[] = {
      {"50%:", "map-wait-p50-ns"},
      {"99%:", "map-wait-p99-ns"},
      {"99.9%:", "map-wait-p999-ns"},
      {"longest:", "map-wait-max-ns"},
  };

  fm_part_label (sheet, "Map waits");
  if (fm_part_figure (program, "map-waits") == 0)
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none so far"));
  for (guint i = 0; i < G_N_ELEMENTS (percentiles); i++) {
    g_autofree gchar *words = NULL;
    guint64 ns;

    if (fm_part_figure (program, "map-waits") == 0
        || !fm_program_figure (program, percentiles[i].name, &ns))
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

/* What there are none of most of the time is not worth a word then. */
static void
put_extents (FmSheet *sheet, FmProgram *program)
{
  static const struct
  {
    const gchar *words, *name;
    gboolean always;
  } kinds[] = {
      {"resident", "extents-resident", TRUE},
      {"idle", "extents-idle", TRUE},
      {"being written", "extents-writing", TRUE},
      {"being read", "extents-filling", TRUE},
      {"spilled", "extents-spilled", TRUE},
      {"vacant", "extents-vacant", FALSE},
      {"retired", "extents-retired", FALSE},
  };

  fm_part_label (sheet, "Extents");
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree gchar *words = fm_part_number (program, kinds[i].name);
    guint64 value;

    if (fm_program_figure (program, kinds[i].name, &value)
        && (value > 0 || kinds[i].always))
      fm_part_piece (sheet, FM_STYLE_NORMAL,
          g_strdup_printf ("%s %s", words, kinds[i].words));
  }
  fm_sheet_end_line (sheet);
}

static void
put_fallbacks (FmSheet *sheet, FmProgram *program)
{
  static const gchar *const reasons[][2] = {
      {"fallbacks-small", "below min-size"},
      {"fallbacks-full", "size reached"},
      {"fallbacks-too-large", "larger than size"},
      {"fallbacks-addresses", "no addresses"},
      {"fallbacks-dir", "no usable directory"},
      {"fallbacks-memory", "no memory from the kernel"},
  };
  g_autofree gchar *count = fm_part_number (program, "fallbacks");
  g_autofree gchar *size = fm_part_bytes (program, "fallback-bytes");

  fm_part_label (sheet, "Fallbacks");
  if (fm_part_figure (program, "fallbacks") == 0)
    fm_part_piece (sheet, FM_STYLE_NORMAL, g_strdup ("none"));
  else
    fm_part_piece (sheet, FM_STYLE_WARNING,
        g_strdup_printf ("%s to system memory, %s", count, size));
  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++) {
    g_autofree gchar *words = fm_part_number (program, reasons[i][0]);

    if (fm_part_figure (program, reasons[i][0]) > 0)
      fm_part_piece (sheet, FM_STYLE_NORMAL,
          g_strdup_printf ("%s: %s", reasons[i][1], words));
  }
  fm_sheet_end_line (sheet);
}

/* What should never happen; silent if it has not. */
static void
put_trouble (FmSheet *sheet, FmProgram *program)
{
  static const gchar *const troubles[][2] = {
      {"io-errors", "I/O errors"},
      {"maps-failed", "failed maps"},
      {"disk-full", "times no disk space"},
      {"over-budget", "times over budget"},
  };
  gboolean any = FALSE;

  for (guint i = 0; i < G_N_ELEMENTS (troubles); i++) {
    g_autofree gchar *words = fm_part_number (program, troubles[i][0]);

    if (fm_part_figure (program, troubles[i][0]) == 0)
      continue;
    if (!any)
      fm_part_label (sheet, "Trouble");
    any = TRUE;
    fm_part_piece (sheet, FM_STYLE_WARNING,
        g_strdup_printf ("%s %s", words, troubles[i][1]));
  }
  if (any)
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
  for (guint i = 0; i < G_N_ELEMENTS (levels); i++)
    put_level (sheet, program, &levels[i]);
  put_rates (sheet, program);
  put_wear (sheet, program);
  put_waits (sheet, program);
  put_percentiles (sheet, program);
  put_trouble (sheet, program);
  fm_part_queues (sheet, program, queues);
  put_extents (sheet, program);
  put_fallbacks (sheet, program);
  fm_part_elements (sheet, program, queues);
  put_advice (sheet, program);
}
