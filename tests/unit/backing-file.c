/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file.c: tests the temporary file: that nobody else can see it, what
 * it takes on disk, and which files can't be one.
 */
#include "backing-file-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* ---- who can see it ---- */

static void
test_private (void **state)
{
  Fixture *fixture = *state;
  const int fd = fixture->file->fd;
  g_autofree gchar *link = g_strdup_printf ("/proc/self/fd/%d", fd);
  g_autofree gchar *name = g_build_filename (fixture->dir, "name", NULL);
  struct stat status;

  assert_int_equal (testing_dir_count (fixture->dir), 0);
  assert_int_equal (fstat (fd, &status), 0);
  assert_int_equal (status.st_nlink, 0);
  assert_int_equal (status.st_mode & 07777, 0600);
  assert_int_equal (status.st_size, LENGTH);
  assert_true ((fcntl (fd, F_GETFD) & FD_CLOEXEC) != 0);
  /* Nor can anybody give it a name. */
  assert_int_not_equal (
      linkat (AT_FDCWD, link, AT_FDCWD, name, AT_SYMLINK_FOLLOW), 0);
}

static void
test_umask (void **state)
{
  Fixture *fixture = *state;
  mode_t before = umask (0);
  FmBackingFile *file = new_file (fixture->dir);
  struct stat status;

  umask (before);
  assert_int_equal (fstat (file->fd, &status), 0);
  assert_int_equal (status.st_mode & 07777, 0600);
  fm_backing_file_free (file);
}

static void
test_freed (void **state)
{
  Fixture *fixture = *state;

  assert_true (testing_find_backing_file (fixture->dir) >= 0);
  fm_backing_file_free (g_steal_pointer (&fixture->file));
  assert_int_equal (testing_find_backing_file (fixture->dir), -1);
}

/* A file system without O_TMPFILE. */
static void
test_name_for_a_moment (void **state)
{
  Fixture *fixture = *state;
  static const int errors[] = {EOPNOTSUPP, EISDIR, EINVAL};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (errors); i++) {
    FmBackingFile *file;
    struct stat status;

    expect_fault (FM_CALL_OPEN, G_MAXUINT, errors[i]);
    fault.flags_needed = O_TMPFILE;
    file = new_file (fixture->dir);
    assert_int_equal (testing_dir_count (fixture->dir), 0);
    assert_int_equal (fstat (file->fd, &status), 0);
    assert_int_equal (status.st_nlink, 0);
    assert_int_equal (status.st_mode & 07777, 0600);
    assert_true ((fcntl (file->fd, F_GETFD) & FD_CLOEXEC) != 0);
    fm_backing_file_free (file);
  }
}

static int
hook_names_taken (const FmCallInfo *info)
{
  static guint n;

  if (info->call != FM_CALL_OPEN)
    return 0;
  if ((info->flags & O_TMPFILE) == O_TMPFILE)
    return EOPNOTSUPP;
  return n++ < 3 ? EEXIST : 0;
}

static void
test_name_is_taken (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file;

  fm_seam_set_hook (hook_names_taken);
  file = new_file (fixture->dir);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
  fm_backing_file_free (file);
}

static int
hook_name_stays (const FmCallInfo *info)
{
  if (info->call == FM_CALL_OPEN && (info->flags & O_TMPFILE) == O_TMPFILE)
    return EOPNOTSUPP;
  return info->call == FM_CALL_UNLINK ? EPERM : 0;
}

static void
test_name_that_stays (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GError) error = NULL;

  fm_seam_set_hook (hook_name_stays);
  assert_null (fm_backing_file_new (fixture->dir, &error));
  assert_non_null (error);
}

/* ---- what can't be used ---- */

static void
assert_refused (const gchar *dir)
{
  g_autoptr (GError) error = NULL;

  assert_null (fm_backing_file_new (dir, &error));
  assert_non_null (error);
  assert_non_null (strstr (error->message, dir));
}

static void
test_no_directory (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *missing = g_build_filename (fixture->dir, "none", NULL);
  g_autofree gchar *plain = g_build_filename (fixture->dir, "file", NULL);

  assert_refused (missing);
  assert_true (g_file_set_contents (plain, "text", -1, NULL));
  assert_refused (plain);
  assert_refused ("/proc/self");
}

