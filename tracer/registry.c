/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.c: see registry.h.
 */
#include "registry.h"

#include "fork.h"
#include "sync.h"

/* How many items that are gone stay on each registry. */
#define GONE_MAX 256

static FmMutex lock;
static guint n_forks; /* that led to this process */

static void
take_lock (void)
{
  fm_mutex_lock (&lock);
}

static void
give_lock (void)
{
  fm_mutex_unlock (&lock);
}

static void
give_lock_in_child (void)
{
  n_forks++;
  fm_mutex_unlock (&lock);
}

void
fm_registry_add (
    FmRegistry *registry, FmRegistryItem *item, GDestroyNotify free)
{
  static const FmForkHandlers handlers = {
      take_lock, give_lock, give_lock_in_child};

  fm_fork_register (FM_FORK_REGISTRY, &handlers);
  g_atomic_ref_count_init (&item->refs);
  g_atomic_ref_count_inc (&item->refs);
  item->free = free;
  atomic_init (&item->is_gone, FALSE);
  fm_mutex_lock (&lock);
  item->id = ++registry->n_ever;
  item->forks = n_forks;
  if (registry->items == NULL)
    registry->items = g_ptr_array_new ();
  g_ptr_array_add (registry->items, item);
  registry->n_most =
      MAX (registry->n_most, registry->items->len - registry->n_gone);
  fm_mutex_unlock (&lock);
}

gpointer
fm_registry_item_ref (gpointer item)
{
  g_atomic_ref_count_inc (&((FmRegistryItem *) item)->refs);
  return item;
}

void
fm_registry_item_unref (gpointer data)
{
  FmRegistryItem *item = data;

  if (g_atomic_ref_count_dec (&item->refs))
    item->free (item);
}

/* Takes the oldest of those that are gone; with the lock held. */
static FmRegistryItem *
take_first_gone (FmRegistry *registry)
{
  guint i;

  for (i = 0; i < registry->items->len; i++) {
    FmRegistryItem *item = g_ptr_array_index (registry->items, i);

    if (atomic_load (&item->is_gone)) {
      g_ptr_array_remove_index (registry->items, i);
      registry->n_gone--;
      return item;
    }
  }
  return NULL;
}

void
fm_registry_leave (FmRegistry *registry, gpointer data)
{
  FmRegistryItem *item = data, *forgotten = NULL;

  fm_mutex_lock (&lock);
  atomic_store (&item->is_gone, TRUE);
  if (++registry->n_gone > GONE_MAX)
    forgotten = take_first_gone (registry);
  fm_mutex_unlock (&lock);
  if (forgotten != NULL)
    fm_registry_item_unref (forgotten);
  fm_registry_item_unref (item);
}

guint
fm_registry_peak (FmRegistry *registry)
{
  guint most;

  fm_mutex_lock (&lock);
  most = registry->n_most;
  fm_mutex_unlock (&lock);
  return most;
}

GPtrArray *
fm_registry_list (FmRegistry *registry)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (fm_registry_item_unref);
  guint i;

  fm_mutex_lock (&lock);
  for (i = 0; registry->items != NULL && i < registry->items->len; i++) {
    FmRegistryItem *item = g_ptr_array_index (registry->items, i);

    if (item->forks == n_forks)
      g_ptr_array_add (list, fm_registry_item_ref (item));
  }
  fm_mutex_unlock (&lock);
  return list;
}
