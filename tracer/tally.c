/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.c: see tally.h.
 */
#include "tally.h"

#include <time.h>

/* The upper bits have the bytes that are mapped, the lower ones the number of
 * buffers: one addition counts both, and of two such words the larger has more
 * bytes. */
#define NUMBER_BITS 20
#define MAPPED(bytes) (((guint64) (bytes) << NUMBER_BITS) + 1)
#define BYTES_OF(mapped) ((mapped) >> NUMBER_BITS)
#define NUMBER_OF(mapped) ((mapped) & (((guint64) 1 << NUMBER_BITS) - 1))

#define NS_OF_MS ((guint64) 1000000)

static void
tally_free (gpointer data)
{
  FmTally *tally = data;

  /* Something will still unmap what the element has left mapped. Leaking this
   * is better than a reference for each map. */
  if (atomic_load (&tally->mapped) != 0)
    return;
  g_weak_ref_clear (&tally->object);
  g_free (tally->element);
  g_free (tally->thread);
  g_free (tally);
}

FmTally *
fm_tally_new (FmRegistry *registry, const gchar *element, const gchar *thread,
    guint64 tid)
{
  FmTally *tally = g_new0 (FmTally, 1);

  tally->element = g_strdup (element);
  tally->thread = g_strdup (thread);
  tally->tid = tid;
  g_weak_ref_init (&tally->object, NULL);
  fm_registry_add (registry, &tally->item, tally_free);
  return tally;
}

guint32
fm_tally_now (void)
{
  struct timespec now = {0};

  (void) clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
  return (
      guint32) ((guint64) now.tv_sec * 1000 + (guint64) now.tv_nsec / NS_OF_MS);
}

void
fm_tally_map (FmTally *tally, gsize bytes, guint32 now)
{
  guint64 mapped = MAPPED (bytes)
      + atomic_fetch_add_explicit (
          &tally->mapped, MAPPED (bytes), memory_order_relaxed);
  guint64 most =
      atomic_load_explicit (&tally->mapped_most, memory_order_relaxed);

  if (NUMBER_OF (mapped) == 1)
    atomic_store_explicit (&tally->mapped_since, now, memory_order_relaxed);
  while (mapped > most
      && !atomic_compare_exchange_weak (&tally->mapped_most, &most, mapped))
    continue;
}

void
fm_tally_unmap (FmTally *tally, gsize bytes, guint32 since, guint32 now)
{
  guint32 longest =
      atomic_load_explicit (&tally->mapped_longest, memory_order_relaxed);

  while (now - since > longest
      && !atomic_compare_exchange_weak (
          &tally->mapped_longest, &longest, now - since))
    continue;
  /* @tally may be gone from here on. */
  atomic_fetch_sub_explicit (
      &tally->mapped, MAPPED (bytes), memory_order_release);
}

void
fm_tally_get_mapped (FmTally *tally, guint64 ret_figure[FM_N_MAPPED_FIGURES])
{
  guint64 mapped = atomic_load (&tally->mapped);
  guint64 most = atomic_load (&tally->mapped_most);
  guint32 longest = atomic_load (&tally->mapped_longest);

  if (longest == 0 && mapped != 0)
    longest = fm_tally_now () - atomic_load (&tally->mapped_since);
  ret_figure[FM_MAPPED] = NUMBER_OF (mapped);
  ret_figure[FM_MAPPED_BYTES] = BYTES_OF (mapped);
  ret_figure[FM_MAPPED_MAX] = NUMBER_OF (most);
  ret_figure[FM_MAPPED_MAX_BYTES] = BYTES_OF (most);
  ret_figure[FM_MAPPED_LONGEST_NS] = longest * NS_OF_MS;
}
