/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-mistakes.c: programs that unmap what is not mapped, or free what
 * is. With system memory that is a line on stderr and no more. Here a pin
 * belongs to an extent that many blocks share: what one of them does wrong must
 * neither take the others' pins nor keep the extent in memory for ever.
 *
 * Each mistake is made with system memory as well: GStreamer has to complain
 * as often, and the other blocks have to be as whole.
 */
#include <gst/filemem/filemem.h>

#include "filled-memory.h"
#include "testing.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* With ram=0: a budget of 4 MiB, and extents of 256 KiB. */
#define SMALL ((gsize) 30000)
#define LARGE (256 * TESTING_KIB)
/* Some to an extent, and more than there is room for beside what is mapped. */
#define N_SMALL 48
/* Several budgets. */
#define N_MORE 64
/* The block about which the mistakes are made, with others around it. */
#define CULPRIT 11
#define ELSEWHERE 30

#define RACE_ROUNDS 20000
#define SPILL_SECONDS 60

typedef struct
{
  gchar *dir;
  GstAllocator *allocator;
  gboolean is_filemem;
  GstMemory *small[N_SMALL];
  const guint8 *address[N_SMALL];
} Fixture;

typedef void (*Mistake) (Fixture *fixture);

static atomic_uint n_complaints;

static void
count_complaint (
    const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
  if ((level & G_LOG_LEVEL_CRITICAL) != 0)
    atomic_fetch_add (&n_complaints, 1);
}

/* ---- blocks ---- */

static void
write_block (GstMemory *mem, guint seed)
{
  assert_true (fill_memory (mem, seed));
}

static void
check_block (GstMemory *mem, guint seed)
{
  assert_true (is_memory_filled (mem, seed));
}

static const guint8 *
address_of (GstMemory *mem)
{
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
  gst_memory_unmap (mem, &info);
  return info.data;
}

