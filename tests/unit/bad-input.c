/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bad-input.c: tests what a person who configured something wrong gets to see,
 * and that the program goes on with the right bytes.
 *
 * Each case is a child with an environment, and with GStreamer, of its own.
 * There g_warning() and g_critical() end the program: filemem must not use
 * them.
 */
#include <gst/filemem/filemem.h>

#include "testing.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define BLOCK (64 * TESTING_KIB)
#define PREFIX "filemem: "

typedef struct
{
  gchar *dir;     /* exists */
  gchar *used;    /* as the option dir */
  gchar *outside; /* for what must not be in dir */
  /* Of the case at hand: */
  void (*prepare) (const gchar *dir);
  const gchar *variable, *value; /* in the environment, where not NULL */
  const gchar *options;          /* besides dir and reserve=0 */
  guint n_blocks;
  const gchar *mem_type; /* of all blocks; NULL: of some at least, ours */
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->outside = testing_dir_new ();
  fixture->used = g_strdup (fixture->dir);
  fixture->options = "ram=0,size=64M";
  fixture->n_blocks = 4;
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  testing_dir_free (fixture->dir);
  testing_dir_free (fixture->outside);
  g_free (fixture->used);
  g_free (fixture);
  return 0;
}

/* ---- in the child ---- */

static void
clean_environment (const Fixture *fixture)
{
  g_auto (GStrv) names = g_listenv ();
  g_autofree gchar *registry =
      g_build_filename (fixture->outside, "registry.bin", NULL);
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    if (g_str_has_prefix (names[i], "GST_FILEMEM_")
        || g_str_has_prefix (names[i], "GST_DEBUG")
        || g_str_equal (names[i], "GST_TRACERS")
        || g_str_equal (names[i], "G_MESSAGES_DEBUG"))
      g_unsetenv (names[i]);
  }
  g_setenv ("GST_REGISTRY", registry, TRUE);
  g_setenv ("GST_REGISTRY_FORK", "no", TRUE);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH_1_0", "", TRUE);
}

static void
start_gstreamer (void)
{
  gst_init (NULL, NULL);
  g_log_set_always_fatal (
      G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING);
}

static void
start_without_plugins (const Fixture *fixture)
{
  clean_environment (fixture);
  g_setenv ("GST_PLUGIN_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH_1_0", "", TRUE);
  if (fixture->prepare != NULL)
    fixture->prepare (fixture->dir);
  start_gstreamer ();
}

static gchar *
all_options (const Fixture *fixture)
{
  return g_strdup_printf (
      "dir=%s,reserve=0,%s", fixture->used, fixture->options);
}

static GstMemory *
new_block (GstAllocator *allocator, gsize size, guint seed)
{
  GstMemory *mem = gst_allocator_alloc (allocator, size, NULL);
  GstMapInfo info;

  if (mem == NULL)
    return NULL;
  testing_check (gst_memory_map (mem, &info, GST_MAP_WRITE));
  testing_check (info.size == size);
  testing_fill (info.data, size, seed);
  gst_memory_unmap (mem, &info);
  return mem;
}

static void
check_block (GstMemory *mem, guint seed)
{
  GstMapInfo info;

  testing_check (gst_memory_map (mem, &info, GST_MAP_READ));
  testing_check (testing_is_filled (info.data, info.size, seed));
  gst_memory_unmap (mem, &info);
}

/* Blocks of the default allocator, all alive at once, checked twice. */
static void
use_default (guint n_blocks, const gchar *mem_type)
{
  g_autofree GstMemory **blocks = g_new0 (GstMemory *, n_blocks);
  guint i, round, ours = 0;

  for (i = 0; i < n_blocks; i++) {
    blocks[i] = new_block (NULL, BLOCK, i);
    testing_check (blocks[i] != NULL);
    testing_check (
        mem_type == NULL || gst_memory_is_type (blocks[i], mem_type));
    ours += gst_memory_is_type (blocks[i], GST_ALLOCATOR_FILEMEM);
  }
  testing_check (mem_type != NULL || ours > 0);
  for (round = 0; round < 2; round++) {
    for (i = 0; i < n_blocks; i++)
      check_block (blocks[i], i);
  }
  for (i = 0; i < n_blocks; i++)
    gst_memory_unref (blocks[i]);
}

static void
use_installed (gconstpointer data)
{
  const Fixture *fixture = data;
  g_autofree gchar *options = all_options (fixture);

  start_without_plugins (fixture);
  if (fixture->variable != NULL)
    g_setenv (fixture->variable, fixture->value, TRUE);
  testing_check (gst_file_mem_allocator_install (options) != NULL);
  use_default (fixture->n_blocks, fixture->mem_type);
}

/* ---- what it said ---- */

/* Every line is one warning of filemem's, and none is said twice. */
static void
assert_warnings (const gchar *said, guint n)
{
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  guint i, j;

  if (testing_count_lines (said, "") != n
      || testing_count_lines (said, PREFIX) != n)
    fail_msg ("%u warnings expected, but it said:\n%s", n, said);
  for (i = 0; lines[i] != NULL; i++) {
    for (j = 0; j < i; j++) {
      if (lines[i][0] != '\0')
        assert_string_not_equal (lines[i], lines[j]);
    }
  }
}

