/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * shutdown.c: tests a store whose file system shuts down, as one does whose
 * disk is gone. From then on the kernel refuses most calls on the file, and
 * what its mapping shows can't be touched: that is a SIGBUS.
 *
 * Each case is a child, which mounts a file system and shuts it down by ioctl.
 * Blocks that were spilled can be mapped and are right (ext4 may have them in
 * the page cache), or can't; those in memory are right, as are new ones.
 */
#include "messages.h"
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Both file systems know it by this number. */
#define SHUT_DOWN _IOR ('X', 125, __u32)
#define WITHOUT_LOG 2

#define IMAGE (320 * TESTING_MIB)

/* With ram=0: a budget of 4 MiB. */
#define BLOCK (256 * TESTING_KIB)
#define N_BLOCKS 96
#define N_WARNINGS_MAX 16

typedef struct
{
  void (*mount) (const gchar *image, gsize size, const gchar *dir);
  /* Reads find no memory, so that blocks would be mapped in place. */
  gboolean in_place;
  void (*run) (gconstpointer fixture);
} Case;

typedef struct
{
  const Case *this_case;
  gchar *image_dir, *dir;
} Fixture;

static pthread_mutex_t warnings_lock = PTHREAD_MUTEX_INITIALIZER;
static gchar *warnings[N_WARNINGS_MAX];
static atomic_uint n_warnings;

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  guint n;

  if (level != FM_MESSAGE_WARNING)
    return;
  pthread_mutex_lock (&warnings_lock);
  n = atomic_load (&n_warnings);
  testing_check (n < N_WARNINGS_MAX);
  warnings[n] = g_strdup (text);
  atomic_store (&n_warnings, n + 1);
  pthread_mutex_unlock (&warnings_lock);
}

static guint
count_warnings (const gchar *part)
{
  guint i, n = 0;

  for (i = 0; i < atomic_load (&n_warnings); i++)
    n += strstr (warnings[i], part) != NULL;
  return n;
}

/* ---- in the child ---- */

static FmStore *store;
static FmStats *stats;

static guint64
statistic (FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (stats, values);
  return values[id];
}

static void
make_store (const gchar *dir)
{
  FmOptions options;

  fm_options_init (&options);
  testing_check (fm_options_set (&options, FM_OPTION_DIR, dir, NULL));
  testing_check (fm_options_set (&options, FM_OPTION_SIZE, "64M", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  stats = fm_stats_new ();
  store = fm_store_new (&options, stats, NULL);
  testing_check (store != NULL);
}

static void
shut_down (const gchar *dir)
{
  const __u32 how = WITHOUT_LOG;
  int fd = open (dir, O_RDONLY | O_CLOEXEC);

  testing_check (fd >= 0);
  if (ioctl (fd, SHUT_DOWN, &how) < 0)
    testing_child_skip ("this kernel does not shut file systems down");
  close (fd);
}

static void
write_blocks (FmStoreBlock *blocks, guint n, guint seed)
{
  guint i;

  for (i = 0; i < n; i++) {
    testing_check (
        fm_store_alloc (store, BLOCK, 0, 0, &blocks[i]) == FM_STORE_DONE);
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_WRITE));
    testing_fill (blocks[i].data, BLOCK, seed + i);
    fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, BLOCK);
  }
}

/* How many can't be mapped. */
static guint
count_lost (const FmStoreBlock *blocks, guint n, guint seed)
{
  guint i, lost = 0;

  for (i = 0; i < n; i++) {
    if (!fm_store_map (store, &blocks[i], FM_PIN_READ)) {
      lost++;
      continue;
    }
    testing_check (testing_is_filled (blocks[i].data, BLOCK, seed + i));
    fm_store_unmap (store, &blocks[i], FM_PIN_READ, 0);
  }
  return lost;
}

static void
give (const FmStoreBlock *blocks, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    fm_store_give (store, &blocks[i]);
}

static int
without_memory (const FmCallInfo *info)
{
  return info->call == FM_CALL_PREAD ? ENOMEM : 0;
}

