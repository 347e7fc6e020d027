/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign-left.c: tests tracer/foreign.c by itself: what is left alone, and
 * why.
 */
#include "foreign-copies.h"

#include <gst/video/video.h>

#include "video-meta.h"

static void
check_left_alone (Fixture *fixture, GstBuffer *buffer, FmLeftAlone expected)
{
  guint n = gst_buffer_n_memory (buffer);
  FmLeftAlone why = FM_NOT_LEFT_ALONE;

  assert_null (try_copy (fixture, buffer, &why));
  assert_int_equal (why, expected);
  assert_int_equal (gst_buffer_n_memory (buffer), n);
  assert_int_equal (GST_MINI_OBJECT_REFCOUNT_VALUE (buffer), 1);
}

static gboolean
init_nothing (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  return TRUE;
}

static void
test_meta_that_would_be_lost (void **state)
{
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 7, NULL);

  gst_buffer_add_meta (buffer, number_meta_info ("FmTestLostMeta", NULL), NULL);
  check_left_alone (*state, buffer, FM_LEFT_META);
}

/* As ximagesrc's: of the memory, which it gives back, and with no function. */
static void
test_meta_of_the_memory (void **state)
{
  static const gchar *tags[] = {GST_META_TAG_MEMORY_STR, NULL};
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 7, NULL);
  g_autoptr (GstBuffer) copy = NULL;
  gpointer iterator = NULL;
  GType api = gst_meta_api_type_register ("FmTestMemoryMetaAPI", tags);

  gst_buffer_add_meta (buffer,
      gst_meta_register (
          api, "FmTestMemoryMeta", sizeof (GstMeta), init_nothing, NULL, NULL),
      NULL);
  copy = copy_of (*state, buffer, NULL);
  assert_null (gst_buffer_iterate_meta (copy, &iterator));
  assert_non_null (gst_buffer_get_meta (buffer, api));
  check_memory (copy, 0, BLOCK, 7);
}

G_STATIC_ASSERT (offsetof (FmVideoMeta, map) == offsetof (GstVideoMeta, map));

static gboolean
map_own_surface (GstVideoMeta *meta, guint plane, GstMapInfo *info,
    gpointer *data, gint *stride, GstMapFlags flags)
{
  return FALSE;
}

/* As those of VA-API have it: the function takes the memory for its own. */
static void
test_video_that_maps_itself (void **state)
{
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 7, NULL);
  g_autoptr (GstBuffer) copy = NULL;
  GstVideoMeta *meta = gst_buffer_add_video_meta (
      buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 64, 64);

  copy = copy_of (*state, buffer, NULL);
  assert_non_null (gst_buffer_get_video_meta (copy));
  meta->map = map_own_surface;
  check_left_alone (*state, buffer, FM_LEFT_META);
}

/* It has a function, which does nothing. */
static void
test_meta_that_refuses (void **state)
{
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 7, NULL);

  gst_buffer_add_meta (
      buffer, number_meta_info ("FmTestRefusingMeta", refuse_transform), NULL);
  check_left_alone (*state, buffer, FM_LEFT_META);
}

static void
test_not_mappable (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  gst_buffer_append_memory (
      buffer, fake_memory ("test", GST_MEMORY_FLAG_NOT_MAPPABLE, TRUE));
  check_left_alone (*state, buffer, FM_LEFT_NOT_MAPPABLE);
}

/* It does not say so before. */
static void
test_map_fails (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, wrapped_memory (BLOCK, 8, NULL));
  gst_buffer_append_memory (buffer, fake_memory ("test", 0, FALSE));
  check_left_alone (*state, buffer, FM_LEFT_NOT_MAPPABLE);
}

static void
test_dmabuf (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, wrapped_memory (BLOCK, 8, NULL));
  gst_buffer_append_memory (buffer, fake_memory ("dmabuf", 0, TRUE));
  check_left_alone (*state, buffer, FM_LEFT_DEVICE);
}

static void
test_contiguous (void **state)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer,
      fake_memory ("test", GST_MEMORY_FLAG_PHYSICALLY_CONTIGUOUS, TRUE));
  check_left_alone (*state, buffer, FM_LEFT_DEVICE);
}

static guint64
fallbacks (Fixture *fixture)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 n = G_MAXUINT64;

  g_object_get (fixture->ours, "stats", &stats, NULL);
  assert_true (gst_structure_get_uint64 (stats, "fallbacks", &n));
  return n;
}

/* No system memory stands in for a block, nor is it counted. */
static void
test_no_room (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) copies =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  g_autoptr (GstBuffer) buffer = wrapped_buffer (4 * TESTING_MIB, 9, NULL);
  FmLeftAlone why = FM_NOT_LEFT_ALONE;
  GstBuffer *copy;
  guint i;

  while ((copy = try_copy (fixture, buffer, &why)) != NULL) {
    assert_int_equal (foreign_bytes (copy, fixture->ours), 0);
    g_ptr_array_add (copies, copy);
    assert_true (copies->len <= 16);
  }
  assert_int_equal (why, FM_LEFT_NO_ROOM);
  assert_int_equal (fallbacks (fixture), 0);
  assert_true (copies->len >= 8);
  for (i = 0; i < copies->len; i++)
    check_memory (g_ptr_array_index (copies, i), 0, 4 * TESTING_MIB, 9);
  /* And there is again, when one has gone. */
  g_ptr_array_set_size (copies, 0);
  g_ptr_array_add (copies, copy_of (fixture, buffer, NULL));
}

int
main (int argc, char **argv)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_meta_that_would_be_lost),
      TEST (test_meta_of_the_memory),
      TEST (test_video_that_maps_itself),
      TEST (test_meta_that_refuses),
      TEST (test_not_mappable),
      TEST (test_map_fails),
      TEST (test_dmabuf),
      TEST (test_contiguous),
      TEST (test_no_room),
  };
#undef TEST

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
