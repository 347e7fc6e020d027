/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-warnings.c: tests what a person gets to see of a store in trouble: each
 * kind of trouble once, none hidden by another, with the fix for its cause.
 */
#include "store-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_BLOCKS 64
#define N_AFTER 2

static FmStoreBlock before[N_BLOCKS], after[N_AFTER];
static guint n_before;

/* Which call fails, and how. */
static struct
{
  _Atomic FmCall call;
  atomic_int error;
} fault;

static int
refuse (const FmCallInfo *info)
{
  return info->call == atomic_load (&fault.call) ? atomic_load (&fault.error)
                                                 : 0;
}

static void
set_fault (FmCall call, int error)
{
  atomic_store (&fault.call, call);
  atomic_store (&fault.error, error);
  fm_seam_set_hook (refuse);
}

static int
setup (void **state)
{
  keep_warnings ();
  n_before = 0;
  return fixture_setup (state);
}

static int
teardown (void **state)
{
  give_blocks (*state, before, n_before);
  return fixture_teardown (state);
}

static void
write_before (Fixture *fixture)
{
  write_extents (fixture, before, N_BLOCKS, 0);
  n_before = N_BLOCKS;
}

static guint
count_lost_before (Fixture *fixture)
{
  return count_lost (fixture, before, N_BLOCKS, 0);
}

/* One trouble after the other. */
static void
test_each_kind (void **state)
{
  Fixture *fixture = *state;
  int other = open ("/dev/null", O_RDWR | O_CLOEXEC), number, ours;

  open_small (fixture, "256M");
  write_before (fixture);
  assert_int_equal (n_warnings (), 0);

  set_fault (FM_CALL_PWRITE, EIO);
  write_extents (fixture, after, N_AFTER, 0);
  assert_warned (1, "the disk refused a write (Input/output error)");

  /* So that reads find room, and need not wait for writes. */
  give_blocks (fixture, after, N_AFTER);
  set_fault (FM_CALL_PREAD, EIO);
  assert_true (count_lost_before (fixture) > 1);
  assert_warned (2,
      "the disk did not give back what was written to it (Input/"
      "output error)");
  /* A file system that says nothing of the file is not a program that has
   * closed it. */
  set_fault (FM_CALL_FSTAT, EIO);
  assert_true (count_lost_before (fixture) > 1);
  assert_int_equal (n_warnings (), 2);
  fm_seam_set_hook (NULL);

  number = testing_find_backing_file (fixture->dir);
  assert_true (number >= 0 && other >= 0);
  ours = dup (number);
  assert_int_equal (dup2 (other, number), number);
  assert_int_equal (count_lost_before (fixture), 0);
  assert_warned (3, "the program has closed the backing file");

  assert_int_equal (dup2 (ours, number), number);
  assert_int_equal (ftruncate (ours, 0), 0);
  assert_true (count_lost_before (fixture) > 1);
  assert_warned (4, "somebody has cut the backing file short");
  assert_true (count_lost_before (fixture) > 1);
  assert_int_equal (n_warnings (), 4);
  close (ours);
  close (other);
}

#define LONG (4 * LEAST_EXTENT)

static FmStoreBlock long_block;

static gboolean
is_in_long_block (const guint8 *address)
{
  return address >= long_block.data && address < long_block.data + LONG;
}

/* Its first piece can be brought in, but then nothing is mapped there any more:
 * neither memory, nor the file in its place. */
static int
refuse_after_first_piece (const FmCallInfo *info)
{
  static atomic_uint n_pieces;

  if (!is_in_long_block (info->address))
    return 0;
  if (info->call == FM_CALL_MREMAP)
    return atomic_fetch_add (&n_pieces, 1) == 0 ? 0 : ENOMEM;
  return info->call == FM_CALL_MMAP && atomic_load (&n_pieces) > 0 ? ENOMEM : 0;
}

