/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure-watch.c: tests allocator/pressure-watch.c: which file is watched,
 * what is written to it, and who is called, by FIFOs that stand for the
 * kernel's files as systemd's protocol lets them.
 */
#include "pressure-watch.h"
#include "seam.h"

#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  gchar *dir, *fifo;
} Fixture;

static atomic_uint n_calls;

static int
set_up (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = g_dir_make_tmp ("pressure-watch-XXXXXX", NULL);
  fixture->fifo = g_build_filename (fixture->dir, "fifo", NULL);
  assert_int_equal (mkfifo (fixture->fifo, 0600), 0);
  g_setenv ("MEMORY_PRESSURE_WATCH", fixture->fifo, TRUE);
  g_unsetenv ("MEMORY_PRESSURE_WRITE");
  atomic_store (&n_calls, 0);
  *state = fixture;
  return 0;
}

static void
remove_file (Fixture *fixture, const gchar *name)
{
  g_autofree gchar *path = g_build_filename (fixture->dir, name, NULL);

  g_remove (path);
}

static int
tear_down (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  g_unsetenv ("MEMORY_PRESSURE_WATCH");
  g_unsetenv ("MEMORY_PRESSURE_WRITE");
  remove_file (fixture, "sys/fs/cgroup/a/memory.pressure");
  remove_file (fixture, "sys/fs/cgroup/a");
  remove_file (fixture, "sys/fs/cgroup");
  remove_file (fixture, "sys/fs");
  remove_file (fixture, "sys");
  remove_file (fixture, "proc/self/cgroup");
  remove_file (fixture, "proc/self");
  remove_file (fixture, "proc");
  remove_file (fixture, "fifo");
  g_rmdir (fixture->dir);
  g_free (fixture->fifo);
  g_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static void
put (Fixture *fixture, const gchar *name, const gchar *text)
{
  g_autofree gchar *path = g_build_filename (fixture->dir, name, NULL);
  g_autofree gchar *dir = g_path_get_dirname (path);

  assert_int_equal (g_mkdir_with_parents (dir, 0700), 0);
  assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
count (gpointer data)
{
  assert_ptr_equal (data, &n_calls);
  atomic_fetch_add (&n_calls, 1);
}

static FmPressureWatch *
start (void)
{
  return fm_pressure_watch_new ("", count, &n_calls);
}

static void
wait_for_calls (guint n)
{
  gint64 until = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  while (atomic_load (&n_calls) < n && g_get_monotonic_time () < until)
    g_usleep (1000);
  assert_int_equal (atomic_load (&n_calls), n);
}

static void
say (Fixture *fixture)
{
  int fd = open (fixture->fifo, O_WRONLY | O_NONBLOCK);

  assert_true (fd >= 0);
  assert_int_equal (write (fd, "some", 4), 4);
  close (fd);
}

static void
test_fifo (void **state)
{
  Fixture *fixture = *state;
  FmPressureWatch *watch = start ();

  assert_non_null (watch);
  assert_int_equal (atomic_load (&n_calls), 0);
  say (fixture);
  wait_for_calls (1);
  say (fixture);
  wait_for_calls (2);
  fm_pressure_watch_free (watch);
}

static void
assert_path (const gchar *root, const gchar *expected, const gchar *trigger)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree gchar *path = fm_pressure_watch_path (root, &bytes);

  if (expected == NULL)
    assert_null (path);
  else
    assert_string_equal (path, expected);
  assert_int_equal (bytes != NULL, trigger != NULL);
  if (trigger != NULL)
    assert_memory_equal (
        g_bytes_get_data (bytes, NULL), trigger, g_bytes_get_size (bytes));
}

static void
test_which_file (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *machine =
      g_build_filename (fixture->dir, "proc/pressure/memory", NULL);
  g_autofree gchar *cgroup =
      g_build_filename (fixture->dir, "sys/fs/cgroup/a/memory.pressure", NULL);

  /* What the service manager says goes first. */
  assert_path (fixture->dir, fixture->fifo, NULL);
  g_setenv ("MEMORY_PRESSURE_WRITE", "c29tZSAxIDI=", TRUE);
  assert_path (fixture->dir, fixture->fifo, "some 1 2");
  g_setenv ("MEMORY_PRESSURE_WATCH", "/dev/null", TRUE);
  assert_path (fixture->dir, NULL, NULL);
  g_setenv ("MEMORY_PRESSURE_WATCH", "relative", TRUE);
  assert_path (fixture->dir, NULL, NULL);
  g_unsetenv ("MEMORY_PRESSURE_WATCH");
  assert_path (fixture->dir, machine, "some 200000 2000000");
  put (fixture, "proc/self/cgroup", "0::/a/b\n");
  assert_path (fixture->dir, machine, "some 200000 2000000");
  put (fixture, "sys/fs/cgroup/a/memory.pressure", "");
  assert_path (fixture->dir, cgroup, "some 200000 2000000");
}

static FmCall refused_call;

static int
refuse (const FmCallInfo *info)
{
  return info->call == refused_call ? EPERM : 0;
}

/* Then nobody watches, and nothing is left open. */
static void
test_refused (void **state)
{
  static const FmCall calls[] = {
      FM_CALL_OPEN, FM_CALL_FSTAT, FM_CALL_WRITE, FM_CALL_PIPE, FM_CALL_THREAD};
  int before = open ("/dev/null", O_RDONLY), after;
  guint i;

  close (before);
  g_setenv ("MEMORY_PRESSURE_WRITE", "c29tZQ==", TRUE);
  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    refused_call = calls[i];
    fm_seam_set_hook (refuse);
    assert_null (start ());
    fm_seam_set_hook (NULL);
  }
  g_setenv ("MEMORY_PRESSURE_WATCH", "/nowhere", TRUE);
  assert_null (start ());
  g_setenv ("MEMORY_PRESSURE_WATCH", "/", TRUE);
  assert_null (start ());
  after = open ("/dev/null", O_RDONLY);
  close (after);
  assert_int_equal (after, before);
}

