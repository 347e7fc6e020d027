/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * testing.c: see testing.h.
 */
#include "testing.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77
/* A child that hangs is a bug; it is not to hold up the tests for ever. */
#define CHILD_SECONDS 300

void
testing_skip (const gchar *reason)
{
  print_message ("skipped: %s\n", reason);
  skip ();
}

/* ---- directories ---- */

gchar *
testing_dir_new (void)
{
  const gchar *given = g_getenv ("FILEMEM_TEST_DIR");
  gchar *dir = g_build_filename (
      given != NULL ? given : "/var/tmp", "filemem-unit-XXXXXX", NULL);

  if (g_mkdtemp (dir) == NULL)
    fail_msg ("no directory can be made: %s", g_strerror (errno));
  return dir;
}

static void
remove_all (const gchar *path)
{
  GDir *dir = g_file_test (path, G_FILE_TEST_IS_SYMLINK)
      ? NULL
      : g_dir_open (path, 0, NULL);
  const gchar *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree gchar *inside = g_build_filename (path, name, NULL);

    remove_all (inside);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_remove (path);
}

gboolean
testing_dir_free (gchar *dir)
{
  gboolean empty = g_rmdir (dir) == 0;

  if (!empty)
    remove_all (dir);
  g_free (dir);
  return empty;
}

int
testing_dir_setup (void **state)
{
  *state = testing_dir_new ();
  return 0;
}

int
testing_dir_teardown (void **state)
{
  testing_dir_free (*state);
  return 0;
}

guint
testing_dir_count (const gchar *dir)
{
  g_autoptr (GDir) open = g_dir_open (dir, 0, NULL);
  guint n = 0;

  assert_non_null (open);
  while (g_dir_read_name (open) != NULL)
    n++;
  return n;
}

int
testing_find_backing_file (const gchar *dir)
{
  g_autoptr (GDir) fds = g_dir_open ("/proc/self/fd", 0, NULL);
  const gchar *name;

  while (fds != NULL && (name = g_dir_read_name (fds)) != NULL) {
    g_autofree gchar *path = g_build_filename ("/proc/self/fd", name, NULL);
    g_autofree gchar *target = g_file_read_link (path, NULL);

    if (target != NULL && g_str_has_prefix (target, dir)
        && g_str_has_suffix (target, " (deleted)"))
      return atoi (name);
  }
  return -1;
}

gchar *
testing_find_mapping (gconstpointer address, gsize *ret_start)
{
  g_autofree gchar *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint i;

  assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    gsize start, end;

    if (sscanf (lines[i], "%zx-%zx", &start, &end) == 2
        && (gsize) address >= start && (gsize) address < end) {
      if (ret_start != NULL)
        *ret_start = start;
      return g_strdup (lines[i]);
    }
  }
  return NULL;
}

/* ---- children ---- */

void
testing_check_failed (const gchar *file, int line, const gchar *expression)
{
  fprintf (stderr, "%s:%d: not true: %s\n", file, line, expression);
  fflush (NULL);
  _exit (EXIT_FAILURE);
}

void
testing_child_skip (const gchar *reason)
{
  fprintf (stderr, "%s\n", reason);
  fflush (NULL);
  _exit (SKIPPED);
}

static gchar *
read_all (FILE *file)
{
  GString *text = g_string_new (NULL);
  gchar part[4096];
  gsize n;

  rewind (file);
  while ((n = fread (part, 1, sizeof part, file)) > 0)
    g_string_append_len (text, part, (gssize) n);
  return g_string_free (text, FALSE);
}

gchar *
testing_run_child (TestingChild func, gconstpointer data)
{
  FILE *said = tmpfile ();
  gchar *text;
  int status;
  pid_t pid;

  assert_non_null (said);
  fflush (NULL);
  pid = fork ();
  assert_true (pid >= 0);
  if (pid == 0) {
    dup2 (fileno (said), STDERR_FILENO);
    alarm (CHILD_SECONDS);
    func (data);
    fflush (NULL);
    _exit (EXIT_SUCCESS);
  }
  while (waitpid (pid, &status, 0) < 0)
    assert_int_equal (errno, EINTR);
  text = read_all (said);
  fclose (said);

  if (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_SUCCESS)
    return text;
  if (WIFEXITED (status) && WEXITSTATUS (status) == SKIPPED) {
    print_message ("skipped: %s\n", g_strchomp (text));
    /* It does not return. */
    g_free (text);
    skip ();
  }
  if (WIFSIGNALED (status))
    fail_msg ("the child was killed by signal %d; it said:\n%s",
        WTERMSIG (status), text);
  fail_msg ("the child failed:\n%s", text);
  return NULL;
}

