/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * roster.c: see roster.h.
 */
#include "roster.h"

#include "fork.h"
#include "sync.h"

/* Of each roster, those that are gone and still on it. */
#define GONE_MOST 256

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
fm_roster_add (FmRoster *roster, FmRosterItem *item, GDestroyNotify free)
{
  static const FmForkHandlers handlers = {
      take_lock, give_lock, give_lock_in_child};

  fm_fork_register (FM_FORK_ROSTER, &handlers);
  g_atomic_ref_count_init (&item->refs);
  g_atomic_ref_count_inc (&item->refs);
  item->free = free;
  atomic_init (&item->is_gone, FALSE);
  fm_mutex_lock (&lock);
  item->id = ++roster->n_ever;
  item->forks = n_forks;
  if (roster->items == NULL)
    roster->items = g_ptr_array_new ();
  g_ptr_array_add (roster->items, item);
  roster->n_most = MAX (roster->n_most, roster->items->len - roster->n_gone);
  fm_mutex_unlock (&lock);
}

gpointer
fm_roster_item_ref (gpointer item)
{
  g_atomic_ref_count_inc (&((FmRosterItem *) item)->refs);
  return item;
}

void
fm_roster_item_unref (gpointer data)
{
  FmRosterItem *item = data;

  if (g_atomic_ref_count_dec (&item->refs))
    item->free (item);
}

/* Takes the one that came first of those that are gone; with the lock held. */
static FmRosterItem *
take_first_gone (FmRoster *roster)
{
  guint i;

  for (i = 0; i < roster->items->len; i++) {
    FmRosterItem *item = g_ptr_array_index (roster->items, i);

    if (atomic_load (&item->is_gone)) {
      g_ptr_array_remove_index (roster->items, i);
      roster->n_gone--;
      return item;
    }
  }
  return NULL;
}

void
fm_roster_leave (FmRoster *roster, gpointer data)
{
  FmRosterItem *item = data, *forgotten = NULL;

  fm_mutex_lock (&lock);
  atomic_store (&item->is_gone, TRUE);
  if (++roster->n_gone > GONE_MOST)
    forgotten = take_first_gone (roster);
  fm_mutex_unlock (&lock);
  if (forgotten != NULL)
    fm_roster_item_unref (forgotten);
  fm_roster_item_unref (item);
}

guint
fm_roster_most (FmRoster *roster)
{
  guint most;

  fm_mutex_lock (&lock);
  most = roster->n_most;
  fm_mutex_unlock (&lock);
  return most;
}

GPtrArray *
fm_roster_list (FmRoster *roster)
{
  GPtrArray *list = g_ptr_array_new_with_free_func (fm_roster_item_unref);
  guint i;

  fm_mutex_lock (&lock);
  for (i = 0; roster->items != NULL && i < roster->items->len; i++) {
    FmRosterItem *item = g_ptr_array_index (roster->items, i);

    if (item->forks == n_forks)
      g_ptr_array_add (list, fm_roster_item_ref (item));
  }
  fm_mutex_unlock (&lock);
  return list;
}
