/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-fixture.h: a pager with a file and an arena of its own, and no store
 * above it.
 */
#ifndef FM_PAGER_FIXTURE_H
#define FM_PAGER_FIXTURE_H

#include "pager-private.h"
#include "testing.h"

/* Extents of EXTENT bytes, of which so many fill the budget. */
#define EXTENT (256 * TESTING_KIB)
#define IN_BUDGET 32
#define STREAMS 2

typedef struct
{
  gchar *dir;
  FmStats *stats;
  FmBackingFile *file;
  FmArena *arena;
  FmExtentTable table;
  FmPager *pager;
} Fixture;

int fixture_setup (void **state);

/* Takes the hook away; the extents may be in use still. */
int fixture_teardown (void **state);

guint8 *bytes_of (Fixture *fixture, FmExtent *extent);
FmState state_of (FmExtent *extent);
FmExtent *acquire (Fixture *fixture, gsize length, gboolean shared);

/* Maps it for writing, and fills it with testing_fill(). */
void write_extent (Fixture *fixture, FmExtent *extent, guint seed);

/* Maps it for reading, and looks whether that is still there. */
void check_extent (Fixture *fixture, FmExtent *extent, guint seed);

/* Has it spilled, whatever the pager would choose. */
void spill (Fixture *fixture, FmExtent *extent);

#endif
