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

/* The smaller of the available memory and the limits of the memory cgroups
 * (version 1 or 2) that this process is in, in bytes. @root is "" but in tests,
 * which give a directory that has a /proc and a /sys of their own. */
guint64 fm_machine_memory (const gchar *root);

/* What the process may still take of its limits, in bytes: of address space
 * (32 bits, RLIMIT_AS), and of data (RLIMIT_DATA). G_MAXUINT64 without a limit.
 */
guint64 fm_machine_addresses_left (const gchar *root);
guint64 fm_machine_data_left (const gchar *root);

/* How many memory mappings (VMAs) this process has; 0 where that can't be
 * read. */
guint64 fm_machine_mappings (const gchar *root);

/* Whether programs wait for memory, as the kernel says. */
typedef enum { FM_STALLS_NO, FM_STALLS_LATELY, FM_STALLS_NOW } FmStalls;

/* In bytes. */
typedef struct
{
  guint64 headroom; /* that anybody may take before the kernel kills somebody */
  guint64 total;    /* of which that is what is left */
  gboolean is_of_cgroup; /* not of the machine */
  guint64 group;   /* tells cgroups with limits apart; 0: there is no limit */
  FmStalls stalls; /* as far as the caller of fm_machine_headroom() knows */
} FmHeadroom;

/* What of it is to stay free: what the kernel and programs take in the time
 * between two looks has to fit. */
static inline guint64
fm_headroom_margin (const FmHeadroom *memory)
{
  return CLAMP (memory->total / 8, (guint64) 16 << 20, (guint64) 256 << 20);
}

/* What is left before the margin; if less is left than that, how much less. */
static inline gint64
fm_headroom_before_margin (const FmHeadroom *memory)
{
  return (gint64) MIN (memory->headroom, G_MAXINT64)
      - (gint64) fm_headroom_margin (memory);
}

/* What may still be taken, by this process or any other: of what is available
 * on the machine, or of what those cgroups leave, for which page cache counts
 * as free; where there is least before the margin. */
FM_PRIVATE_API
FmHeadroom fm_machine_headroom (const gchar *root);

/* The file in which the kernel says how long programs of the process's own
 * cgroup (version 2) wait for memory; NULL where there is none. */
gchar *fm_machine_cgroup_pressure (const gchar *root);

/* What programs of a user tell each other is in this directory, mode 0700, of
 * the one that fm_machine_runtime_dir() returns: XDG_RUNTIME_DIR; NULL where
 * there is none, or in a set-uid program, which tells its user nothing. */
#define FM_RUNTIME_DIRECTORY "gst-filemem"
FM_PRIVATE_API
const gchar *fm_machine_runtime_dir (void);

/* Makes @dir, if it is not there; FALSE if it can't be, if it is a link or one
 * in which others may write, or if the directory above is another user's, whose
 * environment was kept (sudo -E): one of ours would be in his way. */
FM_PRIVATE_API
gboolean fm_machine_make_runtime_dir (const gchar *dir);

/* The least of the limits of those cgroups alone; G_MAXUINT64 without one. */
guint64 fm_machine_cgroup_limit (const gchar *root);

G_END_DECLS
#endif
