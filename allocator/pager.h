/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager.h: which extents are resident.
 *
 * The pager hands out extents, keeps the resident ones within the budget by
 * spilling those that will be read last, fills a spilled one when it is mapped,
 * and reads ahead of any reader that follows the order of writing.
 *
 * Every function may be called from any thread. For a resident extent
 * fm_pager_pin() and fm_pager_unpin() take no lock and make no system call;
 * where a freed extent can be used again, fm_pager_acquire() takes the lock but
 * makes no system call either.
 */
#ifndef FM_PAGER_H
#define FM_PAGER_H

#include "arena.h"
#include "backing-file.h"
#include "extent.h"
#include "ram-total.h"
#include "statistics.h"

G_BEGIN_DECLS

/* Threads that start when the first spill is needed. The protocol test makes do
 * with one of each. */
#ifndef FM_N_WRITERS
#define FM_N_WRITERS 2
#define FM_N_READERS 2
#endif
#define FM_N_THREADS (FM_N_WRITERS + FM_N_READERS)

typedef struct _FmPager FmPager;

typedef struct
{
  gsize budget; /* most resident bytes, initially */
  gsize
      extent_size; /* of shared extents, and the most that one transfer moves */
  gsize extent_least; /* least for shared extents, of slow streams */
  guint n_streams;    /* stream numbers are below this */
  gint64 patience;    /* us that a thread waits for room while nothing moves */
  gint64 keep_unused; /* us after which what is unused is given back */
  /* The machine on which the budget gives way: "" for this one, in tests a
   * directory (machine.h); NULL: it never gives way. Not copied. */
  const gchar *machine;
  /* What the budget is shared through, if it gives way; or NULL. Not freed. */
  FmRamTotal *total;
} FmPagerConfig;

typedef enum {
  FM_ACQUIRED,
  FM_ACQUIRE_NO_ADDRESSES, /* the arena is full */
  FM_ACQUIRE_NO_MEMORY,    /* the kernel gave none */
  FM_ACQUIRE_INHERITED     /* this is the child of a fork: make a pager */
} FmAcquireResult;

typedef enum {
  FM_PIN_READ = 1 << 0,
  FM_PIN_WRITE = 1 << 1,
  /* At the end of a pin for writing: the block is still pinned, by a thread
   * that maps a frame once for each of its planes, or this is not all that is
   * written. */
  FM_PIN_PART = 1 << 2
} FmPinFlags;

/* NULL if there is no memory for the tables. Does not take ownership. */
FmPager *fm_pager_new (const FmPagerConfig *config, FmExtentTable *table,
    FmArena *arena, FmBackingFile *file, FmStats *stats);

/* Ends the threads. No extent may be in use. */
void fm_pager_free (FmPager *pager);

/* The most bytes that may be resident, and how to change it: a larger budget is
 * in force at once, a smaller one once enough has been spilled; what is pinned
 * stays, with a floor. The budget in force may be lower while others need the
 * memory. */
gsize fm_pager_budget (FmPager *pager);
gsize fm_pager_ceiling (FmPager *pager); /* what was asked for */
void fm_pager_set_budget (FmPager *pager, gsize budget);

/* Hands out a resident extent with @length bytes, which are whole pages. Its
 * contents are undefined. May wait for room in the budget. */
FmAcquireResult fm_pager_acquire (
    FmPager *pager, gsize length, gboolean shared, FmExtent **ret_extent);

/* Whether so much of the budget is pinned that no block should keep others in
 * memory. */
gboolean fm_pager_is_crowded (FmPager *pager);

/* How long the next extent for small blocks of @stream is to be, @least or
 * more: the more of what is written comes from the stream, the longer. @used
 * bytes of the extent that it was given last are in blocks. */
gsize fm_pager_extent_size (
    FmPager *pager, guint stream, gsize used, gsize least);

/* It did not get that extent: the block of @bytes gets one of its own. */
void fm_pager_note_alone (FmPager *pager, guint stream, gsize bytes);

/* Takes an extent back; nothing of it may be pinned. */
void fm_pager_release (FmPager *pager, FmExtent *extent);

/* The extent takes no new blocks: from now on it may be spilled. */
void fm_pager_close (FmPager *pager, FmExtent *extent, guint stream);

/* The opposite, for an extent that is resident, or, with @may_fill, for any.
 * FALSE if it stays closed. */
gboolean fm_pager_reopen (FmPager *pager, FmExtent *extent, gboolean may_fill);

/* Brings the block's bytes into memory and keeps them there until the matching
 * fm_pager_unpin(). FALSE if the disk did not deliver them. */
gboolean fm_pager_pin (FmPager *pager, const FmBlock *block, FmPinFlags flags);

/* Ends a pin. With FM_PIN_WRITE, @stream wrote @bytes; a frame that it goes on
 * writing counts once. */
void fm_pager_unpin (FmPager *pager, const FmBlock *block, FmPinFlags flags,
    gsize bytes, guint stream);

/* Updates the gauges that are not kept up to date all the time. */
void fm_pager_update_stats (FmPager *pager);

/* TRUE in the child of a fork. */
gboolean fm_pager_is_inherited (FmPager *pager);

G_END_DECLS
#endif
