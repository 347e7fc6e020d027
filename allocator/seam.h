/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * seam.h: every system call of filemem that can fail, one thin function each.
 *
 * Each function does what the call of its name does: the same arguments, the
 * same result, errno set on failure. Nothing else in the library calls the
 * kernel for memory, files or threads, so a test that sets a hook here can make
 * any call fail, delay it, or count it.
 *
 * The hook is asked before the call. It is NULL outside tests, which costs one
 * load. It may be called from several threads at once.
 */
#ifndef FM_SEAM_H
#define FM_SEAM_H

#include "private-api.h"
#include "sync.h"

#include <poll.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef enum {
  FM_CALL_MMAP,
  FM_CALL_MUNMAP,
  FM_CALL_MREMAP,
  FM_CALL_MADVISE,
  FM_CALL_MPROTECT,
  FM_CALL_MINCORE,
  FM_CALL_CACHESTAT,
  FM_CALL_LSEEK,
  FM_CALL_OPEN,
  FM_CALL_UNLINK,
  FM_CALL_RENAME,
  FM_CALL_MKDIR,
  FM_CALL_LOCK,
  FM_CALL_FTRUNCATE,
  FM_CALL_FALLOCATE,
  FM_CALL_FADVISE,
  FM_CALL_SYNC_FILE_RANGE,
  FM_CALL_READ,
  FM_CALL_WRITE,
  FM_CALL_PWRITE,
  FM_CALL_PREAD,
  FM_CALL_FCNTL,
  FM_CALL_FSTAT,
  FM_CALL_FSTATFS,
  FM_CALL_NOCOW,
  FM_CALL_PERF_EVENT_OPEN,
  FM_CALL_PIPE,
  FM_CALL_POLL,
  FM_CALL_THREAD
} FmCall;

typedef struct
{
  FmCall call;
  void *address; /* for calls on memory, else NULL */
  gsize length;
  int flags; /* of mmap, mremap and fallocate */
} FmCallInfo;

/* Returns 0 to let the call through, or the errno with which it fails; for a
 * read or a write also FM_SEAM_SHORT, if it is to move no more than that many
 * bytes. */
typedef int (*FmSeamHook) (const FmCallInfo *info);
#define FM_SEAM_SHORT(bytes) (-1 - (int) (bytes))

void fm_seam_set_hook (FmSeamHook hook);

FM_PRIVATE_API
void *fm_seam_mmap (void *address, gsize length, int protection, int flags,
    int fd, off_t offset);
FM_PRIVATE_API
int fm_seam_munmap (void *address, gsize length);
void *fm_seam_mremap (
    void *old_address, gsize length, int flags, void *new_address);
int fm_seam_madvise (void *address, gsize length, int advice);
int fm_seam_mprotect (void *address, gsize length, int protection);
int fm_seam_mincore (void *address, gsize length, unsigned char *ret_pages);
/* Bytes of the file in the page cache; ENOSYS before Linux 6.5. */
int fm_seam_cachestat (int fd, guint64 *ret_bytes);
off_t fm_seam_lseek (int fd, off_t offset, int whence);
FM_PRIVATE_API
int fm_seam_open (const char *path, int flags, mode_t mode);
FM_PRIVATE_API
int fm_seam_unlink (const char *path);
FM_PRIVATE_API
int fm_seam_rename (const char *from, const char *to);
int fm_seam_mkdir (const char *path, mode_t mode);
int fm_seam_stat (const char *path, struct stat *ret_status);
int fm_seam_lstat (const char *path, struct stat *ret_status);
/* Locks the byte of the file at offset @byte for writing; @command is F_SETLK
 * or F_OFD_SETLK. */
FM_PRIVATE_API
int fm_seam_lock_byte (int fd, int command, off_t byte);
/* Whether another open file holds such a lock on that byte; TRUE also if the
 * kernel does not say. */
gboolean fm_seam_is_byte_locked (int fd, off_t byte);
FM_PRIVATE_API
int fm_seam_ftruncate (int fd, off_t length);
FM_PRIVATE_API
int fm_seam_fallocate (int fd, int mode, off_t offset, off_t length);
int fm_seam_fadvise (int fd, off_t offset, off_t length, int advice);
int fm_seam_sync_file_range (
    int fd, off_t offset, off_t length, unsigned int flags);
FM_PRIVATE_API
int fm_seam_fstat (int fd, struct stat *ret_status);
FM_PRIVATE_API
ssize_t fm_seam_write (int fd, const void *data, gsize length);
ssize_t fm_seam_read (int fd, void *ret_data, gsize length);
ssize_t fm_seam_pwrite (int fd, const void *data, gsize length, off_t offset);
ssize_t fm_seam_pread (int fd, void *ret_data, gsize length, off_t offset);
ssize_t fm_seam_preadv (
    int fd, const struct iovec *parts, int n_parts, off_t offset);
int fm_seam_set_direct (int fd, gboolean direct);

typedef struct
{
  guint64 type; /* the magic number of statfs(2) */
  guint64 total_bytes;
  guint64 available_bytes; /* to this user */
  gboolean read_only;
} FmFileSystem;

/* The disk space that the file takes, in bytes; 0 if that is not known. */
guint64 fm_seam_disk_bytes (int fd);

typedef struct
{
  dev_t device;
  ino_t inode;
  off_t length; /* in bytes */
} FmFileIdentity;

/* Which file it is, and how long it is. */
FM_PRIVATE_API
int fm_seam_identify (int fd, FmFileIdentity *ret_identity);

/* Whether @fd still refers to that file: 0; EBADF if the program has closed it,
 * whatever has that number now (programs that close all descriptors, as daemons
 * do, close ours, and the next file they open gets the number); ENODATA if it
 * was truncated; or the errno with which the file system refuses to say, as one
 * does that has shut down. */
FM_PRIVATE_API
int fm_seam_check_file (int fd, const FmFileIdentity *identity);

int fm_seam_file_system (int fd, FmFileSystem *ret_file_system);

/* Sets FS_NOCOW_FL on an empty file. */
int fm_seam_set_nocow (int fd);

/* Closed on exec(). */
int fm_seam_pipe (int ret_fds[2]);
int fm_seam_poll (struct pollfd *fds, guint n, int timeout_ms);

/* Of the calling thread, on any processor; @attributes are perf_event_attr. */
FM_PRIVATE_API
int fm_seam_perf_event_open (void *attributes);

/* The stack of our threads. The default of 8 MiB is locked whole under
 * mlockall(MCL_FUTURE), and counted whole under RLIMIT_DATA. Our threads use 24
 * KiB; a log function of the program's own may need more. */
#define FM_STACK ((gsize) 256 << 10)

/* Starts a thread with every signal blocked and a stack of FM_STACK bytes.
 * NULL, with errno, on failure: ENOMEM if memory or a limit on it is the cause,
 * EAGAIN if it is the number of threads. */
FM_PRIVATE_API
FmThread *fm_seam_thread_start (
    const gchar *name, GThreadFunc func, gpointer data);

/* What the user can raise where that failed with @error. */
const gchar *fm_seam_thread_fix (int error);
#ifndef FM_SCHEDULER
FM_PRIVATE_API
void fm_thread_join (FmThread *thread);
#endif

G_END_DECLS
#endif