static void
assert_names (const gchar *said, const gchar *what)
{
  if (strstr (said, what) == NULL)
    fail_msg ("it does not name '%s', but said:\n%s", what, said);
}

static void
assert_one_warning (Fixture *fixture, const gchar *named)
{
  g_autofree gchar *said = testing_run_child (use_installed, fixture);

  assert_warnings (said, 1);
  assert_names (said, named);
}

static void
assert_silent (Fixture *fixture)
{
  g_autofree gchar *said = testing_run_child (use_installed, fixture);

  assert_string_equal (said, "");
}

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
    {"min-size", "GST_FILEMEM_MIN_SIZE", "small", "64M"},
    {"when-full", "GST_FILEMEM_WHEN_FULL", "explode", "system or wait or fail"},
    {"copy-above", "GST_FILEMEM_COPY_ABOVE", "?", "64M"},
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

/* Who makes an allocator is told with an error, and nobody else. */
static void
test_nonsense_for_new (void **state)
{
  g_autofree gchar *said = testing_run_child (make_with_nonsense, *state);

  assert_string_equal (said, "");
}

static void
test_unknown_option (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "colour=blue,ram=0,size=64M";
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  assert_one_warning (fixture, "colour");
}

static void
test_option_without_value (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "min-size,ram=0,size=64M";
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  assert_one_warning (fixture, "min-size");
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

/* ---- sizes ---- */

static void
test_size_below_an_extent (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=100K";
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
  assert_one_warning (fixture, "size");
}

static void
test_size_of_nothing (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=0";
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
  assert_one_warning (fixture, "size");
}

/* No spill is ever possible: everything stays in memory, and is right. */
static void
test_reserve_above_the_disk (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = "ram=0,size=64M,reserve=1000000T";
  fixture->n_blocks = 256;
  said = testing_run_child (use_installed, fixture);
  assert_int_equal (testing_count_lines (said, PREFIX "no more disk space"), 1);
  assert_warnings (said, testing_count_lines (said, PREFIX));
}

static void
mount_small_tmpfs (const gchar *dir)
{
  testing_mount_tmpfs (dir, "size=8m");
}

static void
test_nearly_no_disk (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->prepare = mount_small_tmpfs;
  fixture->options = "ram=0";
  fixture->n_blocks = 256;
  said = testing_run_child (use_installed, fixture);
  assert_names (said, "tmpfs");
  assert_warnings (said, testing_count_lines (said, PREFIX));
}

/* ---- a disk that is full while the program runs ---- */

static void
mount_tmpfs (const gchar *dir)
{
  testing_mount_tmpfs (dir, "size=32m");
}

static void
mount_ext4 (const gchar *dir)
{
  g_autofree gchar *image = g_strconcat (dir, ".image", NULL);

  testing_mount_ext4 (image, 32 * TESTING_MIB, dir);
  /* Its blocks go with the mount. */
  unlink (image);
}

static void
assert_survives_full_disk (Fixture *fixture)
{
  g_autofree gchar *said = NULL;

  fixture->options = "ram=4M,size=1G";
  fixture->n_blocks = 1024;
  fixture->mem_type = GST_ALLOCATOR_FILEMEM;
  said = testing_run_child (use_installed, fixture);
  assert_int_equal (testing_count_lines (said, PREFIX "no more disk space"), 1);
  assert_warnings (said, testing_count_lines (said, PREFIX));
}

static void
test_full_tmpfs (void **state)
{
  ((Fixture *) *state)->prepare = mount_tmpfs;
  assert_survives_full_disk (*state);
}

static void
test_full_ext4 (void **state)
{
  ((Fixture *) *state)->prepare = mount_ext4;
  assert_survives_full_disk (*state);
}

/* ---- limits of the shell ---- */

static void
limit_files (const gchar *dir)
{
  struct rlimit limit = {64 * TESTING_KIB, 64 * TESTING_KIB};

  testing_check (setrlimit (RLIMIT_FSIZE, &limit) == 0);
}

static void
test_file_size_limit (void **state)
{
  Fixture *fixture = *state;

  fixture->prepare = limit_files;
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
  assert_one_warning (fixture, "ulimit -f");
}

static void
limit_descriptors (const gchar *dir)
{
  struct rlimit limit = {0, 0};

  /* GStreamer needs some itself: the next one is refused from now on. */
  gst_init (NULL, NULL);
  testing_check (setrlimit (RLIMIT_NOFILE, &limit) == 0);
}

static void
test_descriptor_limit (void **state)
{
  Fixture *fixture = *state;

  if (g_getenv ("FILEMEM_UNDER_VALGRIND") != NULL)
    testing_skip ("valgrind does not let a program lower this limit");
  fixture->prepare = limit_descriptors;
  fixture->mem_type = GST_ALLOCATOR_SYSMEM;
  assert_one_warning (fixture, fixture->dir);
}

/* ---- when-full ---- */

#define FULL_OPTIONS "ram=0,size=1M,when-full="

static void
test_full_system (void **state)
{
  Fixture *fixture = *state;

  fixture->options = FULL_OPTIONS "system";
  fixture->n_blocks = 64;
  assert_one_warning (fixture, "Raise size (GST_FILEMEM_SIZE)");
}

static void
test_full_fail_installed (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = FULL_OPTIONS "fail";
  fixture->n_blocks = 64;
  said = testing_run_child (use_installed, fixture);
  assert_warnings (said, 2);
  assert_names (said, "when-full=fail is not for the default allocator");
  assert_names (said, "Raise size (GST_FILEMEM_SIZE)");
}

/* Blocks until there is none, or one that is not ours. */
static GstMemory *
use_up (GstAllocator *allocator, GPtrArray *blocks)
{
  GstMemory *mem;

  do {
    mem = new_block (allocator, BLOCK, blocks->len);
    if (mem != NULL && gst_memory_is_type (mem, GST_ALLOCATOR_FILEMEM))
      g_ptr_array_add (blocks, mem);
    testing_check (blocks->len <= 16);
  } while (mem != NULL && gst_memory_is_type (mem, GST_ALLOCATOR_FILEMEM));
  testing_check (blocks->len > 0);
  return mem;
}

static GstAllocator *
make (const Fixture *fixture)
{
  g_autofree gchar *options = all_options (fixture);
  GstAllocator *allocator;

  start_without_plugins (fixture);
  allocator = gst_file_mem_allocator_new (options, NULL);
  testing_check (allocator != NULL);
  return allocator;
}

static void
check_and_free (GPtrArray *blocks)
{
  guint i;

  for (i = 0; i < blocks->len; i++) {
    check_block (g_ptr_array_index (blocks, i), i);
    gst_memory_unref (g_ptr_array_index (blocks, i));
  }
  g_ptr_array_unref (blocks);
}

static void
use_own_that_fails (gconstpointer data)
{
  GstAllocator *allocator = make (data);
  GPtrArray *blocks = g_ptr_array_new ();
  guint i;

  testing_check (use_up (allocator, blocks) == NULL);
  check_and_free (blocks);
  /* Room again. */
  blocks = g_ptr_array_new ();
  for (i = 0; i < 4; i++) {
    g_ptr_array_add (blocks, new_block (allocator, BLOCK, i));
    testing_check (g_ptr_array_index (blocks, i) != NULL);
  }
  check_and_free (blocks);
  gst_object_unref (allocator);
}

static void
test_full_fail_own (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = FULL_OPTIONS "fail";
  said = testing_run_child (use_own_that_fails, fixture);
  assert_string_equal (said, "");
}

static gpointer
free_slowly (gpointer data)
{
  GPtrArray *blocks = data;
  guint i;

  for (i = 0; i < blocks->len; i++) {
    g_usleep (2000);
    gst_memory_unref (g_ptr_array_index (blocks, i));
  }
  return NULL;
}

static void
use_own_that_waits (gconstpointer data)
{
  const Fixture *fixture = data;
  GstAllocator *allocator;
  GPtrArray *blocks = g_ptr_array_new ();
  GstMemory *mem;
  GThread *thread;
  guint i;

  /* Large blocks: each one that is freed makes room at once. */
  allocator = make (fixture);
  for (i = 0; i < 3; i++) {
    mem = new_block (allocator, 5 * BLOCK, i);
    testing_check (gst_memory_is_type (mem, GST_ALLOCATOR_FILEMEM));
    g_ptr_array_add (blocks, mem);
  }
  thread = g_thread_new ("free", free_slowly, blocks);
  for (i = 0; i < 3; i++) {
    mem = new_block (allocator, 5 * BLOCK, i);
    testing_check (gst_memory_is_type (mem, GST_ALLOCATOR_FILEMEM));
    check_block (mem, i);
    gst_memory_unref (mem);
  }
  g_thread_join (thread);
  g_ptr_array_unref (blocks);
  gst_object_unref (allocator);
}

static void
test_full_wait (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = FULL_OPTIONS "wait";
  said = testing_run_child (use_own_that_waits, fixture);
  assert_string_equal (said, "");
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
  clean_environment (fixture);
  g_setenv ("GST_TRACERS", tracers, TRUE);
  start_gstreamer ();
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
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
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
      TEST (test_unknown_option),
      TEST (test_option_without_value),
      TEST (test_unprintable_values),
      TEST (test_long_value),
      TEST (test_size_below_an_extent),
      TEST (test_size_of_nothing),
      TEST (test_reserve_above_the_disk),
      TEST (test_nearly_no_disk),
      TEST (test_full_tmpfs),
      TEST (test_full_ext4),
      TEST (test_file_size_limit),
      TEST (test_descriptor_limit),
      TEST (test_full_system),
      TEST (test_full_fail_installed),
      TEST (test_full_fail_own),
      TEST (test_full_wait),
      TEST (test_start_line),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