/* It is the disk, and neither the program nor somebody else. Which calls are
 * the first to be refused is a matter of what is under way just then: a spill
 * may be given up without a word, and tried again later. */
static void
check_warnings (guint lost)
{
  guint i, j;

  testing_check (count_warnings ("closed the backing file") == 0);
  testing_check (count_warnings ("cut the backing file") == 0);
  testing_check (count_warnings ("the disk refused a write")
          + count_warnings ("the disk did not give back")
      > 0);
  testing_check (statistic (FM_STAT_EXTENTS_RETIRED) == 0);
  testing_check (count_warnings ("lost what was there") == 0);
  if (lost > 0)
    testing_check (count_warnings ("the disk did not give back") == 1);
  for (i = 0; i < atomic_load (&n_warnings); i++) {
    for (j = 0; j < i; j++)
      testing_check (!g_str_equal (warnings[i], warnings[j]));
  }
}

/* A store on a file system of its own. */
static void
begin (const Fixture *fixture)
{
  g_autofree gchar *image =
      g_build_filename (fixture->image_dir, "image", NULL);

  /* Not cmocka's handler, which would go on with the next test in here. */
  signal (SIGBUS, SIG_DFL);
  signal (SIGSEGV, SIG_DFL);
  fixture->this_case->mount (image, IMAGE, fixture->dir);
  make_store (fixture->dir);
}

static void
run (gconstpointer data)
{
  const Fixture *fixture = data;
  FmStoreBlock before[N_BLOCKS], after[N_BLOCKS];
  guint lost;

  fm_messages_set_func (keep_warning);
  begin (fixture);
  write_blocks (before, N_BLOCKS, 1);
  testing_check (statistic (FM_STAT_EXTENTS_SPILLED) > N_BLOCKS / 2);
  testing_check (atomic_load (&n_warnings) == 0);

  shut_down (fixture->dir);
  if (fixture->this_case->in_place)
    fm_seam_set_hook (without_memory);
  lost = count_lost (before, N_BLOCKS, 1);
  write_blocks (after, N_BLOCKS, 1000);
  testing_check (count_lost (after, N_BLOCKS, 1000) == 0);
  testing_check (count_lost (before, N_BLOCKS, 1) >= lost);
  testing_check (statistic (FM_STAT_MAPS_FAILED) >= lost);
  fprintf (stderr, "%u of %d blocks are lost\n", lost, N_BLOCKS);

  give (before, N_BLOCKS);
  give (after, N_BLOCKS);
  testing_check (statistic (FM_STAT_LIVE_BLOCKS) == 0);
  fm_store_free (store);
  check_warnings (lost);
}

/* What is in memory and in the file as well needs no write to be spilled, so
 * nothing has told yet that the disk is gone: it stays in memory. */
static void
run_clean (gconstpointer data)
{
  const Fixture *fixture = data;
  FmStoreBlock before[N_BLOCKS], after[N_BLOCKS];
  guint round;

  fm_messages_set_func (keep_warning);
  begin (fixture);
  write_blocks (before, N_BLOCKS, 1);
  for (round = 0; statistic (FM_STAT_CLEAN_SPILLS) < N_BLOCKS; round++) {
    testing_check (round < 100);
    testing_check (count_lost (before, N_BLOCKS, 1) == 0);
  }
  while (statistic (FM_STAT_EXTENTS_WRITING) > 0
      || statistic (FM_STAT_EXTENTS_FILLING) > 0)
    g_usleep (1000);

  shut_down (fixture->dir);
  write_blocks (after, N_BLOCKS, 1000);
  testing_check (count_lost (after, N_BLOCKS, 1000) == 0);
  testing_check (statistic (FM_STAT_EXTENTS_RETIRED) == 0);
  testing_check (count_warnings ("lost what was there") == 0);

  give (before, N_BLOCKS);
  give (after, N_BLOCKS);
  fm_store_free (store);
}

/* Of extents of which single blocks are read, so that these are lent. */
#define SMALL (16 * TESTING_KIB)
#define N_SMALL 1024
#define BESIDE (256 * TESTING_KIB)

