/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bad-input.c: tests what a person who configured something wrong gets to see,
 * and that the program goes on with the right bytes.
 */
#include "bad-input-fixture.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- nothing wrong ---- */

static void
test_silent (void **state)
{
  Fixture *fixture = *state;

  fixture->n_blocks = 256;
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  assert_silent (fixture);
}

static void
test_all_of_the_disk (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=100%";
  fixture->n_blocks = 128;
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  assert_silent (fixture);
}

/* ---- directories ---- */

static void
use_path (Fixture *fixture, const gchar *name)
{
  g_free (fixture->used);
  fixture->used = g_build_filename (fixture->dir, name, NULL);
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
}

static void
test_missing_directory (void **state)
{
  Fixture *fixture = *state;

  use_path (fixture, "missing");
  assert_one_warning (fixture, fixture->used);
}

static void
test_no_directory (void **state)
{
  Fixture *fixture = *state;

  use_path (fixture, "file");
  assert_true (g_file_set_contents (fixture->used, "text", -1, NULL));
  assert_one_warning (fixture, fixture->used);
}

static void
test_read_only_directory (void **state)
{
  Fixture *fixture = *state;

  fixture->prepare = testing_make_read_only;
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
  assert_one_warning (fixture, fixture->dir);
}

/* It tells of the option, for who does not know where the path came from. */
static void
test_directory_names_option (void **state)
{
  Fixture *fixture = *state;

  use_path (fixture, "missing");
  assert_one_warning (fixture, "GST_FILEMEM_DIR");
}

/* ---- nonsense ---- */

static const struct
{
  const gchar *option, *variable, *value, *accepted;
} nonsense[] = {
    {"size", "GST_FILEMEM_SIZE", "large", "64M"},
    {"size", "GST_FILEMEM_SIZE", "-1", "50%"},
    {"size", "GST_FILEMEM_SIZE", "101%", "50%"},
    {"size", "GST_FILEMEM_SIZE", "99999999999999999999", "64M"},
    {"ram", "GST_FILEMEM_RAM", "50%", "64M"},
    {"ram", "GST_FILEMEM_RAM", "12parsecs", "64M"},
    {"reserve", "GST_FILEMEM_RESERVE", "1X", "64M"},
    {"ram-total", "GST_FILEMEM_RAM_TOTAL", "much", "64M"},
    {"pressure", "GST_FILEMEM_PRESSURE", "none", "yield or ignore"},
    {"min-size", "GST_FILEMEM_MIN_SIZE", "small", "64M"},
    {"when-full", "GST_FILEMEM_WHEN_FULL", "explode", "system, wait or fail"},
    {"copy-above", "GST_FILEMEM_COPY_ABOVE", "?", "64M"},
    {"pack-above", "GST_FILEMEM_PACK_ABOVE", "-1", "64M"},
    {"pack-below", "GST_FILEMEM_PACK_BELOW", "all", "64M"},
    {"attribution", "GST_FILEMEM_ATTRIBUTION", "maybe", "off or on"},
    {"report-signal", "GST_FILEMEM_REPORT_SIGNAL", "KILL", "USR2"},
    {"on-replace", "GST_FILEMEM_ON_REPLACE", "cry", "keep or yield"},
    {"children", "GST_FILEMEM_CHILDREN", "two", "no or yes"},
    {"on-loss", "GST_FILEMEM_ON_LOSS", "perhaps", "error or warn"},
    {"dontdump", "GST_FILEMEM_DONTDUMP", "2", "no or yes"},
    {"stats-interval", "GST_FILEMEM_STATS_INTERVAL", "0.1", "seconds"},
};

static void
assert_names_all (const gchar *said, guint i, const gchar *value)
{
  assert_names (said, nonsense[i].option);
  assert_names (said, value);
  assert_names (said, nonsense[i].accepted);
}

