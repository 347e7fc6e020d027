/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * blocks.c: see blocks.h.
 */
#include "blocks.h"

#include "testing.h"
#include "trial.h"

#include <sys/stat.h>

static FmStore *store;
static FmStats *stats;
static atomic_uint n_seeds;

gboolean
blocks_open (void)
{
  const gchar *ram = trial_workload ()->ram;
  g_autoptr (GError) error = NULL;
  FmOptions options;

  fm_options_init (&options);
  testing_check (fm_options_set (&options, FM_OPTION_DIR, trial_dir (), NULL));
  testing_check (fm_options_set (&options, FM_OPTION_SIZE, "128M", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  testing_check (fm_options_set (&options, FM_OPTION_RAM_TOTAL, "40M", NULL));
  if (ram != NULL)
    testing_check (fm_options_set (&options, FM_OPTION_RAM, ram, NULL));
  stats = fm_stats_new ();
  store = fm_store_new (&options, stats, &error);
  fm_options_clear (&options);
  testing_check ((store == NULL) == (error != NULL));
  if (store != NULL)
    return TRUE;
  trial_check_no_store (error->message);
  g_clear_pointer (&stats, fm_stats_free);
  return FALSE;
}

FmStore *
blocks_store (void)
{
  return store;
}

FmStats *
blocks_stats (void)
{
  return stats;
}

guint64
blocks_figure (FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_stats_snapshot (stats, values);
  return values[id];
}

static void
check_disk (void)
{
  int fd = testing_find_backing_file (trial_dir ());
  struct stat status;

  fm_store_update_stats (store);
  testing_check (blocks_figure (FM_STAT_DISK_BYTES) <= fm_store_size (store));
  testing_check (fd >= 0 && fstat (fd, &status) == 0);
  testing_check ((guint64) status.st_blocks * 512 <= fm_store_size (store));
}

void
blocks_close (void)
{
  trial_check_happened (stats);
  check_disk ();
  testing_check (blocks_figure (FM_STAT_LIVE_BLOCKS) == 0);
  testing_check (blocks_figure (FM_STAT_LIVE_BYTES) == 0);
  fm_store_free (g_steal_pointer (&store));
  testing_check (blocks_figure (FM_STAT_EXTENTS_RESIDENT) == 0);
  testing_check (blocks_figure (FM_STAT_EXTENTS_SPILLED) == 0);
  testing_check (blocks_figure (FM_STAT_EXTENTS_WRITING) == 0);
  testing_check (blocks_figure (FM_STAT_EXTENTS_FILLING) == 0);
  testing_check (blocks_figure (FM_STAT_SPILLED_BYTES) == 0);
  g_clear_pointer (&stats, fm_stats_free);
}

static gboolean
map (const Block *block, FmPinFlags flags)
{
  if (fm_store_map (block->store, &block->block, flags))
    return TRUE;
  trial_check_lost ();
  return FALSE;
}

void
block_make (Block *block, gsize size)
{
  FmStoreResult result = fm_store_alloc (store, size, 0, 0, &block->block);

  block->store = store;
  block->size = size;
  block->seed = 0;
  block->live = result == FM_STORE_DONE;
  if (!block->live) {
    testing_check (result == FM_STORE_NO_MEMORY);
    trial_check_refused ();
    return;
  }
  block_write (block);
}

void
block_write (Block *block)
{
  if (!block->live || !map (block, FM_PIN_WRITE))
    return;
  block->seed = atomic_fetch_add (&n_seeds, 1) + 1;
  testing_fill (block->block.data, block->size, block->seed);
  fm_store_unmap (block->store, &block->block, FM_PIN_WRITE, block->size);
}

void
block_check (Block *block)
{
  if (!block->live || block->seed == 0 || !map (block, FM_PIN_READ))
    return;
  testing_check (
      testing_is_filled (block->block.data, block->size, block->seed));
  fm_store_unmap (block->store, &block->block, FM_PIN_READ, 0);
}

void
block_give (Block *block)
{
  if (block->live)
    fm_store_give (block->store, &block->block);
  block->live = FALSE;
}

void
blocks_check (Block *blocks, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    block_check (&blocks[i]);
}

void
blocks_give (Block *blocks, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    block_give (&blocks[i]);
}

void
blocks_check_calmly (Block *blocks, guint n)
{
  trial_let_fault_sleep (TRUE);
  blocks_check (blocks, n);
  trial_let_fault_sleep (FALSE);
}
