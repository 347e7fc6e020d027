/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitors.c: see competitors.h.
 */
#include "competitors.h"

#include <gst/filemem/filemem.h>

static GstAllocator *
make_system (const Setting *setting, GError **error)
{
  return gst_allocator_find (GST_ALLOCATOR_SYSMEM);
}

guint64
setting_file_size (const Setting *setting)
{
  guint64 live = (guint64) setting->n_blocks * setting->block
      + (guint64) setting->n_other_blocks * setting->other_block;

  /* A quarter more than lives at one time, for what is open or half free. */
  return live / 4 * 5 + ((guint64) 256 << 20);
}

static GstAllocator *
make_filemem (const Setting *setting, GError **error)
{
  g_autofree gchar *options =
      g_strdup_printf ("dir=%s,ram=%s,size=%" G_GUINT64_FORMAT, setting->dir,
          setting->ram, setting_file_size (setting));

  return gst_file_mem_allocator_new (options, error);
}

static void
print_filemem (GstAllocator *allocator)
{
  static const gchar *const fields[] = {"fallbacks", "over-budget",
      "lock-waits", "alloc-waits", "map-waits", "map-wait-max-ns",
      "spill-bytes", "spill-cancels", "clean-spills", "spills", "fill-bytes",
      "prefetches", "fills", "fills-to-write", "prefetch-unused-bytes",
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

static const Competitor competitors[] = {
    {"system", make_system, NULL},
    {"mmap", competitor_make_mmap, NULL},
    {"seed", competitor_make_seed, NULL},
#ifdef HAVE_MEMKIND
    {"memkind", competitor_make_memkind, NULL},
#endif
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

gchar *
competitor_names (void)
{
  GString *names = g_string_new (NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (competitors); i++)
    g_string_append_printf (
        names, "%s%s", i > 0 ? "|" : "", competitors[i].name);
  return g_string_free (names, FALSE);
}
