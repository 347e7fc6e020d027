/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * filled-memory.c: see filled-memory.h.
 */
#include "filled-memory.h"

#include "testing.h"

gboolean
fill_memory (GstMemory *mem, guint seed)
{
  GstMapInfo info;

  if (!gst_memory_map (mem, &info, GST_MAP_WRITE))
    return FALSE;
  testing_fill (info.data, info.size, seed);
  gst_memory_unmap (mem, &info);
  return TRUE;
}

gboolean
is_memory_filled (GstMemory *mem, guint seed)
{
  GstMapInfo info;
  gboolean filled;

  if (!gst_memory_map (mem, &info, GST_MAP_READ))
    return FALSE;
  filled = testing_is_filled (info.data, info.size, seed);
  gst_memory_unmap (mem, &info);
  return filled;
}
