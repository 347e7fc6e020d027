/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-cut.c: tests a backing file that somebody cuts short: it has no name,
 * but whoever may look into /proc/PID/fd can truncate it. What was in it is
 * lost, and must never pass for zeros, not even when a write of ours has made
 * the file longer again; nor may it be a SIGBUS.
 */
#include "backing-file.h"
#include "messages.h"
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* With ram=0: a budget of 4 MiB. */
#define BLOCK (256 * TESTING_KIB)
#define N_BLOCKS 64
#define LENGTH (16 * BLOCK)

/* ---- the file alone ---- */

typedef struct
{
  gchar *dir;
  FmBackingFile *file;
  guint8 *data, *back; /* a BLOCK each, for direct transfers */
} FileFixture;

static int
setup_file (void **state)
{
  FileFixture *fixture = g_new0 (FileFixture, 1);
  guint i;

  fixture->dir = testing_dir_new ();
  fixture->file = fm_backing_file_new (fixture->dir, NULL);
  assert_non_null (fixture->file);
  assert_int_equal (fm_backing_file_set_length (fixture->file, LENGTH), 0);
  assert_int_equal (
      posix_memalign ((void **) &fixture->data, TESTING_PAGE, BLOCK), 0);
  assert_int_equal (
      posix_memalign ((void **) &fixture->back, TESTING_PAGE, BLOCK), 0);
  testing_fill (fixture->data, BLOCK, 1);
  for (i = 0; i < LENGTH / BLOCK; i++)
    assert_int_equal (
        fm_backing_file_write (fixture->file, i * BLOCK, fixture->data, BLOCK),
        0);
  *state = fixture;
  return 0;
}

static int
teardown_file (void **state)
{
  FileFixture *fixture = *state;

  fm_seam_set_hook (NULL);
  fm_backing_file_free (fixture->file);
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
  testing_dir_free (fixture->dir);
  free (fixture->data);
  free (fixture->back);
  g_free (fixture);
  return 0;
}

/* Whatever is asked of it. */
static void
assert_lost (FileFixture *fixture, guint64 offset)
{
  FmBackingFile *file = fixture->file;

  assert_int_equal (
      fm_backing_file_read (file, offset, fixture->back, BLOCK), ENODATA);
  assert_int_equal (fm_backing_file_read_parts (file, offset, fixture->back,
                        BLOCK / 2, fixture->back + BLOCK / 2, BLOCK / 2),
      ENODATA);
  assert_int_equal (
      fm_backing_file_write (file, offset, fixture->data, BLOCK), ENODATA);
  assert_int_equal (
      fm_backing_file_reserve (file, offset, BLOCK, BLOCK), ENODATA);
  assert_int_equal (
      fm_backing_file_punch (file, offset, BLOCK, BLOCK), ENODATA);
}

static void
test_file_is_cut (void **state)
{
  FileFixture *fixture = *state;
  FmBackingFile *file = fixture->file;

  assert_int_equal (fm_backing_file_read (file, 0, fixture->back, BLOCK), 0);
  assert_memory_equal (fixture->back, fixture->data, BLOCK);
  assert_int_equal (ftruncate (file->fd, LENGTH / 2), 0);
  assert_lost (fixture, LENGTH - BLOCK);
  assert_lost (fixture, 0);

  /* As long as it was, but for the bytes. */
  assert_int_equal (ftruncate (file->fd, LENGTH), 0);
  assert_lost (fixture, LENGTH - BLOCK);
  assert_lost (fixture, 0);
}

static FileFixture *cut_during;

/* Right before the call, and long enough again for the check after it. */
static int
cut (const FmCallInfo *info)
{
  if (cut_during == NULL || info->call != FM_CALL_PREAD)
    return 0;
  assert_int_equal (ftruncate (cut_during->file->fd, LENGTH / 2), 0);
  cut_during = NULL;
  return 0;
}

/* Between the look at the file and the read. */
static void
test_file_is_cut_meanwhile (void **state)
{
  FileFixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (fm_backing_file_read (
                        fixture->file, LENGTH - BLOCK, fixture->back, BLOCK),
      ENODATA);
  assert_lost (fixture, 0);
}

/* It ends behind what is read, where there were bytes in the cache. */
static void
test_file_is_cut_behind (void **state)
{
  FileFixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (
      fm_backing_file_read (fixture->file, 0, fixture->back, BLOCK), ENODATA);
  assert_lost (fixture, 0);
}

static void
test_file_is_cut_between_parts (void **state)
{
  FileFixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (fm_backing_file_read_parts (fixture->file, 0, fixture->back,
                        BLOCK / 2, fixture->back + BLOCK / 2, BLOCK / 2),
      ENODATA);
}

/* ---- a store ---- */

