/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file-transfers.c: tests reads and writes of the temporary file, and
 * what they leave in the page cache, with O_DIRECT and without.
 */
#include "backing-file-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LOOK 100000 /* us; the rest after it is 10 s */

static FmCall refused_calls[2];
static int refused_with;

static int
refuse_two (const FmCallInfo *info)
{
  return info->call == refused_calls[0] || info->call == refused_calls[1]
      ? refused_with
      : 0;
}

/* Every call of the two kinds fails. */
static void
expect_two_faults (FmCall a, FmCall b, int error)
{
  refused_calls[0] = a;
  refused_calls[1] = b;
  refused_with = error;
  fm_seam_set_hook (refuse_two);
}

static guint n_messages;

static void
count_message (FmMessageLevel level, const gchar *text)
{
  n_messages++;
}

static void
test_round_trip (void **state)
{
  Fixture *fixture = *state;
  guint8 byte = 0;

  round_trip (fixture, 0);
  round_trip (fixture, LENGTH - EXTENT);
  round_trip (fixture, 5 * TESTING_PAGE);
  /* At their own offset. */
  fcntl (fixture->file->fd, F_SETFL,
      fcntl (fixture->file->fd, F_GETFL) & ~O_DIRECT);
  assert_int_equal (
      pread (fixture->file->fd, &byte, 1, 5 * TESTING_PAGE + 1234), 1);
  assert_int_equal (byte, fixture->data[1234]);
}

static void
test_hole_reads_as_zeros (void **state)
{
  Fixture *fixture = *state;
  guint i;

  memset (fixture->back, 1, EXTENT);
  assert_int_equal (
      fm_backing_file_read (fixture->file, EXTENT, fixture->back, EXTENT), 0);
  for (i = 0; i < EXTENT; i++)
    assert_int_equal (fixture->back[i], 0);
}

static void
test_beyond_the_end (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (
      fm_backing_file_read (fixture->file, LENGTH, fixture->back, EXTENT),
      ENODATA);
  assert_int_equal (fm_backing_file_read (fixture->file, LENGTH - TESTING_PAGE,
                        fixture->back, EXTENT),
      ENODATA);
}

static void
test_interrupted (void **state)
{
  static const FmCall calls[] = {
      FM_CALL_FALLOCATE, FM_CALL_PWRITE, FM_CALL_PREAD};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    expect_fault (calls[i], 3, EINTR);
    round_trip (*state, i * EXTENT);
    assert_int_equal (fault.left, 0);
  }
}

static gsize most_moved;
static atomic_uint n_transfers;

static int
cut_each_third (const FmCallInfo *info)
{
  return (info->call == FM_CALL_PWRITE || info->call == FM_CALL_PREAD)
          && atomic_fetch_add (&n_transfers, 1) % 3 == 0
      ? FM_SEAM_SHORT (most_moved)
      : 0;
}

/* What was moved counts, and the rest is moved by further calls. */
static void
test_cut_transfers (void **state)
{
  guint first;

  fm_seam_set_hook (cut_each_third);
  for (most_moved = TESTING_PAGE; most_moved < EXTENT; most_moved *= 4) {
    /* The write, then the read. */
    for (first = 0; first <= 2; first += 2) {
      atomic_store (&n_transfers, first);
      round_trip (*state, 0);
      assert_true (atomic_load (&n_transfers) > first + 2);
    }
  }
}

static void
test_nothing_is_moved (void **state)
{
  Fixture *fixture = *state;

  round_trip (fixture, 0);
  most_moved = 0;
  atomic_store (&n_transfers, 0);
  fm_seam_set_hook (cut_each_third);
  assert_int_equal (
      fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT), ENOSPC);
  atomic_store (&n_transfers, 0);
  assert_int_equal (
      fm_backing_file_read (fixture->file, 0, fixture->back, EXTENT), ENODATA);
}

static void
test_errors_are_told (void **state)
{
  Fixture *fixture = *state;

  round_trip (fixture, 0);
  expect_fault (FM_CALL_PWRITE, 1, EIO);
  assert_int_equal (
      fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT), EIO);
  expect_fault (FM_CALL_PWRITE, 1, ENOSPC);
  assert_int_equal (
      fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT), ENOSPC);
  expect_fault (FM_CALL_PREAD, 1, EIO);
  assert_int_equal (
      fm_backing_file_read (fixture->file, 0, fixture->back, EXTENT), EIO);
}

/* Through the page cache it is the writing back that fails, for want of space
 * where that is found late (btrfs, networks). */
