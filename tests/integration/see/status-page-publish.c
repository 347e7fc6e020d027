/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-publish.c: tests how the status page comes into being: nobody who
 * looks into the directory finds one that is not finished, whatever happens
 * meanwhile, and what a program leaves that dies before goes with the next one.
 */
#include "status-page.h"

#include "../../unit/testing.h"
#include "status-page-files.h"
#include "seam.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

typedef struct
{
  gchar *runtime_dir;
  gchar *dir; /* of the pages */
} Fixture;

/* At the moment at which it gets its name. */
static struct
{
  const gchar *dir;
  guint n_calls;
  guint n_names;
  gchar *name;
  gsize size;
  gchar magic[8];
  FmCall refused; /* with EIO */
  gboolean dies;
} seen;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->runtime_dir = testing_dir_new ();
  fixture->dir =
      g_build_filename (fixture->runtime_dir, FM_STATUS_PAGE_DIRECTORY, NULL);
  memset (&seen, 0, sizeof seen);
  seen.dir = fixture->dir;
  seen.refused = FM_CALL_THREAD; /* which a page does without */
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  g_clear_pointer (&seen.name, g_free);
  testing_dir_free (fixture->runtime_dir);
  g_free (fixture->dir);
  g_free (fixture);
  return 0;
}

/* The one name in the directory. */
static gchar *
only_name (const gchar *path, guint *ret_n)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  gchar *name = g_strdup (dir != NULL ? g_dir_read_name (dir) : NULL);

  *ret_n = name != NULL;
  while (name != NULL && g_dir_read_name (dir) != NULL)
    (*ret_n)++;
  return name;
}

/* Another program, which tidies up. */
static void
tidy_up (gconstpointer dir)
{
  fm_status_page_remove_all_dead (dir);
}

static void
look (void)
{
  g_autofree gchar *path = NULL, *contents = NULL;

  if (!seen.dies)
    g_free (testing_run_child (tidy_up, seen.dir));
  g_free (seen.name);
  seen.name = only_name (seen.dir, &seen.n_names);
  path = g_build_filename (seen.dir, seen.name, NULL);
  if (seen.name == NULL
      || !g_file_get_contents (path, &contents, &seen.size, NULL))
    return;
  memcpy (
      seen.magic, ((const FmStatusPage *) contents)->magic, sizeof seen.magic);
}

static int
hook (const FmCallInfo *info)
{
  if (info->call == FM_CALL_RENAME) {
    seen.n_calls++;
    look ();
    if (seen.dies)
      raise (SIGKILL);
  }
  return info->call == seen.refused ? EIO : 0;
}

static void
test_finished (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *name = NULL;
  FmOwnPage own;
  guint n;

  fm_seam_set_hook (hook);
  assert_true (fm_status_page_init (&own, fixture->runtime_dir));
  assert_int_equal (seen.n_calls, 1);
  assert_int_equal (seen.n_names, 1);
  assert_int_equal (seen.name[0], '.');
  assert_false (fm_status_page_is_name (seen.name));
  assert_int_equal (seen.size, FM_STATUS_PAGE_SIZE);
  assert_memory_equal (seen.magic, FM_STATUS_PAGE_MAGIC, sizeof seen.magic);

  name = only_name (fixture->dir, &n);
  assert_int_equal (n, 1);
  assert_true (fm_status_page_is_name (name));
  /* The same but for the dot. */
  assert_string_equal (name, seen.name + 1);
  assert_true (g_str_has_suffix (own.path, name));
  fm_status_page_clear (&own);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
}

/* Whatever fails on the way, no file stays, and the program has a page that
 * nobody else sees. */
