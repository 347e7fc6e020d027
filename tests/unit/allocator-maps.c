/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-maps.c: maps of a GstMemory, compared with system memory: inside
 * each other, of a block and its shares, read-only and write-only, in many
 * threads, and what a pointer shows after the unmap.
 */
#include "compare.h"

#include <string.h>

#define READERS 4
#define READS 200

static const gsize sizes[] = {1316, 65537, 4 * 1024 * 1024 + 4097};

static const GstMapFlags map_flags[] = {
    GST_MAP_READ, GST_MAP_WRITE, GST_MAP_READWRITE};

/* Three maps inside each other, of all kinds: which work, and that all of them
 * see the same bytes at the same place. */
static void
nested_maps (Side *side)
{
  GstMemory *mem = compare_block (side, 10000, 0, 1);
  guint n = G_N_ELEMENTS (map_flags);
  guint i, j;

  for (i = 0; i < n * n * n; i++) {
    guint kinds[] = {i % n, i / n % n, i / n / n};
    GstMapInfo info[3];
    gboolean ok[3];

    compare_case (side, "maps with flags 0x%x, 0x%x, 0x%x", map_flags[kinds[0]],
        map_flags[kinds[1]], map_flags[kinds[2]]);
    if (i % n == 0)
      compare_settle (side);
    for (j = 0; j < 3; j++) {
      ok[j] = compare_map (side, "map", mem, &info[j], map_flags[kinds[j]]);
      if (ok[j]) {
        compare_bytes (side, "contents", info[j].data, 0, info[j].size, 1);
        compare_check (side, info[j].data == info[0].data,
            "map %u is at another address", j);
      }
    }
    /* Outermost first: an inner map keeps the block in place by itself. */
    for (j = 0; j < 3; j++) {
      if (ok[j])
        gst_memory_unmap (mem, &info[j]);
      if (j < 2 && ok[2])
        compare_bytes (side, "last map", info[2].data, 0, info[2].size, 1);
    }
    compare_memory (side, "block", mem, compare_requested (10000));
  }
  gst_memory_unref (mem);
}

/* Root and share, mapped at the same time in all ways; sharing what is mapped
 * for writing is refused. */
static void
maps_and_shares (Side *side)
{
  GstMemory *mem = compare_block (side, 10000, 0, 1);
  guint i, j;

  for (i = 0; i < G_N_ELEMENTS (map_flags); i++) {
    for (j = 0; j < G_N_ELEMENTS (map_flags); j++) {
      GstMapInfo info, share_info;
      GstMemory *share = gst_memory_share (mem, 10, 100);
      GstMemory *late;

      compare_case (side, "root 0x%x, share 0x%x", map_flags[i], map_flags[j]);
      compare_settle (side);
      if (compare_map (side, "root", mem, &info, map_flags[i])) {
        if (compare_map (side, "share", share, &share_info, map_flags[j])) {
          compare_note (side, "distance", "%" G_GSSIZE_FORMAT,
              (gssize) (share_info.data - info.data));
          gst_memory_unmap (share, &share_info);
        }
        gst_memory_unmap (mem, &info);
      }
      if (compare_map (side, "share first", share, &share_info, map_flags[j])) {
        if (compare_map (side, "root second", mem, &info, map_flags[i]))
          gst_memory_unmap (mem, &info);
        gst_memory_unmap (share, &share_info);
      }
      gst_memory_unref (share);

      if (compare_map (side, "root alone", mem, &info, map_flags[i])) {
        late = gst_memory_share (mem, 20, 30);
        compare_note (
            side, "share while mapped", "%s", late != NULL ? "some" : "none");
        g_clear_pointer (&late, gst_memory_unref);
        gst_memory_unmap (mem, &info);
      }
    }
  }
  compare_read (side, "contents", mem, 0, 10000, 1);
  gst_memory_unref (mem);
}

