/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena.c: tests what each part of the arena shows after each call, and after
 * each way in which the kernel can refuse one.
 *
 * What a part shows is read from /proc/self/maps, and its bytes through
 * write(2), which says EFAULT where a load would be a signal.
 */
#include "arena.h"
#include "seam.h"
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

#define GRAIN (256 * TESTING_KIB)
#define GRAINS 16
#define SIZE (GRAINS * GRAIN)
/* The part that the tests change; its neighbours are watched. */
#define PART (4 * GRAIN)

typedef enum { NOTHING, MEMORY, FILE_SHOWN, READ_ONLY_FILE, GAP, MIXED } Shows;

typedef struct
{
  gchar *dir;
  int fd;
  FmArena *arena;
} Fixture;

/* How a call fails. */
static struct
{
  FmCall call;
  guint left; /* calls that fail from now on */
  int error;
  int flags_needed;    /* only calls with these flags fail */
  gboolean unmap;      /* the kernel has unmapped the target already */
  gsize stranger_at;   /* offset in the target of what another thread maps */
  gsize stranger_size; /* 0: no stranger */
  int stranger_protection;
} fault;

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

static void
expect_fault (FmCall call, guint n, gboolean unmap)
{
  memset (&fault, 0, sizeof fault);
  fault.call = call;
  fault.left = n;
  fault.error = ENOMEM;
  fault.unmap = unmap;
  fm_seam_set_hook (fault_hook);
}

static void
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
static Shows
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
static gboolean
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

static guint8 *
part_of (const Fixture *fixture)
{
  return fixture->arena->base + PART;
}

/* Whatever happens to the part, nothing happens beside it. */
static void
assert_shows (const Fixture *fixture, Shows expected)
{
  assert_int_equal (shows (fixture, PART, PART), expected);
  assert_int_equal (shows (fixture, 0, PART), NOTHING);
  assert_int_equal (shows (fixture, 2 * PART, SIZE - 2 * PART), NOTHING);
  assert_int_equal (
      is_readable (part_of (fixture)), expected != NOTHING && expected != GAP);
}

static void
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

  fixture->dir = testing_dir_new ();
  fixture->fd =
      open (fixture->dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fixture->fd < 0 || ftruncate (fixture->fd, SIZE) != 0)
    return -1;
  *state = fixture;
  return 0;
}

static int
setup (void **state)
{
  Fixture *fixture;

  if (setup_files (state) != 0)
    return -1;
  fixture = *state;
  fixture->arena = fm_arena_new (SIZE, SIZE, GRAIN, fixture->fd, TRUE);
  return fixture->arena != NULL ? 0 : -1;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  g_clear_pointer (&fixture->arena, fm_arena_free);
  close (fixture->fd);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static void
make_anonymous (Fixture *fixture)
{
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_DONE);
  assert_shows (fixture, MEMORY);
}

static void
show_file (Fixture *fixture)
{
  make_anonymous (fixture);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, FILE_SHOWN);
}

static void *
new_staging (Fixture *fixture, guint seed)
{
  void *staging = fm_arena_staging_new (fixture->arena, PART, FALSE);

  assert_non_null (staging);
  testing_fill (staging, PART, seed);
  return staging;
}

/* ---- what works ---- */

static void
test_reserved (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (fixture->arena->size, SIZE);
  assert_int_equal ((guintptr) fixture->arena->base % GRAIN, 0);
  assert_int_equal (shows (fixture, 0, SIZE), NOTHING);
  assert_false (is_readable (fixture->arena->base));
  assert_false (is_readable (fixture->arena->base + SIZE - 1));
}

static void
test_size_and_alignment (void **state)
{
  static const gsize alignments[] = {
      TESTING_PAGE, GRAIN, 512 * TESTING_KIB, FM_HUGE_PAGE};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (alignments); i++) {
    Fixture fixture = {NULL, -1, NULL};

    fixture.arena =
        fm_arena_new (3 * alignments[i] + 1, 1, alignments[i], -1, FALSE);
    assert_non_null (fixture.arena);
    assert_int_equal ((guintptr) fixture.arena->base % alignments[i], 0);
    assert_int_equal (fixture.arena->size, 4 * alignments[i]);
    assert_int_equal (shows (&fixture, 0, fixture.arena->size), NOTHING);
    fm_arena_free (fixture.arena);
  }
}

