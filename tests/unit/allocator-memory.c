/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-memory.c: what can be done with a GstMemory, compared with system
 * memory: resize, copy, share, is_span, references. Maps are in
 * allocator-maps.c.
 *
 * Most scenarios go through a table of sizes: one that shares its extent with
 * others, one of many pages, one that has an extent of its own.
 */
#include "compare.h"

#include <string.h>

static const gsize sizes[] = {1316, 65537, 4 * 1024 * 1024 + 4097};

static const GstMapFlags map_flags[] = {
    GST_MAP_READ, GST_MAP_WRITE, GST_MAP_READWRITE};

/* Resize. */

static void
resize_steps (Side *side, GstMemory *mem, gsize size)
{
  gsize slack = mem->maxsize - compare_requested (size);
  const struct
  {
    const gchar *name;
    gssize offset;
    gsize size;
  } steps[] = {
      {"the same", 0, size},
      {"into the padding", 0, size + COMPARE_PADDING},
      {"into the slack", 0, size + COMPARE_PADDING + slack},
      {"beyond the slack", 0, size + COMPARE_PADDING + slack + 1},
      {"into the prefix", -COMPARE_PREFIX, size},
      {"before the prefix", -1, size},
      {"all of it", 0, mem->maxsize},
      {"nothing at the end", (gssize) mem->maxsize, 0},
      {"beyond the end", 1, 0},
      {"back", COMPARE_PREFIX - (gssize) mem->maxsize, size},
      {"smaller", 10, size - 20},
      {"back again", -10, size},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (steps); i++) {
    GstMapInfo info;

    compare_case (
        side, "size %" G_GSIZE_FORMAT ", resize: %s", size, steps[i].name);
    gst_memory_resize (mem, steps[i].offset, steps[i].size);
    compare_memory (side, "block", mem, compare_requested (size));
    if (compare_map (side, "read", mem, &info, GST_MAP_READ)) {
      compare_bytes (side, "contents", info.data + COMPARE_PREFIX - mem->offset,
          0, size, 1);
      gst_memory_unmap (mem, &info);
    }
  }
}

static void
resize (Side *side)
{
  static const guint flags[] = {
      0, GST_MEMORY_FLAG_ZERO_PREFIXED, GST_MEMORY_FLAG_ZERO_PADDED};
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    for (j = 0; j < G_N_ELEMENTS (flags); j++) {
      GstMemory *mem = compare_block (side, sizes[i], flags[j], 1);

      compare_settle (side);
      resize_steps (side, mem, sizes[i]);
      gst_memory_unref (mem);
    }
  }
}

/* A write into padding and slack is kept like any other. */
static void
resize_and_write (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);

    compare_case (side, "size %" G_GSIZE_FORMAT, sizes[i]);
    gst_memory_resize (mem, -COMPARE_PREFIX, mem->maxsize);
    compare_write (side, mem, 2);
    compare_settle (side);
    gst_memory_resize (mem, 100, sizes[i] - 200);
    compare_read (side, "smaller", mem, 100, sizes[i] - 200, 2);
    compare_write (side, mem, 3);
    compare_settle (side);
    gst_memory_resize (mem, -100, 100);
    compare_read (side, "before", mem, 0, 100, 2);
    gst_memory_resize (mem, 100, sizes[i] - 200);
    compare_read (side, "inside", mem, 0, sizes[i] - 200, 3);
    gst_memory_unref (mem);
  }
}

/* Copy. */

static void
copy_note (Side *side, const gchar *field, GstMemory *copy, gsize size)
{
  GstMapInfo info;

  compare_note (side, field, "%s", copy != NULL ? "some" : "none");
  if (copy == NULL)
    return;
  compare_memory (side, field, copy, size);
  /* Copied bytes are the pattern, or system memory's answer to an odd range:
   * so the bytes themselves are the note. */
  if (compare_map (side, field, copy, &info, GST_MAP_READWRITE)) {
    g_autofree gchar *sum =
        g_compute_checksum_for_data (G_CHECKSUM_SHA1, info.data, info.size);

    compare_note (side, field, "contents %s", sum);
    gst_memory_unmap (copy, &info);
  }
}

