/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememallocator-private.h: what the allocator and its memory share.
 */
#ifndef GST_FILE_MEM_ALLOCATOR_PRIVATE_H
#define GST_FILE_MEM_ALLOCATOR_PRIVATE_H

#include "fallback.h"
#include "observe.h"
#include "store.h"

#include <gst/filemem/filemem.h>

G_BEGIN_DECLS

/* Without a type check: the type is in the cache line that every reference to
 * the allocator writes. */
#define FILE_MEM_ALLOCATOR_CAST(object) ((GstFileMemAllocator *) (object))

struct _GstFileMemAllocator
{
  GstAllocator parent;

  FmOptions options;
  FmStats *stats; /* allocated apart: a GObject is not aligned for it */
  _Atomic (FmStore *) store;
  GstAllocator *system; /* system memory, to fall back to */
  gsize system_loses;   /* bytes it takes off for an alignment of 16 */
  gboolean installed;   /* as the default allocator */
  _Atomic guint64 ram;  /* set since creation; 0: not set */
  atomic_bool unusable; /* no store can be made */
  atomic_bool warned_fail;
  FmFallbackWarnings warned;

  /* Called when a buffer could not be mapped. */
  _Atomic (GstFileMemAllocatorLossFunc) lost;
};

typedef struct
{
  GstMemory mem;

  FmStore *store;
  FmStoreBlock block; /* the root's, which alone gives it back */
  atomic_uint maps;   /* of this memory, by GstMemory's users */
} GstFileMemory;

void gst_file_memory_init (GstFileMemory *memory, GstAllocator *allocator,
    GstMemoryFlags flags, GstMemory *parent, gsize maxsize, gsize align,
    gsize offset, gsize size);

/* Zeros [start, end) of the memory; FALSE if it can't be mapped. */
gboolean gst_file_memory_clear (GstFileMemory *memory, gsize start, gsize end);

/* Ends the maps that its users have left open. */
void gst_file_memory_unmap_all (GstFileMemory *memory);

/* How memories of @allocator are mapped, copied and shared. */
void gst_file_memory_set_functions (GstAllocator *allocator);

G_END_DECLS
#endif
