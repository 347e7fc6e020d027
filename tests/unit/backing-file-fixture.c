/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file-fixture.c: see backing-file-fixture.h.
 */
#include "backing-file-fixture.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct FileFault fault;

static int
fault_hook (const FmCallInfo *info)
{
  if (fault.left == 0 || info->call != fault.call
      || (info->flags & fault.flags_needed) != fault.flags_needed)
    return 0;
  fault.left--;
  if (fault.other_thread_gives_up != NULL) {
    const int fd = fault.other_thread_gives_up->fd;

    fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) & ~O_DIRECT);
    atomic_store (&fault.other_thread_gives_up->direct, FALSE);
  }
  return fault.error;
}

void
expect_fault (FmCall call, guint n, int error)
{
  memset (&fault, 0, sizeof fault);
  fault.call = call;
  fault.left = n;
  fault.error = error;
  fm_seam_set_hook (fault_hook);
}

FmBackingFile *
new_file (const gchar *dir)
{
  g_autoptr (GError) error = NULL;
  FmBackingFile *file = fm_backing_file_new (dir, &error);

  if (file == NULL)
    fail_msg ("%s", error->message);
  return file;
}

int
fixture_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->file = new_file (fixture->dir);
  fixture->data = g_aligned_alloc0 (1, EXTENT, TESTING_PAGE);
  fixture->back = g_aligned_alloc0 (1, EXTENT, TESTING_PAGE);
  testing_fill (fixture->data, EXTENT, 1);
  *state = fixture;
  return fm_backing_file_set_length (fixture->file, LENGTH);
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  fm_messages_set_func (NULL);
  g_clear_pointer (&fixture->file, fm_backing_file_free);
  g_aligned_free (fixture->data);
  g_aligned_free (fixture->back);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

guint64
bytes_on_disk (FmBackingFile *file)
{
  struct stat status;

  /* What a file system allocates late counts only when it has done so. */
  assert_int_equal (fsync (file->fd), 0);
  assert_int_equal (fstat (file->fd, &status), 0);
  return (guint64) status.st_blocks * 512;
}

void
round_trip (Fixture *fixture, guint64 offset)
{
  memset (fixture->back, 0, EXTENT);
  assert_int_equal (
      fm_backing_file_allocate (fixture->file, offset, EXTENT, EXTENT), 0);
  assert_int_equal (
      fm_backing_file_write (fixture->file, offset, fixture->data, EXTENT), 0);
  assert_int_equal (
      fm_backing_file_read (fixture->file, offset, fixture->back, EXTENT), 0);
  assert_true (testing_is_filled (fixture->back, EXTENT, 1));
}