static void
exclusive_locks (Side *side)
{
  GstMemory *mem = compare_block (side, 10000, 0, 1);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (map_flags); i++) {
    GstMapInfo info;
    guint held;

    for (held = 0; held < 3; held++) {
      guint j;

      compare_case (side, "flags 0x%x, %u exclusive locks", map_flags[i], held);
      for (j = 0; j < held; j++)
        compare_note (side, "lock", "%s",
            gst_memory_lock (mem, GST_LOCK_FLAG_EXCLUSIVE) ? "yes" : "no");
      compare_note (side, "block", "%s",
          gst_memory_is_writable (mem) ? "writable" : "not writable");
      if (compare_map (side, "map", mem, &info, map_flags[i]))
        gst_memory_unmap (mem, &info);
      for (j = 0; j < held; j++)
        gst_memory_unlock (mem, GST_LOCK_FLAG_EXCLUSIVE);
    }
  }
  gst_memory_unref (mem);
}

/* A map for writing alone shows the old bytes; what it leaves stays. */
static void
write_only (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);
    GstMapInfo info;

    compare_case (side, "size %" G_GSIZE_FORMAT, sizes[i]);
    compare_settle (side);
    if (compare_map (side, "write", mem, &info, GST_MAP_WRITE)) {
      compare_bytes (side, "old bytes", info.data, 0, info.size, 1);
      memset (info.data + 500, 0x5a, 10);
      gst_memory_unmap (mem, &info);
    }
    compare_settle (side);
    if (compare_map (side, "read", mem, &info, GST_MAP_READ)) {
      compare_bytes (side, "before", info.data, 0, 500, 1);
      compare_check (side, info.data[500] == 0x5a && info.data[509] == 0x5a,
          "the new bytes are lost");
      compare_bytes (side, "after", info.data + 510, 510, info.size - 510, 1);
      gst_memory_unmap (mem, &info);
    }
    gst_memory_unref (mem);
  }
}

/* The address of a block never changes, and shows the right bytes to code that
 * reads through a pointer that it has unmapped. */
static void
unmapped_pointer (Side *side)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GstMemory *mem = compare_block (side, sizes[i], 0, 1);
    GstMapInfo info, again;

    compare_case (side, "size %" G_GSIZE_FORMAT, sizes[i]);
    assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
    gst_memory_unmap (mem, &info);
    compare_settle (side);
    compare_bytes (side, "through the old pointer", info.data, 0, sizes[i], 1);
    if (compare_map (side, "map", mem, &again, GST_MAP_READ)) {
      compare_check (side, again.data == info.data, "the block has moved");
      compare_bytes (side, "contents", again.data, 0, sizes[i], 1);
      gst_memory_unmap (mem, &again);
    }
    gst_memory_unref (mem);
  }
}

/* A block that stays mapped while others go to disk. */
static void
mapped_while_spilling (Side *side)
{
  GstMemory *mem = compare_alloc (side, 100000, NULL);
  GstMemory *share;
  GstMapInfo info;

  if (compare_map (side, "write", mem, &info, GST_MAP_WRITE)) {
    compare_fill (info.data, 50000, 1);
    compare_settle (side);
    compare_bytes (side, "first half", info.data, 0, 50000, 1);
    compare_fill (info.data, 100000, 2);
    compare_settle (side);
    gst_memory_unmap (mem, &info);
  }
  share = gst_memory_share (mem, 500, 1000);
  if (compare_map (side, "share", share, &info, GST_MAP_READ)) {
    compare_settle (side);
    compare_bytes (side, "share", info.data, 500, 1000, 2);
    gst_memory_unmap (share, &info);
  }
  gst_memory_unref (share);
  compare_settle (side);
  compare_read (side, "contents", mem, 0, 100000, 2);
  gst_memory_unref (mem);
}

