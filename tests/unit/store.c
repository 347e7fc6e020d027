/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store.c: tests what a store chooses from the options, and what it says of
 * that.
 */
#include "store-fixture.h"

#include "machine.h"

#include <malloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static void
free_space (const gchar *dir, guint64 *ret_free, guint64 *ret_total)
{
  struct statvfs space;

  assert_int_equal (statvfs (dir, &space), 0);
  *ret_free = (guint64) space.f_bavail * space.f_frsize;
  *ret_total = (guint64) space.f_blocks * space.f_frsize;
}

/* Others write to the disk too. */
static void
assert_about (guint64 value, guint64 expected)
{
  assert_in_range (value, expected - expected / 10, expected + expected / 10);
}

static void
test_defaults (void **state)
{
  Fixture *fixture = *state;
  guint64 free_bytes, total, memory = fm_machine_memory ("");

  open_store (fixture);
  free_space (fixture->dir, &free_bytes, &total);
  if (sizeof (gpointer) == 4)
    /* The program keeps as many addresses as filemem takes. */
    assert_in_range (fm_store_size (fixture->store), 1, 1536 * TESTING_MIB);
  else
    assert_about (fm_store_size (fixture->store), free_bytes / 2);
  assert_in_range (
      fm_store_budget (fixture->store), 32 * TESTING_MIB, 1024 * TESTING_MIB);
  if (memory / 4 < 32 * TESTING_MIB)
    assert_int_equal (fm_store_budget (fixture->store), 32 * TESTING_MIB);
  else if (memory / 4 > 2048 * TESTING_MIB)
    assert_int_equal (fm_store_budget (fixture->store),
        MIN (1024 * TESTING_MIB, G_MAXSIZE / 4 & ~(TESTING_PAGE - 1)));
  assert_int_equal (fm_store_reserve (fixture->store),
      MIN (total / 100 * 5, 1024 * TESTING_MIB));
}

static void
test_given (void **state)
{
  Fixture *fixture = *state;

  set_option (fixture, FM_OPTION_SIZE, "100M");
  set_option (fixture, FM_OPTION_RAM, "20M");
  set_option (fixture, FM_OPTION_RESERVE, "3M");
  open_store (fixture);
  assert_int_equal (fm_store_size (fixture->store), 100 * TESTING_MIB);
  assert_int_equal (fm_store_budget (fixture->store), 20 * TESTING_MIB);
  assert_int_equal (fm_store_reserve (fixture->store), 3 * TESTING_MIB);
  assert_int_equal (statistic (fixture, FM_STAT_SIZE), 100 * TESTING_MIB);
  assert_int_equal (statistic (fixture, FM_STAT_BUDGET), 20 * TESTING_MIB);
}

/* Without a store, and whatever the disk is like. */
static void
test_choose (void **state)
{
  const guint64 gib = 1024 * TESTING_MIB;
  Fixture *fixture = *state;
  FmBackingFile file = {.total_bytes = 100 * gib, .free_bytes = 40 * gib};
  FmStoreChoice choice;

  set_option (fixture, FM_OPTION_RAM, "64M");
  choice = fm_store_choose (&fixture->options, &file);
  assert_int_equal (choice.size, 20 * gib);
  assert_int_equal (choice.reserve, gib);
  assert_int_equal (choice.budget, 64 * TESTING_MIB);
  assert_int_equal (choice.extent_size, 4 * TESTING_MIB);

  set_option (fixture, FM_OPTION_SIZE, "3G");
  set_option (fixture, FM_OPTION_RAM, "0");
  set_option (fixture, FM_OPTION_RESERVE, "10%");
  choice = fm_store_choose (&fixture->options, &file);
  assert_int_equal (choice.size, 3 * gib);
  assert_int_equal (choice.reserve, 10 * gib);
  assert_int_equal (choice.budget, LEAST_BUDGET);
  assert_int_equal (choice.extent_size, LEAST_EXTENT);
}

static void
test_percent (void **state)
{
  Fixture *fixture = *state;
  guint64 free_bytes, total;

  if (g_getenv ("FILEMEM_UNDER_VALGRIND") != NULL)
    testing_skip ("valgrind leaves too few addresses for a whole disk");
  if (sizeof (gpointer) == 4)
    testing_skip ("32 bits have too few addresses for a whole disk");
  free_space (fixture->dir, &free_bytes, &total);
  set_option (fixture, FM_OPTION_RAM, "0");
  set_option (fixture, FM_OPTION_SIZE, "25%");
  set_option (fixture, FM_OPTION_RESERVE, "10%");
  open_store (fixture);
  assert_about (fm_store_size (fixture->store), free_bytes / 4);
  assert_about (fm_store_reserve (fixture->store), total / 10);

  set_option (fixture, FM_OPTION_SIZE, "100%");
  set_option (fixture, FM_OPTION_RESERVE, "0%");
  open_store (fixture);
  assert_about (fm_store_size (fixture->store), free_bytes);
  assert_int_equal (fm_store_reserve (fixture->store), 0);
}

