/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-private.h: what the files of the pager share.
 *
 *   pager-state.c    the lock, the lists, whom to notify
 *   pager-use.c      how much is used of what is filled
 *   pager-budget.c   how much may be resident
 *   pager-order.c    which extent to spill next, which to read ahead
 *   pager-space.c    cached extents; memory and disk space given back
 *   pager-loans.c    blocks used where they are in the file
 *   pager-fill.c, pager-spill.c  the two ways
 *   pager-threads.c  the threads that do all that
 *   pager-room.c     whose turn it is to take room, and who waits
 *   pager-pins.c     extents closed, opened again, pinned and unpinned
 *   pager-fork.c     what a fork() does to all of this
 *   pager.c          extents handed out and taken back
 *
 * Each calls those above it in this list and none below, which a test checks.
 *
 * One mutex guards everything here that is not atomic. It is never held across
 * a system call that can block: a thread announces work on an extent in its
 * state, does it without the lock, and then takes the lock to settle it.
 * `in_flight` counts the threads in between.
 */
#ifndef FM_PAGER_PRIVATE_H
#define FM_PAGER_PRIVATE_H

#include "messages.h"
#include "pager.h"
#include "pressure-watch.h"
#include "runs.h"
#include "sync.h"

G_BEGIN_DECLS

typedef enum {
  FM_THREADS_NONE,
  FM_THREADS_STARTING,
  FM_THREADS_RUNNING,
  FM_THREADS_REFUSED
} FmThreadsState;

/* A place at which a reader reads what a stream wrote. */
typedef struct
{
  gboolean is_used;
  guint64 position;    /* of the extent that was read last */
  gsize length;        /* of that extent */
  gint64 time;         /* when its reading began */
  gdouble us_per_byte; /* how fast it reads; 0: unknown */
  gdouble bytes, us;   /* measured lately, for that */
  gsize ahead;         /* how far beyond it to read ahead, at most */
} FmCursor;

/* Two branches of a tee read at two places. */
#define FM_CURSORS 2

typedef struct
{
  _Atomic guint64 position; /* bytes written by it so far */
  _Atomic guint64 last;     /* block it wrote last, see key_of() */
  atomic_bool refills;      /* a filled extent had to go again, unread */

  /* Under the lock. */
  FmCursor cursor[FM_CURSORS]; /* the one that moved last comes first */
  gsize extent_size;           /* of its last extent; 0: none */
  guint64 handed_out;          /* by the pager up to then */
  gsize alone;                 /* bytes in extents of their own since then */
  gdouble own, all; /* lately cut from those, and handed out in all */
  guint64 behind;   /* pager-order.c's, within one look */
  gdouble unused;   /* share of what was filled lately and never used */
} FmStream;

/* A block used where it is in the file. */
typedef struct
{
  FmBlock block;
  gsize bytes; /* whole pages */
} FmLoan;

/* For how long, in microseconds, fills may overtake a waiting allocation. */
#define FM_OVERTAKING ((gint64) 100000)

/* At most this many loans live on after their pins are gone. */
#define FM_LOANS_MAX 64

typedef enum {
  FM_ROOM_FOR_ALLOC,
  FM_ROOM_FOR_FILL,
  FM_N_ROOM_KINDS
} FmRoomKind;

/* What may be spilled: what has settled; for an allocation that waits also what
 * was written just now; for a fill that waits, or as a last resort,
 * anything. */
typedef enum { FM_NOT_URGENT, FM_URGENT, FM_MOST_URGENT } FmUrgency;

/* A thread that may have to wait for room; starts as zeros. */
typedef struct
{
  gint64 since; /* 0: has not waited yet */
  gint64 deadline;
  guint64 completions;
  gboolean over; /* waits no longer, and goes over the budget */
  FmRoomKind kind;
  gsize bytes;
  FmCond turn; /* it may be its turn */
  GList link;  /* in the line of waiting threads */
} FmPatience;

/* Extents not in use: for each length in granules a queue, the latest at its
 * end. */
typedef struct
{
  GHashTable *by_length;
  guint n;
} FmCache;

