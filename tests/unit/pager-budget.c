/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-budget.c: tests a budget that changes while the pager is at work: up at
 * once, down by spilling, never below what is mapped and a floor, and not stuck
 * halfway where the disk refuses.
 */
#include "pager-fixture.h"
#include "seam.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXTENTS 24
#define SMALL (8 * EXTENT)
#define PINNED 16

/* Of small budgets a half; see pager-budget.c. */
#define FLOOR_OF_SMALL (SMALL / 2)

#define LONG_ENOUGH ((gint64) 300 * G_USEC_PER_SEC)

static FmExtent *extents[EXTENTS];
static atomic_bool disk_is_full;

static int
refuse_space (const FmCallInfo *info)
{
  return info->call == FM_CALL_FALLOCATE && atomic_load (&disk_is_full) ? ENOSPC
                                                                        : 0;
}

static int
set_up (void **state)
{
  Fixture *fixture;
  guint i;

  atomic_store (&disk_is_full, FALSE);
  fixture_setup (state);
  fixture = *state;
  fm_seam_set_hook (refuse_space);
  for (i = 0; i < EXTENTS; i++) {
    extents[i] = acquire (fixture, EXTENT, FALSE);
    write_extent (fixture, extents[i], i);
  }
  return 0;
}

static gsize
resident (Fixture *fixture)
{
  gsize bytes;

  fm_pager_lock (fixture->pager);
  bytes = fixture->pager->resident_bytes;
  fm_pager_unlock (fixture->pager);
  return bytes;
}

static void
wait_for_resident (Fixture *fixture, gsize most)
{
  const gint64 end = fm_now () + LONG_ENOUGH;

  while (resident (fixture) > most) {
    assert_true (fm_now () < end);
    g_usleep (1000);
  }
}

static void
check_all (Fixture *fixture)
{
  guint i;

  for (i = 0; i < EXTENTS; i++)
    check_extent (fixture, extents[i], i);
}

static void
test_down_and_up (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  guint64 spills;

  assert_int_equal (atomic_load (&pager->n_spilled), 0);
  fm_pager_set_budget (pager, SMALL);
  assert_int_equal (fm_pager_budget (pager), SMALL);
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
  wait_for_resident (fixture, SMALL);

  fm_pager_set_budget (pager, 2 * IN_BUDGET * EXTENT);
  check_all (fixture);
  spills = atomic_load (&fixture->stats->value[FM_STAT_SPILLS]);
  check_all (fixture);
  assert_int_equal (resident (fixture), EXTENTS * EXTENT);
  assert_int_equal (
      atomic_load (&fixture->stats->value[FM_STAT_SPILLS]), spills);
}

/* The rest has the floor, until it is unmapped. */
static void
test_mapped (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < PINNED; i++)
    assert_true (
        fm_pager_pin (fixture->pager, &(FmBlock){extents[i]}, FM_PIN_READ));
  fm_pager_set_budget (fixture->pager, SMALL);
  wait_for_resident (fixture, PINNED * EXTENT + FLOOR_OF_SMALL);
  for (i = 0; i < PINNED; i++) {
    assert_int_equal (state_of (extents[i]), FM_RESIDENT);
    fm_pager_unpin (fixture->pager, &(FmBlock){extents[i]}, FM_PIN_READ, 0, 0);
  }
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
}

static void
test_disk_full (void **state)
{
  Fixture *fixture = *state;
  const gint64 end = fm_now () + LONG_ENOUGH;

  atomic_store (&disk_is_full, TRUE);
  fm_pager_set_budget (fixture->pager, SMALL);
  while (atomic_load (&fixture->stats->value[FM_STAT_SPILL_FAILURES]) < 2) {
    assert_true (fm_now () < end);
    g_usleep (1000);
  }
  check_all (fixture);
  assert_int_equal (resident (fixture), EXTENTS * EXTENT);
  atomic_store (&disk_is_full, FALSE);
  wait_for_resident (fixture, SMALL);
  check_all (fixture);
}

/* Extents of small blocks, and what is read ahead, are in proportion. */
static void
test_proportions (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;

  assert_int_equal (pager->extent_size, EXTENT);
  fm_pager_set_budget (pager, SMALL);
  assert_int_equal (pager->extent_size, SMALL / 16);
  assert_true (pager->window <= SMALL / 4);
  assert_true (pager->fill_room <= SMALL / 8);
  fm_pager_set_budget (pager, IN_BUDGET * EXTENT);
  assert_int_equal (pager->extent_size, EXTENT);
}

/* ---- what others need ---- */

