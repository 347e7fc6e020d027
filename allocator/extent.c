/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * extent.c: the table of extents. It is as long as the arena, but its pages
 * become resident only as the arena is used.
 */
#include "extent.h"
#include "seam.h"

#include <sys/mman.h>

/* Not malloc(): without MAP_NORESERVE the kernel refuses what is larger than
 * its memory, and some malloc() touch what they give. */
static void *
map_zeros (gsize length)
{
  void *zeros = fm_seam_mmap (NULL, length, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  return zeros == MAP_FAILED ? NULL : zeros;
}

static gsize
unused_length (const FmExtentTable *table)
{
  return (gsize) table->n_grains * FM_CHUNKS * sizeof (guint32);
}

gboolean
fm_extent_table_init (FmExtentTable *table, gsize arena_size, gsize grain)
{
  table->grain = grain;
  table->n_grains = (guint) (arena_size / grain);
  table->extent = map_zeros (table->n_grains * sizeof (FmExtent));
  table->unused = map_zeros (unused_length (table));
  if (table->extent != NULL && table->unused != NULL)
    return TRUE;
  fm_extent_table_clear (table);
  return FALSE;
}

void
fm_extent_table_clear (FmExtentTable *table)
{
  if (table->extent != NULL)
    (void) fm_seam_munmap (table->extent, table->n_grains * sizeof (FmExtent));
  if (table->unused != NULL)
    (void) fm_seam_munmap ((gpointer) table->unused, unused_length (table));
  table->extent = NULL;
  table->unused = NULL;
}
