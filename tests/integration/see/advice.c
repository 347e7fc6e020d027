/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice.c: tests what advice is given for which figures, and that none is
 * given a step before; and that in whole situations there is that advice which
 * fits, and no other. Figures are made up.
 */
#include "advice-fixture.h"
#include "advice-situations.h"

#include <stdlib.h>
#include <string.h>

#define DISK_FULL                                                            \
  "the disk was full 7 times, with 400.0\302\240MiB of buffers on it: free " \
  "some space, or choose another disk (dir)"

static FmRegistry elements; /* as in the tracer: it never goes */

/* One that has had @n buffers of @bytes in all mapped, for so many ms. */
static FmTally *
add_element (Fixture *fixture, const gchar *path, guint n, guint64 bytes,
    guint32 longest)
{
  FmTally *tally = fm_tally_new (&elements, path, NULL, 0);
  guint i;

  for (i = 0; i < n; i++)
    fm_tally_map (tally, bytes / n, 1000);
  for (i = 0; i < n; i++)
    fm_tally_unmap (tally, bytes / n, 1000, 1000 + longest);
  g_ptr_array_add (fixture->snapshot.elements, tally);
  return tally;
}

static void
test_none (void **state)
{
  Fixture *fixture = *state;

  assert_none (fixture);
  memset (fixture->stats, 0, sizeof fixture->snapshot.stats);
  assert_none (fixture);
}

static void
test_disk_full (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_DISK_FULL] = 7;
  assert_one (fixture, DISK_FULL);
  /* Not the disk was it. */
  fixture->stats[FM_STAT_SIZE_REACHED] = 7;
  assert_one (fixture,
      "the size of 1.0\302\240GiB was reached, and buffers that should "
      "have gone to disk stayed in memory: raise size");
}

static void
test_size_reached (void **state)
{
  Fixture *fixture = *state;

  /* Other fallbacks are nobody's fault. */
  fixture->stats[FM_STAT_FALLBACKS] = 12;
  fixture->stats[FM_STAT_FALLBACKS_SMALL] = 12;
  fixture->stats[FM_STAT_FALLBACK_BYTES] = 3 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_FALLBACKS_FULL] = 1;
  assert_one (fixture,
      "the size of 1.0\302\240GiB was reached, and "
      "3.0\302\240MiB stayed ordinary memory: raise size");
  /* What was to go to disk did not for the same reason. */
  fixture->stats[FM_STAT_DISK_FULL] = 4;
  fixture->stats[FM_STAT_SIZE_REACHED] = 4;
  assert_one (fixture,
      "the size of 1.0\302\240GiB was reached, and "
      "3.0\302\240MiB stayed ordinary memory: raise size");
  /* Nor did what was to be copied. */
  add_queue (fixture, "q", 100 * MIB, 100 * MIB)->figure[FM_LEFT_NO_ROOM] = 5;
  assert_one (fixture,
      "the size of 1.0\302\240GiB was reached, and "
      "3.0\302\240MiB stayed ordinary memory: raise size");
  fixture->snapshot.limited_by = "the limit on files";
  assert_one (fixture,
      "the size of 1.0\302\240GiB was reached, and "
      "3.0\302\240MiB stayed ordinary memory: raise the limit on files");
}

static void
test_over_budget (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_RESIDENT_PEAK] = 72 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_OVER_BUDGET] = 3;
  assert_one (fixture,
      "there was no room in the budget 3 times (it was exceeded by "
      "8.0\302\240MiB), because what was in memory was in use, or the disk "
      "took too long: raise ram");
  /* All of it was kept free for reads. */
  fixture->stats[FM_STAT_RESIDENT_PEAK] = 64 * MIB;
  assert_one (fixture,
      "there was no room in the budget 3 times, because what was in memory was "
      "in use, or the disk took too long: raise ram");
  /* No budget would do. */
  fixture->stats[FM_STAT_RESIDENT_PEAK] = 72 * MIB;
  fixture->stats[FM_STAT_SPILL_FAILURES] = 5;
  assert_one (fixture,
      "the disk refused 5 writes, and what was to go there stayed in memory "
      "(the budget was exceeded by 8.0\302\240MiB): filemem's warnings say "
      "why");
  /* That is said already. */
  fixture->stats[FM_STAT_DISK_FULL] = 5;
  fixture->stats[FM_STAT_DISK_FULL] = 7;
  assert_one (fixture, DISK_FULL);
}

