/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena.h: the one range of addresses in which all blocks live.
 *
 * It is reserved once, PROT_NONE, and lasts as long as any block; the offset of
 * an address in it is the offset in the backing file, for ever. A part of it
 * shows nothing, anonymous memory, or the file; each call below changes one
 * part from one to another, in one step that a reader in another thread cannot
 * see half done.
 *
 * A MAP_FIXED or mremap() that fails may have unmapped its target. The gap is
 * closed at once with MAP_FIXED_NOREPLACE; never with MAP_FIXED, since somebody
 * else's memory may be there by then.
 *
 * No lock: callers see to it that nobody else changes the same part.
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
  gboolean read_only;  /* the file may only be shown so: the child of a fork */
  gboolean huge_pages; /* the alignment allows them */
  /* Whether mremap() can leave the source mapped; neither before it was tried;
   * see fm_arena_replace(). */
  atomic_bool dontunmap_works, no_dontunmap;
  atomic_bool no_populate;   /* the kernel is older than 5.14 */
  atomic_bool lost;          /* a part of it, to somebody else */
  atomic_bool memory_locked; /* mlockall(MCL_FUTURE) was seen */
} FmArena;

typedef enum {
  FM_ARENA_DONE,
  FM_ARENA_UNCHANGED, /* failed; the part shows what it did */
  FM_ARENA_LOST       /* failed, and the part is no longer ours */
} FmArenaResult;

/* Reserves @size bytes, or half and half again as long as the address space or
 * its limit refuses, but not under @least; a multiple of @alignment, aligned to
 * it. NULL if even that is refused, or the file can't be looked at. */
FmArena *fm_arena_new (
    gsize size, gsize least, gsize alignment, int fd, gboolean dontdump);

/* Gives the range back. No block may be left. */
void fm_arena_free (FmArena *arena);

/* From nothing to anonymous memory, zeros. The first @used bytes are going to
 * be used: whole huge pages among them are asked for, none beyond, so that what
 * becomes resident is what is used. */
FmArenaResult fm_arena_make_anonymous (
    FmArena *arena, gsize offset, gsize length, gsize used);

/* From anonymous memory to the file. Where the program locks its memory, to
 * nothing instead: mapping the file would read all of it. Where it has closed
 * the file nothing is changed. */
FmArenaResult fm_arena_show_file (FmArena *arena, gsize offset, gsize length);

/* From the file to the pages of *@staging, of @length bytes. *@staging is left
 * as an empty range, or is NULL where the kernel could only move all of it,
 * which does not happen once `dontunmap_works`. */
FmArenaResult fm_arena_replace (
    FmArena *arena, gsize offset, void **staging, gsize length);

/* From anything to nothing; the pages are given back. */
FmArenaResult fm_arena_vacate (FmArena *arena, gsize offset, gsize length);

/* Brings the part, which shows the file, into the page cache, and shows it. 0,
 * or an errno: with EFAULT, EIO or EHWPOISON the disk does not give it, and to
 * touch it would be a SIGBUS. Where the kernel can't tell, `no_populate` is
 * set.
 */
int fm_arena_bring_in (FmArena *arena, gsize offset, gsize length);

/* The same. FALSE if the disk does not give it, TRUE where that can't be known.
 */
gboolean fm_arena_file_can_be_read (FmArena *arena, gsize offset, gsize length);

/* The part, which shows the file, goes on doing so, and keeps no page of the
 * page cache from going. */
void fm_arena_forget (FmArena *arena, gsize offset, gsize length);

/* Makes what shows the file read-only: for the child of a fork. Only
 * async-signal-safe calls. */
void fm_arena_protect (FmArena *arena, gsize offset, gsize length);

/* A range of @length bytes to read into, with huge pages or without; NULL if
 * there is none. */
void *fm_arena_staging_new (FmArena *arena, gsize length, gboolean huge);
void fm_arena_staging_free (void *staging, gsize length);

G_END_DECLS
#endif