static void
test_nonsense_in_environment (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (nonsense); i++) {
    g_autofree gchar *said = NULL;

    fixture->variable = nonsense[i].variable;
    fixture->value = nonsense[i].value;
    said = testing_run_child (use_installed, fixture);
    assert_warnings (said, 1);
    assert_names_all (said, i, nonsense[i].value);
  }
}

static void
test_nonsense_in_parameters (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (nonsense); i++) {
    g_autofree gchar *options = g_strdup_printf (
        "%s=%s,ram=0,size=64M", nonsense[i].option, nonsense[i].value);
    g_autofree gchar *said = NULL;

    fixture->options = options;
    said = testing_run_child (use_installed, fixture);
    assert_warnings (said, 1);
    assert_names_all (said, i, nonsense[i].value);
  }
}

static void
make_with_nonsense (gconstpointer data)
{
  const Fixture *fixture = data;
  guint i;

  start_without_plugins (fixture);
  for (i = 0; i < G_N_ELEMENTS (nonsense); i++) {
    g_autofree gchar *options =
        g_strdup_printf ("%s=%s", nonsense[i].option, nonsense[i].value);
    g_autoptr (GError) error = NULL;

    testing_check (gst_file_mem_allocator_new (options, &error) == NULL);
    testing_check (error != NULL);
    testing_check (strstr (error->message, nonsense[i].option) != NULL);
    testing_check (strstr (error->message, nonsense[i].value) != NULL);
    testing_check (strstr (error->message, nonsense[i].accepted) != NULL);
  }
  testing_check (gst_file_mem_allocator_new ("no-such=1", NULL) == NULL);
}

/* What the tracer alone does something with is no option of one allocator. */
static void
make_with_options_of_the_tracer (gconstpointer data)
{
  static const gchar *const of_the_tracer[] = {
      "report=stderr", "stats-interval=1", "attribution=on", "exe=a"};
  GObjectClass *class;
  guint i;

  start_without_plugins (data);
  class = g_type_class_ref (GST_TYPE_FILE_MEM_ALLOCATOR);
  for (i = 0; i < G_N_ELEMENTS (of_the_tracer); i++) {
    g_auto (GStrv) parts = g_strsplit (of_the_tracer[i], "=", 2);
    g_autoptr (GError) error = NULL;

    testing_check (
        gst_file_mem_allocator_new (of_the_tracer[i], &error) == NULL);
    testing_check (strstr (error->message, parts[0]) != NULL);
    testing_check (strstr (error->message, "GST_FILEMEM_") != NULL);
    testing_check (g_object_class_find_property (class, parts[0]) == NULL);
  }
  g_type_class_unref (class);
}

static void
test_options_of_the_tracer (void **state)
{
  g_autofree gchar *said =
      testing_run_child (make_with_options_of_the_tracer, *state);

  assert_string_equal (said, "");
}

/* Who makes an allocator is told with an error, and nobody else. */
static void
test_nonsense_for_new (void **state)
{
  g_autofree gchar *said = testing_run_child (make_with_nonsense, *state);

  assert_string_equal (said, "");
}

/* One line names what is wrong, or says that what is given is not what is used;
 * memory is what the rest of the options makes it. */
static void
test_one_bad_option (void **state)
{
  static const struct
  {
    const gchar *options, *named, *mem_type;
  } cases[] = {
      {"colour=blue,ram=0,size=64M", "colour", GST_ALLOCATOR_FILEMEM},
      {"min-size,ram=0,size=64M", "min-size", GST_ALLOCATOR_FILEMEM},
      {"ram=1M,size=64M", "less than 4.0", GST_ALLOCATOR_FILEMEM},
      {"ram=0,size=100K", "size", GST_ALLOCATOR_SYSMEM}, /* below an extent */
      {"ram=0,size=0", "size", GST_ALLOCATOR_SYSMEM},
  };
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    fixture->options = cases[i].options;
    fixture->mem_type = cases[i].mem_type;
    assert_one_warning (fixture, cases[i].named);
  }
}

