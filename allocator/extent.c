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

gboolean
fm_extent_table_init (FmExtentTable *table, gsize arena_size, gsize grain)
{
  table->grain = grain;
  table->n_grains = (guint) (arena_size / grain);
  table->n_pages = arena_size / FM_PAGE;
  table->extent = map_zeros (table->n_grains * sizeof (FmExtent));
  table->unused_in_page = map_zeros (table->n_pages * sizeof (guint16));
  if (table->extent != NULL && table->unused_in_page != NULL)
    return TRUE;
  fm_extent_table_clear (table);
  return FALSE;
}

void
fm_extent_table_clear (FmExtentTable *table)
{
  if (table->extent != NULL)
    (void) fm_seam_munmap (table->extent, table->n_grains * sizeof (FmExtent));
  if (table->unused_in_page != NULL)
    (void) fm_seam_munmap (
        (gpointer) table->unused_in_page, table->n_pages * sizeof (guint16));
  table->extent = NULL;
  table->unused_in_page = NULL;
}
