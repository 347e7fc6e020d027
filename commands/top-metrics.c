/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-metrics.c: see top-metrics.h.
 *
 * Each figure of the tables is a family of metrics, whose samples stand
 * together, one for each program or queue. A collector refuses the whole text
 * if a single line is wrong, or is there twice; so strings that a program
 * chooses are escaped, and a program or queue with the same labels as another
 * is left out.
 */
#include "top-metrics.h"

#include "queue-figures.h"

#include <string.h>

/* What the samples of a program, or of a queue, have in common. */
typedef struct
{
  gchar *labels;
  gboolean answering;
  JsonObject *figures; /* NULL: none */
} Series;

/* OpenMetrics' names for the units, and how many digits of a figure come after
 * the point. */
static const struct
{
  const gchar *unit;
  const gchar *ending; /* of the figure's name, if it has it */
  const gchar *base;
  guint digits;
} units[] = {
    {FM_UNIT_BYTES, "_bytes", "bytes", 0},
    {FM_UNIT_NS, "_ns", "seconds", 9},
    {FM_UNIT_PERMILLE, "_permille", "ratio", 3},
    {FM_UNIT_NUMBER, "", "", 0},
};

static const struct
{
  const gchar *type;
  const gchar *ending; /* of its samples */
} kinds[] = {
    [FM_KIND_COUNTER] = {"counter", "_total"},
    [FM_KIND_GAUGE] = {"gauge", ""},
    [FM_KIND_PEAK] = {"gauge", ""},
    [FM_KIND_SUMMARY] = {"gauge", ""},
    [FM_KIND_LIMIT] = {"gauge", ""},
};

static void
series_clear (gpointer series)
{
  g_free (((Series *) series)->labels);
}

static guint
find_unit (const FmFigureSpec *spec)
{
  guint i = 0;

  while (strcmp (units[i].unit, spec->unit) != 0)
    i++;
  return i;
}

/* "filemem_queue_oldest_seconds" */
static gchar *
get_name (const FmFigureSpec *spec, const gchar *prefix, guint unit)
{
  GString *name = g_string_new (prefix);

  g_string_append (name, spec->name);
  g_strdelimit (name->str, "-", '_');
  if (g_str_has_suffix (name->str, units[unit].ending))
    g_string_truncate (name, name->len - strlen (units[unit].ending));
  if (*units[unit].base != '\0')
    g_string_append_printf (name, "_%s", units[unit].base);
  return g_string_free (name, FALSE);
}

static void
append_escaped (GString *text, const gchar *string)
{
  for (const gchar *p = string; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if (c == '\n')
      g_string_append (text, "\\n");
    else if (c == '\\' || c == '"')
      g_string_append_printf (text, "\\%c", (gchar) c);
    else
      g_string_append_unichar (text, g_unichar_iscntrl (c) ? '?' : c);
  }
}

static void
append_label (GString *labels, const gchar *name, const gchar *value)
{
  g_string_append_printf (labels, "%s%s=\"", labels->len > 0 ? "," : "", name);
  append_escaped (labels, value ? value : "");
  g_string_append_c (labels, '"');
}

/* Takes @series, unless its labels are among those already @taken; then FALSE.
 */
static gboolean
add_series (GArray *all, GHashTable *taken, Series *series)
{
  if (!g_hash_table_add (taken, g_strdup (series->labels))) {
    series_clear (series);
    return FALSE;
  }
  g_array_append_val (all, *series);
  return TRUE;
}

static void
add_queues (
    GArray *queues, GHashTable *taken, JsonObject *page, const Series *program)
{
  JsonArray *array = fm_json_array (page, "queues");
  guint length = array ? json_array_get_length (array) : 0;

  for (guint i = 0; i < length; i++) {
    JsonObject *object = fm_json_element_object (array, i);
    const gchar *name = fm_json_string (object, "queue");
    GString *labels;
    g_autofree gchar *number = NULL;
    guint64 id = 0, gone = 0;

    fm_json_figure (object, "gone", &gone);
    if (!name || gone != 0)
      continue;
    /* Several may share a name. */
    fm_json_figure (object, "id", &id);
    number = g_strdup_printf ("%" G_GUINT64_FORMAT, id);
    labels = g_string_new (program->labels);
    append_label (labels, "queue", name);
    append_label (labels, "id", number);
    add_series (queues, taken,
        &(Series){.labels = g_string_free (labels, FALSE), .figures = object});
  }
}