static guint64
statistic (Fixture *fixture, const gchar *name)
{
  g_autoptr (GstStructure) stats = gst_file_mem_allocator_get_stats (
      GST_FILE_MEM_ALLOCATOR (fixture->allocator));
  guint64 value;

  assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

static void
make_blocks (Fixture *fixture)
{
  guint i;

  for (i = 0; i < N_SMALL; i++) {
    fixture->small[i] = gst_allocator_alloc (fixture->allocator, SMALL, NULL);
    write_block (fixture->small[i], i);
    fixture->address[i] = address_of (fixture->small[i]);
  }
}

static void
check_blocks (Fixture *fixture)
{
  guint i;

  for (i = 0; i < N_SMALL; i++) {
    if (fixture->small[i] != NULL)
      check_block (fixture->small[i], i);
  }
}

/* ---- whether they can go to disk ---- */

/* Then the file is at the address. */
static gboolean
is_on_disk (Fixture *fixture, const guint8 *address)
{
  g_autofree gchar *line = testing_find_mapping (address, NULL);

  return line != NULL && fixture->is_filemem
      && strstr (line, fixture->dir) != NULL;
}

/* Far enough from @address to be in another extent. */
static gboolean
is_elsewhere (Fixture *fixture, guint i, const guint8 *address)
{
  return ABS (fixture->address[i] - address) >= (gssize) LARGE;
}

/* As long as it takes, what does not fit is written again, so that something
 * has to go: on a busy machine that may be something else at first. */
static void
wait_for_spill (Fixture *fixture, const guint8 *address, GstMemory **more)
{
  gint64 end = g_get_monotonic_time () + SPILL_SECONDS * G_USEC_PER_SEC;
  guint i;

  for (i = 0; !is_on_disk (fixture, address); i = (i + 1) % N_MORE) {
    if (g_get_monotonic_time () > end)
      fail_msg ("a block is in memory for ever");
    write_block (more[i], 1000 + i);
    g_usleep (1000);
  }
}

/* What was read, and not touched while several budgets were written, is cold
 * and goes to disk before all else, if it can; what is in one extent with
 * @held, which is mapped, must not. Without it nothing is pinned. */
static void
press (Fixture *fixture, const guint8 *held)
{
  GstMemory *more[N_MORE];
  guint i;

  check_block (fixture->small[ELSEWHERE], ELSEWHERE);
  /* Nobody is taken for being on his way there any more. */
  if (fixture->is_filemem)
    g_usleep (6 * G_USEC_PER_SEC / 10);
  for (i = 0; i < N_MORE; i++) {
    more[i] = gst_allocator_alloc (fixture->allocator, LARGE, NULL);
    write_block (more[i], 1000 + i);
  }
  if (fixture->is_filemem) {
    wait_for_spill (fixture, fixture->address[ELSEWHERE], more);
    if (held == NULL) {
      /* Its extent may be gone with it; no other is kept in its place. */
      assert_int_equal (statistic (fixture, "pinned-bytes"), 0);
    } else {
      assert_true (is_elsewhere (fixture, ELSEWHERE, held));
      assert_false (is_on_disk (fixture, held));
    }
  }
  for (i = 0; i < N_MORE; i++) {
    check_block (more[i], 1000 + i);
    gst_memory_unref (more[i]);
  }
}

/* ---- the test around a mistake ---- */

static void
free_block (GstMemory **mem)
{
  if (*mem != NULL)
    gst_memory_unref (*mem);
  *mem = NULL;
}

static void
end_blocks (Fixture *fixture)
{
  guint i;

  for (i = 0; i < N_SMALL; i++)
    free_block (&fixture->small[i]);
  if (!fixture->is_filemem)
    return;
  assert_int_equal (statistic (fixture, "live-blocks"), 0);
  assert_int_equal (statistic (fixture, "live-bytes"), 0);
  assert_int_equal (statistic (fixture, "extents-retired"), 0);
}

/* With @is_held while another block of the extent is mapped. */
static void
make_mistake (Fixture *fixture, Mistake mistake, gboolean is_held)
{
  GstMapInfo held;

  make_blocks (fixture);
  if (is_held)
    assert_true (
        gst_memory_map (fixture->small[CULPRIT + 1], &held, GST_MAP_WRITE));
  mistake (fixture);
  if (is_held) {
    press (fixture, held.data);
    testing_fill (held.data, held.size, CULPRIT + 1);
    gst_memory_unmap (fixture->small[CULPRIT + 1], &held);
  }
  check_blocks (fixture);
  press (fixture, NULL);
  check_blocks (fixture);
  end_blocks (fixture);
}

/* Returns how often GStreamer complained. */
static guint
make_mistakes (Fixture *fixture, Mistake mistake)
{
  const guint before = atomic_load (&n_complaints);

  make_mistake (fixture, mistake, FALSE);
  make_mistake (fixture, mistake, TRUE);
  return atomic_load (&n_complaints) - before;
}

static void
test_mistake (void **state)
{
  const Mistake mistake = *(Mistake *) *state;
  Fixture system = {.allocator = gst_allocator_find (GST_ALLOCATOR_SYSMEM)};
  Fixture ours = {.dir = testing_dir_new (), .is_filemem = TRUE};
  g_autofree gchar *options =
      g_strdup_printf ("dir=%s,reserve=0,ram=0,size=256M", ours.dir);
  guint as_system;

  ours.allocator = gst_file_mem_allocator_new (options, NULL);
  assert_non_null (ours.allocator);
  as_system = make_mistakes (&system, mistake);
  assert_int_equal (make_mistakes (&ours, mistake), as_system);
  gst_object_unref (system.allocator);
  gst_object_unref (ours.allocator);
  assert_int_equal (testing_find_backing_file (ours.dir), -1);
  testing_dir_free (ours.dir);
}

/* ---- unmaps ---- */

/* What GStreamer does itself where it is built without checks: otherwise it
 * does not free what is mapped. */
static void
free_at_once (GstMemory *mem)
{
  g_autoptr (GstAllocator) allocator = mem->allocator;
  GstMemory *parent = mem->parent;

  gst_allocator_free (allocator, mem);
  if (parent == NULL)
    return;
  gst_memory_unlock (parent, GST_LOCK_FLAG_EXCLUSIVE);
  gst_memory_unref (parent);
}

static void
unmap_often (Fixture *fixture, guint n, GstMapFlags mapped, GstMapFlags flags)
{
  GstMemory *mem = fixture->small[CULPRIT];
  GstMapInfo info;
  guint i;

  assert_true (gst_memory_map (mem, &info, mapped));
  info.flags = flags;
  for (i = 0; i < n; i++)
    gst_memory_unmap (mem, &info);
}

static void
once_too_often (Fixture *fixture)
{
  unmap_often (fixture, 2, GST_MAP_READ, GST_MAP_READ);
}

static void
much_too_often (Fixture *fixture)
{
  unmap_often (fixture, 1000, GST_MAP_READWRITE, GST_MAP_READWRITE);
}

/* It is still mapped after that, and can't go to disk. */
static void
with_another_flag (Fixture *fixture)
{
  GstMemory *mem = fixture->small[CULPRIT];
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_WRITE));
  info.flags = GST_MAP_READ;
  gst_memory_unmap (mem, &info);
  press (fixture, info.data);
  testing_fill (info.data, info.size, CULPRIT);
  info.flags = GST_MAP_WRITE;
  gst_memory_unmap (mem, &info);
}

/* GStreamer does not notice that. It counts its locks wrong from then on, and
 * neither maps the block again nor frees it. */
static void
with_half_of_the_flags (Fixture *fixture)
{
  unmap_often (fixture, 4, GST_MAP_READWRITE, GST_MAP_READ);
  free_at_once (g_steal_pointer (&fixture->small[CULPRIT]));
}

