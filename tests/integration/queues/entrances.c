/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrances.c: whatever way a queue comes into being, what enters it is looked
 * at; and what the copies must not change for anybody else.
 *
 * Each case is a process of its own with GST_TRACERS=filemem, this program with
 * the name of the case as its argument. What it can see of the buffers it
 * checks itself; what filemem says of the queues is read from the log of its
 * tracer, by the parent, when the process has ended.
 *
 * Here are the table of the cases, and the parent: what it starts them with,
 * and what must be in the log. What the children do is in the files that
 * entrance-cases.h names.
 */
#include "entrance-cases.h"
#include "entrance-child.h"

#include <stdlib.h>
#include <string.h>

static const gchar *program;
static gchar *scratch;

typedef struct
{
  const gchar *name;
  void (*run) (void);
  const gchar *copy_above; /* NULL: without filemem */
  const gchar *queue; /* part of the name of each that must be in the log */
  guint n_queues;
  gboolean is_lent;
} Case;

static const Case cases[] = {
    {"parse", by_parse, "0", "GstQueue:it", 1},
    {"factory", by_factory, "0", "GstQueue:it", 1},
    {"type", by_type, "0", "GstQueue2:it", 1},
    {"bins", in_bins, "0", "GstQueue:it", 1},
    {"linked-before", linked_before, "0", "GstQueue:it", 1},
    {"linked-late", linked_late, "0", "GstQueue:it", 1},
    {"request-pads", request_pads, "0", "GstMultiQueue:it", 2},
    {"appsink-factory", appsink_by_factory, "0", "GstAppSink:it", 1},
    {"appsink-type", appsink_by_type, "0", "GstAppSink:it", 1},
    {"appsink-subclass", appsink_subclass, "0", "OwnSink:it", 1},
    {"appsink-subclass-plugin", appsink_subclass_with_plugin, "0", "OwnSink:it",
        1},
    {"added-while-playing", added_while_playing, "0", "GstQueue:it", 1},
    {"decodebin", in_decodebin, "0", "/GstMultiQueue:", 1},
    {"splitmuxsink", in_splitmuxsink, "0", "GstSplitMuxSink", 1},
    {"tee", behind_tee, "0", "GstQueue:it", 2},
    {"tee-changed", behind_tee_changed, "0", "GstQueue:it", 2},
    {"lists", lists, "0", "GstQueue:it", 1},
    {"lists-tee", lists_behind_tee, "0", "GstQueue:it", 2},
    {"lent", lent_by_shmsink, "0", "GstQueue:it", 1, TRUE},
    {"held-queue", nobody_takes_from_queue, "1048576", "GstQueue:it", 1},
    {"held-queue-little", nobody_takes_from_queue, "300000", "GstQueue:it", 1},
    {"held-queue2", nobody_takes_from_queue2, "1048576", "GstQueue2:it", 1},
    {"held-multiqueue", nobody_takes_from_multiqueue, "1048576",
        "GstMultiQueue:it", 1},
    {"held-appsink", nobody_takes_from_appsink, "1048576", "GstAppSink:it", 1},
    {"held-parts", nobody_takes_small_parts, "1048576", "GstQueue:it", 1},
    {"limit-buffers", limit_of_buffers, "0", "GstQueue:it", 1},
    {"limit-bytes", limit_of_bytes, "0", "GstQueue:it", 1},
    {"latency", latency, "0", NULL, 0},
    {"latency-plain", latency, NULL, NULL, 0},
    {"qos", quality_of_service, "0", "GstQueue:it", 1},
};

static const Case *
find_case (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (g_str_equal (cases[i].name, name))
      return &cases[i];
  }
  g_error ("no case %s", name);
}

static gchar **
environment_of (const Case *which, const gchar *log)
{
  gchar **names = g_listenv (), **env = g_get_environ ();
  g_autofree gchar *tracer =
      g_strdup_printf ("filemem(dir=%s,size=256M,ram=16M,reserve=0)", scratch);
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    if (g_str_has_prefix (names[i], "GST_FILEMEM_")
        || g_str_has_prefix (names[i], "GST_DEBUG")
        || g_str_equal (names[i], "GST_TRACERS"))
      env = g_environ_unsetenv (env, names[i]);
  }
  g_strfreev (names);
  env = g_environ_setenv (env, "G_DEBUG", "fatal-criticals", TRUE);
  if (which->copy_above == NULL)
    return env;
  env = g_environ_setenv (env, "GST_TRACERS", tracer, TRUE);
  env =
      g_environ_setenv (env, "GST_FILEMEM_COPY_ABOVE", which->copy_above, TRUE);
  env = g_environ_setenv (env, "GST_DEBUG", "GST_TRACER:7", TRUE);
  env = g_environ_setenv (env, "GST_DEBUG_NO_COLOR", "1", TRUE);
  return g_environ_setenv (env, "GST_DEBUG_FILE", log, TRUE);
}

