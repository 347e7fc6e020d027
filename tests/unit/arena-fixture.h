/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * arena-fixture.h: an arena with a file, a part of it that the tests change,
 * and calls that fail as the kernel makes them fail.
 *
 * What a part shows is read from /proc/self/maps, and its bytes through
 * write(2), which says EFAULT where a load would be a signal.
 */
#ifndef FM_ARENA_FIXTURE_H
#define FM_ARENA_FIXTURE_H

#include "arena.h"
#include "seam.h"
#include "testing.h"

#define GRANULE (256 * TESTING_KIB)
#define GRANULES 16
#define SIZE (GRANULES * GRANULE)
/* The part that the tests change; its neighbours are watched. */
#define PART (4 * GRANULE)

typedef enum { NOTHING, MEMORY, FILE_SHOWN, READ_ONLY_FILE, GAP, MIXED } Shows;

typedef struct
{
  gchar *dir;
  int fd;
  FmArena *arena;
} Fixture;

int fixture_setup (void **state);
int fixture_teardown (void **state);

/* ---- how a call fails ---- */

extern struct ArenaFault
{
  FmCall call;
  guint left; /* calls that fail from now on */
  int error;
  int flags_needed;    /* only calls with these flags fail */
  gboolean unmap;      /* the kernel has unmapped the target already */
  gsize stranger_at;   /* offset in the target of what another thread maps */
  gsize stranger_size; /* 0: no stranger */
  int stranger_protection;
} fault;

/* @n calls that have an address, from now on, with ENOMEM. */
void expect_fault (FmCall call, guint n, gboolean unmap);

/* One, and another thread maps a part of what the kernel unmapped. */
void expect_stranger (FmCall call, gsize at, gsize size, int protection);

/* ---- what is there ---- */

/* What all of the range shows. */
Shows shows (const Fixture *fixture, gsize offset, gsize length);

/* FALSE if a load from there would be a signal. */
gboolean is_readable (const void *address);

guint8 *part_of (const Fixture *fixture);

/* Whatever happens to the part, nothing happens beside it. */
void assert_shows (const Fixture *fixture, Shows expected);

/* ---- the part ---- */

/* Behind the arena's back. */
void write_file (const Fixture *fixture, guint seed);

/* These succeed, and the part shows it. */
void make_anonymous (Fixture *fixture);
void show_file (Fixture *fixture);

/* As long as the part. */
void *new_staging (Fixture *fixture, guint seed);

/* These may fail. */
FmArenaResult use_part (Fixture *fixture);
FmArenaResult show_part (Fixture *fixture);
FmArenaResult replace_file (Fixture *fixture);
FmArenaResult vacate_part (Fixture *fixture);

#endif
