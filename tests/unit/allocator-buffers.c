/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-buffers.c: what GstBuffer and GstBufferPool make of the memory,
 * compared with system memory.
 *
 * What a buffer merges comes from the default allocator, whatever its memories
 * are; so the allocator is checked where a block is made, not in merged ones.
 */
#include "compare.h"

#include <string.h>

#define PREFIX 32
#define PADDING 64
#define POOL_BUFFERS 4
#define POOL_ROUNDS 3

static const gsize sizes[] = {1316, 65537, 4 * 1024 * 1024 + 4097};

static void
note_buffer (Side *side, const gchar *field, GstBuffer *buffer)
{
  gsize offset, maxsize;
  gsize size = gst_buffer_get_sizes (buffer, &offset, &maxsize);
  guint i;

  compare_note (side, field,
      "size %" G_GSIZE_FORMAT ", offset %" G_GSIZE_FORMAT
      ", maxsize %" G_GSIZE_FORMAT ", %u memories, flags 0x%x, %s, all %s",
      size, offset, maxsize, gst_buffer_n_memory (buffer),
      GST_BUFFER_FLAGS (buffer),
      gst_buffer_is_writable (buffer) ? "writable" : "not writable",
      gst_buffer_is_all_memory_writable (buffer) ? "writable" : "not writable");
  for (i = 0; i < gst_buffer_n_memory (buffer); i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    compare_note (side, field,
        "memory %u: size %" G_GSIZE_FORMAT ", offset %" G_GSIZE_FORMAT
        ", maxsize %" G_GSIZE_FORMAT ", flags 0x%x, %s parent, %d references",
        i, mem->size, mem->offset, mem->maxsize, GST_MINI_OBJECT_FLAGS (mem),
        mem->parent != NULL ? "a" : "no", GST_MINI_OBJECT_REFCOUNT_VALUE (mem));
  }
}

static void
write_buffer (Side *side, GstBuffer *buffer, guint seed)
{
  GstMapInfo info;
  gboolean ok = gst_buffer_map (buffer, &info, GST_MAP_WRITE);

  compare_note (side, "map to write", "%s", ok ? "yes" : "no");
  if (!ok)
    return;
  compare_fill (info.data, info.size, seed);
  gst_buffer_unmap (buffer, &info);
}

static void
read_buffer (Side *side, const gchar *field, GstBuffer *buffer, gsize start,
    gsize size, guint seed)
{
  GstMapInfo info;
  gboolean ok = gst_buffer_map (buffer, &info, GST_MAP_READ);

  compare_note (side, field, "%s", ok ? "mapped" : "not mapped");
  if (!ok)
    return;
  compare_check (side, info.size == size,
      "%s: %" G_GSIZE_FORMAT " bytes instead of %" G_GSIZE_FORMAT, field,
      info.size, size);
  compare_bytes (side, field, info.data, start, MIN (size, info.size), seed);
  gst_buffer_unmap (buffer, &info);
}

static GstBuffer *
new_buffer (Side *side, gsize size, guint seed)
{
  GstAllocationParams params = {
      .align = 15, .prefix = PREFIX, .padding = PADDING};
  GstBuffer *buffer =
      gst_buffer_new_allocate (compare_allocator (side), size, &params);

  assert_non_null (buffer);
  compare_memory (side, "memory", gst_buffer_peek_memory (buffer, 0),
      PREFIX + size + PADDING);
  compare_write (side, gst_buffer_peek_memory (buffer, 0), seed);
  return buffer;
}

static void
append_block (Side *side, GstBuffer *buffer, gsize size, guint seed)
{
  GstMemory *mem = compare_alloc (side, size, NULL);

  compare_write (side, mem, seed);
  gst_buffer_append_memory (buffer, mem);
}

static void
allocate (Side *side)
{
  static const gsize plain_sizes[] = {0, 1, 188, 1316, 65536, 3110400, 5000000};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (plain_sizes); i++) {
    gsize size = plain_sizes[i];
    GstBuffer *buffer =
        gst_buffer_new_allocate (compare_allocator (side), size, NULL);

    compare_case (side, "size %" G_GSIZE_FORMAT, size);
    note_buffer (side, "new", buffer);
    if (gst_buffer_n_memory (buffer) > 0)
      compare_memory (side, "memory", gst_buffer_peek_memory (buffer, 0), size);
    write_buffer (side, buffer, 1);
    compare_settle (side);
    read_buffer (side, "contents", buffer, 0, size, 1);
    gst_buffer_unref (buffer);
  }
}

