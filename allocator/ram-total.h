/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ram-total.h: one budget for all programs of a user that leave `ram` alone.
 *
 * Each program tells the others how much it has in memory, and how much it
 * would use. A program that would use less than an equal part of the total gets
 * what it would use; the others share the rest equally. What a program still
 * has beyond its part (because its disk is slow, or because it was stopped)
 * counts until it is gone. Nothing is negotiated: all programs compute the same
 * result.
 *
 * They meet in a small file beside the status pages, with a row for each. The
 * owner of a row holds a lock on its byte, which goes with the process, however
 * that ends; a row without a lock is free, whatever it says. Programs in memory
 * cgroups with limits of their own share with those in the same cgroup.
 *
 * Locking: one thread at a time. Other processes run concurrently, but each
 * writes only its own row.
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
  guint64 wanted; /* what would be used if there were room */
} FmClaim;

/* What the first of @claims may take of @total. */
guint64 fm_ram_total_share (guint64 total, const FmClaim *claims, guint n);

/* @total bytes for the programs that meet in the directory @dir, which need not
 * exist. The others do not know of this program before its first claim. */
FmRamTotal *fm_ram_total_new (const gchar *dir, guint64 total);
void fm_ram_total_free (FmRamTotal *total);

/* Tells the others, those of the same @group, and returns how much may be
 * taken: the total, if there is no way to meet. *@ret_programs is how many
 * programs have claimed anything, including this one. */
guint64 fm_ram_total_claim (FmRamTotal *total, guint64 group,
    const FmClaim *claim, guint *ret_programs);

/* In the child of a fork: the row is the parent's. Async-signal-safe. */
void fm_ram_total_abandon (FmRamTotal *total);

G_END_DECLS
#endif
