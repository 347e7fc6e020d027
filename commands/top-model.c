/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-model.c: see top-model.h. Single-threaded.
 *
 * The time between two answers is taken from the answers themselves
 * (uptime-ns), so that a slow viewer does not blur it; from our own clock if
 * they do not contain it.
 */
#include "top-model.h"

#include "top-command.h"

#include <string.h>

FmProgram *
fm_program_new (const gchar *id)
{
  FmProgram *program = g_new0 (FmProgram, 1);

  program->id = g_strdup (id);
  return program;
}

void
fm_program_free (FmProgram *program)
{
  g_clear_pointer (&program->now, json_node_unref);
  g_clear_pointer (&program->before, json_node_unref);
  g_free (program->command);
  g_free (program->id);
  g_free (program);
}

static JsonObject *
get_root (JsonNode *node)
{
  return node ? json_node_get_object (node) : NULL;
}

/* The objects in the array @name of @node. */
static GPtrArray *
get_objects (JsonNode *node, const gchar *name)
{
  GPtrArray *objects = g_ptr_array_new ();
  JsonArray *array = fm_json_array (get_root (node), name);
  guint length = array ? json_array_get_length (array) : 0;

  for (guint i = 0; i < length; i++) {
    JsonObject *object = fm_json_element_object (array, i);

    if (object)
      g_ptr_array_add (objects, object);
  }
  return objects;
}

static void
note_levels (FmProgram *program)
{
  g_autoptr (GPtrArray) queues = get_objects (program->now, "queues");

  for (guint i = 0; i < queues->len; i++) {
    guint64 level = 0;

    fm_json_figure (g_ptr_array_index (queues, i), "level-bytes", &level);
    program->level_peak = MAX (program->level_peak, level);
  }
}

void
fm_program_take (
    FmProgram *program, const gchar *text, gsize length, gint64 now_us)
{
  g_clear_pointer (&program->before, json_node_unref);
  program->before = program->now;
  program->before_us = program->now_us;
  program->now = fm_json_parse (text, length);
  program->now_us = now_us;
  note_levels (program);
}

/* The program with that id, removed from @programs; a new one if there is
 * none. */
static FmProgram *
steal_program (GPtrArray *programs, const gchar *id)
{
  for (guint i = 0; i < programs->len; i++) {
    FmProgram *program = g_ptr_array_index (programs, i);

    if (strcmp (program->id, id) == 0)
      return g_ptr_array_steal_index (programs, i);
  }
  return fm_program_new (id);
}

static void
update_program (FmProgram *program, const FmProgramPage *page)
{
  program->pid = page->pid;
  program->state = page->state;
  program->answering = page->answering;
  if (!program->command && page->pid_is_ours)
    program->command = fm_command_line (page->pid, &program->arguments);
  /* The first figures are shown even if they are not an answer. */
  if (page->text && (page->answering || !program->now))
    fm_program_take (
        program, page->text, page->length, g_get_monotonic_time ());
}

void
fm_programs_update (GPtrArray *programs, const GPtrArray *pages, gint64 pid)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new ();

  for (guint i = 0; i < pages->len; i++) {
    const FmProgramPage *page = g_ptr_array_index (pages, i);
    FmProgram *program;

    if (pid != 0 && page->pid != pid)
      continue;
    program = steal_program (programs, page->name);
    update_program (program, page);
    g_ptr_array_add (list, program);
  }
  /* Programs that remain have ended. */
  g_ptr_array_set_size (programs, 0);
  g_ptr_array_extend (programs, list, NULL, NULL);
}

const gchar *
fm_program_problem (FmProgram *program)
{
  switch (program->state) {
    case FM_STATUS_PAGE_OTHER_VERSION:
      return "made by another version";
    case FM_STATUS_PAGE_DAMAGED:
      return "its page is damaged";
    case FM_STATUS_PAGE_READABLE:
      break;
  }
  if (program->now)
    return NULL;
  return program->answering ? "its figures make no sense" : "no figures yet";
}

const gchar *
fm_program_string (FmProgram *program, const gchar *name)
{
  return fm_json_string (get_root (program->now), name);
}

static gboolean
contains (const gchar *text, const gchar *folded)
{
  g_autofree gchar *valid = g_utf8_make_valid (text != NULL ? text : "", -1);
  g_autofree gchar *own = g_utf8_casefold (valid, -1);

  return strstr (own, folded) != NULL;
}

gboolean
fm_program_matches (FmProgram *program, const gchar *text)
{
  g_autofree gchar *valid = g_utf8_make_valid (text, -1);
  g_autofree gchar *folded = g_utf8_casefold (valid, -1);
  g_autofree gchar *pid = g_strdup_printf ("%" G_GINT64_FORMAT, program->pid);

  return contains (pid, folded) || contains (program->command, folded)
      || contains (fm_program_string (program, "program"), folded);
}

guint64
fm_program_uptime_ns (FmProgram *program)
{
  guint64 uptime = 0;

  fm_json_figure (get_root (program->now), "uptime-ns", &uptime);
  return uptime;
}

static JsonObject *
get_stats (JsonNode *node)
{
  return fm_json_object (get_root (node), "stats");
}

gboolean
fm_program_figure (FmProgram *program, guint figure, guint64 *ret_value)
{
  return fm_json_figure (
      get_stats (program->now), fm_figure_spec (figure)->name, ret_value);
}

/* Seconds between the last two answers; 0 if there is nothing to compare. */
static gdouble
get_interval (FmProgram *program)
{
  guint64 now, before;

  if (!program->now || !program->before || !program->answering)
    return 0;
  if (fm_json_figure (get_root (program->now), "uptime-ns", &now)
      && fm_json_figure (get_root (program->before), "uptime-ns", &before))
    return now > before ? (gdouble) (now - before) / 1e9 : 0;
  return (gdouble) MAX (program->now_us - program->before_us, 0) / 1e6;
}

