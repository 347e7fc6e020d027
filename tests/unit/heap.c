/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap.c: tests which bytes of which extent belong to which block, and what
 * they hold of the limit. The test plays the pager: its extents are rows of a
 * table without any memory behind them.
 */
#include "heap.h"
#include "testing.h"

#include <string.h>

#define EXTENT (256 * TESTING_KIB)
#define EXTENTS 64
#define LANES 3
#define LIMIT (EXTENTS * EXTENT)
#define PAGES (EXTENT / FM_PAGE)
#define STEPS 20000

typedef struct
{
  FmExtentTable table;
  FmHeap *heap;
  gboolean in_use[EXTENTS];
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  if (!fm_extent_table_init (&fixture->table, LIMIT, EXTENT))
    return -1;
  fixture->heap = fm_heap_new (&fixture->table, EXTENT, LANES, LIMIT);
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  fm_heap_free (fixture->heap);
  fm_extent_table_clear (&fixture->table);
  g_free (fixture);
  return 0;
}

/* There is no call that asks for it: what is left of the limit, and no byte
 * more, can be held. */
static void
assert_held (Fixture *fixture, guint64 held)
{
  assert_true (held <= LIMIT);
  assert_false (fm_heap_hold (fixture->heap, LIMIT - held + 1));
  assert_true (fm_heap_hold (fixture->heap, LIMIT - held));
  fm_heap_unhold (fixture->heap, LIMIT - held);
}

static FmExtent *
acquire (Fixture *fixture, guint number, gboolean shared)
{
  FmExtent *extent = &fixture->table.extent[number];

  assert_false (fixture->in_use[number]);
  fixture->in_use[number] = TRUE;
  extent->n_grains = 1;
  extent->length = EXTENT;
  extent->shared = shared;
  atomic_store (&extent->full, !shared);
  return extent;
}

static void
release (Fixture *fixture, FmExtent *extent)
{
  guint number = (guint) (extent - fixture->table.extent);

  assert_true (fixture->in_use[number]);
  fixture->in_use[number] = FALSE;
}

static FmExtent *
open_extent (Fixture *fixture, guint lane, guint number)
{
  FmExtent *extent = acquire (fixture, number, TRUE);

  assert_true (fm_heap_hold (fixture->heap, EXTENT));
  assert_null (fm_heap_open (fixture->heap, lane, extent));
  return extent;
}

/* What store.c does: TRUE if the extent is free now. */
static gboolean
close_extent (Fixture *fixture, guint lane)
{
  FmExtent *extent = fm_heap_open (fixture->heap, lane, NULL);

  assert_non_null (extent);
  atomic_store (&extent->full, TRUE);
  if (!fm_heap_leave (fixture->heap, extent))
    return FALSE;
  release (fixture, extent);
  return TRUE;
}

static FmBlock
cut (Fixture *fixture, guint lane, gsize size, gsize align, gsize *ret_offset)
{
  FmBlock block;

  memset (&block, 0xee, sizeof block);
  assert_true (
      fm_heap_cut (fixture->heap, lane, size, align, &block, ret_offset));
  return block;
}

static void
test_small (void **state)
{
  FmHeap *heap = ((Fixture *) *state)->heap;

  assert_true (fm_heap_is_small (heap, 0, 0));
  assert_true (fm_heap_is_small (heap, EXTENT / 2, 0));
  assert_false (fm_heap_is_small (heap, EXTENT / 2 + 1, 0));
  assert_true (fm_heap_is_small (heap, EXTENT / 2 - 4095, 4095));
  assert_false (fm_heap_is_small (heap, EXTENT / 2 - 4094, 4095));
  assert_false (fm_heap_is_small (heap, 1, EXTENT - 1));
  assert_false (fm_heap_is_small (heap, 1, G_MAXSIZE));
  assert_false (fm_heap_is_small (heap, G_MAXSIZE, 0));
  assert_false (fm_heap_is_small (heap, G_MAXSIZE, G_MAXSIZE));
}

static void
test_limit (void **state)
{
  Fixture *fixture = *state;

  assert_held (fixture, 0);
  assert_false (fm_heap_hold (fixture->heap, G_MAXSIZE));
  assert_true (fm_heap_hold (fixture->heap, 1000));
  assert_false (fm_heap_hold (fixture->heap, G_MAXSIZE));
  assert_held (fixture, 1000);
  fm_heap_unhold (fixture->heap, 1000);
  assert_held (fixture, 0);
}

