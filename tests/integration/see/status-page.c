/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page.c: tests the program's side of the status page, with viewers that
 * are children: a lock is not seen by who has it.
 */
#include "status-page.h"
#include "../../unit/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what a viewer does ---- */

static const FmStatusPage *
open_page (const gchar *path)
{
  int fd = open (path, O_RDONLY);
  void *page;

  testing_check (fd >= 0);
  page = mmap (NULL, FM_STATUS_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
  testing_check (page != MAP_FAILED);
  return page;
}

/* The text, if it was not being written. */
static gboolean
read_text (const FmStatusPage *page, gchar text[FM_STATUS_PAGE_SIZE],
    guint32 *ret_length)
{
  guint32 before = atomic_load ((_Atomic guint32 *) &page->sequence);
  guint32 length = page->length;

  if (before % 2 != 0 || length > FM_STATUS_PAGE_SIZE - sizeof *page)
    return FALSE;
  memcpy (text, page->text, length);
  atomic_thread_fence (memory_order_acquire);
  if (atomic_load ((_Atomic guint32 *) &page->sequence) != before)
    return FALSE;
  *ret_length = length;
  return TRUE;
}

/* Which process has a lock on the file; 0 if none. */
static pid_t
owner_of (const gchar *path)
{
  struct flock lock = {.l_type = F_WRLCK,
      .l_whence = SEEK_SET,
      .l_start = FM_STATUS_PAGE_LOCK_PROCESS,
      .l_len = 1};
  int fd = open (path, O_RDWR);

  testing_check (fd >= 0);
  testing_check (fcntl (fd, F_GETLK, &lock) == 0);
  close (fd);
  return lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

/* ---- the file ---- */

static void
see_lock (gconstpointer path)
{
  testing_check (owner_of (path) == getppid ());
}

static mode_t
mode_of (const gchar *path)
{
  struct stat status;

  assert_int_equal (stat (path, &status), 0);
  return status.st_mode & 07777;
}

static void
test_file (void **state)
{
  g_autofree gchar *dir =
      g_build_filename (*state, FM_STATUS_PAGE_DIRECTORY, NULL);
  g_autofree gchar *start = g_strdup_printf ("%s/%d-", dir, (int) getpid ());
  g_autofree gchar *path = NULL, *said = NULL;
  FmOwnPage own;
  struct stat status;

  assert_true (fm_status_page_init (&own, *state));
  assert_non_null (own.path);
  assert_true (g_str_has_prefix (own.path, start));
  assert_int_equal (mode_of (dir), 0700);
  assert_int_equal (mode_of (own.path), 0600);
  assert_int_equal (stat (own.path, &status), 0);
  assert_int_equal (status.st_size, FM_STATUS_PAGE_SIZE);
  assert_true (status.st_blocks * 512 >= FM_STATUS_PAGE_SIZE);
  assert_memory_equal (own.page->magic, "filemem", 8);
  assert_int_equal (own.page->version, FM_STATUS_PAGE_VERSION);
  assert_int_equal (own.page->size, FM_STATUS_PAGE_SIZE);
  assert_int_equal (own.page->length, 0);
  assert_int_not_equal (fcntl (own.fd, F_GETFD) & FD_CLOEXEC, 0);
  said = testing_run_child (see_lock, own.path);

  path = g_strdup (own.path);
  fm_status_page_clear (&own);
  assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  assert_int_equal (testing_dir_count (dir), 0);
  assert_null (own.page);
  assert_int_equal (own.fd, -1);
  /* Once more does no harm. */
  fm_status_page_clear (&own);
}

static void
test_umask (void **state)
{
  FmOwnPage own;
  mode_t before = umask (0);

  assert_true (fm_status_page_init (&own, *state));
  umask (before);
  assert_int_equal (mode_of (own.path), 0600);
  fm_status_page_clear (&own);
}

static void
test_two (void **state)
{
  FmOwnPage one, two;

  assert_true (fm_status_page_init (&one, *state));
  assert_true (fm_status_page_init (&two, *state));
  assert_string_not_equal (one.path, two.path);
  fm_status_page_clear (&one);
  assert_true (g_file_test (two.path, G_FILE_TEST_EXISTS));
  fm_status_page_clear (&two);
}

/* ---- the text ---- */

#define N_READS 2000

/* The texts follow each other as fast as they can be written, but for a pause
 * now and then in which a reader gets one. */
#define TEXTS_AT_ONCE 16
#define PAUSE 20 /* us */

static void
read_texts (gconstpointer path)
{
  const FmStatusPage *page = open_page (path);
  g_autofree gchar *text = g_malloc (FM_STATUS_PAGE_SIZE);
  guint32 length = 0, i;
  guint n = 0;

  while (n < N_READS) {
    if (!read_text (page, text, &length) || length == 0)
      continue;
    for (i = 1; i < length; i++)
      testing_check (text[i] == text[0]);
    n++;
  }
}

/* Each text is of one letter. */
static void
write_text (FmOwnPage *own, guint number)
{
  g_autofree gchar *text =
      g_strnfill (1 + number * 7919 % 60000, (gchar) ('a' + number % 26));

  assert_true (fm_status_page_write (own, 0, text));
  assert_int_equal (own->page->sequence, 2 * (number + 1));
  if (number % TEXTS_AT_ONCE == 0)
    g_usleep (PAUSE);
}

static void
test_never_torn (void **state)
{
  FmOwnPage own;
  pid_t reader;
  int status;
  guint i = 0;

  assert_true (fm_status_page_init (&own, *state));
  reader = fork ();
  assert_true (reader >= 0);
  if (reader == 0) {
    alarm (300);
    read_texts (own.path);
    _exit (EXIT_SUCCESS);
  }
  while (waitpid (reader, &status, WNOHANG) == 0)
    write_text (&own, i++);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), EXIT_SUCCESS);
  fm_status_page_clear (&own);
}

