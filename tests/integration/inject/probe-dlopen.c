/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * probe-dlopen.c: a program that is linked with nothing but the C library and
 * dlopens GStreamer RTLD_LOCAL. Prints the beginning of probe.c's line.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gst/gst.h>

#define N_BUFFERS 64
#define BUFFER_SIZE (64 * 1024)

static void *handle;

static void *
find (const char *name)
{
  void *function = dlsym (handle, name);

  if (!function) {
    fprintf (stderr, "probe-dlopen: %s\n", dlerror ());
    exit (1);
  }
  return function;
}

#define FIND(function) __typeof__ (&function) p_##function = find (#function)

int
main (void)
{
  GstAllocator *allocator;
  GstStructure *stats = NULL;
  static guint8 bytes[BUFFER_SIZE];
  guint64 alloc_bytes = 0;
  guint32 sum = 0;
  int i, n;

  handle = dlopen ("libgstreamer-1.0.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    fprintf (stderr, "probe-dlopen: %s\n", dlerror ());
    return 1;
  }

  FIND (gst_init);
  FIND (gst_buffer_new_allocate);
  FIND (gst_buffer_memset);
  FIND (gst_buffer_extract);
  FIND (gst_allocator_find);
  FIND (gst_structure_get_uint64);
  FIND (g_type_name_from_instance);
  FIND (g_object_class_find_property);
  FIND (g_object_get);

  p_gst_init (NULL, NULL);
  for (i = 0; i < N_BUFFERS; i++) {
    GstBuffer *buffer = p_gst_buffer_new_allocate (NULL, BUFFER_SIZE, NULL);

    if (p_gst_buffer_memset (buffer, 0, (guint8) (i + 1), BUFFER_SIZE)
            != BUFFER_SIZE
        || p_gst_buffer_extract (buffer, 0, bytes, BUFFER_SIZE) != BUFFER_SIZE)
      return 1;
    for (n = 0; n < BUFFER_SIZE; n++)
      sum = sum * 31 + bytes[n];
  }

  allocator = p_gst_allocator_find (NULL);
  if (p_g_object_class_find_property (G_OBJECT_GET_CLASS (allocator), "stats"))
    p_g_object_get (allocator, "stats", &stats, NULL);
  if (stats)
    p_gst_structure_get_uint64 (stats, "alloc-bytes", &alloc_bytes);
  printf ("type=%s alloc-bytes=%llu sum=%#x\n",
      p_g_type_name_from_instance ((GTypeInstance *) allocator),
      (unsigned long long) alloc_bytes, sum);
  return 0;
}
