/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-order.c: tests the policy: which extent is spilled next, and which read
 * ahead. Tables of situations, in a pager that is made by hand and has nothing
 * behind it. All extents are as long, one unit, in which positions are counted.
 */
#include "pager-private.h"
#include "testing.h"

#include <string.h>

#define UNIT TESTING_MIB
#define STREAMS 2
#define ITEMS 8

/* Units: what has been written so far, what fits, and what counts as written
 * just now. */
#define WRITTEN 2000
#define BUDGET 64
#define WINDOW 4

#define SECOND ((gint64) G_USEC_PER_SEC)

/* Until it should be read ahead, where fills take no time to speak of. */
#define LEAD (SECOND / 5)

typedef enum { UNREAD, READ, FILLED, OPEN, MAPPED, BEING_WRITTEN } Kind;

typedef struct
{
  gchar name; /* 0: there are no more */
  Kind kind;
  guint stream;
  guint position; /* of its end, in its stream */
  guint written;  /* of its end, among all; 0: as in its stream */
  guint since;    /* written since it was unmapped; 0: since it was written */
  gint avoided;   /* for so many seconds */
  gboolean is_short; /* as extents of slow streams are */
} Item;

typedef struct
{
  guint position; /* 0: nobody */
  gdouble pace;   /* seconds a unit */
  guint ago;      /* seconds since he came there */
  guint ahead;    /* units to read ahead at most; 0: the window */
} Reader;

typedef struct
{
  const gchar *name;
  Item items[ITEMS];
  Reader readers[STREAMS][FM_CURSORS];
  guint fill;   /* seconds that one takes */
  guint beside; /* units of room beside what is mapped; 0: the budget */
} Situation;

/* ---- the pager ---- */

static FmExtent extents[ITEMS];
static FmExtentTable table = {.extent = extents, .n_granules = ITEMS};
static FmStream streams[STREAMS];
static FmPager pager;
static gint64 start; /* when the situation was made */

static int
set_up (void **state)
{
  memset (&pager, 0, sizeof pager);
  memset (streams, 0, sizeof streams);
  memset (extents, 0, sizeof extents);
  pager.budget = BUDGET * UNIT;
  pager.config.n_streams = STREAMS;
  pager.config.extent_least = UNIT / 2;
  pager.window = WINDOW * UNIT;
  pager.beside_pinned = BUDGET * UNIT;
  pager.written = WRITTEN * UNIT;
  pager.table = &table;
  pager.stats = fm_stats_new ();
  pager.stream = streams;
  pager.spilled = g_tree_new_full (fm_pager_compare_spilled, NULL, NULL, NULL);
  g_queue_init (&pager.resident);
  start = fm_now ();
  return 0;
}

static int
tear_down (void **state)
{
  g_tree_unref (pager.spilled);
  fm_stats_free (pager.stats);
  return 0;
}

static guint32
word_of (Kind kind, FmState where)
{
  switch (kind) {
    case UNREAD:
    case OPEN:
      return FM_WORD (where) | FM_UNREAD;
    case READ:
      return FM_WORD (where);
    case FILLED:
      return FM_WORD (where) | FM_CLEAN;
    case MAPPED:
      return (FM_WORD (where)) + 1;
    case BEING_WRITTEN:
      return FM_WORD (FM_WRITING) | FM_UNREAD;
  }
  return 0;
}

static FmExtent *
place (guint i, const Item *item, FmState where)
{
  FmExtent *extent = &extents[i];
  guint written = item->written > 0 ? item->written : item->position;

  extent->length = item->is_short ? UNIT / 2 : UNIT;
  extent->full = item->kind != OPEN;
  extent->word = word_of (item->kind, where);
  extent->stream = item->stream;
  extent->position = item->position * UNIT;
  extent->written = written * UNIT;
  extent->unmapped = (item->since > 0 ? WRITTEN - item->since : written) * UNIT;
  extent->no_spill_before =
      item->avoided != 0 ? start + item->avoided * SECOND : 0;
  extent->link.data = extent;
  if (where == FM_RESIDENT)
    g_queue_push_tail_link (&pager.resident, &extent->link);
  else
    fm_pager_add_spilled (&pager, extent);
  return extent;
}

