/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-files.c: see status-page-files.h. A file without a magic may be
 * one that is still being made, so it is removed only if it is old as well.
 */
#include "status-page-files.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A page that has no magic after this long will not get one. */
#define UNFINISHED_S 60

gboolean
fm_status_page_is_name (const gchar *name)
{
  gsize digits = strspn (name, "0123456789");

  return digits > 0 && name[digits] == '-' && strlen (name + digits + 1) == 6
      && strspn (name + digits + 1, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS)
      == 6;
}

int
fm_status_page_open (int dir, const gchar *name)
{
  struct stat status;
  int fd = openat (
      dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  if (fd >= 0 && (fstat (fd, &status) < 0 || !S_ISREG (status.st_mode))) {
    close (fd);
    return -1;
  }
  return fd;
}

/* Like fm_status_page_owner(), for one byte. */
static gint64
lock_holder (int fd, off_t byte)
{
  struct flock lock = {
      .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (fcntl (fd, F_GETLK, &lock) < 0)
    return 0;
  return lock.l_type == F_UNLCK ? -1 : MAX (lock.l_pid, 0);
}

gint64
fm_status_page_owner (int fd)
{
  gint64 process = lock_holder (fd, FM_STATUS_PAGE_LOCK_PROCESS);

  return process >= 0 ? process : lock_holder (fd, FM_STATUS_PAGE_LOCK_FILE);
}

static gboolean
looks_like_page (int fd, const struct stat *status)
{
  gchar magic[sizeof FM_STATUS_PAGE_MAGIC] = {0};
  gssize length = pread (fd, magic, sizeof magic, 0);

  if (length == sizeof magic
      && memcmp (magic, FM_STATUS_PAGE_MAGIC, length) == 0)
    return TRUE;
  return (length == 0 || (length == sizeof magic && magic[0] == '\0'))
      && time (NULL) - status->st_mtime > UNFINISHED_S;
}

void
fm_status_page_remove_dead (int dir, const gchar *name, int fd)
{
  struct stat file, path;

  if (fstat (fd, &file) < 0 || !looks_like_page (fd, &file))
    return;
  if (fstatat (dir, name, &path, AT_SYMLINK_NOFOLLOW) == 0
      && path.st_dev == file.st_dev && path.st_ino == file.st_ino)
    unlinkat (dir, name, 0);
}

void
fm_status_page_remove_all_dead (const gchar *path)
{
  int dir = open (path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
  DIR *stream = dir >= 0 ? fdopendir (dir) : NULL;
  const struct dirent *entry;

  if (stream == NULL) {
    if (dir >= 0)
      close (dir);
    return;
  }
  while ((entry = readdir (stream)) != NULL) {
    const gchar *name = entry->d_name;
    gboolean is_unfinished = g_str_has_prefix (name, FM_STATUS_PAGE_UNFINISHED);
    int fd = fm_status_page_is_name (name
                 + (is_unfinished ? strlen (FM_STATUS_PAGE_UNFINISHED) : 0))
        ? fm_status_page_open (dir, name)
        : -1;

    if (fd < 0)
      continue;
    if (fm_status_page_owner (fd) < 0)
      fm_status_page_remove_dead (dir, name, fd);
    close (fd);
  }
  closedir (stream);
}
