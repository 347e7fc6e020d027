/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * probe.c: an unmodified GStreamer program, as far as filemem can tell. It
 * fills buffers of the default allocator, reads them back, and prints one line
 * that says whose they were, and a checksum of what it read:
 *
 *   type=GstFileMemAllocator alloc-bytes=4194304 dir=/x secure=0 sum=0x1234
 *
 * The first argument says in what way the program is special:
 *
 *   --clearenv      clears its environment before gst_init()
 *   --rewriteenv    sets LD_PRELOAD and GST_TRACERS to something else before
 *   --option-group  initialises GStreamer by parsing a command line
 *   --threads       has threads that read the environment, before gst_init()
 *   --replace       makes system memory the default allocator afterwards
 *   --replace-other  makes an allocator of its own the default one afterwards
 *   --replace-null  asks for no default allocator at all, which is a mistake
 *   --spawn PROGRAM [ARGUMENT...]   starts a program after its own work
 */
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include <gst/gst.h>

#define N_BUFFERS 64
#define BUFFER_SIZE (64 * 1024)

static guint32 sum;

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
      sum = sum * 31 + map.data[n];
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

  g_print ("type=%s alloc-bytes=%" G_GUINT64_FORMAT " dir=%s secure=%lu"
           " sum=%#x",
      G_OBJECT_TYPE_NAME (allocator), alloc_bytes, dir ? dir : "none",
      getauxval (AT_SECURE), sum);
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

/* Where the registry is must survive: a test leaves nothing behind. */
static void
clear_environment (void)
{
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

static gint stopping;

static gpointer
read_environment (gpointer unused)
{
  while (!g_atomic_int_get (&stopping)) {
    g_getenv ("HOME");
    g_getenv ("GST_TRACERS");
  }
  return NULL;
}

/* An allocator of the program's own, which is system memory by another name. */
typedef GstAllocator Other;
typedef GstAllocatorClass OtherClass;

static GType other_get_type (void);
G_DEFINE_TYPE (Other, other, GST_TYPE_ALLOCATOR)

static GstMemory *
other_alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstAllocator *system = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  GstMemory *memory = gst_allocator_alloc (system, size, params);

  gst_object_unref (system);
  return memory;
}

static void
other_class_init (OtherClass *klass)
{
  klass->alloc = other_alloc;
}

static void
other_init (Other *self)
{
}

static void
init_gstreamer (int *argc, char ***argv, const gchar *how)
{
  if (g_str_equal (how, "--option-group")) {
    GOptionContext *context = g_option_context_new (NULL);

    g_option_context_add_group (context, gst_init_get_option_group ());
    g_option_context_set_ignore_unknown_options (context, TRUE);
    g_option_context_parse (context, argc, argv, NULL);
    g_option_context_free (context);
  } else {
    gst_init (NULL, NULL);
  }
  if (g_str_equal (how, "--replace"))
    gst_allocator_set_default (gst_allocator_find (GST_ALLOCATOR_SYSMEM));
  if (g_str_equal (how, "--replace-other"))
    gst_allocator_set_default (g_object_new (other_get_type (), NULL));
  if (g_str_equal (how, "--replace-null"))
    gst_allocator_set_default (NULL);
}

static gboolean
spawn (char **argv)
{
  gint status;

  return g_spawn_sync (NULL, argv, NULL,
             G_SPAWN_SEARCH_PATH | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL,
             NULL, NULL, &status, NULL)
      && status == 0;
}

int
main (int argc, char **argv)
{
  const gchar *how = argc > 1 ? argv[1] : "";
  GstBuffer *buffers[N_BUFFERS] = {NULL};
  GThread *threads[4];
  gboolean has_threads = g_str_equal (how, "--threads"), right;
  guint i;

  if (g_str_equal (how, "--clearenv"))
    clear_environment ();
  if (g_str_equal (how, "--rewriteenv")) {
    g_setenv ("LD_PRELOAD", "", TRUE);
    /* Names none, of which GStreamer 1.26 would complain if it were not there.
     */
    g_setenv ("GST_TRACERS", ";", TRUE);
  }
  for (i = 0; has_threads && i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("env", read_environment, NULL);

  init_gstreamer (&argc, &argv, how);
  right = fill_and_read_back (buffers);
  print_allocator ();
  print_tracers ();
  for (i = 0; i < N_BUFFERS; i++)
    gst_clear_buffer (&buffers[i]);

  g_atomic_int_set (&stopping, 1);
  for (i = 0; has_threads && i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  if (!right)
    g_printerr ("probe: a buffer does not hold what was written\n");
  if (g_str_equal (how, "--spawn") && argc > 2)
    right = spawn (argv + 2) && right;
  return right ? 0 : 1;
}
