/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign.c: tests tracer/foreign.c and tracer/holdings.c by themselves: what a
 * copy keeps, what it lets go, what is left alone and why, and what a queue is
 * said to hold.
 *
 * The allocator is one of the test's own, with a small file, and never the
 * default: so everything else in this program is foreign.
 */
#include "foreign.h"
#include "holdings.h"

#include <gst/filemem/filemem.h>
#include <gst/video/video.h>

#include "../../unit/testing.h"

#include <string.h>

#define BLOCK ((gsize) 100 * 1000)
#define PATIENCE (10 * G_USEC_PER_SEC)

typedef struct
{
  gchar *dir;
  GstAllocator *ours;
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autofree gchar *options = NULL;
  GError *error = NULL;

  fixture->dir = testing_dir_new ();
  options = g_strdup_printf ("dir=%s,size=64M,ram=0,reserve=0", fixture->dir);
  fixture->ours = gst_file_mem_allocator_new (options, &error);
  if (fixture->ours == NULL)
    fail_msg ("%s", error->message);
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  gst_object_unref (fixture->ours);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

/* ---- memory of all kinds ---- */

/* An allocator of which everything can be faked. */
typedef GstAllocator FakeAllocator;
typedef GstAllocatorClass FakeAllocatorClass;
static GType fake_allocator_get_type (void);
G_DEFINE_TYPE (FakeAllocator, fake_allocator, GST_TYPE_ALLOCATOR)

typedef struct
{
  GstMemory parent;
  guint8 *data; /* NULL: can't be mapped */
} FakeMemory;

static gpointer
fake_map (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  return ((FakeMemory *) mem)->data;
}

static void
fake_unmap (GstMemory *mem)
{
}

static void
fake_free (GstAllocator *allocator, GstMemory *mem)
{
  g_free (((FakeMemory *) mem)->data);
  g_free (mem);
}

static void
fake_allocator_class_init (FakeAllocatorClass *klass)
{
  klass->free = fake_free;
}

static void
fake_allocator_init (FakeAllocator *allocator)
{
  allocator->mem_map = fake_map;
  allocator->mem_unmap = fake_unmap;
  GST_OBJECT_FLAG_SET (allocator, GST_ALLOCATOR_FLAG_CUSTOM_ALLOC);
}

static GstMemory *
fake_memory (const gchar *mem_type, GstMemoryFlags flags, gboolean mappable)
{
  g_autoptr (GstAllocator) allocator =
      g_object_new (fake_allocator_get_type (), NULL);
  FakeMemory *mem = g_new0 (FakeMemory, 1);

  gst_object_ref_sink (allocator);
  allocator->mem_type = mem_type;
  mem->data = mappable ? g_malloc0 (BLOCK) : NULL;
  gst_memory_init (
      GST_MEMORY_CAST (mem), flags, allocator, NULL, BLOCK, 0, 0, BLOCK);
  return GST_MEMORY_CAST (mem);
}

typedef struct
{
  gboolean *freed;
  guint8 *data;
} Wrapped;

static void
wrapped_free (gpointer data)
{
  Wrapped *wrapped = data;

  if (wrapped->freed != NULL)
    *wrapped->freed = TRUE;
  g_free (wrapped->data);
  g_free (wrapped);
}

static GstMemory *
wrapped_memory (gsize size, guint seed, gboolean *ret_freed)
{
  Wrapped *wrapped = g_new0 (Wrapped, 1);

  wrapped->freed = ret_freed;
  wrapped->data = g_malloc (size);
  testing_fill (wrapped->data, size, seed);
  if (ret_freed != NULL)
    *ret_freed = FALSE;
  return gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY, wrapped->data, size,
      0, size, wrapped, wrapped_free);
}

static GstMemory *
our_memory (Fixture *fixture, gsize size, guint seed)
{
  GstMemory *mem = gst_allocator_alloc (fixture->ours, size, NULL);
  GstMapInfo info;

  assert_ptr_equal (mem->allocator, fixture->ours);
  assert_true (gst_memory_map (mem, &info, GST_MAP_WRITE));
  testing_fill (info.data, size, seed);
  gst_memory_unmap (mem, &info);
  return mem;
}

static GstBuffer *
wrapped_buffer (gsize size, guint seed, gboolean *ret_freed)
{
  GstBuffer *buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, wrapped_memory (size, seed, ret_freed));
  return buffer;
}

