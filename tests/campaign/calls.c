/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * calls.c: see calls.h.
 */
#include "calls.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

/* ---- the calls ---- */

/* Over what is there. */
static gboolean
is_fixed (const FmCallInfo *info)
{
  return (info->flags & MAP_FIXED) != 0;
}

static gboolean
is_not_fixed (const FmCallInfo *info)
{
  return !is_fixed (info);
}

/* Asked before a block is used where it is in the file. */
static gboolean
is_populating (const FmCallInfo *info)
{
  return info->flags == MADV_POPULATE_READ;
}

static gboolean
is_hint (const FmCallInfo *info)
{
  return !is_populating (info);
}

/* Disk space asked for, and given back. */
static gboolean
is_reservation (const FmCallInfo *info)
{
  return info->flags == 0;
}

static gboolean
is_punching (const FmCallInfo *info)
{
  return info->flags != 0;
}

/* clang-format off */
#define E(error) {#error, error}
#define UNMAPPED(error) {#error ", unmapped", error, TRUE}
#define SHORT(bytes) {"short, " #bytes, FM_SEAM_SHORT (bytes)}

/* FM_CALL_NOCOW is made only on file systems that copy on write. */
const Call calls[] = {
    {"mmap", FM_CALL_MMAP, is_not_fixed,
        {E (ENOMEM), E (EAGAIN), E (EPERM), E (ENFILE)}},
    {"mmap in place", FM_CALL_MMAP, is_fixed,
        {E (ENOMEM), E (EAGAIN), E (EPERM), E (EBADF), E (EACCES), E (ENODEV),
            UNMAPPED (ENOMEM)}},
    {"munmap", FM_CALL_MUNMAP, NULL, {E (ENOMEM), E (EINVAL), E (EPERM)}},
    {"mremap", FM_CALL_MREMAP, NULL,
        {E (ENOMEM), E (EAGAIN), E (EFAULT), E (EINVAL), E (EPERM), E (ENOSYS),
            UNMAPPED (ENOMEM)}},
    {"madvise", FM_CALL_MADVISE, is_hint,
        {E (EAGAIN), E (EINVAL), E (EIO), E (ENOMEM), E (EBADF), E (EPERM),
            E (ENOSYS)}},
    {"madvise, to be read", FM_CALL_MADVISE, is_populating,
        {E (EAGAIN), E (EINVAL), E (EIO), E (ENOMEM), E (EFAULT), E (EHWPOISON),
            E (EINTR)}},
    {"mprotect", FM_CALL_MPROTECT, NULL,
        {E (ENOMEM), E (EACCES), E (EINVAL), E (EPERM)}},
    {"mincore", FM_CALL_MINCORE, NULL,
        {E (EAGAIN), E (ENOMEM), E (EFAULT), E (EPERM), E (ENOSYS)}},
    {"cachestat", FM_CALL_CACHESTAT, NULL,
        {E (ENOSYS), E (EBADF), E (EOPNOTSUPP), E (EPERM)}},
    {"lseek", FM_CALL_LSEEK, NULL,
        {E (EINVAL), E (ENXIO), E (EBADF), E (EIO)}},
    {"open", FM_CALL_OPEN, NULL,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EINTR), E (ENOMEM), E (EPERM),
            E (EROFS), E (EOPNOTSUPP), E (EMFILE), E (ENFILE), E (EACCES),
            E (ENOENT), E (EISDIR)}},
    {"unlink", FM_CALL_UNLINK, NULL,
        {E (EIO), E (ENOMEM), E (EPERM), E (EROFS), E (EACCES)}},
    {"rename", FM_CALL_RENAME, NULL,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EPERM), E (EROFS)}},
    {"mkdir", FM_CALL_MKDIR, NULL,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (ENOMEM), E (EPERM), E (EROFS)}},
    {"lock", FM_CALL_LOCK, NULL,
        {E (EAGAIN), E (EACCES), E (EINTR), E (ENOLCK), E (EBADF), E (EINVAL)}},
    {"ftruncate", FM_CALL_FTRUNCATE, NULL,
        {E (EFBIG), E (EIO), E (EINTR), E (EPERM), E (EROFS), E (EBADF),
            E (EINVAL), E (ENOSPC), E (EDQUOT)}},
    {"fallocate", FM_CALL_FALLOCATE, is_reservation,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EFBIG), E (EINTR), E (EPERM),
            E (EROFS), E (EOPNOTSUPP), E (EBADF), E (ENOSYS), E (ENODEV)}},
    {"fallocate, punching", FM_CALL_FALLOCATE, is_punching,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EINTR), E (EPERM), E (EOPNOTSUPP),
            E (EBADF), E (ENOSYS)}},
    {"fadvise", FM_CALL_FADVISE, NULL, {E (EINVAL), E (EBADF), E (ESPIPE)}},
    {"sync_file_range", FM_CALL_SYNC_FILE_RANGE, NULL,
        {E (EIO), E (ENOSPC), E (ENOMEM), E (EBADF), E (EINVAL), E (ENOSYS)}},
    {"read", FM_CALL_READ, NULL,
        {E (EAGAIN), E (EINTR), E (EIO), E (EBADF), SHORT (0)}},
    {"write", FM_CALL_WRITE, NULL,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EFBIG), E (EINTR), E (EAGAIN),
            E (EPERM), E (EBADF), SHORT (0), SHORT (1)}},
    {"pwrite", FM_CALL_PWRITE, NULL,
        {E (ENOSPC), E (EDQUOT), E (EIO), E (EFBIG), E (EINTR), E (EAGAIN),
            E (ENOMEM), E (EPERM), E (EROFS), E (EBADF), E (EINVAL), SHORT (0),
            SHORT (100), SHORT (4096)}},
    {"pread", FM_CALL_PREAD, NULL,
        {E (EIO), E (EINTR), E (EAGAIN), E (ENOMEM), E (EPERM), E (EBADF),
            E (EINVAL), E (EOPNOTSUPP), SHORT (0), SHORT (100), SHORT (4096)}},
    {"fcntl", FM_CALL_FCNTL, NULL, {E (EINVAL), E (EPERM), E (EBADF)}},
    {"fstat", FM_CALL_FSTAT, NULL,
        {E (EIO), E (ENOMEM), E (EBADF), E (EACCES), E (EOVERFLOW)}},
    {"fstatfs", FM_CALL_FSTATFS, NULL,
        {E (EIO), E (EINTR), E (ENOMEM), E (EBADF), E (ENOSYS)}},
    {"perf_event_open", FM_CALL_PERF_EVENT_OPEN, NULL,
        {E (EACCES), E (EMFILE), E (ENOSYS), E (EPERM), E (ENOENT)}},
    {"pipe", FM_CALL_PIPE, NULL, {E (EMFILE), E (ENFILE)}},
    {"poll", FM_CALL_POLL, NULL, {E (EINTR), E (ENOMEM), E (EINVAL)}},
    {"thread", FM_CALL_THREAD, NULL, {E (EAGAIN), E (ENOMEM), E (EPERM)}},
    {NULL},
};
/* clang-format on */