static void
read_only (gconstpointer data)
{
  const Fixture *fixture = data;
  g_autoptr (GError) error = NULL;

  testing_make_read_only (fixture->dir);
  testing_check (fm_backing_file_new (fixture->dir, &error) == NULL);
  testing_check (strstr (error->message, fixture->dir) != NULL);
}

static void
test_read_only (void **state)
{
  g_free (testing_run_child (read_only, *state));
}

static void
test_unknown_space (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_FSTATFS, 1, EIO);
  assert_refused (fixture->dir);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
}

static void
test_tmpfs (void **state)
{
  struct statfs system;
  FmBackingFile *file;

  if (statfs ("/dev/shm", &system) != 0 || system.f_type != TMPFS_MAGIC
      || access ("/dev/shm", W_OK) != 0)
    testing_skip ("/dev/shm is no tmpfs that this user can write to");
  file = new_file ("/dev/shm");
  assert_string_equal (file->file_system, "tmpfs");
  assert_true (file->in_memory);
  assert_false (file->on_network);
  assert_false (atomic_load (&file->direct));
  fm_backing_file_free (file);
}

static void
test_file_system (void **state)
{
  Fixture *fixture = *state;

  assert_true (strlen (fixture->file->file_system) > 0);
  assert_true (fixture->file->total_bytes > 0);
  assert_true (fixture->file->free_bytes <= fixture->file->total_bytes);
}

/* ---- space ---- */

static void
test_sparse (void **state)
{
  Fixture *fixture = *state;

  assert_true (bytes_on_disk (fixture->file) < EXTENT);
  assert_int_equal (fm_backing_file_bytes (fixture->file), 0);
}

static void
test_limit (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file = fixture->file;

  file->limit = 4 * EXTENT;
  assert_int_equal (fm_backing_file_allocate (file, 0, EXTENT, EXTENT), 0);
  assert_int_equal (fm_backing_file_bytes (file), EXTENT);
  assert_int_equal (
      fm_backing_file_allocate (file, EXTENT, 4 * EXTENT, 4 * EXTENT), ENOBUFS);
  assert_int_equal (fm_backing_file_bytes (file), EXTENT);
  assert_int_equal (
      fm_backing_file_allocate (file, EXTENT, 2 * EXTENT, 2 * EXTENT), 0);
  assert_int_equal (fm_backing_file_bytes (file), 3 * EXTENT);
  /* What has its space already takes no more. */
  assert_int_equal (fm_backing_file_allocate (file, 0, 2 * EXTENT, 0), 0);
  assert_int_equal (fm_backing_file_bytes (file), 3 * EXTENT);
  assert_true (bytes_on_disk (file) >= 3 * EXTENT);
  assert_true (bytes_on_disk (file) <= file->limit);
}

/* Takes pieces of @piece bytes, every @stride, in an order that no file system
 * likes, until the limit says no; st_blocks never passes it. */
static void
fill_to_the_limit (Fixture *fixture, gsize piece, gsize stride)
{
  FmBackingFile *file = fixture->file;
  guint n = (guint) (LENGTH / stride), i, taken = 0;
  int error = 0;

  file->limit = 8 * TESTING_MIB;
  for (i = 0; i < n && error == 0; i++) {
    guint64 offset = (guint64) (i * 5471 % n) * stride;

    error = fm_backing_file_allocate (file, offset, piece, piece);
    if (error == 0) {
      taken++;
      assert_int_equal (
          fm_backing_file_write (file, offset, fixture->data, piece), 0);
    }
  }
  assert_int_equal (error, ENOBUFS);
  assert_int_equal (fm_backing_file_bytes (file), taken * piece);
  /* The limit is used, but for what the file system may need for itself. */
  assert_true (taken * piece > file->limit / 10 * 9);
  assert_true (bytes_on_disk (file) <= file->limit);
}

static void
test_full_of_extents (void **state)
{
  fill_to_the_limit (*state, EXTENT, 2 * EXTENT);
}

/* Extents whose free pages were punched: the worst for the file system's own
 * tables. */
static void
test_full_of_single_pages (void **state)
{
  fill_to_the_limit (*state, TESTING_PAGE, 4 * TESTING_PAGE);
}