static void
make (const Situation *situation, FmState where)
{
  guint i, k;

  set_up (NULL);
  pager.fill_us = situation->fill * SECOND;
  if (situation->beside > 0)
    pager.beside_pinned = situation->beside * UNIT;
  for (i = 0; i < ITEMS && situation->items[i].name != 0; i++)
    place (i, &situation->items[i], where);
  for (i = 0; i < STREAMS; i++) {
    for (k = 0; k < FM_CURSORS; k++) {
      const Reader *reader = &situation->readers[i][k];

      streams[i].cursor[k] = (FmCursor){
          .is_used = reader->position > 0,
          .position = reader->position * UNIT,
          .length = UNIT,
          .time = start - reader->ago * SECOND,
          .us_per_byte = reader->pace * (gdouble) SECOND / (gdouble) UNIT,
          .ahead = (reader->ahead > 0 ? reader->ahead : WINDOW) * UNIT,
      };
    }
  }
}

static gchar
name_of (const Situation *situation, const FmExtent *extent)
{
  return extent != NULL ? situation->items[extent - extents].name : '-';
}

/* ---- victims ---- */

typedef struct
{
  Situation situation;
  /* In which order all go: those that have settled, what may go besides where
   * somebody waits to allocate, what else where somebody waits to fill. */
  const gchar *order[3];
} VictimCase;

static const VictimCase victim_cases[] = {
    {{"written last, where nobody reads",
         {{'a', .position = 10}, {'b', .position = 12}, {'c', .position = 11}}},
        {"bca", "", ""}},
    {{"written last of all streams",
         {{'a', .position = 30, .written = 40},
             {'b', .stream = 1, .position = 5, .written = 41},
             {'c', .position = 31, .written = 42}}},
        {"cba", "", ""}},
    {{"not what was written just now",
         {{'a', .position = 10}, {'b', .position = 12, .since = 1},
             {'c', .position = 11, .since = 3},
             {'d', .position = 13, .since = WINDOW}}},
        {"da", "cb", ""}},
    {{"just now is less time where much is mapped",
         {{'a', .position = 10, .since = 1}}, .beside = 4},
        {"a", "", ""}},
    {{"neither what is mapped nor what is on its way",
         {{'a', .position = 10}, {'b', MAPPED, .position = 12},
             {'c', BEING_WRITTEN, .position = 11}}},
        {"a", "", ""}},
    {{"open late, those to be avoided last",
         {{'a', .position = 10}, {'b', OPEN, .written = WRITTEN - 1},
             {'c', .position = 13, .avoided = 60},
             {'d', .position = 11, .avoided = 40},
             {'e', .position = 14, .since = 1},
             {'f', .position = 9, .avoided = -1}}},
        {"af", "e", "bdc"}},
    {{"what was left open at once",
         {{'a', .position = 10}, {'b', OPEN, .written = WRITTEN - BUDGET + 1},
             {'c', OPEN, .written = WRITTEN - BUDGET},
             {'d', OPEN, .written = WRITTEN - 2 * BUDGET, .is_short = TRUE}}},
        {"ca", "", "bd"}},
    {{"what a slow stream left open later",
         {{'a', .position = 10},
             {'b', OPEN, .written = WRITTEN - 16 * BUDGET + 1,
                 .is_short = TRUE},
             {'c', OPEN, .written = WRITTEN - 16 * BUDGET, .is_short = TRUE}}},
        {"ca", "", "b"}},
    {{"wanted late",
         {{'a', .position = 11}, {'b', .position = 12}, {'c', .position = 15},
             {'d', .position = 16}, {'e', .position = 9}},
         .readers = {{{10, 1}}}, .fill = 1},
        {"ed", "", "cba"}},
    {{"wanted before those that are open",
         {{'a', OPEN, .written = WRITTEN - 1}, {'b', .position = 11}},
         .readers = {{{10, 1}}}},
        {"", "", "ba"}},
    {{"what is read just now is wanted",
         {{'a', READ, .position = 10, .since = BUDGET}},
         .readers = {{{10, 1}}}},
        {"", "", "a"}},
    {{"wanted only shortly before it is used",
         {{'a', .position = 11}, {'b', .position = 12}, {'c', .position = 14}},
         .readers = {{{10, 10}}}},
        {"cb", "", "a"}},
    {{"wanted after what was written just now",
         {{'a', .position = 11, .since = 1},
             {'b', .stream = 1, .position = 7, .since = 2}},
         .readers = {{{10, 1}}}},
        {"", "b", "a"}},
    {{"not wanted beyond what is read ahead",
         {{'a', .position = 11}, {'b', .position = 12}, {'c', .position = 13}},
         .readers = {{{10, 1, .ahead = 1}}}, .fill = 1},
        {"c", "", "ba"}},
    {{"nor beyond one's share", {{'a', .position = 13}, {'b', .position = 14}},
         .readers = {{{10, 1}}, {{10, 1}}}, .fill = 1},
        {"b", "", "a"}},
    {{"read and cold first, the coldest before",
         {{'a', .position = 50}, {'b', READ, .position = 10, .since = BUDGET},
             {'c', READ, .position = 12, .since = BUDGET + 6},
             {'d', READ, .position = 14, .since = BUDGET - 1}}},
        {"cbad", "", ""}},
    {{"a pool comes round in the order of writing",
         {{'a', READ, .position = 20, .since = 10},
             {'b', READ, .position = 22, .since = 10},
             {'c', READ, .position = 21, .since = 10}, {'d', .position = 5}}},
        {"dbca", "", ""}},
    {{"of two pools that which comes round later",
         {{'a', MAPPED, .position = 20},
             {'b', READ, .position = 21, .since = 10},
             {'c', MAPPED, .stream = 1, .position = 500},
             {'d', READ, .stream = 1, .position = 505, .since = 10}},
         .readers = {{{40, 10}}, {{600, 1}}}},
        {"bd", "", ""}},
    {{"of two streams what is read later",
         {{'a', .position = 16},
             {'b', .stream = 1, .position = 16, .written = 60},
             {'c', .stream = 1, .position = 40, .written = 90}},
         .readers = {{{10, 10}}, {{10, 1}}}},
        {"acb", "", ""}},
    {{"at the speed that each has",
         {{'a', .position = 16},
             {'b', .stream = 1, .position = 16, .written = 60},
             {'c', .stream = 1, .position = 40, .written = 90}},
         .readers = {{{10, 1}}, {{10, 10}}}},
        {"cba", "", ""}},
    {{"two who read one stream",
         {{'a', .position = 12}, {'b', .position = 20}, {'c', .position = 33},
             {'d', .position = 38}, {'e', .position = 5}},
         .readers = {{{30, 1}, {10, 1}}}},
        {"ebdca", "", ""}},
    {{"who moves keeps what was read as well",
         {{'a', .position = 12}, {'b', .position = 14},
             {'c', READ, .position = 13, .since = 10},
             {'d', READ, .position = 15, .since = BUDGET}},
         .readers = {{{10, 1}}}, .fill = 1},
        {"", "", "dbca"}},
    {{"who has stopped keeps only what is unread",
         {{'a', .position = 12}, {'b', .position = 14},
             {'c', READ, .position = 13, .since = 10},
             {'d', READ, .position = 15, .since = BUDGET}},
         .readers = {{{10, 1, .ago = 20}}}, .fill = 1},
        {"dbac", "", ""}},
    {{"who has stopped comes later than who moves",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 20}},
         .readers = {{{10, 1, .ago = 20}}, {{10, 1}}}},
        {"ab", "", ""}},
};