/* The kernel ends it. */
static void
test_poll_refused (void **state)
{
  FmPressureWatch *watch;

  refused_call = FM_CALL_POLL;
  fm_seam_set_hook (refuse);
  watch = start ();
  assert_non_null (watch);
  fm_pressure_watch_free (watch);
  assert_int_equal (atomic_load (&n_calls), 0);
}

/* What the program opens by the same number says nothing, and stays open. */
static void
test_closed_descriptors (void **state)
{
  int fd = open ("/dev/null", O_RDONLY);
  FmPressureWatch *watch;

  close (fd);
  watch = start ();
  assert_non_null (watch);
  close (fd);
  assert_int_equal (open ("/dev/null", O_RDONLY), fd);
  fm_pressure_watch_free (watch);
  assert_int_equal (fcntl (fd, F_GETFD), 0);
  close (fd);
}

/* Nor does it keep anybody from ending, or get what is written to end it. */
static void
test_all_closed (void **state)
{
  g_autofree gchar *path =
      g_build_filename (((Fixture *) *state)->dir, "proc", NULL);
  int first = open ("/dev/null", O_RDONLY), fd;
  FmPressureWatch *watch;
  struct stat status;
  guint i;

#ifdef __SANITIZE_THREAD__
  testing_skip ("a thread that nobody can end is a leak to TSan");
#endif
  close (first);
  watch = start ();
  assert_non_null (watch);
  for (i = 0; i < 3; i++)
    close (first + (int) i);
  for (i = 0; i < 3; i++) {
    fd = open (path, O_CREAT | O_RDWR, 0600);
    assert_int_equal (fd, first + (int) i);
  }
  fm_pressure_watch_free (watch);
  assert_int_equal (fstat (first, &status), 0);
  assert_int_equal (status.st_size, 0);
  for (i = 0; i < 3; i++)
    assert_int_equal (close (first + (int) i), 0);
}

/* If the kernel has PSI and lets us, it is the kernel's file. */
static void
test_this_machine (void **state)
{
  FmPressureWatch *watch;

  g_unsetenv ("MEMORY_PRESSURE_WATCH");
  watch = start ();
  if (watch == NULL)
    testing_skip ("the kernel has no PSI, or keeps it to itself");
  fm_pressure_watch_free (watch);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST (test_fifo),
      TEST (test_which_file),
      TEST (test_refused),
      TEST (test_poll_refused),
      TEST (test_closed_descriptors),
      TEST (test_all_closed),
      TEST (test_this_machine),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