typedef enum {
  FM_FILL_DONE,
  FM_FILL_NO_MEMORY, /* not read, but the file can be mapped in place */
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
  FmRuns *runs;
  FmCache cached;   /* resident */
  FmCache retained; /* no memory, but disk space */
  GTree *spilled;   /* by stream and position */
  FmStream *stream;

  atomic_size_t budget;       /* most resident bytes; set under the lock */
  atomic_size_t ceiling;      /* the budget that was asked for; likewise */
  _Atomic guint64 written;    /* bytes written by all so far */
  _Atomic guint n_spilled;    /* extents */
  atomic_bool over_budget;    /* resident > budget */
  atomic_size_t pinned_bytes; /* as last known */
  atomic_bool inherited;      /* this is the child of a fork */
  atomic_bool keeper_awake;   /* a keeper looks after what is unused */
  atomic_bool look_due, is_looking; /* at the memory that is left */
  /* One for each kind of trouble, so that none hides another. */
  atomic_bool warned_full, warned_write, warned_read, warned_closed, warned_cut,
      warned_over, warned_threads, warned_lost, warned_locked, warned_in_place,
      warned_stuck, warned_unmapped;

  FmMutex lock;    /* guards all below, and what the pointers above point to */
  FmCond changed;  /* an extent's state; for room see FmPatience */
  FmCond to_write; /* for the writers */
  FmCond to_read;  /* for the readers; see fm_pager_wake_readers() */
  guint n_readers_asleep;
  FmCond to_keep; /* for the keeper */

  /* Derived from the budget: the most that is kept of it for fills, see
   * fm_pager_window(), and the longest extents for small blocks. */
  gsize fill_room;
  gsize window;
  gsize extent_size;

  GQueue resident;      /* extents in use, any order */
  GQueue by_age;        /* all in use, the oldest first */
  gsize resident_bytes; /* cached ones and those being filled, too */
  gsize cached_bytes;   /* of these, those in `cached` */
  gsize spilled_bytes;
  gsize writing_bytes; /* of those being spilled */
  GQueue loans;        /* FmLoan, the oldest first */
  gsize lent_bytes;    /* of these loans */
  guint in_flight;
  guint n_transfers;            /* extents being written or read */
  gint64 busy_since;            /* since when, if there are any */
  GQueue line[FM_N_ROOM_KINDS]; /* waiters for room, first come first */
  gsize largest;                /* of the longest extent with one block */
  guint n_largest;              /* extents of that length */
  gsize neighbour_bytes;        /* the longest shared extent that is pinned */
  gint64 pinned_time;           /* when `pinned_bytes` was computed */
  gsize beside_pinned;          /* room for what is not pinned, as last known */
  guint64 handed_out;           /* bytes of all extents so far */
  gint64 fill_us;               /* roughly how long a fill takes */
  guint64 completions;          /* of spills */
  guint n_kept;   /* extents that became unused since the keeper looked */
  guint failures; /* of spills, since the last that succeeded */
  gint64 no_spill_before;     /* after some that failed */
  gsize look_at;              /* resident bytes at which to look */
  gint64 looked, look_before; /* at the memory that is left */
  gboolean yields;            /* it gave way when it last changed */
  gboolean is_watched;        /* the keeper knows that it is to look */
  gboolean is_counted;        /* by the programs that share the budget */
  gboolean stalls_now; /* the kernel said that programs stall for memory */
  gint64 stalled;      /* when it last said so; 0: never */
  gboolean no_holes;   /* the file system can't punch */

  /* Spare staging; NULL where there is none. */
  void *staging_huge[FM_N_THREADS];
  void *staging_plain[FM_N_THREADS];

  FmThreadsState threads_state;
  FmThread *thread[FM_N_THREADS];
  FmThreadsState keeper_state;
  gboolean keeper_wanted; /* there is something for it to look after */
  FmThread *keeper;
  FmPressureWatch *watch; /* the keeper's; or NULL */
  gboolean has_watch;     /* or has tried to make one */
  gboolean stopping;
  gboolean frozen; /* a fork is about to happen: the threads begin nothing */
  GList link;      /* in the list of all pagers */
};

/* ---- pager-state.c; with the lock held, except to take it ---- */

void fm_pager_lock (FmPager *pager);
void fm_pager_unlock (FmPager *pager);

/* Releases the lock to make system calls, and takes it again. */
void fm_pager_leave (FmPager *pager);
void fm_pager_return (FmPager *pager);

/* A transfer runs between these; how long the disk has been busy so far. */
void fm_pager_begin_transfer (FmPager *pager);
void fm_pager_end_transfer (FmPager *pager);
void fm_pager_note_busy (FmPager *pager);

/* Warns, once each, that the program has closed the backing file, or that it
 * was truncated: TRUE if @error says so. Without the lock. */
gboolean fm_pager_warn_taken (FmPager *pager, int error);

void fm_pager_add_resident (FmPager *pager, FmExtent *extent);
void fm_pager_remove_resident (FmPager *pager, FmExtent *extent);
gint fm_pager_compare_spilled (
    gconstpointer a, gconstpointer b, gpointer unused);
void fm_pager_add_spilled (FmPager *pager, FmExtent *extent);
void fm_pager_remove_spilled (FmPager *pager, FmExtent *extent);

/* NULL if no thread waits. */
FmPatience *fm_pager_first_in_line (FmPager *pager, FmRoomKind kind);
gboolean fm_pager_somebody_waits (FmPager *pager);