static void
test_slow_disk (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_ALLOC_WAITS] = 100;
  fixture->stats[FM_STAT_ALLOC_WAIT_NS] = 4 * SECOND;
  fixture->snapshot.uptime = 400 * SECOND;
  assert_none (fixture);
  /* More than a hundredth of the time. */
  fixture->snapshot.uptime = 399 * SECOND;
  assert_one (fixture,
      "the disk moved 100 MiB/s both ways, and producers waited 4.0 s for it. "
      "This matters only for live sources: use a faster disk (dir), or raise "
      "ram");
  /* Of more than twice the time in which it was at work they waited for
   * something else. */
  fixture->stats[FM_STAT_ALLOC_WAIT_NS] = 17 * SECOND;
  assert_none (fixture);
  /* Several waited at the same time. */
  fixture->snapshot.uptime = 12 * SECOND;
  assert_one (fixture,
      "the disk moved 100 MiB/s both ways, and producers waited 17.0 s for it. "
      "This matters only for live sources: use a faster disk (dir), or raise "
      "ram");
  /* They waited for writes that failed. */
  fixture->stats[FM_STAT_DISK_FULL] = 7;
  fixture->stats[FM_STAT_OVER_BUDGET] = 1;
  assert_one (fixture, DISK_FULL);
  fixture->stats[FM_STAT_DISK_FULL] = fixture->stats[FM_STAT_OVER_BUDGET] = 0;
  /* Nothing was moved: it is not the disk's speed. */
  fixture->stats[FM_STAT_DISK_BUSY_NS] = 0;
  assert_none (fixture);
}

static void
test_waits (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_MAP_WAITS] = 200;
  fixture->stats[FM_STAT_MAP_WAIT_NS] = 3 * SECOND / 2;
  fixture->snapshot.uptime = 150 * SECOND;
  assert_none (fixture);
  fixture->snapshot.uptime = 149 * SECOND;
  assert_one (fixture,
      "maps waited 1.5 s for buffers to come back from disk: use a faster disk "
      "(dir), or raise ram; with about 350.0\302\240MiB nothing would go "
      "to disk");
  /* The disk had next to nothing to do. */
  fixture->stats[FM_STAT_DISK_BUSY_NS] = SECOND / 2;
  assert_one (fixture,
      "maps waited 1.5 s for buffers to come back from disk: raise ram; with "
      "about 350.0\302\240MiB nothing would go to disk");
  /* There was more, or it would have been less without the waits. */
  fixture->stats[FM_STAT_FALLBACKS] = 1;
  assert_one (fixture,
      "maps waited 1.5 s for buffers to come back from disk: raise ram");
  fixture->stats[FM_STAT_FALLBACKS] = 0;
  fixture->snapshot.uptime = 14 * SECOND;
  assert_one (fixture,
      "maps waited 1.5 s for buffers to come back from disk: raise ram");
}

/* Four streams of 100 MiB. */
static void
add_streams (Fixture *fixture)
{
  guint i;

  for (i = 0; i < 4; i++)
    add_queue (fixture, "q", 100 * MIB, 0);
  fixture->snapshot.queues_at_once = 4;
  fixture->stats[FM_STAT_ALLOC_BYTES] = 400 * MIB;
  fixture->stats[FM_STAT_ALLOCS] = 4000;
}

/* Where others need the memory more ram is no fix. */
static void
test_yields (void **state)
{
  Fixture *fixture = *state;

  fixture->snapshot.uptime = 100 * SECOND;
  fixture->stats[FM_STAT_MAP_WAITS] = 1000;
  fixture->stats[FM_STAT_MAP_WAIT_NS] = 20 * SECOND;
  fixture->stats[FM_STAT_YIELDS] = 3;
  fixture->stats[FM_STAT_BUDGET] = 20 * MIB;
  assert_one (fixture,
      "other programs needed the memory: the budget gave way 3 times and is "
      "20.0\302\240MiB now, so more was read and written. Leave more memory "
      "free, or use a faster disk (dir)");
  fixture->stats[FM_STAT_MAP_WAIT_NS] = 0;
  assert_none (fixture);
}

