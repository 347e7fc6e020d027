/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * output.c: tests where reports go: into plain files, and nowhere else. A pipe
 * that nobody reads would hang a program that is about to end, a link may have
 * been planted, and a device is not for text.
 */
#include "output.h"

#include "../../unit/testing.h"
#include "messages.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT "two\nlines\n"

typedef struct
{
  gchar *dir;
  gchar *path; /* in dir */
} Fixture;

static gchar *warning;
static guint n_warnings;

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  if (level != FM_MESSAGE_WARNING)
    return;
  n_warnings++;
  g_free (warning);
  warning = g_strdup (text);
}

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->path = g_build_filename (fixture->dir, "report", NULL);
  fm_messages_set_func (keep_warning);
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  fm_messages_set_func (NULL);
  g_clear_pointer (&warning, g_free);
  n_warnings = 0;
  testing_dir_free (fixture->dir);
  g_free (fixture->path);
  g_free (fixture);
  return 0;
}

static guint
count_descriptors (void)
{
  return testing_dir_count ("/proc/self/fd");
}

/* One line, that names the path and the reason. */
static void
assert_refused (const gchar *path, const gchar *why)
{
  const guint open = count_descriptors ();

  fm_output_write (path, TEXT);
  assert_int_equal (n_warnings, 1);
  if (strstr (warning, path) == NULL || strstr (warning, why) == NULL)
    fail_msg ("no \"%s\" and \"%s\" in: %s", path, why, warning);
  assert_int_equal (count_descriptors (), open);
}

static void
assert_contents (const gchar *path, const gchar *text)
{
  g_autofree gchar *contents = NULL;

  assert_true (g_file_get_contents (path, &contents, NULL, NULL));
  assert_string_equal (contents, text);
}

/* ---- plain files ---- */

static void
test_new (void **state)
{
  Fixture *fixture = *state;

  fm_output_write (fixture->path, TEXT);
  assert_contents (fixture->path, TEXT);
  assert_int_equal (n_warnings, 0);
}

/* Nothing of what was there is left. */
static void
test_longer (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *before = g_strnfill (100000, 'x');

  assert_true (g_file_set_contents (fixture->path, before, -1, NULL));
  fm_output_write (fixture->path, TEXT);
  assert_contents (fixture->path, TEXT);
  assert_int_equal (n_warnings, 0);
}

static void
test_process (void **state)
{
  Fixture *fixture = *state;
  const int pid = (int) getpid ();
  g_autofree gchar *pattern = g_build_filename (fixture->dir, "%p-of-%p", NULL);
  g_autofree gchar *path =
      g_strdup_printf ("%s/%d-of-%d", fixture->dir, pid, pid);

  fm_output_write (pattern, TEXT);
  assert_contents (path, TEXT);
  assert_int_equal (testing_dir_count (fixture->dir), 1);
}

static void
to_stderr (gconstpointer unused)
{
  fm_output_write ("stderr", TEXT);
}

static void
test_stderr (void **state)
{
  g_autofree gchar *said = testing_run_child (to_stderr, NULL);

  assert_string_equal (said, TEXT);
}

/* ---- anything else ---- */

static void
into_fifo (gconstpointer path)
{
  fm_output_write (path, TEXT);
  testing_check (n_warnings == 1);
  testing_check (strstr (warning, "it is not a plain file") != NULL);
}

/* In a child, which is killed if it hangs. */
static void
test_fifo_without_reader (void **state)
{
  Fixture *fixture = *state;

  assert_int_equal (mkfifo (fixture->path, 0600), 0);
  g_free (testing_run_child (into_fifo, fixture->path));
}

static void
test_fifo_with_reader (void **state)
{
  Fixture *fixture = *state;
  gchar byte;
  int fd;

  assert_int_equal (mkfifo (fixture->path, 0600), 0);
  fd = open (fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  assert_true (fd >= 0);
  assert_refused (fixture->path, "it is not a plain file");
  assert_int_equal (read (fd, &byte, 1), 0);
  close (fd);
}

static void
test_socket (void **state)
{
  Fixture *fixture = *state;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, fixture->path, sizeof address.sun_path);
  assert_int_equal (
      bind (fd, (const struct sockaddr *) &address, sizeof address), 0);
  assert_refused (fixture->path, "it is not a plain file");
  close (fd);
}

static void
test_device (void **state)
{
  assert_refused ("/dev/null", "it is not a plain file");
}

static void
test_link (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *target = g_build_filename (fixture->dir, "target", NULL);

  assert_true (g_file_set_contents (target, "precious", -1, NULL));
  assert_int_equal (symlink (target, fixture->path), 0);
  assert_refused (fixture->path, "it is a symbolic link");
  assert_contents (target, "precious");
}

/* Nothing is made where it leads. */
static void
test_link_to_nothing (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *target = g_build_filename (fixture->dir, "target", NULL);

  assert_int_equal (symlink (target, fixture->path), 0);
  assert_refused (fixture->path, "it is a symbolic link");
  assert_false (g_file_test (target, G_FILE_TEST_EXISTS));
}

static void
test_directory (void **state)
{
  Fixture *fixture = *state;

  assert_refused (fixture->dir, g_strerror (EISDIR));
}

static void
test_missing_directory (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *path =
      g_build_filename (fixture->dir, "missing", "report", NULL);

  assert_refused (path, g_strerror (ENOENT));
}

static void
full (gconstpointer path)
{
  g_autofree gchar *dir = g_path_get_dirname (path);
  g_autofree gchar *text = g_strnfill (1000000, 'x');

  testing_mount_tmpfs (dir, "size=64k");
  fm_output_write (path, text);
  testing_check (n_warnings == 1);
  testing_check (strstr (warning, g_strerror (ENOSPC)) != NULL);
}

static void
test_full (void **state)
{
  g_free (testing_run_child (full, ((Fixture *) *state)->path));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_new),
      TEST (test_longer),
      TEST (test_process),
      TEST (test_stderr),
      TEST (test_fifo_without_reader),
      TEST (test_fifo_with_reader),
      TEST (test_socket),
      TEST (test_device),
      TEST (test_link),
      TEST (test_link_to_nothing),
      TEST (test_directory),
      TEST (test_missing_directory),
      TEST (test_full),
  };
#undef TEST

  return cmocka_run_group_tests_name ("output", tests, NULL, NULL);
}
