/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * page-reader.c: a page that is written all the time is never read half old and
 * half new.
 *
 * A child owns the page. Each of its texts is one letter, repeated as often as
 * goes with that and its neighbour, and it writes the next one whether it has
 * been asked or not, with a short rest between: a reader that did not look at
 * the sequence, or looked in the wrong order, would sooner or later get two
 * letters. And a text that was written without having been asked for is not
 * taken for an answer.
 */
#include "page-layout.h"
#include "page-reader.h"

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
write_text (FmPage *page, guint letter, gboolean answers)
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

/* Never returns. */
static void
own_page (const gchar *path, int ready, gboolean answers)
{
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FmPage *page;

  prctl (PR_SET_PDEATHSIG, SIGKILL);
  if (fd < 0 || fcntl (fd, F_SETLK, &lock) != 0
      || ftruncate (fd, FM_PAGE_SIZE) != 0)
    _exit (1);
  page = mmap (NULL, FM_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (page == MAP_FAILED)
    _exit (1);
  page->version = FM_PAGE_VERSION;
  page->size = FM_PAGE_SIZE;
  memcpy (page->magic, FM_PAGE_MAGIC, sizeof page->magic);
  if (write (ready, "", 1) != 1)
    _exit (1);
  for (guint i = 0;; i++) {
    write_text (page, i % LETTERS, answers);
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

/* How many of @reads were answered; what was read is whole. */
static guint
read_from (gboolean answers, guint reads)
{
  g_autofree gchar *directory =
      g_dir_make_tmp ("filemem-page-reader-XXXXXX", NULL);
  g_autofree gchar *path = g_build_filename (directory, "1-abcdef", NULL);
  g_autoptr (FmPages) pages = fm_pages_new (directory);
  const GPtrArray *list = fm_pages_list (pages);
  guint answered = 0;
  int ready[2];
  gchar byte;
  pid_t child;

  assert_int_equal (pipe (ready), 0);
  child = fork ();
  assert_true (child >= 0);
  if (child == 0)
    own_page (path, ready[1], answers);
  close (ready[1]);
  assert_int_equal (read (ready[0], &byte, 1), 1);
  close (ready[0]);

  fm_pages_scan (pages);
  assert_int_equal (list->len, 1);
  for (guint i = 0; i < reads; i++) {
    const FmProgramPage *page = g_ptr_array_index (list, 0);

    fm_pages_refresh (pages);
    assert_int_equal (page->pid, child);
    assert_int_equal (page->state, FM_PAGE_READABLE);
    answered += page->answering;
    if (page->text)
      assert_whole (page);
  }

  kill (child, SIGKILL);
  assert_int_equal (waitpid (child, NULL, 0), child);
  fm_pages_scan (pages);
  assert_int_equal (list->len, 0);
  assert_int_equal (g_rmdir (directory), 0);
  return answered;
}

static void
a_text_is_whole (void **state)
{
  /* Who writes all the time may be missed now and then. */
  assert_in_range (read_from (TRUE, READS), READS / 2, READS);
}

static void
a_text_that_nobody_asked_for_is_no_answer (void **state)
{
  assert_int_equal (read_from (FALSE, 2), 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (a_text_is_whole),
      cmocka_unit_test (a_text_that_nobody_asked_for_is_no_answer),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