/* gst_memory_make_mapped() copies what can't be mapped as it is. */
static void
make_mapped (Side *side)
{
  static const guint flags[] = {0, GST_MEMORY_FLAG_READONLY};
  guint i, j, held;

  for (i = 0; i < G_N_ELEMENTS (flags); i++) {
    for (j = 0; j < G_N_ELEMENTS (map_flags); j++) {
      for (held = 0; held < 2; held++) {
        GstMemory *mem = compare_block (side, 10000, 0, 1);
        GstMemory *keep = gst_memory_ref (mem);
        GstMemory *share = gst_memory_share (mem, 0, -1);
        GstMemory *result;
        GstMapInfo info, other;
        gboolean ok = FALSE;

        compare_case (side, "flags 0x%x, map flags 0x%x, %s", flags[i],
            map_flags[j], held ? "mapped already" : "not mapped");
        GST_MINI_OBJECT_FLAG_SET (mem, flags[i]);
        compare_settle (side);
        if (held)
          ok = compare_map (side, "first", mem, &other, GST_MAP_READ);

        result = gst_memory_make_mapped (mem, &info, map_flags[j]);
        compare_note (side, "block", "%s",
            result == mem        ? "same"
                : result == NULL ? "none"
                                 : "copy");
        if (result != NULL) {
          compare_bytes (side, "block", info.data, 0, info.size, 1);
          gst_memory_unmap (result, &info);
          gst_memory_unref (result);
        }

        result = gst_memory_make_mapped (share, &info, map_flags[j]);
        compare_note (side, "share", "%s",
            result == share      ? "same"
                : result == NULL ? "none"
                                 : "copy");
        if (result != NULL) {
          compare_bytes (side, "share", info.data, 0, info.size, 1);
          gst_memory_unmap (result, &info);
          gst_memory_unref (result);
        }
        if (ok)
          gst_memory_unmap (keep, &other);
        gst_memory_unref (keep);
      }
    }
  }
}

/* Many threads read one block and its shares. */
typedef struct
{
  GstMemory *mem;
  guint wrong;
} Reader;

static gpointer
read_often (gpointer data)
{
  Reader *reader = data;
  guint i;

  for (i = 0; i < READS; i++) {
    GstMemory *share = gst_memory_share (reader->mem, i, 1000);
    GstMapInfo info, share_info;

    if (!gst_memory_map (reader->mem, &info, GST_MAP_READ)) {
      reader->wrong++;
    } else {
      if (!gst_memory_map (share, &share_info, GST_MAP_READ)) {
        reader->wrong++;
      } else {
        if (share_info.data != info.data + i
            || memcmp (share_info.data, info.data + i, 1000) != 0)
          reader->wrong++;
        gst_memory_unmap (share, &share_info);
      }
      gst_memory_unmap (reader->mem, &info);
    }
    gst_memory_unref (share);
  }
  return NULL;
}

static void
concurrent_maps (Side *side)
{
  GstMemory *mem = compare_block (side, 300000, 0, 1);
  Reader readers[READERS];
  GThread *threads[READERS];
  guint i;

  compare_settle (side);
  for (i = 0; i < READERS; i++) {
    readers[i] = (Reader){mem, 0};
    threads[i] = g_thread_new ("reader", read_often, &readers[i]);
  }
  compare_settle (side);
  for (i = 0; i < READERS; i++) {
    g_thread_join (threads[i]);
    compare_note (side, "wrong", "%u", readers[i].wrong);
    compare_check (side, readers[i].wrong == 0, "a reader saw wrong bytes");
  }
  compare_memory (side, "block", mem, compare_requested (300000));
  compare_read (side, "contents", mem, 0, 300000, 1);
  gst_memory_unref (mem);
}

static const struct CMUnitTest tests[] = {
    COMPARE ("maps inside maps", nested_maps),
    COMPARE ("maps of root and share", maps_and_shares),
    COMPARE ("exclusive locks", exclusive_locks),
    COMPARE ("write-only maps keep the bytes", write_only),
    COMPARE ("the address stays", unmapped_pointer),
    COMPARE ("mapped while others are spilled", mapped_while_spilling),
    COMPARE ("make mapped", make_mapped),
    COMPARE ("maps in many threads", concurrent_maps),
    COMPARE_END,
};

int
main (int argc, char **argv)
{
  return compare_main (argc, argv, "allocator-maps", tests);
}