static void
copy_ranges (Side *side, GstMemory *mem, gsize size)
{
  const struct
  {
    const gchar *name;
    gssize offset, size;
    gsize expected;
  } ranges[] = {
      {"all", 0, -1, size},
      {"all, by its size", 0, (gssize) size, size},
      {"from 1", 1, -1, size - 1},
      {"from the middle", (gssize) size / 2, -1, size - size / 2},
      {"in the middle", 100, 300, 300},
      {"the last byte", (gssize) size - 1, 1, 1},
      {"nothing", 5, 0, 0},
      {"from the end", (gssize) size, -1, 0},
      {"from beyond the end", (gssize) size + 5, -1, 0},
      {"from before the start", -5, -1, 0},
      {"the prefix", -COMPARE_PREFIX, COMPARE_PREFIX + 10, COMPARE_PREFIX + 10},
      {"the padding", 0, (gssize) size + COMPARE_PADDING,
          size + COMPARE_PADDING},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (ranges); i++) {
    GstMemory *copy = gst_memory_copy (mem, ranges[i].offset, ranges[i].size);

    compare_case (
        side, "size %" G_GSIZE_FORMAT ", copy: %s", size, ranges[i].name);
    copy_note (side, "copy", copy, ranges[i].expected);
    g_clear_pointer (&copy, gst_memory_unref);
  }
}

static void
copies (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i],
        GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED, 1);

    compare_settle (side);
    copy_ranges (side, mem, sizes[i]);
    gst_memory_unref (mem);
  }
}

/* A copy has bytes of its own, and outlives what it was made from. */
static void
copy_of_copy (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);
    GstMemory *first, *second, *of_share, *share;

    compare_case (side, "size %" G_GSIZE_FORMAT, sizes[i]);
    compare_settle (side);

    first = gst_memory_copy (mem, 10, -1);
    compare_write (side, mem, 2);
    compare_settle (side);
    second = gst_memory_copy (first, 10, 500);
    compare_memory (side, "copy of a copy", second, 500);
    share = gst_memory_share (first, 20, 600);
    of_share = gst_memory_copy (share, 30, -1);
    compare_memory (side, "copy of a share", of_share, 570);
    gst_memory_unref (share);

    compare_read (side, "original", mem, 0, sizes[i], 2);
    gst_memory_unref (mem);
    compare_settle (side);
    compare_read (side, "copy", first, 10, sizes[i] - 10, 1);
    gst_memory_unref (first);
    compare_settle (side);
    compare_read (side, "copy of a copy", second, 20, 500, 1);
    compare_read (side, "copy of a share", of_share, 60, 570, 1);
    gst_memory_unref (second);
    gst_memory_unref (of_share);
  }
}

/* System memory copies a block that is mapped, in whatever way. */
static void
copy_while_mapped (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (map_flags); i++) {
    GstMemory *mem = compare_block (side, 10000, 0, 1);
    GstMemory *copied;
    GstMapInfo info;

    compare_case (side, "mapped with flags 0x%x", map_flags[i]);
    compare_settle (side);
    if (compare_map (side, "block", mem, &info, map_flags[i])) {
      copied = gst_memory_copy (mem, 3, 5000);
      copy_note (side, "copy", copied, 5000);
      g_clear_pointer (&copied, gst_memory_unref);
      gst_memory_unmap (mem, &info);
    }
    gst_memory_unref (mem);
  }
}

/* gst_memory_make_writable() copies what has two exclusive holders, which two
 * buffers with the same memory are; a second reference alone is nothing. */
static void
make_writable (Side *side)
{
  GstMemory *mem = compare_block (side, 10000, 0, 1);
  GstMemory *original = gst_memory_ref (mem);

  mem = gst_memory_make_writable (mem);
  compare_note (
      side, "two references", "%s", mem == original ? "same" : "copy");

  assert_true (gst_memory_lock (original, GST_LOCK_FLAG_EXCLUSIVE));
  assert_true (gst_memory_lock (original, GST_LOCK_FLAG_EXCLUSIVE));
  compare_settle (side);
  mem = gst_memory_make_writable (mem);
  compare_note (
      side, "two exclusive locks", "%s", mem == original ? "same" : "copy");
  gst_memory_unlock (original, GST_LOCK_FLAG_EXCLUSIVE);
  gst_memory_unlock (original, GST_LOCK_FLAG_EXCLUSIVE);

  compare_memory (side, "copy", mem, 10000);
  compare_write (side, mem, 2);
  compare_settle (side);
  compare_read (side, "original", original, 0, 10000, 1);
  compare_read (side, "copy", mem, 0, 10000, 2);
  gst_memory_unref (mem);
  gst_memory_unref (original);
}

/* Share. */