/* Picks until there is nothing left. */
static gchar *
order_of (const Situation *situation, FmUrgency urgency)
{
  GString *order = g_string_new (NULL);
  FmExtent *extent;

  make (situation, FM_RESIDENT);
  while ((extent = fm_pager_pick_victim (&pager, urgency)) != NULL) {
    g_string_append_c (order, name_of (situation, extent));
    g_queue_unlink (&pager.resident, &extent->link);
  }
  tear_down (NULL);
  return g_string_free (order, FALSE);
}

static void
test_victims (void **state)
{
  guint i, urgency;

  for (i = 0; i < G_N_ELEMENTS (victim_cases); i++) {
    const VictimCase *test = &victim_cases[i];
    g_autoptr (GString) expected = g_string_new (NULL);

    for (urgency = FM_NOT_URGENT; urgency <= FM_MOST_URGENT; urgency++) {
      g_autofree gchar *order = order_of (&test->situation, urgency);

      g_string_append (expected, test->order[urgency]);
      if (strcmp (order, expected->str) != 0)
        fail_msg ("%s (urgency %u): \"%s\", not \"%s\"", test->situation.name,
            urgency, order, expected->str);
    }
  }
}

/* After some writes that failed. */
static void
test_no_victim_for_a_while (void **state)
{
  const Item item = {'a', .position = 10};

  place (0, &item, FM_RESIDENT);
  pager.no_spill_before = start + 60 * SECOND;
  assert_null (fm_pager_pick_victim (&pager, FM_MOST_URGENT));
  pager.no_spill_before = start;
  assert_ptr_equal (fm_pager_pick_victim (&pager, FM_NOT_URGENT), &extents[0]);
}

/* ---- reading ahead ---- */

#define NEVER G_MAXINT64

typedef struct
{
  Situation situation;
  gchar picked; /* '-': nothing */
  gint64 when;  /* then: when to ask again */
} PrefetchCase;

