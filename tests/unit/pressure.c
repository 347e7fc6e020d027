/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure.c: tests how the budget gives way and comes back: single looks in a
 * table, and whole stories of programs that share a machine.
 */
#include "pressure.h"
#include "testing.h"

#define MIB ((guint64) TESTING_MIB)
#define FLOOR (4 * MIB)
#define SECOND G_USEC_PER_SEC

/* In MiB, but for seconds. The margin of 1024 is 128. */
static const struct
{
  guint64 headroom, in_force, ceiling, resident;
  gdouble seconds;
  guint64 expected;
} looks[] = {
    /* enough for all */
    {900, 64, 64, 64, 1, 64},
    /* between one margin and two nothing changes, either way */
    {129, 64, 64, 64, 1, 64},
    {256, 20, 64, 20, 1, 20},
    /* what is missing goes, of what there is */
    {100, 64, 64, 64, 1, 36},
    {100, 64, 64, 50, 1, 22},
    /* what it might have had is not there to be given */
    {100, 64, 64, 20, 1, 4},
    /* down to the floor, and no further */
    {0, 64, 64, 64, 1, 4},
    {0, 4, 64, 60, 1, 4},
    /* a look that comes again while it is being written wants no more */
    {110, 36, 64, 54, 1, 36},
    /* back, a sixteenth a second, and no more than was asked for */
    {900, 20, 64, 20, 1, 24},
    {900, 20, 64, 20, 0.5, 22},
    {900, 62, 64, 62, 1, 64},
    {900, 20, 64, 20, 3600, 64},
    /* and of little room a part */
    {272, 20, 640, 20, 1, 22},
};

static void
test_looks (void **state)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (looks); i++) {
    const FmHeadroom memory = {looks[i].headroom * MIB, 1024 * MIB};
    gsize budget = fm_pressure_budget (&memory, looks[i].in_force * MIB,
        looks[i].ceiling * MIB, FLOOR, looks[i].resident * MIB,
        (gint64) (looks[i].seconds * SECOND));

    if (budget != looks[i].expected * MIB)
      fail_msg ("look %u: %" G_GSIZE_FORMAT ", not %" G_GUINT64_FORMAT " MiB",
          i, (gsize) (budget / MIB), looks[i].expected);
  }
}

/* Programs wait for memory, whatever seems to be left. */
static void
test_stalls (void **state)
{
  FmHeadroom memory = {.headroom = 900 * MIB, .total = 1024 * MIB};

  memory.stalls = FM_STALLS_NOW;
  assert_int_equal (
      fm_pressure_budget (&memory, 64 * MIB, 64 * MIB, FLOOR, 64 * MIB, SECOND),
      48 * MIB);
  assert_int_equal (
      fm_pressure_budget (&memory, 64 * MIB, 64 * MIB, FLOOR, 4 * MIB, SECOND),
      FLOOR);
  assert_int_equal (
      fm_pressure_budget (&memory, 20 * MIB, 64 * MIB, FLOOR, 64 * MIB, SECOND),
      20 * MIB);
  memory.stalls = FM_STALLS_LATELY;
  assert_int_equal (
      fm_pressure_budget (&memory, 20 * MIB, 64 * MIB, FLOOR, 20 * MIB, SECOND),
      20 * MIB);
  memory.headroom = 100 * MIB;
  assert_int_equal (
      fm_pressure_budget (&memory, 64 * MIB, 64 * MIB, FLOOR, 64 * MIB, SECOND),
      36 * MIB);
}

static void
test_margin (void **state)
{
  static const guint64 sizes[][2] = {
      {64, 16}, {128, 16}, {512, 64}, {2048, 256}, {24 * 1024, 256}};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (sizes); i++) {
    const FmHeadroom memory = {0, sizes[i][0] * MIB};

    assert_int_equal (fm_headroom_margin (&memory), sizes[i][1] * MIB);
  }
}