static void
fill_and_extract (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize size = sizes[i];
    GstBuffer *buffer = new_buffer (side, size, 1);
    g_autofree guint8 *bytes = g_malloc (size);
    g_autofree guint8 *all = NULL;
    gsize done, all_size;

    compare_case (side, "size %" G_GSIZE_FORMAT, size);
    compare_settle (side);
    done = gst_buffer_extract (buffer, 0, bytes, size);
    compare_note (side, "extract", "%" G_GSIZE_FORMAT, done);
    compare_bytes (side, "extract", bytes, 0, size, 1);
    done = gst_buffer_extract (buffer, size - 100, bytes, 200);
    compare_note (side, "extract beyond the end", "%" G_GSIZE_FORMAT, done);
    compare_bytes (side, "extract beyond the end", bytes, size - 100, 100, 1);

    compare_fill (bytes, size, 2);
    done = gst_buffer_fill (buffer, 100, bytes + 100, 500);
    compare_note (side, "fill", "%" G_GSIZE_FORMAT, done);
    done = gst_buffer_fill (buffer, size - 10, bytes + size - 10, 20);
    compare_note (side, "fill beyond the end", "%" G_GSIZE_FORMAT, done);
    compare_settle (side);
    compare_note (side, "compare the filled bytes", "%s",
        gst_buffer_memcmp (buffer, 100, bytes + 100, 500) == 0 ? "same"
                                                               : "others");
    gst_buffer_extract_dup (buffer, 0, -1, (gpointer *) &all, &all_size);
    compare_note (side, "extract all", "%" G_GSIZE_FORMAT, all_size);
    compare_bytes (side, "before", all, 0, 100, 1);
    compare_bytes (side, "filled", all + 100, 100, 500, 2);
    compare_bytes (side, "between", all + 600, 600, size - 610, 1);
    compare_bytes (side, "filled end", all + size - 10, size - 10, 10, 2);

    done = gst_buffer_memset (buffer, 50, 0, size);
    compare_note (side, "memset", "%" G_GSIZE_FORMAT, done);
    compare_settle (side);
    gst_buffer_extract (buffer, 0, bytes, size);
    compare_bytes (side, "before memset", bytes, 0, 50, 1);
    compare_zeros (side, "memset", bytes + 50, size - 50);
    gst_buffer_unref (buffer);
  }
}

static void
resize (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize size = sizes[i];
    GstBuffer *buffer = new_buffer (side, size, 1);

    compare_case (side, "size %" G_GSIZE_FORMAT, size);
    compare_settle (side);
    gst_buffer_resize (buffer, 10, (gssize) size - 20);
    note_buffer (side, "smaller", buffer);
    read_buffer (side, "smaller", buffer, 10, size - 20, 1);
    gst_buffer_resize (buffer, -10, -1);
    note_buffer (side, "start moved back", buffer);
    gst_buffer_set_size (buffer, (gssize) size + PADDING);
    note_buffer (side, "into the padding", buffer);
    gst_buffer_set_size (buffer, (gssize) size + PADDING + 15);
    note_buffer (side, "into the slack", buffer);
    gst_buffer_resize (buffer, -PREFIX, (gssize) size + PREFIX);
    note_buffer (side, "into the prefix", buffer);
    write_buffer (side, buffer, 2);
    compare_settle (side);
    read_buffer (side, "with the prefix", buffer, 0, size + PREFIX, 2);
    note_buffer (side, "at the end", buffer);
    gst_buffer_unref (buffer);
  }
}

/* Shared where it can be, copied where that is asked for. */
static void
copy_region (Side *side)
{
  static const guint flags[] = {GST_BUFFER_COPY_MEMORY,
      GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_DEEP,
      GST_BUFFER_COPY_MEMORY | GST_BUFFER_COPY_MERGE, GST_BUFFER_COPY_ALL};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (j = 0; j < G_N_ELEMENTS (flags); j++) {
      GstBuffer *buffer = new_buffer (side, sizes[i], 1);
      GstBuffer *region, *inner;

      compare_case (side, "size %" G_GSIZE_FORMAT ", copy flags 0x%x", sizes[i],
          flags[j]);
      compare_settle (side);
      region = gst_buffer_copy_region (buffer, flags[j], 100, 1000);
      note_buffer (side, "region", region);
      inner = gst_buffer_copy_region (region, flags[j], 50, -1);
      note_buffer (side, "region of the region", inner);
      note_buffer (side, "buffer", buffer);
      gst_buffer_unref (buffer);
      gst_buffer_unref (region);
      compare_settle (side);
      read_buffer (side, "contents", inner, 150, 950, 1);
      write_buffer (side, inner, 2);
      compare_settle (side);
      read_buffer (side, "written", inner, 0, 950, 2);
      note_buffer (side, "at the end", inner);
      gst_buffer_unref (inner);
    }
  }
}

