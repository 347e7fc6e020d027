/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.c: tests tracer/foreign.c by itself: what a copy keeps, and what it
 * lets go.
 */
#include "foreign-copies.h"

#include <gst/video/video.h>
#include <string.h>

/* ---- metas ---- */

static const GstMetaInfo *
copied_meta (void)
{
  return number_meta_info ("FmTestCopiedMeta", number_meta_transform);
}

static guint
count_metas (GstBuffer *buffer)
{
  gpointer state = NULL;
  guint n = 0;

  while (gst_buffer_iterate_meta (buffer, &state) != NULL)
    n++;
  return n;
}

/* ---- what is kept ---- */

static void
test_times_and_offsets (void **state)
{
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 1, NULL);
  g_autoptr (GstBuffer) copy = NULL;

  GST_BUFFER_PTS (buffer) = 1001;
  GST_BUFFER_DTS (buffer) = 1002;
  GST_BUFFER_DURATION (buffer) = 1003;
  GST_BUFFER_OFFSET (buffer) = 1004;
  GST_BUFFER_OFFSET_END (buffer) = 1005;
  copy = copy_of (*state, buffer, NULL);
  assert_int_equal (GST_BUFFER_PTS (copy), 1001);
  assert_int_equal (GST_BUFFER_DTS (copy), 1002);
  assert_int_equal (GST_BUFFER_DURATION (copy), 1003);
  assert_int_equal (GST_BUFFER_OFFSET (copy), 1004);
  assert_int_equal (GST_BUFFER_OFFSET_END (copy), 1005);
  check_memory (copy, 0, BLOCK, 1);
}

/* Each by itself, for one that is always set would pass for kept. TAG_MEMORY is
 * the pool's own mark of its memory. */
static void
test_flags (void **state)
{
  guint bit;

  for (bit = 4; bit < 32; bit++) {
    guint flag = 1u << bit;
    g_autoptr (GstBuffer) buffer = NULL;
    g_autoptr (GstBuffer) copy = NULL;

    if (flag == GST_BUFFER_FLAG_TAG_MEMORY)
      continue;
    buffer = wrapped_buffer (1000, bit, NULL);
    GST_BUFFER_FLAG_UNSET (buffer, ~0u << 4);
    GST_BUFFER_FLAG_SET (buffer, flag);
    copy = copy_of (*state, buffer, NULL);
    assert_int_equal (GST_BUFFER_FLAGS (copy) & (~0u << 4)
            & ~(guint) GST_BUFFER_FLAG_TAG_MEMORY,
        flag);
  }
}

static void
test_metas (void **state)
{
  gsize offsets[GST_VIDEO_MAX_PLANES] = {0, 64 * 1200};
  gint strides[GST_VIDEO_MAX_PLANES] = {640, 320};
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 2, NULL);
  g_autoptr (GstBuffer) copy = NULL;
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("timestamp/x-test");
  GstReferenceTimestampMeta *reference;
  GstProtectionMeta *protection;
  GstVideoMeta *video;
  NumberMeta *number;
  guint seven = 7;
  gint iv = 0;

  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_TFF,
      GST_VIDEO_FORMAT_NV12, 600, 100, 2, offsets, strides);
  gst_buffer_add_reference_timestamp_meta (buffer, caps, 55, 66);
  gst_buffer_add_protection_meta (
      buffer, gst_structure_new ("cenc", "iv-size", G_TYPE_INT, 16, NULL));
  gst_buffer_add_meta (buffer, copied_meta (), &seven);

  copy = copy_of (*state, buffer, NULL);
  assert_int_equal (count_metas (copy), count_metas (buffer));
  video = gst_buffer_get_video_meta (copy);
  assert_non_null (video);
  assert_ptr_equal (video->buffer, copy);
  assert_int_equal (video->flags, GST_VIDEO_FRAME_FLAG_TFF);
  assert_int_equal (video->format, GST_VIDEO_FORMAT_NV12);
  assert_int_equal (video->width, 600);
  assert_int_equal (video->height, 100);
  assert_int_equal (video->n_planes, 2);
  assert_int_equal (video->offset[1], offsets[1]);
  assert_int_equal (video->stride[1], strides[1]);
  reference = gst_buffer_get_reference_timestamp_meta (copy, caps);
  assert_non_null (reference);
  assert_int_equal (reference->timestamp, 55);
  assert_int_equal (reference->duration, 66);
  protection = gst_buffer_get_protection_meta (copy);
  assert_non_null (protection);
  assert_true (gst_structure_get_int (protection->info, "iv-size", &iv));
  assert_int_equal (iv, 16);
  number = (NumberMeta *) gst_buffer_get_meta (copy, copied_meta ()->api);
  assert_non_null (number);
  assert_int_equal (number->number, 7);
}

