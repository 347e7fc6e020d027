/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-fixture.h: a store in a directory of its own, blocks in it that tell
 * where they belong, and what a person was told meanwhile.
 */
#ifndef FM_STORE_FIXTURE_H
#define FM_STORE_FIXTURE_H

#include "messages.h"
#include "seam.h"
#include "store.h"
#include "testing.h"

/* With ram=0. */
#define LEAST_BUDGET (4 * TESTING_MIB)
#define LEAST_EXTENT (256 * TESTING_KIB)

typedef struct
{
  gchar *dir;
  FmOptions options; /* dir alone is set */
  FmStats *stats;
  FmStore *store; /* NULL before it is opened */
} Fixture;

int fixture_setup (void **state);

/* Takes hooks away; all blocks have to be given by then. */
int fixture_teardown (void **state);

void set_option (Fixture *fixture, FmOptionId id, const gchar *text);

/* Closes the one before. */
void open_store (Fixture *fixture);

/* With ram=0 and no reserve. */
void open_small (Fixture *fixture, const gchar *size);

guint64 statistic (Fixture *fixture, FmStatistic id);

/* ---- blocks ---- */

FmStoreBlock alloc_block (Fixture *fixture, gsize size, gsize align);
void write_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed);
void check_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed);

/* @n of them, of LEAST_EXTENT bytes each; the seed of the first is @seed, of
 * the second one more. */
void write_extents (
    Fixture *fixture, FmStoreBlock *blocks, guint n, guint seed);

/* A setup: fixture_setup(), a small store that keeps its warnings, and as many
 * of write_extents() that some of them are spilled. */
int fixture_setup_spilled (
    void **state, FmStoreBlock *blocks, guint n, guint seed);

/* How many can't be mapped; the others have to be right. */
guint count_lost (
    Fixture *fixture, const FmStoreBlock *blocks, guint n, guint seed);
void give_blocks (Fixture *fixture, const FmStoreBlock *blocks, guint n);

/* ---- warnings ---- */

/* Keeps them from now on, until the fixture goes, but for those of a budget
 * that is not enough, which are counted apart. Threads of the store may warn.
 */
void keep_warnings (void);
guint n_warnings (void);
guint n_budget_warnings (void);

/* Waits for the @n-th one, which is the last and contains @part. */
void assert_warned (guint n, const gchar *part);

#endif
