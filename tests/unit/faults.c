/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * faults.c: every system call of the store fails once, wherever it is made.
 *
 * The same workload runs again and again; in the Nth run the Nth call of a kind
 * fails, once or from then on, until a run ends before its Nth call. The
 * workload writes more blocks than the budget holds, reads them back, writes
 * some again, and frees some for others to take their place. Whatever fails:
 *
 *   - it ends, without a crash;
 *   - a block that can be mapped has the bytes written last, and all can be
 *     mapped but for those that the disk or the kernel has really lost;
 *   - a store that can't be made says why, and leaves nothing open;
 *   - in the end nothing is counted that is not there.
 *
 * Each run is a child: a kernel that has lost mappings leaves an arena that can
 * never be given back. After the first few the calls are no longer failed one
 * by one but at growing distances; they are the same, over and over, and the
 * threads make no two runs the same anyway. FILEMEM_LONG_TESTS=1 makes the
 * distances smaller.
 *
 *   test-faults [PART/PARTS]      some of the kinds, for others to do the rest
 */
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

/* How many calls are failed one by one, and how much further the next one is
 * after those. */
#define ONE_BY_ONE 4
#define FURTHER 4
#define ONE_BY_ONE_LONG 20
#define FURTHER_LONG 2

/* A run takes a tenth of a second. */
#define RUN_SECONDS 240

/* Several extents of the least size, in pieces and one by one. With the least
 * budget, 4 MiB, about half of this has to be on disk. */
#define N_LARGE 2
#define LARGE (7 * MIDDLE)
#define N_MIDDLE 12
#define MIDDLE (256 * TESTING_KIB)
#define N_SMALL 400
#define SMALL 1316
#define N_BLOCKS (N_LARGE + N_MIDDLE + N_SMALL)
/* Small blocks are freed in groups, which leave pages worth giving back. */
#define GROUP 100

typedef enum {
  NOTHING_LOST,
  LOST_MEANWHILE, /* maps may fail as long as the calls do */
  LOST            /* for ever */
} Loss;

typedef struct
{
  const gchar *name;
  gboolean (*is_meant) (const FmCallInfo *info);
  int error;
  gboolean unmaps;  /* the kernel has unmapped the target before it fails */
  gboolean on_disk; /* else in memory, where that is to be had */
  Loss once, from_then_on;
  gboolean counts; /* each is an I/O error in the statistics */
  /* What fails all the time, so that the calls are made at all. */
  int (*standing) (const FmCallInfo *info);
  gboolean forks;
} Kind;

/* ---- the faults ---- */

static struct
{
  const Kind *kind;
  guint nth;
  gboolean persistent;
  atomic_uint seen;
  atomic_bool armed;
} fault;

/* Shared with the children. */
typedef struct
{
  atomic_bool fired;
  _Atomic guint64 spills, fills;
} Outcome;

static Outcome *outcome;

static int
hook (const FmCallInfo *info)
{
  const Kind *kind = fault.kind;
  int standing = kind->standing != NULL ? kind->standing (info) : 0;
  guint number;

  if (standing != 0 || !atomic_load (&fault.armed) || !kind->is_meant (info))
    return standing;
  number = atomic_fetch_add (&fault.seen, 1) + 1;
  if (number != fault.nth && !(fault.persistent && number > fault.nth))
    return 0;
  atomic_store (&outcome->fired, TRUE);
  if (kind->unmaps)
    munmap (info->address, info->length);
  return kind->error;
}

#define IS_CALL(name, CALL)                     \
  static gboolean name (const FmCallInfo *info) \
  {                                             \
    return info->call == FM_CALL_##CALL;        \
  }

IS_CALL (is_mmap, MMAP)
IS_CALL (is_munmap, MUNMAP)
IS_CALL (is_mremap, MREMAP)
IS_CALL (is_madvise, MADVISE)
IS_CALL (is_mprotect, MPROTECT)
IS_CALL (is_mincore, MINCORE)
IS_CALL (is_open, OPEN)
IS_CALL (is_unlink, UNLINK)
IS_CALL (is_ftruncate, FTRUNCATE)
IS_CALL (is_fallocate, FALLOCATE)
IS_CALL (is_fadvise, FADVISE)
IS_CALL (is_sync_file_range, SYNC_FILE_RANGE)
IS_CALL (is_pwrite, PWRITE)
IS_CALL (is_pread, PREAD)
IS_CALL (is_fcntl, FCNTL)
IS_CALL (is_fstat, FSTAT)
IS_CALL (is_fstatfs, FSTATFS)
IS_CALL (is_thread, THREAD)

