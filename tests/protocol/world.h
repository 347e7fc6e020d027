/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * world.h: a pager with a budget of two extents of one page: A has to go when B
 * comes. Actors are let loose on them while the pager's own threads spill and
 * fill, and system calls may fail.
 */
#ifndef FM_TEST_WORLD_H
#define FM_TEST_WORLD_H

#if FAKE_KERNEL
#include "fake-kernel.h"
#endif
#include "messages.h"
#include "pager-private.h"
#include "seam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define N_PAGES 4

extern struct World
{
  FmExtentTable table;
  FmArena *arena;
  FmBackingFile *file;
  FmStats *stats;
  FmPager *pager;
  FmExtent *a, *b;
  gboolean map_may_fail;
} w;

/* Which call fails, of those that a fault is looked for in. */
extern struct WorldFault
{
  gboolean armed;
  FmCall call;
  guint nth; /* of this run */
  int error;
  gboolean unmaps; /* the kernel had unmapped the target already */
  gboolean persistent;
  guint seen;
  gboolean fired; /* in any run */
} fault;

/* Before the first scenario: what all of them use. */
int set_up_world (void **state);

/* A world in which A holds 1 and is settled, B holds 2, and there is no room
 * for both. */
void set_up (void);

/* Looks whether every count is right, too. */
void tear_down (void);

/* Each in a coroutine of its own, in all interleavings; returns when they are
 * done. @second and @third may be NULL. */
void run_actors (GThreadFunc first, GThreadFunc second, GThreadFunc third);

/* Lets everybody go on until nobody has anything to do. */
void settle (void);

/* Lets the pager's threads go on until A is on disk. */
void wait_for_spill (void);

gboolean is_spilled (gpointer extent);
guint8 *bytes_of (FmExtent *extent);
FmExtent *acquire (void);

/* FALSE only if w.map_may_fail. */
gboolean map (FmExtent *extent, FmPinFlags flags);

/* All bytes of it. The latter is 0 if it could not be mapped. */
void write_value (FmExtent *extent, guint8 value);
guint8 read_value (FmExtent *extent);

#endif
