/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-params.c: what a block is that gst_allocator_alloc() gives,
 * compared with system memory: size, prefix, padding, alignment, zeroed ends,
 * flags.
 *
 * For each alignment a batch of blocks is alive at the same time, so that two
 * blocks that overlap spoil each other's pattern. Every batch is allocated
 * once before to leave dirt behind: memory that was never used is zero anyway.
 */
#include "compare.h"

#include <string.h>

#define DIRT 0xa5
#define ZERO_BOTH (GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED)

static const gsize small_sizes[] = {
    0, 1, 7, 8, 188, 1316, 4095, 4096, 4097, 65536};

/* Above 4 MiB a block has an extent of its own; the last is larger than the
 * whole budget. */
static const gsize large_sizes[] = {1024 * 1024, 3110400, 4 * 1024 * 1024,
    4 * 1024 * 1024 + 1, 6 * 1024 * 1024 + 4097, 9 * 1024 * 1024};

static const struct
{
  gsize prefix, padding;
} ends[] = {{0, 0}, {1, 0}, {0, 1}, {13, 17}, {4096, 8193}};

static const guint zero_flags[] = {
    0, GST_MEMORY_FLAG_ZERO_PREFIXED, GST_MEMORY_FLAG_ZERO_PADDED, ZERO_BOTH};

typedef struct
{
  gsize size;
  GstAllocationParams params;
  GstMemory *mem;
} Block;

static void
batch_add (GArray *batch, gsize size, gsize align, guint end, guint flags)
{
  Block block = {.size = size};

  block.params.align = align;
  block.params.prefix = ends[end].prefix;
  block.params.padding = ends[end].padding;
  block.params.flags = flags;
  g_array_append_val (batch, block);
}

static GArray *
batch_new (gsize align)
{
  GArray *batch = g_array_new (FALSE, FALSE, sizeof (Block));
  guint i, j, k;

  for (i = 0; i < G_N_ELEMENTS (small_sizes); i++) {
    for (j = 0; j < G_N_ELEMENTS (ends); j++) {
      for (k = 0; k < G_N_ELEMENTS (zero_flags); k++)
        batch_add (batch, small_sizes[i], align, j, zero_flags[k]);
    }
  }
  /* Two of them for each alignment, in turn: they take the time. */
  for (i = g_bit_storage (align) % 3; i < G_N_ELEMENTS (large_sizes); i += 3) {
    batch_add (batch, large_sizes[i], align, 0, 0);
    batch_add (batch, large_sizes[i], align, 3, ZERO_BOTH);
  }
  return batch;
}

static void
batch_free_blocks (GArray *batch)
{
  guint i;

  for (i = 0; i < batch->len; i++)
    g_clear_pointer (&g_array_index (batch, Block, i).mem, gst_memory_unref);
}

static void
block_name (Side *side, const Block *block, const gchar *when)
{
  compare_case (side,
      "%s: align %" G_GSIZE_FORMAT ", size %" G_GSIZE_FORMAT
      ", prefix %" G_GSIZE_FORMAT ", padding %" G_GSIZE_FORMAT ", flags 0x%x",
      when, block->params.align, block->size, block->params.prefix,
      block->params.padding, block->params.flags);
}

static gsize
block_requested (const Block *block)
{
  return block->params.prefix + block->size + block->params.padding;
}

/* Both ends are as the flags promise, the slack included. */
static void
block_check_ends (Side *side, Block *block, const GstMapInfo *info)
{
  GstMemory *mem = block->mem;

  if (block->params.flags & GST_MEMORY_FLAG_ZERO_PREFIXED)
    compare_zeros (side, "prefix", info->data - mem->offset, mem->offset);
  if (block->params.flags & GST_MEMORY_FLAG_ZERO_PADDED)
    compare_zeros (
        side, "padding", info->data + info->size, info->maxsize - info->size);
}

