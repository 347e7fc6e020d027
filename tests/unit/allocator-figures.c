/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * allocator-figures.c: tests what the figures of an allocator show: a budget
 * that a program sets while it runs, and what was written into blocks.
 */
#include <gst/filemem/filemem.h>

#include "filled-memory.h"
#include "testing.h"

#define BLOCK TESTING_MIB
#define BLOCKS 24

typedef struct
{
  gchar *dir;
  GstAllocator *allocator;
} Fixture;

static int
set_up (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  g_autofree gchar *options = NULL;

  fixture->dir = testing_dir_new ();
  options =
      g_strdup_printf ("dir=%s,ram=64M,size=256M,reserve=0", fixture->dir);
  fixture->allocator = gst_file_mem_allocator_new (options, NULL);
  assert_non_null (fixture->allocator);
  *state = fixture;
  return 0;
}

static int
tear_down (void **state)
{
  Fixture *fixture = *state;

  gst_object_unref (fixture->allocator);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

static guint64
figure (Fixture *fixture, const gchar *name)
{
  g_autoptr (GstStructure) stats = gst_file_mem_allocator_get_stats (
      GST_FILE_MEM_ALLOCATOR (fixture->allocator));
  guint64 value = 0;

  assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

static void
assert_ram (Fixture *fixture, guint64 bytes)
{
  g_autofree gchar *expected = g_strdup_printf ("%" G_GUINT64_FORMAT, bytes);
  g_autofree gchar *text = NULL;

  g_object_get (fixture->allocator, "ram", &text, NULL);
  assert_string_equal (text, expected);
  assert_int_equal (figure (fixture, "budget"), bytes);
}

static void
set_ram (Fixture *fixture, guint64 bytes)
{
  gst_file_mem_allocator_set_ram (
      GST_FILE_MEM_ALLOCATOR (fixture->allocator), bytes);
}

static void
check_and_free (GstMemory *block, guint seed)
{
  assert_true (is_memory_filled (block, seed));
  gst_memory_unref (block);
}

/* Before there is anything that it could be the budget of. */
static void
test_before (void **state)
{
  Fixture *fixture = *state;

  set_ram (fixture, 16 * TESTING_MIB);
  gst_memory_unref (gst_allocator_alloc (fixture->allocator, BLOCK, NULL));
  assert_ram (fixture, 16 * TESTING_MIB);
}

static void
test_while_in_use (void **state)
{
  Fixture *fixture = *state;
  GstMemory *blocks[BLOCKS];
  guint i;

  for (i = 0; i < BLOCKS; i++) {
    blocks[i] = gst_allocator_alloc (fixture->allocator, BLOCK, NULL);
    assert_true (fill_memory (blocks[i], i));
  }
  assert_ram (fixture, 64 * TESTING_MIB);
  assert_int_equal (figure (fixture, "spills"), 0);
  set_ram (fixture, 8 * TESTING_MIB);
  assert_ram (fixture, 8 * TESTING_MIB);
  while (figure (fixture, "resident-bytes") > 8 * TESTING_MIB)
    g_usleep (1000);
  set_ram (fixture, 128 * TESTING_MIB);
  assert_ram (fixture, 128 * TESTING_MIB);
  for (i = 0; i < BLOCKS; i++)
    check_and_free (blocks[i], i);
}

/* As for the option. */
static void
test_least (void **state)
{
  Fixture *fixture = *state;

  gst_memory_unref (gst_allocator_alloc (fixture->allocator, BLOCK, NULL));
  set_ram (fixture, 1);
  assert_ram (fixture, 4 * TESTING_MIB);
}

static void
map (GstMemory *memory, GstMapFlags flags)
{
  GstMapInfo info = GST_MAP_INFO_INIT;

  assert_true (gst_memory_map (memory, &info, flags));
  gst_memory_unmap (memory, &info);
}

static guint64
blocks_written (Fixture *fixture)
{
  return figure (fixture, "stored-bytes") / BLOCK;
}

/* A video frame is mapped once for each of its planes. */
static void
test_planes (void **state)
{
  Fixture *fixture = *state;
  GstMapInfo planes[3];
  GstMemory *blocks[2];
  guint turn, i, k;

  for (i = 0; i < 2; i++)
    blocks[i] = gst_allocator_alloc (fixture->allocator, BLOCK, NULL);
  for (turn = 0; turn < 4; turn++) {
    for (i = 0; i < 2; i++) {
      for (k = 0; k < 3; k++)
        assert_true (gst_memory_map (blocks[i], &planes[k], GST_MAP_WRITE));
      for (k = 0; k < 3; k++)
        gst_memory_unmap (blocks[i], &planes[k]);
      /* An element that changes it in place. */
      map (blocks[i], GST_MAP_READWRITE);
    }
  }
  assert_int_equal (blocks_written (fixture), 8);
  for (i = 0; i < 2; i++)
    gst_memory_unref (blocks[i]);
}

/* The zeros before and after it are not the frame. */
static void
test_padding (void **state)
{
  Fixture *fixture = *state;
  GstAllocationParams params = {
      GST_MEMORY_FLAG_ZERO_PREFIXED | GST_MEMORY_FLAG_ZERO_PADDED, 0, 16, 16};
  GstMemory *blocks[3];
  guint i;

  for (i = 0; i < 3; i++) {
    blocks[i] = gst_allocator_alloc (fixture->allocator, BLOCK, &params);
    map (blocks[i], GST_MAP_WRITE);
  }
  assert_int_equal (blocks_written (fixture), 3);
  for (i = 0; i < 3; i++)
    gst_memory_unref (blocks[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      TEST (test_before),
      TEST (test_while_in_use),
      TEST (test_least),
      TEST (test_planes),
      TEST (test_padding),
  };

  gst_init (&argc, &argv);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
