/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * blocks.h: what workloads do with the blocks of a store: each is checked
 * against what was written last, and each refusal against the fault.
 *
 * A process has one store at a time. The functions for blocks may be called
 * from any thread, but for one block by one at a time.
 */
#ifndef CAMPAIGN_BLOCKS_H
#define CAMPAIGN_BLOCKS_H

#include "store.h"

G_BEGIN_DECLS

typedef struct
{
  FmStore *store;
  FmStoreBlock block;
  gsize size;
  guint seed; /* of its contents; 0: not written */
  gboolean live;
} Block;

/* Makes the store, of the workload's ram. FALSE if that is refused. */
gboolean blocks_open (void);

/* Checks that nothing is counted that is not there, and frees it. */
void blocks_close (void);

FmStore *blocks_store (void);
FmStats *blocks_stats (void);
guint64 blocks_figure (FmStatistic id);

/* Allocates and writes, writes again, checks, frees. All do nothing with a
 * block that is not live, as those are that were refused. */
void block_make (Block *block, gsize size);
void block_write (Block *block);
void block_check (Block *block);
void block_give (Block *block);

void blocks_check (Block *blocks, guint n);
void blocks_give (Block *blocks, guint n);

/* Once more, while no call fails: what was lost for a while is there again. */
void blocks_check_calmly (Block *blocks, guint n);

G_END_DECLS
#endif
