/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file.c: see backing-file.h.
 *
 * The I/O threads have SIGXFSZ blocked for good, but nothing here relies on
 * being called from them: each call that can raise it is guarded.
 */
#include "backing-file.h"
#include "messages.h"
#include "seam.h"
#include "xfsz-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Missing from some systems' linux/magic.h. */
#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef CEPH_SUPER_MAGIC
#define CEPH_SUPER_MAGIC 0x00c36400
#endif

/* A file system's own bookkeeping for the file (extent trees) counts in
 * st_blocks, which must stay within the limit. What exists of it is measured;
 * this share of the limit is for what allocating adds. */
#define METADATA_SHARE 2048

/* A direct transfer that was cut short continues at a multiple of this, which
 * is a whole sector of any size. */
#define ALIGNMENT 4096

/* How much of the file is checked at once for pages in the page cache. */
#define CACHE_WINDOW ((off_t) 64 << 20)

/* After a look that takes this long, the next one waits this many times as
 * long. */
#define CACHE_WALK_US 1000
#define CACHE_WALK_REST 100

typedef enum { KIND_DISK, KIND_MEMORY, KIND_NETWORK, KIND_COPY_ON_WRITE } Kind;

static const struct
{
  guint64 type;
  const gchar *name;
  Kind kind;
} file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext4", KIND_DISK},
    {XFS_SUPER_MAGIC, "xfs", KIND_DISK},
    {F2FS_SUPER_MAGIC, "f2fs", KIND_DISK},
    {MSDOS_SUPER_MAGIC, "vfat", KIND_DISK},
    {OVERLAYFS_SUPER_MAGIC, "overlay", KIND_DISK},
    {BTRFS_SUPER_MAGIC, "btrfs", KIND_COPY_ON_WRITE},
    {TMPFS_MAGIC, "tmpfs", KIND_MEMORY},
    {RAMFS_MAGIC, "ramfs", KIND_MEMORY},
    {NFS_SUPER_MAGIC, "nfs", KIND_NETWORK},
    {CIFS_SUPER_MAGIC, "cifs", KIND_NETWORK},
    {SMB2_SUPER_MAGIC, "smb2", KIND_NETWORK},
    {CEPH_SUPER_MAGIC, "ceph", KIND_NETWORK},
    {V9FS_MAGIC, "9p", KIND_NETWORK},
    {FUSE_SUPER_MAGIC, "fuse", KIND_DISK},
};

static const gchar *
fix_for (const gchar *dir, int error)
{
  struct stat status;

  /* A directory in which nothing can be created, such as /proc, gives ENOENT
   * too. */
  if (error == ENOENT && fm_seam_stat (dir, &status) == 0)
    error = EACCES;
  switch (error) {
    case ENOENT:
      return "create that directory, or set dir, GST_FILEMEM_DIR, to another";
    case ENOSPC:
    case EDQUOT:
      return "free some space, or set dir, GST_FILEMEM_DIR, to another disk";
    case EMFILE:
      return "raise the limit on open files, ulimit -n";
    case ENFILE:
      return "raise the limit of the system on open files, fs.file-max";
    default:
      return "set dir, GST_FILEMEM_DIR, to a directory on a disk in which the "
             "program may make files";
  }
}

static int
open_nameless (const gchar *dir)
{
  int fd, attempt;

  fd = fm_seam_open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return fd;

  /* Without O_TMPFILE: a name that exists for a moment. */
  for (attempt = 0; attempt < 100; attempt++) {
    g_autofree gchar *name =
        g_strdup_printf (".filemem-%08x%08x", g_random_int (), g_random_int ());
    g_autofree gchar *path = g_build_filename (dir, name, NULL);

    fd = fm_seam_open (
        path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0) {
      if (fm_seam_unlink (path) < 0) {
        int saved = errno;

        close (fd);
        errno = saved;
        return -1;
      }
      return fd;
    }
    if (errno != EEXIST)
      return -1;
  }
  return -1;
}

static Kind
recognise (FmBackingFile *file, const FmFileSystem *system)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (file_systems); i++) {
    if (file_systems[i].type == system->type) {
      file->file_system = file_systems[i].name;
      return file_systems[i].kind;
    }
  }
  g_snprintf (file->file_system_number, sizeof file->file_system_number,
      "type 0x%" G_GINT64_MODIFIER "x", system->type);
  file->file_system = file->file_system_number;
  return KIND_DISK;
}

