/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-reader.c: see status-page-reader.h and
 * tracer/status-page-layout.h.
 *
 * The reader of the sequence lock: it reads the sequence, the text, and the
 * sequence again, each by a pread() of its own, with fences that keep them in
 * this order. The kernel raises the number `asked` (FUTEX_WAKE_OP adds and
 * wakes in one call); for a page that has been cut short it returns EFAULT,
 * where a store of our own would cause SIGBUS.
 *
 * Single-threaded; the code only has to reckon with other processes.
 */
#include "status-page-reader.h"

#include "status-page-files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A text that is longer than this can't be ours. */
#define TEXT_MAX (1024 * 1024)

#define POLL_US 1000

typedef struct
{
  FmProgramPage public; /* must be first */
  int fd;
  void *mapping;    /* of the header; we never read or write it; or NULL */
  guint32 asked;    /* before we asked: a later number answers us */
  gboolean pending; /* no answer came so far; a late one will do as well */
  gboolean waiting; /* for the answer, in this round */
} Page;

struct FmStatusPages
{
  gchar *directory;
  GPtrArray *list; /* Page */
  gint64 deadline; /* of the answers */
};

static void
page_free (Page *page)
{
  if (page->mapping)
    munmap (page->mapping, sizeof (FmStatusPage));
  close (page->fd);
  g_free (page->public.text);
  g_free (page->public.name);
  g_free (page);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Page, page_free)

static gboolean
read_header (int fd, FmStatusPage *ret_header)
{
  return pread (fd, ret_header, sizeof *ret_header, 0)
      == (gssize) sizeof *ret_header;
}

/* Whether the figures in @header make sense for the file as it is now. */
static FmStatusPageState
check_header (int fd, const FmStatusPage *header)
{
  struct stat status;

  if (memcmp (header->magic, FM_STATUS_PAGE_MAGIC, sizeof header->magic) != 0)
    return FM_STATUS_PAGE_DAMAGED;
  if (header->version != FM_STATUS_PAGE_VERSION)
    return FM_STATUS_PAGE_OTHER_VERSION;
  if (fstat (fd, &status) != 0 || header->size < sizeof *header
      || header->size > status.st_size
      || header->length > header->size - sizeof *header
      || header->length > TEXT_MAX)
    return FM_STATUS_PAGE_DAMAGED;
  return FM_STATUS_PAGE_READABLE;
}

/* The page under @name if it is one and has an owner; removes it if it is one
 * and has none. */