static void
share_ranges (Side *side, GstMemory *mem, gsize size, gsize start)
{
  const struct
  {
    const gchar *name;
    gssize offset, size;
    gsize expected;
  } ranges[] = {
      {"all", 0, -1, size},
      {"all, by its size", 0, (gssize) size, size},
      {"from the middle", (gssize) size / 2, -1, size - size / 2},
      {"in the middle", 100, 300, 300},
      {"the last byte", (gssize) size - 1, 1, 1},
      {"nothing", 5, 0, 0},
      {"from the end", (gssize) size, -1, 0},
  };
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (ranges); i++) {
    GstMemory *share = gst_memory_share (mem, ranges[i].offset, ranges[i].size);

    compare_case (side,
        "block of %" G_GSIZE_FORMAT ", from %" G_GSIZE_FORMAT ", share: %s",
        size, start, ranges[i].name);
    compare_note (side, "share", "%s", share != NULL ? "some" : "none");
    if (share == NULL)
      continue;
    compare_note (side, "maxsize", "%s the parent's",
        share->maxsize == mem->maxsize ? "as" : "not as");
    compare_note (side, "parent", "%s",
        share->parent == (mem->parent != NULL ? mem->parent : mem) ? "the root"
                                                                   : "another");
    compare_note (side, "share",
        "size %" G_GSIZE_FORMAT ", offset %" G_GSIZE_FORMAT
        ", align %" G_GSIZE_FORMAT ", flags 0x%x, %s, %d references",
        share->size, share->offset, share->align, GST_MINI_OBJECT_FLAGS (share),
        gst_memory_is_writable (share) ? "writable" : "not writable",
        GST_MINI_OBJECT_REFCOUNT_VALUE (share));
    compare_note (side, "root", "%d references, %s",
        GST_MINI_OBJECT_REFCOUNT_VALUE (share->parent),
        gst_memory_is_writable (share->parent) ? "writable" : "not writable");
    compare_read (side, "contents", share, start + (gsize) ranges[i].offset,
        ranges[i].expected, 1);
    for (j = 0; j < G_N_ELEMENTS (map_flags); j++) {
      GstMapInfo info, parent_info;

      if (!compare_map (side, "map of the share", share, &info, map_flags[j]))
        continue;
      if (compare_map (side, "map of the root", share->parent, &parent_info,
              GST_MAP_READ)) {
        compare_note (side, "distance", "%" G_GSSIZE_FORMAT,
            (gssize) (info.data - parent_info.data));
        gst_memory_unmap (share->parent, &parent_info);
      }
      gst_memory_unmap (share, &info);
    }
    gst_memory_unref (share);
  }
  compare_note (side, "root at the end", "%d references, %s",
      GST_MINI_OBJECT_REFCOUNT_VALUE (mem),
      gst_memory_is_writable (mem) ? "writable" : "not writable");
}

static void
shares (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);
    GstMemory *first;

    compare_settle (side);
    share_ranges (side, mem, sizes[i], 0);

    first = gst_memory_share (mem, 50, (gssize) sizes[i] - 100);
    compare_settle (side);
    share_ranges (side, first, sizes[i] - 100, 50);
    gst_memory_unref (first);

    /* What the parent is resized to decides where the share begins. */
    gst_memory_resize (mem, 7, sizes[i] - 14);
    share_ranges (side, mem, sizes[i] - 14, 7);
    gst_memory_unref (mem);
  }
}

/* A share can reach into the prefix and the padding. */
static void
share_beyond (Side *side)
{
  GstMemory *mem = compare_block (side, 10000,
      GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED, 1);
  GstMemory *share;
  GstMapInfo info;

  compare_settle (side);
  share = gst_memory_share (
      mem, -COMPARE_PREFIX, 10000 + COMPARE_PREFIX + COMPARE_PADDING);
  compare_memory (side, "share", share, compare_requested (10000));
  if (compare_map (side, "share", share, &info, GST_MAP_READ)) {
    compare_zeros (side, "prefix", info.data, COMPARE_PREFIX);
    compare_bytes (side, "contents", info.data + COMPARE_PREFIX, 0, 10000, 1);
    compare_zeros (
        side, "padding", info.data + COMPARE_PREFIX + 10000, COMPARE_PADDING);
    gst_memory_unmap (share, &info);
  }
  gst_memory_unref (share);
  share = gst_memory_share (mem, -3, -1);
  compare_memory (
      side, "share from before the start", share, compare_requested (10000));
  gst_memory_unref (share);
  gst_memory_unref (mem);
}

