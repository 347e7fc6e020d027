/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitors.h: who runs in the benchmark, and where the blocks are then.
 *
 *   system   GStreamer's system memory
 *   mmap     one file, mapped shared as a whole; the kernel pages
 *            (competitor-mmap.c)
 *   seed     the design of the proposal that filemem carries on
 *            (competitor-seed.c)
 *   memkind  memkind's PMEM kind, if it was there at build time
 *            (competitor-memkind.c)
 *   filemem  GstFileMemAllocator
 *
 * Each competitor is a GstAllocator, so that a workload is the same code for
 * all of them.
 */
#ifndef FM_BENCH_COMPETITORS_H
#define FM_BENCH_COMPETITORS_H

#include <gst/gst.h>

typedef struct
{
  const gchar *dir; /* of the file */
  const gchar *ram; /* filemem's budget, as its option takes it */
  gsize block;      /* bytes */
  gsize n_blocks;   /* the most that live at one time */
  /* Blocks of a second size, or 0 of them. */
  gsize other_block;
  gsize n_other_blocks;
} Setting;

typedef struct
{
  const gchar *name;
  /* NULL with @error set if there can be none. */
  GstAllocator *(*make) (const Setting *setting, GError **error);
  /* Figures of its own, as " name=value" each, on stdout; may be NULL. */
  void (*print) (GstAllocator *allocator);
} Competitor;

/* NULL if there is none of this name. */
const Competitor *competitor_find (const gchar *name);

/* "system|mmap|..." */
gchar *competitor_names (void);

/* What a file needs that holds all of the setting's blocks and some more. */
guint64 setting_file_size (const Setting *setting);

GstAllocator *competitor_make_mmap (const Setting *setting, GError **error);
GstAllocator *competitor_make_seed (const Setting *setting, GError **error);
GstAllocator *competitor_make_memkind (const Setting *setting, GError **error);

#endif
