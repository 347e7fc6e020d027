/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * extent.c: the table of extents, and the word of each. The table is as long as
 * the arena, but only the part for addresses that were ever used is memory: the
 * rest would count towards the limit on data, and the kernel refuses a request
 * for more than its memory.
 */
#include "extent.h"
#include "seam.h"
#include "sync.h"

#include <sys/mman.h>

/* Rounded up to whole groups of rows. */
static guint
n_rows (guint n_granules)
{
  return (n_granules + FM_EXTENT_ROWS - 1) / FM_EXTENT_ROWS * FM_EXTENT_ROWS;
}

static void *
reserve (gsize length)
{
  void *range = fm_seam_mmap (NULL, length, PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return range == MAP_FAILED ? NULL : range;
}

static gsize
rows_length (guint n_granules)
{
  return (n_rows (n_granules) * sizeof (FmExtent) + FM_PAGE - 1)
      & ~(FM_PAGE - 1);
}

static gsize
unused_length (guint n_granules)
{
  return ((gsize) n_rows (n_granules) * FM_CHUNKS * sizeof (guint32) + FM_PAGE
             - 1)
      & ~(FM_PAGE - 1);
}

gboolean
fm_extent_table_init (FmExtentTable *table, gsize arena_size, gsize granule)
{
  table->granule = granule;
  table->n_granules = (guint) (arena_size / granule);
  table->n_usable = 0;
  table->extent = reserve (rows_length (table->n_granules));
  table->unused = reserve (unused_length (table->n_granules));
  if (table->extent != NULL && table->unused != NULL
      && fm_extent_table_make_usable (table, 1))
    return TRUE;
  fm_extent_table_clear (table);
  return FALSE;
}

gboolean
fm_extent_table_make_usable (FmExtentTable *table, guint n_granules)
{
  guint usable = n_rows (n_granules);

  if (n_granules <= table->n_usable)
    return TRUE;
  if (fm_seam_mprotect (
          table->extent, rows_length (usable), PROT_READ | PROT_WRITE)
          < 0
      || fm_seam_mprotect ((gpointer) table->unused, unused_length (usable),
             PROT_READ | PROT_WRITE)
          < 0)
    return FALSE;
  table->n_usable = usable;
  return TRUE;
}

void
fm_extent_table_clear (FmExtentTable *table)
{
  if (table->extent != NULL)
    (void) fm_seam_munmap (table->extent, rows_length (table->n_granules));
  if (table->unused != NULL)
    (void) fm_seam_munmap (
        (gpointer) table->unused, unused_length (table->n_granules));
  table->extent = NULL;
  table->unused = NULL;
}

static gsize
resident (gpointer range, gsize length)
{
  g_autofree guchar *pages = g_malloc (length / FM_PAGE);
  gsize n = 0, i;

  if (fm_seam_mincore (range, length, pages) < 0)
    return 0;
  for (i = 0; i < length / FM_PAGE; i++)
    n += pages[i] & 1;
  return n * FM_PAGE;
}

gsize
fm_extent_table_resident (const FmExtentTable *table, guint n_granules)
{
  return resident (table->extent, rows_length (n_granules))
      + resident ((gpointer) table->unused, unused_length (n_granules));
}

/* ---- the word ---- */

void
fm_extent_set_state (FmExtent *extent, FmState state, guint32 clear)
{
  guint32 before = atomic_load (&extent->word), after;

  fm_point ();
  do {
    after =
        (before & (FM_PINS_MASK | FM_TOUCHED | FM_UNREAD | FM_CLEAN) & ~clear)
        | FM_WORD (state);
  } while (!atomic_compare_exchange_weak (&extent->word, &before, after));
}

gboolean
fm_extent_commit (FmExtent *extent, FmState from, FmState to)
{
  guint32 before = atomic_load (&extent->word), after;

  fm_point ();
  do {
    if (FM_WORD_STATE (before) != from || FM_WORD_PINS (before) > 0
        || (before & FM_TOUCHED) != 0)
      return FALSE;
    after = (before & (FM_UNREAD | FM_CLEAN)) | FM_WORD (to);
  } while (!atomic_compare_exchange_weak (&extent->word, &before, after));
  return TRUE;
}
