/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-in-place.c: tests a store that can't read back what it spilled, so that
 * blocks are had through the mapping of the file: because the program closes
 * all descriptors, as daemons do, and then opens a file that gets the number of
 * the backing file; or because the kernel refuses to move memory.
 */
#include "messages.h"
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* With ram=0. */
#define LEAST_EXTENT (256 * TESTING_KIB)
#define N_BLOCKS 64

static gchar *warning;

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  if (level == FM_MESSAGE_WARNING && warning == NULL)
    warning = g_strdup (text);
}

static guint64
figure (FmStore *store, FmStats *stats, FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_store_update_stats (store);
  fm_stats_snapshot (stats, values);
  return values[id];
}

static void
fill (FmStore *store, FmStoreBlock block[N_BLOCKS], guint seed)
{
  guint i;

  for (i = 0; i < N_BLOCKS; i++) {
    assert_int_equal (
        fm_store_alloc (store, LEAST_EXTENT, 0, 0, &block[i]), FM_STORE_DONE);
    assert_true (fm_store_map (store, &block[i], FM_PIN_WRITE));
    testing_fill (block[i].data, LEAST_EXTENT, seed + i);
    fm_store_unmap (store, &block[i], FM_PIN_WRITE, LEAST_EXTENT);
  }
}

static void
check (FmStore *store, const FmStoreBlock block[N_BLOCKS], guint seed)
{
  guint i;

  for (i = 0; i < N_BLOCKS; i++) {
    assert_true (fm_store_map (store, &block[i], FM_PIN_READ));
    assert_true (testing_is_filled (block[i].data, LEAST_EXTENT, seed + i));
    fm_store_unmap (store, &block[i], FM_PIN_READ, 0);
  }
}

static void
give (FmStore *store, const FmStoreBlock block[N_BLOCKS])
{
  guint i;

  for (i = 0; i < N_BLOCKS; i++)
    fm_store_give (store, &block[i]);
}

typedef struct
{
  gchar *dir;
  FmStats *stats;
  FmStore *store;
  FmStoreBlock block[N_BLOCKS]; /* some of them spilled */
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  FmOptions options;

  fixture->dir = testing_dir_new ();
  fixture->stats = fm_stats_new ();
  fm_options_init (&options);
  assert_true (fm_options_set (&options, FM_OPTION_DIR, fixture->dir, NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_SIZE, "256M", NULL));
  fm_messages_set_func (keep_warning);
  fixture->store = fm_store_new (&options, fixture->stats, NULL);
  assert_non_null (fixture->store);
  fm_options_clear (&options);

  fill (fixture->store, fixture->block, 1);
  assert_true (
      figure (fixture->store, fixture->stats, FM_STAT_EXTENTS_SPILLED) > 0);
  *state = fixture;
  return 0;
}

static void
free_store (Fixture *fixture)
{
  if (fixture->store == NULL)
    return;
  give (fixture->store, fixture->block);
  fm_store_free (fixture->store);
  fixture->store = NULL;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  free_store (fixture);
  fm_seam_set_hook (NULL);
  fm_messages_set_func (NULL);
  g_clear_pointer (&warning, g_free);
  fm_stats_free (fixture->stats);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

/* The blocks are right, were had in place, and it was said why. */
static void
assert_in_place (Fixture *fixture, const gchar *why)
{
  FmStore *store = fixture->store;

  check (store, fixture->block, 1);
  assert_true (figure (store, fixture->stats, FM_STAT_MAPS_IN_PLACE) > 0);
  assert_int_equal (figure (store, fixture->stats, FM_STAT_MAPS_FAILED), 0);
  assert_non_null (warning);
  assert_non_null (strstr (warning, why));
}

/* What was on disk is had through its mapping, what comes stays in memory, and
 * the other file is left alone. */
static void
test_closed (void **state)
{
  Fixture *fixture = *state;
  FmStore *store = fixture->store;
  g_autofree gchar *path = g_build_filename (fixture->dir, "other", NULL);
  FmStoreBlock after[N_BLOCKS];
  struct stat status;
  int other, ours, number;

  /* What is under way just then may meet the other file. */
  while (figure (store, fixture->stats, FM_STAT_EXTENTS_WRITING) > 0)
    g_usleep (1000);
  assert_true (g_file_set_contents (path, "precious", -1, NULL));
  other = open (path, O_RDWR | O_CLOEXEC);
  number = testing_find_backing_file (fixture->dir);
  assert_true (other >= 0 && number >= 0);
  ours = dup (number);
  assert_int_equal (dup2 (other, number), number);

  assert_in_place (fixture, "the program has closed the backing file");
  fill (store, after, 1000);
  check (store, after, 1000);
  check (store, fixture->block, 1);
  give (store, after);
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