static void
test_late_errors_are_told (void **state)
{
  static const int errors[] = {EIO, ENOSPC, EDQUOT, ENOMEM};
  Fixture *fixture = *state;
  guint i;

  assert_int_equal (fm_seam_set_direct (fixture->file->fd, FALSE), 0);
  atomic_store (&fixture->file->direct, FALSE);
  fixture->file->in_memory = FALSE;
  for (i = 0; i < G_N_ELEMENTS (errors); i++) {
    expect_fault (FM_CALL_SYNC_FILE_RANGE, 1, errors[i]);
    assert_int_equal (
        fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT),
        errors[i]);
  }
  /* Where it can't be asked for, the kernel does it later. */
  expect_fault (FM_CALL_SYNC_FILE_RANGE, 1, ENOSYS);
  round_trip (fixture, 0);
}

static atomic_int n_unsynced, n_unsynced_max;

static int
count_unsynced (const FmCallInfo *info)
{
  if (info->call == FM_CALL_PWRITE) {
    int n = atomic_fetch_add (&n_unsynced, 1) + 1;

    if (n > atomic_load (&n_unsynced_max))
      atomic_store (&n_unsynced_max, n);
    /* long enough for the other */
    g_usleep (1000);
  } else if (info->call == FM_CALL_SYNC_FILE_RANGE) {
    atomic_fetch_sub (&n_unsynced, 1);
  }
  return 0;
}

static gpointer
write_often (gpointer data)
{
  Fixture *fixture = data;
  guint i;

  for (i = 0; i < 16; i++)
    testing_check (
        fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT) == 0);
  return NULL;
}

/* The kernel tells an error of the file to one of those who ask, whosever it
 * is: so nobody else may ask between a write and the look at what came of it.
 */
static void
test_late_errors_are_ones_own (void **state)
{
  Fixture *fixture = *state;
  GThread *thread;

  assert_int_equal (fm_seam_set_direct (fixture->file->fd, FALSE), 0);
  atomic_store (&fixture->file->direct, FALSE);
  fixture->file->in_memory = FALSE;
  fm_seam_set_hook (count_unsynced);
  thread = g_thread_new ("writer", write_often, fixture);
  write_often (fixture);
  g_thread_join (thread);
  assert_int_equal (atomic_load (&n_unsynced_max), 1);
}

static gsize
pages_in_cache (Fixture *fixture)
{
  unsigned char pages[LENGTH / TESTING_PAGE];
  void *map = mmap (NULL, LENGTH, PROT_READ, MAP_SHARED, fixture->file->fd, 0);
  gsize i, n = 0;

  assert_true (map != MAP_FAILED);
  assert_int_equal (mincore (map, LENGTH, pages), 0);
  munmap (map, LENGTH);
  for (i = 0; i < LENGTH / TESTING_PAGE; i++)
    n += pages[i] & 1;
  return n;
}

static void
test_nothing_stays_in_cache (void **state)
{
  Fixture *fixture = *state;

  round_trip (fixture, 0);
  assert_int_equal (pages_in_cache (fixture), 0);
}

/* Known by one call, and before Linux 6.5 by others. */
static void
test_cached_bytes (void **state)
{
  Fixture *fixture = *state;
  const guint64 page = TESTING_PAGE;

  assert_int_equal (fm_backing_file_cached_bytes (fixture->file), 0);
  assert_int_equal (fm_seam_set_direct (fixture->file->fd, FALSE), 0);
  assert_int_equal (
      pwrite (fixture->file->fd, fixture->data, 3 * page, EXTENT), 3 * page);
  assert_int_equal (fm_backing_file_cached_bytes (fixture->file), 3 * page);
  expect_fault (FM_CALL_CACHESTAT, 1, ENOSYS);
  assert_int_equal (fm_backing_file_cached_bytes (fixture->file), 3 * page);
  assert_int_equal (fault.left, 0);
}

static guint n_looks;

static int
look_slowly (const FmCallInfo *info)
{
  if (info->call == FM_CALL_CACHESTAT)
    return ENOSYS;
  if (info->call == FM_CALL_LSEEK && n_looks++ == 0)
    g_usleep (LOOK);
  return 0;
}

