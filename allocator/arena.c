/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena.c: see arena.h.
 */
#include "arena.h"
#include "seam.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define NOTHING_PROT PROT_NONE
#define NOTHING_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define MEMORY_PROT (PROT_READ | PROT_WRITE)
#define MEMORY_FLAGS (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define FILE_FLAGS (MAP_SHARED | MAP_NORESERVE)

/* @length bytes at a multiple of @alignment. NULL if refused. */
static void *
map_aligned (gsize length, gsize alignment, int protection)
{
  gsize slack = alignment - (gsize) sysconf (_SC_PAGESIZE);
  guint8 *start, *aligned, *end;

  if (length > G_MAXSIZE - slack)
    return NULL;
  start = fm_seam_mmap (NULL, length + slack, protection, MEMORY_FLAGS, -1, 0);
  if (start == MAP_FAILED)
    return NULL;
  end = start + length + slack;
  aligned = (guint8 *) (((guintptr) start + alignment - 1)
      & ~(guintptr) (alignment - 1));
  /* If these fail, nothing but address space stays mapped. */
  if (aligned > start)
    (void) fm_seam_munmap (start, (gsize) (aligned - start));
  if (end > aligned + length)
    (void) fm_seam_munmap (aligned + length, (gsize) (end - aligned) - length);
  return aligned;
}

FmArena *
fm_arena_new (
    gsize size, gsize least, gsize alignment, int fd, gboolean dontdump)
{
  FmArena *arena;
  void *base = NULL;

  size = (size + alignment - 1) & ~(alignment - 1);
  while (size >= least && size > 0) {
    base = map_aligned (size, alignment, NOTHING_PROT);
    if (base != NULL)
      break;
    size = (size / 2) & ~(alignment - 1);
  }
  if (base == NULL)
    return NULL;

  if (dontdump)
    (void) fm_seam_madvise (base, size, MADV_DONTDUMP);
  arena = g_new0 (FmArena, 1);
  arena->base = base;
  arena->size = size;
  arena->fd = fd;
  if (fd >= 0 && fm_seam_identify (fd, &arena->identity) < 0) {
    fm_arena_free (arena);
    return NULL;
  }
  arena->dontdump = dontdump;
  arena->huge_pages = alignment % FM_HUGE_PAGE == 0;
  return arena;
}

void
fm_arena_free (FmArena *arena)
{
  /* Otherwise anything else that is mapped there by now would go with it. */
  if (!atomic_load (&arena->lost))
    (void) fm_seam_munmap (arena->base, arena->size);
  g_free (arena);
}

/* A stray read must not pull in the device's whole read-ahead. */
static void
advise_file (FmArena *arena, gsize offset, gsize length)
{
  (void) fm_seam_madvise (arena->base + offset, length, MADV_RANDOM);
  if (arena->dontdump)
    (void) fm_seam_madvise (arena->base + offset, length, MADV_DONTDUMP);
}

static int
file_protection (const FmArena *arena)
{
  return arena->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
}

/* What became of the part after a call on it failed, whose errno is kept. If
 * the kernel left a gap, maps it as the last four arguments say and returns
 * @closed. */
static FmArenaResult
close_gap (FmArena *arena, gsize offset, gsize length, int protection,
    int flags, int fd, FmArenaResult closed)
{
  guint8 *address = arena->base + offset;
  int error = errno;
  g_autofree unsigned char *pages = g_try_malloc (length / 4096 + 1);
  void *there = fm_seam_mmap (address, length, protection,
      flags | MAP_FIXED_NOREPLACE, fd, fd < 0 ? 0 : (off_t) offset);
  gboolean is_whole;

  if (there == address) {
    errno = error;
    return closed;
  }
  /* Kernels before 4.17 take the address as a hint. */
  if (there != MAP_FAILED)
    (void) fm_seam_munmap (there, length);

  /* Whatever the errno (at vm.max_map_count the kernel does not even look),
   * something is there. If there is no hole in it, it is what was there before
   * the call: a call that unmaps does so to the whole part, and no other
   * mapping is expected to fill it to the page within these microseconds. */
  is_whole = pages != NULL && fm_seam_mincore (address, length, pages) == 0;
  errno = error;
  if (is_whole)
    return FM_ARENA_UNCHANGED;
  atomic_store (&arena->lost, TRUE);
  return FM_ARENA_LOST;
}