static void
test_freed (void **state)
{
  Fixture *fixture = *state;
  FmArena *arena = fixture->arena;
  /* fm_arena_free() frees what shows() looks at. */
  FmArena place = {.base = arena->base, .size = arena->size};
  Fixture gone = {fixture->dir, fixture->fd, &place};

  show_file (fixture);
  fm_arena_free (g_steal_pointer (&fixture->arena));
  assert_int_not_equal (shows (&gone, 0, SIZE), NOTHING);
  assert_int_not_equal (shows (&gone, PART, PART), FILE_SHOWN);
}

static void
test_make_anonymous (void **state)
{
  Fixture *fixture = *state;
  static const guint8 zeros[PART];

  make_anonymous (fixture);
  assert_memory_equal (part_of (fixture), zeros, PART);
  testing_fill (part_of (fixture), PART, 1);
  assert_true (testing_is_filled (part_of (fixture), PART, 1));
}

/* What was never used is not resident, huge pages or not. */
static void
test_only_used_is_resident (void **state)
{
  Fixture *fixture = *state;
  const gsize run = 2 * FM_HUGE_PAGE, used = FM_HUGE_PAGE + TESTING_PAGE;
  unsigned char pages[2 * FM_HUGE_PAGE / TESTING_PAGE];
  FmArena *arena = fm_arena_new (run, run, FM_HUGE_PAGE, fixture->fd, TRUE);
  gsize i, resident = 0;

  assert_non_null (arena);
  assert_int_equal (
      fm_arena_make_anonymous (arena, 0, run, used), FM_ARENA_DONE);
  testing_fill (arena->base, used, 1);
  assert_int_equal (mincore (arena->base, run, pages), 0);
  for (i = 0; i < run / TESTING_PAGE; i++)
    resident += pages[i] & 1;
  assert_int_equal (resident, used / TESTING_PAGE);
  fm_arena_free (arena);
}

static void
test_show_file (void **state)
{
  Fixture *fixture = *state;

  write_file (fixture, 2);
  make_anonymous (fixture);
  testing_fill (part_of (fixture), PART, 1);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
  assert_false (atomic_load (&fixture->arena->memory_locked));
}

/* A store through a pointer that somebody kept survives. */
static void
test_stray_write (void **state)
{
  Fixture *fixture = *state;
  guint8 byte = 0;

  show_file (fixture);
  part_of (fixture)[12345] = 77;
  assert_int_equal (pread (fixture->fd, &byte, 1, PART + 12345), 1);
  assert_int_equal (byte, 77);
}

static void
test_replace (void **state)
{
  Fixture *fixture = *state;
  static const guint8 zeros[PART];
  void *staging;

  show_file (fixture);
  staging = new_staging (fixture, 3);
  assert_int_equal (
      fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
  assert_shows (fixture, MEMORY);
  assert_true (testing_is_filled (part_of (fixture), PART, 3));
  if (staging != NULL) {
    /* To be read into again. */
    assert_memory_equal (staging, zeros, PART);
    fm_arena_staging_free (staging, PART);
  }
  /* Its own pages, not the file's. */
  write_file (fixture, 9);
  assert_true (testing_is_filled (part_of (fixture), PART, 3));
}

static void
test_replace_in_pieces (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  assert_int_equal (
      fm_arena_replace (fixture->arena, PART + GRAIN, &staging, GRAIN),
      FM_ARENA_DONE);
  assert_int_equal (shows (fixture, PART, GRAIN), FILE_SHOWN);
  assert_int_equal (shows (fixture, PART + GRAIN, GRAIN), MEMORY);
  assert_int_equal (shows (fixture, PART + 2 * GRAIN, 2 * GRAIN), FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), GRAIN, 2));
  assert_true (testing_is_filled (part_of (fixture) + GRAIN, GRAIN, 3));
  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
}

static void
test_vacate (void **state)
{
  Fixture *fixture = *state;

  show_file (fixture);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
  make_anonymous (fixture);
  testing_fill (part_of (fixture), PART, 1);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
  make_anonymous (fixture);
  assert_int_equal (part_of (fixture)[1], 0);
}