static void
leave_dirt (Side *side, GArray *batch)
{
  guint i;

  for (i = 0; i < batch->len; i++) {
    Block *block = &g_array_index (batch, Block, i);
    GstAllocationParams params = block->params;
    GstMapInfo info;

    params.flags = 0;
    block->mem = compare_alloc (side, block->size, &params);
    assert_true (gst_memory_map (block->mem, &info, GST_MAP_WRITE));
    memset (info.data - block->mem->offset, DIRT, block->mem->maxsize);
    gst_memory_unmap (block->mem, &info);
  }
  compare_settle (side);
  batch_free_blocks (batch);
}

static void
compare_batch (Side *side, gsize align)
{
  GArray *batch = batch_new (align);
  guint i;

  leave_dirt (side, batch);

  for (i = 0; i < batch->len; i++) {
    Block *block = &g_array_index (batch, Block, i);
    GstMapInfo info;

    block_name (side, block, "new");
    block->mem = compare_alloc (side, block->size, &block->params);
    compare_memory (side, "block", block->mem, block_requested (block));
    if (compare_map (side, "read", block->mem, &info, GST_MAP_READ)) {
      block_check_ends (side, block, &info);
      gst_memory_unmap (block->mem, &info);
    }
    compare_write (side, block->mem, i);
  }

  compare_settle (side);

  for (i = 0; i < batch->len; i++) {
    Block *block = &g_array_index (batch, Block, i);
    GstMapInfo info;

    block_name (side, block, "written");
    compare_memory (side, "block", block->mem, block_requested (block));
    if (compare_map (side, "read", block->mem, &info, GST_MAP_READ)) {
      block_check_ends (side, block, &info);
      compare_bytes (side, "contents", info.data, 0, info.size, i);
      gst_memory_unmap (block->mem, &info);
    }
  }

  batch_free_blocks (batch);
  g_array_unref (batch);
}

#define BATCH(align)                     \
  static void batch_##align (Side *side) \
  {                                      \
    compare_batch (side, align);         \
  }

BATCH (0)
BATCH (3)
BATCH (7)
BATCH (15)
BATCH (31)
BATCH (63)
BATCH (127)
BATCH (255)
BATCH (511)
BATCH (4095)
BATCH (8191)
BATCH (65535)

/* A block is written, goes to disk, and its bytes outside of offset and size
 * come back as well. */
static void
whole_block (Side *side)
{
  GstAllocationParams params = {.align = 15, .prefix = 100, .padding = 50};
  GstMemory *mem = compare_alloc (side, 70000, &params);
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_WRITE));
  compare_fill (info.data - mem->offset, mem->maxsize, 1);
  gst_memory_unmap (mem, &info);
  compare_write (side, mem, 2);
  compare_settle (side);

  assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
  compare_bytes (side, "prefix", info.data - mem->offset, 0, mem->offset, 1);
  compare_bytes (side, "contents", info.data, 0, info.size, 2);
  compare_bytes (side, "padding and slack", info.data + info.size,
      mem->offset + info.size, info.maxsize - info.size, 1);
  gst_memory_unmap (mem, &info);
  gst_memory_unref (mem);
}

static void
no_params (Side *side)
{
  static const gsize sizes[] = {0, 1, 188, 4096, 100000, 5000000};
  GstMemory *mem[G_N_ELEMENTS (sizes)];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    compare_case (side, "no parameters, size %" G_GSIZE_FORMAT, sizes[i]);
    mem[i] = compare_alloc (side, sizes[i], NULL);
    compare_memory (side, "block", mem[i], sizes[i]);
    compare_write (side, mem[i], i);
  }
  compare_settle (side);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    compare_case (side, "no parameters, size %" G_GSIZE_FORMAT, sizes[i]);
    compare_read (side, "contents", mem[i], 0, sizes[i], i);
    gst_memory_unref (mem[i]);
  }
}

/* An alignment that is no mask is refused, by a critical message. */
static void
bad_align (Side *side)
{
  static const gsize aligns[] = {2, 4, 6, 8, 16, 4096};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (aligns); i++) {
    GstAllocationParams params = {.align = aligns[i]};
    GstMemory *mem =
        gst_allocator_alloc (compare_allocator (side), 100, &params);

    compare_case (side, "align %" G_GSIZE_FORMAT, aligns[i]);
    compare_note (side, "block", "%s", mem != NULL ? "some" : "none");
    g_clear_pointer (&mem, gst_memory_unref);
  }
}