/* Without a word the default would be in force. */
static void
test_unknown_variable (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=64M";
  fixture->variable = "GST_FILEMEM_RAMM";
  fixture->value = "8M";
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  assert_one_warning (fixture, "GST_FILEMEM_RAMM");
}

/* One line stays one line, and readable, whatever is in the value. */
static void
test_unprintable_values (void **state)
{
  Fixture *fixture = *state;
  static const gchar *const values[] = {
      "6\n4M", "7\n\n\n8", "\xff\xfe", "64\033[31mM", "%s%n%d"};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autofree gchar *said = NULL;

    fixture->variable = "GST_FILEMEM_RESERVE";
    fixture->value = values[i];
    said = testing_run_child (use_installed, fixture);
    assert_warnings (said, 1);
    assert_names (said, "reserve");
    assert_true (g_utf8_validate (said, -1, NULL));
    assert_null (strchr (said, '\033'));
  }
}

static void
test_long_value (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *value = g_strnfill (100000, '9');

  fixture->variable = "GST_FILEMEM_STATS_INTERVAL";
  fixture->value = value;
  assert_one_warning (fixture, "stats-interval");
}

/* ---- the line at start ---- */

/* What this child has said so far. */
static gchar *
said_so_far (void)
{
  gchar text[4096];
  ssize_t n;

  fflush (stderr);
  n = pread (STDERR_FILENO, text, sizeof text - 1, 0);
  testing_check (n >= 0);
  text[n] = '\0';
  return g_strdup (text);
}

static gboolean
have_tracer (void)
{
  g_auto (GStrv) paths = NULL;
  guint i;

  if (g_getenv ("GST_PLUGIN_PATH") == NULL)
    return FALSE;
  paths = g_strsplit (g_getenv ("GST_PLUGIN_PATH"), ":", -1);
  for (i = 0; paths[i] != NULL; i++) {
    g_autofree gchar *plugin =
        g_build_filename (paths[i], "libgstfilemem.so", NULL);

    if (g_file_test (plugin, G_FILE_TEST_EXISTS))
      return TRUE;
  }
  return FALSE;
}

static void
use_tracer (gconstpointer data)
{
  const Fixture *fixture = data;
  g_autofree gchar *options = all_options (fixture);
  g_autofree gchar *tracers = g_strdup_printf ("filemem(%s)", options);
  g_autofree gchar *said = NULL;

  if (!have_tracer ())
    testing_child_skip ("the tracer is not in GST_PLUGIN_PATH");
  gstreamer_clean_environment (fixture->outside);
  g_setenv ("GST_TRACERS", tracers, TRUE);
  gstreamer_start ();
  said = said_so_far ();
  testing_check (g_str_equal (said, ""));
  g_clear_pointer (&said, g_free);

  use_default (128, GST_ALLOCATOR_FILEMEM);
  said = said_so_far ();
  testing_check (testing_count_lines (said, "") == 1);
  testing_check (g_str_has_prefix (said, PREFIX "active: "));
  testing_check (strstr (said, fixture->dir) != NULL);
  gst_deinit ();
}

static void
test_start_line (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = "ram=0,size=64M,report=stderr";
  said = testing_run_child (use_tracer, fixture);
  assert_int_equal (testing_count_lines (said, "filemem report of"), 1);
  assert_int_equal (testing_count_lines (said, PREFIX), 1);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_silent),
      TEST (test_all_of_the_disk),
      TEST (test_missing_directory),
      TEST (test_no_directory),
      TEST (test_read_only_directory),
      TEST (test_directory_names_option),
      TEST (test_nonsense_in_environment),
      TEST (test_nonsense_in_parameters),
      TEST (test_nonsense_for_new),
      TEST (test_options_of_the_tracer),
      TEST (test_one_bad_option),
      TEST (test_unknown_variable),
      TEST (test_unprintable_values),
      TEST (test_long_value),
      TEST (test_start_line),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