static void
test_not_even_in_place (void **state)
{
  Fixture *fixture = *state;

  open_small (fixture, "256M");
  write_before (fixture);
  long_block = alloc_block (fixture, LONG, 0);
  write_block (fixture, &long_block, LONG, 1);
  /* All of the budget is read, so that it goes. */
  assert_int_equal (count_lost_before (fixture), 0);
  assert_int_equal (n_warnings (), 0);

  fm_seam_set_hook (refuse_after_first_piece);
  assert_false (fm_store_map (fixture->store, &long_block, FM_PIN_READ));
  assert_warned (1, "can't be mapped");
  assert_warned (1, "vm.max_map_count");
  fm_seam_set_hook (NULL);
  check_block (fixture, &long_block, LONG, 1);
  fm_store_give (fixture->store, &long_block);
}

static int
refuse_file (const FmCallInfo *info)
{
  return info->call == FM_CALL_MMAP && (info->flags & MAP_SHARED) != 0
          && (info->flags & MAP_FIXED_NOREPLACE) == 0
      ? ENOMEM
      : 0;
}

/* What was written stays in memory, for which more ram would be no fix. */
static void
test_file_not_shown (void **state)
{
  Fixture *fixture = *state;

  open_small (fixture, "256M");
  fm_seam_set_hook (refuse_file);
  write_before (fixture);
  assert_warned (1, "refused to map the file over buffers");
  assert_warned (1, "vm.max_map_count");
  fm_seam_set_hook (NULL);
  assert_int_equal (n_budget_warnings (), 0);
  assert_int_equal (count_lost_before (fixture), 0);
}

static void
check_threads (Fixture *fixture, int error, const gchar *fix)
{
  g_autofree gchar *reason = g_strdup_printf ("(%s)", g_strerror (error));

  set_fault (FM_CALL_THREAD, error);
  open_small (fixture, "256M");
  write_before (fixture);
  assert_warned (1, "no thread can be started");
  assert_warned (1, reason);
  assert_warned (1, fix);
  assert_int_equal (count_lost_before (fixture), 0);
  assert_int_equal (n_warnings (), 1);
  /* More ram would be no fix. */
  assert_int_equal (n_budget_warnings (), 0);
}

static void
test_too_many_threads (void **state)
{
  check_threads (*state, EAGAIN, "ulimit -u");
}

static void
test_no_memory_for_threads (void **state)
{
  check_threads (*state, ENOMEM, "ulimit -v, -d, -l");
}

static gpointer
do_nothing (gpointer data)
{
  return data;
}

/* pthread_create() says EAGAIN, whatever it was that was missing. */
static void
no_room_for_stacks (gconstpointer data)
{
  const struct rlimit none = {0, 0};

  testing_check (setrlimit (RLIMIT_DATA, &none) == 0);
  testing_check (
      fm_seam_thread_start ("filemem-test", do_nothing, NULL) == NULL);
  testing_check (errno == ENOMEM);
}

static void
test_no_room_for_stacks (void **state)
{
  if (TESTING_SANITIZER)
    testing_skip ("a sanitizer ends the program where it gets no memory");
  g_free (testing_run_child (no_room_for_stacks, NULL));
}

/* A store that can't be made says so, and leaves nothing open. */
static void
test_never_made (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GError) error = NULL;

  set_fault (FM_CALL_FSTAT, EIO);
  assert_null (fm_store_new (&fixture->options, fixture->stats, &error));
  assert_non_null (error);
  assert_non_null (strstr (error->message, g_strerror (EIO)));
  assert_non_null (strstr (error->message, fixture->dir));
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
  assert_int_equal (n_warnings (), 0);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      /* First, before glibc has stacks to use again. */
      cmocka_unit_test (test_no_room_for_stacks),
      TEST (test_each_kind),
      TEST (test_not_even_in_place),
      TEST (test_file_not_shown),
      TEST (test_too_many_threads),
      TEST (test_no_memory_for_threads),
      TEST (test_never_made),
  };
#undef TEST

  return cmocka_run_group_tests_name ("store-warnings", tests, NULL, NULL);
}
