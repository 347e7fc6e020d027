/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-fork.c: what a fork() does to pagers.
 *
 * Before the fork, transfers in flight end (direct I/O into private pages and
 * copy-on-write do not mix) and every pager's lock is taken, so that the child
 * finds its tables consistent.
 *
 * The child keeps the blocks that it inherits: resident ones are its own by
 * copy-on-write; spilled ones it can fill from the parent's file as long as the
 * parent has not freed them. It never writes to that file: what shows it
 * becomes read-only, nothing is spilled (the threads do not exist there
 * anyway), and fm_pager_acquire() asks for a new pager.
 *
 * Locking: list_lock guards the list and comes before any pager's lock.
 */
#include "pager-private.h"

#include "fork.h"

static GMutex list_lock;
static GQueue pagers = G_QUEUE_INIT;

static void
prepare_pager (gpointer data, gpointer unused)
{
  FmPager *pager = data;

  fm_mutex_lock (&pager->lock);
  pager->frozen = TRUE;
  while (pager->in_flight > 0)
    fm_cond_wait (&pager->changed, &pager->lock);
}

static void
prepare (void)
{
  g_mutex_lock (&list_lock);
  g_queue_foreach (&pagers, prepare_pager, NULL);
}

static void
resume_pager (gpointer data, gpointer unused)
{
  FmPager *pager = data;

  pager->frozen = FALSE;
  fm_cond_broadcast (&pager->changed);
  fm_cond_broadcast (&pager->to_write);
  fm_cond_broadcast (&pager->to_read);
  fm_cond_broadcast (&pager->to_keep);
  fm_mutex_unlock (&pager->lock);
}

static void
resume_in_parent (void)
{
  g_queue_foreach (&pagers, resume_pager, NULL);
  g_mutex_unlock (&list_lock);
}

static gboolean
protect_extent (gpointer key, gpointer value, gpointer data)
{
  FmPager *pager = data;
  FmExtent *extent = value;

  fm_arena_protect (pager->arena, fm_extent_offset (pager->table, extent),
      fm_extent_run_length (pager->table, extent));
  return FALSE;
}

static void
inherit_pager (gpointer data, gpointer unused)
{
  FmPager *pager = data;

  /* All waiting threads are in the parent. Between a fork and what the child
   * does of its own, only calls that are async-signal-safe are allowed. */
  atomic_store (&pager->inherited, TRUE);
  if (pager->watch != NULL)
    fm_pressure_watch_abandon (pager->watch);
  if (pager->config.total != NULL)
    fm_ram_total_abandon (pager->config.total);
  pager->frozen = FALSE;
  g_queue_init (&pager->line[FM_ROOM_FOR_ALLOC]);
  g_queue_init (&pager->line[FM_ROOM_FOR_FILL]);
  pager->arena->read_only = TRUE;
  g_tree_foreach (pager->spilled, protect_extent, pager);
  fm_mutex_unlock (&pager->lock);
}

static void
resume_in_child (void)
{
  g_queue_foreach (&pagers, inherit_pager, NULL);
  g_mutex_unlock (&list_lock);
}

void
fm_pager_fork_add (FmPager *pager)
{
  static const FmForkHandlers handlers = {
      prepare, resume_in_parent, resume_in_child};

  fm_fork_register (FM_FORK_PAGER, &handlers);
  g_mutex_lock (&list_lock);
  g_queue_push_tail_link (&pagers, &pager->link);
  g_mutex_unlock (&list_lock);
}

void
fm_pager_fork_remove (FmPager *pager)
{
  g_mutex_lock (&list_lock);
  g_queue_unlink (&pagers, &pager->link);
  g_mutex_unlock (&list_lock);
}