static void
of_a_share (Fixture *fixture)
{
  GstMemory *share = gst_memory_share (fixture->small[CULPRIT], 8, 100);
  GstMapInfo root, info;
  guint i;

  assert_true (gst_memory_map (fixture->small[CULPRIT], &root, GST_MAP_READ));
  assert_true (gst_memory_map (share, &info, GST_MAP_READ));
  for (i = 0; i < 10; i++)
    gst_memory_unmap (share, &info);
  assert_true (testing_is_filled (root.data, root.size, CULPRIT));
  gst_memory_unref (share);
  gst_memory_unmap (fixture->small[CULPRIT], &root);
}

/* ---- other threads ---- */

typedef struct
{
  Fixture *fixture;
  guint wrong;
} Racer;

static gpointer
map_and_unmap (gpointer data)
{
  Racer *racer = data;
  GstMemory *mem = racer->fixture->small[CULPRIT];
  guint i;

  for (i = 0; i < RACE_ROUNDS; i++) {
    GstMapInfo info;

    if (!gst_memory_map (mem, &info, GST_MAP_READ)) {
      racer->wrong++;
      continue;
    }
    if (info.data[0] != racer->fixture->address[CULPRIT][0])
      racer->wrong++;
    gst_memory_unmap (mem, &info);
  }
  return NULL;
}

static gpointer
unmap_only (gpointer data)
{
  GstMemory *mem = ((Racer *) data)->fixture->small[CULPRIT];
  GstMapInfo info = {.memory = mem, .flags = GST_MAP_READ};
  guint i;

  for (i = 0; i < RACE_ROUNDS; i++)
    gst_memory_unmap (mem, &info);
  return NULL;
}

static void
in_another_thread (Fixture *fixture)
{
  Racer racer = {fixture, 0};
  const guint complaints = atomic_load (&n_complaints);
  GThread *mapping = g_thread_new ("maps", map_and_unmap, &racer);
  GThread *unmapping = g_thread_new ("unmaps", unmap_only, &racer);
  guint i;

  for (i = 0; i < RACE_ROUNDS / 100; i++) {
    const guint neighbour = i % 2 == 0 ? CULPRIT - 1 : CULPRIT + 2;

    write_block (fixture->small[neighbour], neighbour);
    check_block (fixture->small[neighbour], neighbour);
  }
  g_thread_join (mapping);
  g_thread_join (unmapping);
  assert_int_equal (racer.wrong, 0);
  /* How often depends on who was first. */
  atomic_store (&n_complaints, complaints);
}

/* ---- freed, or changed, while it is mapped ---- */

static void
freed_while_mapped (Fixture *fixture)
{
  static const GstMapFlags flags[] = {
      GST_MAP_READ, GST_MAP_WRITE, GST_MAP_READWRITE};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (flags); i++) {
    GstMemory *mem = g_steal_pointer (&fixture->small[CULPRIT - i]);
    GstMapInfo info;

    assert_true (gst_memory_map (mem, &info, flags[i]));
    assert_true (gst_memory_map (mem, &info, flags[i]));
    free_at_once (mem);
  }
}

static void
share_freed_while_mapped (Fixture *fixture)
{
  GstMemory *share = gst_memory_share (fixture->small[CULPRIT], 8, 100);
  GstMapInfo info;

  assert_true (gst_memory_map (share, &info, GST_MAP_READ));
  free_at_once (share);
}

static void
resized_while_mapped (Fixture *fixture)
{
  GstMemory *mem = fixture->small[CULPRIT];
  GstMapInfo info;

  assert_true (gst_memory_map (mem, &info, GST_MAP_READWRITE));
  gst_memory_resize (mem, 100, 200);
  assert_true (testing_is_filled (info.data, SMALL, CULPRIT));
  gst_memory_unmap (mem, &info);
  gst_memory_resize (mem, -100, SMALL);

  assert_true (gst_memory_map (mem, &info, GST_MAP_READ));
  gst_memory_resize (mem, 0, 0);
  gst_memory_unmap (mem, &info);
  gst_memory_unmap (mem, &info);
  gst_memory_resize (mem, 0, SMALL);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const gchar *name;
    Mistake mistake;
  } mistakes[] = {
      {"unmapped once too often", once_too_often},
      {"unmapped much too often", much_too_often},
      {"unmapped with another flag", with_another_flag},
      {"unmapped with half of the flags", with_half_of_the_flags},
      {"a share unmapped too often", of_a_share},
      {"unmapped by another thread", in_another_thread},
      {"freed while mapped", freed_while_mapped},
      {"a share freed while mapped", share_freed_while_mapped},
      {"resized while mapped", resized_while_mapped},
  };
  struct CMUnitTest tests[G_N_ELEMENTS (mistakes)];
  guint i;

  for (i = 0; i < G_N_ELEMENTS (mistakes); i++)
    tests[i] = (struct CMUnitTest){mistakes[i].name, test_mistake, NULL, NULL,
        (void *) &mistakes[i].mistake};
  gst_init (&argc, &argv);
  /* Whatever G_DEBUG says. */
  g_log_set_always_fatal (G_LOG_LEVEL_ERROR);
  g_log_set_default_handler (count_complaint, NULL);
  return cmocka_run_group_tests_name ("allocator-mistakes", tests, NULL, NULL);
}
