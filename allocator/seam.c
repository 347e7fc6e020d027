/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * seam.c: see seam.h.
 */
#include "seam.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sanitizers make stack frames larger. */
#if defined(__SANITIZE_ADDRESS__) || defined(FM_THREAD_SANITIZER)
#define FM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FM_SANITIZED 1
#endif
#endif
#ifndef FM_SANITIZED
#define FM_SANITIZED 0
#endif

static _Atomic (FmSeamHook) seam_hook;

void
fm_seam_set_hook (FmSeamHook hook)
{
  atomic_store (&seam_hook, hook);
}

/* The hook's answer for the call. */
static inline int
ask (FmCall call, void *address, gsize length, int flags)
{
  FmSeamHook hook = atomic_load_explicit (&seam_hook, memory_order_relaxed);

  if (G_LIKELY (hook == NULL))
    return 0;
  return hook (&(FmCallInfo){call, address, length, flags});
}

/* TRUE, with errno set, if the hook wants the call to fail. */
static inline gboolean
refused (FmCall call, void *address, gsize length, int flags)
{
  int error = ask (call, address, length, flags);

  if (G_LIKELY (error == 0))
    return FALSE;
  errno = error;
  return TRUE;
}

/* The same for a call that moves *@length bytes, or fewer if the hook says
 * so. */
static inline gboolean
refused_bytes (FmCall call, void *address, gsize *length)
{
  int answer = ask (call, address, *length, 0);

  if (G_LIKELY (answer == 0))
    return FALSE;
  if (answer < 0) {
    *length = MIN (*length, (gsize) (-1 - answer));
    return FALSE;
  }
  errno = answer;
  return TRUE;
}

void *
fm_seam_mmap (void *address, gsize length, int protection, int flags, int fd,
    off_t offset)
{
  if (refused (FM_CALL_MMAP, address, length, flags))
    return MAP_FAILED;
  return mmap (address, length, protection, flags, fd, offset);
}

int
fm_seam_munmap (void *address, gsize length)
{
  if (refused (FM_CALL_MUNMAP, address, length, 0))
    return -1;
  return munmap (address, length);
}

void *
fm_seam_mremap (void *old_address, gsize length, int flags, void *new_address)
{
  if (refused (FM_CALL_MREMAP, new_address, length, flags))
    return MAP_FAILED;
  return mremap (old_address, length, length, flags, new_address);
}

int
fm_seam_madvise (void *address, gsize length, int advice)
{
  if (refused (FM_CALL_MADVISE, address, length, advice))
    return -1;
  return madvise (address, length, advice);
}

int
fm_seam_mprotect (void *address, gsize length, int protection)
{
  if (refused (FM_CALL_MPROTECT, address, length, protection))
    return -1;
  return mprotect (address, length, protection);
}

int
fm_seam_mincore (void *address, gsize length, unsigned char *ret_pages)
{
  if (refused (FM_CALL_MINCORE, address, length, 0))
    return -1;
  return mincore (address, length, ret_pages);
}

/* Missing from the headers of older systems. */
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

int
fm_seam_cachestat (int fd, guint64 *ret_bytes)
{
  const struct
  {
    guint64 offset, length; /* 0: to the end */
  } range = {0, 0};
  struct
  {
    guint64 cached, dirty, writeback, evicted, recently_evicted;
  } pages;

  if (refused (FM_CALL_CACHESTAT, NULL, 0, 0))
    return -1;
  if (syscall (SYS_cachestat, fd, &range, &pages, 0) < 0)
    return -1;
  *ret_bytes = pages.cached * (guint64) sysconf (_SC_PAGESIZE);
  return 0;
}

off_t
fm_seam_lseek (int fd, off_t offset, int whence)
{
  if (refused (FM_CALL_LSEEK, NULL, 0, whence))
    return -1;
  return lseek (fd, offset, whence);
}

int
fm_seam_open (const char *path, int flags, mode_t mode)
{
  if (refused (FM_CALL_OPEN, NULL, 0, flags))
    return -1;
  return open (path, flags, mode);
}

int
fm_seam_unlink (const char *path)
{
  if (refused (FM_CALL_UNLINK, NULL, 0, 0))
    return -1;
  return unlink (path);
}

int
fm_seam_rename (const char *from, const char *to)
{
  if (refused (FM_CALL_RENAME, NULL, 0, 0))
    return -1;
  return rename (from, to);
}

int
fm_seam_mkdir (const char *path, mode_t mode)
{
  if (refused (FM_CALL_MKDIR, NULL, 0, 0))
    return -1;
  return mkdir (path, mode);
}

int
fm_seam_stat (const char *path, struct stat *ret_status)
{
  if (refused (FM_CALL_FSTAT, NULL, 0, 0))
    return -1;
  return stat (path, ret_status);
}

