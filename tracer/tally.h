/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.h: what one element did to buffers, or what happened in one thread, in
 * one table from which records, reports and the manual page are made.
 */
#ifndef FM_TALLY_H
#define FM_TALLY_H

#include "roster.h"
#include "statistics.h"

G_BEGIN_DECLS

/* (SYMBOL, "name", KIND, unit, "description"), as in statistics.h. */
/* clang-format off */
#define FM_TALLY_FIGURES(X) \
  X (ALLOCS, "allocs", COUNTER, NUMBER, "blocks allocated") \
  X (ALLOC_BYTES, "alloc-bytes", COUNTER, BYTES, "bytes of blocks allocated") \
  X (ALLOC_WAITS, "alloc-waits", COUNTER, NUMBER, "allocations that waited for room") \
  X (ALLOC_WAIT_NS, "alloc-wait-ns", COUNTER, NS, "time that allocations waited for room") \
  X (MAPS_READ, "maps-read", COUNTER, NUMBER, "maps for reading alone") \
  X (MAPS_WRITE, "maps-write", COUNTER, NUMBER, "maps for writing") \
  X (MAP_WAITS, "map-waits", COUNTER, NUMBER, "maps that had to wait for a fill") \
  X (MAP_WAIT_NS, "map-wait-ns", COUNTER, NS, "time that maps waited") \
  X (MINOR_FAULTS, "minor-faults", COUNTER, NUMBER, "minor page faults") \
  X (MAJOR_FAULTS, "major-faults", COUNTER, NUMBER, "major page faults") \
  X (ARENA_MINOR_FAULTS, "arena-minor-faults", COUNTER, NUMBER, "minor page faults at addresses of blocks; with fault-source=rusage, those counted where a block was mapped") \
  X (ARENA_MAJOR_FAULTS, "arena-major-faults", COUNTER, NUMBER, "major page faults at addresses of blocks, likewise")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_TALLY_##symbol,
  FM_TALLY_FIGURES (X)
#undef X
      FM_N_TALLY_FIGURES
} FmTallyFigure;

/* Of an element, or of a thread while it worked for one element. */
typedef struct
{
  FmRosterItem item;
  gchar *element; /* its path in the pipeline */
  gchar *thread;  /* name; NULL for an element's */
  guint64 tid;
  _Atomic guint64 figure[FM_N_TALLY_FIGURES];
} FmTally;

/* With a reference for the caller, who calls fm_roster_leave() in the end. */
FmTally *fm_tally_new (
    FmRoster *roster, const gchar *element, const gchar *thread, guint64 tid);

static inline void
fm_tally_add (FmTally *tally, FmTallyFigure figure, guint64 n)
{
  if (n > 0)
    atomic_fetch_add_explicit (&tally->figure[figure], n, memory_order_relaxed);
}

static inline guint64
fm_tally_get (FmTally *tally, FmTallyFigure figure)
{
  return atomic_load_explicit (&tally->figure[figure], memory_order_relaxed);
}

G_END_DECLS
#endif
