/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bad-limits.c: tests what a person gets to see where there is too little: of
 * size, of disk, of what the shell allows; and that the program goes on with
 * the right bytes.
 */
#include "bad-input-fixture.h"

#include <sys/resource.h>
#include <unistd.h>

/* ---- sizes ---- */

/* No spill is ever possible: everything stays in memory, and is right. */
static void
test_reserve_above_the_disk (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->options = "ram=0,size=64M,reserve=1000000T";
  fixture->n_blocks = 256;
  said = testing_run_child (use_installed, fixture);
  assert_int_equal (testing_count_lines (said, PREFIX "the disk is full"), 1);
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
  assert_int_equal (testing_count_lines (said, PREFIX "the disk is full"), 1);
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

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
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
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