static void
test_reserve_of_free_space (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file = fixture->file;

  file->reserve = file->total_bytes;
  assert_int_equal (fm_backing_file_allocate (file, 0, EXTENT, EXTENT), ENOSPC);
  assert_int_equal (fm_backing_file_bytes (file), 0);
  assert_true (bytes_on_disk (file) < EXTENT);
  file->reserve = G_MAXUINT64;
  assert_int_equal (fm_backing_file_allocate (file, 0, EXTENT, EXTENT), ENOSPC);
  file->reserve = 0;
  assert_int_equal (fm_backing_file_allocate (file, 0, EXTENT, EXTENT), 0);
}

static void
test_punch (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file = fixture->file;
  guint64 before;
  guint i;

  for (i = 0; i < 8; i++)
    round_trip (fixture, i * EXTENT);
  before = bytes_on_disk (file);
  assert_int_equal (fm_backing_file_bytes (file), 8 * EXTENT);
  assert_int_equal (
      fm_backing_file_punch (file, 2 * EXTENT, 4 * EXTENT, 4 * EXTENT), 0);
  assert_int_equal (fm_backing_file_bytes (file), 4 * EXTENT);
  /* A hole may cost a block of metadata at either end. */
  assert_true (bytes_on_disk (file) <= before - 4 * EXTENT + 2 * 4096);

  assert_int_equal (
      fm_backing_file_read (file, 2 * EXTENT, fixture->back, EXTENT), 0);
  for (i = 0; i < EXTENT; i++)
    assert_int_equal (fixture->back[i], 0);
  assert_int_equal (
      fm_backing_file_read (file, 6 * EXTENT, fixture->back, EXTENT), 0);
  assert_true (testing_is_filled (fixture->back, EXTENT, 1));
}

static void
test_punch_refused (void **state)
{
  Fixture *fixture = *state;

  round_trip (fixture, 0);
  expect_fault (FM_CALL_FALLOCATE, 1, EOPNOTSUPP);
  assert_int_equal (
      fm_backing_file_punch (fixture->file, 0, EXTENT, EXTENT), EOPNOTSUPP);
  assert_int_equal (fm_backing_file_bytes (fixture->file), EXTENT);
}

static void
test_reservation_refused (void **state)
{
  Fixture *fixture = *state;
  static const int errors[] = {ENOSPC, EDQUOT, EFBIG, EIO};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (errors); i++) {
    expect_fault (FM_CALL_FALLOCATE, 1, errors[i]);
    assert_int_equal (
        fm_backing_file_allocate (fixture->file, 0, EXTENT, EXTENT), errors[i]);
    assert_int_equal (fm_backing_file_bytes (fixture->file), 0);
  }
  expect_fault (FM_CALL_FSTATFS, 1, EIO);
  assert_int_equal (
      fm_backing_file_allocate (fixture->file, 0, EXTENT, EXTENT), EIO);
  assert_int_equal (fm_backing_file_bytes (fixture->file), 0);
}

static void
test_no_reservations_there (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_FALLOCATE, 1, EOPNOTSUPP);
  round_trip (fixture, 0);
  assert_int_equal (fm_backing_file_bytes (fixture->file), EXTENT);
}

static gpointer
reserve_many (gpointer data)
{
  FmBackingFile *file = data;
  guint i;

  for (i = 0; i < 200; i++) {
    if (fm_backing_file_allocate (file, 0, EXTENT, EXTENT) == 0)
      fm_backing_file_uncount (file, EXTENT);
  }
  return NULL;
}

static void
test_counted_by_many (void **state)
{
  Fixture *fixture = *state;
  GThread *threads[4];
  guint i;

  fixture->file->limit = 3 * EXTENT;
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("reserve", reserve_many, fixture->file);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  assert_int_equal (fm_backing_file_bytes (fixture->file), 0);
}

/* ---- ulimit -f ---- */

static void
limit_file_size (gsize bytes)
{
  struct rlimit limit = {bytes, bytes};

  testing_check (setrlimit (RLIMIT_FSIZE, &limit) == 0);
}

static gboolean
is_pending (void)
{
  sigset_t pending;

  sigpending (&pending);
  return sigismember (&pending, SIGXFSZ);
}

