/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-cut.c: tests a store whose backing file somebody cuts short: it has no
 * name, but whoever may look into /proc/PID/fd can truncate it. What was in it
 * is lost, and must never pass for zeros; nor may it be a SIGBUS.
 */
#include "store-fixture.h"

#include <errno.h>
#include <unistd.h>

#define N_BLOCKS 64

static FmStoreBlock blocks[N_BLOCKS];

static int
setup (void **state)
{
  return fixture_setup_spilled (state, blocks, N_BLOCKS, 0);
}

static int
teardown (void **state)
{
  give_blocks (*state, blocks, N_BLOCKS);
  return fixture_teardown (state);
}

/* Through /proc, as somebody else would. */
static void
cut_file (Fixture *fixture, off_t length)
{
  const int fd = testing_find_backing_file (fixture->dir);
  g_autofree gchar *path = g_strdup_printf ("/proc/self/fd/%d", fd);

  assert_true (fd >= 0);
  assert_int_equal (truncate (path, length), 0);
}

static void
test_store_is_cut (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock more[4];
  const guint spilled = (guint) statistic (fixture, FM_STAT_EXTENTS_SPILLED);
  guint lost;

  cut_file (fixture, 0);
  lost = count_lost (fixture, blocks, N_BLOCKS, 0);
  assert_in_range (lost, spilled / 2, N_BLOCKS - 1);
  assert_warned (1, "somebody has cut the backing file short");

  /* As long as before, and longer. */
  cut_file (fixture, (off_t) 1 << 30);
  assert_true (count_lost (fixture, blocks, N_BLOCKS, 0) >= lost);

  /* The program goes on, in memory. */
  write_extents (fixture, more, G_N_ELEMENTS (more), 0);
  assert_int_equal (count_lost (fixture, more, G_N_ELEMENTS (more), 0), 0);
  give_blocks (fixture, more, G_N_ELEMENTS (more));
}

static Fixture *to_cut;
static GThread *main_thread;

/* The file was whole when it was looked at, and there is no memory to read it
 * into: it would be mapped in place, where there is nothing now. */
static int
cut_and_refuse (const FmCallInfo *info)
{
  if (info->call != FM_CALL_PREAD)
    return 0;
  /* Not while it is read ahead, or the map would find it cut already. */
  if (g_thread_self () == main_thread && to_cut != NULL)
    cut_file (g_steal_pointer (&to_cut), 0);
  return ENOMEM;
}

static void
test_never_in_place (void **state)
{
  Fixture *fixture = *state;

  to_cut = fixture;
  main_thread = g_thread_self ();
  fm_seam_set_hook (cut_and_refuse);
  assert_true (count_lost (fixture, blocks, N_BLOCKS, 0) > 0);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_IN_PLACE), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown (test_store_is_cut, setup, teardown),
      cmocka_unit_test_setup_teardown (test_never_in_place, setup, teardown),
  };

  return cmocka_run_group_tests_name ("store-cut", tests, NULL, NULL);
}
