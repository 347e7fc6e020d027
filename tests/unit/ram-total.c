/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ram-total.c: tests allocator/ram-total.c: who gets how much, and programs
 * that meet, are killed, close their descriptors, fork, or find nonsense there.
 * A process may be several of them, each with an open file of its own.
 */
#include "ram-total.h"
#include "seam.h"

#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB TESTING_MIB
#define TOTAL (64 * MIB)
#define ROWS 256

/* ---- who gets how much ---- */

static guint64
share (guint64 total, guint n, const guint64 *taken, const guint64 *wanted)
{
  FmClaim claims[8];
  guint i;

  for (i = 0; i < n; i++)
    claims[i] = (FmClaim){taken[i] * MIB, wanted[i] * MIB};
  return fm_ram_total_share (total * MIB, claims, n) / MIB;
}

static void
test_shares (void **state)
{
  static const struct
  {
    guint n;
    guint64 taken[4], wanted[4], expected;
  } cases[] = {
      /* alone */
      {1, {0}, {500}, 64},
      {1, {200}, {500}, 64},
      /* equal parts */
      {2, {0, 0}, {500, 500}, 32},
      {4, {0, 0, 0, 0}, {500, 500, 500, 500}, 16},
      /* who wants less gets that, and the rest is for the others */
      {2, {0, 0}, {500, 10}, 54},
      {4, {0, 0, 0, 0}, {500, 500, 2, 10}, 26},
      {4, {0, 0, 0, 0}, {10, 500, 500, 2}, 10},
      {3, {0, 0, 0}, {20, 20, 20}, 24},
      /* who wants nothing takes nothing */
      {3, {0, 0, 0}, {500, 0, 0}, 64},
      /* what somebody has counts until it is gone */
      {2, {0, 60}, {500, 500}, 4},
      {2, {0, 60}, {500, 0}, 4},
      {2, {60, 0}, {500, 500}, 32},
      {2, {0, 90}, {500, 500}, 0},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_int_equal (share (64, cases[i].n, cases[i].taken, cases[i].wanted),
        cases[i].expected);
}

/* Whatever all of them want, they do not get more than there is, but for what
 * does not divide. */
static void
test_never_more (void **state)
{
  GRand *rand = g_rand_new_with_seed (1);
  guint round;

  for (round = 0; round < 2000; round++) {
    FmClaim claims[8];
    guint n = (guint) g_rand_int_range (rand, 1, 9), i;
    guint64 all = 0;

    for (i = 0; i < n; i++)
      claims[i] =
          (FmClaim){0, (guint64) g_rand_int_range (rand, 0, 200) * MIB + i};
    for (i = 0; i < n; i++) {
      FmClaim first = claims[0];

      all += MIN (fm_ram_total_share (TOTAL, claims, n), claims[0].wanted);
      memmove (claims, claims + 1, (n - 1) * sizeof *claims);
      claims[n - 1] = first;
    }
    assert_true (all < TOTAL + G_N_ELEMENTS (claims) * G_N_ELEMENTS (claims));
  }
  g_rand_free (rand);
}

/* ---- programs that meet ---- */

typedef struct
{
  gchar *runtime, *dir, *path;
  FmRamTotal *one, *two;
} Fixture;

static int
set_up (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->runtime = g_dir_make_tmp ("ram-total-XXXXXX", NULL);
  fixture->dir = g_build_filename (fixture->runtime, "gst-filemem", NULL);
  fixture->path = g_build_filename (fixture->dir, "ram-total", NULL);
  fixture->one = fm_ram_total_new (fixture->dir, TOTAL);
  fixture->two = fm_ram_total_new (fixture->dir, TOTAL);
  *state = fixture;
  return 0;
}

static int
tear_down (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  g_clear_pointer (&fixture->one, fm_ram_total_free);
  g_clear_pointer (&fixture->two, fm_ram_total_free);
  g_unlink (fixture->path);
  g_rmdir (fixture->dir);
  g_rmdir (fixture->runtime);
  g_free (fixture->path);
  g_free (fixture->dir);
  g_free (fixture->runtime);
  g_free (fixture);
  return 0;
}

static guint
claim_in (FmRamTotal *total, guint64 group, guint64 taken, guint64 wanted,
    guint *ret_programs)
{
  const FmClaim own = {taken * MIB, wanted * MIB};

  return (guint) (fm_ram_total_claim (total, group, &own, ret_programs) / MIB);
}

static guint
claim (FmRamTotal *total, guint64 taken, guint64 wanted)
{
  guint programs;

  return claim_in (total, 0, taken, wanted, &programs);
}

static void
test_two (void **state)
{
  Fixture *fixture = *state;
  guint programs;

  /* Who has nothing is not there, and makes no file. */
  assert_int_equal (claim_in (fixture->one, 0, 0, 0, &programs), 64);
  assert_int_equal (programs, 0);
  assert_false (g_file_test (fixture->path, G_FILE_TEST_EXISTS));
  assert_int_equal (claim_in (fixture->one, 0, 50, 500, &programs), 64);
  assert_int_equal (programs, 1);
  assert_int_equal (claim_in (fixture->two, 0, 5, 500, &programs), 14);
  assert_int_equal (programs, 2);
  assert_int_equal (claim (fixture->one, 50, 500), 32);
  assert_int_equal (claim (fixture->one, 32, 500), 32);
  assert_int_equal (claim (fixture->two, 5, 500), 32);
  /* It has nothing any more. */
  assert_int_equal (claim (fixture->one, 0, 0), 64);
  assert_int_equal (claim_in (fixture->two, 0, 5, 500, &programs), 64);
  assert_int_equal (programs, 1);
  /* It is gone. */
  assert_int_equal (claim (fixture->one, 20, 20), 20);
  assert_int_equal (claim (fixture->two, 5, 500), 44);
  g_clear_pointer (&fixture->one, fm_ram_total_free);
  assert_int_equal (claim (fixture->two, 5, 500), 64);
}

/* Those of another cgroup share with each other. */
static void
test_groups (void **state)
{
  Fixture *fixture = *state;
  guint programs;

  assert_int_equal (claim_in (fixture->one, 1, 50, 500, &programs), 64);
  assert_int_equal (claim_in (fixture->two, 2, 50, 500, &programs), 64);
  assert_int_equal (programs, 1);
}

/* What a program claims that was killed, or is stopped. */
static void
test_killed (void **state)
{
  Fixture *fixture = *state;
  int told[2];
  gchar byte;
  pid_t child;

  assert_int_equal (pipe (told), 0);
  child = fork ();
  if (child == 0) {
    (void) claim (fixture->one, 40, 500);
    (void) !write (told[1], "x", 1);
    pause ();
    _exit (0);
  }
  assert_int_equal (read (told[0], &byte, 1), 1);
  assert_int_equal (claim (fixture->two, 5, 500), 24);
  kill (child, SIGSTOP);
  assert_int_equal (claim (fixture->two, 5, 500), 24);
  kill (child, SIGKILL);
  waitpid (child, NULL, 0);
  assert_int_equal (claim (fixture->two, 5, 500), 64);
  close (told[0]);
  close (told[1]);
}

/* The child of a fork is not its parent, and does not keep what that had. */
static void
test_fork (void **state)
{
  Fixture *fixture = *state;
  int told[2], go[2];
  gchar byte;
  pid_t child;

  assert_int_equal (claim (fixture->one, 40, 500), 64);
  assert_int_equal (pipe (told), 0);
  assert_int_equal (pipe (go), 0);
  child = fork ();
  if (child == 0) {
    fm_ram_total_abandon (fixture->one);
    byte = (gchar) claim (fixture->one, 1, 1);
    (void) !write (told[1], &byte, 1);
    (void) !read (go[0], &byte, 1);
    _exit (0);
  }
  assert_int_equal (read (told[0], &byte, 1), 1);
  assert_int_equal (byte, 64);
  assert_int_equal (claim (fixture->two, 5, 500), 24);
  g_clear_pointer (&fixture->one, fm_ram_total_free);
  assert_int_equal (claim (fixture->two, 5, 500), 64);
  assert_int_equal (write (go[1], "x", 1), 1);
  waitpid (child, NULL, 0);
}

/* Its row is free then, and it takes another. */
static void
test_closed_descriptors (void **state)
{
  Fixture *fixture = *state;
  int first = open ("/dev/null", O_RDONLY);

  close (first);
  assert_int_equal (claim (fixture->one, 40, 500), 64);
  close (first);
  assert_int_equal (open ("/dev/null", O_RDONLY), first);
  assert_int_equal (claim (fixture->two, 5, 500), 64);
  assert_int_equal (claim (fixture->one, 40, 500), 32);
  assert_int_equal (claim (fixture->two, 5, 500), 24);
  /* What has the number now is not closed. */
  g_clear_pointer (&fixture->one, fm_ram_total_free);
  assert_int_equal (fcntl (first, F_GETFD), 0);
  close (first);
}

/* Cut short, each writes its row again; another magic is not touched. */
static void
test_nonsense (void **state)
{
  Fixture *fixture = *state;
  static const gchar other[64] = "something else";
  g_autofree gchar *contents = NULL;
  gchar noise[ROWS * 32];
  gsize length;
  guint i;

  assert_int_equal (claim (fixture->one, 40, 500), 64);
  assert_int_equal (truncate (fixture->path, 0), 0);
  assert_int_equal (claim (fixture->one, 40, 500), 64);
  assert_int_equal (claim (fixture->two, 5, 500), 24);
  /* Rows without a lock say nothing. */
  for (i = 32; i < sizeof noise; i++)
    noise[i] = (gchar) i;
  assert_true (g_file_get_contents (fixture->path, &contents, &length, NULL));
  memcpy (noise, contents, 32);
  assert_true (g_file_set_contents_full (fixture->path, noise, sizeof noise,
      G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  assert_int_equal (claim (fixture->one, 40, 500), 64);
  g_clear_pointer (&fixture->one, fm_ram_total_free);
  g_clear_pointer (&fixture->two, fm_ram_total_free);
  assert_true (g_file_set_contents (fixture->path, other, sizeof other, NULL));
  fixture->one = fm_ram_total_new (fixture->dir, TOTAL);
  fixture->two = fm_ram_total_new (fixture->dir, TOTAL);
  assert_int_equal (claim (fixture->one, 40, 500), 64);
  assert_int_equal (claim (fixture->two, 40, 500), 64);
  g_clear_pointer (&contents, g_free);
  assert_true (g_file_get_contents (fixture->path, &contents, &length, NULL));
  assert_memory_equal (contents, other, sizeof other);
}

static FmCall refused_call;

static int
refuse (const FmCallInfo *info)
{
  return info->call == refused_call ? EIO : 0;
}

/* Where they can't meet each has the total. */
static void
test_refused (void **state)
{
  static const FmCall calls[] = {FM_CALL_OPEN, FM_CALL_FSTAT, FM_CALL_MKDIR,
      FM_CALL_PREAD, FM_CALL_PWRITE, FM_CALL_LOCK};
  Fixture *fixture = *state;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    FmRamTotal *total = fm_ram_total_new (fixture->dir, TOTAL);

    refused_call = calls[i];
    fm_seam_set_hook (refuse);
    assert_int_equal (claim (total, 40, 500), 64);
    assert_int_equal (claim (total, 50, 500), 64);
    fm_seam_set_hook (NULL);
    fm_ram_total_free (total);
  }
  /* Later: what is known last, or nothing. */
  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    assert_int_equal (claim (fixture->one, 40, 500), 64);
    assert_int_equal (claim (fixture->two, 5, 500), 24);
    refused_call = calls[i];
    fm_seam_set_hook (refuse);
    assert_in_range (claim (fixture->two, 5, 500), 24, 64);
    fm_seam_set_hook (NULL);
    g_clear_pointer (&fixture->one, fm_ram_total_free);
    g_clear_pointer (&fixture->two, fm_ram_total_free);
    fixture->one = fm_ram_total_new (fixture->dir, TOTAL);
    fixture->two = fm_ram_total_new (fixture->dir, TOTAL);
  }
}

/* Where files may not be that long it is alone, and lives. */
static void
test_file_size_limit (void **state)
{
  Fixture *fixture = *state;
  pid_t child = fork ();
  int status;

  if (child == 0) {
    const struct rlimit limit = {0, 0};

    (void) setrlimit (RLIMIT_FSIZE, &limit);
    _exit (claim (fixture->one, 40, 500) == 64 ? 0 : 1);
  }
  waitpid (child, &status, 0);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
}

static void
test_no_directory (void **state)
{
  FmRamTotal *total = fm_ram_total_new ("/nowhere/gst-filemem", TOTAL);

  assert_int_equal (claim (total, 40, 500), 64);
  fm_ram_total_free (total);
}

/* Whoever comes when all rows are taken has the total. */
static void
test_all_rows (void **state)
{
  Fixture *fixture = *state;
  FmRamTotal *others[ROWS - 1];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (others); i++) {
    others[i] = fm_ram_total_new (fixture->dir, TOTAL);
    (void) claim (others[i], 0, 500);
  }
  assert_int_equal (claim (others[0], 0, 500), 0);
  assert_int_equal (claim (fixture->one, 0, 500), 64);
  for (i = 0; i < G_N_ELEMENTS (others); i++)
    fm_ram_total_free (others[i]);
  assert_int_equal (claim (fixture->two, 0, 500), 64);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_shares),
      cmocka_unit_test (test_never_more),
      TEST (test_two),
      TEST (test_groups),
      TEST (test_killed),
      TEST (test_fork),
      TEST (test_closed_descriptors),
      TEST (test_nonsense),
      TEST (test_refused),
      TEST (test_file_size_limit),
      cmocka_unit_test (test_no_directory),
      TEST (test_all_rows),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