/* The records (GstStructure) of queues whose names have @part. */
static GPtrArray *
read_records (const gchar *log, const gchar *part)
{
  GPtrArray *records =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_structure_free);
  g_autofree gchar *text = NULL;
  g_auto (GStrv) lines = NULL;
  gchar **line;

  assert_true (g_file_get_contents (log, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (line = lines; *line != NULL; line++) {
    const gchar *start = strstr (*line, " filemem-queue, ");
    GstStructure *record;

    if (start == NULL || strstr (start, "queue=(string)%s") != NULL)
      continue;
    record = gst_structure_from_string (start + 1, NULL);
    if (record == NULL)
      fail_msg ("a record that can't be read: %s", start + 1);
    if (strstr (gst_structure_get_string (record, "queue"), part) != NULL)
      g_ptr_array_add (records, record);
    else
      gst_structure_free (record);
  }
  return records;
}

static guint64
figure (const GstStructure *record, const gchar *name)
{
  guint64 value = 0;

  assert_true (gst_structure_get_uint64 (record, name, &value));
  return value;
}

static void
check_record (const Case *which, const GstStructure *record)
{
  guint64 most = g_ascii_strtoull (which->copy_above, NULL, 10);

  assert_true (figure (record, "buffers") > 0);
  assert_true (figure (record, "foreign-bytes") > 0);
  if (which->is_lent) {
    assert_int_equal (figure (record, "copies"), 0);
    assert_int_equal (figure (record, "left-lent"), figure (record, "buffers"));
    return;
  }
  /* What one branch of a tee copied another one shares. */
  assert_true (
      figure (record, "copied-bytes") + figure (record, "shared-bytes") > 0);
  assert_true (figure (record, "foreign-peak") <= most);
  if (most == 0)
    assert_int_equal (
        figure (record, "copied-bytes") + figure (record, "shared-bytes"),
        figure (record, "foreign-bytes"));
}

/* Runs the case; what it wrote to stdout. */
static gchar *
run_case (const Case *which)
{
  g_autofree gchar *log = NULL, *complaints = NULL;
  gchar *said = NULL;
  gchar *argv[] = {(gchar *) program, (gchar *) which->name, NULL, NULL};
  g_auto (GStrv) env = NULL;
  g_autoptr (GPtrArray) records = NULL;
  int status;
  guint i;

  scratch = testing_dir_new ();
  argv[2] = scratch;
  log = g_build_filename (scratch, "log", NULL);
  env = environment_of (which, log);
  assert_true (g_spawn_sync (
      NULL, argv, env, 0, NULL, NULL, &said, &complaints, &status, NULL));
  if (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_SKIP) {
    testing_dir_free (g_steal_pointer (&scratch));
    testing_skip (complaints);
  }
  if (status != 0)
    fail_msg ("status %d: %s", status, complaints);
  if (which->queue != NULL) {
    records = read_records (log, which->queue);
    assert_int_equal (records->len, which->n_queues);
    for (i = 0; i < records->len; i++)
      check_record (which, g_ptr_array_index (records, i));
  }
  testing_dir_free (g_steal_pointer (&scratch));
  return said;
}

static void
test_case (void **state)
{
  g_free (run_case (*state));
}

/* The same with filemem and without. */
static void
test_latency (void **state)
{
  g_autofree gchar *with = run_case (find_case ("latency"));
  g_autofree gchar *without = run_case (find_case ("latency-plain"));

  print_message ("%s", with);
  assert_true (g_str_has_prefix (with, "live 1"));
  assert_string_equal (with, without);
}

static int
run_child (const gchar *name, const gchar *dir)
{
  const Case *which = find_case (name);

  start_child (dir, which->copy_above != NULL);
  which->run ();
  return 0;
}

int
main (int argc, char **argv)
{
  struct CMUnitTest tests[G_N_ELEMENTS (cases) + 1] = {{0}};
  guint i, n = 0;

  program = argv[0];
  if (argc > 2)
    return run_child (argv[1], argv[2]);
  gst_init (&argc, &argv);
  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    if (cases[i].run == latency)
      continue;
    tests[n].name = cases[i].name;
    tests[n].test_func = test_case;
    tests[n].initial_state = (void *) &cases[i];
    n++;
  }
  tests[n].name = "latency";
  tests[n].test_func = test_latency;
  n++;
  return _cmocka_run_group_tests ("entrances", tests, n, NULL, NULL);
}