FmBackingFile *
fm_backing_file_new (const gchar *dir, GError **error)
{
  FmFileIdentity identity;
  FmBackingFile *file;
  FmFileSystem system;
  Kind kind;
  int fd;

  fd = open_nameless (dir);
  if (fd < 0 || fm_seam_file_system (fd, &system) < 0
      || fm_seam_identify (fd, &identity) < 0) {
    int saved = errno;

    if (fd >= 0)
      close (fd);
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (saved),
        "no file can be made in \"%s\": %s (%s)", dir, g_strerror (saved),
        fix_for (dir, saved));
    return NULL;
  }

  file = g_new0 (FmBackingFile, 1);
  file->fd = fd;
  fm_mutex_init (&file->writing_back);
  file->identity = identity;
  file->total_bytes = system.total_bytes;
  file->free_bytes = system.available_bytes;
  file->limit = G_MAXUINT64;
  kind = recognise (file, &system);
  file->in_memory = kind == KIND_MEMORY;
  file->on_network = kind == KIND_NETWORK;
  file->reads_are_cached = kind == KIND_COPY_ON_WRITE;

  /* Copy-on-write voids what was allocated, and checksums of direct writes
   * break where the memory changes meanwhile: no direct I/O there, unless
   * copy-on-write can be turned off. */
  if (file->in_memory
      || (kind == KIND_COPY_ON_WRITE && fm_seam_set_nocow (fd) < 0))
    file->direct = FALSE;
  else
    file->direct = fm_seam_set_direct (fd, TRUE) == 0;

  /* Where the page cache is used, no read-ahead: nothing would drop its
   * pages. */
  (void) fm_seam_fadvise (fd, 0, 0, POSIX_FADV_RANDOM);
  return file;
}

/* 0 if the file is still there, ours and whole. */
static int
check (FmBackingFile *file)
{
  int error;

  if (atomic_load (&file->is_cut))
    return ENODATA;
  error = fm_seam_check_file (file->fd, &file->identity);
  if (error == ENODATA)
    atomic_store (&file->is_cut, TRUE);
  return error;
}

gboolean
fm_backing_file_is_cut (FmBackingFile *file)
{
  return check (file) == ENODATA;
}

void
fm_backing_file_free (FmBackingFile *file)
{
  int error = fm_seam_check_file (file->fd, &file->identity);

  /* If it can't be examined, it is still ours. */
  if (error != EBADF)
    close (file->fd);
  fm_mutex_clear (&file->writing_back);
  g_free (file);
}

int
fm_backing_file_set_length (FmBackingFile *file, guint64 length)
{
  FmXfszGuard guard;
  int error;

  fm_xfsz_guard_begin (&guard);
  error = fm_seam_ftruncate (file->fd, (off_t) length) < 0 ? errno : 0;
  fm_xfsz_guard_end (&guard);
  if (error == 0)
    file->identity.length = (off_t) length;
  return error;
}

/* Counts @missing bytes more, unless the sum, with what the file system adds to
 * it, exceeds the limit. */
static gboolean
count_bytes (FmBackingFile *file, gsize missing)
{
  guint64 before = atomic_load (&file->bytes), limit = file->limit;
  guint64 on_disk = fm_seam_disk_bytes (file->fd);
  guint64 metadata = on_disk > before ? on_disk - before : 0;

  limit -= MIN (limit, limit / METADATA_SHARE + metadata);
  do {
    if (missing > limit || before > limit - missing)
      return FALSE;
  } while (
      !atomic_compare_exchange_weak (&file->bytes, &before, before + missing));
  return TRUE;
}

