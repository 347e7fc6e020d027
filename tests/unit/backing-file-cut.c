/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file-cut.c: tests a temporary file that somebody cuts short. What was
 * in it must never pass for zeros, not even when a write of ours has made the
 * file longer again.
 */
#include "backing-file-fixture.h"

#include <errno.h>
#include <unistd.h>

static int
setup (void **state)
{
  static const gsize places[] = {
      0, LENGTH / 2 - EXTENT, LENGTH / 2, LENGTH - EXTENT};
  Fixture *fixture;
  guint i;

  if (fixture_setup (state) != 0)
    return -1;
  fixture = *state;
  for (i = 0; i < G_N_ELEMENTS (places); i++)
    assert_int_equal (
        fm_backing_file_write (fixture->file, places[i], fixture->data, EXTENT),
        0);
  return 0;
}

/* Whatever is asked of it. */
static void
assert_lost (Fixture *fixture, guint64 offset)
{
  FmBackingFile *file = fixture->file;

  assert_int_equal (
      fm_backing_file_read (file, offset, fixture->back, EXTENT), ENODATA);
  assert_int_equal (fm_backing_file_read_parts (file, offset, fixture->back,
                        EXTENT / 2, fixture->back + EXTENT / 2, EXTENT / 2),
      ENODATA);
  assert_int_equal (
      fm_backing_file_write (file, offset, fixture->data, EXTENT), ENODATA);
  assert_int_equal (
      fm_backing_file_allocate (file, offset, EXTENT, EXTENT), ENODATA);
  assert_int_equal (
      fm_backing_file_punch (file, offset, EXTENT, EXTENT), ENODATA);
}

static void
test_file_is_cut (void **state)
{
  Fixture *fixture = *state;
  FmBackingFile *file = fixture->file;

  assert_int_equal (fm_backing_file_read (file, 0, fixture->back, EXTENT), 0);
  assert_memory_equal (fixture->back, fixture->data, EXTENT);
  assert_int_equal (ftruncate (file->fd, LENGTH / 2), 0);
  assert_lost (fixture, LENGTH - EXTENT);
  assert_lost (fixture, 0);

  /* As long as it was, but for the bytes. */
  assert_int_equal (ftruncate (file->fd, LENGTH), 0);
  assert_lost (fixture, LENGTH - EXTENT);
  assert_lost (fixture, 0);
}

static Fixture *cut_during;

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
  Fixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (fm_backing_file_read (
                        fixture->file, LENGTH - EXTENT, fixture->back, EXTENT),
      ENODATA);
  assert_lost (fixture, 0);
}

/* It ends behind what is read, where there were bytes in the cache. */
static void
test_file_is_cut_behind (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (
      fm_backing_file_read (fixture->file, 0, fixture->back, EXTENT), ENODATA);
  assert_lost (fixture, 0);
}

static void
test_file_is_cut_between_parts (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (cut);
  cut_during = fixture;
  assert_int_equal (fm_backing_file_read_parts (fixture->file, 0, fixture->back,
                        EXTENT / 2, fixture->back + EXTENT / 2, EXTENT / 2),
      ENODATA);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_file_is_cut),
      TEST (test_file_is_cut_meanwhile),
      TEST (test_file_is_cut_behind),
      TEST (test_file_is_cut_between_parts),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
