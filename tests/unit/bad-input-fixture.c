/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bad-input-fixture.c: see bad-input-fixture.h.
 */
#include "bad-input-fixture.h"

#include "filled-memory.h"

int
fixture_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->outside = testing_dir_new ();
  fixture->used = g_strdup (fixture->dir);
  fixture->options = "ram=0,size=64M";
  fixture->n_blocks = 4;
  *state = fixture;
  return 0;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  testing_dir_free (fixture->dir);
  testing_dir_free (fixture->outside);
  g_free (fixture->used);
  g_free (fixture);
  return 0;
}

/* ---- in the child ---- */

void
start_without_plugins (const Fixture *fixture)
{
  gstreamer_clean_environment (fixture->outside);
  g_setenv ("GST_PLUGIN_PATH", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH_1_0", "", TRUE);
  if (fixture->prepare != NULL)
    fixture->prepare (fixture->dir);
  gstreamer_start ();
}

gchar *
all_options (const Fixture *fixture)
{
  return g_strdup_printf (
      "dir=%s,reserve=0,%s", fixture->used, fixture->options);
}

GstMemory *
new_block (GstAllocator *allocator, gsize size, guint seed)
{
  GstMemory *mem = gst_allocator_alloc (allocator, size, NULL);

  if (mem == NULL)
    return NULL;
  testing_check (mem->size == size);
  testing_check (fill_memory (mem, seed));
  return mem;
}

void
check_block (GstMemory *mem, guint seed)
{
  testing_check (is_memory_filled (mem, seed));
}

/* Blocks of the default allocator, all alive at once, checked twice. */
void
use_default (guint n_blocks, const gchar *mem_type)
{
  g_autofree GstMemory **blocks = g_new0 (GstMemory *, n_blocks);
  guint i, round, ours = 0;

  for (i = 0; i < n_blocks; i++) {
    blocks[i] = new_block (NULL, BLOCK, i);
    testing_check (blocks[i] != NULL);
    testing_check (
        mem_type == NULL || gst_memory_is_type (blocks[i], mem_type));
    ours += gst_memory_is_type (blocks[i], GST_ALLOCATOR_FILEMEM);
  }
  testing_check (mem_type != NULL || ours > 0);
  for (round = 0; round < 2; round++) {
    for (i = 0; i < n_blocks; i++)
      check_block (blocks[i], i);
  }
  for (i = 0; i < n_blocks; i++)
    gst_memory_unref (blocks[i]);
}

void
use_installed (gconstpointer data)
{
  const Fixture *fixture = data;
  g_autofree gchar *options = all_options (fixture);

  start_without_plugins (fixture);
  if (fixture->variable != NULL)
    g_setenv (fixture->variable, fixture->value, TRUE);
  testing_check (gst_file_mem_allocator_install (options) != NULL);
  use_default (fixture->n_blocks, fixture->mem_type);
}

/* ---- what it said ---- */

/* Every line is one warning of filemem's, and none is said twice. */
void
assert_warnings (const gchar *said, guint n)
{
  g_auto (GStrv) lines = g_strsplit (said, "\n", -1);
  guint i, j;

  if (testing_count_lines (said, "") != n
      || testing_count_lines (said, PREFIX) != n)
    fail_msg ("%u warnings expected, but it said:\n%s", n, said);
  for (i = 0; lines[i] != NULL; i++) {
    for (j = 0; j < i; j++) {
      if (lines[i][0] != '\0')
        assert_string_not_equal (lines[i], lines[j]);
    }
  }
}

void
assert_one_warning (Fixture *fixture, const gchar *named)
{
  g_autofree gchar *said = testing_run_child (use_installed, fixture);

  assert_warnings (said, 1);
  assert_names (said, named);
}

void
assert_silent (Fixture *fixture)
{
  g_autofree gchar *said = testing_run_child (use_installed, fixture);

  assert_string_equal (said, "");
}