/* There may be room, or nothing left to wait for: wakes the threads whose turn
 * it is. */
void fm_pager_wake_waiting (FmPager *pager);

/* An extent was filled, which may be the one for which a thread in the line
 * wants room. */
void fm_pager_wake_fills (FmPager *pager);

/* Costs nothing if there are no readers, or if none sleeps. */
void fm_pager_wake_readers (FmPager *pager);

/* An extent became unused. If there is no keeper yet, one is wanted. */
void fm_pager_wake_keeper (FmPager *pager);

/* ---- pager-pressure.c ---- */

/* The least to which the budget gives way. */
#define FM_PAGER_YIELDS_TO ((gsize) 4 << 20)

/* Looks at the memory that is left. Without the lock. */
void fm_pager_look (FmPager *pager);

/* From the first call until the second, the kernel notifies us when programs
 * stall for memory, if it can. Called by the keeper, and once that is gone;
 * without the lock. */
void fm_pager_watch_pressure (FmPager *pager);
void fm_pager_unwatch_pressure (FmPager *pager);

/* ---- pager-use.c; with the lock held, except for the first ---- */

/* The block was mapped; its extent is resident, and closed. */
void fm_pager_note_used (const FmBlock *block);

/* A block of a spilled extent is used where it is. */
void fm_pager_note_lent (FmExtent *extent, gsize bytes);

/* Between these, the bytes of the extent that are used are counted: from its
 * fill until it is released, or spilled. */
void fm_pager_begin_use (FmExtent *extent);
void fm_pager_end_use (FmPager *pager, FmExtent *extent);
/* Nothing is known of its use: it is new, or its use has ended. */
void fm_pager_forget_use (FmExtent *extent);

/* Whether most of what is filled for @stream is in vain. */
gboolean fm_pager_wastes_much (FmPager *pager, guint stream);

/* ---- pager-budget.c; with the lock held ---- */

/* Sets the budget and what derives from it; does nothing else. */
void fm_pager_take_budget (FmPager *pager, gsize budget);

/* Whether so much is resident that some of it might be given back, or that
 * other programs know of it. */
gboolean fm_pager_is_watchful (FmPager *pager);

/* Makes the keeper look now. */
void fm_pager_call_keeper (FmPager *pager);

/* Whether other programs count what is here, from now on. */
void fm_pager_note_claim (FmPager *pager, gboolean is_counted);

/* What counts as written just now, and the most that is read ahead: a window,
 * or less where what is pinned leaves little room. */
gsize fm_pager_window (FmPager *pager);

/* The most that may be resident now: the budget, or what is pinned plus a floor
 * in which the rest takes turns. */
gsize fm_pager_most_resident (FmPager *pager);

/* How much of that allocations or fills, by @kind, may take. */
gsize fm_pager_room_limit (FmPager *pager, FmRoomKind kind);

/* Brings the statistics of what is pinned up to date; changes nothing else. */
void fm_pager_tell_pinned (FmPager *pager);

/* Whether so little of the budget is free that something should be spilled,
 * beyond what is being written already. */
gboolean fm_pager_is_pressed (FmPager *pager);

/* What has to be spilled to make room for waiting threads; *@ret_until is when
 * that may change by itself, or G_MAXINT64. */
FmUrgency fm_pager_urgency (FmPager *pager, gint64 *ret_until);

/* Whether a fill may take room although another thread waits for some. */
gboolean fm_pager_may_overtake (FmPager *pager);

/* Changes what counts as resident, and wakes those who wait for it. */
void fm_pager_count_resident (FmPager *pager, gssize change);

/* ---- pager-order.c; with the lock held ---- */

/* The extent to spill next, or NULL. */
FmExtent *fm_pager_pick_victim (FmPager *pager, FmUrgency urgency);

/* The extent to fill next, or NULL; then *@ret_when is when to ask again, or
 * G_MAXINT64 if only a change can make it worthwhile. */
FmExtent *fm_pager_pick_prefetch (FmPager *pager, gint64 *ret_when);

/* Whether no reader of @stream is near that position. */
gboolean fm_pager_is_jump (
    FmPager *pager, guint stream, guint64 position, gsize length);

/* @stream can't be read ahead: its next extent could not be filled. */
void fm_pager_stop_reading_ahead (FmPager *pager, guint stream);

/* @extent is read for the first time since it was written. */
void fm_pager_note_read (FmPager *pager, FmExtent *extent);

/* @extent goes, or is spilled: counts it if its fill was in vain. */
void fm_pager_note_unused (FmPager *pager, FmExtent *extent);

/* ---- pager-space.c; with the lock held, which functions that give something
 * back release and take again ---- */

void fm_cache_init (FmCache *cache);
void fm_cache_clear (FmCache *cache);