/* ---- what it costs ---- */

static gboolean
is_short (const Answer *answer)
{
  return answer->answer < 0;
}

static gsize
bytes_of_short (const Answer *answer)
{
  return (gsize) (-1 - answer->answer);
}

gboolean
answer_is_passing (const Call *call, const Answer *answer)
{
  return answer->answer == EINTR
      || (call->call == FM_CALL_WRITE && answer->answer == FM_SEAM_SHORT (0));
}

/* Less than a sector is taken for the end of the file. */
static gboolean
is_end_of_file (const Answer *answer)
{
  return is_short (answer) && bytes_of_short (answer) < 4096;
}

static gboolean
read_loses (const Answer *answer)
{
  switch (answer->answer) {
    case ENOMEM: /* they are used where they are */
    case EBADF:
    case EINTR:
      return FALSE;
    default:
      return !is_short (answer) || is_end_of_file (answer);
  }
}

gboolean
call_loses (const Call *call, const Answer *answer)
{
  switch (call->call) {
    case FM_CALL_PREAD:
      return read_loses (answer);
    case FM_CALL_FSTAT:
      return TRUE;
    case FM_CALL_MADVISE:
      return call->is_meant == is_populating
          && (answer->answer == EFAULT || answer->answer == EIO
              || answer->answer == EHWPOISON);
    default:
      return FALSE;
  }
}

gboolean
call_brings_in (const Call *call, const Answer *answer)
{
  return call->call == FM_CALL_MMAP || call->call == FM_CALL_MREMAP
      || (call->call == FM_CALL_PREAD
          && (answer->answer == ENOMEM || answer->answer == EBADF));
}

gboolean
call_gives_memory (const Call *call)
{
  return call->call == FM_CALL_MMAP;
}

gboolean
call_makes_store (const Call *call)
{
  switch (call->call) {
    case FM_CALL_MMAP:
    case FM_CALL_MPROTECT:
    case FM_CALL_OPEN:
    case FM_CALL_UNLINK:
    case FM_CALL_FTRUNCATE:
    case FM_CALL_FSTAT:
    case FM_CALL_FSTATFS:
      return TRUE;
    default:
      return FALSE;
  }
}

