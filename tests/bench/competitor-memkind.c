/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitor-memkind.c: memkind's PMEM kind, a heap (jemalloc) in a mapped
 * temporary file. The kernel pages.
 */
#include "competitors.h"

#include <memkind.h>

typedef struct
{
  GstAllocator parent;

  memkind_t kind;
} MemkindAllocator;

typedef struct
{
  GstAllocatorClass parent_class;
} MemkindAllocatorClass;

typedef struct
{
  GstMemory mem;
  gpointer data;
} MemkindMemory;

static GType memkind_allocator_get_type (void);
G_DEFINE_TYPE (MemkindAllocator, memkind_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
memkind_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  gpointer data = memkind_malloc (((MemkindAllocator *) allocator)->kind, size);
  MemkindMemory *memory;

  if (data == NULL)
    return NULL;
  memory = g_slice_new0 (MemkindMemory);
  gst_memory_init (
      GST_MEMORY_CAST (memory), 0, allocator, NULL, size, 0, 0, size);
  memory->data = data;
  return GST_MEMORY_CAST (memory);
}

static void
memkind_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  MemkindMemory *memory = (MemkindMemory *) mem;

  memkind_free (((MemkindAllocator *) allocator)->kind, memory->data);
  g_slice_free (MemkindMemory, memory);
}

static gpointer
memkind_memory_map (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  return ((MemkindMemory *) mem)->data;
}

static void
memkind_memory_unmap (GstMemory *mem)
{
}

static void
memkind_allocator_finalize (GObject *object)
{
  MemkindAllocator *self = (MemkindAllocator *) object;

  if (self->kind != NULL)
    memkind_destroy_kind (self->kind);
  G_OBJECT_CLASS (memkind_allocator_parent_class)->finalize (object);
}

static void
memkind_allocator_class_init (MemkindAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = memkind_allocator_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = memkind_allocator_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = memkind_allocator_free;
}

static void
memkind_allocator_init (MemkindAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR_CAST (self);

  allocator->mem_type = "MemkindMemory";
  allocator->mem_map = memkind_memory_map;
  allocator->mem_unmap = memkind_memory_unmap;
}

GstAllocator *
competitor_make_memkind (const Setting *setting, GError **error)
{
  MemkindAllocator *self = g_object_new (memkind_allocator_get_type (), NULL);
  int status;

  gst_object_ref_sink (self);
  status = memkind_create_pmem (
      setting->dir, setting_file_size (setting), &self->kind);
  if (status != MEMKIND_SUCCESS) {
    self->kind = NULL;
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
        "memkind can't use \"%s\": error %d", setting->dir, status);
    gst_object_unref (self);
    return NULL;
  }
  return GST_ALLOCATOR_CAST (self);
}
