/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * extent.h: the unit of paging, as the pager and the block heap see it.
 *
 * An extent is a run of granules of the arena. The pager hands it out,
 * resident, and takes it back when its last block is gone; in between, the
 * block heap says which of its bytes belong to which block. The groups of
 * fields below say who owns them.
 *
 * `word` is the heart of the protocol. It holds state, flags and the number of
 * pins in one atomic integer, so that a map of a resident extent is one
 * compare-and-swap and a spill can be committed only if no other thread came in
 * between:
 *
 *   FREE -> RESIDENT -> WRITING -> SWAPPING -> SPILLED -> FILLING -> RESIDENT
 *                 ^________|                      |          |
 *                 (cancelled)                     +<---------+ (failed)
 *
 * Any thread may add pins in RESIDENT and WRITING at any time, and in SPILLED
 * under the pager's lock (a map in place); the state changes under the pager's
 * lock alone.
 */
#ifndef FM_EXTENT_H
#define FM_EXTENT_H

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef enum {
  FM_FREE,     /* not in use: cached, retained, or neither */
  FM_RESIDENT, /* its bytes are anonymous memory at its address */
  FM_WRITING,  /* the same, and being written to the file */
  FM_SWAPPING, /* the file is about to be mapped over it; pins must wait */
  FM_SPILLED,  /* its bytes are in the file, and its address shows the file */
  FM_FILLING,  /* the same, and being read into staging */
  FM_RETIRED   /* lost to a failed mapping; maps fail */
} FmState;

#define FM_PINS_MASK 0x00ffffffu
#define FM_TOUCHED 0x01000000u /* mapped for writing while WRITING */
#define FM_UNREAD                                            \
  0x02000000u /* not mapped for reading since it was written \
               */
/* Filled from the file and not mapped for writing since. Its hash tells that
 * nothing wrote to it through a stale pointer either. */
#define FM_CLEAN 0x04000000u
#define FM_STATE_SHIFT 28

#define FM_WORD_STATE(word) ((FmState) ((word) >> FM_STATE_SHIFT))
#define FM_WORD_PINS(word) ((word) &FM_PINS_MASK)
#define FM_WORD(state) ((guint32) (state) << FM_STATE_SHIFT)

/* Where an extent stands in the order in which it will be read. */
typedef struct
{
  guint32 stream;
  guint64 position;
  guint first_granule;
} FmExtentOrder;

typedef struct
{
  /* Set when the extent is handed out, then fixed. */
  guint n_granules;
  gboolean shared;  /* of small blocks */
  guint chunk_bits; /* of a shared one: a chunk has 1 << chunk_bits bytes */
  gsize length;     /* bytes in use from its start, whole pages */

  _Atomic guint32 word;
  atomic_bool full; /* closed to new blocks */

  /* Order of writing. Relaxed atomics, stored at each unmap: a stale value
   * leads to a worse choice, never to a wrong byte. */
  _Atomic guint64 written;  /* bytes written by all when it was last written */
  _Atomic guint64 unmapped; /* bytes written by all when it was last unmapped */
  _Atomic guint64 position; /* bytes written by its stream, likewise */
  _Atomic guint32 stream;
  /* Bytes of blocks that were read since it was filled, and where the last of
   * them began. */
  _Atomic guint32 used;
  _Atomic guint32 used_last;

  /* The block heap's. */
  _Atomic guint32 live;        /* shares held in it; see heap.c */
  _Atomic guint64 free_chunks; /* of a shared one, a bit each */
  atomic_uint listed;          /* as one that can be opened again */
  GList mostly_free_link;

  /* The pager's, under its lock. */
  gsize resident_bytes; /* what it takes of the budget */
  gsize disk_bytes;     /* its bytes that have disk space */
  gboolean dead;        /* given back while its I/O was in flight */
  gboolean prefetched;  /* filled, and not asked for yet */
  gboolean has_hash;    /* `hash` is that of what was filled */
  guint64 hash;
  FmExtentOrder order; /* its place among the spilled extents */
  gint64 unused_since;
  gint64 handed_out;
  GList age_link;         /* among those in use, the oldest first */
  gsize not_file;         /* of a spilled one: from its start, still memory */
  guint holes;            /* chunks punched in its disk space */
  guint holes_looked_for; /* free chunks it had at that time */
  gint64 no_spill_before; /* after a spill that failed or was given up */
  /* Of a spilled one, what was lent since it was spilled; see pager-loans.c. */
  gboolean is_lent;   /* its pins are loans */
  gsize lent_bytes;   /* in all */
  guint32 lent_start; /* of the block that was lent last */
  guint32 lent_length;
  guint lent_run;      /* adjacent blocks lent one after the other */
  gsize there;         /* bytes that could be used when that began */
  gboolean was_filled; /* it was filled, and `used` counts */
  GList link;
} FmExtent;