/* ---- memories ---- */

static void
test_several_memories (void **state)
{
  static const gsize sizes[] = {1, 1316, BLOCK, 3 * TESTING_MIB + 5};
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstBuffer) copy = NULL;
  gboolean freed[G_N_ELEMENTS (sizes)];
  gsize all = 0;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    gst_buffer_append_memory (buffer, wrapped_memory (sizes[i], i, &freed[i]));
    all += sizes[i];
  }
  assert_int_equal (foreign_bytes (buffer, ((Fixture *) *state)->ours), all);
  copy = copy_of (*state, buffer, NULL);
  gst_clear_buffer (&buffer);
  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    assert_true (freed[i]);
    check_memory (copy, i, sizes[i], i);
  }
}

static void
test_mixed_memories (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstBuffer) copy = NULL;
  GstMemory *mine = our_memory (fixture, BLOCK, 1);
  gboolean freed;

  gst_buffer_append_memory (buffer, wrapped_memory (BLOCK, 0, &freed));
  gst_buffer_append_memory (buffer, mine);
  gst_buffer_append_memory (buffer, wrapped_memory (BLOCK, 2, NULL));
  assert_int_equal (foreign_bytes (buffer, fixture->ours), 2 * BLOCK);
  copy = copy_of (fixture, buffer, NULL);
  assert_ptr_equal (gst_buffer_peek_memory (copy, 1), mine);
  gst_clear_buffer (&buffer);
  assert_true (freed);
  check_memory (copy, 0, BLOCK, 0);
  check_memory (copy, 1, BLOCK, 1);
  check_memory (copy, 2, BLOCK, 2);
}

/* What is left of a memory after gst_buffer_resize() is copied, no more. */
static void
test_resized_memory (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstBuffer) copy = NULL;
  guint8 expected[1000];
  GstMapInfo info;
  g_autofree guint8 *all = g_malloc (BLOCK);

  testing_fill (all, BLOCK, 3);
  memcpy (expected, all + 500, sizeof expected);
  gst_buffer_append_memory (buffer, wrapped_memory (BLOCK, 3, NULL));
  gst_buffer_resize (buffer, 500, sizeof expected);
  copy = copy_of (*state, buffer, NULL);
  assert_true (gst_buffer_map (copy, &info, GST_MAP_READ));
  assert_int_equal (info.size, sizeof expected);
  assert_memory_equal (info.data, expected, sizeof expected);
  assert_true (info.maxsize < 2 * sizeof expected);
  gst_buffer_unmap (copy, &info);
}

/* The parent of 8 MiB goes at once, though nothing but the copy of a small part
 * remains. */
static void
test_slice_of_large_parent (void **state)
{
  Fixture *fixture = *state;
  gboolean freed;
  GstMemory *whole = wrapped_memory (8 * TESTING_MIB, 4, &freed);
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstBuffer) copy = NULL;
  g_autoptr (GstStructure) stats = NULL;
  guint64 live = 0;

  gst_buffer_append_memory (buffer, gst_memory_share (whole, 0, 1316));
  gst_memory_unref (whole);
  assert_false (freed);
  assert_int_equal (foreign_bytes (buffer, fixture->ours), 1316);
  copy = copy_of (fixture, buffer, NULL);
  gst_clear_buffer (&buffer);
  assert_true (freed);
  stats =
      gst_file_mem_allocator_get_stats (GST_FILE_MEM_ALLOCATOR (fixture->ours));
  assert_true (gst_structure_get_uint64 (stats, "live-bytes", &live));
  assert_in_range (live, 1316, 4096);
}