/* Over what is there. */
static gboolean
is_fixed_mmap (const FmCallInfo *info)
{
  return is_mmap (info) && (info->flags & MAP_FIXED) != 0;
}

/* What a limit on the number of mappings refuses. */
static gboolean
is_any_mapping (const FmCallInfo *info)
{
  return is_fixed_mmap (info) || is_mremap (info);
}

/* Asked before a block is mapped in place. */
static gboolean
is_populating (const FmCallInfo *info)
{
  return is_madvise (info)
      && (info->flags == MADV_POPULATE_READ
          || info->flags == MADV_POPULATE_WRITE);
}

/* Disk space asked for. */
static gboolean
is_reservation (const FmCallInfo *info)
{
  return is_fallocate (info) && info->flags == 0;
}

/* Disk space given back. */
static gboolean
is_punching (const FmCallInfo *info)
{
  return is_fallocate (info) && info->flags != 0;
}

static int
without_direct (const FmCallInfo *info)
{
  return is_fcntl (info) ? EINVAL : 0;
}

static int
without_tmpfile (const FmCallInfo *info)
{
  return is_open (info) && (info->flags & O_TMPFILE) == O_TMPFILE ? EOPNOTSUPP
                                                                  : 0;
}

/* The disk is full every now and then, until something is given back. */
static int
with_a_full_disk (const FmCallInfo *info)
{
  static atomic_uint reservations;

  return is_reservation (info) && atomic_fetch_add (&reservations, 1) % 4 == 3
      ? ENOSPC
      : 0;
}

/* Every other block has to be mapped in place. */
static int
with_little_memory (const FmCallInfo *info)
{
  static atomic_uint reads;

  return is_pread (info) && atomic_fetch_add (&reads, 1) % 2 == 1 ? ENOMEM : 0;
}

/* FM_CALL_NOCOW is made only on file systems that copy on write. */
static const Kind kinds[] = {
    {"mmap", is_mmap, ENOMEM, .from_then_on = LOST},
    {"mmap in place", is_fixed_mmap, ENOMEM},
    {"mmap in place, unmapped", is_fixed_mmap, ENOMEM, .unmaps = TRUE},
    {"munmap", is_munmap, ENOMEM},
    {"mremap", is_mremap, ENOMEM},
    {"mremap, unmapped", is_mremap, ENOMEM, .unmaps = TRUE},
    {"mremap, flag unknown", is_mremap, EINVAL},
    {"mmap and mremap", is_any_mapping, ENOMEM, .from_then_on = LOST_MEANWHILE},
    {"madvise", is_madvise, EAGAIN},
    {"madvise, pages not to be had", is_populating, EFAULT,
        .once = LOST_MEANWHILE, .from_then_on = LOST_MEANWHILE, .counts = TRUE,
        .standing = with_little_memory},
    {"mprotect", is_mprotect, ENOMEM, .forks = TRUE},
    {"mincore", is_mincore, EAGAIN},
    {"open", is_open, ENOSPC},
    {"open, no O_TMPFILE", is_open, EOPNOTSUPP},
    {"unlink", is_unlink, EIO, .standing = without_tmpfile},
    {"ftruncate", is_ftruncate, EFBIG},
    {"fallocate", is_fallocate, EIO},
    {"fallocate, not supported", is_fallocate, EOPNOTSUPP},
    {"fallocate, disk full", is_reservation, ENOSPC},
    {"fallocate, punching", is_punching, EIO, .standing = with_a_full_disk},
    {"fallocate, punching not supported", is_punching, EOPNOTSUPP,
        .standing = with_a_full_disk},
    {"fadvise", is_fadvise, EINVAL, .on_disk = TRUE,
        .standing = without_direct},
    {"sync_file_range", is_sync_file_range, EIO, .on_disk = TRUE,
        .standing = without_direct},
    {"sync_file_range, not supported", is_sync_file_range, EINVAL,
        .on_disk = TRUE, .standing = without_direct},
    {"pwrite", is_pwrite, EIO},
    {"pwrite, disk full", is_pwrite, ENOSPC},
    {"pwrite, direct refused", is_pwrite, EINVAL, .on_disk = TRUE},
    {"pread", is_pread, EIO, .once = LOST_MEANWHILE,
        .from_then_on = LOST_MEANWHILE},
    {"pread, no memory", is_pread, ENOMEM},
    {"pread, direct refused", is_pread, EINVAL, .on_disk = TRUE,
        .from_then_on = LOST_MEANWHILE},
    {"fcntl", is_fcntl, EINVAL, .on_disk = TRUE},
    /* As on a file system that has shut down. */
    {"fstat", is_fstat, EIO, .once = LOST_MEANWHILE,
        .from_then_on = LOST_MEANWHILE},
    {"fstatfs", is_fstatfs, EIO},
    {"thread", is_thread, EAGAIN},
};