/* What is said to be somebody else's is left alone, and so is what the thread
 * looks at that could not be told to end. */
static gboolean
is_disowned (const Call *call, const Answer *answer)
{
  return call->call == FM_CALL_WRITE
      || (call->call == FM_CALL_FSTAT && answer->answer == EBADF);
}

gboolean
call_leaves_mappings (const Call *call, const Answer *answer)
{
  return call->call == FM_CALL_MUNMAP || answer->unmaps
      || is_disowned (call, answer);
}

gboolean
call_leaves_files (const Call *call, const Answer *answer)
{
  return is_disowned (call, answer);
}

gboolean
call_leaves_names (const Call *call)
{
  return call->call == FM_CALL_UNLINK;
}

/* ---- what is said ---- */

typedef enum {
  SAYS_WRITE = 1 << 0,
  SAYS_FULL = 1 << 1,
  SAYS_QUOTA = 1 << 2,
  SAYS_LENGTH = 1 << 3,
  SAYS_READ = 1 << 4,
  SAYS_IN_PLACE = 1 << 5,
  SAYS_LOST = 1 << 6,
  SAYS_OVER = 1 << 7,
  SAYS_THREADS = 1 << 8,
  SAYS_CLOSED = 1 << 9,
  SAYS_CUT = 1 << 10,
  SAYS_NO_FILE = 1 << 11,
  SAYS_NO_LENGTH = 1 << 12,
  SAYS_NO_MEMORY = 1 << 13,
  SAYS_OUTPUT = 1 << 14,
  SAYS_IN_ALL = 1 << 15,
  SAYS_STUCK = 1 << 16,
  SAYS_UNMAPPED = 1 << 17,
  SAYS_ALWAYS = 1 << 18,
} Says;

/* Of these at least one, where bytes are lost. */
#define SAYS_OF_LOSS \
  (SAYS_READ | SAYS_LOST | SAYS_CLOSED | SAYS_CUT | SAYS_STUCK | SAYS_IN_PLACE)

static const struct
{
  const gchar *start;
  Says says;
  gboolean names_error;
} lines[] = {
    {"the disk refused a write (", SAYS_WRITE, TRUE},
    {"the disk is full", SAYS_FULL}, {"the disk quota is used up", SAYS_QUOTA},
    {"the file of buffers can't grow beyond", SAYS_LENGTH, TRUE},
    {"the disk did not give back", SAYS_READ, TRUE},
    {"the kernel refused to bring buffers back into memory: they are used",
        SAYS_IN_PLACE},
    {"the kernel refused to bring buffers back into memory: they can't",
        SAYS_STUCK},
    {"the kernel refused to map memory and lost", SAYS_LOST},
    {"the kernel refused to map the file over", SAYS_UNMAPPED},
    {"over the budget of", SAYS_OVER},
    {"no thread can be started", SAYS_THREADS, TRUE},
    {"the program has closed the backing file", SAYS_CLOSED},
    {"somebody has cut the backing file short", SAYS_CUT},
    {"no file can be made in", SAYS_NO_FILE, TRUE},
    {"the file can't be made large enough", SAYS_NO_LENGTH},
    {"no range of addresses is left (", SAYS_NO_MEMORY},
    {"there is no memory for the tables", SAYS_NO_MEMORY},
    {"the kernel gave no memory for a buffer", SAYS_NO_MEMORY},
    {"nothing could be written to", SAYS_OUTPUT, TRUE},
    {"in total, ", SAYS_IN_ALL},
    {"\"", SAYS_ALWAYS}, /* that the directory is memory */
};

static Says
says_of_write (int error)
{
  switch (error) {
    case ENOSPC:
      return SAYS_FULL;
    case EDQUOT:
      return SAYS_QUOTA;
    case EFBIG:
      return SAYS_LENGTH;
    case EBADF:
      return SAYS_CLOSED;
    case EINTR:
      return 0;
    default:
      return SAYS_WRITE;
  }
}

static Says
says_of_read (const Answer *answer)
{
  if (is_end_of_file (answer))
    return SAYS_CUT;
  switch (answer->answer) {
    case ENOMEM:
      return SAYS_IN_PLACE;
    case EBADF:
      return SAYS_CLOSED | SAYS_IN_PLACE;
    case EINTR:
      return 0;
    default:
      return is_short (answer) ? 0 : SAYS_READ;
  }
}