typedef struct
{
  gchar *dir;
  FmStats *stats;
  FmStore *store;
  FmStoreBlock blocks[N_BLOCKS];
} Fixture;

/* Not GLib's, which the thread sanitizer does not see. */
static pthread_mutex_t warning_lock = PTHREAD_MUTEX_INITIALIZER;
static gchar *warning;
static atomic_uint n_warnings;

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  if (level != FM_MESSAGE_WARNING)
    return;
  pthread_mutex_lock (&warning_lock);
  if (warning == NULL)
    warning = g_strdup (text);
  atomic_fetch_add (&n_warnings, 1);
  pthread_mutex_unlock (&warning_lock);
}

static guint64
statistic (Fixture *fixture, FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (fixture->stats, values);
  return values[id];
}

static void
write_block (Fixture *fixture, guint i)
{
  const FmStoreBlock *block = &fixture->blocks[i];

  assert_true (fm_store_map (fixture->store, block, FM_PIN_WRITE));
  testing_fill (block->data, BLOCK, i);
  fm_store_unmap (fixture->store, block, FM_PIN_WRITE, BLOCK);
}

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  FmOptions options;
  guint i;

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
  for (i = 0; i < N_BLOCKS; i++) {
    assert_int_equal (
        fm_store_alloc (fixture->store, BLOCK, 0, 0, &fixture->blocks[i]),
        FM_STORE_DONE);
    write_block (fixture, i);
  }
  assert_true (statistic (fixture, FM_STAT_EXTENTS_SPILLED) > N_BLOCKS / 4);
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < N_BLOCKS; i++)
    fm_store_give (fixture->store, &fixture->blocks[i]);
  fm_store_free (fixture->store);
  fm_seam_set_hook (NULL);
  fm_messages_set_func (NULL);
  g_clear_pointer (&warning, g_free);
  atomic_store (&n_warnings, 0);
  fm_stats_free (fixture->stats);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
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

static guint
count_lost (Fixture *fixture)
{
  guint i, lost = 0;

  for (i = 0; i < N_BLOCKS; i++) {
    const FmStoreBlock *block = &fixture->blocks[i];

    if (!fm_store_map (fixture->store, block, FM_PIN_READ)) {
      lost++;
      continue;
    }
    assert_true (testing_is_filled (block->data, BLOCK, i));
    fm_store_unmap (fixture->store, block, FM_PIN_READ, 0);
  }
  return lost;
}

static void
assert_one_warning (const gchar *part)
{
  assert_int_equal (atomic_load (&n_warnings), 1);
  if (strstr (warning, part) == NULL)
    fail_msg ("\"%s\" is not in: %s", part, warning);
}

static void
test_store_is_cut (void **state)
{
  Fixture *fixture = *state;
  FmStoreBlock more[4];
  const guint spilled = (guint) statistic (fixture, FM_STAT_EXTENTS_SPILLED);
  guint lost, i;

  cut_file (fixture, 0);
  lost = count_lost (fixture);
  assert_in_range (lost, spilled / 2, N_BLOCKS - 1);
  assert_one_warning ("somebody has cut the backing file short");

  /* As long as before, and longer. */
  cut_file (fixture, (off_t) 1 << 30);
  assert_true (count_lost (fixture) >= lost);

  /* The program goes on, in memory. */
  for (i = 0; i < G_N_ELEMENTS (more); i++) {
    assert_int_equal (
        fm_store_alloc (fixture->store, BLOCK, 0, 0, &more[i]), FM_STORE_DONE);
    assert_true (fm_store_map (fixture->store, &more[i], FM_PIN_WRITE));
    testing_fill (more[i].data, BLOCK, i);
    fm_store_unmap (fixture->store, &more[i], FM_PIN_WRITE, BLOCK);
  }
  for (i = 0; i < G_N_ELEMENTS (more); i++) {
    assert_true (fm_store_map (fixture->store, &more[i], FM_PIN_READ));
    assert_true (testing_is_filled (more[i].data, BLOCK, i));
    fm_store_unmap (fixture->store, &more[i], FM_PIN_READ, 0);
    fm_store_give (fixture->store, &more[i]);
  }
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
  assert_true (count_lost (fixture) > 0);
  assert_int_equal (statistic (fixture, FM_STAT_MAPS_IN_PLACE), 0);
}

int
main (void)
{
#define FILE_TEST(name) \
  cmocka_unit_test_setup_teardown (name, setup_file, teardown_file)
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      FILE_TEST (test_file_is_cut),
      FILE_TEST (test_file_is_cut_meanwhile),
      FILE_TEST (test_file_is_cut_behind),
      FILE_TEST (test_file_is_cut_between_parts),
      TEST (test_store_is_cut),
      TEST (test_never_in_place),
  };
#undef FILE_TEST
#undef TEST

  return cmocka_run_group_tests_name ("store-cut", tests, NULL, NULL);
}