/* A part of a block of ours is ours. */
static void
test_slice_of_ours (void **state)
{
  Fixture *fixture = *state;
  GstMemory *whole = our_memory (fixture, BLOCK, 5);
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, gst_memory_share (whole, 10, 1000));
  gst_memory_unref (whole);
  assert_int_equal (foreign_bytes (buffer, fixture->ours), 0);
}

static void
test_parent_buffer_meta (void **state)
{
  gboolean freed;
  g_autoptr (GstBuffer) parent = wrapped_buffer (TESTING_MIB, 6, &freed);
  g_autoptr (GstBuffer) buffer =
      gst_buffer_copy_region (parent, GST_BUFFER_COPY_MEMORY, 0, 1316);
  g_autoptr (GstBuffer) copy = NULL;
  guint seven = 7;

  gst_buffer_add_parent_buffer_meta (buffer, parent);
  gst_buffer_add_parent_buffer_meta (buffer, parent);
  gst_buffer_add_meta (buffer, copied_meta (), &seven);
  gst_clear_buffer (&parent);
  copy = copy_of (*state, buffer, NULL);
  assert_non_null (gst_buffer_get_parent_buffer_meta (buffer));
  gst_clear_buffer (&buffer);
  assert_true (freed);
  assert_null (gst_buffer_get_parent_buffer_meta (copy));
  assert_non_null (gst_buffer_get_meta (copy, copied_meta ()->api));
}

static void
test_empty (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  assert_int_equal (foreign_bytes (buffer, fixture->ours), 0);
}

static void
test_memory_without_type (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();
  g_autoptr (GstBuffer) copy = NULL;

  gst_buffer_append_memory (buffer, fake_memory (NULL, 0, TRUE));
  copy = copy_of (*state, buffer, NULL);
}

/* ---- an earlier copy ---- */

static void
test_earlier_copy (void **state)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 10, NULL);
  g_autoptr (GstBuffer) tee = gst_buffer_ref (buffer);
  g_autoptr (GstBuffer) first = NULL, second = NULL;

  assert_false (fm_foreign_is_among (buffer, copies));
  first = copy_of (*state, buffer, copies);
  assert_true (fm_foreign_is_among (buffer, copies));
  second = copy_of (*state, buffer, copies);
  assert_ptr_not_equal (first, second);
  assert_ptr_equal (
      gst_buffer_peek_memory (first, 0), gst_buffer_peek_memory (second, 0));
  /* The metadata is that of the buffer, not of the earlier copy. */
  gst_clear_buffer (&tee);
  buffer = gst_buffer_make_writable (buffer);
  GST_BUFFER_PTS (buffer) = 5;
  gst_clear_buffer (&second);
  second = copy_of (*state, buffer, copies);
  assert_int_equal (GST_BUFFER_PTS (second), 5);
}

/* Another buffer of the same memory, as an element makes of what it changes. */
static void
test_earlier_copy_of_memory (void **state)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 10, NULL);
  g_autoptr (GstBuffer) changed = gst_buffer_copy (buffer);
  g_autoptr (GstBuffer) first = copy_of (*state, buffer, copies);
  g_autoptr (GstBuffer) second = copy_of (*state, changed, copies);

  assert_ptr_equal (
      gst_buffer_peek_memory (first, 0), gst_buffer_peek_memory (second, 0));
}

/* What somebody may write at any moment is not given to others as well; nor may
 * he write any more what others have. */
static void
test_earlier_copy_that_is_written (void **state)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 3, NULL);
  g_autoptr (GstBuffer) again = gst_buffer_copy (buffer);
  g_autoptr (GstBuffer) first = copy_of (*state, buffer, copies);
  g_autoptr (GstBuffer) second = NULL, third = NULL;
  GstMapInfo map;

  assert_true (gst_buffer_map (first, &map, GST_MAP_READWRITE));
  second = copy_of (*state, again, copies);
  memset (map.data, 0xee, map.size);
  gst_buffer_unmap (first, &map);
  check_memory (second, 0, BLOCK, 3);

  third = copy_of (*state, again, copies);
  assert_ptr_equal (
      gst_buffer_peek_memory (third, 0), gst_buffer_peek_memory (second, 0));
  assert_true (gst_buffer_map (second, &map, GST_MAP_READWRITE));
  memset (map.data, 0xee, map.size);
  gst_buffer_unmap (second, &map);
  check_memory (third, 0, BLOCK, 3);
}

