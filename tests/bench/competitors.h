/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * competitors.h: who runs in the FIFO benchmark.
 *
 * Each competitor is a GstAllocator, so that the workload (fifo.c) is the same
 * code for all of them.
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

#endif
