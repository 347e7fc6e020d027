/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-fixture.h: a heap whose pager is the test: its extents are rows of a
 * table without any memory behind them.
 */
#ifndef FM_HEAP_FIXTURE_H
#define FM_HEAP_FIXTURE_H

#include "heap.h"
#include "thread-number.h"
#include "testing.h"

#define EXTENT (256 * TESTING_KIB)
#define CHUNK (EXTENT / FM_CHUNKS)
#define EXTENTS 64
#define STREAMS 4
#define LIMIT (EXTENTS * EXTENT)

#define ALL_FREE (~(guint64) 0)
#define BIT(n) ((guint64) 1 << (n))

typedef struct
{
  FmExtentTable table;
  FmHeap *heap;
  gboolean in_use[EXTENTS];
} Fixture;

int fixture_setup (void **state);
int fixture_teardown (void **state);

/* There is no call that asks for it: what is left of the limit, and no byte
 * more, can be held. */
void assert_held (Fixture *fixture, guint64 held);
void assert_free_chunks (FmExtent *extent, guint64 bits);

/* What the pager does. */
guint row_of (Fixture *fixture, FmExtent *extent);
FmExtent *acquire (Fixture *fixture, guint row, gboolean shared);
void release (Fixture *fixture, FmExtent *extent);

/* What store.c does with an extent that is fresh, or taken again. TRUE if the
 * one that the stream had open before is free now. */
gboolean change_open (Fixture *fixture, guint stream, FmExtent *extent);
FmExtent *open_fresh (Fixture *fixture, guint stream, guint row);
gboolean close_stream (Fixture *fixture, guint stream);

/* Where a cut leaves an extent free, the test calls the heap itself. */
FmBlock cut_aligned (
    Fixture *fixture, guint thread, gsize size, gsize align, gsize *ret_offset);
FmBlock cut (Fixture *fixture, guint thread, gsize size);
void assert_not_cut (Fixture *fixture, guint thread, gsize size, gsize align,
    FmCutResult expected);

/* TRUE if the extent is free now. */
gboolean give (Fixture *fixture, const FmBlock *block);

#endif