/* The root lives as long as one of its shares, and dies with the last. */
static void
note_death (gpointer data, GstMiniObject *gone)
{
  *(gboolean *) data = TRUE;
}

static void
free_order (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);
    GstMemory *first = gst_memory_share (mem, 100, 1000);
    GstMemory *second = gst_memory_share (first, 100, 500);
    GstMemory *stranger;
    gboolean dead = FALSE;

    compare_case (side, "size %" G_GSIZE_FORMAT, sizes[i]);
    gst_mini_object_weak_ref (GST_MINI_OBJECT (mem), note_death, &dead);
    compare_settle (side);
    compare_note (side, "with both", "%d references",
        GST_MINI_OBJECT_REFCOUNT_VALUE (mem));
    gst_memory_unref (mem);
    compare_note (side, "root, own reference gone", dead ? "dead" : "alive");
    /* Takes the place of the root, if that was given back too early. */
    stranger = compare_block (side, sizes[i], 0, 9);
    gst_memory_unref (first);
    compare_note (side, "root, first gone", dead ? "dead" : "alive");
    compare_settle (side);
    compare_read (side, "second", second, 200, 500, 1);
    compare_read (side, "stranger", stranger, 0, sizes[i], 9);
    gst_memory_unref (second);
    compare_note (side, "root, all gone", dead ? "dead" : "alive");
    compare_read (side, "stranger after that", stranger, 0, sizes[i], 9);
    gst_memory_unref (stranger);
  }
}

/* is_span: every memory against every other. */
static void
is_span (Side *side)
{
  GstMemory *mem = compare_block (side, 10000, 0, 1);
  GstMemory *other = compare_block (side, 10000, 0, 2);
  GstMemory *all[10];
  guint i, j;

  all[0] = gst_memory_share (mem, 0, 100);
  all[1] = gst_memory_share (mem, 100, 300);
  all[2] = gst_memory_share (mem, 400, -1);
  all[3] = gst_memory_share (all[1], 50, 250);
  all[4] = gst_memory_share (mem, 401, 10);
  all[5] = gst_memory_share (mem, 100, 0);
  all[6] = gst_memory_share (other, 100, 300);
  all[7] = gst_memory_share (other, 0, 100);
  all[8] = mem;
  all[9] = other;
  compare_settle (side);

  for (i = 0; i < G_N_ELEMENTS (all); i++) {
    for (j = 0; j < G_N_ELEMENTS (all); j++) {
      gsize offset = 12345;
      gboolean span = gst_memory_is_span (all[i], all[j], &offset);

      compare_case (side, "memory %u and memory %u", i, j);
      compare_note (side, "is_span", "%s", span ? "yes" : "no");
      if (span)
        compare_note (side, "offset", "%" G_GSIZE_FORMAT, offset);
      compare_note (side, "is_span without offset", "%s",
          gst_memory_is_span (all[i], all[j], NULL) ? "yes" : "no");
    }
  }
  for (i = 0; i < G_N_ELEMENTS (all); i++)
    gst_memory_unref (all[i]);
}

/* What is_span() says can be shared in one piece. */
static void
span_is_shared (Side *side)
{
  GstMemory *mem = compare_block (side, 70000, 0, 1);
  GstMemory *first = gst_memory_share (mem, 1000, 30000);
  GstMemory *second = gst_memory_share (mem, 31000, 30000);
  gsize offset = 0;
  GstMemory *both;

  compare_settle (side);
  compare_note (side, "is_span", "%s",
      gst_memory_is_span (first, second, &offset) ? "yes" : "no");
  both = gst_memory_share (first->parent, (gssize) offset, 60000);
  compare_read (side, "both", both, 1000, 60000, 1);
  gst_memory_unref (both);
  gst_memory_unref (first);
  gst_memory_unref (second);
  gst_memory_unref (mem);
}

static const struct CMUnitTest tests[] = {
    COMPARE ("resize", resize),
    COMPARE ("resize and write", resize_and_write),
    COMPARE ("copy", copies),
    COMPARE ("copy of a copy, copy of a share", copy_of_copy),
    COMPARE ("copy while mapped", copy_while_mapped),
    COMPARE ("make writable", make_writable),
    COMPARE ("share, share of a share", shares),
    COMPARE ("share of prefix and padding", share_beyond),
    COMPARE ("a share keeps its root", free_order),
    COMPARE ("is_span", is_span),
    COMPARE ("a span can be shared", span_is_shared),
    COMPARE_END,
};

int
main (int argc, char **argv)
{
  return compare_main (argc, argv, "allocator-memory", tests);
}