static void
test_protect (void **state)
{
  Fixture *fixture = *state;

  show_file (fixture);
  fm_arena_protect (fixture->arena, PART, PART);
  assert_shows (fixture, READ_ONLY_FILE);
}

/* In the child of a fork the file is the parent's. */
static void
test_read_only (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  fixture->arena->read_only = TRUE;
  make_anonymous (fixture);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, READ_ONLY_FILE);
  staging = new_staging (fixture, 3);
  expect_fault (FM_CALL_MREMAP, 1, TRUE);
  assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, READ_ONLY_FILE);
  fm_arena_staging_free (staging, PART);

  fm_seam_set_hook (NULL);
  make_anonymous (fixture);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, READ_ONLY_FILE);
}

static void
test_staging (void **state)
{
  Fixture *fixture = *state;
  void *staging = fm_arena_staging_new (fixture->arena, 2 * FM_HUGE_PAGE, TRUE);

  assert_non_null (staging);
  assert_int_equal ((guintptr) staging % FM_HUGE_PAGE, 0);
  testing_fill (staging, 2 * FM_HUGE_PAGE, 1);
  assert_true (testing_is_filled (staging, 2 * FM_HUGE_PAGE, 1));
  fm_arena_staging_free (staging, 2 * FM_HUGE_PAGE);
  assert_false (is_readable (staging));
}

/* The VmFlags of the mapping at @address. */
static gboolean
has_flag (const guint8 *address, const gchar *flag)
{
  FILE *maps = fopen ("/proc/self/smaps", "r");
  g_autofree gchar *wanted = g_strconcat (" ", flag, " ", NULL);
  gboolean here = FALSE, found = FALSE;
  gchar line[512];

  while (fgets (line, sizeof line, maps) != NULL) {
    guint64 from, to;

    if (sscanf (line, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x ", &from,
            &to)
        == 2)
      here = (guintptr) address >= from && (guintptr) address < to;
    else if (here && g_str_has_prefix (line, "VmFlags:"))
      found = strstr (line, wanted) != NULL;
  }
  fclose (maps);
  return found;
}

static void
test_dont_dump (void **state)
{
  Fixture *fixture = *state;
  guint8 *part = part_of (fixture);
  void *staging;

  assert_true (has_flag (part, "dd"));
  make_anonymous (fixture);
  assert_true (has_flag (part, "dd"));
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_true (has_flag (part, "dd"));
  staging = new_staging (fixture, 1);
  assert_int_equal (
      fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
  assert_true (has_flag (part, "dd"));
  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
}

static void
test_dump (void **state)
{
  Fixture *fixture = *state;

  fixture->arena->dontdump = FALSE;
  make_anonymous (fixture);
  assert_false (has_flag (part_of (fixture), "dd"));
}

/* A gap that was closed is no different from what would have been there. */
static void
test_dont_dump_after_failure (void **state)
{
  Fixture *fixture = *state;

  make_anonymous (fixture);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_true (has_flag (part_of (fixture), "dd"));
  assert_true (has_flag (part_of (fixture), "rr"));
}

/* ---- what the kernel refuses ---- */

static void
test_make_anonymous_refused (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_UNCHANGED);
  assert_int_equal (fault.left, 0);
  assert_shows (fixture, NOTHING);
}

static void
test_make_anonymous_unmapped (void **state)
{
  Fixture *fixture = *state;

  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (fm_arena_make_anonymous (fixture->arena, PART, PART, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, NOTHING);
}

static void
test_show_file_refused (void **state)
{
  Fixture *fixture = *state;

  make_anonymous (fixture);
  testing_fill (part_of (fixture), PART, 1);
  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_UNCHANGED);
  assert_int_equal (fault.left, 0);
  assert_shows (fixture, MEMORY);
  assert_true (testing_is_filled (part_of (fixture), PART, 1));
}

static void
test_show_file_unmapped (void **state)
{
  Fixture *fixture = *state;

  write_file (fixture, 2);
  make_anonymous (fixture);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
}

static void
test_replace_refused (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  expect_fault (FM_CALL_MREMAP, 1, FALSE);
  assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
  assert_non_null (staging);
  assert_true (testing_is_filled (staging, PART, 3));
  fm_arena_staging_free (staging, PART);
}

