/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * world.c: see world.h.
 */
#include "world.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct World w;
struct WorldFault fault;

static int
hook (const FmCallInfo *info)
{
  gboolean fixed = info->call == FM_CALL_MMAP && (info->flags & MAP_FIXED) != 0;

  if (info->call == FM_CALL_PWRITE || info->call == FM_CALL_PREAD
      || info->call == FM_CALL_MREMAP || fixed)
    fm_point ();
  if (!fault.armed || info->call != fault.call
      || (info->call == FM_CALL_MMAP && !fixed))
    return 0;
  fault.seen++;
  if (fault.seen != fault.nth && !(fault.persistent && fault.seen > fault.nth))
    return 0;
  fault.fired = TRUE;
  if (fault.unmaps)
    munmap (info->address, info->length);
  return fault.error;
}

guint8 *
bytes_of (FmExtent *extent)
{
#if FAKE_KERNEL
  return fake_kernel_page (fm_extent_offset (&w.table, extent));
#else
  return w.arena->base + fm_extent_offset (&w.table, extent);
#endif
}

FmExtent *
acquire (void)
{
  FmExtent *extent = NULL;

  scheduler_assert (
      fm_pager_acquire (w.pager, FM_PAGE, FALSE, &extent) == FM_ACQUIRED);
  return extent;
}

gboolean
map (FmExtent *extent, FmPinFlags flags)
{
  gboolean mapped = fm_pager_pin (w.pager, &(FmBlock){extent}, flags);

  scheduler_assert (mapped || w.map_may_fail);
  return mapped;
}

void
write_value (FmExtent *extent, guint8 value)
{
  if (!map (extent, FM_PIN_WRITE))
    return;
  bytes_of (extent)[0] = value;
  fm_point ();
  memset (bytes_of (extent), value, FM_PAGE);
  fm_pager_unpin (w.pager, &(FmBlock){extent}, FM_PIN_WRITE, FM_PAGE, 0);
}

guint8
read_value (FmExtent *extent)
{
  guint8 value;

  if (!map (extent, FM_PIN_READ))
    return 0;
  value = bytes_of (extent)[0];
  fm_point ();
  scheduler_assert (bytes_of (extent)[FM_PAGE - 1] == value);
  fm_pager_unpin (w.pager, &(FmBlock){extent}, FM_PIN_READ, 0, 0);
  return value;
}

/* Lets everybody go on until nobody has anything to do. */
void
settle (void)
{
  FmCond nobody;

  fm_pager_lock (w.pager);
  fm_cond_wait_until (&nobody, &w.pager->lock, fm_now () + 1);
  fm_pager_unlock (w.pager);
}

/* From now on the writer may begin. */
static void
let_spill (void)
{
  fm_pager_lock (w.pager);
  w.pager->frozen = FALSE;
  fm_cond_broadcast (&w.pager->to_write);
  fm_pager_unlock (w.pager);
}

/* A world in which A holds 1 and is settled, B holds 2, and there is no room
 * for both. */
void
set_up (void)
{
  const FmPagerConfig config = {
      .budget = 2 * FM_PAGE,
      .extent_size = FM_PAGE,
      .extent_least = FM_PAGE,
      .n_streams = 1,
      .patience = 5 * G_USEC_PER_SEC,
      .keep_unused = 10 * G_USEC_PER_SEC,
  };
  guint i;

  fault.seen = 0;
  for (i = 0; i < N_PAGES; i++)
    memset (fm_extent_at (&w.table, i), 0, sizeof (FmExtent));
  memset (w.stats, 0, sizeof *w.stats);
  atomic_store (&w.file->bytes, 0);
  w.map_may_fail = FALSE;
  w.pager = fm_pager_new (&config, &w.table, w.arena, w.file, w.stats);
#if FAKE_KERNEL
  fake_kernel_reset ();
  for (i = 0; i < N_PAGES; i++)
    scheduler_compare_state (fm_extent_at (&w.table, i), sizeof (FmExtent));
  scheduler_compare_state (
      &w.pager->written, sizeof *w.pager - offsetof (FmPager, written));
  scheduler_compare_state (w.pager->stream, sizeof (FmStream));
  scheduler_compare_state (&w.a, sizeof w.a);
#endif
  /* Nothing is unused for long enough here to need the keeper. */
  atomic_store (&w.pager->keeper_awake, TRUE);
  /* As if a fork were about to happen: the writer starts, but begins nothing.
   */
  w.pager->frozen = TRUE;
  w.a = acquire ();
  write_value (w.a, 1);
  w.b = acquire ();
  write_value (w.b, 2);
  settle ();
}