int
fm_backing_file_allocate (
    FmBackingFile *file, guint64 offset, gsize length, gsize missing)
{
  FmFileSystem system;
  FmXfszGuard guard;
  int error = check (file);

  if (error != 0)
    return error;
  if (!count_bytes (file, missing))
    return ENOBUFS;

  if (fm_seam_file_system (file->fd, &system) < 0)
    error = errno;
  else if (system.available_bytes < missing
      || system.available_bytes - missing < file->reserve)
    error = ENOSPC;

  if (error == 0) {
    fm_xfsz_guard_begin (&guard);
    do {
      error =
          fm_seam_fallocate (file->fd, 0, (off_t) offset, (off_t) length) < 0
          ? errno
          : 0;
    } while (error == EINTR);
    fm_xfsz_guard_end (&guard);
    /* Then only the write itself can tell whether there is room. */
    if (error == EOPNOTSUPP)
      error = 0;
  }

  if (error != 0) {
    /* A refused range may have been allocated in part. */
    if (missing == length)
      (void) fm_seam_fallocate (file->fd,
          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) offset,
          (off_t) length);
    fm_backing_file_uncount (file, missing);
  }
  return error;
}

int
fm_backing_file_punch (
    FmBackingFile *file, guint64 offset, gsize length, gsize allocated)
{
  int error = check (file);

  if (error != 0)
    return error;
  if (fm_seam_fallocate (file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
          (off_t) offset, (off_t) length)
      < 0)
    return errno;
  fm_backing_file_uncount (file, allocated);
  return 0;
}

void
fm_backing_file_uncount (FmBackingFile *file, gsize bytes)
{
  atomic_fetch_sub (&file->bytes, bytes);
}

/* Some file systems accept the flag and refuse the transfer. @was_direct is
 * from before the transfer: another thread may have turned direct I/O off
 * meanwhile. */
static gboolean
give_up_direct (FmBackingFile *file, int error, gboolean was_direct)
{
  if (error != EINVAL || !was_direct
      || fm_seam_set_direct (file->fd, FALSE) < 0)
    return FALSE;
  if (atomic_exchange (&file->direct, FALSE))
    fm_info ("the file system refuses direct transfers; the page cache is "
             "used");
  return TRUE;
}

static gsize
whole_sectors (ssize_t n)
{
  return (gsize) n & ~(gsize) (ALIGNMENT - 1);
}

static gboolean
uses_page_cache (FmBackingFile *file)
{
  return !file->in_memory && !atomic_load (&file->direct);
}

/* Writes the range back to the disk first, because only clean pages can be
 * dropped from the page cache. */
static int
write_back (FmBackingFile *file, guint64 offset, gsize length)
{
  if (fm_seam_sync_file_range (file->fd, (off_t) offset, (off_t) length,
          SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE
              | SYNC_FILE_RANGE_WAIT_AFTER)
      < 0) {
    /* Where this call is not supported, the kernel writes back later. Any other
     * error means that the bytes are lost; also for want of space, where that
     * is discovered this late. */
    if (errno != EINVAL && errno != ENOSYS && errno != ESPIPE && errno != EPERM)
      return errno;
  }
  fm_backing_file_drop_cache (file, offset, length);
  return 0;
}

int
fm_backing_file_write (
    FmBackingFile *file, guint64 offset, const void *data, gsize length)
{
  FmXfszGuard guard;
  gboolean alone = FALSE;
  gsize done = 0;
  int error = check (file);

  if (error != 0)
    return error;
  fm_xfsz_guard_begin (&guard);
  while (error == 0 && done < length) {
    gboolean direct = atomic_load (&file->direct);
    ssize_t n;

    /* The kernel reports a write-back error to only one of the threads that
     * ask, whichever thread wrote the pages. */
    if (!alone && uses_page_cache (file)) {
      fm_mutex_lock (&file->writing_back);
      alone = TRUE;
    }
    n = fm_seam_pwrite (file->fd, (const guint8 *) data + done, length - done,
        (off_t) (offset + done));
    if (n >= ALIGNMENT)
      done += whole_sectors (n);
    else if (n >= 0)
      error = ENOSPC;
    else if (errno != EINTR && !give_up_direct (file, errno, direct))
      error = errno;
  }
  fm_xfsz_guard_end (&guard);

  /* Another thread gave up direct I/O meanwhile: what this one wrote may be in
   * the page cache, and an error of it reported to somebody else. */
  if (error == 0 && !alone && uses_page_cache (file))
    return fm_backing_file_write (file, offset, data, length);
  if (error == 0 && alone)
    error = write_back (file, offset, length);
  if (alone)
    fm_mutex_unlock (&file->writing_back);
  return error;
}

