/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-closed.c: tests a store whose program closes all descriptors, as
 * daemons do, and then opens a file that gets the number of the backing file.
 */
#include "messages.h"
#include "store.h"
#include "testing.h"

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

/* What was on disk is had through its mapping, what comes stays in memory, and
 * the other file is left alone. */
static void
test_closed (void **state)
{
  gchar *dir = testing_dir_new ();
  g_autofree gchar *path = g_build_filename (dir, "other", NULL);
  FmStats *stats = fm_stats_new ();
  FmStoreBlock before[N_BLOCKS], after[N_BLOCKS];
  FmOptions options;
  FmStore *store;
  struct stat status;
  int other, ours, number;

  fm_options_init (&options);
  assert_true (fm_options_set (&options, FM_OPTION_DIR, dir, NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_SIZE, "256M", NULL));
  fm_messages_set_func (keep_warning);
  store = fm_store_new (&options, stats, NULL);
  assert_non_null (store);
  fill (store, before, 1);
  assert_true (figure (store, stats, FM_STAT_EXTENTS_SPILLED) > 0);
  /* What is under way just then may meet the other file. */
  while (figure (store, stats, FM_STAT_EXTENTS_WRITING) > 0)
    g_usleep (1000);

  assert_true (g_file_set_contents (path, "precious", -1, NULL));
  other = open (path, O_RDWR | O_CLOEXEC);
  number = testing_find_backing_file (dir);
  assert_true (other >= 0 && number >= 0);
  ours = dup (number);
  assert_int_equal (dup2 (other, number), number);

  check (store, before, 1);
  assert_true (figure (store, stats, FM_STAT_MAPS_IN_PLACE) > 0);
  assert_int_equal (figure (store, stats, FM_STAT_MAPS_FAILED), 0);
  fill (store, after, 1000);
  check (store, after, 1000);
  check (store, before, 1);
  assert_non_null (warning);
  assert_non_null (strstr (warning, "the program has closed the backing file"));
  assert_int_equal (fstat (other, &status), 0);
  assert_int_equal (status.st_size, strlen ("precious"));

  give (store, before);
  give (store, after);
  fm_store_free (store);
  /* Nor is it closed. */
  assert_true (fcntl (number, F_GETFD) >= 0);
  fm_messages_set_func (NULL);
  g_clear_pointer (&warning, g_free);
  fm_options_clear (&options);
  fm_stats_free (stats);
  close (number);
  close (ours);
  close (other);
  unlink (path);
  testing_dir_free (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test (test_closed)};

  return cmocka_run_group_tests (tests, NULL, NULL);
}
