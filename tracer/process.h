/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * process.h: how much memory the process uses, for filemem or not.
 */
#ifndef FM_PROCESS_H
#define FM_PROCESS_H

#include <glib.h>

G_BEGIN_DECLS

/* In bytes; 0 where the system does not say. */
typedef struct
{
  guint64 resident, resident_peak;
  guint64 shared;   /* of these, in mappings of shared memory */
  guint64 malloced; /* that malloc() has handed out and not got back */
} FmProcessMemory;

/* @root is "" except in tests, which pass a directory with a /proc. */
FmProcessMemory fm_process_memory (const gchar *root);

G_END_DECLS
#endif