static void
add_program (
    GArray *programs, GArray *queues, GHashTable *taken, FmProgram *program)
{
  JsonNode *node = fm_program_problem (program) ? NULL : program->now;
  JsonObject *page = node ? json_node_get_object (node) : NULL;
  g_autofree gchar *pid = g_strdup_printf ("%" G_GINT64_FORMAT, program->pid);
  GString *labels = g_string_new (NULL);
  Series series;

  append_label (labels, "pid", pid);
  append_label (labels, "program", fm_json_string (page, "program"));
  series = (Series){.labels = g_string_free (labels, FALSE),
      .answering = program->answering,
      .figures = fm_json_object (page, "stats")};
  if (add_series (programs, taken, &series))
    add_queues (queues, taken, page, &series);
}

static void
append_value (GString *text, guint64 value, guint digits)
{
  guint64 whole = 1;

  for (guint i = 0; i < digits; i++)
    whole *= 10;
  g_string_append_printf (text, "%" G_GUINT64_FORMAT, value / whole);
  if (digits > 0)
    g_string_append_printf (
        text, ".%0*" G_GUINT64_FORMAT, (int) digits, value % whole);
}

static void
append_about (GString *text, const gchar *name, const gchar *type,
    const gchar *unit, const gchar *help)
{
  g_string_append_printf (text, "# TYPE %s %s\n", name, type);
  if (*unit != '\0')
    g_string_append_printf (text, "# UNIT %s %s\n", name, unit);
  g_string_append_printf (text, "# HELP %s ", name);
  append_escaped (text, help);
  g_string_append_c (text, '\n');
}

static void
append_family (GString *text, const FmFigureSpec *spec, const gchar *prefix,
    const GArray *all)
{
  guint unit = find_unit (spec);
  g_autofree gchar *name = get_name (spec, prefix, unit);

  append_about (
      text, name, kinds[spec->kind].type, units[unit].base, spec->description);
  for (guint i = 0; i < all->len; i++) {
    const Series *series = &g_array_index (all, Series, i);
    guint64 value;

    if (!fm_json_figure (series->figures, spec->name, &value))
      continue;
    g_string_append_printf (
        text, "%s%s{%s} ", name, kinds[spec->kind].ending, series->labels);
    append_value (text, value, units[unit].digits);
    g_string_append_c (text, '\n');
  }
}

static void
append_answering (GString *text, const GArray *programs)
{
  const gchar *name = "filemem_answering";

  append_about (text, name, "gauge", "",
      "1 if the program answered; 0 if its figures are those of an answer "
      "before, or there are none");
  for (guint i = 0; i < programs->len; i++) {
    const Series *series = &g_array_index (programs, Series, i);

    g_string_append_printf (
        text, "%s{%s} %d\n", name, series->labels, series->answering ? 1 : 0);
  }
}

gchar *
fm_metrics_text (const GPtrArray *programs)
{
  GString *text = g_string_new (NULL);
  g_autoptr (GHashTable) taken =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GArray) processes = g_array_new (FALSE, FALSE, sizeof (Series));
  g_autoptr (GArray) queues = g_array_new (FALSE, FALSE, sizeof (Series));

  g_array_set_clear_func (processes, series_clear);
  g_array_set_clear_func (queues, series_clear);
  for (guint i = 0; i < programs->len; i++)
    add_program (processes, queues, taken, g_ptr_array_index (programs, i));

  append_answering (text, processes);
  for (guint i = 0; i < FM_N_ALL_FIGURES; i++)
    append_family (text, fm_figure_spec (i), "filemem_", processes);
  for (guint i = 0; i < FM_N_QUEUE_FIGURES; i++)
    append_family (text, fm_queue_figure_spec (i), "filemem_queue_", queues);
  g_string_append (text, "# EOF");
  return g_string_free (text, FALSE);
}