/* NO_SHARE: the region has to be a copy. */
static void
copy_region_no_share (Side *side)
{
  GstAllocationParams params = {.flags = GST_MEMORY_FLAG_NO_SHARE};
  GstBuffer *buffer =
      gst_buffer_new_allocate (compare_allocator (side), 10000, &params);
  GstBuffer *region, *all;

  write_buffer (side, buffer, 1);
  compare_settle (side);
  region = gst_buffer_copy_region (buffer, GST_BUFFER_COPY_MEMORY, 100, 1000);
  note_buffer (side, "region", region);
  compare_memory (side, "region", gst_buffer_peek_memory (region, 0), 1000);
  read_buffer (side, "region", region, 100, 1000, 1);
  all = gst_buffer_copy (buffer);
  note_buffer (side, "copy", all);
  read_buffer (side, "copy", all, 0, 10000, 1);
  gst_buffer_unref (buffer);
  gst_buffer_unref (region);
  gst_buffer_unref (all);
}

/* Pieces of one block that follow each other become one again without a copy;
 * others are copied when somebody maps them all. */
static void
append_and_merge (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize size = sizes[i];
    GstBuffer *buffer = new_buffer (side, size, 1);
    GstBuffer *first, *second, *joined, *mixed;
    GstMemory *all;
    GstMapInfo info, whole;

    compare_case (side, "size %" G_GSIZE_FORMAT, size);
    first = gst_buffer_copy_region (buffer, GST_BUFFER_COPY_MEMORY, 0, 500);
    second = gst_buffer_copy_region (buffer, GST_BUFFER_COPY_MEMORY, 500, -1);
    compare_settle (side);

    joined =
        gst_buffer_append (gst_buffer_ref (first), gst_buffer_ref (second));
    note_buffer (side, "joined", joined);
    compare_note (side, "range merges", "%s",
        gst_buffer_is_memory_range_writable (joined, 0, -1) ? "writable"
                                                            : "not writable");
    read_buffer (side, "joined", joined, 0, size, 1);
    all = gst_buffer_get_all_memory (joined);
    compare_note (
        side, "all memory", "%s parent", all->parent != NULL ? "a" : "no");
    assert_true (gst_memory_map (all, &info, GST_MAP_READ));
    assert_true (gst_buffer_map (buffer, &whole, GST_MAP_READ));
    compare_note (
        side, "the same bytes", "%s", info.data == whole.data ? "yes" : "no");
    gst_buffer_unmap (buffer, &whole);
    gst_memory_unmap (all, &info);
    gst_memory_unref (all);

    mixed = gst_buffer_append_region (
        gst_buffer_ref (second), gst_buffer_ref (first), 100, 200);
    append_block (side, mixed, 300, 3);
    note_buffer (side, "mixed", mixed);
    compare_settle (side);
    if (gst_buffer_map (mixed, &info, GST_MAP_READ)) {
      compare_note (side, "mixed", "%" G_GSIZE_FORMAT " bytes", info.size);
      compare_bytes (side, "mixed, second", info.data, 500, size - 500, 1);
      compare_bytes (side, "mixed, first", info.data + size - 500, 100, 200, 1);
      compare_bytes (side, "mixed, last", info.data + size - 300, 0, 300, 3);
      gst_buffer_unmap (mixed, &info);
    }
    note_buffer (side, "mixed after a map", mixed);

    gst_buffer_unref (mixed);
    gst_buffer_unref (joined);
    gst_buffer_unref (second);
    gst_buffer_unref (first);
    gst_buffer_unref (buffer);
  }
}

/* More memories than a buffer can hold: it merges by itself. */
static void
many_memories (Side *side)
{
  GstBuffer *buffer = gst_buffer_new ();
  guint n = gst_buffer_get_max_memory () + 5;
  gsize at = 0;
  guint i;
  GstMapInfo info;

  for (i = 0; i < n; i++)
    append_block (side, buffer, 1000 + i, i);
  compare_settle (side);
  note_buffer (side, "buffer", buffer);
  assert_true (gst_buffer_map (buffer, &info, GST_MAP_READ));
  for (i = 0; i < n; i++) {
    compare_bytes (side, "memory", info.data + at, 0, 1000 + i, i);
    at += 1000 + i;
  }
  gst_buffer_unmap (buffer, &info);
  compare_note (side, "size", "%" G_GSIZE_FORMAT, at);
  gst_buffer_unref (buffer);
}

