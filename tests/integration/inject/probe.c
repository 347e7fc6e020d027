/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * probe.c: an unmodified GStreamer program, as far as filemem can tell. It
 * fills buffers of the default allocator, reads them back, and prints one line
 * that says whose they were:
 *
 *   type=GstFileMemAllocator alloc-bytes=4194304 dir=/x secure=0 tracers=A,B
 *
 * With --clearenv it clears its environment before gst_init().
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <gst/gst.h>

#define N_BUFFERS 64
#define BUFFER_SIZE (64 * 1024)

static gboolean
fill_and_read_back (GstBuffer **buffers)
{
  guint i;

  for (i = 0; i < N_BUFFERS; i++) {
    buffers[i] = gst_buffer_new_allocate (NULL, BUFFER_SIZE, NULL);
    if (!buffers[i])
      return FALSE;
    gst_buffer_memset (buffers[i], 0, (guint8) (i + 1), BUFFER_SIZE);
  }
  for (i = 0; i < N_BUFFERS; i++) {
    GstMapInfo map;
    gsize n;

    if (!gst_buffer_map (buffers[i], &map, GST_MAP_READ))
      return FALSE;
    for (n = 0; n < map.size && map.data[n] == i + 1; n++)
      ;
    gst_buffer_unmap (buffers[i], &map);
    if (n != BUFFER_SIZE)
      return FALSE;
  }
  return TRUE;
}

static void
print_allocator (void)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  GObjectClass *class = G_OBJECT_GET_CLASS (allocator);
  GstStructure *stats = NULL;
  gchar *dir = NULL;
  guint64 alloc_bytes = 0;

  if (g_object_class_find_property (class, "stats")
      && g_object_class_find_property (class, "dir"))
    g_object_get (allocator, "stats", &stats, "dir", &dir, NULL);
  if (stats)
    gst_structure_get_uint64 (stats, "alloc-bytes", &alloc_bytes);

  g_print ("type=%s alloc-bytes=%" G_GUINT64_FORMAT " dir=%s secure=%lu",
      G_OBJECT_TYPE_NAME (allocator), alloc_bytes, dir ? dir : "none",
      getauxval (AT_SECURE));
  g_clear_pointer (&stats, gst_structure_free);
  g_free (dir);
  gst_object_unref (allocator);
}

static void
print_tracers (void)
{
  GList *tracers = gst_tracing_get_active_tracers ();
  const gchar *separator = " tracers=";
  GList *l;

  for (l = tracers; l; l = l->next) {
    g_print ("%s%s", separator, G_OBJECT_TYPE_NAME (l->data));
    separator = ",";
  }
  g_print ("\n");
  g_list_free_full (tracers, gst_object_unref);
}

int
main (int argc, char **argv)
{
  GstBuffer *buffers[N_BUFFERS] = {NULL};
  gboolean right;
  guint i;

  if (argc > 1 && strcmp (argv[1], "--clearenv") == 0) {
    /* Where the registry is must survive: a test leaves nothing behind. */
    gchar *registry = g_strdup (g_getenv ("GST_REGISTRY"));
    gchar *plugins = g_strdup (g_getenv ("GST_PLUGIN_SYSTEM_PATH_1_0"));

    clearenv ();
    if (registry)
      g_setenv ("GST_REGISTRY", registry, TRUE);
    if (plugins)
      g_setenv ("GST_PLUGIN_SYSTEM_PATH_1_0", plugins, TRUE);
    g_free (registry);
    g_free (plugins);
  }

  gst_init (NULL, NULL);
  right = fill_and_read_back (buffers);
  print_allocator ();
  print_tracers ();
  for (i = 0; i < N_BUFFERS; i++)
    gst_clear_buffer (&buffers[i]);
  if (!right)
    g_printerr ("probe: a buffer does not hold what was written\n");
  return right ? 0 : 1;
}