gboolean
is_spilled (gpointer extent)
{
  return FM_WORD_STATE (atomic_load (&((FmExtent *) extent)->word))
      == FM_SPILLED;
}

/* Lets the pager's threads go on until A is on disk. */
void
wait_for_spill (void)
{
  let_spill ();
  settle ();
  scheduler_assert (is_spilled (w.a));
}

/* No count may have drifted, now that nobody moves. */
static void
check_counts (void)
{
  gsize resident = 0, disk = 0;
  guint i, n_spilled = 0, n_resident = 0;

  for (i = 0; i < N_PAGES; i++) {
    FmExtent *extent = fm_extent_at (&w.table, i);
    guint32 word = atomic_load (&extent->word);

    resident += extent->resident_bytes;
    disk += extent->disk_bytes;
    n_spilled += FM_WORD_STATE (word) == FM_SPILLED;
    n_resident += FM_WORD_STATE (word) == FM_RESIDENT;
    scheduler_assert (FM_WORD_PINS (word) == 0);
  }
  scheduler_assert (w.pager->resident_bytes == resident);
  scheduler_assert (fm_backing_file_bytes (w.file) == disk);
  scheduler_assert (atomic_load (&w.pager->n_spilled) == n_spilled);
  scheduler_assert ((guint) g_tree_nnodes (w.pager->spilled) == n_spilled);
  scheduler_assert (w.pager->resident.length == n_resident);
  scheduler_assert (w.pager->spilled_bytes == n_spilled * FM_PAGE);
  scheduler_assert (w.pager->in_flight == 0);
  scheduler_assert (!fm_pager_somebody_waits (w.pager));
}

void
tear_down (void)
{
  scheduler_set_exploring (FALSE);
  if (w.a != NULL)
    fm_pager_release (w.pager, w.a);
  fm_pager_release (w.pager, w.b);
  fm_pager_stop_threads (w.pager);
  check_counts ();
  scheduler_assert (w.pager->resident.length == 0);
  scheduler_assert (atomic_load (&w.pager->n_spilled) == 0);
  memset (w.pager->thread, 0, sizeof w.pager->thread);
  fm_pager_free (w.pager);
}

void
run_actors (GThreadFunc first, GThreadFunc second, GThreadFunc third)
{
  GThreadFunc funcs[] = {first, second, third};
  static const gchar *const names[] = {"first", "second", "third"};
  FmThread *actors[G_N_ELEMENTS (funcs)] = {NULL};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (funcs); i++) {
    if (funcs[i] != NULL)
      actors[i] = fm_scheduler_spawn (names[i], funcs[i], NULL);
  }
  if (w.pager->frozen)
    let_spill ();
  scheduler_set_exploring (TRUE);
  for (i = 0; i < G_N_ELEMENTS (funcs); i++) {
    if (actors[i] != NULL)
      fm_thread_join (actors[i]);
  }
  scheduler_set_exploring (FALSE);
}

int
set_up_world (void **state)
{
  g_autoptr (GError) error = NULL;
  const gchar *dir =
      access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir ();

  w.file = fm_backing_file_new (dir, &error);
  assert_non_null (w.file);
  assert_int_equal (fm_backing_file_set_length (w.file, N_PAGES * FM_PAGE), 0);
  w.arena = fm_arena_new (
      N_PAGES * FM_PAGE, N_PAGES * FM_PAGE, FM_PAGE, w.file->fd, FALSE);
  assert_non_null (w.arena);
  /* GLib keeps these texts: not in the memory of one run. */
  assert_non_null (g_strerror (EIO));
  assert_non_null (g_strerror (ENOSPC));
  assert_non_null (g_strerror (ENOMEM));
  g_free (g_format_size_full (1, G_FORMAT_SIZE_IEC_UNITS));
  w.stats = fm_stats_new ();
  assert_true (fm_extent_table_init (&w.table, N_PAGES * FM_PAGE, FM_PAGE));
  fm_seam_set_hook (hook);
  return 0;
}
