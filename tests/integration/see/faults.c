/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * faults.c: tests that a fault meter counts what the kernel counts.
 *
 * Pages are touched for the first time, one fault each; huge pages are kept
 * out. What the kernel says of the thread is asked around it. All functions ran
 * once before, so that none of them meets a page of its own.
 */
#include "faults.h"
#include "seam.h"
#include "../../unit/testing.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct
{
  guint8 *base;
  guint n;
} Pages;

static Pages
pages_new (guint n)
{
  Pages pages = {NULL, n};

  pages.base = mmap (NULL, n * TESTING_PAGE, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_true (pages.base != MAP_FAILED);
  (void) madvise (pages.base, n * TESTING_PAGE, MADV_NOHUGEPAGE);
  return pages;
}

static void
pages_free (Pages pages)
{
  munmap (pages.base, pages.n * TESTING_PAGE);
}

static void
touch (Pages pages, guint from, guint n)
{
  volatile guint8 *base = pages.base;
  guint i;

  for (i = from; i < from + n; i++)
    base[i * TESTING_PAGE] = 1;
}

static guint64
minor_of_thread (void)
{
  struct rusage usage;

  getrusage (RUSAGE_THREAD, &usage);
  return (guint64) usage.ru_minflt;
}

/* As many faults as the kernel saw are read from @meter. */
static FmFaults
count (FmFaultMeter *meter, Pages pages, guint from, guint n)
{
  FmFaults faults;
  guint64 before;

  (void) fm_fault_meter_read (meter, TRUE, &faults);
  before = minor_of_thread ();
  touch (pages, from, n);
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  if (faults.minor != minor_of_thread () - before || faults.minor != n)
    print_message ("%u pages touched, the meter says %" G_GUINT64_FORMAT
                   ", the kernel %" G_GUINT64_FORMAT "\n",
        n, faults.minor, minor_of_thread () - before);
  return faults;
}

static FmFaultMeter *
meter_new (void)
{
  FmFaultMeter *meter = fm_fault_meter_new ();
  Pages pages = pages_new (8);
  FmFaults faults;

  touch (pages, 0, 8);
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  (void) minor_of_thread ();
  pages_free (pages);
  return meter;
}

static FmFaultMeter *
perf_meter_new (void)
{
  FmFaultMeter *meter = meter_new ();

  if (fm_fault_meter_source (meter) != FM_FAULTS_PERF) {
    fm_fault_meter_free (meter);
    testing_skip ("the kernel gives no events here");
  }
  return meter;
}

static int
setup (void **state)
{
  fm_faults_set_arena (NULL, 0);
  fm_seam_set_hook (NULL);
  return 0;
}

/* ---- perf ---- */

static void
test_exact (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  static const guint sizes[] = {1, 2, 17, 500, 2000};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    Pages pages = pages_new (sizes[i]);
    FmFaults faults = count (meter, pages, 0, sizes[i]);

    assert_int_equal (faults.minor, sizes[i]);
    assert_int_equal (faults.major, 0);
    assert_int_equal (faults.arena_minor, 0);
    /* Nothing is told twice. */
    assert_false (fm_fault_meter_read (meter, TRUE, &faults));
    assert_int_equal (faults.minor, 0);
    pages_free (pages);
  }
  fm_fault_meter_free (meter);
}

static void
test_arena (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  Pages pages = pages_new (100);
  FmFaults faults;

  fm_faults_set_arena (pages.base, 40 * TESTING_PAGE);
  faults = count (meter, pages, 0, 100);
  assert_int_equal (faults.minor, 100);
  assert_int_equal (faults.arena_minor, 40);
  assert_int_equal (faults.arena_major, 0);
  pages_free (pages);
  fm_fault_meter_free (meter);
}

static void
test_more_than_fit (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  guint round;

  for (round = 0; round < 3; round++) {
    Pages pages = pages_new (20000);
    FmFaults faults = count (meter, pages, 0, 20000);

    assert_int_equal (faults.minor, 20000);
    /* Nor do they come later. */
    assert_int_equal (count (meter, pages, 0, 0).minor, 0);
    pages_free (pages);
    pages = pages_new (10);
    assert_int_equal (count (meter, pages, 0, 10).minor, 10);
    pages_free (pages);
  }
  fm_fault_meter_free (meter);
}