guint
testing_count_lines (const gchar *text, const gchar *line_start)
{
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint i, n = 0;

  for (i = 0; lines[i] != NULL; i++) {
    if (lines[i][0] != '\0' && g_str_has_prefix (lines[i], line_start))
      n++;
  }
  return n;
}

/* ---- mounts ---- */

static void
own_mounts (void)
{
  if (unshare (CLONE_NEWNS) != 0
      || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
    testing_child_skip ("this user can't mount file systems");
}

void
testing_mount_tmpfs (const gchar *dir, const gchar *options)
{
  own_mounts ();
  if (mount ("tmpfs", dir, "tmpfs", 0, options) != 0)
    testing_child_skip ("tmpfs can't be mounted here");
}

static gboolean
run (const gchar *const *command)
{
  gint status;

  return g_spawn_sync (NULL, (gchar **) command, NULL,
             G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL
                 | G_SPAWN_STDERR_TO_DEV_NULL,
             NULL, NULL, NULL, NULL, &status, NULL)
      && status == 0;
}

/* A file system in a file. */
static void
mount_image (const gchar *const *format, const gchar *image, gsize size,
    const gchar *dir)
{
  const gchar *mount_it[] = {"mount", "-o", "loop", image, dir, NULL};
  g_autofree gchar *path =
      g_strconcat (g_getenv ("PATH"), ":/usr/sbin:/sbin", NULL);
  g_autofree gchar *why = NULL;

  own_mounts ();
  g_setenv ("PATH", path, TRUE);
  testing_check (g_file_set_contents (image, "", 0, NULL));
  testing_check (truncate (image, (off_t) size) == 0);
  if (run (format) && run (mount_it))
    return;
  why = g_strdup_printf (
      "no file system can be made with %s and mounted here", format[0]);
  testing_child_skip (why);
}

void
testing_mount_ext4 (const gchar *image, gsize size, const gchar *dir)
{
  const gchar *format[] = {"mke2fs", "-q", "-F", "-t", "ext4", image, NULL};

  mount_image (format, image, size, dir);
}

void
testing_mount_xfs (const gchar *image, gsize size, const gchar *dir)
{
  const gchar *format[] = {"mkfs.xfs", "-q", "-f", image, NULL};

  mount_image (format, image, size, dir);
}

void
testing_make_read_only (const gchar *dir)
{
  if (geteuid () != 0) {
    testing_check (g_chmod (dir, 0500) == 0);
    return;
  }
  /* Permissions do not stop root. */
  own_mounts ();
  if (mount (dir, dir, NULL, MS_BIND, NULL) != 0
      || mount (NULL, dir, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) != 0)
    testing_child_skip ("nothing can be mounted read-only here");
}

/* ---- contents ---- */

/* Words of eight bytes: the tests write hundreds of megabytes. */
static guint64
word_at (gsize i, guint seed)
{
  return (seed * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15))
      ^ (i * G_GUINT64_CONSTANT (0x0101010101010101) + i);
}

void
testing_fill (guint8 *data, gsize length, guint seed)
{
  gsize i;

  for (i = 0; i + sizeof (guint64) <= length; i += sizeof (guint64)) {
    const guint64 word = word_at (i / sizeof word, seed);

    memcpy (data + i, &word, sizeof word);
  }
  if (i < length) {
    const guint64 word = word_at (i / sizeof word, seed);

    memcpy (data + i, &word, length - i);
  }
}

gboolean
testing_is_filled (const guint8 *data, gsize length, guint seed)
{
  gsize i;

  for (i = 0; i + sizeof (guint64) <= length; i += sizeof (guint64)) {
    guint64 word;

    memcpy (&word, data + i, sizeof word);
    if (word != word_at (i / sizeof word, seed))
      return FALSE;
  }
  if (i < length) {
    const guint64 word = word_at (i / sizeof word, seed);

    return memcmp (data + i, &word, length - i) == 0;
  }
  return TRUE;
}
