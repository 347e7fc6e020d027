/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * figures.h: what a figure consists of, whatever it measures.
 *
 * All figures are rows of tables: statistics-figures.h (of the process, by the
 * core), and the tracer's snapshot-figures.h (of the process, derived),
 * queue-figures.h and tally-figures.h. A row is
 *
 *   (SYMBOL, "name", KIND, UNIT, GROUP, "label", "description")
 *
 * and everything said about figures is made from rows: enumerations, the
 * allocator's "stats", records, the JSON object and its schema, the report, its
 * page, top, and the manual. The name is for programs and never changes its
 * meaning. The label is for people: a word or two that stand alone, or behind a
 * number where the group is listed. The description is a sentence that begins
 * with a small letter and has no full stop. Every value is an unsigned 64-bit
 * number.
 *
 * Plain C without GLib, for programs that run while filemem is built.
 */
#ifndef FM_FIGURES_H
#define FM_FIGURES_H

/* A COUNTER only grows. A GAUGE is a level at one moment, a PEAK the highest
 * level so far, a SUMMARY (a mean, a percentile) covers all so far, and a LIMIT
 * is what something may reach. */
typedef enum {
  FM_KIND_COUNTER,
  FM_KIND_GAUGE,
  FM_KIND_PEAK,
  FM_KIND_SUMMARY,
  FM_KIND_LIMIT
} FmFigureKind;

#define FM_KIND_NAMES                              \
  {                                                \
    "counter", "gauge", "peak", "summary", "limit" \
  }

#define FM_UNIT_BYTES "bytes"
#define FM_UNIT_NS "ns"
#define FM_UNIT_NUMBER ""
#define FM_UNIT_PERMILLE "permille"

/* Figures that belong together, in the order of output: (SYMBOL, "title"). */
#define FM_GROUPS(X)         \
  X (PROCESS, "process")     \
  X (LIMITS, "limits")       \
  X (ALLOCATED, "allocated") \
  X (MEMORY, "memory")       \
  X (DISK, "disk")           \
  X (EXTENTS, "extents")     \
  X (TRANSFERS, "transfers") \
  X (WEAR, "wear")           \
  X (MAPS, "maps")           \
  X (WAITED, "waited")       \
  X (PRODUCERS, "producers") \
  X (TROUBLE, "trouble")     \
  X (FALLBACKS, "fallbacks") \
  X (REASONS, "reasons")     \
  X (PASSED, "passed")       \
  X (PACKED, "packed")       \
  X (UNPACKED, "not packed") \
  X (FAULTS, "faults")       \
  X (MAPPED, "mapped")       \
  X (LOCKS, "locks")

typedef enum {
#define X(symbol, title) FM_GROUP_##symbol,
  FM_GROUPS (X)
#undef X
      FM_N_GROUPS
} FmFigureGroup;

typedef struct
{
  const char *name;
  FmFigureKind kind;
  const char *unit; /* empty: a number */
  FmFigureGroup group;
  const char *label;
  const char *description;
} FmFigureSpec;

/* The spec made from a row. */
#define FM_FIGURE_SPEC(symbol, name, kind, unit, group, label, description) \
  {name, FM_KIND_##kind, FM_UNIT_##unit, FM_GROUP_##group, label, description},

/* Waits are also reported as histograms: (SYMBOL, "name", "label",
 * "description"). */
/* clang-format off */
#define FM_WAITS(X) \
  X (MAP, "map", "maps, for the disk", "maps that waited for the disk") \
  X (ALLOC, "alloc", "allocations, for room", "allocations that waited for room")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_WAIT_##symbol,
  FM_WAITS (X)
#undef X
      FM_N_WAITS
} FmWait;

#endif