static Page *
open_page (int dir, const gchar *name)
{
  g_autoptr (Page) page = NULL;
  FmStatusPage header;
  void *mapping;
  int fd = fm_status_page_open (dir, name);

  if (fd < 0)
    return NULL;
  page = g_new0 (Page, 1);
  page->fd = fd;
  page->public.pid = fm_status_page_owner (fd);
  if (page->public.pid < 0) {
    fm_status_page_remove_dead (dir, name, fd);
    return NULL;
  }
  if (!read_header (fd, &header)
      || memcmp (header.magic, FM_STATUS_PAGE_MAGIC, sizeof header.magic) != 0)
    return NULL;

  page->public.pid_is_ours = page->public.pid > 0;
  if (!page->public.pid_is_ours)
    page->public.pid = g_ascii_strtoll (name, NULL, 10);
  page->public.name = g_strdup (name);
  page->public.state = check_header (fd, &header);
  mapping =
      mmap (NULL, sizeof header, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  page->mapping = mapping == MAP_FAILED ? NULL : mapping;
  return g_steal_pointer (&page);
}

/* Makes one attempt to read the text; with @fresh only if it answers the
 * question. FALSE if it does not, or is being written. */
static gboolean
read_text (Page *page, gboolean fresh)
{
  FmStatusPage before, after;
  g_autofree gchar *text = NULL;
  gssize length;

  if (!read_header (page->fd, &before)) {
    page->public.state = FM_STATUS_PAGE_DAMAGED;
    return FALSE;
  }
  page->public.state = check_header (page->fd, &before);
  if (page->public.state != FM_STATUS_PAGE_READABLE || before.sequence % 2 != 0
      || (fresh && (gint32) (before.answered - page->asked) <= 0))
    return FALSE;

  text = g_malloc (before.length + 1);
  atomic_thread_fence (memory_order_acquire);
  length = pread (page->fd, text, before.length, offsetof (FmStatusPage, text));
  atomic_thread_fence (memory_order_acquire);
  if (length < 0 || (gsize) length != before.length
      || !read_header (page->fd, &after) || after.sequence != before.sequence
      || after.length != before.length)
    return FALSE;

  text[length] = '\0';
  g_free (page->public.text);
  page->public.text = g_steal_pointer (&text);
  page->public.length = length;
  return TRUE;
}

static void
ask (Page *page)
{
  FmStatusPage header;

  page->public.answering = FALSE;
  page->waiting = FALSE;
  if (!page->mapping || !read_header (page->fd, &header))
    return;
  if (!page->pending)
    page->asked = header.asked;
  page->pending = TRUE;
  page->public.state = check_header (page->fd, &header);
  if (page->public.state != FM_STATUS_PAGE_READABLE)
    return;
  /* The comparison, which decides whether to wake a second time, does not
   * matter here: both addresses are the same. */
  page->waiting = syscall (SYS_futex,
                      (gchar *) page->mapping + offsetof (FmStatusPage, asked),
                      FUTEX_WAKE_OP, INT_MAX, NULL,
                      (gchar *) page->mapping + offsetof (FmStatusPage, asked),
                      FUTEX_OP (FUTEX_OP_ADD, 1, FUTEX_OP_CMP_EQ, 0))
      >= 0;
}

static gint
compare_pids (gconstpointer a, gconstpointer b)
{
  const FmProgramPage *x = *(FmProgramPage *const *) a;
  const FmProgramPage *y = *(FmProgramPage *const *) b;

  if (x->pid != y->pid)
    return x->pid < y->pid ? -1 : 1;
  return strcmp (x->name, y->name);
}

static gboolean
has_page (FmStatusPages *pages, const gchar *name)
{
  for (guint i = 0; i < pages->list->len; i++) {
    const Page *page = g_ptr_array_index (pages->list, i);

    if (strcmp (page->public.name, name) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
forget_dead (FmStatusPages *pages, int dir)
{
  for (guint i = pages->list->len; i-- > 0;) {
    Page *page = g_ptr_array_index (pages->list, i);

    if (fm_status_page_owner (page->fd) >= 0)
      continue;
    if (dir >= 0)
      fm_status_page_remove_dead (dir, page->public.name, page->fd);
    g_ptr_array_remove_index (pages->list, i);
  }
}

FmStatusPages *
fm_status_pages_new (const gchar *directory)
{
  FmStatusPages *pages = g_new0 (FmStatusPages, 1);

  pages->directory = g_strdup (directory);
  pages->list = g_ptr_array_new_with_free_func ((GDestroyNotify) page_free);
  return pages;
}

void
fm_status_pages_free (FmStatusPages *pages)
{
  g_ptr_array_unref (pages->list);
  g_free (pages->directory);
  g_free (pages);
}

int
fm_status_pages_scan (FmStatusPages *pages)
{
  int dir =
      open (pages->directory, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  int error = errno;
  DIR *stream;
  struct dirent *entry;

  forget_dead (pages, dir);
  if (dir < 0)
    return error == ENOENT ? 0 : error;
  stream = fdopendir (dir);
  if (!stream) {
    error = errno;
    close (dir);
    return error;
  }
  while ((entry = readdir (stream)) != NULL) {
    Page *page;

    if (!fm_status_page_is_name (entry->d_name)
        || has_page (pages, entry->d_name))
      continue;
    page = open_page (dir, entry->d_name);
    if (page)
      g_ptr_array_add (pages->list, page);
  }
  closedir (stream);
  g_ptr_array_sort (pages->list, compare_pids);
  return 0;
}

gchar *
fm_status_pages_obstacle (FmStatusPages *pages, int error)
{
  g_autofree gchar *parent = g_path_get_dirname (pages->directory);
  g_autofree gchar *owner = NULL;
  struct stat status;

  /* Then programs of this user would publish nothing here (status-page.c), and
   * may have done so elsewhere. */
  if (stat (parent, &status) == 0 && status.st_uid != geteuid ())
    owner = g_strdup_printf (
        "%s belongs to another user (%u)", parent, (guint) status.st_uid);
  if (error == 0)
    return g_steal_pointer (&owner);
  return g_strdup_printf ("can't read %s: %s%s%s", pages->directory,
      g_strerror (error), owner ? "; " : "", owner ? owner : "");
}

void
fm_status_pages_ask (FmStatusPages *pages)
{
  for (guint i = 0; i < pages->list->len; i++)
    ask (g_ptr_array_index (pages->list, i));
  pages->deadline = g_get_monotonic_time () + FM_STATUS_PAGES_WAIT_US;
}

gboolean
fm_status_pages_collect (FmStatusPages *pages)
{
  gboolean over = g_get_monotonic_time () >= pages->deadline;
  gboolean waiting = FALSE;

  for (guint i = 0; i < pages->list->len; i++) {
    Page *page = g_ptr_array_index (pages->list, i);

    if (page->waiting && read_text (page, TRUE)) {
      page->public.answering = TRUE;
      page->pending = page->waiting = FALSE;
    }
    if (page->waiting && over) {
      page->waiting = FALSE;
      if (!page->public.text)
        read_text (page, FALSE);
    }
    waiting |= page->waiting;
  }
  return !waiting;
}

void
fm_status_pages_refresh (FmStatusPages *pages)
{
  fm_status_pages_ask (pages);
  while (!fm_status_pages_collect (pages))
    g_usleep (POLL_US);
}

const GPtrArray *
fm_status_pages_list (FmStatusPages *pages)
{
  return pages->list;
}