/* The flags of the parameters are the flags of the block, and decide what can
 * be done with it. Its copy has none of them. */
static void
flags (Side *side)
{
  static const guint flags[] = {GST_MEMORY_FLAG_READONLY,
      GST_MEMORY_FLAG_NO_SHARE, GST_MEMORY_FLAG_ZERO_PREFIXED,
      GST_MEMORY_FLAG_ZERO_PADDED, GST_MEMORY_FLAG_PHYSICALLY_CONTIGUOUS,
      GST_MEMORY_FLAG_NOT_MAPPABLE, GST_MEMORY_FLAG_LAST,
      GST_MEMORY_FLAG_READONLY | GST_MEMORY_FLAG_NO_SHARE,
      GST_MEMORY_FLAG_READONLY | ZERO_BOTH,
      GST_MEMORY_FLAG_NO_SHARE | ZERO_BOTH, GST_MINI_OBJECT_FLAG_MAY_BE_LEAKED};
  static const GstMapFlags map_flags[] = {
      GST_MAP_READ, GST_MAP_WRITE, GST_MAP_READWRITE};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (flags); i++) {
    GstAllocationParams params = {.flags = flags[i], .prefix = 3, .padding = 5};
    GstMemory *mem, *share, *copy;
    GstMapInfo info;

    compare_case (side, "flags 0x%x", flags[i]);
    mem = compare_alloc (side, 10000, &params);
    compare_memory (side, "block", mem, 10008);
    for (j = 0; j < G_N_ELEMENTS (map_flags); j++) {
      if (compare_map (side, "map", mem, &info, map_flags[j]))
        gst_memory_unmap (mem, &info);
    }

    copy = gst_memory_copy (mem, 0, -1);
    compare_memory (side, "copy", copy, 10000);
    compare_write (side, copy, i);
    compare_settle (side);
    compare_read (side, "copy", copy, 0, 10000, i);
    gst_memory_unref (copy);

    share = gst_memory_share (mem, 10, 20);
    compare_note (side, "share", "%s", share != NULL ? "some" : "none");
    if (share != NULL) {
      compare_memory (side, "share", share, 10008);
      gst_memory_unref (share);
    }
    compare_memory (side, "block at the end", mem, 10008);
    gst_memory_unref (mem);
  }
}

/* Every block holds one reference to its allocator, and gives it back. */
static void
allocator_references (Side *side)
{
  GstAllocator *allocator = compare_allocator (side);
  gint before = GST_OBJECT_REFCOUNT_VALUE (allocator);
  GstMemory *mem = compare_alloc (side, 1000, NULL);
  GstMemory *share;

  compare_note (side, "with a block", "%d",
      GST_OBJECT_REFCOUNT_VALUE (allocator) - before);
  share = gst_memory_share (mem, 0, 10);
  compare_note (side, "with a share", "%d",
      GST_OBJECT_REFCOUNT_VALUE (allocator) - before);
  gst_memory_unref (mem);
  gst_memory_unref (share);
  compare_note (side, "with nothing", "%d",
      GST_OBJECT_REFCOUNT_VALUE (allocator) - before);
}

static const struct CMUnitTest tests[] = {
    COMPARE ("align 0", batch_0),
    COMPARE ("align 3", batch_3),
    COMPARE ("align 7", batch_7),
    COMPARE ("align 15", batch_15),
    COMPARE ("align 31", batch_31),
    COMPARE ("align 63", batch_63),
    COMPARE ("align 127", batch_127),
    COMPARE ("align 255", batch_255),
    COMPARE ("align 511", batch_511),
    COMPARE ("align 4095", batch_4095),
    COMPARE ("align 8191", batch_8191),
    COMPARE ("align 65535", batch_65535),
    COMPARE ("the whole block is kept", whole_block),
    COMPARE ("no parameters", no_params),
    COMPARE ("an alignment that is no mask", bad_align),
    COMPARE ("flags", flags),
    COMPARE ("references to the allocator", allocator_references),
    COMPARE_END,
};

int
main (int argc, char **argv)
{
  return compare_main (argc, argv, "allocator-params", tests);
}
