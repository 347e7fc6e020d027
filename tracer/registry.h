/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.h: lists of what there is to tell about, and of the last of those
 * that are gone: a queue that was removed is still worth a line in the report,
 * but not a thousand of them.
 *
 * The child of a fork starts anew: what it inherited may be in the middle of
 * something, with locks taken by threads that the child has not, and is not
 * told about, but by the parent.
 *
 * Locking: one lock for all registries, held for a few instructions only, and
 * taken around a fork() so that the child finds it free. Any thread.
 */
#ifndef FM_REGISTRY_H
#define FM_REGISTRY_H

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* Begins what is on a registry. */
typedef struct
{
  gatomicrefcount refs;
  GDestroyNotify free;
  guint64 id;  /* its own on this registry; a name may be that of several */
  guint forks; /* that led to the process that made it */
  atomic_bool is_gone;
} FmRegistryItem;

typedef struct
{
  GPtrArray *items;
  guint n_gone;
  guint n_most; /* of those that are not gone, at a time */
  guint64 n_ever;
} FmRegistry;

/* Sets up @item, with a reference for the caller, and puts it on the list,
 * which has one of its own. @free gets it with the last reference. */
void fm_registry_add (
    FmRegistry *registry, FmRegistryItem *item, GDestroyNotify free);

gpointer fm_registry_item_ref (gpointer item);
void fm_registry_item_unref (gpointer item);

/* What @item tells about is gone: it stays for a while. Drops the caller's
 * reference. */
void fm_registry_leave (FmRegistry *registry, gpointer item);

/* The most that there were at a time, of those that were not gone. */
guint fm_registry_peak (FmRegistry *registry);

/* All that were made in this process, in the order in which they came; with
 * references. */
GPtrArray *fm_registry_list (FmRegistry *registry);

G_END_DECLS
#endif
