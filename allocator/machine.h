/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * machine.h: how much memory this process may count on.
 */
#ifndef FM_MACHINE_H
#define FM_MACHINE_H

#include "private-api.h"

#include <glib.h>

G_BEGIN_DECLS

/* The least of the available memory and the limits of the memory cgroups
 * (version 1 or 2) that this process is in, in bytes. @root is "" except in
 * tests, which pass a directory with a /proc and a /sys of its own. */
guint64 fm_machine_memory (const gchar *root);

/* How many bytes the process may still take within its limits: of address space
 * (32 bits, RLIMIT_AS), and of data (RLIMIT_DATA). G_MAXUINT64 without a limit.
 */
guint64 fm_machine_addresses_left (const gchar *root);
guint64 fm_machine_data_left (const gchar *root);

/* How many memory mappings (VMAs) this process has; 0 if that can't be read. */
guint64 fm_machine_mappings (const gchar *root);

/* Whether programs stall for memory, as the kernel reports it. */
typedef enum { FM_STALLS_NO, FM_STALLS_LATELY, FM_STALLS_NOW } FmStalls;

/* In bytes. */
typedef struct
{
  guint64 headroom; /* which any process may take before the kernel kills one */
  guint64 total;    /* of which `headroom` is left */
  gboolean is_of_cgroup; /* not of the machine */
  guint64 group;   /* tells cgroups with limits apart; 0: there is no limit */
  FmStalls stalls; /* as far as the caller of fm_machine_headroom() knows */
} FmHeadroom;

/* How much of it is to stay free: enough for what the kernel and programs take
 * between two looks. */
static inline guint64
fm_headroom_margin (const FmHeadroom *memory)
{
  return CLAMP (memory->total / 8, (guint64) 16 << 20, (guint64) 256 << 20);
}

/* How much is left before the margin; negative if less than the margin is
 * left. */
static inline gint64
fm_headroom_before_margin (const FmHeadroom *memory)
{
  return (gint64) MIN (memory->headroom, G_MAXINT64)
      - (gint64) fm_headroom_margin (memory);
}

/* How much may still be taken, by this process or any other: the available
 * memory of the machine, or what those cgroups leave, where page cache counts
 * as free; whichever leaves least before the margin. */
FM_PRIVATE_API
FmHeadroom fm_machine_headroom (const gchar *root);

/* The file in which the kernel says how long programs of the process's own
 * cgroup (version 2) stall for memory; NULL if there is none. */
gchar *fm_machine_cgroup_pressure (const gchar *root);

/* Programs of a user meet in this directory, mode 0700, in the one that
 * fm_machine_runtime_dir() returns: XDG_RUNTIME_DIR; NULL if there is none, or
 * in a set-uid program, which tells its user nothing. */
#define FM_RUNTIME_DIRECTORY "gst-filemem"
FM_PRIVATE_API
const gchar *fm_machine_runtime_dir (void);

/* Makes @dir if it is missing. FALSE if that fails, if it is a link or a
 * directory in which others may write, or if the directory above belongs to
 * another user, whose environment was kept (sudo -E): a directory of ours would
 * be in that user's way. */
FM_PRIVATE_API
gboolean fm_machine_make_runtime_dir (const gchar *dir);

/* The least of the limits of those cgroups alone; G_MAXUINT64 if they have
 * none. */
guint64 fm_machine_cgroup_limit (const gchar *root);

G_END_DECLS
#endif