static void
test_nothing_open (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;
  gsize offset;

  assert_int_equal (fm_heap_n_lanes (fixture->heap), LANES);
  assert_false (fm_heap_cut (fixture->heap, 0, 1, 0, &block, &offset));
  open_extent (fixture, 0, 0);
  assert_false (fm_heap_cut (fixture->heap, 1, 1, 0, &block, &offset));
  assert_true (fm_heap_cut (fixture->heap, 0, 1, 0, &block, &offset));
}

static void
test_cut_in_order (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_extent (fixture, 1, 5);
  static const struct
  {
    gsize size, align, offset, start, length;
  } cuts[] = {
      {10, 0, 0, 0, 10},
      {1, 0, 10, 10, 1},
      {100, 15, 16, 11, 105},
      {0, 0, 116, 116, 0},
      {7, 4095, 4096, 116, 3987},
      {0, 63, 4160, 4103, 57},
      {4096, 0, 4160, 4160, 4096},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cuts); i++) {
    gsize offset;
    FmBlock block = cut (fixture, 1, cuts[i].size, cuts[i].align, &offset);

    assert_ptr_equal (block.extent, extent);
    assert_int_equal (offset, 5 * EXTENT + cuts[i].offset);
    assert_int_equal (block.start, cuts[i].start);
    assert_int_equal (block.length, cuts[i].length);
  }
}

static void
test_full_to_the_last_byte (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;
  gsize offset;

  open_extent (fixture, 0, 0);
  cut (fixture, 0, EXTENT / 2, 0, &offset);
  assert_false (
      fm_heap_cut (fixture->heap, 0, EXTENT / 2 + 1, 0, &block, &offset));
  cut (fixture, 0, EXTENT / 2 - 1, 0, &offset);
  assert_false (fm_heap_cut (fixture->heap, 0, 2, 0, &block, &offset));
  assert_false (fm_heap_cut (fixture->heap, 0, 1, 1, &block, &offset));
  cut (fixture, 0, 1, 0, &offset);
  assert_int_equal (offset, EXTENT - 1);
  assert_false (fm_heap_cut (fixture->heap, 0, 1, 0, &block, &offset));
  cut (fixture, 0, 0, 0, &offset);
}

static void
test_closed_takes_nothing (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_extent (fixture, 0, 0);
  FmBlock block;
  gsize offset;

  cut (fixture, 0, 1, 0, &offset);
  /* The pager chose it for a spill while the lane has it open. */
  atomic_store (&extent->full, TRUE);
  assert_false (fm_heap_cut (fixture->heap, 0, 1, 0, &block, &offset));
}

static void
test_last_block_frees (void **state)
{
  Fixture *fixture = *state;
  FmBlock blocks[3];
  gsize offset;
  guint i;

  open_extent (fixture, 0, 0);
  for (i = 0; i < 3; i++)
    blocks[i] = cut (fixture, 0, 100, 0, &offset);
  assert_false (fm_heap_give (fixture->heap, &blocks[1], 0));
  assert_false (close_extent (fixture, 0));
  assert_false (fm_heap_give (fixture->heap, &blocks[0], 0));
  assert_true (fm_heap_give (fixture->heap, &blocks[2], 0));
  assert_held (fixture, 0);
}

static void
test_leave_frees (void **state)
{
  Fixture *fixture = *state;
  FmBlock block;
  gsize offset;

  open_extent (fixture, 0, 0);
  assert_held (fixture, EXTENT);
  assert_true (close_extent (fixture, 0));
  assert_held (fixture, 0);

  open_extent (fixture, 0, 0);
  block = cut (fixture, 0, EXTENT / 2, 0, &offset);
  assert_false (fm_heap_give (fixture->heap, &block, 0));
  assert_true (close_extent (fixture, 0));
  assert_held (fixture, 0);
}

static void
test_free_pages (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = open_extent (fixture, 0, 0);
  FmBlock a, b, c;
  gsize offset;

  /* Page 0: a. Page 1: a and b. Page 2: b. Page 3: b and c. */
  a = cut (fixture, 0, FM_PAGE + 100, 0, &offset);
  b = cut (fixture, 0, 2 * FM_PAGE, 0, &offset);
  c = cut (fixture, 0, 10, 0, &offset);

  assert_false (fm_heap_give (fixture->heap, &a, 0));
  assert_int_equal (atomic_load (&extent->free_pages), 1);
  assert_held (fixture, EXTENT - FM_PAGE);
  assert_false (fm_heap_give (fixture->heap, &b, 0));
  assert_int_equal (atomic_load (&extent->free_pages), 3);
  assert_held (fixture, EXTENT - 3 * FM_PAGE);
  /* What is not cut yet is not free before the lane lets go of it. */
  assert_false (close_extent (fixture, 0));
  assert_int_equal (atomic_load (&extent->free_pages), PAGES - 1);
  assert_held (fixture, FM_PAGE);
  assert_true (fm_heap_give (fixture->heap, &c, 0));
  assert_held (fixture, 0);
}