/* ---- the workload, in a child ---- */

typedef struct
{
  FmStoreBlock block;
  gsize size;
  guint seed; /* 0: not written */
  gboolean live;
} Block;

static struct
{
  const gchar *dir;
  FmStore *store;
  FmStats *stats;
  Block blocks[N_BLOCKS];
  guint seeds;
  Loss loss;
} w;

static gboolean
map (const Block *block, FmPinFlags flags)
{
  gboolean mapped = fm_store_map (w.store, &block->block, flags);

  testing_check (mapped || w.loss == LOST
      || (w.loss == LOST_MEANWHILE && atomic_load (&fault.armed)));
  return mapped;
}

static void
write_block (Block *block)
{
  if (!map (block, FM_PIN_WRITE))
    return;
  block->seed = ++w.seeds;
  testing_fill (block->block.data, block->size, block->seed);
  fm_store_unmap (w.store, &block->block, FM_PIN_WRITE, block->size);
}

static void
make_block (Block *block)
{
  FmStoreResult result =
      fm_store_alloc (w.store, block->size, 0, 0, &block->block);

  block->live = result == FM_STORE_DONE;
  block->seed = 0;
  testing_check (block->live || result == FM_STORE_NO_MEMORY);
  testing_check (block->live
      || fault.kind->is_meant (
          &(FmCallInfo){FM_CALL_MMAP, NULL, 0, MAP_FIXED}));
  if (block->live)
    write_block (block);
}

static void
give_block (Block *block)
{
  if (block->live)
    fm_store_give (w.store, &block->block);
  block->live = FALSE;
}

static void
check_block (const Block *block)
{
  if (!block->live || block->seed == 0 || !map (block, FM_PIN_READ))
    return;
  testing_check (
      testing_is_filled (block->block.data, block->size, block->seed));
  fm_store_unmap (w.store, &block->block, FM_PIN_READ, 0);
}

static void
check_all (void)
{
  guint i;

  for (i = 0; i < N_BLOCKS; i++)
    check_block (&w.blocks[i]);
}

static gsize
size_of (guint i)
{
  return i < N_LARGE ? LARGE : i < N_LARGE + N_MIDDLE ? MIDDLE : SMALL;
}

/* Every other one, small ones by groups. */
static gboolean
is_short_lived (guint i)
{
  return (size_of (i) == SMALL ? i / GROUP : i) % 2 == 0;
}

static void
use_blocks (void)
{
  guint i;

  for (i = 0; i < N_BLOCKS; i++) {
    w.blocks[i].size = size_of (i);
    make_block (&w.blocks[i]);
  }
  check_all ();
  for (i = 0; i < N_BLOCKS; i += size_of (i) == SMALL ? 7 : 1) {
    if (i % 3 != 0 && w.blocks[i].live)
      write_block (&w.blocks[i]);
  }
  for (i = 0; i < N_BLOCKS; i++) {
    if (is_short_lived (i))
      give_block (&w.blocks[i]);
  }
  /* In another order than before, so that no block finds its own place. */
  for (i = N_BLOCKS; i-- > 0;) {
    if (is_short_lived (i))
      make_block (&w.blocks[i]);
  }
  check_all ();
}

static guint64
statistic (FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (w.stats, values);
  return values[id];
}

static void
check_disk (void)
{
  struct stat status;

  fm_store_update_stats (w.store);
  testing_check (statistic (FM_STAT_DISK_BYTES) <= statistic (FM_STAT_SIZE));
  testing_check (fstat (testing_find_backing_file (w.dir), &status) == 0);
  testing_check ((guint64) status.st_blocks * 512 <= statistic (FM_STAT_SIZE));
}

static void
check_in_child_of_child (void)
{
  int status;
  pid_t pid = fork ();

  testing_check (pid >= 0);
  if (pid == 0) {
    alarm (RUN_SECONDS);
    check_all ();
    _exit (EXIT_SUCCESS);
  }
  testing_check (waitpid (pid, &status, 0) == pid);
  testing_check (status == 0);
}

static void
use_store (void)
{
  guint i;

  use_blocks ();
  if (fault.kind->forks)
    check_in_child_of_child ();
  atomic_store (&fault.armed, FALSE);
  check_all ();
  check_disk ();
  for (i = 0; i < N_BLOCKS; i++)
    give_block (&w.blocks[i]);
  testing_check (statistic (FM_STAT_LIVE_BLOCKS) == 0);
  testing_check (statistic (FM_STAT_LIVE_BYTES) == 0);
}

