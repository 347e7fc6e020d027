/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememory.c: GstMemory whose bytes are a block of a store.
 *
 * A GstFileMemory matches what GStreamer's system memory would have been to the
 * last byte (alignment, prefix, padding, slack, zeros, sharing); compare
 * gst/gstallocator.c. Mapping it pins the block, unmapping unpins it.
 * Sub-memories point into their root's block.
 *
 * Locking: none; `maps` is atomic, the rest is set when the memory is made.
 */
#include "gstfilememallocator-private.h"

#include <string.h>

GST_DEBUG_CATEGORY (filemem_debug);
#define GST_CAT_DEFAULT filemem_debug

void
gst_file_memory_init (GstFileMemory *memory, GstAllocator *allocator,
    GstMemoryFlags flags, GstMemory *parent, gsize maxsize, gsize align,
    gsize offset, gsize size)
{
  gst_memory_init (GST_MEMORY_CAST (memory), flags, allocator, parent, maxsize,
      align, offset, size);
  atomic_init (&memory->maps, 0);
}

static void
tell_lost (GstFileMemAllocator *self)
{
  GstFileMemAllocatorLossFunc lost = atomic_load (&self->lost);

  if (lost != NULL)
    lost ();
}

static gpointer
map_memory (GstFileMemory *memory, GstMapFlags map_flags)
{
  GstFileMemAllocator *self = FILE_MEM_ALLOCATOR_CAST (memory->mem.allocator);
  FmPinFlags flags = (FmPinFlags) (map_flags & GST_MAP_READWRITE);
  guint thread = fm_thread_number ();

  if ((flags & FM_PIN_WRITE) != 0)
    fm_stats_count (self->stats, thread, maps_write, 1);
  else
    fm_stats_count (self->stats, thread, maps_read, 1);
  if (G_UNLIKELY (!fm_store_map (memory->store, &memory->block, flags))) {
    tell_lost (self);
    return NULL;
  }
  return memory->block.data;
}

static gpointer
gst_file_memory_map (GstMemory *mem, GstMapInfo *info, gsize maxsize)
{
  GstFileMemory *memory = (GstFileMemory *) mem;
  gpointer data = map_memory (memory, info->flags);

  if (data != NULL)
    atomic_fetch_add_explicit (&memory->maps, 1, memory_order_relaxed);
  return data;
}

/* Whether it is mapped in another way than the one that is being unmapped: for
 * writing alone, say, when a read map is to end. GStreamer leaves it mapped
 * then. */
static gboolean
is_mapped_otherwise (const GstMemory *mem, GstMapFlags flags)
{
  gint locked = g_atomic_int_get (&GST_MINI_OBJECT_CAST (mem)->lockstate)
      & GST_MAP_READWRITE;
  gint wanted = (gint) flags & GST_MAP_READWRITE;

  return locked != 0 && (locked & wanted) != wanted;
}

/* FALSE if there is no map; *@ret_left is how many are left. GStreamer's own
 * count of locks can't be used for this: another thread may change it before we
 * have acted on it, and it stays wrong for good once half of the flags have
 * been unlocked. */
static gboolean
take_map (GstFileMemory *memory, guint *ret_left)
{
  guint maps = atomic_load_explicit (&memory->maps, memory_order_relaxed);

  do {
    if (G_UNLIKELY (maps == 0))
      return FALSE;
  } while (!atomic_compare_exchange_weak_explicit (&memory->maps, &maps,
      maps - 1, memory_order_relaxed, memory_order_relaxed));
  *ret_left = maps - 1;
  return TRUE;
}

/* gst_memory_unmap() comes here before it finds out whether the memory is
 * mapped at all. If a program unmaps once too often, GStreamer reports it;
 * here, no pin is taken from other blocks in the extent. */