/* Of a machine of 64 MiB, whose margin is 16. */
static void
put_available (Fixture *fixture, guint kib)
{
  g_autofree gchar *proc = g_build_filename (fixture->dir, "proc", NULL);
  g_autofree gchar *path = g_build_filename (proc, "meminfo", NULL);
  g_autofree gchar *text =
      g_strdup_printf ("MemTotal: 65536 kB\nMemAvailable: %u kB\n", kib);

  assert_int_equal (g_mkdir_with_parents (proc, 0700), 0);
  assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* Before anybody looks. */
static void
set_machine (Fixture *fixture)
{
  put_available (fixture, 60 * 1024);
  fixture->pager->config.machine = fixture->dir;
}

/* What is not there limits nothing. */
static void
remove_machine (Fixture *fixture)
{
  g_autofree gchar *proc = g_build_filename (fixture->dir, "proc", NULL);
  g_autofree gchar *path = g_build_filename (proc, "meminfo", NULL);

  g_remove (path);
  g_rmdir (proc);
}

static void
age (FmPager *pager, guint seconds)
{
  fm_pager_lock (pager);
  pager->looked -= seconds * G_USEC_PER_SEC;
  fm_pager_unlock (pager);
}

/* As who looks goes on: something may have to be written for the first time. */
static void
look (FmPager *pager)
{
  fm_pager_look (pager);
  fm_pager_lock (pager);
  if (pager->threads_state == FM_THREADS_NONE && fm_pager_is_pressed (pager))
    fm_pager_start_threads (pager);
  fm_pager_unlock (pager);
}

static void
test_gives_way (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  gsize most = EXTENTS * EXTENT, asked = fm_pager_budget (pager);

  set_machine (fixture);
  look (pager);
  assert_int_equal (fm_pager_budget (pager), asked);
  assert_int_equal (resident (fixture), most);
  put_available (fixture, 15 * 1024);
  look (pager);
  assert_int_equal (fm_pager_budget (pager), most - TESTING_MIB);
  wait_for_resident (fixture, most - TESTING_MIB);
  assert_int_equal (atomic_load (&fixture->stats->value[FM_STAT_YIELDS]), 1);
  put_available (fixture, 0);
  look (pager);
  wait_for_resident (fixture, FM_PAGER_YIELDS_TO);
  check_all (fixture);
  assert_int_equal (atomic_load (&fixture->stats->value[FM_STAT_YIELDS]), 1);
  put_available (fixture, 60 * 1024);
  age (pager, 1);
  look (pager);
  assert_in_range (fm_pager_budget (pager), FM_PAGER_YIELDS_TO + asked / 16,
      FM_PAGER_YIELDS_TO + asked / 8);
  age (pager, 3600);
  look (pager);
  age (pager, 3600);
  look (pager);
  assert_int_equal (fm_pager_budget (pager), asked);
  check_all (fixture);
  remove_machine (fixture);
}

/* Though nothing comes or goes. */
static void
test_is_looked_at (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent;

  set_machine (fixture);
  extent = acquire (fixture, EXTENT, FALSE);
  put_available (fixture, 0);
  wait_for_resident (fixture, FM_PAGER_YIELDS_TO);
  check_all (fixture);
  remove_machine (fixture);
  fm_pager_release (fixture->pager, extent);
}

static guint64
stat_of (Fixture *fixture, guint stat)
{
  return atomic_load (&fixture->stats->value[stat]);
}

/* The service manager says so, by a FIFO, and the keeper does something about
 * it though there is enough. */
static void
test_is_told (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *fifo = g_build_filename (fixture->dir, "fifo", NULL);
  gsize most = EXTENTS * EXTENT;
  FmExtent *extent;
  int fd;

  assert_int_equal (mkfifo (fifo, 0600), 0);
  g_setenv ("MEMORY_PRESSURE_WATCH", fifo, TRUE);
  set_machine (fixture);
  extent = acquire (fixture, EXTENT, FALSE);
  /* Somebody reads it, once the keeper looks. */
  while ((fd = open (fifo, O_WRONLY | O_NONBLOCK)) < 0)
    g_usleep (1000);
  assert_int_equal (write (fd, "x", 1), 1);
  wait_for_resident (fixture, (most + EXTENT) / 4 * 3);
  close (fd);
  assert_int_equal (stat_of (fixture, FM_STAT_YIELDS_STALLS), 1);
  check_all (fixture);
  g_unsetenv ("MEMORY_PRESSURE_WATCH");
  remove_machine (fixture);
  fm_pager_release (fixture->pager, extent);
  g_unlink (fifo);
}

/* Another program takes its part, and goes. */
static void
test_shares (void **state)
{
  Fixture *fixture = *state;
  FmPager *pager = fixture->pager;
  gsize most = EXTENTS * EXTENT, asked = fm_pager_budget (pager);
  g_autofree gchar *dir = g_build_filename (fixture->dir, "shared", NULL);
  g_autofree gchar *path = g_build_filename (dir, "ram-total", NULL);
  FmRamTotal *other = fm_ram_total_new (dir, asked);
  const FmClaim much = {FM_PAGER_YIELDS_TO, 2 * asked};
  guint programs;

  set_machine (fixture);
  pager->config.total = fm_ram_total_new (dir, asked);
  look (pager);
  assert_int_equal (fm_pager_budget (pager), asked);
  assert_int_equal (stat_of (fixture, FM_STAT_SHARE), asked);
  (void) fm_ram_total_claim (other, 0, &much, &programs);
  assert_int_equal (programs, 2);
  look (pager);
  assert_in_range (fm_pager_budget (pager), asked / 2, most - 1);
  assert_int_equal (stat_of (fixture, FM_STAT_PROGRAMS), 2);
  assert_int_equal (stat_of (fixture, FM_STAT_YIELDS_SHARE), 1);
  wait_for_resident (fixture, fm_pager_budget (pager));
  check_all (fixture);
  fm_ram_total_free (other);
  age (pager, 3600);
  look (pager);
  age (pager, 3600);
  look (pager);
  assert_int_equal (fm_pager_budget (pager), asked);
  remove_machine (fixture);
  fm_ram_total_free (pager->config.total);
  pager->config.total = NULL;
  g_unlink (path);
  g_rmdir (dir);
}

#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, set_up, fixture_teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
      TEST (test_down_and_up),
      TEST (test_mapped),
      TEST (test_disk_full),
      TEST (test_proportions),
      TEST (test_gives_way),
      TEST (test_is_looked_at),
      TEST (test_is_told),
      TEST (test_shares),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