static void
test_too_long (void **state)
{
  g_autofree gchar *text = g_malloc (FM_STATUS_PAGE_SIZE + 1);
  const gsize most = FM_STATUS_PAGE_SIZE - sizeof (FmStatusPage);
  FmOwnPage own;

  assert_true (fm_status_page_init (&own, *state));
  assert_true (fm_status_page_write (&own, 0, "before"));
  memset (text, 'x', FM_STATUS_PAGE_SIZE);
  text[most + 1] = '\0';
  assert_false (fm_status_page_write (&own, 0, text));
  assert_int_equal (own.page->sequence, 2);
  assert_int_equal (own.page->length, 6);
  assert_memory_equal (own.page->text, "before", 6);
  text[most] = '\0';
  assert_true (fm_status_page_write (&own, 0, text));
  assert_int_equal (own.page->length, most);
  assert_memory_equal (own.page->text, text, most);
  fm_status_page_clear (&own);
}

/* ---- no file ---- */

/* It works, but nobody else sees it. */
static void
check_private (const gchar *runtime_dir)
{
  FmOwnPage own;

  testing_check (fm_status_page_init (&own, runtime_dir));
  testing_check (own.path == NULL);
  testing_check (own.fd == -1);
  testing_check (fm_status_page_write (&own, 0, "text"));
  testing_check (own.page->length == 4);
  fm_status_page_poke (&own);
  testing_check (fm_status_page_asked (&own) == 1);
  fm_status_page_wait (&own, 0, -1);
  fm_status_page_clear (&own);
}

static void
test_nowhere (void **state)
{
  g_autofree gchar *missing = g_build_filename (*state, "missing", NULL);
  g_autofree gchar *file = g_build_filename (*state, "file", NULL);

  assert_true (g_file_set_contents (file, "", 0, NULL));
  check_private (NULL);
  check_private ("");
  check_private (missing);
  check_private (file);
}

static void
not_writable (gconstpointer dir)
{
  testing_make_read_only (dir);
  check_private (dir);
}

static void
full (gconstpointer dir)
{
  g_autofree gchar *inside =
      g_build_filename (dir, FM_STATUS_PAGE_DIRECTORY, NULL);

  testing_mount_tmpfs (dir, "size=64k");
  check_private (dir);
  testing_check (testing_dir_count (inside) == 0);
}

/* Files may not be as long as the page. */
static void
limited (gconstpointer dir)
{
  const struct rlimit limit = {65536, 65536};

  testing_check (setrlimit (RLIMIT_FSIZE, &limit) == 0);
  check_private (dir);
}

/* sudo -E */
static void
of_somebody_else (gconstpointer dir)
{
  if (geteuid () != 0)
    testing_child_skip ("only root can give a directory away");
  testing_check (chown (dir, 12345, 12345) == 0);
  check_private (dir);
  testing_check (testing_dir_count (dir) == 0);
}

static void
test_not_writable (void **state)
{
  g_free (testing_run_child (not_writable, *state));
}

static void
test_full (void **state)
{
  g_free (testing_run_child (full, *state));
}

static void
test_limited (void **state)
{
  g_free (testing_run_child (limited, *state));
}

