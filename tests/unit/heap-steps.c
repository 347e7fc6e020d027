/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-steps.c: see heap-steps.h.
 */
#include "heap-steps.h"

#define CHECK_EACH 50
#define ROOM (20 * EXTENT)

/* As many as are looked at for one with room. */
#define CANDIDATES 8

typedef struct
{
  FmBlock block;
  gsize offset, size, align;
  gsize held;
} Live;

/* What a thread, or those that share, cuts from. */
typedef struct
{
  FmExtent *extent;
  gsize filled, end;
} Rest;

typedef struct
{
  Fixture *fixture;
  Choices *choices;
  GArray *live;
  FmExtent *open[STREAMS];
  FmExtent *taken; /* and not yet open in a stream */
  Rest rest[FM_THREADS + STREAMS];
  GQueue listed; /* that can be opened again; the latest at its end */
  guint most;    /* free chunks from which on one is listed */
} Model;

static guint
random_below (Model *model, gsize n)
{
  return choices_below (model->choices, (guint) n);
}

static gboolean
somebody_has (Model *model, FmExtent *extent)
{
  guint stream;

  for (stream = 0; stream < STREAMS; stream++) {
    if (model->open[stream] == extent)
      return TRUE;
  }
  return model->taken == extent;
}

static void
use_bytes (guint64 *free_chunks, gsize start, gsize end)
{
  gsize chunk;

  for (chunk = start / CHUNK; start < end && chunk * CHUNK < end; chunk++)
    *free_chunks &= ~BIT (chunk);
}

static guint64
model_free_chunks (Model *model, FmExtent *extent)
{
  guint64 bits = ALL_FREE;
  guint i;

  for (i = 0; i < model->live->len; i++) {
    const FmBlock *block = &g_array_index (model->live, Live, i).block;

    if (block->extent == extent)
      use_bytes (&bits, block->start, block->start + block->length);
  }
  for (i = 0; i < G_N_ELEMENTS (model->rest); i++) {
    if (model->rest[i].extent == extent)
      use_bytes (&bits, model->rest[i].filled, model->rest[i].end);
  }
  return bits;
}

static guint64
model_held (Model *model)
{
  guint64 held = LIMIT - ROOM;
  guint i;

  for (i = 0; i < EXTENTS; i++) {
    FmExtent *extent = fm_extent_at (&model->fixture->table, i);

    if (model->fixture->in_use[i] && extent->shared)
      held += CHUNK
          * (guint) __builtin_popcountll (~model_free_chunks (model, extent));
  }
  for (i = 0; i < model->live->len; i++)
    held += g_array_index (model->live, Live, i).held;
  return held;
}

/* The lowest run of @n chunks that are free; FM_CHUNKS if there is none. */
static guint
lowest_run (guint64 free_chunks, guint n)
{
  guint first, length;

  for (first = 0; first + n <= FM_CHUNKS; first++) {
    for (length = 0; length < n; length++) {
      if ((free_chunks & BIT (first + length)) == 0)
        break;
    }
    if (length == n)
      return first;
  }
  return FM_CHUNKS;
}