/* How much the counter @name grew per second. */
static gboolean
get_growth (FmProgram *program, JsonObject *now, JsonObject *before,
    const gchar *name, gdouble *ret_per_s)
{
  gdouble seconds = get_interval (program);
  guint64 new_value, old_value;

  if (seconds <= 0 || !fm_json_figure (now, name, &new_value)
      || !fm_json_figure (before, name, &old_value))
    return FALSE;
  *ret_per_s =
      new_value > old_value ? (gdouble) (new_value - old_value) / seconds : 0;
  return TRUE;
}

gboolean
fm_program_has_rates (FmProgram *program)
{
  return get_interval (program) > 0;
}

gboolean
fm_program_rate (FmProgram *program, guint figure, gdouble *ret_per_s)
{
  return get_growth (program, get_stats (program->now),
      get_stats (program->before), fm_figure_spec (figure)->name, ret_per_s);
}

gboolean
fm_program_waits (FmProgram *program, gdouble *ret_per_s)
{
  gdouble allocs = 0;

  if (!fm_program_rate (program, FM_STAT_MAP_WAITS, ret_per_s))
    return FALSE;
  fm_program_rate (program, FM_STAT_ALLOC_WAITS, &allocs);
  *ret_per_s += allocs;
  return TRUE;
}

/* The objects in the array @name of @node by their ids: several may share a
 * name. */
static GHashTable *
index_objects (JsonNode *node, const gchar *name)
{
  GHashTable *table =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GPtrArray) objects = get_objects (node, name);

  for (guint i = 0; i < objects->len; i++) {
    JsonObject *object = g_ptr_array_index (objects, i);
    guint64 id;

    if (fm_json_figure (object, "id", &id))
      g_hash_table_insert (table, g_memdup2 (&id, sizeof id), object);
  }
  return table;
}

/* @object as it was then; NULL if it was not there. */
static JsonObject *
look_up (GHashTable *table, JsonObject *object)
{
  guint64 id;

  return fm_json_figure (object, "id", &id) ? g_hash_table_lookup (table, &id)
                                            : NULL;
}

static gint
compare_levels (gconstpointer a, gconstpointer b)
{
  const FmQueueFigures *x = a, *y = b;

  if (x->level_bytes != y->level_bytes)
    return x->level_bytes < y->level_bytes ? 1 : -1;
  return strcmp (x->name, y->name);
}

GArray *
fm_program_queues (FmProgram *program)
{
  GArray *queues = g_array_new (FALSE, TRUE, sizeof (FmQueueFigures));
  g_autoptr (GPtrArray) now = get_objects (program->now, "queues");
  g_autoptr (GHashTable) before = index_objects (program->before, "queues");

  for (guint i = 0; i < now->len; i++) {
    JsonObject *object = g_ptr_array_index (now, i);
    FmQueueFigures queue = {.name = fm_json_string (object, "queue")};
    guint64 gone = 0;

    fm_json_figure (object, "gone", &gone);
    if (!queue.name || gone != 0)
      continue;
    fm_json_figure (object, "level-bytes", &queue.level_bytes);
    queue.has_rate = get_growth (
        program, object, look_up (before, object), "bytes", &queue.bytes_per_s);
    g_array_append_val (queues, queue);
  }
  g_array_sort (queues, compare_levels);
  return queues;
}

guint
fm_program_queues_left_out (FmProgram *program)
{
  guint64 n = 0;

  fm_json_figure (get_root (program->now), "queues-left-out", &n);
  return (guint) MIN (n, G_MAXINT);
}

static gint
compare_waits (gconstpointer a, gconstpointer b)
{
  const FmElementFigures *x = a, *y = b;

  if (x->waited != y->waited)
    return x->waited < y->waited ? 1 : -1;
  return strcmp (x->name, y->name);
}

static gdouble
sum_of_growth (FmProgram *program, JsonObject *now, JsonObject *before,
    const gchar *first, const gchar *second)
{
  gdouble a = 0, b = 0;

  get_growth (program, now, before, first, &a);
  get_growth (program, now, before, second, &b);
  return a + b;
}

GArray *
fm_program_elements (FmProgram *program)
{
  g_autoptr (GPtrArray) now = get_objects (program->now, "elements");
  g_autoptr (GHashTable) before = index_objects (program->before, "elements");
  GArray *elements;

  if (now->len == 0)
    return NULL;
  elements = g_array_new (FALSE, TRUE, sizeof (FmElementFigures));
  for (guint i = 0; i < now->len; i++) {
    JsonObject *object = g_ptr_array_index (now, i);
    JsonObject *old = look_up (before, object);
    FmElementFigures element = {
        .name = fm_json_string (object, "element"),
        .waits_per_s =
            sum_of_growth (program, object, old, "map-waits", "alloc-waits"),
        .waited =
            sum_of_growth (program, object, old, "map-wait-ns", "alloc-wait-ns")
            / 1e9,
    };

    if (element.name && element.waited > 0)
      g_array_append_val (elements, element);
  }
  g_array_sort (elements, compare_waits);
  return elements;
}

GPtrArray *
fm_program_advice (FmProgram *program)
{
  GPtrArray *advice = g_ptr_array_new ();
  JsonArray *array = fm_json_array (get_root (program->now), "advice");
  guint length = array ? json_array_get_length (array) : 0;

  for (guint i = 0; i < length; i++) {
    const gchar *text = fm_json_element_string (array, i);

    if (text)
      g_ptr_array_add (advice, (gpointer) text);
  }
  return advice;
}