static void
test_streams (void **state)
{
  Fixture *fixture = *state;
  guint i;

  add_streams (fixture);
  fixture->stats[FM_STAT_SPILL_BYTES] = 599 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_SPILL_BYTES] = 1000 * MIB;
  assert_one (fixture,
      "2.5 bytes were written for each that came in (1000.0\302\240MiB): 4 "
      "streams take turns in a budget that is too small for what all of them "
      "use at a time; raise ram");
  /* A word on how much helps. */
  fixture->stats[FM_STAT_RAM] = 3 * MIB;
  assert_one (fixture,
      "2.5 bytes were written for each that came in (1000.0\302\240MiB): 4 "
      "streams take turns in a budget that is too small for what all of them "
      "use at a time; raise ram, to 8.0\302\240MiB at least");
  /* Little is not worth a word. */
  fixture->stats[FM_STAT_SPILL_BYTES] = 64 * MIB;
  fixture->stats[FM_STAT_ALLOC_BYTES] = 10 * MIB;
  assert_none (fixture);
  /* The buffers of a pool, again and again. */
  fixture->stats[FM_STAT_SPILL_BYTES] = 1000 * MIB;
  fixture->stats[FM_STAT_STORED_BYTES] = 1000 * MIB;
  for (i = 0; i < 4; i++)
    ((FmQueueRecord *) g_ptr_array_index (fixture->snapshot.queues, i))
        ->figure[FM_QUEUE_BYTES] = 250 * MIB;
  assert_none (fixture);
}

/* What is said of one stream names no others: nor of several of which there was
 * one at a time, nor of one beside which others are nothing. */
static void
test_one_stream (void **state)
{
  Fixture *fixture = *state;
  static const gchar expected[] =
      "2.5 bytes were written for each that came in (1000.0\302\240MiB): "
      "buffers that were read back went to disk again before they were used; "
      "raise ram";

  fixture->stats[FM_STAT_ALLOC_BYTES] = 400 * MIB;
  fixture->stats[FM_STAT_ALLOCS] = 4000;
  fixture->stats[FM_STAT_SPILL_BYTES] = 1000 * MIB;
  assert_one (fixture, expected);
  add_queue (fixture, "q", 400 * MIB, 0);
  fixture->snapshot.queues_at_once = 1;
  assert_one (fixture, expected);
  add_queue (fixture, "audio", 20 * MIB, 0);
  fixture->snapshot.queues_at_once = 2;
  assert_one (fixture, expected);
  add_queue (fixture, "next", 400 * MIB, 0);
  fixture->snapshot.queues_at_once = 1;
  assert_one (fixture, expected);
}

/* As many bytes as that are mapped, so much of the budget is left. */
static void
test_mapped (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_RESIDENT_PEAK] = 77 * MIB;
  fixture->stats[FM_STAT_PINNED_PEAK] = 47 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_PINNED_PEAK] = 48 * MIB;
  assert_one (fixture,
      "elements or the program have up to 48.0\302\240MiB mapped at a time, "
      "which leaves "
      "16.0\302\240MiB of the budget for all else: raise ram; attribution=on "
      "names who");
  fixture->stats[FM_STAT_PINNED_PEAK] = 69 * MIB;
  assert_one (fixture,
      "elements or the program have up to 69.0\302\240MiB mapped at a time: "
      "ram below "
      "77.0\302\240MiB saves no memory; attribution=on names who");
  /* Nothing had to go for it, but memory is not bounded by ram. */
  fixture->stats[FM_STAT_SPILL_BYTES] = 0;
  assert_one (fixture,
      "elements or the program have up to 69.0\302\240MiB mapped at a time: "
      "ram below "
      "77.0\302\240MiB saves no memory; attribution=on names who");
  fixture->stats[FM_STAT_PINNED_PEAK] = 63 * MIB;
  assert_none (fixture);
}

static void
test_mapped_by (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_PINNED_PEAK] = 69 * MIB;
  add_element (fixture, "/GstPipeline:p/GstVideoTestSrc:src", 1, 2 * MIB, 10);
  assert_one (fixture,
      "code that runs in no element has up to 69.0\302\240MiB mapped at a "
      "time: ram below 77.0\302\240MiB saves no memory");
  add_element (
      fixture, "/GstPipeline:p/GstX264Enc:x264enc0", 52, 68 * MIB, 2100);
  assert_one (fixture,
      "x264enc0 holds up to 52 buffers (68.0\302\240MiB) mapped, for up to 2.1 "
      "s: ram below 77.0\302\240MiB saves no memory");
  /* The one that holds most comes first. */
  add_element (fixture, "/GstPipeline:p/GstBin:b/GstX:x1", 1, 40 * MIB, 20);
  fixture->stats[FM_STAT_PINNED_PEAK] = 110 * MIB;
  assert_one (fixture,
      "x264enc0 holds up to 52 buffers (68.0\302\240MiB) mapped, for up to 2.1 "
      "s, x1 up to 1 buffer (40.0\302\240MiB): ram below 118.0\302\240MiB "
      "saves "
      "no memory");
  add_element (fixture, "/GstPipeline:p/GstX:x2", 2, 30 * MIB, 20);
  add_element (fixture, "/GstPipeline:p/GstX:x1", 2, 29 * MIB, 20);
  add_element (fixture, "/GstPipeline:p/GstX:x4", 2, 28 * MIB, 20);
  assert_one (fixture,
      "x264enc0 holds up to 52 buffers (68.0\302\240MiB) mapped, for up to 2.1 "
      "s, /GstPipeline:p/GstBin:b/GstX:x1 up to 1 buffer (40.0\302\240MiB), x2 "
      "up to 2 buffers (30.0\302\240MiB), and 2 more elements: ram below "
      "118.0\302\240MiB saves no memory");
}

