/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page.c: see status-page.h.
 *
 * The file's space is allocated in full before it is mapped; otherwise a full
 * file system would cause a SIGBUS. The file is made under a name at which no
 * viewer looks, and gets its own when it is finished: long enough, locked, with
 * its magic. So a viewer finds neither an empty page nor one that looks dead.
 */
#include "status-page.h"

#include "status-page-files.h"
#include "seam.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the file ---- */

static gboolean
lock_byte (int fd, int command, off_t byte)
{
  return fm_seam_lock_byte (fd, command, byte) == 0;
}

static gboolean
lock_file (int fd)
{
  /* Kernels before 3.15 know only the second. */
  return (lock_byte (fd, F_OFD_SETLK, FM_STATUS_PAGE_LOCK_FILE)
             || errno == EINVAL)
      && lock_byte (fd, F_SETLK, FM_STATUS_PAGE_LOCK_PROCESS);
}

/* Exceeding the limit on file sizes would raise SIGXFSZ. */
static gboolean
may_be_used (const gchar *runtime_dir)
{
  struct rlimit limit;

  return g_path_is_absolute (runtime_dir)
      && getrlimit (RLIMIT_FSIZE, &limit) == 0
      && limit.rlim_cur >= FM_STATUS_PAGE_SIZE;
}

/* Six letters and digits after the pid make the name unique. */
static gchar *
make_name (void)
{
  static const gchar letters[] = G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS;
  gchar end[7] = "";
  guint i;

  for (i = 0; i < sizeof end - 1; i++)
    end[i] = letters[g_random_int_range (0, sizeof letters - 1)];
  return g_strdup_printf ("%d-%s", (int) getpid (), end);
}

/* The open file, with its present path and the path that it is to get; -1 if
 * there can't be one. */
static int
make_file (
    const gchar *runtime_dir, gchar **ret_unfinished, gchar **ret_finished)
{
  g_autofree gchar *dir =
      g_build_filename (runtime_dir, FM_STATUS_PAGE_DIRECTORY, NULL);
  g_autofree gchar *name = make_name ();
  g_autofree gchar *path =
      g_strconcat (dir, "/" FM_STATUS_PAGE_UNFINISHED, name, NULL);
  int fd;

  if (!may_be_used (runtime_dir) || !fm_machine_make_runtime_dir (dir))
    return -1;
  /* Before our own exists: closing a file would lose the lock that reveals our
   * pid. */
  fm_status_page_remove_all_dead (dir);
  fd = fm_seam_open (
      path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  if (!lock_file (fd)
      || fm_seam_fallocate (fd, 0, 0, FM_STATUS_PAGE_SIZE) < 0) {
    (void) fm_seam_unlink (path);
    close (fd);
    return -1;
  }
  *ret_unfinished = g_steal_pointer (&path);
  *ret_finished = g_build_filename (dir, name, NULL);
  return fd;
}

static FmStatusPage *
map (int fd)
{
  void *page = fm_seam_mmap (NULL, FM_STATUS_PAGE_SIZE, PROT_READ | PROT_WRITE,
      fd >= 0 ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, fd, 0);

  return page != MAP_FAILED ? page : NULL;
}

/* Not a file that the program may have opened under that number since. */
static void
close_file (FmOwnPage *own)
{
  if (own->fd >= 0 && fm_seam_check_file (own->fd, &own->identity) == 0)
    close (own->fd);
  own->fd = -1;
}

void
fm_status_page_hide (FmOwnPage *own)
{
  if (own->fd < 0)
    return;
  (void) fm_seam_unlink (own->path);
  close_file (own);
  g_clear_pointer (&own->path, g_free);
}

/* Gives a finished page its name, or removes the file. */
static void
publish (FmOwnPage *own, gchar *finished)
{
  if (fm_seam_rename (own->path, finished) < 0) {
    fm_status_page_hide (own);
    g_free (finished);
    return;
  }
  g_free (own->path);
  own->path = finished;
}

gboolean
fm_status_page_init (FmOwnPage *own, const gchar *runtime_dir)
{
  gchar *finished = NULL;

  memset (own, 0, sizeof *own);
  own->fd =
      runtime_dir != NULL ? make_file (runtime_dir, &own->path, &finished) : -1;
  if (own->fd >= 0)
    (void) fm_seam_identify (own->fd, &own->identity);
  own->page = map (own->fd);
  if (own->page == NULL) {
    fm_status_page_hide (own);
    g_free (finished);
    return FALSE;
  }
  own->page->version = FM_STATUS_PAGE_VERSION;
  own->page->size = FM_STATUS_PAGE_SIZE;
  memcpy (own->page->magic, FM_STATUS_PAGE_MAGIC, sizeof FM_STATUS_PAGE_MAGIC);
  if (finished != NULL)
    publish (own, finished);
  return TRUE;
}

void
fm_status_page_clear (FmOwnPage *own)
{
  fm_status_page_hide (own);
  if (own->page != NULL)
    (void) fm_seam_munmap (own->page, FM_STATUS_PAGE_SIZE);
  own->page = NULL;
}

void
fm_status_page_abandon (FmOwnPage *own)
{
  /* The path is not freed: malloc() must not be used here. */
  own->path = NULL;
  close_file (own);
  if (own->page != NULL)
    (void) fm_seam_munmap (own->page, FM_STATUS_PAGE_SIZE);
  own->page = NULL;
}

/* ---- the text ---- */

gboolean
fm_status_page_write (FmOwnPage *own, guint32 asked, const gchar *text)
{
  FmStatusPage *page = own->page;
  gsize length = strlen (text);

  if (length > FM_STATUS_PAGE_SIZE - sizeof *page)
    return FALSE;
  atomic_fetch_add_explicit (&page->sequence, 1, memory_order_relaxed);
  atomic_thread_fence (memory_order_release);
  memcpy (page->text, text, length);
  page->length = (guint32) length;
  page->answered = asked;
  atomic_fetch_add_explicit (&page->sequence, 1, memory_order_release);
  return TRUE;
}

/* ---- asking ---- */

static void
futex (
    FmOwnPage *own, int operation, guint32 value, const struct timespec *time)
{
  (void) syscall (
      SYS_futex, &own->page->asked, operation, value, time, NULL, 0);
}

guint32
fm_status_page_asked (FmOwnPage *own)
{
  return atomic_load (&own->page->asked);
}

void
fm_status_page_wait (FmOwnPage *own, guint32 asked, gint64 timeout)
{
  const struct timespec time = {
      timeout / G_USEC_PER_SEC, timeout % G_USEC_PER_SEC * 1000};

  futex (own, FUTEX_WAIT, asked, timeout >= 0 ? &time : NULL);
}

void
fm_status_page_poke (FmOwnPage *own)
{
  atomic_fetch_add (&own->page->asked, 1);
  futex (own, FUTEX_WAKE, G_MAXINT, NULL);
}
