/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-reader.c: a page that is written all the time is never read half
 * old and half new.
 *
 * A child owns the page. Each of its texts is one letter, repeated as often as
 * goes with that and its neighbour, and it writes the next one whether it has
 * been asked or not, with a short rest between: a reader that did not look at
 * the sequence, or looked in the wrong order, would sooner or later get two
 * letters. And a text that was written without having been asked for is not
 * taken for an answer; one that comes late is.
 */
#include "status-page-layout.h"
#include "status-page-reader.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define READS 2000
#define LETTERS 26
#define REST_US 30

static guint
length_of (guint letter)
{
  return 20000 + 3000 * (letter / 2);
}

static void
write_text (FmStatusPage *page, guint letter, gboolean answers)
{
  guint32 sequence =
      atomic_load_explicit (&page->sequence, memory_order_relaxed);

  atomic_store_explicit (&page->sequence, sequence + 1, memory_order_relaxed);
  atomic_thread_fence (memory_order_release);
  if (answers)
    page->answered = atomic_load (&page->asked);
  page->length = length_of (letter);
  memset (page->text, 'a' + letter, length_of (letter));
  atomic_store_explicit (&page->sequence, sequence + 2, memory_order_release);
}

typedef enum {
  OWNER_ANSWERS,
  OWNER_WRITES,   /* without looking at questions */
  OWNER_IS_SILENT /* leaves the page to the test */
} Owner;

/* Never returns. */
static void
own_page (const gchar *path, int ready, Owner owner)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FmStatusPage *page;

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (fd < 0 || fcntl (fd, F_SETLK, &lock) != 0
      || ftruncate (fd, FM_STATUS_PAGE_SIZE) != 0)
    _exit (1);
  page = mmap (
      NULL, FM_STATUS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED)
    _exit (1);
  page->version = FM_STATUS_PAGE_VERSION;
  page->size = FM_STATUS_PAGE_SIZE;
  memcpy (page->magic, FM_STATUS_PAGE_MAGIC, sizeof page->magic);
  if (write (ready, "", 1) != 1)
    _exit (1);
  for (guint i = 0;; i++) {
    while (owner == OWNER_IS_SILENT)
      pause ();
    write_text (page, i % LETTERS, owner == OWNER_ANSWERS);
    g_usleep (REST_US);
  }
}

static void
assert_whole (const FmProgramPage *page)
{
  guint letter = page->text[0] - 'a';

  assert_in_range (letter, 0, LETTERS - 1);
  assert_int_equal (page->length, length_of (letter));
  for (gsize i = 0; i < page->length; i++) {
    if (page->text[i] != page->text[0])
      fail_msg ("%c at %zu in a text of %c", page->text[i], i, page->text[0]);
  }
}

/* A page, its owner, and who reads it. */
typedef struct
{
  gchar *directory;
  gchar *path;
  pid_t owner;
  FmStatusPages *pages;
  const FmProgramPage *page;
} Fixture;

static void
start (Fixture *fixture, Owner owner)
{
  int ready[2];
  gchar byte;

  fixture->directory = g_dir_make_tmp ("filemem-page-reader-XXXXXX", NULL);
  fixture->path = g_build_filename (fixture->directory, "1-abcdef", NULL);
  assert_int_equal (pipe (ready), 0);
  fixture->owner = fork ();
  assert_true (fixture->owner >= 0);
  if (fixture->owner == 0)
    own_page (fixture->path, ready[1], owner);
  close (ready[1]);
  assert_int_equal (read (ready[0], &byte, 1), 1);
  close (ready[0]);

  fixture->pages = fm_status_pages_new (fixture->directory);
  fm_status_pages_scan (fixture->pages);
  assert_int_equal (fm_status_pages_list (fixture->pages)->len, 1);
  fixture->page = g_ptr_array_index (fm_status_pages_list (fixture->pages), 0);
}

static void
end (Fixture *fixture)
{
  kill (fixture->owner, SIGKILL);
  assert_int_equal (waitpid (fixture->owner, NULL, 0), fixture->owner);
  fm_status_pages_scan (fixture->pages);
  assert_int_equal (fm_status_pages_list (fixture->pages)->len, 0);
  fm_status_pages_free (fixture->pages);
  assert_int_equal (g_rmdir (fixture->directory), 0);
  g_free (fixture->path);
  g_free (fixture->directory);
}

/* How many of @reads were answered; what was read is whole. */
static guint
count_answers (Fixture *fixture, guint reads)
{
  const FmProgramPage *page = fixture->page;
  guint answers = 0;

  for (guint i = 0; i < reads; i++) {
    fm_status_pages_refresh (fixture->pages);
    assert_int_equal (page->pid, fixture->owner);
    assert_int_equal (page->state, FM_STATUS_PAGE_READABLE);
    answers += page->answering;
    if (page->text && page->length > 0)
      assert_whole (page);
  }
  return answers;
}

static void
a_text_is_whole (void **state)
{
  Fixture fixture;

  start (&fixture, OWNER_ANSWERS);
  /* Who writes all the time may be missed now and then. */
  assert_in_range (count_answers (&fixture, READS), READS / 2, READS);
  end (&fixture);
}

static void
a_text_that_nobody_asked_for_is_no_answer (void **state)
{
  Fixture fixture;

  start (&fixture, OWNER_WRITES);
  assert_int_equal (count_answers (&fixture, 2), 0);
  end (&fixture);
}

static void
a_late_answer_is_one (void **state)
{
  Fixture fixture;
  FmStatusPage *page;
  int fd;

  start (&fixture, OWNER_IS_SILENT);
  assert_int_equal (count_answers (&fixture, 1), 0);
  fd = open (fixture.path, O_RDWR);
  page = mmap (
      NULL, FM_STATUS_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  assert_ptr_not_equal (page, MAP_FAILED);
  write_text (page, 7, TRUE);
  assert_int_equal (count_answers (&fixture, 1), 1);
  assert_int_equal (fixture.page->text[0], 'a' + 7);
  /* It answers nothing that is asked after it. */
  assert_int_equal (count_answers (&fixture, 1), 0);
  munmap (page, FM_STATUS_PAGE_SIZE);
  close (fd);
  end (&fixture);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (a_text_is_whole),
      cmocka_unit_test (a_text_that_nobody_asked_for_is_no_answer),
      cmocka_unit_test (a_late_answer_is_one),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
