/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-pressure.c: watches the memory that is left, and makes the budget give
 * way.
 *
 * A thread looks when it is about to take more and as much more has become
 * resident as the last look allowed. The keeper looks after a while, as long as
 * more than the floor is resident or other programs take account of it:
 * otherwise there is nothing to give back, and no thread wakes up.
 *
 * Locking: files are read without the pager's lock, but a fork() waits for
 * that; one thread looks at a time, and a thread that finds another looking
 * goes on.
 */
#include "pager-private.h"

#include "pressure-watch.h"
#include "pressure.h"

/* In microseconds: how long nothing comes back after the kernel said that
 * programs stall for memory, and how long that counts as new. */
#define STALLS_FOR (10 * G_USEC_PER_SEC)
#define STALL_IS_NEW (2 * G_USEC_PER_SEC)

/* What the programs that share the budget are told may exceed what is in use by
 * this much. */
#define GROWS_BY ((gsize) 8 << 20)
#define GROWS_BY_PART 4

/* What to tell them, with the lock held. A program with next to nothing in
 * memory takes nothing from the others. */
static FmClaim
own_claim (FmPager *pager)
{
  guint64 used = pager->resident_bytes + pager->spilled_bytes;
  guint64 wanted = used + MAX (used / GROWS_BY_PART, GROWS_BY);
  FmClaim claim = {0};

  if (pager->resident_bytes <= FM_PAGER_YIELDS_TO)
    return claim;
  claim.taken = pager->resident_bytes;
  claim.wanted = MIN (wanted, fm_pager_ceiling (pager));
  return claim;
}

/* The most that the budget may be, given the programs that share it. */
static gsize
claim_share (FmPager *pager, const FmHeadroom *memory, const FmClaim *claim)
{
  guint programs;
  guint64 share =
      fm_ram_total_claim (pager->config.total, memory->group, claim, &programs);

  fm_stats_set (pager->stats, FM_STAT_SHARE, share);
  fm_stats_set (pager->stats, FM_STAT_PROGRAMS, programs);
  return (gsize) CLAMP (share, FM_PAGER_YIELDS_TO, fm_pager_ceiling (pager));
}

/* With the lock held. */
static void
count_yield (
    FmPager *pager, const FmHeadroom *memory, gsize budget, gsize share)
{
  guint why = budget == share           ? FM_STAT_YIELDS_SHARE
      : memory->stalls == FM_STALLS_NOW ? FM_STAT_YIELDS_STALLS
      : memory->is_of_cgroup            ? FM_STAT_YIELDS_CGROUP
                                        : FM_STAT_YIELDS_MACHINE;

  fm_stats_add (pager->stats, FM_STAT_YIELDS, 1);
  fm_stats_add (pager->stats, why, 1);
}

/* With the lock held; @share is what claim_share() returned. */
static void
take_headroom (FmPager *pager, const FmHeadroom *memory, gsize share)
{
  gsize before = fm_pager_budget (pager);
  gint64 now = fm_now ();
  gsize budget = fm_pressure_budget (memory, before, share, FM_PAGER_YIELDS_TO,
      pager->resident_bytes, now - pager->looked);

  pager->looked = now;
  pager->look_before = now + fm_pressure_interval (memory);
  pager->look_at = pager->resident_bytes + fm_pressure_step (memory);
  atomic_store (&pager->look_due, FALSE);
  fm_stats_set (pager->stats, FM_STAT_HEADROOM, memory->headroom);
  if (budget == before)
    return;
  if (budget < before && !pager->yields)
    count_yield (pager, memory, budget, share);
  pager->yields = budget < before;
  fm_pager_take_budget (pager, budget);
  fm_cond_broadcast (&pager->to_write);
  fm_pager_wake_waiting (pager);
  fm_pager_wake_readers (pager);
}

/* With the lock held. The last look may be long ago. */
static FmStalls
take_stalls (FmPager *pager)
{
  gint64 ago = fm_now () - pager->stalled;
  gboolean is_new = pager->stalls_now && ago < STALL_IS_NEW;

  pager->stalls_now = FALSE;
  if (pager->stalled == 0 || ago >= STALLS_FOR)
    return FM_STALLS_NO;
  return is_new ? FM_STALLS_NOW : FM_STALLS_LATELY;
}

/* Called in the thread of the watch. */
static void
on_stall (gpointer data)
{
  FmPager *pager = data;

  fm_pager_lock (pager);
  pager->stalls_now = TRUE;
  pager->stalled = fm_now ();
  pager->look_before = 0;
  if (fm_pager_is_watchful (pager))
    fm_pager_call_keeper (pager);
  fm_pager_unlock (pager);
}

void
fm_pager_watch_pressure (FmPager *pager)
{
  if (pager->has_watch)
    return;
  pager->has_watch = TRUE;
  pager->watch = fm_pressure_watch_new (pager->config.machine, on_stall, pager);
}

void
fm_pager_unwatch_pressure (FmPager *pager)
{
  g_clear_pointer (&pager->watch, fm_pressure_watch_free);
}

void
fm_pager_look (FmPager *pager)
{
  FmHeadroom memory;
  FmClaim claim;
  gsize share;

  if (atomic_load (&pager->inherited)
      || atomic_exchange (&pager->is_looking, TRUE))
    return;
  fm_pager_lock (pager);
  if (!pager->frozen) {
    claim = own_claim (pager);
    fm_pager_leave (pager);
    memory = fm_machine_headroom (pager->config.machine);
    share = pager->config.total != NULL ? claim_share (pager, &memory, &claim)
                                        : fm_pager_ceiling (pager);
    fm_pager_return (pager);
    memory.stalls = take_stalls (pager);
    fm_pager_note_claim (pager, claim.taken > 0);
    take_headroom (pager, &memory, share);
  }
  fm_pager_unlock (pager);
  atomic_store (&pager->is_looking, FALSE);
}
