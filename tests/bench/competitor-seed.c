/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitor-seed.c: the design of the proposal that filemem carries on.
 *
 * Each block is a range of its own at the end of one temporary file: fallocate
 * when it is allocated, mmap for a map and munmap for the unmap, a hole punched
 * when it is freed. Offsets are never used again. What the proposal got wrong
 * (protection, nesting, locking) is right here, so that its design is measured
 * and not its mistakes; a block is mapped once at a time, as the workloads do.
 */
#include "competitors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct
{
  GstAllocator parent;

  int fd;
  gsize page;
  _Atomic gsize next; /* offset */
} SeedAllocator;

typedef struct
{
  GstAllocatorClass parent_class;
} SeedAllocatorClass;

typedef struct
{
  GstMemory mem;
  gsize offset;
  gsize length; /* whole pages */
  gpointer data;
} SeedMemory;

static GType seed_allocator_get_type (void);
G_DEFINE_TYPE (SeedAllocator, seed_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
seed_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  SeedAllocator *self = (SeedAllocator *) allocator;
  gsize length = (size + self->page - 1) / self->page * self->page;
  gsize offset = atomic_fetch_add (&self->next, length);
  SeedMemory *memory;

  if (fallocate (self->fd, 0, (off_t) offset, (off_t) length) != 0)
    return NULL;
  memory = g_slice_new0 (SeedMemory);
  gst_memory_init (
      GST_MEMORY_CAST (memory), 0, allocator, NULL, length, 0, 0, size);
  memory->offset = offset;
  memory->length = length;
  return GST_MEMORY_CAST (memory);
}

static void
seed_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  SeedMemory *memory = (SeedMemory *) mem;

  if (fallocate (((SeedAllocator *) allocator)->fd,
          FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) memory->offset,
          (off_t) memory->length)
      != 0)
    g_printerr ("seed: no hole can be punched: %s\n", g_strerror (errno));
  g_slice_free (SeedMemory, memory);
}

static gpointer
seed_memory_map (GstMemory *mem, gsize maxsize, GstMapFlags flags)
{
  SeedMemory *memory = (SeedMemory *) mem;
  int protection = PROT_READ | ((flags & GST_MAP_WRITE) != 0 ? PROT_WRITE : 0);
  void *data = mmap (NULL, memory->length, protection, MAP_SHARED,
      ((SeedAllocator *) mem->allocator)->fd, (off_t) memory->offset);

  memory->data = data != MAP_FAILED ? data : NULL;
  return memory->data;
}

static void
seed_memory_unmap (GstMemory *mem)
{
  SeedMemory *memory = (SeedMemory *) mem;

  munmap (memory->data, memory->length);
}

static void
seed_allocator_finalize (GObject *object)
{
  SeedAllocator *self = (SeedAllocator *) object;

  if (self->fd >= 0)
    close (self->fd);
  G_OBJECT_CLASS (seed_allocator_parent_class)->finalize (object);
}

static void
seed_allocator_class_init (SeedAllocatorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = seed_allocator_finalize;
  GST_ALLOCATOR_CLASS (klass)->alloc = seed_allocator_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = seed_allocator_free;
}

static void
seed_allocator_init (SeedAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR_CAST (self);

  allocator->mem_type = "SeedMemory";
  allocator->mem_map = seed_memory_map;
  allocator->mem_unmap = seed_memory_unmap;
  self->fd = -1;
  self->page = (gsize) sysconf (_SC_PAGESIZE);
}

GstAllocator *
competitor_make_seed (const Setting *setting, GError **error)
{
  SeedAllocator *self = g_object_new (seed_allocator_get_type (), NULL);

  gst_object_ref_sink (self);
  self->fd = open (setting->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (self->fd < 0) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "no file can be made in \"%s\": %s", setting->dir, g_strerror (errno));
    gst_object_unref (self);
    return NULL;
  }
  return GST_ALLOCATOR_CAST (self);
}
