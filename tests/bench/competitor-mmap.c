/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitor-mmap.c: one file, mapped shared as a whole; the kernel pages.
 *
 * What a program would do that wants its buffers on disk without filemem. The
 * space is allocated beforehand, the block given back last is used next, and
 * there is no system call for a block. Blocks of a page and more start at a
 * page of their own; smaller ones lie close together.
 */
#include "competitors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Blocks of one size. */
typedef struct
{
  gsize block;
  GArray *free; /* offsets, the last one is used next */
} Shelf;

typedef struct
{
  GstAllocator parent;

  guint8 *base;
  gsize length;
  GMutex lock; /* of what is in the shelves */
  Shelf shelf[2];
} MmapAllocator;

typedef struct
{
  GstAllocatorClass parent_class;
} MmapAllocatorClass;

typedef struct
{
  GstMemory mem;
  Shelf *shelf;
  gsize offset;
} MmapMemory;

static GType mmap_allocator_get_type (void);
G_DEFINE_TYPE (MmapAllocator, mmap_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
mmap_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  MmapAllocator *self = (MmapAllocator *) allocator;
  Shelf *shelf = &self->shelf[size == self->shelf[0].block ? 0 : 1];
  MmapMemory *memory;
  gsize offset = 0;
  gboolean found;

  g_return_val_if_fail (size <= shelf->block, NULL);
  g_mutex_lock (&self->lock);
  found = shelf->free->len > 0;
  if (found) {
    offset = g_array_index (shelf->free, gsize, shelf->free->len - 1);
    g_array_set_size (shelf->free, shelf->free->len - 1);
  }
  g_mutex_unlock (&self->lock);
  if (!found)
    return NULL;

  memory = g_slice_new0 (MmapMemory);
  gst_memory_init (
      GST_MEMORY_CAST (memory), 0, allocator, NULL, size, 0, 0, size);
  memory->shelf = shelf;
  memory->offset = offset;
  return GST_MEMORY_CAST (memory);
}

static void
mmap_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  MmapAllocator *self = (MmapAllocator *) allocator;
  MmapMemory *memory = (MmapMemory *) mem;

  g_mutex_lock (&self->lock);
  g_array_append_val (memory->shelf->free, memory->offset);
  g_mutex_unlock (&self->lock);
  g_slice_free (MmapMemory, memory);
}

static gpointer
mmap_memory_map (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  return ((MmapAllocator *) mem->allocator)->base
      + ((MmapMemory *) mem)->offset;
}

static void
mmap_memory_unmap (GstMemory *mem)
{
}

static void
mmap_allocator_finalize (GObject *object)
{
  MmapAllocator *self = (MmapAllocator *) object;
  guint i;

  if (self->base != NULL)
    munmap (self->base, self->length);
  for (i = 0; i < G_N_ELEMENTS (self->shelf); i++)
    g_array_unref (self->shelf[i].free);
  g_mutex_clear (&self->lock);
  G_OBJECT_CLASS (mmap_allocator_parent_class)->finalize (object);
}

static void
mmap_allocator_class_init (MmapAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = mmap_allocator_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = mmap_allocator_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = mmap_allocator_free;
}

static void
mmap_allocator_init (MmapAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR_CAST (self);
  guint i;

  allocator->mem_type = "MmapMemory";
  allocator->mem_map = mmap_memory_map;
  allocator->mem_unmap = mmap_memory_unmap;
  g_mutex_init (&self->lock);
  for (i = 0; i < G_N_ELEMENTS (self->shelf); i++)
    self->shelf[i].free = g_array_new (FALSE, FALSE, sizeof (gsize));
}

static gsize
round_up (gsize n, gsize to)
{
  return (n + to - 1) / to * to;
}

/* The file gets longer by these blocks. */
static void
stock_shelf (MmapAllocator *self, Shelf *shelf, gsize block, gsize n_blocks)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  const gsize stride = round_up (block, block < page ? 8 : page);
  gsize i;

  shelf->block = block;
  for (i = n_blocks; i > 0; i--) {
    gsize offset = self->length + (i - 1) * stride;

    g_array_append_val (shelf->free, offset);
  }
  self->length = round_up (self->length + n_blocks * stride, page);
}

static gboolean
map_file (MmapAllocator *self, const gchar *dir)
{
  int fd = open (dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  void *base = MAP_FAILED;
  int error;

  if (fd < 0)
    return FALSE;
  error = posix_fallocate (fd, 0, (off_t) self->length);
  if (error != 0)
    errno = error;
  else
    base = mmap (NULL, self->length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED)
    error = errno;
  else
    self->base = base;
  close (fd);
  errno = error;
  return self->base != NULL;
}

GstAllocator *
competitor_make_mmap (const Setting *setting, GError **error)
{
  MmapAllocator *self = g_object_new (mmap_allocator_get_type (), NULL);

  gst_object_ref_sink (self);
  stock_shelf (self, &self->shelf[0], setting->block, setting->n_blocks);
  stock_shelf (
      self, &self->shelf[1], setting->other_block, setting->n_other_blocks);
  if (!map_file (self, setting->dir)) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "a file of %" G_GSIZE_FORMAT " bytes can't be mapped in \"%s\": %s",
        self->length, setting->dir, g_strerror (errno));
    gst_object_unref (self);
    return NULL;
  }
  return GST_ALLOCATOR_CAST (self);
}