static guint
chunks_for (gsize bytes)
{
  return (guint) ((bytes + CHUNK - 1) / CHUNK);
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
check_all (Model *model)
{
  g_autoptr (GArray) sorted = g_array_copy (model->live);
  gsize end = 0;
  guint i;

  for (i = 0; i < EXTENTS; i++) {
    FmExtent *extent = fm_extent_at (&model->fixture->table, i);

    if (model->fixture->in_use[i] && extent->shared)
      assert_free_chunks (extent, model_free_chunks (model, extent));
  }
  assert_held (model->fixture, model_held (model));

  g_array_sort (sorted, compare_places);
  for (i = 0; i < sorted->len; i++) {
    const Live *live = &g_array_index (sorted, Live, i);

    assert_int_equal (live->offset & live->align, 0);
    assert_true (live->offset >= end);
    end = live->offset + live->size;
  }
}

/* After something of the extent was given back: it is dead if the heap said
 * so, and only then. */
static void
settle (Model *model, FmExtent *extent, gboolean died)
{
  guint64 bits = model_free_chunks (model, extent);
  gboolean is_had = somebody_has (model, extent);

  assert_free_chunks (extent, bits);
  assert_int_equal (died, bits == ALL_FREE && !is_had);
  if (died)
    g_queue_remove (&model->listed, extent);
  else if (!is_had && (guint) __builtin_popcountll (bits) >= model->most
      && g_queue_find (&model->listed, extent) == NULL)
    g_queue_push_tail (&model->listed, extent);
}

static void
model_open (Model *model, guint stream, FmExtent *extent)
{
  FmExtent *before = model->open[stream];
  gboolean died;

  model->open[stream] = extent;
  died = change_open (model->fixture, stream, extent);
  if (before != NULL)
    settle (model, before, died);
  else
    assert_false (died);
}

static gboolean
find_row (Model *model, guint *ret_row)
{
  guint start = random_below (model, EXTENTS), i;

  for (i = 0; i < EXTENTS; i++) {
    *ret_row = (start + i) % EXTENTS;
    if (!model->fixture->in_use[*ret_row])
      return TRUE;
  }
  return FALSE;
}

static void
put_back (Model *model, FmExtent *extent)
{
  gboolean died = fm_heap_put_back (model->fixture->heap, extent);

  if (died)
    release (model->fixture, extent);
  else
    g_queue_push_head (&model->listed, extent);
  settle (model, extent, died);
}

static FmExtent *
model_take (Model *model, gsize size, gsize align)
{
  guint n = chunks_for (MAX (size, 1) + align), i = 0;
  FmExtent *expected = NULL, *extent;
  GList *link;

  for (link = model->listed.tail; link != NULL && i < CANDIDATES; i++) {
    if (lowest_run (model_free_chunks (model, link->data), n) < FM_CHUNKS) {
      expected = link->data;
      break;
    }
    link = link->prev;
  }
  extent = fm_heap_take_mostly_free (model->fixture->heap, size, align);
  assert_ptr_equal (extent, expected);
  if (extent != NULL) {
    assert_false (somebody_has (model, extent));
    g_queue_remove (&model->listed, extent);
  }
  return extent;
}

/* What store.c does when nothing that is open has room. */
static gboolean
open_with_room (Model *model, guint stream, gsize size, gsize align)
{
  FmExtent *extent = model_take (model, size, align);
  guint row;

  if (extent != NULL && random_below (model, 4) == 0) {
    put_back (model, extent);
    extent = NULL;
  }
  if (extent == NULL) {
    if (!find_row (model, &row))
      return FALSE;
    extent = acquire (model->fixture, row, TRUE);
  }
  model_open (model, stream, extent);
  return TRUE;
}

/* How many chunks after the end of what the thread cuts from would do; 0 if
 * they are not free. */
static guint
chunks_to_go_on (
    const Rest *rest, FmExtent *open, guint64 bits, gsize size, gsize align)
{
  gsize start = (rest->filled + align) & ~align;
  guint next = (guint) (rest->end / CHUNK), n, i;

  if (rest->extent != open || start + size <= rest->end)
    return 0;
  n = chunks_for (start + size - rest->end);
  for (i = next; i < next + n; i++) {
    if (i >= FM_CHUNKS || (bits & BIT (i)) == 0)
      return 0;
  }
  return n;
}

/* After a cut of a thread that needed chunks: they are gone from @bits, which
 * were free in @open before. TRUE if it left what it had cut from. */
static gboolean
check_taken (Rest *rest, FmExtent *open, guint64 bits, gsize size, gsize align)
{
  guint64 taken = bits & ~atomic_load (&open->free_chunks);
  guint n = (guint) __builtin_popcountll (taken);
  guint wanted = chunks_for (size + align);
  guint more = chunks_to_go_on (rest, open, bits, size, align);
  guint lowest = lowest_run (bits, wanted);
  guint first;

  assert_true (taken != 0);
  first = (guint) __builtin_ctzll (taken);
  assert_int_equal (lowest_run (taken, n), first);
  /* Blocks of several chunks lie one after the other, and others where memory
   * is warm. */
  if (more > 0 && (wanted > 1 || lowest == rest->end / CHUNK)) {
    assert_int_equal (first, rest->end / CHUNK);
    assert_int_equal (n, more);
    rest->end += n * CHUNK;
    return FALSE;
  }
  assert_int_equal (first, lowest);
  assert_int_equal (n, wanted);
  rest->extent = open;
  rest->filled = first * CHUNK;
  rest->end = (first + n) * CHUNK;
  return TRUE;
}

static void
check_refused (Model *model, const Rest *rest, guint stream, guint64 bits,
    gsize size, gsize align, FmCutResult result)
{
  guint wanted = chunks_for (size + align);
  guint more = chunks_to_go_on (rest, model->open[stream], bits, size, align);

  assert_held (model->fixture, model_held (model));
  if (result == FM_CUT_NO_EXTENT) {
    assert_int_equal (lowest_run (bits, wanted), FM_CHUNKS);
    assert_int_equal (more, 0);
  } else {
    assert_true (
        model_held (model) + (more > 0 ? more : wanted) * CHUNK > LIMIT);
  }
}

static FmCutResult
cut_once (Model *model, guint thread, gsize size, gsize align)
{
  guint stream = thread % STREAMS;
  Rest *rest = &model->rest[thread < FM_THREADS ? thread : FM_THREADS + stream];
  Rest before = *rest;
  FmExtent *open = model->open[stream], *left;
  gsize needed = MAX (size, 1);
  gboolean moved;
  Live live = {.size = needed, .align = align};
  gsize start = (rest->filled + align) & ~align;
  gboolean fits = rest->extent != NULL && start + needed <= rest->end
      && !atomic_load (&rest->extent->full);
  guint64 bits = open != NULL && !atomic_load (&open->full)
      ? model_free_chunks (model, open)
      : 0;
  FmCutResult result = fm_heap_cut (model->fixture->heap, thread,
      thread & (STREAMS - 1), size, align, &live.block, &live.offset, &left);

  if (result != FM_CUT_DONE) {
    assert_false (fits);
    assert_null (left);
    check_refused (model, rest, stream, bits, needed, align, result);
    return result;
  }
  moved = !fits && check_taken (rest, open, bits, needed, align);
  start = (rest->filled + align) & ~align;
  assert_ptr_equal (live.block.extent, rest->extent);
  assert_int_equal (live.block.start, rest->filled);
  assert_int_equal (live.block.start + live.block.length, start + needed);
  assert_int_equal (live.offset,
      fm_extent_offset (&model->fixture->table, rest->extent) + start);
  rest->filled = start + needed;
  g_array_append_val (model->live, live);

  if (moved && before.filled < before.end) {
    assert_true (left == NULL || left == before.extent);
    settle (model, before.extent, left != NULL);
  } else {
    assert_null (left);
  }
  if (left != NULL)
    release (model->fixture, left);
  return result;
}

static void
model_cut (Model *model, gsize size, gsize align)
{
  static const guint threads[] = {0, 1, 2, STREAMS, STREAMS + 1, FM_THREADS,
      FM_THREADS + 2, FM_THREADS + STREAMS};
  guint thread = threads[random_below (model, G_N_ELEMENTS (threads))];

  while (cut_once (model, thread, size, align) == FM_CUT_NO_EXTENT) {
    if (!open_with_room (model, thread % STREAMS, size, align))
      return;
  }
}

static void
model_own (Model *model)
{
  Live live = {.size = EXTENT, .held = EXTENT - random_below (model, FM_PAGE)};
  FmExtent *extent;
  guint row;

  if (!find_row (model, &row)
      || !fm_heap_hold (model->fixture->heap, live.held))
    return;
  extent = acquire (model->fixture, row, FALSE);
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
  gboolean died;

  g_array_remove_index_fast (model->live, i);
  died = fm_heap_give (model->fixture->heap, &live.block, live.held);
  if (extent->shared)
    settle (model, extent, died);
  else
    assert_true (died);
  if (died)
    release (model->fixture, extent);
}

/* Between these two others come in. */
static void
take_or_open (Model *model)
{
  FmExtent *extent = model->taken;

  if (extent == NULL) {
    model->taken = model_take (model, CHUNK, 0);
    return;
  }
  model->taken = NULL;
  if (random_below (model, 2) == 0)
    put_back (model, extent);
  else
    model_open (model, random_below (model, STREAMS), extent);
}

static void
model_step (Model *model, gboolean wants_more)
{
  static const gsize aligns[] = {0, 0, 7, 15, 63, 4095, 4 * CHUNK - 1};
  gsize align = aligns[random_below (model, G_N_ELEMENTS (aligns))];
  guint dice = random_below (model, 200),
        stream = random_below (model, STREAMS);

  if (dice < 2)
    model_own (model);
  else if (dice < 4)
    model_open (model, stream, NULL);
  else if (dice < 8)
    take_or_open (model);
  else if (dice < 9 && model->open[stream] != NULL)
    atomic_store (&model->open[stream]->full, TRUE); /* as for a spill */
  else if (dice < 12)
    model_cut (model, EXTENT / 2 - align, align);
  else if (model->live->len > 0 && dice < (wants_more ? 80 : 140))
    model_give (model);
  else
    model_cut (model, random_below (model, 3 * CHUNK), align);
}

/* From how many free chunks on an extent is listed is for the heap to say; what
 * follows from it is not. */
static guint
find_most (Fixture *fixture)
{
  FmExtent *extent = open_fresh (fixture, 0, 0), *taken = NULL;
  FmBlock blocks[FM_CHUNKS];
  guint i, most = 0;

  for (i = 0; i < FM_CHUNKS; i++)
    blocks[i] = cut (fixture, 0, CHUNK);
  close_stream (fixture, 0);
  while (taken == NULL) {
    assert_true (most < FM_CHUNKS - 1);
    assert_false (give (fixture, &blocks[most++]));
    taken = fm_heap_take_mostly_free (fixture->heap, 1, 0);
  }
  for (i = most; i < FM_CHUNKS; i++)
    assert_false (give (fixture, &blocks[i]));
  assert_true (fm_heap_leave (fixture->heap, extent));
  release (fixture, extent);
  return most;
}

static void
release_left (FmExtent *extent, gpointer data)
{
  Model *model = data;

  release (model->fixture, extent);
  /* Each but once, and not before all is gone. */
  settle (model, extent, TRUE);
}

/* All threads have ended; what they did not cut is given back. */
static void
model_end (Model *model)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (model->rest); i++)
    model->rest[i].extent = NULL;
  fm_heap_end (model->fixture->heap, release_left, model);
  check_all (model);
}

void
heap_steps_run (Fixture *fixture, Choices *choices, guint steps)
{
  Model model = {.fixture = fixture,
      .choices = choices,
      .live = g_array_new (FALSE, FALSE, sizeof (Live))};
  guint step, i;

  g_queue_init (&model.listed);
  model.most = find_most (model.fixture);
  /* find_most() left it so. */
  model.rest[0].extent = fm_extent_at (&model.fixture->table, 0);
  model.rest[0].filled = model.rest[0].end = EXTENT;
  assert_true (fm_heap_hold (model.fixture->heap, LIMIT - ROOM));

  for (step = 0; step < steps && !choices_are_over (choices); step++) {
    model_step (&model, (step / 2000) % 2 == 0);
    if (step % CHECK_EACH == 0)
      check_all (&model);
  }
  if (model.taken != NULL)
    take_or_open (&model);
  for (i = 0; i < STREAMS; i++)
    model_open (&model, i, NULL);
  model_end (&model);
  while (model.live->len > 0)
    model_give (&model);
  for (i = 0; i < EXTENTS; i++)
    assert_false (model.fixture->in_use[i]);
  assert_held (model.fixture, LIMIT - ROOM);

  g_queue_clear (&model.listed);
  g_array_unref (model.live);
}