FmArenaResult
fm_arena_make_anonymous (FmArena *arena, gsize offset, gsize length, gsize used)
{
  guint8 *address = arena->base + offset;
  gsize huge = arena->huge_pages ? used & ~(FM_HUGE_PAGE - 1) : 0;

  if (fm_seam_mmap (
          address, length, MEMORY_PROT, MEMORY_FLAGS | MAP_FIXED, -1, 0)
      == MAP_FAILED)
    return close_gap (arena, offset, length, NOTHING_PROT, NOTHING_FLAGS, -1,
        FM_ARENA_UNCHANGED);
  if (huge > 0)
    (void) fm_seam_madvise (address, huge, MADV_HUGEPAGE);
  if (huge < length)
    (void) fm_seam_madvise (address + huge, length - huge, MADV_NOHUGEPAGE);
  if (arena->dontdump)
    (void) fm_seam_madvise (address, length, MADV_DONTDUMP);
  return FM_ARENA_DONE;
}

/* With mlockall(MCL_FUTURE) every new mapping is read in at once: a fresh page
 * tells, because it is present before anything has touched it. */
static gboolean
memory_is_locked (void)
{
  unsigned char present = 0;
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  void *probe = fm_seam_mmap (NULL, page, MEMORY_PROT, MEMORY_FLAGS, -1, 0);
  gboolean locked;

  if (probe == MAP_FAILED)
    return FALSE;
  locked = fm_seam_mincore (probe, page, &present) == 0 && (present & 1) != 0;
  (void) fm_seam_munmap (probe, page);
  return locked;
}

/* Maps the file elsewhere and moves the mapping there: a file system that
 * refuses (it has shut down, or become read-only) does so while the memory is
 * still there, which the kernel takes away before it asks. FALSE if that is not
 * to be had. */
static gboolean
move_file_there (
    FmArena *arena, gsize offset, gsize length, FmArenaResult *ret_result)
{
  void *elsewhere;

  if (atomic_load (&arena->no_move))
    return FALSE;
  elsewhere = fm_seam_mmap (NULL, length, file_protection (arena), FILE_FLAGS,
      arena->fd, (off_t) offset);
  if (elsewhere == MAP_FAILED) {
    *ret_result = FM_ARENA_UNCHANGED;
    /* It was not the file system, but there is no room for both. */
    return errno != ENOMEM;
  }
  *ret_result = FM_ARENA_DONE;
  if (fm_seam_mremap (elsewhere, length, MREMAP_MAYMOVE | MREMAP_FIXED,
          arena->base + offset)
      != MAP_FAILED)
    return TRUE;
  /* Where system calls are filtered it never works. */
  if (errno != ENOMEM)
    atomic_store (&arena->no_move, TRUE);
  (void) fm_seam_munmap (elsewhere, length);
  /* The target may be gone, and the gap somebody else's already. */
  *ret_result = close_gap (arena, offset, length, file_protection (arena),
      FILE_FLAGS, arena->fd, FM_ARENA_DONE);
  return *ret_result != FM_ARENA_UNCHANGED;
}

FmArenaResult
fm_arena_show_file (FmArena *arena, gsize offset, gsize length)
{
  guint8 *address = arena->base + offset;
  FmArenaResult result;
  gboolean locked = memory_is_locked ();
  int error;

  /* As late as possible before the file is used. */
  error = fm_seam_check_file (arena->fd, &arena->identity);
  if (error != 0) {
    errno = error;
    return FM_ARENA_UNCHANGED;
  }
  if (locked) {
    atomic_store (&arena->memory_locked, TRUE);
    return fm_arena_vacate (arena, offset, length);
  }

  if (!move_file_there (arena, offset, length, &result)) {
    result = FM_ARENA_DONE;
    if (fm_seam_mmap (address, length, file_protection (arena),
            FILE_FLAGS | MAP_FIXED, arena->fd, (off_t) offset)
        == MAP_FAILED)
      result = close_gap (arena, offset, length, file_protection (arena),
          FILE_FLAGS, arena->fd, FM_ARENA_DONE);
  }
  if (result == FM_ARENA_DONE)
    advise_file (arena, offset, length);
  return result;
}