/* He may have it without the buffer. */
static void
test_earlier_copy_that_is_written_alone (void **state)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 3, NULL);
  g_autoptr (GstBuffer) again = gst_buffer_copy (buffer);
  g_autoptr (GstBuffer) first = copy_of (*state, buffer, copies);
  g_autoptr (GstBuffer) second = NULL;
  g_autoptr (GstMemory) mem = gst_buffer_get_memory (first, 0);
  GstMapInfo map;

  gst_clear_buffer (&first);
  assert_true (gst_memory_map (mem, &map, GST_MAP_READWRITE));
  second = copy_of (*state, again, copies);
  memset (map.data, 0xee, map.size);
  gst_memory_unmap (mem, &map);
  check_memory (second, 0, BLOCK, 3);
}

/* Nobody else has it: there is nothing to keep a copy for. */
static void
test_no_earlier_copy (void **state)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 10, NULL);
  g_autoptr (GstBuffer) copy = copy_of (*state, buffer, copies);

  assert_int_equal (g_hash_table_size (copies), 0);
  assert_int_equal (
      GST_MINI_OBJECT_REFCOUNT_VALUE (gst_buffer_peek_memory (copy, 0)), 1);
}

/* Memory that was written again since, as that of a pool is, or that is at the
 * address of another. */
static void
test_earlier_copy_of_other_bytes (void **state)
{
  static const gsize sizes[] = {BLOCK, BLOCK, BLOCK - 1};
  g_autoptr (GstBuffer) other = wrapped_buffer (BLOCK, 11, NULL);
  g_autoptr (GstBuffer) first = copy_of (*state, other, NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
    g_autoptr (GstBuffer) buffer = wrapped_buffer (sizes[i], 11 + i, NULL);
    g_autoptr (GstBuffer) copy = NULL;

    g_hash_table_insert (copies, gst_buffer_peek_memory (buffer, 0),
        gst_buffer_get_memory (first, 0));
    copy = copy_of (*state, buffer, copies);
    check_memory (copy, 0, sizes[i], 11 + i);
    assert_true (
        (gst_buffer_peek_memory (first, 0) == gst_buffer_peek_memory (copy, 0))
        == (i == 0));
  }
}

/* ---- pools ---- */

static void
test_pool_recycles (void **state)
{
  Fixture *fixture = *state;
  GstBufferPool *pool = counting_pool_new (4);
  g_autoptr (GPtrArray) copies =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  guint i;

  for (i = 0; i < 100; i++) {
    GstBuffer *buffer = acquire (pool);
    GstMapInfo info;

    assert_true (gst_buffer_map (buffer, &info, GST_MAP_WRITE));
    testing_fill (info.data, info.size, i);
    gst_buffer_unmap (buffer, &info);
    g_ptr_array_add (copies, copy_of (fixture, buffer, NULL));
    gst_buffer_unref (buffer);
  }
  assert_int_equal (counting_pool_created (pool), 4);
  for (i = 0; i < copies->len; i++) {
    GstBuffer *copy = g_ptr_array_index (copies, i);

    assert_null (copy->pool);
    check_memory (copy, 0, BLOCK, i);
  }
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
}

int
main (int argc, char **argv)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_times_and_offsets),
      TEST (test_flags),
      TEST (test_metas),
      TEST (test_several_memories),
      TEST (test_mixed_memories),
      TEST (test_resized_memory),
      TEST (test_slice_of_large_parent),
      TEST (test_slice_of_ours),
      TEST (test_parent_buffer_meta),
      TEST (test_empty),
      TEST (test_memory_without_type),
      TEST (test_earlier_copy),
      TEST (test_earlier_copy_of_memory),
      TEST (test_earlier_copy_that_is_written),
      TEST (test_earlier_copy_that_is_written_alone),
      TEST (test_no_earlier_copy),
      TEST (test_earlier_copy_of_other_bytes),
      TEST (test_pool_recycles),
  };
#undef TEST

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
