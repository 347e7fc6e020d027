/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-pressure.c: looks at the memory that is left, and has the budget give
 * way.
 *
 * It is looked at when so much more has become resident as the last look
 * allowed, by whoever is about to take more, and after a while by the keeper,
 * as long as there is more than the floor: with less there is nothing to give
 * back, and nobody wakes up.
 *
 * Locking: files are read without the pager's lock, but a fork() waits for
 * that; one thread looks at a time, who finds another at it goes on.
 */
#include "pager-private.h"

#include "pressure.h"

/* With the lock held. */
static void
take_headroom (FmPager *pager, const FmHeadroom *memory)
{
  gsize before = fm_pager_budget (pager);
  gint64 now = fm_now ();
  gsize budget = fm_pressure_budget (memory, before, fm_pager_ceiling (pager),
      FM_PAGER_YIELDS_TO, pager->resident_bytes, now - pager->looked);

  pager->looked = now;
  pager->look_before = now + fm_pressure_interval (memory);
  pager->look_at = pager->resident_bytes + fm_pressure_step (memory);
  atomic_store (&pager->look_due, FALSE);
  fm_stats_set (pager->stats, FM_STAT_HEADROOM, memory->headroom);
  if (budget == before)
    return;
  if (budget < before && !pager->yields)
    fm_stats_add (pager->stats, FM_STAT_YIELDS, 1);
  pager->yields = budget < before;
  fm_pager_take_budget (pager, budget);
  fm_cond_broadcast (&pager->to_write);
  fm_pager_wake_waiting (pager);
  fm_pager_wake_readers (pager);
}

void
fm_pager_look (FmPager *pager)
{
  FmHeadroom memory;

  if (atomic_exchange (&pager->is_looking, TRUE))
    return;
  fm_pager_lock (pager);
  if (!pager->frozen) {
    fm_pager_leave (pager);
    memory = fm_machine_headroom (pager->config.machine);
    fm_pager_return (pager);
    take_headroom (pager, &memory);
  }
  fm_pager_unlock (pager);
  atomic_store (&pager->is_looking, FALSE);
}
