/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-private.h: what the files of the pager share.
 *
 *   pager.c        extents handed out and taken back, pins, room in the budget
 *   pager-io.c     spill, fill, space given back, and the threads that do so
 *   pager-order.c  which extent to spill next, which to read ahead
 *   pager-fork.c   what a fork() does to all of this
 *
 * One mutex guards everything here that is not atomic. It is never held across
 * a system call that can block: what has to be done to an extent is announced
 * in its state, done without the lock, and then settled with it. `in_flight`
 * counts those who are in between.
 */
#ifndef FM_PAGER_PRIVATE_H
#define FM_PAGER_PRIVATE_H

#include "messages.h"
#include "pager.h"
#include "runs.h"
#include "sync.h"

G_BEGIN_DECLS

/* The protocol test makes do with one of each. */
#ifndef FM_N_WRITERS
#define FM_N_WRITERS 2
#define FM_N_READERS 2
#endif
#define FM_N_THREADS (FM_N_WRITERS + FM_N_READERS)

typedef enum {
  FM_THREADS_NONE,
  FM_THREADS_STARTING,
  FM_THREADS_RUNNING,
  FM_THREADS_REFUSED
} FmThreadsState;

typedef struct
{
  _Atomic guint64 position; /* bytes written by it so far */
  gboolean is_read;         /* somebody reads what it wrote, in order */
  guint64 reader;           /* the position of the extent read last */
  gsize ahead;              /* how far beyond it to read ahead */
} FmStream;

/* Who waits for room, and since when; starts as zeros. */
typedef struct
{
  gint64 since;
  gint64 deadline;
  guint64 completions;
} FmPatience;

typedef enum { FM_ROOM_FOR_ALLOC, FM_ROOM_FOR_FILL } FmRoomKind;

typedef enum {
  FM_FILL_DONE,
  FM_FILL_NO_MEMORY, /* the file can be mapped in place */
  FM_FILL_IO_ERROR,
  FM_FILL_GONE /* the extent was released, or its addresses were lost */
} FmFillResult;

struct _FmPager
{
  /* Set when the pager is made, then fixed. */
  FmPagerConfig config;
  FmExtentTable *table;
  FmArena *arena;
  FmBackingFile *file;
  FmStats *stats;
  gsize reserve; /* of the budget, kept for fills */
  gsize low;     /* spill when less of the budget than this is free */
  gsize window;  /* the most to read ahead; and what counts as just written */
  FmRuns *runs;
  GHashTable *idle_memory; /* grains -> GQueue of idle resident extents */
  GHashTable *idle_disk;   /* grains -> GQueue of vacant ones with disk space */
  GTree *spilled;          /* by stream and position */
  FmStream *stream;

  _Atomic guint64 written;  /* bytes written by all so far */
  _Atomic guint n_spilled;  /* extents */
  atomic_bool over_budget;  /* resident > budget */
  atomic_bool pressed;      /* resident > budget - low */
  atomic_bool inherited;    /* this is the child of a fork */
  atomic_bool keeper_awake; /* somebody looks after what is idle */
  atomic_bool warned_full, warned_io, warned_over, warned_threads, warned_lost,
      warned_locked;

  FmMutex lock;    /* guards all below, and what the pointers above lead to */
  FmCond changed;  /* an extent's state, or the room there is */
  FmCond to_write; /* for the writers */
  FmCond to_read;  /* for the readers */
  FmCond to_keep;  /* for the keeper */

  GQueue resident;      /* extents in use, any order */
  gsize resident_bytes; /* idle ones too, and being filled */
  gsize spilled_bytes;
  guint in_flight;
  guint writing;          /* spills in flight */
  guint64 completions;    /* of spills */
  guint waiting;          /* for room */
  gint64 no_spill_before; /* after one that failed */
  guint64 releases;

  void
      *staging_huge[FM_N_THREADS]; /* spare staging, NULL where there is none */
  void *staging_plain[FM_N_THREADS];

  FmThreadsState threads_state;
  FmThread *thread[FM_N_THREADS];
  FmThreadsState keeper_state;
  FmThread *keeper;
  gboolean stopping;
  gboolean frozen; /* a fork is about to happen: the threads begin nothing */
  GList link;      /* in the list of all pagers */
};

/* pager.c */
void fm_pager_lock (FmPager *pager);
void fm_pager_unlock (FmPager *pager);

/* Leaves the lock to make system calls, and takes it again. */
void fm_pager_leave (FmPager *pager);
void fm_pager_return (FmPager *pager);

/* One step towards @bytes of room: TRUE when they may be taken, because they
 * are there or because there is nothing left to wait for. On FALSE the lock was
 * released meanwhile and everything may have changed. */
gboolean fm_pager_step_towards_room (
    FmPager *pager, gsize bytes, FmRoomKind kind, FmPatience *patience);

/* Changes what counts as resident, and tells those who wait for it. */
void fm_pager_count_resident (FmPager *pager, gssize change);

void fm_extent_set_state (FmExtent *extent, FmState state, guint32 clear);
gboolean fm_extent_commit (FmExtent *extent, FmState from, FmState to);

/* Puts an extent that nobody uses where the next acquire finds it. */
void fm_pager_keep_memory (FmPager *pager, FmExtent *extent);
void fm_pager_keep_disk (FmPager *pager, FmExtent *extent);
void fm_pager_retire (FmPager *pager, FmExtent *extent);
void fm_pager_add_resident (FmPager *pager, FmExtent *extent);
void fm_pager_remove_resident (FmPager *pager, FmExtent *extent);
void fm_pager_add_spilled (FmPager *pager, FmExtent *extent);
void fm_pager_remove_spilled (FmPager *pager, FmExtent *extent);

/* pager-io.c; all with the lock held, which they release and take again */

/* Reads a spilled, unpinned extent back; its room is counted already. */
FmFillResult fm_pager_fill (FmPager *pager, FmExtent *extent);

/* Gives the memory of the idle extent that has been idle longest back, if it
 * has been so since before @before. */
gboolean fm_pager_reclaim_memory (FmPager *pager, gint64 before);

/* The same for the disk space, in the file and in the arena. */
gboolean fm_pager_reclaim_disk (FmPager *pager, gint64 before);

/* Shows nothing at the address of an extent that nobody uses and that is on no
 * list, and files it as vacant. */
void fm_pager_vacate (FmPager *pager, FmExtent *extent);

void fm_pager_start_threads (FmPager *pager);
void fm_pager_wake_keeper (FmPager *pager);
void fm_pager_stop_threads (FmPager *pager);

/* pager-order.c; all with the lock held */

/* The extent to spill next, or NULL. Without @urgent only what is settled. */
FmExtent *fm_pager_pick_victim (FmPager *pager, gboolean urgent);

/* The extent to fill next, or NULL. */
FmExtent *fm_pager_pick_prefetch (FmPager *pager);

/* @extent is read for the first time since it was written. */
void fm_pager_note_read (FmPager *pager, FmExtent *extent);

gint fm_pager_compare_spilled (
    gconstpointer a, gconstpointer b, gpointer unused);

/* pager-fork.c */
void fm_pager_fork_add (FmPager *pager);
void fm_pager_fork_remove (FmPager *pager);

G_END_DECLS
#endif