static void
test_round_and_round (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  guint round;

  /* Several times the ring, in steps that don't divide it. */
  for (round = 0; round < 200; round++) {
    Pages pages = pages_new (131);

    fm_faults_set_arena (pages.base, 77 * TESTING_PAGE);
    {
      FmFaults faults = count (meter, pages, 0, 131);

      assert_int_equal (faults.minor, 131);
      assert_int_equal (faults.arena_minor, 77);
    }
    pages_free (pages);
  }
  fm_fault_meter_free (meter);
}

static void
test_major (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  g_autofree gchar *dir = testing_dir_new ();
  g_autofree gchar *path = g_build_filename (dir, "file", NULL);
  g_autofree guint8 *bytes = g_malloc0 (64 * TESTING_PAGE);
  volatile guint8 *mapped;
  struct rusage before, after;
  FmFaults faults;
  glong major;
  int fd;

  assert_true (
      g_file_set_contents (path, (gchar *) bytes, 64 * TESTING_PAGE, NULL));
  fd = fm_seam_open (path, 0, 0);
  assert_true (fd >= 0);
  assert_int_equal (fsync (fd), 0);
  assert_int_equal (fm_seam_fadvise (fd, 0, 0, 4), 0); /* DONTNEED */
  mapped = mmap (NULL, 64 * TESTING_PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
  assert_true (mapped != MAP_FAILED);
  (void) madvise ((void *) mapped, 64 * TESTING_PAGE, MADV_RANDOM);
  fm_faults_set_arena ((void *) mapped, 64 * TESTING_PAGE);
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  getrusage (RUSAGE_THREAD, &before);
  (void) mapped[0];
  (void) mapped[40 * TESTING_PAGE];
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  getrusage (RUSAGE_THREAD, &after);
  major = after.ru_majflt - before.ru_majflt;
  assert_int_equal (faults.major, major);
  assert_int_equal (faults.arena_major, major);
  munmap ((void *) mapped, 64 * TESTING_PAGE);
  close (fd);
  testing_dir_free (g_steal_pointer (&dir));
  fm_fault_meter_free (meter);
  if (major == 0)
    testing_skip ("no page was read: this file system keeps them in memory");
}

/* ---- threads ---- */

static gpointer
count_in_thread (gpointer n)
{
  FmFaultMeter *meter = meter_new ();
  Pages pages = pages_new (GPOINTER_TO_UINT (n));
  FmFaults faults = count (meter, pages, 0, pages.n);

  pages_free (pages);
  fm_fault_meter_free (meter);
  return GSIZE_TO_POINTER (faults.minor);
}

static void
test_threads (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  GThread *one, *two;
  FmFaults faults;
  guint64 before = minor_of_thread ();

  (void) fm_fault_meter_read (meter, TRUE, &faults);
  one = g_thread_new ("one", count_in_thread, GUINT_TO_POINTER (1000));
  two = g_thread_new ("two", count_in_thread, GUINT_TO_POINTER (700));
  assert_int_equal (GPOINTER_TO_SIZE (g_thread_join (one)), 1000);
  assert_int_equal (GPOINTER_TO_SIZE (g_thread_join (two)), 700);
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  assert_in_range (faults.minor, 0, minor_of_thread () - before);
  assert_true (faults.minor < 700);
  fm_fault_meter_free (meter);
}

/* ---- getrusage ---- */

static FmCall refused_call;

static int
refuse (const FmCallInfo *info)
{
  return info->call == refused_call ? EPERM : 0;
}

static void
check_rusage (FmFaultMeter *meter)
{
  Pages pages = pages_new (300);
  FmFaults faults;

  assert_int_equal (fm_fault_meter_source (meter), FM_FAULTS_RUSAGE);
  faults = count (meter, pages, 0, 100);
  assert_int_equal (faults.minor, 100);
  /* Addresses are not known. */
  assert_int_equal (faults.arena_minor, 100);
  /* Only where a block was mapped; what was left out comes then. */
  touch (pages, 100, 50);
  assert_false (fm_fault_meter_read (meter, FALSE, &faults));
  assert_int_equal (faults.minor, 0);
  assert_true (fm_fault_meter_read (meter, TRUE, &faults));
  assert_int_equal (faults.minor, 50);
  pages_free (pages);
}

static void
check_refused (FmCall call)
{
  FmFaultMeter *meter;

  refused_call = call;
  fm_seam_set_hook (refuse);
  meter = meter_new ();
  fm_seam_set_hook (NULL);
  check_rusage (meter);
  assert_int_equal (fm_faults_source (), FM_FAULTS_RUSAGE);
  fm_fault_meter_free (meter);
}

static void
test_no_events (void **state)
{
  check_refused (FM_CALL_PERF_EVENT_OPEN);
}

static void
test_no_ring (void **state)
{
  check_refused (FM_CALL_MMAP);
}

/* ---- fork ---- */

static void
in_child (gconstpointer data)
{
  FmFaultMeter *meter = (FmFaultMeter *) data;
  Pages pages = pages_new (100);
  FmFaults faults;
  guint64 before;

  fm_fault_meter_forked (meter);
  testing_check (fm_fault_meter_source (meter) == FM_FAULTS_RUSAGE);
  (void) fm_fault_meter_read (meter, TRUE, &faults);
  before = minor_of_thread ();
  touch (pages, 0, 100);
  testing_check (fm_fault_meter_read (meter, TRUE, &faults));
  testing_check (faults.minor >= 100);
  testing_check (faults.minor <= minor_of_thread () - before);
  fm_fault_meter_free (meter);
}

static void
test_fork (void **state)
{
  FmFaultMeter *meter = perf_meter_new ();
  Pages pages;

  g_free (testing_run_child (in_child, meter));
  pages = pages_new (100);
  /* The parent's goes on; the fork has cost it faults. */
  assert_int_equal (count (meter, pages, 0, 100).minor, 100);
  pages_free (pages);
  fm_fault_meter_free (meter);
}

/* ---- nothing is left ---- */

static guint
count_lines (const gchar *path)
{
  g_autofree gchar *text = NULL;

  assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return testing_count_lines (text, "");
}

static void
check_no_leak (void)
{
  guint fds, rings, i;

  fm_fault_meter_free (fm_fault_meter_new ());
  fds = testing_dir_count ("/proc/self/fd");
  rings = count_lines ("/proc/self/maps");
  for (i = 0; i < 100; i++)
    fm_fault_meter_free (fm_fault_meter_new ());
  assert_int_equal (testing_dir_count ("/proc/self/fd"), fds);
  /* The C library's own may come and go. */
  assert_in_range (count_lines ("/proc/self/maps"), 0, rings + 5);
}

static void
test_no_leak (void **state)
{
  check_no_leak ();
}

static void
test_no_leak_refused (void **state)
{
  refused_call = FM_CALL_MMAP;
  fm_seam_set_hook (refuse);
  check_no_leak ();
  fm_seam_set_hook (NULL);
}

static void
test_names (void **state)
{
  assert_string_equal (fm_fault_source_name (FM_FAULTS_NONE), "none");
  assert_string_equal (fm_fault_source_name (FM_FAULTS_RUSAGE), "rusage");
  assert_string_equal (fm_fault_source_name (FM_FAULTS_PERF), "perf");
  assert_int_equal (fm_faults_source (), FM_FAULTS_NONE);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup (test_names, setup),
      cmocka_unit_test_setup (test_exact, setup),
      cmocka_unit_test_setup (test_arena, setup),
      cmocka_unit_test_setup (test_more_than_fit, setup),
      cmocka_unit_test_setup (test_round_and_round, setup),
      cmocka_unit_test_setup (test_major, setup),
      cmocka_unit_test_setup (test_threads, setup),
      cmocka_unit_test_setup (test_fork, setup),
      cmocka_unit_test_setup (test_no_leak, setup),
      cmocka_unit_test_setup (test_no_events, setup),
      cmocka_unit_test_setup (test_no_ring, setup),
      cmocka_unit_test_setup (test_no_leak_refused, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