static void
run (gconstpointer data)
{
  FmOptions options;
  GError *error = NULL;

  fprintf (stderr, "%s, call %u%s\n", fault.kind->name, fault.nth,
      fault.persistent ? " and all that follow" : "");
  alarm (RUN_SECONDS);
  /* Not cmocka's handlers, which would go on with the next test in here. */
  signal (SIGSEGV, SIG_DFL);
  signal (SIGBUS, SIG_DFL);
  fm_options_init (&options);
  testing_check (fm_options_set (&options, FM_OPTION_DIR, w.dir, NULL));
  testing_check (fm_options_set (&options, FM_OPTION_SIZE, "64M", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  w.stats = fm_stats_new ();
  fm_seam_set_hook (hook);
  w.store = fm_store_new (&options, w.stats, &error);
  testing_check ((w.store == NULL) == (error != NULL));
  if (w.store != NULL) {
    use_store ();
    fm_store_free (w.store);
    testing_check (!fault.kind->counts || !atomic_load (&outcome->fired)
        || statistic (FM_STAT_IO_ERRORS) > 0);
    testing_check (statistic (FM_STAT_EXTENTS_RESIDENT) == 0);
    testing_check (statistic (FM_STAT_EXTENTS_SPILLED) == 0);
    testing_check (statistic (FM_STAT_SPILLED_BYTES) == 0);
  }
  atomic_store (&outcome->spills, statistic (FM_STAT_SPILLS));
  atomic_store (&outcome->fills, statistic (FM_STAT_FILLS));
  testing_check (testing_find_backing_file (w.dir) == -1);
}

/* ---- the tests ---- */

static guint
next_fault (guint nth)
{
  gboolean is_long = g_getenv ("FILEMEM_LONG_TESTS") != NULL;

  if (nth < (is_long ? ONE_BY_ONE_LONG : ONE_BY_ONE))
    return nth + 1;
  return (is_long ? FURTHER_LONG : FURTHER) * nth + fault.persistent;
}

static guint
fail_each_call (gboolean persistent)
{
  guint runs = 0;

  fault.persistent = persistent;
  for (fault.nth = 1;; fault.nth = next_fault (fault.nth)) {
    atomic_store (&outcome->fired, FALSE);
    atomic_store (&fault.seen, 0);
    atomic_store (&fault.armed, TRUE);
    g_free (testing_run_child (run, NULL));
    if (!atomic_load (&outcome->fired))
      return runs;
    runs++;
  }
}

static void
test_kind (void **state)
{
  g_autofree gchar *dir = NULL;
  guint once, from_then_on;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("the thread sanitizer has no children that start threads");
  fault.kind = *state;
  dir = testing_dir_new ();
  w.dir =
      !fault.kind->on_disk && access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : dir;
  w.loss = fault.kind->once;
  once = fail_each_call (FALSE);
  w.loss = fault.kind->from_then_on;
  /* A kernel that unmaps and refuses for ever leaves gaps in which staging of
   * another thread may come to lie, to the page: known, see docs/design.md. */
  from_then_on = fault.kind->unmaps ? once : fail_each_call (TRUE);
  testing_dir_free (g_steal_pointer (&dir));
  print_message ("%s: %u runs with one fault, %u with faults from then on\n",
      fault.kind->name, once, from_then_on);
  assert_true (once > 0 && from_then_on > 0);
  /* The last run had no fault; it has paged. */
  assert_true (atomic_load (&outcome->spills) > 0);
  assert_true (atomic_load (&outcome->fills) > 0);
}

int
main (int argc, char **argv)
{
  struct CMUnitTest tests[G_N_ELEMENTS (kinds)] = {{NULL}};
  guint part = 1, parts = 1, n = 0, i;

  if (argc > 1
      && (sscanf (argv[1], "%u/%u", &part, &parts) != 2 || part < 1
          || part > parts))
    return EXIT_FAILURE;

  outcome = mmap (NULL, sizeof *outcome, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (outcome == MAP_FAILED)
    return EXIT_FAILURE;
  for (i = part - 1; i < G_N_ELEMENTS (kinds); i += parts)
    tests[n++] = (struct CMUnitTest){
        kinds[i].name, test_kind, NULL, NULL, (void *) &kinds[i]};
  /* Hundreds of runs, which the address sanitizer does in a minute. */
  if (g_getenv ("FILEMEM_UNDER_VALGRIND") != NULL)
    return 77;
  /* cmocka passes over those without a function. */
  return cmocka_run_group_tests (tests, NULL, NULL);
}