static void
test_of_somebody_else (void **state)
{
  g_free (testing_run_child (of_somebody_else, *state));
}

/* ---- ends ---- */

static void
see_no_lock (gconstpointer path)
{
  testing_check (owner_of (path) == 0);
  testing_check (memcmp (open_page (path)->magic, "filemem", 8) == 0);
}

static void
test_killed (void **state)
{
  g_autofree gchar *dir =
      g_build_filename (*state, FM_STATUS_PAGE_DIRECTORY, NULL);
  g_autofree gchar *path = NULL;
  g_autoptr (GDir) open = NULL;
  int ready[2], status;
  gchar byte = 0;
  pid_t owner;

  assert_int_equal (pipe (ready), 0);
  owner = fork ();
  assert_true (owner >= 0);
  if (owner == 0) {
    FmOwnPage own;

    byte = fm_status_page_init (&own, *state) && own.path != NULL;
    (void) !write (ready[1], &byte, 1);
    while (TRUE)
      pause ();
  }
  assert_int_equal (read (ready[0], &byte, 1), 1);
  assert_true (byte);
  kill (owner, SIGKILL);
  assert_int_equal (waitpid (owner, &status, 0), owner);
  open = g_dir_open (dir, 0, NULL);
  assert_non_null (open);
  path = g_build_filename (dir, g_dir_read_name (open), NULL);
  g_free (testing_run_child (see_no_lock, path));
  close (ready[0]);
  close (ready[1]);
}

static void
abandon (gconstpointer data)
{
  FmOwnPage *own = (FmOwnPage *) data;

  fm_status_page_abandon (own);
  testing_check (own->page == NULL);
  testing_check (own->fd == -1);
  fm_status_page_clear (own);
}

static void
test_fork (void **state)
{
  FmOwnPage own;

  assert_true (fm_status_page_init (&own, *state));
  g_free (testing_run_child (abandon, &own));
  /* It is the parent's as before. */
  assert_true (g_file_test (own.path, G_FILE_TEST_EXISTS));
  g_free (testing_run_child (see_lock, own.path));
  assert_true (fm_status_page_write (&own, 0, "text"));
  fm_status_page_clear (&own);
}

/* ---- who asks ---- */

static void
ask_from_outside (gconstpointer data)
{
  fm_status_page_poke ((FmOwnPage *) data);
}

static gpointer
wait_for_one (gpointer data)
{
  FmOwnPage *own = data;

  while (fm_status_page_asked (own) == 0)
    fm_status_page_wait (own, 0, -1);
  return NULL;
}

/* The program closed the descriptor, and its number is another file's. */
static void
test_not_ours (void **state)
{
  int fd, other = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  FmOwnPage own;

  assert_true (fm_status_page_init (&own, *state));
  fd = own.fd;
  assert_int_equal (dup2 (other, fd), fd);
  fm_status_page_clear (&own);
  assert_int_equal (close (fd), 0);
  close (other);
}

static void
test_asked (void **state)
{
  FmOwnPage own;
  GThread *thread;

  assert_true (fm_status_page_init (&own, *state));
  assert_int_equal (fm_status_page_asked (&own), 0);
  /* It returns though nobody asks. */
  fm_status_page_wait (&own, 0, 20000);
  fm_status_page_wait (&own, 0, 0);
  assert_int_equal (fm_status_page_asked (&own), 0);

  thread = g_thread_new ("waits", wait_for_one, &own);
  g_usleep (20000);
  /* Through the file, in which the child has the same page. */
  g_free (testing_run_child (ask_from_outside, &own));
  g_thread_join (thread);
  assert_int_equal (fm_status_page_asked (&own), 1);
  /* It was asked since: no wait. */
  fm_status_page_wait (&own, 0, -1);
  own.page->asked = G_MAXUINT32;
  fm_status_page_poke (&own);
  assert_int_equal (fm_status_page_asked (&own), 0);
  fm_status_page_clear (&own);
}

int
main (void)
{
#define TEST(name)                  \
  cmocka_unit_test_setup_teardown ( \
      name, testing_dir_setup, testing_dir_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_file),
      TEST (test_umask),
      TEST (test_two),
      TEST (test_never_torn),
      TEST (test_too_long),
      TEST (test_nowhere),
      TEST (test_not_writable),
      TEST (test_full),
      TEST (test_limited),
      TEST (test_of_somebody_else),
      TEST (test_killed),
      TEST (test_fork),
      TEST (test_not_ours),
      TEST (test_asked),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
