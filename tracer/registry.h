/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.h: lists of what there is to report on, and of the last of those
 * that are gone: a queue that was removed is still worth a line in the report,
 * but a thousand of them are not.
 *
 * The child of a fork starts anew: what it inherited may be in the middle of a
 * change, with locks held by threads that the child does not have. The parent
 * reports on it, not the child.
 *
 * Locking: one lock for all registries, held for a few instructions only, and
 * taken around a fork() so that the child finds it free. Any thread.
 */
#ifndef FM_REGISTRY_H
#define FM_REGISTRY_H

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

/* Every item on a registry begins with this. */
typedef struct
{
  gatomicrefcount refs;
  GDestroyNotify free;
  guint64 id;  /* unique on this registry; several may share a name */
  guint forks; /* that led to the process that made the item */
  atomic_bool is_gone;
} FmRegistryItem;

typedef struct
{
  GPtrArray *items;
  guint n_gone;
  guint n_most; /* the most at a time, of those that are not gone */
  guint64 n_ever;
} FmRegistry;

/* Sets up @item, with a reference for the caller, and puts it on the list,
 * which has its own. @free is called with it when the last reference goes. */
void fm_registry_add (
    FmRegistry *registry, FmRegistryItem *item, GDestroyNotify free);

gpointer fm_registry_item_ref (gpointer item);
void fm_registry_item_unref (gpointer item);

/* What @item describes is gone: the item stays for a while. Drops the caller's
 * reference. */
void fm_registry_leave (FmRegistry *registry, gpointer item);

/* The most items at a time that were not gone. */
guint fm_registry_peak (FmRegistry *registry);

/* All items made in this process, in the order in which they came; with
 * references. */
GPtrArray *fm_registry_list (FmRegistry *registry);

G_END_DECLS
#endif
