/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * protocol.c: the pager's real code through all interleavings of map, unmap,
 * write, spill, fill, free and reuse on one extent.
 *
 * It is built twice: with a kernel in plain memory (fake-kernel.c), which is
 * fast enough for all interleavings, and with the real one, for fewer of them
 * but with faults.
 *
 * Each scenario sets up a pager with a budget of two extents of one page, so
 * that extent A has to go, lets actors loose on A while the pager's own threads
 * spill and fill it, and then looks whether every byte and every count is
 * right. Under way:
 *
 *   - a disciplined write is never lost;
 *   - whoever reads through a stale pointer sees an old or the new value, and
 *     never the old one after the new;
 *   - nobody sees the bytes of a block that is gone in one that is there;
 *   - nobody waits for ever (the scheduler notices).
 *
 * The last scenarios make one system call after the other fail, in all
 * interleavings again.
 *
 *   test-protocol [PART/PARTS]    some of the scenarios; others do the rest
 *
 * FILEMEM_LONG_TESTS=1 makes the longest of them longer.
 */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SCENARIOS 20

/* ---- actors ---- */

static gpointer
writes_3 (gpointer unused)
{
  write_value (w.a, 3);
  return NULL;
}

static gpointer
reads_a (gpointer unused)
{
  guint8 value = read_value (w.a);

  scheduler_assert (value == 1 || (value == 0 && w.map_may_fail));
  return NULL;
}

/* Reads while another may write: only bytes, not the block, are whole. */
static gpointer
reads_or_writes (gpointer unused)
{
  guint8 value;

  scheduler_assert (map (w.a, FM_PIN_READ));
  value = bytes_of (w.a)[FM_PAGE - 1];
  scheduler_assert (value == 1 || value == 3);
  fm_pager_unpin (w.pager, &(FmBlock){w.a}, FM_PIN_READ, 0, 0);
  return NULL;
}

/* Reads without a map. */
static guint8
stray (gsize at)
{
  return ((const volatile guint8 *) bytes_of (w.a))[at];
}

static gpointer
reads_stray_1 (gpointer unused)
{
  scheduler_assert (stray (0) == 1);
  fm_point ();
  scheduler_assert (stray (FM_PAGE - 1) == 1);
  return NULL;
}

static gpointer
reads_stray_1_then_3 (gpointer unused)
{
  guint8 before = stray (FM_PAGE - 1), after;

  fm_point ();
  after = stray (FM_PAGE - 1);
  scheduler_assert (before == 1 || before == 3);
  scheduler_assert (after == 1 || after == 3);
  scheduler_assert (before != 3 || after == 3);
  return NULL;
}

static gpointer
frees_a (gpointer unused)
{
  FmExtent *extent = g_steal_pointer (&w.a);

  fm_pager_release (w.pager, extent);
  return NULL;
}

/* Frees A, and uses what comes next: perhaps the same place. */
static gpointer
frees_and_acquires (gpointer unused)
{
  frees_a (NULL);
  w.a = acquire ();
  write_value (w.a, 4);
  return NULL;
}

static gpointer
writes_b (gpointer unused)
{
  write_value (w.b, 5);
  return NULL;
}

static gpointer
reads_b (gpointer unused)
{
  scheduler_assert (read_value (w.b) == 2);
  return NULL;
}

/* ---- scenarios ---- */

/* Whatever happened to A, it can be spilled and filled again. */
static void
page_once_more (void)
{
  FmExtent *extents[2] = {acquire (), acquire ()};

  settle ();
  scheduler_assert (is_spilled (w.a) || is_spilled (w.b));
  fm_pager_release (w.pager, extents[0]);
  fm_pager_release (w.pager, extents[1]);
}

