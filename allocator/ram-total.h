/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ram-total.h: one budget for all programs of a user that leave `ram` alone.
 *
 * Each tells the others how much it has in memory, and how much it would use.
 * Who would use less than an equal part of the total gets what it would use;
 * the others share the rest equally. What somebody still has beyond his part
 * (because his disk is slow, or because he was stopped) counts until it is
 * gone. Nobody negotiates: all come to the same result.
 *
 * They meet in a small file beside the status pages, a row for each. Who
 * has a row holds a lock on its byte, which goes with the process, however that
 * ends; a row without a lock is free, whatever it says. Programs in memory
 * cgroups with limits of their own share with those in the same cgroup.
 *
 * Locking: one thread at a time. Other processes are what has to be reckoned
 * with: each writes its own row alone.
 */
#ifndef FM_RAM_TOTAL_H
#define FM_RAM_TOTAL_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct _FmRamTotal FmRamTotal;

/* Bytes. */
typedef struct
{
  guint64 taken;  /* in memory */
  guint64 wanted; /* what would be used if there was room */
} FmClaim;

/* What the first of @claims may take of @total. */
guint64 fm_ram_total_share (guint64 total, const FmClaim *claims, guint n);

/* Of the programs that meet in the directory @dir, which need not be there,
 * @total bytes. Nobody knows of this one before it claims anything. */
FmRamTotal *fm_ram_total_new (const gchar *dir, guint64 total);
void fm_ram_total_free (FmRamTotal *total);

/* Tells the others, those of the same @group, and returns what may be taken:
 * the total, where there is no way to meet. *@ret_programs is how many have
 * claimed anything, this one included. */
guint64 fm_ram_total_claim (FmRamTotal *total, guint64 group,
    const FmClaim *claim, guint *ret_programs);

/* In the child of a fork: the row is the parent's. Async-signal-safe. */
void fm_ram_total_abandon (FmRamTotal *total);

G_END_DECLS
#endif