static void
check_memory (GstBuffer *buffer, guint index, gsize size, guint seed)
{
  GstMemory *mem = gst_buffer_peek_memory (buffer, index);
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
  assert_int_equal (info.size, size);
  assert_true (testing_is_filled (info.data, size, seed));
  gst_memory_unmap (mem, &info);
}

static gsize
foreign_bytes (GstBuffer *buffer, GstAllocator *ours)
{
  gpointer last = NULL;
  gsize kept;

  return fm_foreign_bytes (buffer, ours, &kept, &last);
}

static GstBuffer *
try_copy (Fixture *fixture, GstBuffer *buffer, FmLeftAlone *ret_why)
{
  g_autoptr (GHashTable) copies = fm_foreign_copies_new ();
  gsize copied;

  return fm_foreign_copy (buffer, fixture->ours, copies, &copied, ret_why);
}

/* The copy, in which nothing is foreign. @earlier may be NULL. */
static GstBuffer *
copy_of (Fixture *fixture, GstBuffer *buffer, GHashTable *earlier)
{
  FmLeftAlone why = FM_LEFT_FAILED;
  gsize copied;
  GstBuffer *copy = earlier == NULL
      ? try_copy (fixture, buffer, &why)
      : fm_foreign_copy (buffer, fixture->ours, earlier, &copied, &why);

  assert_non_null (copy);
  assert_int_equal (why, FM_NOT_LEFT_ALONE);
  assert_ptr_not_equal (copy, buffer);
  assert_int_equal (foreign_bytes (copy, fixture->ours), 0);
  assert_int_equal (gst_buffer_n_memory (copy), gst_buffer_n_memory (buffer));
  return copy;
}

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

/* ---- metas ---- */

typedef struct
{
  GstMeta meta;
  guint number;
} NumberMeta;

static gboolean
number_meta_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  ((NumberMeta *) meta)->number = params != NULL ? *(guint *) params : 0;
  return TRUE;
}

static gboolean
number_meta_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data)
{
  return gst_buffer_add_meta (to, meta->info, &((NumberMeta *) meta)->number)
      != NULL;
}

static gboolean
refuse_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data)
{
  return FALSE;
}

static const GstMetaInfo *
number_meta_info (const gchar *name, GstMetaTransformFunction transform)
{
  static const gchar *const no_tags[] = {NULL};
  g_autofree gchar *api_name = g_strdup_printf ("%sAPI", name);
  const GstMetaInfo *info = gst_meta_get_info (name);

  if (info != NULL)
    return info;
  return gst_meta_register (
      gst_meta_api_type_register (api_name, (const gchar **) no_tags), name,
      sizeof (NumberMeta), number_meta_init, NULL, transform);
}

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

/* ---- what is left alone ---- */

