/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork.c: see fork.h. The one that registers with pthread_atfork().
 * fork.c: see fork.h. The only file that registers with pthread_atfork().
 *
 * Locking: `lock` comes before the locks of all places. It is held from prepare
 * until parent and child, so that these call the handlers of exactly those
 * places that ran in prepare. It is a pthread mutex, which can be released in
 * the child.
 */
#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic (const FmForkHandlers *) places[FM_N_FORK_PLACES];
static gboolean registered; /* with pthread */

static void
prepare (void)
{
  guint i;

  pthread_mutex_lock (&lock);
  for (i = 0; i < FM_N_FORK_PLACES; i++) {
    const FmForkHandlers *handlers = atomic_load (&places[i]);

    if (handlers != NULL && handlers->prepare != NULL)
      handlers->prepare ();
  }
}

static void
resume_in_parent (void)
{
  guint i;

  for (i = FM_N_FORK_PLACES; i-- > 0;) {
    const FmForkHandlers *handlers = atomic_load (&places[i]);

    if (handlers != NULL && handlers->parent != NULL)
      handlers->parent ();
  }
  pthread_mutex_unlock (&lock);
}

static void
resume_in_child (void)
{
  guint i;

  for (i = FM_N_FORK_PLACES; i-- > 0;) {
    const FmForkHandlers *handlers = atomic_load (&places[i]);

    if (handlers != NULL && handlers->child != NULL)
      handlers->child ();
  }
  pthread_mutex_unlock (&lock);
}

void
fm_fork_register (FmForkPlace place, const FmForkHandlers *handlers)
{
  if (atomic_load_explicit (&places[place], memory_order_acquire) == handlers)
    return;
  pthread_mutex_lock (&lock);
  if (!registered)
    registered =
        pthread_atfork (prepare, resume_in_parent, resume_in_child) == 0;
  atomic_store (&places[place], handlers);
  pthread_mutex_unlock (&lock);
}
