/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * program.c: see program.h.
 */
#include "program.h"

#include <stdlib.h>

void
program_usage (const Program *program)
{
  g_printerr ("see %s --help\n", program->name);
  exit (2);
}

void
program_fail (const gchar *what)
{
  g_printerr ("%s\n", what);
  exit (1);
}

void
program_parse (
    Program *program, const GOptionEntry *entries, int argc, char **argv)
{
  const GOptionEntry common[] = {{"block", 0, 0, G_OPTION_ARG_INT64,
                                     &program->block, "Bytes of a block", "N"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &program->dir, "Where the file is",
          "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &program->ram, "Budget of filemem",
          "SIZE"},
      {NULL}};
  g_autofree gchar *names = competitor_names ();
  GOptionContext *context = g_option_context_new (names);
  g_autoptr (GError) error = NULL;

  program->dir = g_strdup ("/var/tmp");
  program->ram = g_strdup ("64M");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2)
    program->competitor = competitor_find (argv[1]);
  g_option_context_free (context);
  if (error != NULL)
    g_printerr ("%s\n", error->message);
  if (program->competitor == NULL || program->block < 16)
    program_usage (program);
}

void
program_make_allocator (Program *program, gsize n_blocks)
{
  const Setting setting = {.dir = program->dir,
      .ram = program->ram,
      .block = (gsize) program->block,
      .n_blocks = n_blocks};
  g_autoptr (GError) error = NULL;

  program->allocator = program->competitor->make (&setting, &error);
  if (program->allocator == NULL) {
    g_printerr ("%s\n", error->message);
    exit (77);
  }
}

void
program_print_end (const Program *program)
{
  if (program->competitor->print != NULL)
    program->competitor->print (program->allocator);
  g_print ("\n");
}

guint64
program_figure (const Program *program, const gchar *name)
{
  GObject *object = G_OBJECT (program->allocator);
  GstStructure *stats = NULL;
  guint64 value = 0;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (object), "stats")
      == NULL)
    return 0;
  g_object_get (object, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, name, &value);
  gst_structure_free (stats);
  return value;
}

GstMemory *
program_write_block (const Program *program, guint64 number)
{
  GstMemory *mem =
      gst_allocator_alloc (program->allocator, (gsize) program->block, NULL);
  GstMapInfo info;

  if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
    program_fail ("a block can't be written");
  contents_fill (info.data, info.size, number);
  gst_memory_unmap (mem, &info);
  return mem;
}

void
block_map (GstMemory *mem, GstMapInfo *info, guint64 number)
{
  if (!gst_memory_map (mem, info, GST_MAP_READ))
    program_fail ("a block can't be read");
  if (!contents_right (info->data, info->size, number))
    program_fail ("a block holds other bytes than were written");
}

/* ---- the device ---- */

void
traffic_now (const Program *program, Traffic *traffic)
{
  process_io (&traffic->io);
  traffic->spilled = program_figure (program, "spill-bytes");
  traffic->filled = program_figure (program, "fill-bytes");
  traffic->ns = clock_ns (CLOCK_MONOTONIC);
}

void
traffic_print (const Traffic *since, const Traffic *until, gdouble bytes)
{
  g_print ("written=%.3f read=%.3f spilled=%.3f filled=%.3f",
      (gdouble) (until->io.device_written - since->io.device_written) / bytes,
      (gdouble) (until->io.device_read - since->io.device_read) / bytes,
      (gdouble) (until->spilled - since->spilled) / bytes,
      (gdouble) (until->filled - since->filled) / bytes);
}
