/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena-fixture.c: see arena-fixture.h.
 */
#include "arena-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct ArenaFault fault;

static int
fault_hook (const FmCallInfo *info)
{
  if (fault.left == 0 || info->call != fault.call || info->address == NULL
      || (info->flags & fault.flags_needed) != fault.flags_needed)
    return 0;
  fault.left--;
  if (fault.unmap)
    munmap (info->address, info->length);
  if (fault.stranger_size > 0)
    mmap ((guint8 *) info->address + fault.stranger_at, fault.stranger_size,
        fault.stranger_protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
        0);
  return fault.error;
}

void
expect_fault (FmCall call, guint n, gboolean unmap)
{
  memset (&fault, 0, sizeof fault);
  fault.call = call;
  fault.left = n;
  fault.error = ENOMEM;
  fault.unmap = unmap;
  fm_seam_set_hook (fault_hook);
}

void
expect_stranger (FmCall call, gsize at, gsize size, int protection)
{
  expect_fault (call, 1, TRUE);
  fault.stranger_at = at;
  fault.stranger_size = size;
  fault.stranger_protection = protection;
}

/* ---- what is there ---- */

static Shows
shows_of_line (const Fixture *fixture, const gchar *protection, guint64 inode)
{
  struct stat file;

  if (fstat (fixture->fd, &file) == 0 && inode == file.st_ino) {
    if (g_str_equal (protection, "rw-s"))
      return FILE_SHOWN;
    if (g_str_equal (protection, "r--s"))
      return READ_ONLY_FILE;
  } else if (inode == 0) {
    if (g_str_equal (protection, "---p"))
      return NOTHING;
    if (g_str_equal (protection, "rw-p"))
      return MEMORY;
  }
  return MIXED;
}

/* What all of the range shows. */
Shows
shows (const Fixture *fixture, gsize offset, gsize length)
{
  guint64 start = (guintptr) fixture->arena->base + offset, at = start;
  guint64 end = start + length;
  FILE *maps = fopen ("/proc/self/maps", "r");
  gchar line[512];
  Shows result = GAP;
  gboolean gap = FALSE;

  while (fgets (line, sizeof line, maps) != NULL) {
    guint64 from, to, offset_in_file, inode;
    gchar protection[5];
    Shows part;

    if (sscanf (line,
            "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
            "x %4s %" G_GINT64_MODIFIER "x %*s %" G_GINT64_MODIFIER "u",
            &from, &to, protection, &offset_in_file, &inode)
        != 5)
      continue;
    if (to <= start || from >= end)
      continue;
    gap = gap || from > at;
    part = shows_of_line (fixture, protection, inode);
    /* The file's offset is the arena's. */
    if (part == FILE_SHOWN
        && offset_in_file != from - (guintptr) fixture->arena->base)
      part = MIXED;
    result = at == start || result == part ? part : MIXED;
    at = to;
  }
  fclose (maps);
  if (at == start)
    return GAP;
  return gap || at < end ? MIXED : result;
}

/* FALSE if a load from there would be a signal. */
gboolean
is_readable (const void *address)
{
  int ends[2];
  ssize_t n;

  if (pipe (ends) != 0)
    return FALSE;
  n = write (ends[1], address, 1);
  close (ends[0]);
  close (ends[1]);
  return n == 1;
}

guint8 *
part_of (const Fixture *fixture)
{
  return fixture->arena->base + PART;
}

/* Whatever happens to the part, nothing happens beside it. */
void
assert_shows (const Fixture *fixture, Shows expected)
{
  assert_int_equal (shows (fixture, PART, PART), expected);
  assert_int_equal (shows (fixture, 0, PART), NOTHING);
  assert_int_equal (shows (fixture, 2 * PART, SIZE - 2 * PART), NOTHING);
  assert_int_equal (
      is_readable (part_of (fixture)), expected != NOTHING && expected != GAP);
}

void
write_file (const Fixture *fixture, guint seed)
{
  g_autofree guint8 *data = g_malloc (PART);

  testing_fill (data, PART, seed);
  assert_int_equal (pwrite (fixture->fd, data, PART, PART), PART);
}

/* ---- fixture ---- */

static int
setup_files (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  *state = fixture;
  fixture->dir = testing_dir_new ();
  fixture->fd =
      open (fixture->dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fixture->fd < 0 || ftruncate (fixture->fd, SIZE) != 0)
    return -1;
  return 0;
}

int
fixture_setup (void **state)
{
  Fixture *fixture;

  if (setup_files (state) != 0)
    return -1;
  fixture = *state;
  fixture->arena = fm_arena_new (SIZE, SIZE, GRANULE, fixture->fd, TRUE);
  return fixture->arena != NULL ? 0 : -1;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  g_clear_pointer (&fixture->arena, fm_arena_free);
  close (fixture->fd);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

void
make_anonymous (Fixture *fixture)
{
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_DONE);
  assert_shows (fixture, MEMORY);
}

void
show_file (Fixture *fixture)
{
  make_anonymous (fixture);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, FILE_SHOWN);
}

void *
new_staging (Fixture *fixture, guint seed)
{
  void *staging = fm_arena_staging_new (fixture->arena, PART, FALSE);

  assert_non_null (staging);
  testing_fill (staging, PART, seed);
  return staging;
}

FmArenaResult
replace_file (Fixture *fixture)
{
  void *staging = new_staging (fixture, 3);
  FmArenaResult result =
      fm_arena_replace (fixture->arena, PART, &staging, PART);

  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
  return result;
}

FmArenaResult
show_part (Fixture *fixture)
{
  return fm_arena_show_file (fixture->arena, PART, PART);
}

FmArenaResult
vacate_part (Fixture *fixture)
{
  return fm_arena_vacate (fixture->arena, PART, PART);
}

FmArenaResult
use_part (Fixture *fixture)
{
  return fm_arena_make_anonymous (fixture->arena, PART, PART, PART);
}