static void
test_refused (void **state)
{
  static const FmCall calls[] = {FM_CALL_RENAME, FM_CALL_FALLOCATE,
      FM_CALL_LOCK, FM_CALL_OPEN, FM_CALL_MKDIR};
  Fixture *fixture = *state;
  FmOwnPage own;
  guint i;

  fm_seam_set_hook (hook);
  for (i = 0; i < G_N_ELEMENTS (calls); i++) {
    seen.refused = calls[i];
    assert_true (fm_status_page_init (&own, fixture->runtime_dir));
    assert_null (own.path);
    assert_non_null (own.page);
    assert_true (fm_status_page_write (&own, 0, "text"));
    if (g_file_test (fixture->dir, G_FILE_TEST_IS_DIR))
      assert_int_equal (testing_dir_count (fixture->dir), 0);
    fm_status_page_clear (&own);
  }
}

/* ---- what the dead leave ---- */

static gchar *
die_unfinished (Fixture *fixture)
{
  gchar *name;
  int status;
  guint n;
  pid_t pid = fork ();

  assert_true (pid >= 0);
  if (pid == 0) {
    FmOwnPage own;

    seen.dies = TRUE;
    fm_seam_set_hook (hook);
    fm_status_page_init (&own, fixture->runtime_dir);
    _exit (EXIT_FAILURE);
  }
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  name = only_name (fixture->dir, &n);
  assert_int_equal (n, 1);
  assert_int_equal (name[0], '.');
  return name;
}

static void
test_left_unfinished (void **state)
{
  Fixture *fixture = *state;

  g_free (die_unfinished (fixture));
  fm_status_page_remove_all_dead (fixture->dir);
  assert_int_equal (testing_dir_count (fixture->dir), 0);
}

/* Of one that died before there was a magic only the age tells. */
static void
test_left_empty (void **state)
{
  static const gsize sizes[] = {0, FM_STATUS_PAGE_SIZE};
  static const struct utimbuf long_ago = {0, 0};
  Fixture *fixture = *state;
  g_autofree gchar *path = g_build_filename (fixture->dir, ".123-abcdef", NULL);
  guint i;

  assert_int_equal (g_mkdir_with_parents (fixture->dir, 0700), 0);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    assert_true (g_file_set_contents (path, "", 0, NULL));
    assert_int_equal (truncate (path, (off_t) sizes[i]), 0);
    fm_status_page_remove_all_dead (fixture->dir);
    assert_int_equal (testing_dir_count (fixture->dir), 1);
    assert_int_equal (utime (path, &long_ago), 0);
    fm_status_page_remove_all_dead (fixture->dir);
    assert_int_equal (testing_dir_count (fixture->dir), 0);
  }
}

static void
test_not_a_page (void **state)
{
  static const gchar *const names[] = {
      ".precious", "..123-abcdef", ".123-abcde"};
  static const struct utimbuf long_ago = {0, 0};
  Fixture *fixture = *state;
  guint i, n = 0;

  assert_int_equal (g_mkdir_with_parents (fixture->dir, 0700), 0);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *path = g_build_filename (fixture->dir, names[i], NULL);

    n += g_file_set_contents (path, "", 0, NULL);
    (void) utime (path, &long_ago);
  }
  fm_status_page_remove_all_dead (fixture->dir);
  assert_int_equal (n, G_N_ELEMENTS (names));
  assert_int_equal (testing_dir_count (fixture->dir), n);
}

/* The next program finds the directory clean. */
static void
test_next_one (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *left = die_unfinished (fixture), *name = NULL;
  FmOwnPage own;
  guint n;

  assert_true (fm_status_page_init (&own, fixture->runtime_dir));
  name = only_name (fixture->dir, &n);
  assert_int_equal (n, 1);
  assert_string_not_equal (name, left);
  assert_string_not_equal (name, left + 1);
  fm_status_page_clear (&own);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_finished),
      TEST (test_refused),
      TEST (test_left_unfinished),
      TEST (test_left_empty),
      TEST (test_not_a_page),
      TEST (test_next_one),
  };
#undef TEST

  return cmocka_run_group_tests_name ("status-page-publish", tests, NULL, NULL);
}