FmArenaResult
fm_arena_replace (FmArena *arena, gsize offset, void **staging, gsize length)
{
  guint8 *address = arena->base + offset;
  const int move = MREMAP_MAYMOVE | MREMAP_FIXED;
  FmArenaResult result;

  if (!atomic_load (&arena->no_dontunmap)) {
    if (fm_seam_mremap (*staging, length, move | MREMAP_DONTUNMAP, address)
        != MAP_FAILED) {
      atomic_store (&arena->dontunmap_works, TRUE);
      return FM_ARENA_DONE;
    }
    /* The kernel refuses an unknown flag before it changes anything. */
    if (errno == EINVAL && !atomic_load (&arena->dontunmap_works))
      atomic_store (&arena->no_dontunmap, TRUE);
  }
  if (atomic_load (&arena->no_dontunmap)
      && fm_seam_mremap (*staging, length, move, address) != MAP_FAILED) {
    *staging = NULL;
    return FM_ARENA_DONE;
  }
  result = close_gap (arena, offset, length, file_protection (arena),
      FILE_FLAGS, arena->fd, FM_ARENA_UNCHANGED);
  if (result == FM_ARENA_UNCHANGED)
    advise_file (arena, offset, length);
  return result;
}

FmArenaResult
fm_arena_vacate (FmArena *arena, gsize offset, gsize length)
{
  if (fm_seam_mmap (arena->base + offset, length, NOTHING_PROT,
          NOTHING_FLAGS | MAP_FIXED, -1, 0)
      == MAP_FAILED)
    return close_gap (
        arena, offset, length, NOTHING_PROT, NOTHING_FLAGS, -1, FM_ARENA_DONE);
  if (arena->dontdump)
    (void) fm_seam_madvise (arena->base + offset, length, MADV_DONTDUMP);
  return FM_ARENA_DONE;
}

int
fm_arena_bring_in (
    FmArena *arena, gsize offset, gsize length, gboolean to_write)
{
  guint8 *address = arena->base + offset;

  /* In large reads: the range is advised for random access, so each page would
   * otherwise be a read of its own. */
  (void) fm_seam_madvise (address, length, MADV_WILLNEED);
  if (fm_seam_madvise (
          address, length, to_write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ)
      == 0)
    return 0;
  if (errno == EINVAL)
    atomic_store (&arena->no_populate, TRUE);
  return errno;
}

gboolean
fm_arena_file_can_be_read (FmArena *arena, gsize offset, gsize length)
{
  int error = fm_arena_bring_in (arena, offset, length, FALSE);

  return error != EFAULT && error != EIO && error != EHWPOISON;
}

void
fm_arena_forget (FmArena *arena, gsize offset, gsize length)
{
  (void) fm_seam_madvise (arena->base + offset, length, MADV_DONTNEED);
}

void
fm_arena_protect (FmArena *arena, gsize offset, gsize length)
{
  (void) fm_seam_mprotect (arena->base + offset, length, PROT_READ);
}

void *
fm_arena_staging_new (FmArena *arena, gsize length, gboolean huge)
{
  void *staging = map_aligned (length,
      huge ? FM_HUGE_PAGE : (gsize) sysconf (_SC_PAGESIZE), MEMORY_PROT);

  if (staging == NULL)
    return NULL;
  (void) fm_seam_madvise (
      staging, length, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  if (arena->dontdump)
    (void) fm_seam_madvise (staging, length, MADV_DONTDUMP);
  return staging;
}

void
fm_arena_staging_free (void *staging, gsize length)
{
  (void) fm_seam_munmap (staging, length);
}