static void
write_against_spill (void)
{
  set_up ();
  run_actors (writes_3, NULL, NULL);
  page_once_more ();
  scheduler_assert (read_value (w.a) == 3);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
stray_read_against_write_and_spill (void)
{
  set_up ();
  run_actors (writes_3, reads_stray_1_then_3, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
reads_against_spill (void)
{
  set_up ();
  run_actors (reads_a, reads_a, NULL);
  scheduler_assert (read_value (w.a) == 1);
  tear_down ();
}

static void
stray_reads_against_spill (void)
{
  set_up ();
  run_actors (reads_stray_1, reads_stray_1, NULL);
  scheduler_assert (read_value (w.a) == 1);
  tear_down ();
}

static void
read_and_write_against_spill (void)
{
  set_up ();
  run_actors (writes_3, reads_or_writes, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
free_against_spill (void)
{
  set_up ();
  run_actors (frees_a, NULL, NULL);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
reuse_against_spill (void)
{
  set_up ();
  run_actors (frees_and_acquires, NULL, NULL);
  page_once_more ();
  scheduler_assert (read_value (w.a) == 4);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
two_fills (void)
{
  set_up ();
  wait_for_spill ();
  run_actors (reads_a, reads_a, NULL);
  scheduler_assert (read_value (w.a) == 1);
  tear_down ();
}

static void
fill_and_write (void)
{
  set_up ();
  wait_for_spill ();
  run_actors (writes_3, reads_or_writes, NULL);
  scheduler_assert (read_value (w.a) == 3);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
stray_reads_against_fill (void)
{
  set_up ();
  wait_for_spill ();
  run_actors (reads_a, reads_stray_1, NULL);
  scheduler_assert (read_value (w.a) == 1);
  tear_down ();
}

/* Of a stream that most is read of in vain. */
static gpointer
borrows_a (gpointer unused)
{
  const FmBlock block = {w.a, 0, FM_PAGE / 4};
  guint8 value;

  scheduler_assert (fm_pager_pin (w.pager, &block, FM_PIN_READ));
  value = bytes_of (w.a)[0];
  fm_point ();
  scheduler_assert (value == 1 || value == 3);
  value = bytes_of (w.a)[0];
  scheduler_assert (value == 1 || value == 3);
  fm_pager_unpin (w.pager, &block, FM_PIN_READ, 0, 0);
  return NULL;
}

static void
loan_against_write (void)
{
  set_up ();
  wait_for_spill ();
  w.pager->stream[0].unused = 1;
  run_actors (borrows_a, writes_3, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
loan_against_fill (void)
{
  set_up ();
  wait_for_spill ();
  w.pager->stream[0].unused = 1;
  run_actors (borrows_a, reads_a, NULL);
  scheduler_assert (read_value (w.a) == 1);
  tear_down ();
}

/* Makes the pager's reader fill A ahead of whoever asks. */
static void
start_prefetch (void)
{
  fm_pager_lock (w.pager);
  w.pager->stream[0].cursor[0] =
      (FmCursor){.is_used = TRUE, .ahead = 4 * FM_PAGE, .time = fm_now ()};
  fm_cond_broadcast (&w.pager->to_read);
  fm_pager_unlock (w.pager);
}

static void
prefetch_against_write (void)
{
  set_up ();
  wait_for_spill ();
  start_prefetch ();
  run_actors (writes_3, NULL, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
prefetch_against_free (void)
{
  set_up ();
  wait_for_spill ();
  start_prefetch ();
  run_actors (frees_a, NULL, NULL);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
prefetch_against_reuse (void)
{
  set_up ();
  wait_for_spill ();
  start_prefetch ();
  run_actors (frees_and_acquires, NULL, NULL);
  scheduler_assert (read_value (w.a) == 4);
  tear_down ();
}

static void
fill_that_has_to_spill_another (void)
{
  set_up ();
  wait_for_spill ();
  run_actors (reads_a, writes_b, NULL);
  scheduler_assert (read_value (w.a) == 1);
  scheduler_assert (read_value (w.b) == 5);
  tear_down ();
}

static gpointer
holds_b (gpointer unused)
{
  scheduler_assert (map (w.b, FM_PIN_READ));
  fm_point ();
  scheduler_assert (bytes_of (w.b)[0] == 2);
  fm_pager_unpin (w.pager, &(FmBlock){w.b}, FM_PIN_READ, 0, 0);
  return NULL;
}

static gpointer
acquires_another (gpointer unused)
{
  FmExtent *extent = acquire ();

  fm_pager_release (w.pager, extent);
  return NULL;
}

static void
no_room_while_pinned (void)
{
  set_up ();
  run_actors (acquires_another, holds_b, NULL);
  scheduler_assert (read_value (w.a) == 1);
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

static void
failing_spill_and_fill (void)
{
  set_up ();
  fault.armed = TRUE;
  w.map_may_fail = fault.call == FM_CALL_PREAD || fault.unmaps;
  run_actors (reads_a, NULL, NULL);
  fault.armed = FALSE;
  scheduler_assert (read_value (w.b) == 2);
  (void) reads_a (NULL);
  tear_down ();
}

static void
failing_fill (void)
{
  set_up ();
  wait_for_spill ();
  fault.armed = TRUE;
  w.map_may_fail = fault.call == FM_CALL_PREAD || fault.unmaps;
  run_actors (reads_a, reads_b, NULL);
  fault.armed = FALSE;
  (void) reads_a (NULL);
  tear_down ();
}

/* A fill that found no memory has left the file itself at A; who writes there
 * is not to be overtaken by the next fill. */
static gpointer
writes_3_in_place (gpointer unused)
{
  bytes_of (w.a)[0] = 3;
  fm_point ();
  memset (bytes_of (w.a), 3, FM_PAGE);
  fm_pager_unpin (w.pager, &(FmBlock){w.a}, FM_PIN_WRITE, FM_PAGE, 0);
  return NULL;
}

static void
map_in_place (void)
{
  fault.call = FM_CALL_MREMAP;
  fault.error = ENOMEM;
  fault.nth = 1;
  fault.unmaps = FALSE;
  fault.persistent = TRUE;
  fault.armed = TRUE;
  (void) map (w.a, FM_PIN_WRITE);
  fault.armed = FALSE;
  scheduler_assert (is_spilled (w.a));
}

static void
write_in_place_against_fill (void)
{
  set_up ();
  wait_for_spill ();
  map_in_place ();
  run_actors (writes_3_in_place, reads_or_writes, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
write_in_place_against_prefetch (void)
{
  set_up ();
  wait_for_spill ();
  map_in_place ();
  start_prefetch ();
  run_actors (writes_3_in_place, NULL, NULL);
  scheduler_assert (read_value (w.a) == 3);
  tear_down ();
}

static void
failing_reuse (void)
{
  set_up ();
  fault.armed = TRUE;
  run_actors (frees_a, NULL, NULL);
  fault.armed = FALSE;
  scheduler_assert (read_value (w.b) == 2);
  tear_down ();
}

/* ---- the tests ---- */

typedef struct
{
  const gchar *name;
  void (*run) (void);
  guint most_preemptions;
} Scenario;

static void
test_all_interleavings (void **state)
{
  const Scenario *scenario = *state;
  guint64 runs = scheduler_explore (
      scenario->name, scenario->run, scenario->most_preemptions);

  print_message (
      "%-40s %" G_GUINT64_FORMAT " interleavings\n", scenario->name, runs);
  /* A scenario in which nobody gets in anybody's way tests nothing. */
  assert_true (runs > 10);
}

static void
test_faults (void **state)
{
  const Scenario *scenario = *state;
  static const struct
  {
    FmCall call;
    int error;
    gboolean unmaps;
  } kinds[] = {
      {FM_CALL_PWRITE, EIO, FALSE},
      {FM_CALL_PWRITE, ENOSPC, FALSE},
      {FM_CALL_FALLOCATE, ENOSPC, FALSE},
      {FM_CALL_MMAP, ENOMEM, FALSE},
      {FM_CALL_MMAP, ENOMEM, TRUE},
      {FM_CALL_PREAD, EIO, FALSE},
      {FM_CALL_MREMAP, ENOMEM, FALSE},
      {FM_CALL_MREMAP, ENOMEM, TRUE},
  };
  guint kind, persistent, faults = 0;
  guint64 runs = 0;

  for (kind = 0; kind < G_N_ELEMENTS (kinds); kind++) {
    for (persistent = 0; persistent < 2; persistent++) {
      /* After unmapping, a call that always fails leaves nothing to be saved.
       */
      if (persistent && kinds[kind].unmaps)
        continue;
      fault.call = kinds[kind].call;
      fault.error = kinds[kind].error;
      fault.unmaps = kinds[kind].unmaps;
      fault.persistent = persistent;
      for (fault.nth = 1;; fault.nth++) {
        fault.fired = FALSE;
        runs += scheduler_explore (
            scenario->name, scenario->run, scenario->most_preemptions);
        if (!fault.fired)
          break;
        faults++;
      }
    }
  }
  print_message ("%-40s %" G_GUINT64_FORMAT " interleavings, %u faults\n",
      scenario->name, runs, faults);
  assert_true (faults > 0);
}

/* Those of the part that is named in the arguments, all without one. */
static int
run_part (int argc, char **argv, const struct CMUnitTest *tests, guint n_tests)
{
  struct CMUnitTest chosen[MOST_SCENARIOS] = {{NULL}};
  guint part = 1, parts = 1, n = 0, i;

  if (argc > 1
      && (sscanf (argv[1], "%u/%u", &part, &parts) != 2 || part < 1
          || part > parts))
    return EXIT_FAILURE;
  for (i = part - 1; i < n_tests; i += parts)
    chosen[n++] = tests[i];
  /* cmocka passes over those without a function. */
  return cmocka_run_group_tests (chosen, set_up_world, NULL);
}

int
main (int argc, char **argv)
{
  gboolean is_long = g_getenv ("FILEMEM_LONG_TESTS") != NULL;

#define SCENARIO(function, preemptions)                        \
  {                                                            \
#function, test_all_interleavings, NULL, NULL, &(Scenario) \
    {                                                          \
#function, function, (preemptions)                       \
    }                                                          \
  }
#define FAULTS(function, preemptions)               \
  {                                                 \
#function, test_faults, NULL, NULL, &(Scenario) \
    {                                               \
#function, function, (preemptions)            \
    }                                               \
  }
  const struct CMUnitTest with_fake_kernel[] = {
      /* Two parties, the pager's threads being one, and some of three. */
      SCENARIO (write_against_spill, SCHEDULER_ALL),
      SCENARIO (reads_against_spill, SCHEDULER_ALL),
      SCENARIO (stray_reads_against_spill, SCHEDULER_ALL),
      SCENARIO (stray_read_against_write_and_spill, SCHEDULER_ALL),
      SCENARIO (free_against_spill, SCHEDULER_ALL),
      SCENARIO (two_fills, SCHEDULER_ALL),
      SCENARIO (fill_and_write, SCHEDULER_ALL),
      SCENARIO (stray_reads_against_fill, SCHEDULER_ALL),
      SCENARIO (prefetch_against_write, SCHEDULER_ALL),
      SCENARIO (prefetch_against_free, SCHEDULER_ALL),
      SCENARIO (fill_that_has_to_spill_another, SCHEDULER_ALL),
      SCENARIO (loan_against_write, SCHEDULER_ALL),
      SCENARIO (loan_against_fill, SCHEDULER_ALL),
      /* Here all would take many minutes. */
      SCENARIO (read_and_write_against_spill, 2),
      SCENARIO (reuse_against_spill, 3),
      SCENARIO (prefetch_against_reuse, 3),
      SCENARIO (no_room_while_pinned, 1),
  };
  const struct CMUnitTest with_real_kernel[] = {
      SCENARIO (write_against_spill, 2),
      SCENARIO (stray_reads_against_spill, 2),
      SCENARIO (reuse_against_spill, 1),
      SCENARIO (fill_and_write, 2),
      SCENARIO (stray_reads_against_fill, 2),
      SCENARIO (prefetch_against_reuse, 1),
      /* Twenty times as many with 2. */
      SCENARIO (write_in_place_against_fill, is_long ? 2 : 1),
      SCENARIO (write_in_place_against_prefetch, 2),
      FAULTS (failing_spill_and_fill, 2),
      FAULTS (failing_fill, 1),
      FAULTS (failing_reuse, 2),
  };

  G_STATIC_ASSERT (G_N_ELEMENTS (with_fake_kernel) <= MOST_SCENARIOS);
  G_STATIC_ASSERT (G_N_ELEMENTS (with_real_kernel) <= MOST_SCENARIOS);
  if (FAKE_KERNEL)
    return run_part (
        argc, argv, with_fake_kernel, G_N_ELEMENTS (with_fake_kernel));
  return run_part (
      argc, argv, with_real_kernel, G_N_ELEMENTS (with_real_kernel));
}