static void
test_meta_that_would_be_lost (void **state)
{
  g_autoptr (GstBuffer) buffer = wrapped_buffer (BLOCK, 7, NULL);

  gst_buffer_add_meta (buffer, number_meta_info ("FmTestLostMeta", NULL), NULL);
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

/* The system memory that stands in for a block is not taken. */
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
  assert_true (copies->len >= 8);
  for (i = 0; i < copies->len; i++)
    check_memory (g_ptr_array_index (copies, i), 0, 4 * TESTING_MIB, 9);
  /* And there is again, when one has gone. */
  g_ptr_array_set_size (copies, 0);
  g_ptr_array_add (copies, copy_of (fixture, buffer, NULL));
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

typedef struct
{
  GstBufferPool parent;
  guint created;
} CountingPool;
typedef GstBufferPoolClass CountingPoolClass;
static GType counting_pool_get_type (void);
G_DEFINE_TYPE (CountingPool, counting_pool, GST_TYPE_BUFFER_POOL)

static GstFlowReturn
counting_alloc (
    GstBufferPool *pool, GstBuffer **buffer, GstBufferPoolAcquireParams *params)
{
  ((CountingPool *) pool)->created++;
  return GST_BUFFER_POOL_CLASS (counting_pool_parent_class)
      ->alloc_buffer (pool, buffer, params);
}

static void
counting_pool_class_init (CountingPoolClass *klass)
{
  klass->alloc_buffer = counting_alloc;
}

static void
counting_pool_init (CountingPool *pool)
{
}

static GstBufferPool *
counting_pool_new (guint n)
{
  GstBufferPool *pool = g_object_new (counting_pool_get_type (), NULL);
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_object_ref_sink (pool);
  gst_buffer_pool_config_set_params (config, NULL, BLOCK, n, n);
  assert_true (gst_buffer_pool_set_config (pool, config));
  assert_true (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static GstBuffer *
acquire (GstBufferPool *pool)
{
  GstBufferPoolAcquireParams params = {
      .flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT};
  GstBuffer *buffer = NULL;

  assert_int_equal (
      gst_buffer_pool_acquire_buffer (pool, &buffer, &params), GST_FLOW_OK);
  return buffer;
}

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
  assert_int_equal (((CountingPool *) pool)->created, 4);
  for (i = 0; i < copies->len; i++) {
    GstBuffer *copy = g_ptr_array_index (copies, i);

    assert_null (copy->pool);
    check_memory (copy, 0, BLOCK, i);
  }
  gst_buffer_pool_set_active (pool, FALSE);
  gst_object_unref (pool);
}

/* ---- what a queue holds ---- */

static GstElement *
make (const gchar *factory)
{
  GstElement *element = gst_element_factory_make (factory, NULL);

  if (element == NULL)
    testing_skip ("an element is missing");
  return gst_object_ref_sink (element);
}

static gboolean
exceeds (FmHolding *holding, GstBuffer *buffer, gsize bytes, guint64 limit)
{
  return fm_holding_exceeds (holding, buffer, bytes, bytes, limit);
}

static void
test_in_use (void **state)
{
  GstElement *sink = make ("appsink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  FmHolding *holding = fm_holding_new (sink, pad);
  GstBuffer *buffers[10];
  guint i;

  for (i = 0; i < 10; i++) {
    buffers[i] = wrapped_buffer (BLOCK, i, NULL);
    assert_false (exceeds (holding, buffers[i], BLOCK, 10 * BLOCK));
    /* The same one once more adds nothing. */
    assert_false (exceeds (holding, buffers[i], BLOCK, 10 * BLOCK));
    assert_int_equal (fm_holding_bytes (holding), (i + 1) * BLOCK);
  }
  for (i = 0; i < 5; i++) {
    g_autoptr (GstBuffer) next = wrapped_buffer (BLOCK, i, NULL);
    GThread *thread;

    assert_true (exceeds (holding, next, BLOCK, 10 * BLOCK));
    thread = g_thread_new (
        "free", (GThreadFunc) (GCallback) gst_buffer_unref, buffers[i]);
    g_thread_join (thread);
    assert_int_equal (fm_holding_bytes (holding), 9 * BLOCK);
    assert_false (exceeds (holding, next, BLOCK, 10 * BLOCK));
    buffers[i] = g_steal_pointer (&next);
  }
  assert_true (exceeds (holding, buffers[0], 11 * BLOCK, 10 * BLOCK));
  /* It may go before they do. */
  fm_holding_free (holding);
  for (i = 0; i < 10; i++)
    gst_buffer_unref (buffers[i]);
  gst_object_unref (sink);
}

/* A buffer that rests in its pool is nobody's; one that was taken again is. */
static void
test_in_use_of_pools (void **state)
{
  GstElement *sink = make ("appsink");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  FmHolding *holding = fm_holding_new (sink, pad);
  GstBufferPool *first = counting_pool_new (4), *second = counting_pool_new (4);
  GstBuffer *buffers[4], *others[4];
  guint i;

  for (i = 0; i < 4; i++) {
    buffers[i] = acquire (first);
    assert_false (exceeds (holding, buffers[i], BLOCK, 4 * BLOCK));
  }
  others[0] = acquire (second);
  assert_true (exceeds (holding, others[0], BLOCK, 4 * BLOCK));
  gst_buffer_unref (buffers[3]);
  assert_false (exceeds (holding, others[0], BLOCK, 4 * BLOCK));
  buffers[3] = acquire (first);
  assert_true (exceeds (holding, buffers[3], BLOCK, 4 * BLOCK));
  for (i = 0; i < 4; i++)
    gst_buffer_unref (buffers[i]);
  for (i = 1; i < 4; i++) {
    others[i] = acquire (second);
    assert_false (exceeds (holding, others[i], BLOCK, 4 * BLOCK));
  }
  for (i = 0; i < 4; i++)
    gst_buffer_unref (others[i]);
  gst_buffer_pool_set_active (first, FALSE);
  gst_buffer_pool_set_active (second, FALSE);
  gst_object_unref (first);
  gst_object_unref (second);
  assert_int_equal (fm_holding_bytes (holding), 0);
  fm_holding_free (holding);
  gst_object_unref (sink);
}

static GstFlowReturn
swallow (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static GstPadProbeReturn
hold (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  return GST_PAD_PROBE_OK;
}

/* Something that pushes into @entrance. */
static GstPad *
feed_new (GstPad *entrance)
{
  GstPad *feed = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  GstSegment segment;

  assert_true (gst_pad_set_active (feed, TRUE));
  assert_int_equal (gst_pad_link (feed, entrance), GST_PAD_LINK_OK);
  gst_pad_push_event (feed, gst_event_new_stream_start ("test"));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (feed, gst_event_new_segment (&segment));
  return feed;
}

/* The real level: @exit is held, then let go. */
static void
check_level (GstElement *element, GstPad *entrance, GstPad *exit)
{
  FmHolding *holding = fm_holding_new (element, entrance);
  GstPad *feed, *end = gst_object_ref_sink (gst_pad_new ("end", GST_PAD_SINK));
  gint64 deadline = g_get_monotonic_time () + PATIENCE;
  g_autoptr (GstBuffer) next = wrapped_buffer (BLOCK, 0, NULL);
  gulong held;
  guint i;

  gst_pad_set_chain_function (end, swallow);
  gst_pad_set_active (end, TRUE);
  assert_int_equal (gst_pad_link (exit, end), GST_PAD_LINK_OK);
  held = gst_pad_add_probe (
      exit, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, hold, NULL, NULL);
  assert_int_equal (gst_element_set_state (element, GST_STATE_PLAYING),
      GST_STATE_CHANGE_SUCCESS);
  feed = feed_new (entrance);
  for (i = 0; i < 4; i++) {
    GstBuffer *buffer = wrapped_buffer (BLOCK, i, NULL);

    assert_false (exceeds (holding, buffer, BLOCK, 4 * BLOCK + BLOCK / 2));
    assert_int_equal (fm_holding_bytes (holding), (i + 1) * BLOCK);
    assert_int_equal (gst_pad_push (feed, buffer), GST_FLOW_OK);
  }
  assert_true (exceeds (holding, next, BLOCK, 4 * BLOCK + BLOCK / 2));
  gst_pad_remove_probe (exit, held);
  while (exceeds (holding, next, BLOCK, BLOCK)
      && g_get_monotonic_time () < deadline)
    g_usleep (1000);
  assert_int_equal (fm_holding_bytes (holding), BLOCK);

  gst_element_set_state (element, GST_STATE_NULL);
  fm_holding_free (holding);
  gst_pad_unlink (feed, entrance);
  gst_pad_unlink (exit, end);
  gst_object_unref (feed);
  gst_object_unref (end);
}

static void
test_level_of_queue (void **state)
{
  GstElement *queue = make ("queue");
  g_autoptr (GstPad) entrance = gst_element_get_static_pad (queue, "sink");
  g_autoptr (GstPad) exit = gst_element_get_static_pad (queue, "src");

  check_level (queue, entrance, exit);
  gst_object_unref (queue);
}

static GstPad *
request (GstElement *queue, const gchar *name)
{
  return gst_element_request_pad (
      queue, gst_element_get_pad_template (queue, "sink_%u"), name, NULL);
}

static void
test_level_of_multiqueue (void **state)
{
  GstElement *queue = make ("multiqueue");
  g_autoptr (GstPad) entrance = request (queue, "sink_0");
  g_autoptr (GstPad) other = request (queue, "sink_1");
  g_autoptr (GstPad) exit = gst_element_get_static_pad (queue, "src_0");
  g_autoptr (GstPad) other_exit = gst_element_get_static_pad (queue, "src_1");

  check_level (queue, entrance, exit);
  /* Each of its pads has a level of its own. */
  check_level (queue, other, other_exit);
  gst_object_unref (queue);
}

int
main (int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
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
      TEST (test_meta_that_would_be_lost),
      TEST (test_meta_that_refuses),
      TEST (test_not_mappable),
      TEST (test_map_fails),
      TEST (test_dmabuf),
      TEST (test_contiguous),
      TEST (test_no_room),
      TEST (test_earlier_copy),
      TEST (test_earlier_copy_of_memory),
      TEST (test_no_earlier_copy),
      TEST (test_earlier_copy_of_other_bytes),
      TEST (test_pool_recycles),
      cmocka_unit_test (test_in_use),
      cmocka_unit_test (test_in_use_of_pools),
      cmocka_unit_test (test_level_of_queue),
      cmocka_unit_test (test_level_of_multiqueue),
  };
#undef TEST

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