static void
test_replace_unmapped (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  expect_fault (FM_CALL_MREMAP, 1, TRUE);
  assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
      FM_ARENA_UNCHANGED);
  assert_shows (fixture, FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), PART, 2));
  fm_arena_staging_free (staging, PART);
}

/* Kernels before 5.7, and valgrind. */
static void
test_replace_without_dontunmap (void **state)
{
  Fixture *fixture = *state;
  guint round;

  for (round = 0; round < 2; round++) {
    void *staging;

    write_file (fixture, 2);
    if (round == 0)
      make_anonymous (fixture);
    assert_int_equal (
        fm_arena_show_file (fixture->arena, PART, PART), FM_ARENA_DONE);
    staging = new_staging (fixture, 3);
    expect_fault (FM_CALL_MREMAP, G_MAXUINT, FALSE);
    fault.error = EINVAL;
    fault.flags_needed = MREMAP_DONTUNMAP;
    assert_int_equal (
        fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
    assert_shows (fixture, MEMORY);
    assert_true (testing_is_filled (part_of (fixture), PART, 3));
    assert_null (staging);
  }
  assert_true (atomic_load (&fixture->arena->no_dontunmap));
}

static void
test_replace_without_dontunmap_refused (void **state)
{
  Fixture *fixture = *state;
  void *staging;
  guint round;

  atomic_store (&fixture->arena->no_dontunmap, TRUE);
  write_file (fixture, 2);
  show_file (fixture);
  for (round = 0; round < 2; round++) {
    staging = new_staging (fixture, 3);
    expect_fault (FM_CALL_MREMAP, 1, round == 1);
    assert_int_equal (fm_arena_replace (fixture->arena, PART, &staging, PART),
        FM_ARENA_UNCHANGED);
    assert_shows (fixture, FILE_SHOWN);
    assert_true (testing_is_filled (part_of (fixture), PART, 2));
    assert_non_null (staging);
    fm_arena_staging_free (staging, PART);
  }
}

static void
test_vacate_refused (void **state)
{
  Fixture *fixture = *state;

  make_anonymous (fixture);
  testing_fill (part_of (fixture), PART, 1);
  expect_fault (FM_CALL_MMAP, 1, FALSE);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_UNCHANGED);
  assert_shows (fixture, MEMORY);
  assert_true (testing_is_filled (part_of (fixture), PART, 1));
}

static void
test_vacate_unmapped (void **state)
{
  Fixture *fixture = *state;

  show_file (fixture);
  expect_fault (FM_CALL_MMAP, 1, TRUE);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
}

/* Advice that is refused is no failure. */
static void
test_advice_refused (void **state)
{
  Fixture *fixture = *state;
  void *staging;

  expect_fault (FM_CALL_MADVISE, G_MAXUINT, FALSE);
  fault.error = EINVAL;
  write_file (fixture, 2);
  show_file (fixture);
  staging = new_staging (fixture, 3);
  assert_int_equal (
      fm_arena_replace (fixture->arena, PART, &staging, PART), FM_ARENA_DONE);
  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
  assert_int_equal (
      fm_arena_vacate (fixture->arena, PART, PART), FM_ARENA_DONE);
  assert_shows (fixture, NOTHING);
}

/* ---- strangers ---- */

static FmArenaResult
replace_file (Fixture *fixture)
{
  void *staging = new_staging (fixture, 3);
  FmArenaResult result =
      fm_arena_replace (fixture->arena, PART, &staging, PART);

  if (staging != NULL)
    fm_arena_staging_free (staging, PART);
  return result;
}

static FmArenaResult
show_part (Fixture *fixture)
{
  return fm_arena_show_file (fixture->arena, PART, PART);
}

static FmArenaResult
vacate_part (Fixture *fixture)
{
  return fm_arena_vacate (fixture->arena, PART, PART);
}

static FmArenaResult
use_part (Fixture *fixture)
{
  return fm_arena_make_anonymous (fixture->arena, PART, PART, PART);
}

static const struct
{
  FmArenaResult (*call) (Fixture *fixture);
  FmCall fails;
  Shows before;
} changes[] = {
    {use_part, FM_CALL_MMAP, NOTHING},
    {show_part, FM_CALL_MMAP, MEMORY},
    {replace_file, FM_CALL_MREMAP, FILE_SHOWN},
    {vacate_part, FM_CALL_MMAP, FILE_SHOWN},
};