static const PrefetchCase prefetch_cases[] = {
    {{"nobody reads", {{'a', .position = 11}}}, '-', NEVER},
    {{"nothing is spilled", {{0}}, .readers = {{{10, 1}}}}, '-', NEVER},
    {{"what comes next",
         {{'a', .position = 12}, {'b', .position = 11}, {'c', .position = 13}},
         .readers = {{{10, 1}}}, .fill = 1},
        'b'},
    {{"not what was read", {{'a', .position = 9}, {'b', .position = 10}},
         .readers = {{{10, 1}}}, .fill = 1},
        '-', NEVER},
    {{"not what another stream wrote", {{'a', .stream = 1, .position = 11}},
         .readers = {{{10, 1}}}, .fill = 1},
        '-', NEVER},
    {{"not what is mapped where it is",
         {{'a', MAPPED, .position = 11}, {'b', .position = 12}},
         .readers = {{{10, 1}}}, .fill = 1},
        'b'},
    {{"not long before it is used", {{'a', .position = 13}},
         .readers = {{{10, 10}}}},
        '-', 20 * SECOND - LEAD},
    {{"a few times as long as a fill takes", {{'a', .position = 13}},
         .readers = {{{10, 10}}}, .fill = 1},
        '-', 4 * SECOND},
    {{"which may be long", {{'a', .position = 13}}, .readers = {{{10, 10}}},
         .fill = 2},
        'a'},
    {{"as far as the window", {{'a', .position = 15}}, .readers = {{{10, 1}}},
         .fill = 1},
        'a'},
    {{"and no farther", {{'a', .position = 16}}, .readers = {{{10, 1}}},
         .fill = 1},
        '-', NEVER},
    {{"as far as he has read in order", {{'a', .position = 12}},
         .readers = {{{10, 1, .ahead = 1}}}, .fill = 1},
        'a'},
    {{"and no farther than that", {{'a', .position = 13}},
         .readers = {{{10, 1, .ahead = 1}}}, .fill = 1},
        '-', NEVER},
    {{"less far where much is mapped", {{'a', .position = 13}},
         .readers = {{{10, 1}}}, .fill = 1, .beside = 8},
        'a'},
    {{"and no farther than there is room", {{'a', .position = 14}},
         .readers = {{{10, 1}}}, .fill = 1, .beside = 8},
        '-', NEVER},
    {{"half as far for two", {{'a', .position = 13}},
         .readers = {{{10, 1}}, {{10, 1}}}, .fill = 1},
        'a'},
    {{"and no farther than half", {{'a', .position = 14}},
         .readers = {{{10, 1}}, {{10, 1}}}, .fill = 1},
        '-', NEVER},
    {{"less far for the slower", {{'a', .position = 12}},
         .readers = {{{10, 2}}, {{10, 1}}}, .fill = 1},
        'a'},
    {{"and no farther than that third", {{'a', .position = 13}},
         .readers = {{{10, 2}}, {{10, 1}}}, .fill = 1},
        '-', NEVER},
    {{"farther for the faster", {{'a', .position = 13}},
         .readers = {{{10, 1}}, {{10, 2}}}, .fill = 1},
        'a'},
    {{"and no farther than two thirds", {{'a', .position = 14}},
         .readers = {{{10, 1}}, {{10, 2}}}, .fill = 1},
        '-', NEVER},
    {{"nothing for who has stopped", {{'a', .position = 11}},
         .readers = {{{10, 1, .ago = 20}}}, .fill = 1},
        '-', NEVER},
    {{"who has stopped has no share", {{'a', .position = 15}},
         .readers = {{{10, 1}}, {{10, 1, .ago = 20}}}, .fill = 1},
        'a'},
    {{"of two streams what is read first",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 12}},
         .readers = {{{10, 2}}, {{10, 1}}}, .fill = 1},
        'b'},
    {{"and the other way round",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 12}},
         .readers = {{{10, 1}}, {{10, 2}}}, .fill = 1},
        'a'},
    {{"when the first of two is due",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 12}},
         .readers = {{{10, 20}}, {{10, 10}}}},
        '-', 10 * SECOND - LEAD},
    {{"whichever that is",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 12}},
         .readers = {{{10, 10}}, {{10, 20}}}},
        '-', 10 * SECOND - LEAD},
    {{"what is due, though more is to come",
         {{'a', .position = 12}, {'b', .stream = 1, .position = 11}},
         .readers = {{{10, 20}}, {{10, 20}}}},
        'b'},
    {{"two who read one stream: the first",
         {{'a', .position = 12}, {'b', .position = 33}},
         .readers = {{{30, 1}, {10, 1}}}, .fill = 1},
        'a'},
    {{"two who read one stream: the second",
         {{'a', .position = 13}, {'b', .position = 32}},
         .readers = {{{30, 1}, {10, 1}}}, .fill = 1},
        'b'},
    {{"for the one in front, though the other comes there as well",
         {{'a', .position = 31}}, .readers = {{{10, 1}, {30, 1}}}, .fill = 1},
        'a'},
};