/* Takes the extent of @n_granules that came last; NULL if there is none. */
FmExtent *fm_cache_take (FmCache *cache, guint n_granules);
FmExtent *fm_pager_take_memory (FmPager *pager, guint n_granules);

/* Takes a cached extent whose pages fm_pager_fill() can use; what they take of
 * the budget is @extent's from now on. NULL if there is none. */
FmExtent *fm_pager_take_donor (FmPager *pager, FmExtent *extent);

/* Files a retained extent where the next acquire finds it. */
void fm_pager_keep_disk (FmPager *pager, FmExtent *extent);

/* Another mapping has its addresses now: it is never used again. */
void fm_pager_retire (FmPager *pager, FmExtent *extent);

/* Shows nothing at the address of an extent that is not in use and is on no
 * list, and files it as retained. */
void fm_pager_vacate (FmPager *pager, FmExtent *extent);

/* The same for a resident one, whose memory is kept where it can be used
 * again. */
void fm_pager_put_away (FmPager *pager, FmExtent *extent);

/* A transfer of the extent, which is on no list, has ended, and it is memory
 * (FM_RESIDENT) or the file (FM_SPILLED) now. FALSE if it is no longer in use,
 * and was put away. */
gboolean fm_pager_settle (FmPager *pager, FmExtent *extent, FmState state);

/* Gives back the memory of the extent that has been unused longest, if that was
 * before @before; FALSE if there is none. */
gboolean fm_pager_reclaim_memory (FmPager *pager, gint64 before);

/* The same for the disk space, in the file and in the arena. */
gboolean fm_pager_reclaim_disk (FmPager *pager, gint64 before);

/* The same for the free pages of one spilled extent. */
gboolean fm_pager_reclaim_holes (FmPager *pager);

/* Allocates the disk space that a WRITING extent lacks, giving up what other
 * extents have and do not need. 0 or an errno. Without the lock. */
int fm_pager_allocate_space (FmPager *pager, FmExtent *extent);

/* ---- pager-loans.c; with the lock held ---- */

/* Whether the block, of a spilled extent, is better used where it is. */
gboolean fm_pager_may_lend (
    FmPager *pager, const FmBlock *block, FmPinFlags flags);

/* Pins it there, and brings it into memory; releases the lock meanwhile. FALSE
 * if that can't be done; *@ret_lost is TRUE if the disk does not deliver it. */
gboolean fm_pager_lend (
    FmPager *pager, const FmBlock *block, FmPinFlags flags, gboolean *ret_lost);

/* The extent is about to be filled, or was released: its loans end with what
 * its address shows. */
void fm_pager_end_loans (FmPager *pager, const FmExtent *extent);
void fm_pager_free_loans (FmPager *pager);

/* ---- pager-fill.c, pager-spill.c; with the lock held, which they release and
 * take again ---- */

/* Reads a spilled, unpinned extent back; its room is counted already. With a
 * @donor, reads into the donor's pages; the caller vacates the donor
 * afterwards. */
FmFillResult fm_pager_fill (FmPager *pager, FmExtent *extent, FmExtent *donor);

/* For a spilled extent for which a fill found no memory: whether all of its
 * address shows the file. */
gboolean fm_pager_is_in_place (FmPager *pager, const FmExtent *extent);
gsize fm_pager_staging_length (FmPager *pager, gboolean huge);

/* The hash of the bytes at the extent's address, as a fill takes it. Without
 * the lock. */
guint64 fm_pager_hash (FmPager *pager, const FmExtent *extent);

/* Spills an extent that is WRITING, if possible. */
void fm_pager_spill (FmPager *pager, FmExtent *extent);

/* ---- pager-threads.c; with the lock held, which they may release ---- */

void fm_pager_start_threads (FmPager *pager);
/* If one is wanted. */
void fm_pager_start_keeper (FmPager *pager);
void fm_pager_stop_threads (FmPager *pager);

/* ---- pager-room.c; with the lock held ---- */

/* Whether no other thread has to go first. */
gboolean fm_pager_is_my_turn (
    FmPager *pager, FmRoomKind kind, const FmPatience *patience);

/* One step towards @bytes of room: TRUE when they may be taken, because they
 * are there or because there is nothing left to wait for. On FALSE the lock was
 * released meanwhile and everything may have changed. The caller must call
 * fm_pager_end_waiting() in the end. */
gboolean fm_pager_step_towards_room (
    FmPager *pager, gsize bytes, FmRoomKind kind, FmPatience *patience);
void fm_pager_end_waiting (FmPager *pager, FmPatience *patience);

/* ---- pager-fork.c ---- */

void fm_pager_fork_add (FmPager *pager);
void fm_pager_fork_remove (FmPager *pager);

G_END_DECLS
#endif