static gboolean
are_neighbours (const FmStoreBlock *a, const FmStoreBlock *b)
{
  return a != b
      && GPOINTER_TO_SIZE (a->data) / BESIDE
      == GPOINTER_TO_SIZE (b->data) / BESIDE;
}

/* Who writes beside a block that is lent can't, or can: a page that may be read
 * is not one that may be written. */
static void
run_beside (gconstpointer data)
{
  const Fixture *fixture = data;
  FmStoreBlock blocks[N_SMALL];
  guint i, lent = 0;

  begin (fixture);
  for (i = 0; i < N_SMALL; i++) {
    testing_check (
        fm_store_alloc (store, SMALL, 0, 0, &blocks[i]) == FM_STORE_DONE);
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_WRITE));
    testing_fill (blocks[i].data, SMALL, i);
    fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, SMALL);
  }
  for (i = 0; statistic (FM_STAT_MAPS_LENT) == 0; i++) {
    testing_check (i < 100 * N_SMALL);
    lent = i * 97 % (N_SMALL / 2);
    testing_check (fm_store_map (store, &blocks[lent], FM_PIN_READ));
    if (statistic (FM_STAT_MAPS_LENT) == 0)
      fm_store_unmap (store, &blocks[lent], FM_PIN_READ, 0);
  }

  /* What is beside it is in the page cache, too. */
  for (i = 0; i < N_SMALL; i++) {
    if (are_neighbours (&blocks[i], &blocks[lent])) {
      testing_check (fm_store_map (store, &blocks[i], FM_PIN_READ));
      fm_store_unmap (store, &blocks[i], FM_PIN_READ, 0);
    }
  }
  shut_down (fixture->dir);
  for (i = 0; i < N_SMALL; i++) {
    if (are_neighbours (&blocks[i], &blocks[lent])
        && fm_store_map (store, &blocks[i], FM_PIN_WRITE)) {
      testing_fill (blocks[i].data, SMALL, 1);
      fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, SMALL);
    }
  }
  fm_store_unmap (store, &blocks[lent], FM_PIN_READ, 0);
  for (i = 0; i < N_SMALL; i++)
    fm_store_give (store, &blocks[i]);
  fm_store_free (store);
}

/* ---- the tests ---- */

/* The state is the case, then the fixture for it. */
static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->this_case = *state;
  fixture->image_dir = testing_dir_new ();
  fixture->dir = testing_dir_new ();
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  testing_dir_free (fixture->image_dir);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static void
test_shutdown (void **state)
{
  const Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("the thread sanitizer has no children that start threads");
  said = testing_run_child (fixture->this_case->run, fixture);
  print_message ("%s", said);
}

int
main (void)
{
  static const Case ext4 = {testing_mount_ext4, FALSE, run};
  static const Case ext4_in_place = {testing_mount_ext4, TRUE, run};
  static const Case ext4_clean = {testing_mount_ext4, FALSE, run_clean};
  static const Case ext4_beside = {testing_mount_ext4, FALSE, run_beside};
  static const Case xfs_beside = {testing_mount_xfs, FALSE, run_beside};
  static const Case xfs = {testing_mount_xfs, FALSE, run};
  static const Case xfs_in_place = {testing_mount_xfs, TRUE, run};
  static const Case xfs_clean = {testing_mount_xfs, FALSE, run_clean};
#define TEST(name, data)                                   \
  {                                                        \
    name, test_shutdown, setup, teardown, (void *) &(data) \
  }
  const struct CMUnitTest tests[] = {
      TEST ("ext4", ext4),
      TEST ("ext4, no memory for reads", ext4_in_place),
      TEST ("ext4, clean", ext4_clean),
      TEST ("ext4, beside a loan", ext4_beside),
      TEST ("xfs", xfs),
      TEST ("xfs, no memory for reads", xfs_in_place),
      TEST ("xfs, clean", xfs_clean),
      TEST ("xfs, beside a loan", xfs_beside),
  };

  return cmocka_run_group_tests_name ("shutdown", tests, NULL, NULL);
}