/* Less often, and in larger steps, the more there is. */
static void
test_when_to_look (void **state)
{
  const FmHeadroom much = {8000 * MIB, 8192 * MIB},
                   some = {192 * MIB, 512 * MIB}, none = {0, 512 * MIB};

  assert_int_equal (fm_pressure_interval (&much), SECOND);
  assert_int_equal (fm_pressure_interval (&some), SECOND / 2);
  assert_int_equal (fm_pressure_interval (&none), SECOND / 10);
  assert_int_equal (fm_pressure_step (&much), 8 * MIB);
  assert_int_equal (fm_pressure_step (&some), 2 * MIB);
  assert_int_equal (fm_pressure_step (&none), MIB / 4);
}

/* ---- stories ---- */

#define PROGRAMS 20
#define TENTHS 600

typedef struct
{
  guint64 total, others; /* bytes; of whoever is no program of ours */
  gsize resident[PROGRAMS], in_force[PROGRAMS];
  guint n;
  guint64 most;
} Story;

static guint64
used (const Story *story)
{
  guint64 bytes = story->others;
  guint i;

  for (i = 0; i < story->n; i++)
    bytes += story->resident[i];
  return bytes;
}

/* A tenth of a second: each program looks, takes what it may, and gives back
 * what it must as fast as a disk of @speed bytes a second lets all of them. */
static void
pass (Story *story, gsize ceiling, gsize speed)
{
  gsize written = speed / 10 / story->n;
  guint i;

  for (i = 0; i < story->n; i++) {
    const FmHeadroom memory = {
        story->total - MIN (story->total, used (story)), story->total};

    story->in_force[i] = fm_pressure_budget (&memory, story->in_force[i],
        ceiling, FLOOR, story->resident[i], SECOND / 10);
    if (story->resident[i] < story->in_force[i])
      story->resident[i] += MIN (
          fm_pressure_step (&memory), story->in_force[i] - story->resident[i]);
    else
      story->resident[i] -=
          MIN (written, story->resident[i] - story->in_force[i]);
  }
  story->most = MAX (story->most, used (story));
}

static guint64
ours (const Story *story)
{
  return used (story) - story->others;
}

/* All want more than there is: nobody is killed, nearly all of it is used, and
 * they come to rest. */
static void
test_many_programs (void **state)
{
  Story story = {.total = 512 * MIB, .others = 100 * MIB, .n = PROGRAMS};
  guint64 before = 0;
  guint i;

  for (i = 0; i < PROGRAMS; i++)
    story.in_force[i] = 64 * MIB;
  for (i = 0; i < TENTHS; i++) {
    pass (&story, 64 * MIB, 100 * MIB);
    if (i == TENTHS / 2)
      before = ours (&story);
  }
  assert_true (story.most < story.total);
  assert_in_range (ours (&story), 250 * MIB, 412 * MIB);
  assert_in_range (ours (&story), before - 16 * MIB, before + 16 * MIB);
}

/* Somebody takes 250 MiB in a second, as fast as they can be written, stays for
 * a while, and goes. */
static void
test_hog (void **state)
{
  Story story = {.total = 448 * MIB, .others = 20 * MIB, .n = 1};
  guint i, back = 0;

  story.in_force[0] = 256 * MIB;
  for (i = 0; i < TENTHS; i++) {
    if (i >= 100 && i < 110)
      story.others += 25 * MIB;
    if (i == 300)
      story.others = 20 * MIB;
    pass (&story, 256 * MIB, 250 * MIB);
    if (i == 95)
      assert_true (story.resident[0] > 250 * MIB);
    if (i == 299)
      assert_in_range (story.resident[0], 100 * MIB, 140 * MIB);
    if (back == 0 && i > 300 && story.resident[0] > 250 * MIB)
      back = i;
  }
  assert_true (story.most < story.total);
  /* In ten to twenty seconds. */
  assert_in_range (back, 300 + 50, 300 + 200);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_looks),
      cmocka_unit_test (test_stalls),
      cmocka_unit_test (test_margin),
      cmocka_unit_test (test_when_to_look),
      cmocka_unit_test (test_many_programs),
      cmocka_unit_test (test_hog),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