static void
test_prefetch (void **state)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (prefetch_cases); i++) {
    const PrefetchCase *test = &prefetch_cases[i];
    gint64 when;
    gchar picked;

    make (&test->situation, FM_SPILLED);
    picked = name_of (&test->situation, fm_pager_pick_prefetch (&pager, &when));
    tear_down (NULL);
    if (picked != test->picked)
      fail_msg ("%s: %c, not %c", test->situation.name, picked, test->picked);
    if (when != NEVER)
      when -= start;
    /* A microsecond is lost in rounding. */
    if (picked == '-' && ABS (when - test->when) > 10)
      fail_msg ("%s: again after %" G_GINT64_FORMAT
                " us, not %" G_GINT64_FORMAT,
          test->situation.name, when, test->when);
  }
}

/* In the order in which they are used, and nothing once that has failed. */
static void
test_prefetch_in_order (void **state)
{
  const Situation situation = {"in order",
      {{'a', .position = 13}, {'b', .position = 11}, {'c', .position = 14},
          {'d', .position = 12}},
      .readers = {{{10, 1}}}, .fill = 1};
  GString *order = g_string_new (NULL);
  FmExtent *extent;
  gint64 when;

  make (&situation, FM_SPILLED);
  while (order->len < 3) {
    extent = fm_pager_pick_prefetch (&pager, &when);
    assert_non_null (extent);
    g_string_append_c (order, name_of (&situation, extent));
    fm_pager_remove_spilled (&pager, extent);
  }
  assert_string_equal (order->str, "bda");
  fm_pager_stop_reading_ahead (&pager, 0);
  assert_null (fm_pager_pick_prefetch (&pager, &when));
  assert_true (when == NEVER);
  g_string_free (order, TRUE);
  tear_down (NULL);
}

/* ---- who reads ---- */

static void
read_item (Kind kind, guint position, guint since)
{
  const Item item = {'a', kind, .position = position, .since = since};

  fm_pager_note_read (&pager, place (0, &item, FM_RESIDENT));
  g_queue_unlink (&pager.resident, &extents[0].link);
}

static void
read_at (guint position, guint since)
{
  read_item (READ, position, since);
}

static void
assert_reader (guint k, guint position, guint ahead)
{
  const FmCursor *cursor = &streams[0].cursor[k];

  assert_true (cursor->is_used);
  assert_int_equal (cursor->position, position * UNIT);
  assert_int_equal (cursor->ahead, ahead * UNIT);
}

static void
test_readers (void **state)
{
  read_at (10, 0);
  assert_reader (0, 10, WINDOW);
  read_at (11, 0);
  assert_reader (0, 11, WINDOW);
  assert_false (streams[0].cursor[1].is_used);

  /* Another, who has yet to show that he reads in order. */
  read_at (50, 0);
  assert_reader (0, 50, 1);
  assert_reader (1, 11, WINDOW);
  read_at (51, 0);
  assert_reader (0, 51, 2);
  read_at (12, 0);
  assert_reader (0, 12, WINDOW);
  assert_reader (1, 51, 2);
  /* Backwards. */
  read_at (50, 0);
  assert_reader (0, 50, 1);

  /* A third takes the place of who has not moved for longest. */
  read_at (200, 0);
  assert_reader (0, 200, 1);
  assert_reader (1, 50, 1);
}

/* Who looks at what was written just now is on his way to nothing. */
static void
test_looks_just_now (void **state)
{
  read_at (10, WINDOW - 1);
  assert_false (streams[0].cursor[0].is_used);
  /* What came from the file was not. */
  extents[0].prefetched = TRUE;
  read_item (FILLED, 10, WINDOW - 1);
  assert_reader (0, 10, WINDOW);
  assert_false (extents[0].prefetched);

  /* Just now is less time where much is mapped. */
  pager.beside_pinned = 4 * UNIT;
  read_at (11, WINDOW - 1);
  assert_reader (0, 11, WINDOW);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_victims),
      TEST (test_no_victim_for_a_while),
      cmocka_unit_test (test_prefetch),
      cmocka_unit_test (test_prefetch_in_order),
      TEST (test_readers),
      TEST (test_looks_just_now),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