static void
memories_of_buffer (Side *side)
{
  GstBuffer *buffer = new_buffer (side, 5000, 1);
  GstMemory *mem;

  append_block (side, buffer, 6000, 2);
  append_block (side, buffer, 7000, 3);
  compare_settle (side);
  mem = compare_alloc (side, 8000, NULL);
  compare_write (side, mem, 4);
  gst_buffer_replace_memory (buffer, 1, mem);
  note_buffer (side, "replaced", buffer);
  gst_buffer_remove_memory (buffer, 0);
  note_buffer (side, "removed", buffer);
  compare_settle (side);
  mem = gst_buffer_get_memory (buffer, 0);
  compare_read (side, "first", mem, 0, 8000, 4);
  gst_memory_unref (mem);
  mem = gst_buffer_get_memory (buffer, 1);
  gst_buffer_unref (buffer);
  compare_settle (side);
  compare_read (side, "second, without its buffer", mem, 0, 7000, 3);
  gst_memory_unref (mem);
}

/* The second holder of a buffer writes into a copy of its own. */
static void
make_writable (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gsize size = sizes[i];
    GstBuffer *buffer = new_buffer (side, size, 1);
    GstBuffer *other = gst_buffer_ref (buffer);

    compare_case (side, "size %" G_GSIZE_FORMAT, size);
    compare_settle (side);
    other = gst_buffer_make_writable (other);
    compare_note (side, "buffer", "%s", other == buffer ? "same" : "copy");
    note_buffer (side, "copy", other);
    note_buffer (side, "original", buffer);
    write_buffer (side, other, 2);
    note_buffer (side, "copy, written", other);
    compare_settle (side);
    read_buffer (side, "original", buffer, 0, size, 1);
    read_buffer (side, "copy", other, 0, size, 2);
    gst_buffer_unref (buffer);
    compare_settle (side);
    read_buffer (side, "copy alone", other, 0, size, 2);
    write_buffer (side, other, 3);
    read_buffer (side, "copy, written again", other, 0, size, 3);
    gst_buffer_unref (other);
  }
}

/* A pool hands out the same blocks again, as they were given back. Which ones
 * it keeps is its own affair; a block that was there before carries its seed.
 */
static void
pool (Side *side)
{
  GQuark seed_quark = g_quark_from_static_string ("filemem-test-seed");
  /* No prefix: the pool would reset the offset to 0. */
  GstAllocationParams params = {.align = 31, .padding = PADDING};
  GstBufferPool *buffers = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (buffers);
  guint round, i, seed;
  GstMemory *mem;

  gst_buffer_pool_config_set_params (
      config, NULL, 100000, POOL_BUFFERS, POOL_BUFFERS);
  gst_buffer_pool_config_set_allocator (
      config, compare_allocator (side), &params);
  assert_true (gst_buffer_pool_set_config (buffers, config));
  assert_true (gst_buffer_pool_set_active (buffers, TRUE));

  for (round = 0; round < POOL_ROUNDS; round++) {
    GstBuffer *held[POOL_BUFFERS];

    for (i = 0; i < POOL_BUFFERS; i++) {
      compare_case (side, "round %u, buffer %u", round, i);
      assert_int_equal (
          gst_buffer_pool_acquire_buffer (buffers, &held[i], NULL),
          GST_FLOW_OK);
      mem = gst_buffer_peek_memory (held[i], 0);
      compare_memory (side, "memory", mem, 100000 + PADDING);
      seed = GPOINTER_TO_UINT (
          gst_mini_object_get_qdata (GST_MINI_OBJECT (mem), seed_quark));
      compare_note (side, "seed", "%u", seed);
      if (seed != 0)
        read_buffer (side, "as given back", held[i], 0, 100000, seed);
      seed = round * POOL_BUFFERS + i + 1;
      gst_mini_object_set_qdata (
          GST_MINI_OBJECT (mem), seed_quark, GUINT_TO_POINTER (seed), NULL);
      compare_write (side, mem, seed);
    }
    compare_settle (side);
    for (i = 0; i < POOL_BUFFERS; i++) {
      compare_case (side, "round %u, buffer %u", round, i);
      read_buffer (
          side, "contents", held[i], 0, 100000, round * POOL_BUFFERS + i + 1);
      /* The pool restores the size of what comes back resized. */
      gst_buffer_resize (held[i], 0, 1000);
      gst_buffer_unref (held[i]);
    }
  }
  assert_true (gst_buffer_pool_set_active (buffers, FALSE));
  gst_object_unref (buffers);
}

static const struct CMUnitTest tests[] = {
    COMPARE ("allocate", allocate),
    COMPARE ("fill, extract, memcmp, memset", fill_and_extract),
    COMPARE ("resize", resize),
    COMPARE ("copy of a region", copy_region),
    COMPARE ("copy of a region that can't be shared", copy_region_no_share),
    COMPARE ("append and merge", append_and_merge),
    COMPARE ("many memories", many_memories),
    COMPARE ("memories taken, replaced, removed", memories_of_buffer),
    COMPARE ("make writable", make_writable),
    COMPARE ("buffer pool", pool),
    COMPARE_END,
};

int
main (int argc, char **argv)
{
  return compare_main (argc, argv, "allocator-buffers", tests);
}