/* A long walk over the file is not taken again at once. */
static void
test_cached_bytes_dear (void **state)
{
  Fixture *fixture = *state;
  guint64 cached;

  assert_int_equal (fm_seam_set_direct (fixture->file->fd, FALSE), 0);
  assert_int_equal (
      pwrite (fixture->file->fd, fixture->data, EXTENT, 0), EXTENT);
  n_looks = 0;
  fm_seam_set_hook (look_slowly);
  cached = fm_backing_file_cached_bytes (fixture->file);
  assert_int_equal (cached, EXTENT);
  n_looks = 1;
  fm_backing_file_drop_cache (fixture->file, 0, EXTENT);
  assert_int_equal (fm_backing_file_cached_bytes (fixture->file), cached);
  assert_int_equal (n_looks, 1);
}

/* Where it can't be known it is taken for nothing. */
static void
test_cached_bytes_unknown (void **state)
{
  static const FmCall calls[] = {FM_CALL_LSEEK, FM_CALL_MMAP, FM_CALL_MINCORE};
  Fixture *fixture = *state;
  guint i;

  assert_int_equal (fm_seam_set_direct (fixture->file->fd, FALSE), 0);
  assert_int_equal (
      pwrite (fixture->file->fd, fixture->data, EXTENT, 0), EXTENT);
  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    expect_two_faults (FM_CALL_CACHESTAT, calls[i], ENOSYS);
    assert_int_equal (fm_backing_file_cached_bytes (fixture->file), 0);
  }
}

static gboolean
is_direct (FmBackingFile *file)
{
  return (fcntl (file->fd, F_GETFL) & O_DIRECT) != 0;
}

static void
test_direct (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (
      is_direct (fixture->file), atomic_load (&fixture->file->direct));
}

static void
test_direct_refused_at_once (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_FCNTL, 1, EINVAL);
  fm_backing_file_free (fixture->file);
  fixture->file = new_file (fixture->dir);
  assert_int_equal (fm_backing_file_set_length (fixture->file, LENGTH), 0);
  assert_false (atomic_load (&fixture->file->direct));
  assert_false (is_direct (fixture->file));
  round_trip (fixture, 0);
  assert_int_equal (pages_in_cache (fixture), 0);
}

/* Some file systems take the flag and refuse the transfer. */
static void
test_direct_refused_later (void **state)
{
  Fixture *fixture = *state;
  static const FmCall calls[] = {FM_CALL_PWRITE, FM_CALL_PREAD};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    fm_seam_set_hook (NULL);
    fm_backing_file_free (fixture->file);
    fixture->file = new_file (fixture->dir);
    assert_int_equal (fm_backing_file_set_length (fixture->file, LENGTH), 0);
    if (!atomic_load (&fixture->file->direct))
      testing_skip ("there are no direct transfers in this directory");

    n_messages = 0;
    fm_messages_set_func (count_message);
    expect_fault (calls[i], 1, EINVAL);
    round_trip (fixture, 0);
    round_trip (fixture, EXTENT);
    assert_int_equal (fault.left, 0);
    assert_false (atomic_load (&fixture->file->direct));
    assert_false (is_direct (fixture->file));
    assert_int_equal (n_messages, 1);
    assert_int_equal (pages_in_cache (fixture), 0);
  }
}

/* Both I/O threads meet the refusal; the other one is faster. */
static void
test_direct_refused_to_two (void **state)
{
  Fixture *fixture = *state;

  if (!atomic_load (&fixture->file->direct))
    testing_skip ("there are no direct transfers in this directory");
  expect_fault (FM_CALL_PWRITE, 1, EINVAL);
  fault.other_thread_gives_up = fixture->file;
  round_trip (fixture, 0);
}

/* A refusal that has nothing to do with O_DIRECT is an error, not a loop. */
static void
test_refused_for_ever (void **state)
{
  Fixture *fixture = *state;

  round_trip (fixture, 0);
  expect_fault (FM_CALL_PWRITE, G_MAXUINT, EINVAL);
  assert_int_equal (
      fm_backing_file_write (fixture->file, 0, fixture->data, EXTENT), EINVAL);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_round_trip),
      TEST (test_hole_reads_as_zeros),
      TEST (test_beyond_the_end),
      TEST (test_interrupted),
      TEST (test_cut_transfers),
      TEST (test_nothing_is_moved),
      TEST (test_errors_are_told),
      TEST (test_late_errors_are_told),
      TEST (test_late_errors_are_ones_own),
      TEST (test_nothing_stays_in_cache),
      TEST (test_cached_bytes),
      TEST (test_cached_bytes_dear),
      TEST (test_cached_bytes_unknown),
      TEST (test_direct),
      TEST (test_direct_refused_at_once),
      TEST (test_direct_refused_later),
      TEST (test_direct_refused_to_two),
      TEST (test_refused_for_ever),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