static void
begin_with (Fixture *fixture, Shows what)
{
  fm_seam_set_hook (NULL);
  if (what == NOTHING)
    assert_int_equal (vacate_part (fixture), FM_ARENA_DONE);
  else if (what == MEMORY)
    make_anonymous (fixture);
  else
    show_file (fixture);
}

/* Another thread of the program got a part of the gap: it is left to it. */
static void
test_stranger (void **state)
{
  Fixture *fixture = *state;
  static const gsize places[] = {0, GRAIN, PART - TESTING_PAGE};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (changes); i++) {
    for (j = 0; j < G_N_ELEMENTS (places); j++) {
      const int protection = j == 1 ? PROT_NONE : PROT_READ | PROT_WRITE;

      begin_with (fixture, changes[i].before);
      expect_stranger (changes[i].fails, places[j], TESTING_PAGE, protection);
      assert_int_equal (changes[i].call (fixture), FM_ARENA_LOST);
      assert_int_equal (shows (fixture, PART + places[j], TESTING_PAGE),
          protection == PROT_NONE ? NOTHING : MEMORY);
      /* What is around it stays as it was. */
      assert_int_equal (shows (fixture, 0, PART), NOTHING);
      assert_int_equal (shows (fixture, 2 * PART, SIZE - 2 * PART), NOTHING);
    }
  }
}

/* The gap can't be closed either. */
static void
test_gap_stays (void **state)
{
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (changes); i++) {
    begin_with (fixture, changes[i].before);
    expect_fault (changes[i].fails, 1, TRUE);
    if (changes[i].fails == FM_CALL_MMAP) {
      fault.left = 2;
      assert_int_equal (changes[i].call (fixture), FM_ARENA_LOST);
      assert_int_equal (shows (fixture, PART, PART), GAP);
    }
  }
}

/* What became somebody else's does not go with the arena. */
static void
test_stranger_outlives_arena (void **state)
{
  Fixture *fixture = *state;
  guint8 *stranger = part_of (fixture) + GRAIN;

  make_anonymous (fixture);
  expect_stranger (FM_CALL_MMAP, GRAIN, TESTING_PAGE, PROT_READ | PROT_WRITE);
  assert_int_equal (show_part (fixture), FM_ARENA_LOST);
  *stranger = 42;
  fm_seam_set_hook (NULL);
  fm_arena_free (g_steal_pointer (&fixture->arena));
  assert_true (is_readable (stranger));
}

/* ---- limits ---- */

static gsize refuse_above;

static int
refuse_large (const FmCallInfo *info)
{
  return info->call == FM_CALL_MMAP && info->length > refuse_above ? ENOMEM : 0;
}

static void
test_address_space_refused (void **state)
{
  FmArena *arena;

  refuse_above = 20 * GRAIN;
  fm_seam_set_hook (refuse_large);
  arena = fm_arena_new (64 * GRAIN, GRAIN, GRAIN, -1, FALSE);
  assert_non_null (arena);
  assert_int_equal (arena->size, 16 * GRAIN);
  fm_arena_free (arena);

  assert_null (fm_arena_new (64 * GRAIN, 32 * GRAIN, GRAIN, -1, FALSE));
  refuse_above = 0;
  assert_null (fm_arena_new (64 * GRAIN, GRAIN, GRAIN, -1, FALSE));
  fm_seam_set_hook (NULL);
}

static void
test_absurd_size (void **state)
{
  assert_null (fm_arena_new (
      G_MAXSIZE / 2, G_MAXSIZE / 2 - FM_HUGE_PAGE, FM_HUGE_PAGE, -1, FALSE));
}

