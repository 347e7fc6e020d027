/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-in-place.c: tests a store that can't read back what it spilled, so that
 * blocks are had through the mapping of the file: because the program closes
 * all descriptors, as daemons do, and then opens a file that gets the number of
 * the backing file; or because the kernel refuses to move memory.
 */
#include "store-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_BLOCKS 64

/* Some of them spilled. */
static FmStoreBlock blocks[N_BLOCKS];

static int
setup (void **state)
{
  return fixture_setup_spilled (state, blocks, N_BLOCKS, 1);
}

static void
free_store (Fixture *fixture)
{
  if (fixture->store == NULL)
    return;
  give_blocks (fixture, blocks, N_BLOCKS);
  g_clear_pointer (&fixture->store, fm_store_free);
}

static int
teardown (void **state)
{
  free_store (*state);
  return fixture_teardown (state);
}

/* The blocks are right, were had in place, and it was said why. */
static void
assert_in_place (Fixture *fixture, const gchar *why)
{
  assert_int_equal (count_lost (fixture, blocks, N_BLOCKS, 1), 0);
  assert_true (statistic (fixture, FM_STAT_MAPS_IN_PLACE) > 0);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_FAILED), 0);
  assert_warned (1, why);
}

/* What was on disk is had through its mapping, what comes stays in memory, and
 * the other file is left alone. */
static void
test_closed (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *path = g_build_filename (fixture->dir, "other", NULL);
  FmStoreBlock after[N_BLOCKS];
  struct stat status;
  int other, ours, number;

  /* What is under way just then may meet the other file. */
  while (statistic (fixture, FM_STAT_EXTENTS_WRITING) > 0)
    g_usleep (1000);
  assert_true (g_file_set_contents (path, "precious", -1, NULL));
  other = open (path, O_RDWR | O_CLOEXEC);
  number = testing_find_backing_file (fixture->dir);
  assert_true (other >= 0 && number >= 0);
  ours = dup (number);
  assert_int_equal (dup2 (other, number), number);

  assert_in_place (fixture, "the program has closed the backing file");
  write_extents (fixture, after, N_BLOCKS, 1000);
  assert_int_equal (count_lost (fixture, after, N_BLOCKS, 1000), 0);
  assert_int_equal (count_lost (fixture, blocks, N_BLOCKS, 1), 0);
  give_blocks (fixture, after, N_BLOCKS);
  assert_int_equal (fstat (other, &status), 0);
  assert_int_equal (status.st_size, strlen ("precious"));

  free_store (fixture);
  /* Nor is it closed. */
  assert_true (fcntl (number, F_GETFD) >= 0);
  close (number);
  close (ours);
  close (other);
  unlink (path);
}

static int
refuse_to_move (const FmCallInfo *info)
{
  return info->call == FM_CALL_MREMAP ? EPERM : 0;
}

static void
test_never_moved (void **state)
{
  fm_seam_set_hook (refuse_to_move);
  assert_in_place (*state, "the kernel refused to bring buffers back");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown (test_closed, setup, teardown),
      cmocka_unit_test_setup_teardown (test_never_moved, setup, teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
