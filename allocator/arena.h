/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena.h: the one range of addresses in which all blocks live.
 *
 * It is reserved once, PROT_NONE, and lasts as long as any block; the offset of
 * an address in it is always the offset in the backing file. Each part of it
 * shows nothing, anonymous memory, or the file. Each call below changes one
 * part from one of these to another, in one step: no other thread ever reads it
 * half changed.
 *
 * A MAP_FIXED or mremap() that fails may have unmapped its target. The gap is
 * closed at once with MAP_FIXED_NOREPLACE; never with MAP_FIXED, since another
 * mapping may be there by then.
 *
 * No lock: callers make sure that no other thread changes the same part.
 */
#ifndef FM_ARENA_H
#define FM_ARENA_H

#include "seam.h"

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

#define FM_HUGE_PAGE ((gsize) 2 << 20)

typedef struct
{
  guint8 *base;
  gsize size;
  int fd;
  FmFileIdentity identity; /* of the file */
  gboolean dontdump;
  gboolean read_only;  /* the file may only be shown read-only: fork's child */
  gboolean huge_pages; /* the alignment allows them */
  /* Whether mremap() can leave the source mapped; both FALSE until it was
   * tried; see fm_arena_replace(). */
  atomic_bool dontunmap_works, no_dontunmap;
  atomic_bool no_move;       /* mremap() does not move the file's mapping */
  atomic_bool no_populate;   /* the kernel is older than 5.14 */
  atomic_bool lost;          /* a part of it, to another mapping */
  atomic_bool memory_locked; /* mlockall(MCL_FUTURE) was seen */
} FmArena;

typedef enum {
  FM_ARENA_DONE,
  FM_ARENA_UNCHANGED, /* failed; the part shows what it did before */
  FM_ARENA_LOST       /* failed, and the part is no longer ours */
} FmArenaResult;

/* Reserves @size bytes, halved as often as the address space or its limit
 * refuses, but not less than @least; a multiple of @alignment, aligned to it.
 * NULL if even that is refused, or if fstat() of the file fails. */
FmArena *fm_arena_new (
    gsize size, gsize least, gsize alignment, int fd, gboolean dontdump);

/* Gives the range back. No block may be left. */
void fm_arena_free (FmArena *arena);

/* From nothing to anonymous memory, zeros. The caller is going to use the first
 * @used bytes: whole huge pages are asked for among them and none beyond, so
 * that only what is used becomes resident. */
FmArenaResult fm_arena_make_anonymous (
    FmArena *arena, gsize offset, gsize length, gsize used);

/* From anonymous memory to the file. Where the program locks its memory, to
 * nothing instead: mapping the file would read all of it. Where the program has
 * closed the file, nothing is changed. If it is FM_ARENA_UNCHANGED errno says
 * why. */
FmArenaResult fm_arena_show_file (FmArena *arena, gsize offset, gsize length);

/* From the file to the pages of *@staging, of @length bytes. *@staging is left
 * as an empty range, or is NULL if the kernel could only move all of it, which
 * does not happen once `dontunmap_works`. */
FmArenaResult fm_arena_replace (
    FmArena *arena, gsize offset, void **staging, gsize length);

/* From anything to nothing; the pages are given back. */
FmArenaResult fm_arena_vacate (FmArena *arena, gsize offset, gsize length);

/* Brings the part, which shows the file, into the page cache, and maps its
 * pages, with @to_write so that they can be written. Returns 0 or an errno:
 * EFAULT, EIO or EHWPOISON if the disk does not deliver it, or does not take
 * it, and touching it would raise SIGBUS. Where the kernel can't tell, sets
 * `no_populate`. */
int fm_arena_bring_in (
    FmArena *arena, gsize offset, gsize length, gboolean to_write);

/* The same. FALSE if the disk does not deliver it, TRUE if that can't be
 * known. */
gboolean fm_arena_file_can_be_read (FmArena *arena, gsize offset, gsize length);

/* The part goes on showing the file, but no longer keeps the kernel from
 * dropping its pages from the page cache. */
void fm_arena_forget (FmArena *arena, gsize offset, gsize length);

/* Makes a part that shows the file read-only, for the child of a fork. Makes
 * only async-signal-safe calls. */
void fm_arena_protect (FmArena *arena, gsize offset, gsize length);

/* A range of @length bytes to read into, with huge pages or without; NULL if
 * there is none. */
void *fm_arena_staging_new (FmArena *arena, gsize length, gboolean huge);
void fm_arena_staging_free (void *staging, gsize length);

G_END_DECLS
#endif