static void
test_pool (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_FILLS_TO_WRITE] = 132;
  assert_none (fixture);
  fixture->stats[FM_STAT_FILLS_TO_WRITE] = 200;
  assert_one (fixture,
      "200.0\302\240MiB of 400.0\302\240MiB came back from disk only to be "
      "overwritten: a pool has more buffers than fit the budget; raise "
      "ram");
  fixture->stats[FM_STAT_FILL_BYTES] = 32 * MIB;
  assert_none (fixture);
}

/* ---- whole situations ---- */

static void
take_situation (Fixture *fixture, const Situation *situation)
{
  guint64 *stats = fixture->stats;
  guint i;

  memset (stats, 0, sizeof fixture->snapshot.stats);
  fixture->snapshot.uptime = 20 * SECOND;
  stats[FM_STAT_SIZE] = 4096 * MIB;
  stats[FM_STAT_RAM] = situation->budget * MIB;
  stats[FM_STAT_RESIDENT_PEAK] = situation->resident * MIB;
  stats[FM_STAT_SPILLED_PEAK] = situation->spilled * MIB;
  stats[FM_STAT_USED_PEAK] = (situation->resident + situation->spilled) * MIB;
  stats[FM_STAT_FLOOR] = MIN (8, situation->budget / 2) * MIB;
  stats[FM_STAT_PINNED_PEAK] = situation->pinned * MIB;
  stats[FM_STAT_ALLOCS] = situation->passed;
  stats[FM_STAT_ALLOC_BYTES] = situation->passed * MIB;
  stats[FM_STAT_SPILL_BYTES] = situation->written * MIB;
  stats[FM_STAT_WRITES] = 4 * situation->written;
  stats[FM_STAT_FILL_BYTES] = situation->read * MIB;
  stats[FM_STAT_FILLS] = situation->read;
  stats[FM_STAT_FILLS_TO_WRITE] = situation->to_write;
  stats[FM_STAT_PREFETCH_BYTES] = situation->ahead * MIB;
  stats[FM_STAT_PREFETCH_UNUSED_BYTES] = situation->in_vain * MIB;
  stats[FM_STAT_ALLOC_WAIT_NS] = situation->alloc_wait * SECOND;
  stats[FM_STAT_MAP_WAIT_NS] = situation->map_wait * SECOND;
  stats[FM_STAT_DISK_BUSY_NS] = situation->busy * SECOND;
  for (i = 0; i < situation->n_queues; i++)
    add_queue (fixture, "q", situation->passed * MIB / situation->n_queues, 0);
  fixture->snapshot.queues_at_once = situation->n_queues;
  if (situation->encoder > 0)
    add_element (fixture, "/GstPipeline:p/GstX264Enc:x264enc0",
        situation->encoder, situation->pinned * MIB, 2100);
}

static void
check_situation (const Situation *situation)
{
  Fixture *fixture;
  g_autoptr (GPtrArray) advice = NULL;
  guint i, n = 0;

  (void) advice_setup ((void **) &fixture);
  take_situation (fixture, situation);
  advice = advise (fixture);
  for (i = 0; i < advice->len; i++) {
    const gchar *said = g_ptr_array_index (advice, i);

    if (situation->says[i] == NULL
        || !g_str_has_prefix (said, situation->says[i]))
      fail_msg ("%s: not expected: %s", situation->name, said);
  }
  while (situation->says[n] != NULL)
    n++;
  if (advice->len < n)
    fail_msg (
        "%s: not said: %s", situation->name, situation->says[advice->len]);
  (void) advice_teardown ((void **) &fixture);
}

static void
test_situations (void **state)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (situations); i++)
    check_situation (&situations[i]);
}