static void
gst_file_memory_unmap (GstMemory *mem, GstMapInfo *info)
{
  GstFileMemory *memory = (GstFileMemory *) mem;
  FmPinFlags flags = (FmPinFlags) (info->flags & GST_MAP_READWRITE);
  guint left;

  if (G_UNLIKELY (is_mapped_otherwise (mem, info->flags)
          || !take_map (memory, &left))) {
    GST_DEBUG ("memory %p is unmapped, and was not mapped so", mem);
    return;
  }
  if (left > 0)
    flags |= FM_PIN_PART;
  fm_store_unmap (memory->store, &memory->block, flags, mem->size);
}

gboolean
gst_file_memory_clear (GstFileMemory *memory, gsize start, gsize end)
{
  guint8 *data;

  if (start >= end)
    return TRUE;
  data = map_memory (memory, GST_MAP_WRITE);
  if (data == NULL)
    return FALSE;
  memset (data + start, 0, end - start);
  fm_store_unmap (memory->store, &memory->block, FM_PIN_WRITE | FM_PIN_PART, 0);
  return TRUE;
}

/* When a program frees memory that is still mapped, this keeps the extent,
 * which holds other blocks, from being pinned for ever. */
void
gst_file_memory_unmap_all (GstFileMemory *memory)
{
  guint left;

  while (G_UNLIKELY (take_map (memory, &left)))
    fm_store_unmap (memory->store, &memory->block, FM_PIN_READ | FM_PIN_WRITE,
        memory->mem.maxsize);
}

static GstMemory *
gst_file_memory_copy (GstMemory *mem, gssize offset, gssize size)
{
  GstAllocationParams params = {
      0,
      mem->align,
      0,
      0,
  };
  GstFileMemory *memory = (GstFileMemory *) mem;
  GstMapInfo to = GST_MAP_INFO_INIT;
  GstMemory *copy;
  gsize bytes;

  if (size == -1)
    size = mem->size > (gsize) offset ? (gssize) mem->size - offset : 0;
  bytes = (gsize) size;
  copy = gst_allocator_alloc (mem->allocator, bytes, &params);
  if (copy == NULL)
    return NULL;

  /* Not gst_memory_map(): system memory can be copied while it is mapped for
   * writing alone, and parsers rely on that. */
  if (map_memory (memory, GST_MAP_READ) == NULL) {
    gst_memory_unref (copy);
    return NULL;
  }
  if (gst_memory_map (copy, &to, GST_MAP_WRITE)) {
    memcpy (to.data, memory->block.data + mem->offset + offset, bytes);
    gst_memory_unmap (copy, &to);
  } else {
    g_clear_pointer (&copy, gst_memory_unref);
  }
  fm_store_unmap (memory->store, &memory->block, FM_PIN_READ, 0);
  return copy;
}

static GstMemory *
gst_file_memory_share (GstMemory *mem, gssize offset, gssize size)
{
  GstFileMemory *memory = (GstFileMemory *) mem;
  GstMemory *root = mem->parent != NULL ? mem->parent : mem;
  GstFileMemory *sub = g_slice_new (GstFileMemory);

  if (size == -1)
    size = (gssize) mem->size - offset;
  gst_file_memory_init (sub, mem->allocator,
      GST_MINI_OBJECT_FLAGS (root) | GST_MINI_OBJECT_FLAG_LOCK_READONLY, root,
      mem->maxsize, mem->align, mem->offset + (gsize) offset, (gsize) size);
  sub->store = memory->store;
  sub->block = memory->block;
  return GST_MEMORY_CAST (sub);
}

static gboolean
gst_file_memory_is_span (GstMemory *mem1, GstMemory *mem2, gsize *offset)
{
  const guint8 *data1 = ((GstFileMemory *) mem1)->block.data;
  const guint8 *data2 = ((GstFileMemory *) mem2)->block.data;

  if (offset != NULL)
    *offset = mem1->offset - mem1->parent->offset;
  return data1 + mem1->offset + mem1->size == data2 + mem2->offset;
}

void
gst_file_memory_set_functions (GstAllocator *allocator)
{
  allocator->mem_map_full = gst_file_memory_map;
  allocator->mem_unmap_full = gst_file_memory_unmap;
  allocator->mem_copy = gst_file_memory_copy;
  allocator->mem_share = gst_file_memory_share;
  allocator->mem_is_span = gst_file_memory_is_span;
}
