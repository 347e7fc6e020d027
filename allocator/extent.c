/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * extent.c: the table of extents. It is as long as the arena, but its pages
 * become resident only as the arena is used.
 */
#include "extent.h"

gboolean
fm_extent_table_init (FmExtentTable *table, gsize arena_size, gsize grain)
{
  table->grain = grain;
  table->n_grains = (guint) (arena_size / grain);
  table->extent = g_try_new0 (FmExtent, table->n_grains);
  table->unused_in_page = g_try_new0 (_Atomic guint16, arena_size / FM_PAGE);
  if (table->extent != NULL && table->unused_in_page != NULL)
    return TRUE;
  fm_extent_table_clear (table);
  return FALSE;
}

void
fm_extent_table_clear (FmExtentTable *table)
{
  g_clear_pointer (&table->extent, g_free);
  g_free ((gpointer) table->unused_in_page);
  table->unused_in_page = NULL;
}