/* What fits. */
static Says
says_of (const Call *call, const Answer *answer)
{
  const int error = answer->answer;

  switch (call->call) {
    case FM_CALL_MMAP:
      return SAYS_IN_PLACE | SAYS_STUCK | SAYS_UNMAPPED | SAYS_WRITE | SAYS_OVER
          | SAYS_NO_MEMORY | SAYS_IN_ALL | (answer->unmaps ? SAYS_LOST : 0);
    case FM_CALL_MREMAP:
      return SAYS_IN_PLACE | SAYS_OVER | (answer->unmaps ? SAYS_LOST : 0);
    case FM_CALL_MPROTECT:
      return SAYS_NO_MEMORY | SAYS_IN_ALL;
    case FM_CALL_MADVISE:
      return call->is_meant == is_populating ? SAYS_READ | SAYS_IN_PLACE : 0;
    case FM_CALL_OPEN:
    case FM_CALL_UNLINK:
      return SAYS_NO_FILE | SAYS_OUTPUT | SAYS_IN_ALL;
    case FM_CALL_FTRUNCATE:
      return SAYS_NO_LENGTH | SAYS_OUTPUT | SAYS_IN_ALL;
    case FM_CALL_FALLOCATE:
      return call->is_meant == is_reservation && error != EOPNOTSUPP
          ? says_of_write (error)
          : 0;
    case FM_CALL_PWRITE:
      return is_end_of_file (answer) ? SAYS_FULL
          : is_short (answer)        ? 0
                                     : says_of_write (error);
    case FM_CALL_SYNC_FILE_RANGE:
      return error == EIO ? SAYS_WRITE : 0;
    case FM_CALL_PREAD:
      return says_of_read (answer);
    case FM_CALL_FSTAT:
      return SAYS_NO_FILE | SAYS_NO_MEMORY | SAYS_OUTPUT | SAYS_IN_ALL
          | SAYS_OVER
          | (error == EBADF ? SAYS_CLOSED | SAYS_IN_PLACE
                            : SAYS_READ | SAYS_WRITE | SAYS_IN_PLACE
                      | SAYS_STUCK | SAYS_UNMAPPED);
    case FM_CALL_FSTATFS:
      return SAYS_NO_FILE | SAYS_WRITE | SAYS_CLOSED | SAYS_OVER | SAYS_IN_ALL;
    case FM_CALL_WRITE:
      return SAYS_OUTPUT;
    case FM_CALL_THREAD:
      return SAYS_THREADS;
    default:
      return 0;
  }
}

static gchar *
misfit_of_line (
    const Call *call, const Answer *answer, const gchar *line, Says *ret_says)
{
  const Says fits = call != NULL ? says_of (call, answer) : 0;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (lines); i++) {
    if (!g_str_has_prefix (line, lines[i].start))
      continue;
    if (lines[i].says == SAYS_ALWAYS)
      return NULL;
    if ((fits & lines[i].says) == 0)
      return g_strdup_printf ("does not fit: %s", line);
    /* What the memory could not be read from is a disk, whatever it says. */
    if (lines[i].names_error && !is_short (answer)
        && call->call != FM_CALL_MADVISE
        && strstr (line, g_strerror (answer->answer)) == NULL)
      return g_strdup_printf ("names another error: %s", line);
    *ret_says |= lines[i].says;
    return NULL;
  }
  return g_strdup_printf ("is not known: %s", line);
}

/* How often the name has been here. Takes it. */
static guint
count_in (GHashTable *counts, gchar *name)
{
  guint n = GPOINTER_TO_UINT (g_hash_table_lookup (counts, name)) + 1;

  g_hash_table_replace (counts, name, GUINT_TO_POINTER (n));
  return n;
}

gchar *
call_misfit (const Call *call, const Answer *answer, const gchar *said,
    const Words *words, gboolean has_lost)
{
  g_auto (GStrv) said_lines = g_strsplit (said, "\n", -1);
  g_autoptr (GHashTable) counts =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Says says = 0;
  guint i;

  for (i = 0; said_lines[i] != NULL; i++) {
    gchar *line = strchr (said_lines[i], '\t'), *misfit;
    Says this_one = 0;

    if (line == NULL
        || (words->start != NULL && g_str_has_prefix (line + 1, words->start)))
      continue;
    misfit = misfit_of_line (call, answer, line + 1, &this_one);
    if (misfit != NULL)
      return misfit;
    says |= this_one;
    *line = '\0';
    if (this_one != 0
        && count_in (counts, g_strdup_printf ("%s %x", said_lines[i], this_one))
            > MAX (words->times, 1))
      return g_strdup_printf ("is said again: %s", line + 1);
  }
  if (has_lost && (says & SAYS_OF_LOSS) == 0)
    return g_strdup ("bytes are lost, and nobody was told");
  return NULL;
}