static void
small_files (gconstpointer data)
{
  const Fixture *fixture = data;
  FmBackingFile *file = fm_backing_file_new (fixture->dir, NULL);
  sigset_t blocked;

  testing_check (file != NULL);
  limit_file_size (2 * EXTENT + 2 * TESTING_PAGE);
  testing_check (fm_backing_file_set_length (file, LENGTH) == EFBIG);
  testing_check (fm_backing_file_set_length (file, 2 * EXTENT) == 0);
  testing_check (fm_backing_file_allocate (file, 0, EXTENT, EXTENT) == 0);
  testing_check (fm_backing_file_bytes (file) == EXTENT);
  testing_check (
      fm_backing_file_allocate (file, 2 * EXTENT, EXTENT, EXTENT) == EFBIG);
  testing_check (fm_backing_file_bytes (file) == EXTENT);
  testing_check (
      fm_backing_file_write (file, EXTENT, fixture->data, EXTENT) == 0);
  /* The kernel writes two pages and stops. */
  testing_check (
      fm_backing_file_write (file, 2 * EXTENT, fixture->data, EXTENT) == EFBIG);
  testing_check (
      fm_backing_file_write (file, 8 * EXTENT, fixture->data, EXTENT) == EFBIG);

  pthread_sigmask (SIG_SETMASK, NULL, &blocked);
  testing_check (!sigismember (&blocked, SIGXFSZ));
  testing_check (!is_pending ());
}

static void
test_small_files (void **state)
{
  g_free (testing_run_child (small_files, *state));
}

/* A signal that was waiting before is the program's own. */
static void
own_signal (gconstpointer data)
{
  const Fixture *fixture = data;
  sigset_t xfsz;

  sigemptyset (&xfsz);
  sigaddset (&xfsz, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &xfsz, NULL);
  raise (SIGXFSZ);
  limit_file_size (EXTENT);
  testing_check (fm_backing_file_set_length (fixture->file, LENGTH) == 0
      || fm_backing_file_set_length (fixture->file, 2 * LENGTH) == EFBIG);
  testing_check (is_pending ());
}

static void
test_own_signal (void **state)
{
  g_free (testing_run_child (own_signal, *state));
}

/* The program closed the descriptor, and its number is another file's. */
static void
test_not_ours (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file = fixture->file;
  g_autofree gchar *path = g_build_filename (fixture->dir, "other", NULL);
  int other, ours = dup (file->fd);
  struct stat status;

  assert_int_equal (fm_backing_file_write (file, 0, fixture->data, EXTENT), 0);
  assert_true (g_file_set_contents (path, "precious", -1, NULL));
  other = open (path, O_RDWR | O_CLOEXEC);
  assert_int_equal (dup2 (other, file->fd), file->fd);

  assert_int_equal (
      fm_backing_file_write (file, 0, fixture->data, EXTENT), EBADF);
  assert_int_equal (
      fm_backing_file_read (file, 0, fixture->back, EXTENT), EBADF);
  assert_int_equal (fm_backing_file_read_parts (file, 0, fixture->back,
                        EXTENT / 2, fixture->back + EXTENT / 2, EXTENT / 2),
      EBADF);
  assert_int_equal (
      fm_backing_file_allocate (file, EXTENT, EXTENT, EXTENT), EBADF);
  assert_int_equal (fm_backing_file_punch (file, 0, EXTENT, EXTENT), EBADF);
  assert_int_equal (fstat (other, &status), 0);
  assert_int_equal (status.st_size, strlen ("precious"));
  assert_true (status.st_blocks > 0);

  /* A number that is nobody's. */
  assert_int_equal (close (file->fd), 0);
  assert_int_equal (
      fm_backing_file_write (file, 0, fixture->data, EXTENT), EBADF);
  assert_int_equal (dup2 (ours, file->fd), file->fd);
  assert_int_equal (fm_backing_file_read (file, 0, fixture->back, EXTENT), 0);
  assert_memory_equal (fixture->back, fixture->data, EXTENT);
  close (ours);
  close (other);
  g_unlink (path);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_private),
      TEST (test_umask),
      TEST (test_freed),
      TEST (test_name_for_a_moment),
      TEST (test_name_is_taken),
      TEST (test_name_that_stays),
      TEST (test_no_directory),
      TEST (test_read_only),
      TEST (test_unknown_space),
      TEST (test_not_ours),
      cmocka_unit_test (test_tmpfs),
      TEST (test_file_system),
      TEST (test_sparse),
      TEST (test_limit),
      TEST (test_full_of_extents),
      TEST (test_full_of_single_pages),
      TEST (test_reserve_of_free_space),
      TEST (test_punch),
      TEST (test_punch_refused),
      TEST (test_reservation_refused),
      TEST (test_no_reservations_there),
      TEST (test_counted_by_many),
      TEST (test_small_files),
      TEST (test_own_signal),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