static gsize
address_space_in_use (void)
{
  g_autofree gchar *text = NULL;

  testing_check (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return g_ascii_strtoull (text, NULL, 10) * TESTING_PAGE;
}

static void
limit_address_space (gsize more)
{
  struct rlimit limit;

  limit.rlim_cur = limit.rlim_max = address_space_in_use () + more;
  testing_check (setrlimit (RLIMIT_AS, &limit) == 0);
}

static void
small_address_space (gconstpointer data)
{
  FmArena *arena;

  limit_address_space (40 * TESTING_MIB);
  testing_check (
      fm_arena_new (TESTING_MIB << 10, TESTING_MIB << 10, GRAIN, -1, FALSE)
      == NULL);
  arena = fm_arena_new (TESTING_MIB << 10, GRAIN, GRAIN, -1, FALSE);
  testing_check (arena != NULL);
  testing_check (arena->size == 32 * TESTING_MIB);
  fm_arena_free (arena);
}

static void
test_small_address_space (void **state)
{
  g_free (testing_run_child (small_address_space, NULL));
}

/* With not one page of address space left the kernel decides what works;
 * whatever it decides, the part shows what the result says. */
static void
no_address_space (gconstpointer data)
{
  Fixture *fixture = (Fixture *) data;
  Shows now = NOTHING;
  guint round;

  limit_address_space (0);
  for (round = 0; round < 3; round++) {
    FmArenaResult result = use_part (fixture);

    testing_check (result != FM_ARENA_LOST);
    now = result == FM_ARENA_DONE ? MEMORY : now;
    testing_check (shows (fixture, PART, PART) == now);
    if (now == MEMORY)
      testing_fill (part_of (fixture), PART, 2);
    result = show_part (fixture);
    testing_check (result != FM_ARENA_LOST);
    now = result == FM_ARENA_DONE ? FILE_SHOWN : now;
    testing_check (shows (fixture, PART, PART) == now);
    testing_check (
        now == NOTHING || testing_is_filled (part_of (fixture), PART, 2));
    result = vacate_part (fixture);
    testing_check (result != FM_ARENA_LOST);
    now = result == FM_ARENA_DONE ? NOTHING : now;
    testing_check (shows (fixture, PART, PART) == now);
  }
}

static void
test_no_address_space (void **state)
{
  write_file (*state, 2);
  g_free (testing_run_child (no_address_space, *state));
}

static void
locked_memory (gconstpointer data)
{
  Fixture *fixture = (Fixture *) data;
  void *probe;

  if (mlockall (MCL_FUTURE) != 0)
    testing_child_skip ("this user can't lock memory");
  probe = mmap (NULL, TESTING_PAGE, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (probe == MAP_FAILED || !has_flag (probe, "lo"))
    testing_child_skip ("a sanitizer keeps memory from being locked");
  testing_check (use_part (fixture) == FM_ARENA_DONE);
  testing_fill (part_of (fixture), PART, 1);
  testing_check (show_part (fixture) == FM_ARENA_DONE);
  testing_check (shows (fixture, PART, PART) == NOTHING);
  testing_check (atomic_load (&fixture->arena->memory_locked));
  /* A fill still brings the bytes back. */
  testing_check (replace_file (fixture) == FM_ARENA_DONE);
  testing_check (shows (fixture, PART, PART) == MEMORY);
  testing_check (testing_is_filled (part_of (fixture), PART, 3));
}

static void
test_locked_memory (void **state)
{
  write_file (*state, 2);
  g_free (testing_run_child (locked_memory, *state));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_reserved),
      cmocka_unit_test (test_size_and_alignment),
      TEST (test_freed),
      TEST (test_make_anonymous),
      TEST (test_only_used_is_resident),
      TEST (test_show_file),
      TEST (test_stray_write),
      TEST (test_replace),
      TEST (test_replace_in_pieces),
      TEST (test_vacate),
      TEST (test_protect),
      TEST (test_read_only),
      TEST (test_staging),
      TEST (test_dont_dump),
      TEST (test_dump),
      TEST (test_dont_dump_after_failure),
      TEST (test_make_anonymous_refused),
      TEST (test_make_anonymous_unmapped),
      TEST (test_show_file_refused),
      TEST (test_show_file_unmapped),
      TEST (test_replace_refused),
      TEST (test_replace_unmapped),
      TEST (test_replace_without_dontunmap),
      TEST (test_replace_without_dontunmap_refused),
      TEST (test_vacate_refused),
      TEST (test_vacate_unmapped),
      TEST (test_advice_refused),
      TEST (test_stranger),
      TEST (test_gap_stays),
      TEST (test_stranger_outlives_arena),
      cmocka_unit_test (test_address_space_refused),
      cmocka_unit_test (test_absurd_size),
      cmocka_unit_test (test_small_address_space),
      TEST (test_no_address_space),
      TEST (test_locked_memory),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
