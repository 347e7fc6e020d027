/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign-fixture.c: see foreign-fixture.h.
 */
#include "foreign-fixture.h"

/* ---- memory ---- */

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

GstMemory *
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

GstMemory *
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

GstBuffer *
wrapped_buffer (gsize size, guint seed, gboolean *ret_freed)
{
  GstBuffer *buffer = gst_buffer_new ();

  gst_buffer_append_memory (buffer, wrapped_memory (size, seed, ret_freed));
  return buffer;
}

/* ---- metas ---- */

static gboolean
number_meta_init (GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  ((NumberMeta *) meta)->number = params != NULL ? *(guint *) params : 0;
  return TRUE;
}

gboolean
number_meta_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data)
{
  return gst_buffer_add_meta (to, meta->info, &((NumberMeta *) meta)->number)
      != NULL;
}

gboolean
refuse_transform (
    GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type, gpointer data)
{
  return FALSE;
}

const GstMetaInfo *
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

GstBufferPool *
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

guint
counting_pool_created (GstBufferPool *pool)
{
  return ((CountingPool *) pool)->created;
}

GstBuffer *
acquire (GstBufferPool *pool)
{
  GstBufferPoolAcquireParams params = {
      .flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT};
  GstBuffer *buffer = NULL;

  assert_int_equal (
      gst_buffer_pool_acquire_buffer (pool, &buffer, &params), GST_FLOW_OK);
  return buffer;
}