static void
drop_what_was_read (FmBackingFile *file, guint64 offset, gsize length)
{
  if (uses_page_cache (file) || file->reads_are_cached)
    fm_backing_file_drop_cache (file, offset, length);
}

int
fm_backing_file_read (
    FmBackingFile *file, guint64 offset, void *ret_data, gsize length)
{
  gsize done = 0;
  int error = check (file);

  if (error != 0)
    return error;
  while (done < length) {
    gboolean direct = atomic_load (&file->direct);
    ssize_t n = fm_seam_pread (file->fd, (guint8 *) ret_data + done,
        length - done, (off_t) (offset + done));

    if (n >= ALIGNMENT)
      done += whole_sectors (n);
    else if (n >= 0)
      return ENODATA; /* it is shorter than the arena */
    else if (errno != EINTR && !give_up_direct (file, errno, direct))
      return errno;
  }
  drop_what_was_read (file, offset, length);
  /* If it was truncated meanwhile, and a write of ours made it longer again, it
   * reads as zeros. */
  return check (file);
}

int
fm_backing_file_read_parts (FmBackingFile *file, guint64 offset,
    void *ret_first, gsize first_length, void *ret_second, gsize second_length)
{
  const struct iovec parts[] = {
      {ret_first, first_length}, {ret_second, second_length}};
  int error = 0;

  /* A short read is repeated by fm_backing_file_read(), which can continue
   * one. */
  if (first_length > 0 && second_length > 0 && atomic_load (&file->direct)
      && check (file) == 0
      && fm_seam_preadv (file->fd, parts, G_N_ELEMENTS (parts), (off_t) offset)
          == (ssize_t) (first_length + second_length)) {
    drop_what_was_read (file, offset, first_length + second_length);
    return check (file);
  }

  if (first_length > 0)
    error = fm_backing_file_read (file, offset, ret_first, first_length);
  if (error == 0 && second_length > 0)
    error = fm_backing_file_read (
        file, offset + first_length, ret_second, second_length);
  return error;
}

void
fm_backing_file_drop_cache (FmBackingFile *file, guint64 offset, gsize length)
{
  /* A hint: what is not dropped now, the kernel drops later. */
  (void) fm_seam_fadvise (
      file->fd, (off_t) offset, (off_t) length, POSIX_FADV_DONTNEED);
}

/* For the range, which is short. */
static guint64
cached_in_window (FmBackingFile *file, off_t start, gsize length)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize n_pages = (length + page - 1) / page, i;
  g_autofree unsigned char *present = g_malloc (n_pages);
  guint64 cached = 0;
  void *window =
      fm_seam_mmap (NULL, length, PROT_READ, MAP_SHARED, file->fd, start);

  if (window == MAP_FAILED)
    return 0;
  if (fm_seam_mincore (window, length, present) == 0) {
    for (i = 0; i < n_pages; i++)
      cached += (present[i] & 1) != 0 ? page : 0;
  }
  (void) fm_seam_munmap (window, length);
  return cached;
}

/* Looks only at what is in the file, which is much longer than that. */
static guint64
count_cached (FmBackingFile *file)
{
  guint64 cached = 0;
  off_t start = 0, end;

  while ((start = fm_seam_lseek (file->fd, start, SEEK_DATA)) >= 0
      && (end = fm_seam_lseek (file->fd, start, SEEK_HOLE)) >= 0) {
    for (; start < end; start += CACHE_WINDOW)
      cached += cached_in_window (
          file, start, (gsize) MIN (CACHE_WINDOW, end - start));
    start = end;
  }
  return cached;
}

guint64
fm_backing_file_cached_bytes (FmBackingFile *file)
{
  gint64 start, took;
  guint64 cached;

  if (fm_seam_cachestat (file->fd, &cached) == 0)
    return cached;
  /* Before Linux 6.5: a walk over all of it, ten milliseconds for each GiB. */
  start = g_get_monotonic_time ();
  if (start >= atomic_load (&file->cached_until)) {
    atomic_store (&file->cached, count_cached (file));
    took = g_get_monotonic_time () - start;
    if (took >= CACHE_WALK_US)
      atomic_store (&file->cached_until, start + CACHE_WALK_REST * took);
  }
  return atomic_load (&file->cached);
}