static void
test_least_memory (void **state)
{
  Fixture *fixture = *state;

  open_small (fixture, "64M");
  assert_int_equal (fm_store_budget (fixture->store), LEAST_BUDGET);
  set_option (fixture, FM_OPTION_RAM, "1");
  open_store (fixture);
  assert_int_equal (fm_store_budget (fixture->store), LEAST_BUDGET);
}

static void
assert_no_store (Fixture *fixture, const gchar *named)
{
  g_autoptr (GError) error = NULL;

  assert_null (fm_store_new (&fixture->options, fixture->stats, &error));
  assert_non_null (error);
  assert_non_null (strstr (error->message, named));
}

static void
test_too_small (void **state)
{
  Fixture *fixture = *state;

  set_option (fixture, FM_OPTION_RAM, "0");
  set_option (fixture, FM_OPTION_SIZE, "255K");
  assert_no_store (fixture, "size");
  set_option (fixture, FM_OPTION_SIZE, "0");
  assert_no_store (fixture, "size");
  set_option (fixture, FM_OPTION_SIZE, "0%");
  assert_no_store (fixture, "size");
  set_option (fixture, FM_OPTION_SIZE, "256K");
  open_store (fixture);
}

static void
test_no_directory (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *missing = g_build_filename (fixture->dir, "none", NULL);

  set_option (fixture, FM_OPTION_DIR, missing);
  assert_no_store (fixture, missing);
}

/* Four times the addresses, so that fragmentation does not eat the size. */
static void
test_arena (void **state)
{
  Fixture *fixture = *state;
  struct stat status;
  int fd;

  open_small (fixture, "64M");
  fd = testing_find_backing_file (fixture->dir);
  assert_true (fd >= 0);
  assert_int_equal (fstat (fd, &status), 0);
  assert_int_equal (status.st_size, 256 * TESTING_MIB);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
  g_clear_pointer (&fixture->store, fm_store_free);
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
}

static void
use_huge_size (Fixture *fixture, const gchar *size)
{
  FmStoreBlock block;

  /* What is as long as the arena must not be touched, not even by a malloc()
   * that looks for bugs. */
  mallopt (M_PERTURB, 0);
  open_small (fixture, size);
  assert_int_equal (
      fm_store_alloc (fixture->store, 1000, 7, 0, &block), FM_STORE_DONE);
  write_block (fixture, &block, 1000, 1);
  check_block (fixture, &block, 1000, 1);
  fm_store_give (fixture->store, &block);
}

/* More than any file system or address space has. */
static void
test_huge_size (void **state)
{
  use_huge_size (*state, "4611686018427387904");
}

/* A large disk in a small machine: the tables that go with it may be larger
 * than its memory, since hardly any of their pages is ever used. */
static void
test_huge_tables (void **state)
{
  Fixture *fixture = *state;

  if (access ("/dev/shm", W_OK) != 0)
    testing_skip ("there is no /dev/shm to write to");
  set_option (fixture, FM_OPTION_DIR, "/dev/shm");
  use_huge_size (fixture, "32T");
}

static void
test_describe (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *text = NULL;

  set_option (fixture, FM_OPTION_SIZE, "100M");
  set_option (fixture, FM_OPTION_RAM, "20M");
  open_store (fixture);
  text = fm_store_describe (fixture->store);
  assert_non_null (strstr (text, fixture->dir));
  assert_non_null (strstr (text, "100.0"));
  assert_non_null (strstr (text, "20.0"));
  assert_true (
      strstr (text, "O_DIRECT") != NULL || strstr (text, "page cache") != NULL);
  assert_null (strchr (text, '\n'));
}

static void
test_warns_of_memory (void **state)
{
  Fixture *fixture = *state;

  keep_warnings ();
  set_option (fixture, FM_OPTION_RAM, "0");
  set_option (fixture, FM_OPTION_SIZE, "1M");
  open_store (fixture);
  assert_int_equal (n_warnings (), 0);
  if (!g_file_test ("/dev/shm", G_FILE_TEST_IS_DIR)
      || access ("/dev/shm", W_OK) != 0)
    testing_skip ("there is no /dev/shm to write to");
  set_option (fixture, FM_OPTION_DIR, "/dev/shm");
  open_store (fixture);
  assert_warned (1, "which is memory itself");
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_defaults),
      TEST (test_given),
      TEST (test_choose),
      TEST (test_percent),
      TEST (test_least_memory),
      TEST (test_too_small),
      TEST (test_no_directory),
      TEST (test_arena),
      TEST (test_huge_size),
      TEST (test_huge_tables),
      TEST (test_describe),
      TEST (test_warns_of_memory),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