/* The bytes that a block takes of its extent, alignment included. */
typedef struct
{
  FmExtent *extent;
  guint32 start; /* both 0 in an extent of its own */
  guint32 length;
} FmBlock;

#define FM_PAGE ((gsize) 4096)

/* A shared extent has as many chunks as a word has bits. */
#define FM_CHUNKS 64

/* Rows are laid out in groups of this many granules. Extents mostly start at
 * every 16th granule: within a group the rows of these come first, then those
 * of the granules behind them, so that one extent does not have a page of the
 * table to itself. */
#define FM_EXTENT_ROWS 4096
#define FM_EXTENT_EVERY 16

/* All possible extents: the one that starts at a granule has that granule's
 * row. */
typedef struct
{
  FmExtent *extent;
  guint n_granules;
  guint n_usable; /* granules whose rows are memory; pager's, under its lock */
  gsize granule;  /* bytes */
  /* FM_CHUNKS counters for each granule; those of the first granule of a shared
   * extent are in use. Each says how many bytes of its chunk were in blocks
   * that are gone; 0 again once the chunk is free. */
  _Atomic guint32 *unused;
} FmExtentTable;

/* FALSE if there is no memory for the table. */
gboolean fm_extent_table_init (
    FmExtentTable *table, gsize arena_size, gsize granule);
/* Makes memory for the first @n_granules rows; FALSE if there is none. */
gboolean fm_extent_table_make_usable (FmExtentTable *table, guint n_granules);
void fm_extent_table_clear (FmExtentTable *table);

/* How many bytes of memory the first @n_granules rows take, which are usable; 0
 * if the kernel does not tell. */
gsize fm_extent_table_resident (const FmExtentTable *table, guint n_granules);

/* Changes the state, and clears the flags in @clear. */
void fm_extent_set_state (FmExtent *extent, FmState state, guint32 clear);

/* Changes the state if the extent is in @from, unpinned and untouched. */
gboolean fm_extent_commit (FmExtent *extent, FmState from, FmState to);

/* The extent that starts at @granule. */
static inline FmExtent *
fm_extent_at (const FmExtentTable *table, guint granule)
{
  const guint behind = FM_EXTENT_ROWS / FM_EXTENT_EVERY;

  return &table->extent[granule / FM_EXTENT_ROWS * FM_EXTENT_ROWS
      + granule % FM_EXTENT_EVERY * behind
      + granule / FM_EXTENT_EVERY % behind];
}

/* The granule at which it starts. */
static inline guint
fm_extent_granule (const FmExtentTable *table, const FmExtent *extent)
{
  const guint behind = FM_EXTENT_ROWS / FM_EXTENT_EVERY;
  const guint row = (guint) (extent - table->extent);

  return row / FM_EXTENT_ROWS * FM_EXTENT_ROWS + row % behind * FM_EXTENT_EVERY
      + row / behind % FM_EXTENT_EVERY;
}

/* The offset of its first byte, in arena and file. */
static inline gsize
fm_extent_offset (const FmExtentTable *table, const FmExtent *extent)
{
  return (gsize) fm_extent_granule (table, extent) * table->granule;
}

/* Bytes of it that are in blocks, or may be. */
static inline gsize
fm_extent_bytes_there (FmExtent *extent)
{
  guint64 bits = extent->shared ? atomic_load (&extent->free_chunks) : 0;

  return extent->length
      - extent->length / FM_CHUNKS * (gsize) __builtin_popcountll (bits);
}

/* Of a shared extent: FM_CHUNKS counters. */
static inline _Atomic guint32 *
fm_extent_unused (const FmExtentTable *table, const FmExtent *extent)
{
  return table->unused + (gsize) (extent - table->extent) * FM_CHUNKS;
}

static inline gsize
fm_extent_run_length (const FmExtentTable *table, const FmExtent *extent)
{
  return extent->n_granules * table->granule;
}

G_END_DECLS
#endif