static void
test_used_again (void **state)
{
  Fixture *fixture = *state;
  guint round;

  for (round = 0; round < 3; round++) {
    FmExtent *extent = open_extent (fixture, 0, 0);
    gsize offset;
    FmBlock block = cut (fixture, 0, 100, 0, &offset);

    assert_int_equal (offset, 0);
    assert_int_equal (atomic_load (&extent->free_pages), 0);
    assert_held (fixture, EXTENT);
    assert_false (close_extent (fixture, 0));
    assert_held (fixture, FM_PAGE);
    assert_true (fm_heap_give (fixture->heap, &block, 0));
    assert_held (fixture, 0);
    release (fixture, extent);
  }
}

static void
test_own_extent (void **state)
{
  Fixture *fixture = *state;
  FmExtent *extent = acquire (fixture, 7, FALSE);
  FmBlock block;

  assert_true (fm_heap_hold (fixture->heap, 12345));
  fm_heap_own (fixture->heap, extent, &block);
  assert_ptr_equal (block.extent, extent);
  assert_int_equal (block.start, 0);
  assert_int_equal (block.length, 0);
  assert_held (fixture, 12345);
  assert_true (fm_heap_give (fixture->heap, &block, 12345));
  assert_held (fixture, 0);
}

/* The model: the live blocks, and how far each open extent is filled. */
typedef struct
{
  FmBlock block;
  gsize offset, size, align;
  gsize held;
} Live;

typedef struct
{
  Fixture *fixture;
  GRand *rand;
  GArray *live;
  FmExtent *open[LANES];
  gsize filled[LANES];
} Model;

static guint
random_below (Model *model, gsize n)
{
  return (guint) g_rand_int_range (model->rand, 0, (gint32) n);
}

static gboolean
is_open (Model *model, FmExtent *extent, gsize *ret_filled)
{
  guint lane;

  for (lane = 0; lane < LANES; lane++) {
    if (model->open[lane] == extent) {
      *ret_filled = model->filled[lane];
      return TRUE;
    }
  }
  return FALSE;
}

static guint
blocks_in (Model *model, FmExtent *extent)
{
  guint i, n = 0;

  for (i = 0; i < model->live->len; i++)
    n += g_array_index (model->live, Live, i).block.extent == extent;
  return n;
}

static void
use_pages (gboolean *used, gsize start, gsize end)
{
  gsize page;

  for (page = start / FM_PAGE; page * FM_PAGE < end && start < end; page++)
    used[page] = TRUE;
}

static guint
model_free_pages (Model *model, FmExtent *extent)
{
  gboolean used[PAGES] = {FALSE};
  guint i, n = 0;
  gsize filled;

  for (i = 0; i < model->live->len; i++) {
    const FmBlock *block = &g_array_index (model->live, Live, i).block;

    if (block->extent == extent)
      use_pages (used, block->start, block->start + block->length);
  }
  if (is_open (model, extent, &filled))
    use_pages (used, filled, EXTENT);
  for (i = 0; i < PAGES; i++)
    n += !used[i];
  return n;
}

static gint
compare_places (gconstpointer a, gconstpointer b)
{
  const Live *x = a, *y = b;

  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return 0;
}

static void
model_check (Model *model)
{
  guint64 held = 0;
  guint i;

  for (i = 0; i < EXTENTS; i++) {
    FmExtent *extent = &model->fixture->table.extent[i];

    if (model->fixture->in_use[i] && extent->shared) {
      guint free_pages = model_free_pages (model, extent);

      assert_int_equal (atomic_load (&extent->free_pages), free_pages);
      held += EXTENT - free_pages * FM_PAGE;
    }
  }
  for (i = 0; i < model->live->len; i++)
    held += g_array_index (model->live, Live, i).held;
  assert_held (model->fixture, held);
}

static void
model_check_overlap (Model *model)
{
  g_autoptr (GArray) sorted = g_array_copy (model->live);
  gsize end = 0;
  guint i;

  g_array_sort (sorted, compare_places);
  for (i = 0; i < sorted->len; i++) {
    const Live *live = &g_array_index (sorted, Live, i);

    assert_int_equal (live->offset & live->align, 0);
    if (live->size == 0)
      continue;
    assert_true (live->offset >= end);
    end = live->offset + live->size;
  }
}

