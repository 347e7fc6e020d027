/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena.c: tests what each part of the arena shows after each call, and where
 * there are few addresses for it.
 */
#include "arena-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- what works ---- */

static void
test_reserved (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (fixture->arena->size, SIZE);
  assert_int_equal ((guintptr) fixture->arena->base % GRANULE, 0);
  assert_int_equal (shows (fixture, 0, SIZE), NOTHING);
  assert_false (is_readable (fixture->arena->base));
  assert_false (is_readable (fixture->arena->base + SIZE - 1));
}

static void
test_size_and_alignment (void **state)
{
  static const gsize alignments[] = {
      TESTING_PAGE, GRANULE, 512 * TESTING_KIB, FM_HUGE_PAGE};
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
      fm_arena_replace (fixture->arena, PART + GRANULE, &staging, GRANULE),
      FM_ARENA_DONE);
  assert_int_equal (shows (fixture, PART, GRANULE), FILE_SHOWN);
  assert_int_equal (shows (fixture, PART + GRANULE, GRANULE), MEMORY);
  assert_int_equal (
      shows (fixture, PART + 2 * GRANULE, 2 * GRANULE), FILE_SHOWN);
  assert_true (testing_is_filled (part_of (fixture), GRANULE, 2));
  assert_true (testing_is_filled (part_of (fixture) + GRANULE, GRANULE, 3));
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

  refuse_above = 20 * GRANULE;
  fm_seam_set_hook (refuse_large);
  arena = fm_arena_new (64 * GRANULE, GRANULE, GRANULE, -1, FALSE);
  assert_non_null (arena);
  assert_int_equal (arena->size, 16 * GRANULE);
  fm_arena_free (arena);

  assert_null (fm_arena_new (64 * GRANULE, 32 * GRANULE, GRANULE, -1, FALSE));
  refuse_above = 0;
  assert_null (fm_arena_new (64 * GRANULE, GRANULE, GRANULE, -1, FALSE));
  fm_seam_set_hook (NULL);
}

static void
test_absurd_size (void **state)
{
  /* More than half of them: a program of 32 bits gets that under some kernels.
   */
  gsize size = G_MAXSIZE / 16 * 15;

  assert_null (
      fm_arena_new (size, size - FM_HUGE_PAGE, FM_HUGE_PAGE, -1, FALSE));
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
      fm_arena_new (TESTING_MIB << 10, TESTING_MIB << 10, GRANULE, -1, FALSE)
      == NULL);
  arena = fm_arena_new (TESTING_MIB << 10, GRANULE, GRANULE, -1, FALSE);
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
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
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
      cmocka_unit_test (test_address_space_refused),
      cmocka_unit_test (test_absurd_size),
      cmocka_unit_test (test_small_address_space),
      TEST (test_no_address_space),
      TEST (test_locked_memory),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
