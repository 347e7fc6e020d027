/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-text.c: see top-text.h.
 */
#include "top-text.h"

#include "top-metrics.h"
#include "top-view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TROUBLE 2

#define WIDTH_DEFAULT 80
#define WIDTH_MIN 20
#define WIDTH_MAX 1000
#define QUEUES_MAX 20

static guint
get_width (void)
{
  const gchar *columns = g_getenv ("COLUMNS");
  guint64 width = 0;

  if (columns
      && g_ascii_string_to_unsigned (
          columns, 10, WIDTH_MIN, WIDTH_MAX, &width, NULL))
    return width;
  return WIDTH_DEFAULT;
}

/* Returns the scan's result. */
static int
refresh (FmStatusPages *pages, GPtrArray *programs, gint64 pid)
{
  int error = fm_status_pages_scan (pages);

  fm_status_pages_refresh (pages);
  fm_programs_update (programs, fm_status_pages_list (pages), pid);
  return error;
}

int
fm_text_say_nobody (FmStatusPages *pages, int error, gint64 pid)
{
  g_autofree gchar *obstacle = fm_status_pages_obstacle (pages, error);
  g_autofree gchar *nobody = pid != 0
      ? g_strdup_printf ("no program %" G_GINT64_FORMAT " uses filemem", pid)
      : g_strdup ("no program that uses filemem is running");
  const gchar *advice =
      pid != 0 ? "" : "; start one with: gst-filemem run PROGRAM";

  if (error != 0) {
    fprintf (stderr, "gst-filemem top: %s\n", obstacle);
    return TROUBLE;
  }
  if (obstacle)
    fprintf (stderr, "gst-filemem top: %s here: %s\n", nobody, obstacle);
  else
    fprintf (stderr, "gst-filemem top: %s%s\n", nobody, advice);
  return 1;
}

/* Ends the last line. FALSE, with a message, if not everything has arrived. */
static gboolean
print (const gchar *text)
{
  if (puts (text) >= 0 && fflush (stdout) == 0)
    return TRUE;
  fprintf (stderr, "gst-filemem top: can't write: %s\n", g_strerror (errno));
  return FALSE;
}

/* Without the spaces at the ends of the lines. */
static gchar *
get_text (FmSheet *sheet)
{
  GString *all = g_string_new (NULL);

  for (guint i = 0; i < fm_sheet_length (sheet); i++) {
    const GArray *line = g_ptr_array_index (sheet->lines, i);
    g_autoptr (GString) text = g_string_new (NULL);

    for (guint j = 0; j < line->len; j++)
      g_string_append (text, g_array_index (line, FmSpan, j).text);
    if (i > 0)
      g_string_append_c (all, '\n');
    g_string_append (all, g_strchomp (text->str));
  }
  return g_string_free (all, FALSE);
}

int
fm_text_print (FmStatusPages *pages, gint64 pid, gboolean utf8)
{
  g_autoptr (GPtrArray) programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  g_autoptr (FmSheet) sheet = fm_sheet_new (get_width (), utf8);
  g_autofree gchar *text = NULL;
  int error = refresh (pages, programs, pid);

  if (programs->len > 0) {
    g_usleep (G_USEC_PER_SEC);
    error = refresh (pages, programs, pid);
  }
  if (programs->len == 0)
    return fm_text_say_nobody (pages, error, pid);
  fm_view_list (
      sheet, programs, FM_ORDER_PID, FM_VIEW_NONE_CHOSEN, programs->len);
  for (guint i = 0; i < programs->len; i++) {
    fm_sheet_end_line (sheet);
    fm_view_program (sheet, g_ptr_array_index (programs, i), TRUE, QUEUES_MAX);
  }
  text = get_text (sheet);
  return print (text) ? 0 : TROUBLE;
}

/* What the page says, and what the viewer knows better. */
static JsonNode *
describe (FmProgram *program)
{
  const gchar *problem = fm_program_problem (program);
  JsonObject *object;
  JsonNode *node;

  if (problem) {
    object = json_object_new ();
    node = json_node_init_object (json_node_alloc (), object);
    json_object_unref (object);
    json_object_set_string_member (object, "problem", problem);
  } else {
    node = json_node_ref (program->now);
    object = json_node_get_object (node);
  }
  json_object_set_int_member (object, "pid", program->pid);
  json_object_set_boolean_member (object, "answering", program->answering);
  return node;
}

static gchar *
describe_all (const GPtrArray *programs)
{
  g_autoptr (JsonNode) root = json_node_alloc ();
  JsonArray *array = json_array_new ();

  json_node_take_array (json_node_init (root, JSON_NODE_ARRAY), array);
  for (guint i = 0; i < programs->len; i++)
    json_array_add_element (array, describe (g_ptr_array_index (programs, i)));
  return json_to_string (root, TRUE);
}

/* Prints what @write makes of the programs. */
static int
print_programs (FmStatusPages *pages, gint64 pid,
    gchar *(*write) (const GPtrArray *programs))
{
  g_autoptr (GPtrArray) programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  g_autofree gchar *text = NULL;
  int error = refresh (pages, programs, pid);

  /* Printing that there are none would claim that the directory has been
   * read. */
  if (programs->len == 0 && error != 0)
    return fm_text_say_nobody (pages, error, pid);
  text = write (programs);
  if (!print (text))
    return TROUBLE;
  return programs->len > 0 ? 0 : fm_text_say_nobody (pages, error, pid);
}

int
fm_text_print_json (FmStatusPages *pages, gint64 pid)
{
  return print_programs (pages, pid, describe_all);
}

int
fm_text_print_metrics (FmStatusPages *pages, gint64 pid)
{
  return print_programs (pages, pid, fm_metrics_text);
}