static gboolean
model_find_extent (Model *model, guint *ret_number)
{
  guint start = random_below (model, EXTENTS), i;

  for (i = 0; i < EXTENTS; i++) {
    *ret_number = (start + i) % EXTENTS;
    if (!model->fixture->in_use[*ret_number])
      return TRUE;
  }
  return FALSE;
}

static void
model_close (Model *model, guint lane)
{
  FmExtent *extent = model->open[lane];
  gboolean is_last;

  if (extent == NULL)
    return;
  is_last = blocks_in (model, extent) == 0;
  assert_int_equal (close_extent (model->fixture, lane), is_last);
  model->open[lane] = NULL;
}

static void
model_cut (Model *model, gsize size, gsize align)
{
  guint lane = random_below (model, LANES), number;
  Live live = {.size = size, .align = align};
  gsize start = (model->filled[lane] + align) & ~align;

  if (model->open[lane] == NULL || start + size > EXTENT) {
    assert_false (fm_heap_cut (
        model->fixture->heap, lane, size, align, &live.block, &live.offset));
    model_close (model, lane);
    if (!model_find_extent (model, &number))
      return;
    if (!fm_heap_hold (model->fixture->heap, EXTENT))
      return;
    fm_heap_unhold (model->fixture->heap, EXTENT);
    model->open[lane] = open_extent (model->fixture, lane, number);
    model->filled[lane] = start = 0;
  }
  live.block = cut (model->fixture, lane, size, align, &live.offset);
  assert_ptr_equal (live.block.extent, model->open[lane]);
  /* Each block begins where the one before ended. */
  assert_int_equal (live.block.start, model->filled[lane]);
  assert_int_equal (live.offset,
      fm_extent_offset (&model->fixture->table, model->open[lane]) + start);
  assert_int_equal (live.block.start + live.block.length, start + size);
  model->filled[lane] = start + size;
  g_array_append_val (model->live, live);
}

static void
model_own (Model *model)
{
  Live live = {.size = EXTENT, .held = EXTENT - random_below (model, FM_PAGE)};
  FmExtent *extent;
  guint number;

  if (!model_find_extent (model, &number)
      || !fm_heap_hold (model->fixture->heap, live.held))
    return;
  extent = acquire (model->fixture, number, FALSE);
  fm_heap_own (model->fixture->heap, extent, &live.block);
  live.offset = fm_extent_offset (&model->fixture->table, extent);
  g_array_append_val (model->live, live);
}

static void
model_give (Model *model)
{
  guint i = random_below (model, model->live->len);
  Live live = g_array_index (model->live, Live, i);
  FmExtent *extent = live.block.extent;
  gboolean is_last;
  gsize filled;

  g_array_remove_index_fast (model->live, i);
  is_last = blocks_in (model, extent) == 0 && !is_open (model, extent, &filled);
  assert_int_equal (
      fm_heap_give (model->fixture->heap, &live.block, live.held), is_last);
  if (is_last)
    release (model->fixture, extent);
}

static void
model_step (Model *model, gboolean wants_more)
{
  static const gsize aligns[] = {0, 0, 7, 15, 63, 4095};
  gsize align = aligns[random_below (model, G_N_ELEMENTS (aligns))];
  guint dice = random_below (model, 100);

  if (model->live->len > 0 && dice < (wants_more ? 30 : 70))
    model_give (model);
  else if (dice < 73)
    model_close (model, random_below (model, LANES));
  else if (dice < 76)
    model_own (model);
  else if (dice < 80)
    model_cut (model, EXTENT / 2 - align, align);
  else
    model_cut (model, random_below (model, 3 * FM_PAGE), align);
}

static void
test_against_model (void **state)
{
  Model model = {.fixture = *state,
      .rand = g_rand_new_with_seed (691299),
      .live = g_array_new (FALSE, FALSE, sizeof (Live))};
  guint step, lane;

  for (step = 0; step < STEPS; step++) {
    model_step (&model, (step / 2000) % 2 == 0);
    if (step % 50 == 0) {
      model_check (&model);
      model_check_overlap (&model);
    }
  }
  for (lane = 0; lane < LANES; lane++)
    model_close (&model, lane);
  while (model.live->len > 0)
    model_give (&model);
  assert_held (model.fixture, 0);

  g_array_unref (model.live);
  g_rand_free (model.rand);
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_small),
      TEST (test_limit),
      TEST (test_nothing_open),
      TEST (test_cut_in_order),
      TEST (test_full_to_the_last_byte),
      TEST (test_closed_takes_nothing),
      TEST (test_last_block_frees),
      TEST (test_leave_frees),
      TEST (test_free_pages),
      TEST (test_used_again),
      TEST (test_own_extent),
      TEST (test_against_model),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