int
fm_seam_lstat (const char *path, struct stat *ret_status)
{
  if (refused (FM_CALL_FSTAT, NULL, 0, 0))
    return -1;
  return lstat (path, ret_status);
}

int
fm_seam_lock_byte (int fd, int command, off_t byte)
{
  const struct flock lock = {
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (refused (FM_CALL_LOCK, NULL, 0, command))
    return -1;
  return fcntl (fd, command, &lock);
}

gboolean
fm_seam_is_byte_locked (int fd, off_t byte)
{
  struct flock lock = {
      .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};

  if (refused (FM_CALL_LOCK, NULL, 0, F_OFD_GETLK))
    return TRUE;
  return fcntl (fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

int
fm_seam_ftruncate (int fd, off_t length)
{
  if (refused (FM_CALL_FTRUNCATE, NULL, (gsize) length, 0))
    return -1;
  return ftruncate (fd, length);
}

int
fm_seam_fallocate (int fd, int mode, off_t offset, off_t length)
{
  if (refused (FM_CALL_FALLOCATE, NULL, (gsize) length, mode))
    return -1;
  return fallocate (fd, mode, offset, length);
}

int
fm_seam_fadvise (int fd, off_t offset, off_t length, int advice)
{
  if (refused (FM_CALL_FADVISE, NULL, (gsize) length, advice))
    return -1;
  errno = posix_fadvise (fd, offset, length, advice);
  return errno == 0 ? 0 : -1;
}

int
fm_seam_sync_file_range (int fd, off_t offset, off_t length, unsigned int flags)
{
  if (refused (FM_CALL_SYNC_FILE_RANGE, NULL, (gsize) length, (int) flags))
    return -1;
  return sync_file_range (fd, offset, length, flags);
}

int
fm_seam_fstat (int fd, struct stat *ret_status)
{
  if (refused (FM_CALL_FSTAT, NULL, 0, 0))
    return -1;
  return fstat (fd, ret_status);
}

ssize_t
fm_seam_write (int fd, const void *data, gsize length)
{
  if (refused_bytes (FM_CALL_WRITE, (void *) data, &length))
    return -1;
  return write (fd, data, length);
}

ssize_t
fm_seam_read (int fd, void *ret_data, gsize length)
{
  if (refused_bytes (FM_CALL_READ, ret_data, &length))
    return -1;
  return read (fd, ret_data, length);
}

int
fm_seam_pipe (int ret_fds[2])
{
  if (refused (FM_CALL_PIPE, NULL, 0, 0))
    return -1;
  return pipe2 (ret_fds, O_CLOEXEC);
}

int
fm_seam_poll (struct pollfd *fds, guint n, int timeout_ms)
{
  if (refused (FM_CALL_POLL, NULL, 0, 0))
    return -1;
  return poll (fds, n, timeout_ms);
}

ssize_t
fm_seam_pwrite (int fd, const void *data, gsize length, off_t offset)
{
  if (refused_bytes (FM_CALL_PWRITE, (void *) data, &length))
    return -1;
  return pwrite (fd, data, length, offset);
}

ssize_t
fm_seam_pread (int fd, void *ret_data, gsize length, off_t offset)
{
  if (refused_bytes (FM_CALL_PREAD, ret_data, &length))
    return -1;
  return pread (fd, ret_data, length, offset);
}

ssize_t
fm_seam_preadv (int fd, const struct iovec *parts, int n_parts, off_t offset)
{
  gsize most = G_MAXSIZE;

  if (refused_bytes (FM_CALL_PREAD, NULL, &most))
    return -1;
  if (most < parts[0].iov_len)
    return pread (fd, parts[0].iov_base, most, offset);
  return preadv (fd, parts, n_parts, offset);
}

/* ext4 with data=journal, and file systems that encrypt or compress, accept the
 * flag and go through the page cache all the same; since Linux 6.1 the kernel
 * says so. */
static gboolean
heeds_direct (int fd)
{
#ifdef STATX_DIOALIGN
  struct statx status;

  if (statx (fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &status) == 0
      && (status.stx_mask & STATX_DIOALIGN) != 0)
    return status.stx_dio_mem_align != 0;
#endif
  return TRUE;
}

int
fm_seam_set_direct (int fd, gboolean direct)
{
  int flags;

  if (refused (FM_CALL_FCNTL, NULL, 0, direct))
    return -1;
  if (direct && !heeds_direct (fd)) {
    errno = EINVAL;
    return -1;
  }
  flags = fcntl (fd, F_GETFL);
  if (flags < 0)
    return -1;
  return fcntl (fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

guint64
fm_seam_disk_bytes (int fd)
{
  struct stat status;

  return fm_seam_fstat (fd, &status) == 0 ? (guint64) status.st_blocks * 512
                                          : 0;
}

int
fm_seam_identify (int fd, FmFileIdentity *ret_identity)
{
  struct stat status;

  if (fm_seam_fstat (fd, &status) < 0)
    return -1;
  ret_identity->device = status.st_dev;
  ret_identity->inode = status.st_ino;
  ret_identity->length = status.st_size;
  return 0;
}

int
fm_seam_check_file (int fd, const FmFileIdentity *identity)
{
  FmFileIdentity now;

  if (fm_seam_identify (fd, &now) < 0)
    return errno;
  if (now.device != identity->device || now.inode != identity->inode)
    return EBADF;
  return now.length < identity->length ? ENODATA : 0;
}

int
fm_seam_file_system (int fd, FmFileSystem *ret_file_system)
{
  struct statfs type;
  struct statvfs space;

  if (refused (FM_CALL_FSTATFS, NULL, 0, 0))
    return -1;
  if (fstatfs (fd, &type) < 0 || fstatvfs (fd, &space) < 0)
    return -1;
  ret_file_system->type = (guint64) type.f_type;
  ret_file_system->total_bytes = (guint64) space.f_blocks * space.f_frsize;
  ret_file_system->available_bytes = (guint64) space.f_bavail * space.f_frsize;
  ret_file_system->read_only = (space.f_flag & ST_RDONLY) != 0;
  return 0;
}

int
fm_seam_set_nocow (int fd)
{
  int flags;

  if (refused (FM_CALL_NOCOW, NULL, 0, 0))
    return -1;
  if (ioctl (fd, FS_IOC_GETFLAGS, &flags) < 0)
    return -1;
  flags |= FS_NOCOW_FL;
  return ioctl (fd, FS_IOC_SETFLAGS, &flags);
}

int
fm_seam_perf_event_open (void *attributes)
{
  if (refused (FM_CALL_PERF_EVENT_OPEN, NULL, 0, 0))
    return -1;
  return (int) syscall (
      SYS_perf_event_open, attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

/* ---- threads ---- */

#ifndef FM_SCHEDULER
struct _FmThread
{
  pthread_t id;
  const gchar *name;
  GThreadFunc func;
  gpointer data;
};

static void *
run_thread (void *data)
{
  const FmThread *thread = data;

  (void) pthread_setname_np (pthread_self (), thread->name);
  (void) thread->func (thread->data);
  return NULL;
}

/* Static thread-local storage, whose size depends on the program, is cut from
 * the stack as well. glibc tells how much that is, if asked. */
extern size_t __pthread_get_minstack (const pthread_attr_t *attributes)
    __attribute__ ((weak));

static int
create (FmThread *thread)
{
  pthread_attr_t attributes;
  int error = pthread_attr_init (&attributes);

  if (error != 0)
    return error;
#if !FM_SANITIZED
  (void) pthread_attr_setstacksize (&attributes,
      FM_STACK
          + (__pthread_get_minstack != NULL
                  ? __pthread_get_minstack (&attributes)
                  : 0));
#endif
  error = pthread_create (&thread->id, &attributes, run_thread, thread);
  pthread_attr_destroy (&attributes);
  return error;
}

/* pthread_create() says no more than EAGAIN: was the stack the cause? */
static gboolean
stack_fits (void)
{
  void *stack = mmap (NULL, FM_STACK, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (stack == MAP_FAILED)
    return FALSE;
  munmap (stack, FM_STACK);
  return TRUE;
}

void
fm_thread_join (FmThread *thread)
{
  pthread_join (thread->id, NULL);
  g_free (thread);
}
#endif

FmThread *
fm_seam_thread_start (const gchar *name, GThreadFunc func, gpointer data)
{
  FmThread *thread;

  if (refused (FM_CALL_THREAD, NULL, 0, 0))
    return NULL;
#ifdef FM_SCHEDULER
  thread = fm_scheduler_spawn (name, func, data);
#else
  {
    sigset_t all, before;
    int error;

    thread = g_new0 (FmThread, 1);
    thread->name = name;
    thread->func = func;
    thread->data = data;
    sigfillset (&all);
    pthread_sigmask (SIG_SETMASK, &all, &before);
    error = create (thread);
    pthread_sigmask (SIG_SETMASK, &before, NULL);
    if (error != 0) {
      g_free (thread);
      thread = NULL;
      errno = error == EAGAIN && !stack_fits () ? ENOMEM : error;
    }
  }
#endif
  return thread;
}

const gchar *
fm_seam_thread_fix (int error)
{
  return error == ENOMEM
      ? "Raise the limit on address space, data or locked memory (ulimit -v, "
        "-d, -l)"
      : "Raise the limit on processes (ulimit -u, or pids.max of the cgroup)";
}
