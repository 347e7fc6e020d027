/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file.h: the temporary file behind the arena.
 *
 * The file has no name (it cannot outlive the process, however that ends), is
 * readable by its owner alone and closed on exec. It is sparse: bytes take disk
 * space only after fm_backing_file_allocate() has agreed, which keeps the file
 * within its limit and leaves the reserve of the file system to others.
 *
 * Writes and reads go around the page cache (O_DIRECT) where the file system
 * can do that; otherwise they go through it, and the pages are dropped at once.
 *
 * Thread-safe without a lock: the space in use is one atomic number; the rest
 * never changes after creation, except `direct`, which can only become FALSE.
 * All calls may block on the disk.
 */
#ifndef FM_BACKING_FILE_H
#define FM_BACKING_FILE_H

#include "seam.h"
#include "sync.h"

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct
{
  int fd;
  FmFileIdentity identity;
  atomic_bool is_cut;       /* it was truncated: its contents are lost */
  const gchar *file_system; /* "ext4", or its number; for people */
  gboolean in_memory;       /* tmpfs or ramfs */
  gboolean on_network;
  gboolean
      reads_are_cached; /* in part, even if they are direct (btrfs, which
                           reads what it can't give at once the other way) */
  atomic_bool direct;
  FmMutex writing_back; /* held by a thread that has written to the page cache,
                           until the outcome is known */
  guint64 total_bytes;  /* of the file system, at creation */
  guint64 free_bytes;

  guint64 limit;           /* most bytes on disk */
  const gchar *limited_by; /* what made `limit` less than asked for; or NULL */
  guint64 reserve;         /* free bytes of the file system left to others */
  _Atomic guint64 bytes;   /* on disk */

  _Atomic guint64 cached;      /* bytes in the page cache, as known last */
  _Atomic gint64 cached_until; /* when to look again, where that is expensive */
  gchar file_system_number[24];
} FmBackingFile;

/* Makes the file in @dir; on failure NULL, with a message for people. The limit
 * and the reserve are to be set before the first allocation. */
FmBackingFile *fm_backing_file_new (const gchar *dir, GError **error);

void fm_backing_file_free (FmBackingFile *file);

/* Whether it has ever been truncated: its contents are lost. */
gboolean fm_backing_file_is_cut (FmBackingFile *file);

/* The calls below return EBADF, and touch nothing, if the program has closed
 * the descriptor, whatever its number refers to now; ENODATA once another
 * program has truncated the file, from then on, because later writes may have
 * made it longer again; another errno if the file system does not even say
 * which file it is. */

/* Makes the file @length bytes long, all of it a hole. 0 or an errno. */
int fm_backing_file_set_length (FmBackingFile *file, guint64 length);

/* Allocates disk space for the range, of which @missing bytes have none yet.
 * Returns 0, ENOBUFS if that exceeds the file's limit, or ENOSPC, EDQUOT, EFBIG
 * and the like; on an error nothing is counted. */
int fm_backing_file_allocate (
    FmBackingFile *file, guint64 offset, gsize length, gsize missing);

/* Gives back the disk space of the range, @allocated bytes of it. The range
 * then reads as zeros. Returns 0 or an errno; on an error the space still
 * counts. */
int fm_backing_file_punch (
    FmBackingFile *file, guint64 offset, gsize length, gsize allocated);

/* Stops counting @bytes that were punched one by one. */
void fm_backing_file_uncount (FmBackingFile *file, gsize bytes);

/* Writes or reads all of the range. @data, @offset and @length are multiples of
 * the page size. 0 or an errno. */
int fm_backing_file_write (
    FmBackingFile *file, guint64 offset, const void *data, gsize length);
int fm_backing_file_read (
    FmBackingFile *file, guint64 offset, void *ret_data, gsize length);

/* The same, into two places one after the other, with one call where possible;
 * either length may be 0. */
int fm_backing_file_read_parts (FmBackingFile *file, guint64 offset,
    void *ret_first, gsize first_length, void *ret_second, gsize second_length);

/* Drops the range from the page cache. */
void fm_backing_file_drop_cache (
    FmBackingFile *file, guint64 offset, gsize length);

/* Bytes of the file in the page cache; 0 if that can't be known. Before Linux
 * 6.5 it may be stale. */
guint64 fm_backing_file_cached_bytes (FmBackingFile *file);

static inline guint64
fm_backing_file_bytes (FmBackingFile *file)
{
  return atomic_load_explicit (&file->bytes, memory_order_relaxed);
}

G_END_DECLS
#endif