static void
test_maps_in_place (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_MAPS_IN_PLACE] = 1;
  assert_one (fixture,
      "buffers were used where they are on disk, which is slow (1 maps): raise "
      "the limits on address space and data (ulimit -v, -d), allow mremap() "
      "where "
      "system calls are filtered, and let the program close no descriptors "
      "that others have opened");
}

static void
test_prefetch (void **state)
{
  Fixture *fixture = *state;

  fixture->stats[FM_STAT_PREFETCH_UNUSED_BYTES] = 100 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_PREFETCH_UNUSED_BYTES] = 101 * MIB;
  assert_one (fixture,
      "101.0\302\240MiB of 400.0\302\240MiB was read ahead in vain: buffers "
      "are read out of order, or ram is too small to read ahead");
  add_streams (fixture);
  assert_one (fixture,
      "101.0\302\240MiB of 400.0\302\240MiB was read ahead in vain: buffers "
      "are read out of order, or ram is too small for 4 streams");
  fixture->stats[FM_STAT_RAM] = 3 * MIB;
  assert_one (fixture,
      "101.0\302\240MiB of 400.0\302\240MiB was read ahead in vain: 4 streams "
      "take turns in a budget that is too small for what all of them use at a "
      "time; raise ram, to 8.0\302\240MiB at least");
  /* All of little is not worth a word. */
  fixture->stats[FM_STAT_PREFETCH_BYTES] = 16 * MIB;
  fixture->stats[FM_STAT_PREFETCH_UNUSED_BYTES] = 16 * MIB;
  assert_none (fixture);
}

static void
test_small_buffers (void **state)
{
  Fixture *fixture = *state;
  FmQueueRecord *packed;

  fixture->stats[FM_STAT_SPILL_BYTES] = 0;
  fixture->stats[FM_STAT_ALLOCS] = 100000;
  fixture->stats[FM_STAT_ALLOC_BYTES] = G_GUINT64_CONSTANT (100000) << 14;
  assert_none (fixture);
  fixture->stats[FM_STAT_ALLOC_BYTES] = 100000 * 1316;
  fixture->stats[FM_STAT_RAM] = 256 * MIB;
  assert_none (fixture);
  fixture->stats[FM_STAT_RAM] = 128 * MIB;
  assert_one (fixture,
      "buffers are small, 1316 bytes: GStreamer's own objects take about half "
      "a KiB of memory each, 48.8\302\240MiB in all; a queue without a limit "
      "of "
      "buffers (max-size-buffers=0) packs them, or use larger buffers");
  /* Most of them rested in parcels. */
  add_queue (fixture, "q", 100 * MIB, 0)->figure[FM_QUEUE_BUFFERS] = 100;
  packed = g_ptr_array_index (fixture->snapshot.queues, 0);
  packed->figure[FM_QUEUE_PACKED] = 51;
  assert_none (fixture);
  packed->figure[FM_QUEUE_PACKED] = 50;
  /* There were never many at a time. */
  fixture->stats[FM_STAT_RESIDENT_PEAK] = 4 * MIB;
  fixture->stats[FM_STAT_USED_PEAK] = 4 * MIB;
  assert_none (fixture);
}

static void
test_order (void **state)
{
  Fixture *fixture = *state;
  g_autoptr (GPtrArray) advice = NULL;

  fixture->stats[FM_STAT_MAP_WAIT_NS] = SECOND;
  fixture->stats[FM_STAT_MAPS_IN_PLACE] = 1;
  fixture->stats[FM_STAT_DISK_FULL] = 1;
  advice = advise (fixture);
  assert_int_equal (advice->len, 3);
  assert_true (g_str_has_prefix (g_ptr_array_index (advice, 0), "the disk"));
  assert_true (g_str_has_prefix (g_ptr_array_index (advice, 1), "buffers"));
  assert_true (g_str_has_prefix (g_ptr_array_index (advice, 2), "maps"));
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, advice_setup, advice_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_none),
      TEST (test_disk_full),
      TEST (test_size_reached),
      TEST (test_over_budget),
      TEST (test_slow_disk),
      TEST (test_waits),
      TEST (test_yields),
      TEST (test_streams),
      TEST (test_one_stream),
      TEST (test_mapped),
      TEST (test_mapped_by),
      TEST (test_pool),
      cmocka_unit_test (test_situations),
      TEST (test_maps_in_place),
      TEST (test_prefetch),
      TEST (test_small_buffers),
      TEST (test_order),
  };

  setenv ("LC_ALL", "C", 1);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
