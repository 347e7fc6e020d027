/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitors.c: see competitors.h.
 *
 *   system   GStreamer's system memory
 *   mmap     one file, mapped shared as a whole; the kernel pages. What a
 *            program would do that wants its buffers on disk without filemem.
 *            The space is allocated beforehand, the block given back last is
 *            used next, and there is no system call for a block.
 *   filemem  GstFileMemAllocator
 */
#include "competitors.h"

#include <gst/filemem/filemem.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- system ---- */

static GstAllocator *
make_system (const Setting *setting, GError **error)
{
  return gst_allocator_find (GST_ALLOCATOR_SYSMEM);
}

/* ---- mmap ---- */

typedef struct
{
  GstAllocator parent;

  guint8 *base;
  gsize length;
  gsize block;
  GMutex lock;  /* of free */
  GArray *free; /* offsets, the last one is used next */
} MmapAllocator;

typedef struct
{
  GstAllocatorClass parent_class;
} MmapAllocatorClass;

typedef struct
{
  GstMemory mem;
  gsize offset;
} MmapMemory;

static GType mmap_allocator_get_type (void);
G_DEFINE_TYPE (MmapAllocator, mmap_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
mmap_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  MmapAllocator *self = (MmapAllocator *) allocator;
  MmapMemory *memory;
  gsize offset = 0;
  gboolean found;

  g_return_val_if_fail (size <= self->block, NULL);
  g_mutex_lock (&self->lock);
  found = self->free->len > 0;
  if (found) {
    offset = g_array_index (self->free, gsize, self->free->len - 1);
    g_array_set_size (self->free, self->free->len - 1);
  }
  g_mutex_unlock (&self->lock);
  if (!found)
    return NULL;

  memory = g_new0 (MmapMemory, 1);
  gst_memory_init (
      GST_MEMORY_CAST (memory), 0, allocator, NULL, size, 0, 0, size);
  memory->offset = offset;
  return GST_MEMORY_CAST (memory);
}

static void
mmap_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  MmapAllocator *self = (MmapAllocator *) allocator;
  MmapMemory *memory = (MmapMemory *) mem;

  g_mutex_lock (&self->lock);
  g_array_append_val (self->free, memory->offset);
  g_mutex_unlock (&self->lock);
  g_free (memory);
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

  if (self->base != NULL)
    munmap (self->base, self->length);
  g_array_unref (self->free);
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

  allocator->mem_type = "MmapMemory";
  allocator->mem_map = mmap_memory_map;
  allocator->mem_unmap = mmap_memory_unmap;
  g_mutex_init (&self->lock);
  self->free = g_array_new (FALSE, FALSE, sizeof (gsize));
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

static GstAllocator *
make_mmap (const Setting *setting, GError **error)
{
  MmapAllocator *self = g_object_new (mmap_allocator_get_type (), NULL);
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize i;

  gst_object_ref_sink (self);
  /* A block a page: neighbours must not share one. */
  self->block = (setting->block + page - 1) / page * page;
  self->length = setting->n_blocks * self->block;
  if (!map_file (self, setting->dir)) {
    g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (errno),
        "a file of %" G_GSIZE_FORMAT " bytes can't be mapped in \"%s\": %s",
        self->length, setting->dir, g_strerror (errno));
    gst_object_unref (self);
    return NULL;
  }
  for (i = setting->n_blocks; i > 0; i--) {
    gsize offset = (i - 1) * self->block;

    g_array_append_val (self->free, offset);
  }
  return GST_ALLOCATOR_CAST (self);
}

/* ---- filemem ---- */

static GstAllocator *
make_filemem (const Setting *setting, GError **error)
{
  /* A quarter more than lives at one time, for what is open or half free. */
  guint64 size = (guint64) setting->n_blocks * setting->block / 4 * 5
      + ((guint64) 256 << 20);
  g_autofree gchar *options =
      g_strdup_printf ("dir=%s,ram=%s,size=%" G_GUINT64_FORMAT, setting->dir,
          setting->ram, size);

  return gst_file_mem_allocator_new (options, error);
}

static void
print_filemem (GstAllocator *allocator)
{
  static const gchar *const fields[] = {"fallbacks", "over-budget",
      "lock-waits", "alloc-waits", "map-waits", "spill-bytes", "spill-cancels",
      "fill-bytes", "prefetches", "fills", "prefetch-unused-bytes",
      "maps-in-place", "resident-peak", "disk-peak"};
  GstStructure *stats =
      gst_file_mem_allocator_get_stats (GST_FILE_MEM_ALLOCATOR (allocator));
  guint i;

  for (i = 0; i < G_N_ELEMENTS (fields); i++) {
    guint64 value = 0;

    gst_structure_get_uint64 (stats, fields[i], &value);
    g_print (" %s=%" G_GUINT64_FORMAT, fields[i], value);
  }
  gst_structure_free (stats);
}

/* ---- all of them ---- */

static const Competitor competitors[] = {
    {"system", make_system, NULL},
    {"mmap", make_mmap, NULL},
    {"filemem", make_filemem, print_filemem},
};

const Competitor *
competitor_find (const gchar *name)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (competitors); i++) {
    if (g_str_equal (competitors[i].name, name))
      return &competitors[i];
  }
  return NULL;
}
