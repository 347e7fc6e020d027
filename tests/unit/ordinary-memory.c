/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ordinary-memory.c: tests what a person gets to see where buffers become
 * ordinary memory: one line for each reason, with the fix, however many
 * buffers it were; and what it came to, at the end.
 *
 * Each case is a child with GStreamer of its own, whose stderr is a file. With
 * a limit of nothing on the length of files each line that is written there
 * would be a SIGXFSZ.
 */
#include "gstreamer-child.h"
#include "observe.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define N_BLOCKS 64

/* More than the process has already. */
#define ADDRESSES_LEFT (256 * TESTING_MIB)

typedef struct
{
  gchar *dir;
  /* Of the case at hand: */
  const gchar *options; /* besides dir and reserve=0 */
  gboolean with_tracer;
  gsize block; /* bytes of each */
  guint n_blocks;
  gboolean copies;      /* of foreign memory, as at a queue's entrance */
  gboolean until_first; /* that is ordinary memory */
  int resource;         /* that is limited */
  rlim_t limit;         /* RLIM_INFINITY: not at all */
} Fixture;

static int
setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fixture->options = "ram=0,size=16M";
  fixture->block = TESTING_MIB;
  fixture->n_blocks = N_BLOCKS;
  fixture->resource = RLIMIT_FSIZE;
  fixture->limit = RLIM_INFINITY;
  *state = fixture;
  return 0;
}

static int
teardown (void **state)
{
  Fixture *fixture = *state;

  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

/* ---- in the child ---- */

static rlim_t
addresses_used (void)
{
  g_autofree gchar *text = NULL;

  testing_check (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  return (rlim_t) g_ascii_strtoull (text, NULL, 10) * TESTING_PAGE;
}

static void
set_limit (const Fixture *fixture)
{
  struct rlimit limit = {fixture->limit, fixture->limit};

  if (fixture->limit == RLIM_INFINITY)
    return;
  if (fixture->resource == RLIMIT_AS)
    limit.rlim_cur = limit.rlim_max = addresses_used () + fixture->limit;
  testing_check (setrlimit (fixture->resource, &limit) == 0);
}

static void
start_gstreamer (const Fixture *fixture)
{
  g_autofree gchar *options =
      g_strdup_printf ("dir=%s,reserve=0,%s", fixture->dir, fixture->options);
  g_autofree gchar *tracers = g_strdup_printf ("filemem(%s)", options);

  gstreamer_clean_environment (fixture->dir);
  if (fixture->with_tracer)
    g_setenv ("GST_TRACERS", tracers, TRUE);
  gstreamer_start ();
  if (!fixture->with_tracer)
    testing_check (gst_file_mem_allocator_install (options) != NULL);
}

/* NULL: a copy that could not be had. */
static GstMemory *
get_block (const Fixture *fixture)
{
  GstAllocationParams params = {0};
  GstAllocator *ours;
  GstMemory *block;

  if (!fixture->copies)
    return gst_allocator_alloc (NULL, fixture->block, NULL);
  ours = gst_allocator_find (GST_ALLOCATOR_FILEMEM);
  block = gst_file_mem_allocator_alloc_ours (
      GST_FILE_MEM_ALLOCATOR (ours), fixture->block, &params);
  gst_object_unref (ours);
  return block;
}

static void
use (gconstpointer data)
{
  const Fixture *fixture = data;
  GstMemory *blocks[N_BLOCKS] = {NULL};
  guint i, ordinary = 0;

  signal (SIGXFSZ, SIG_DFL);
  start_gstreamer (fixture);
  set_limit (fixture);
  for (i = 0; i < fixture->n_blocks; i++) {
    if (fixture->until_first && ordinary > 0)
      break;
    blocks[i] = get_block (fixture);
    ordinary += blocks[i] == NULL
        || gst_memory_is_type (blocks[i], GST_ALLOCATOR_SYSMEM);
  }
  testing_check (ordinary > 0);
  for (i = 0; i < fixture->n_blocks; i++)
    g_clear_pointer (&blocks[i], gst_memory_unref);
  /* As most programs end, without gst_deinit(). */
  exit (EXIT_SUCCESS);
}

/* ---- what it said ---- */

static gchar *
run (const Fixture *fixture, guint n_lines)
{
  gchar *said = testing_run_child (use, fixture);

  if (testing_count_lines (said, "") != n_lines
      || testing_count_lines (said, "filemem: ") != n_lines)
    fail_msg ("%u lines expected, but it said:\n%s", n_lines, said);
  return said;
}

/* In one line, of which the other is no part. */
static void
assert_says (const Fixture *fixture, const gchar *named, const gchar *other)
{
  g_autofree gchar *said = run (fixture, 1);

  assert_names (said, named);
  assert_null (strstr (said, other));
}

/* ---- the reasons ---- */

static void
test_full (void **state)
{
  g_autofree gchar *said = run (*state, 1);

  assert_names (said, "buffers have filled the size of 16.0");
  assert_names (said, "GST_FILEMEM_SIZE");
}

/* What enters a queue as foreign memory and can't be copied. */
static void
test_full_of_copies (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->copies = TRUE;
  said = run (fixture, 1);
  assert_names (said, "buffers have filled the size of 16.0");
  assert_names (said, "GST_FILEMEM_SIZE");
}

/* A wait that was in vain is worth a word. */
static void
test_full_and_wait (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=16M,when-full=wait";
  fixture->until_first = TRUE;
  assert_says (fixture, "when-full=wait", "ulimit");
}

/* Not size is what has to be raised. */
static void
test_short_files (void **state)
{
  Fixture *fixture = *state;

  fixture->limit = 8 * TESTING_MIB;
  assert_says (fixture, "ulimit -f", "GST_FILEMEM_SIZE");
}

static void
test_few_addresses (void **state)
{
  Fixture *fixture = *state;

  if (TESTING_SANITIZER)
    testing_skip ("a sanitizer has addresses without end");
  fixture->options = "ram=32M,size=1G";
  fixture->resource = RLIMIT_AS;
  fixture->limit = ADDRESSES_LEFT;
  fixture->block = 4 * TESTING_MIB;
  fixture->until_first = TRUE;
  assert_says (fixture, "ulimit -v", "GST_FILEMEM_SIZE");
}

static void
test_too_large (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->block = 17 * TESTING_MIB;
  fixture->n_blocks = 3;
  said = run (fixture, 1);
  assert_names (said, "17825792 bytes");
  assert_names (said, "larger than the size of 16.0");
  assert_names (said, "GST_FILEMEM_SIZE");
}

/* What was asked for is no trouble. */
static void
test_small (void **state)
{
  Fixture *fixture = *state;

  fixture->options = "ram=0,size=64M,min-size=2M";
  g_free (run (fixture, 0));
  fixture->with_tracer = TRUE;
  g_free (run (fixture, 0));
}

/* ---- the end ---- */

static void
test_in_all (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;
  const gchar *last;

  fixture->with_tracer = TRUE;
  said = run (fixture, 2);
  assert_names (said, "buffers have filled the size of 16.0");
  last = strstr (said, "\nfilemem: in total, ");
  assert_non_null (last);
  assert_names (last, "in total, 48 allocations, 48.0");
  assert_names (last, "became system memory: 48 size reached\n");
}

static void
test_in_all_by_reason (void **state)
{
  Fixture *fixture = *state;
  g_autofree gchar *said = NULL;

  fixture->with_tracer = TRUE;
  fixture->block = 17 * TESTING_MIB;
  fixture->n_blocks = 3;
  said = run (fixture, 2);
  assert_names (said, "filemem: in total, 3 allocations, 51.0");
  assert_names (said, "became system memory: 3 one block larger than size\n");
}

/* ---- files that may not grow at all, stderr among them ---- */

static void
test_no_files (void **state)
{
  Fixture *fixture = *state;

  if (g_getenv ("FILEMEM_UNDER_COVERAGE") != NULL)
    testing_skip ("coverage is written to files, when the program ends");
  fixture->limit = 0;
  /* What it said could not be written, and that is all. */
  g_free (run (fixture, 0));
  fixture->options = "ram=0,size=16M,report=stderr";
  fixture->with_tracer = TRUE;
  g_free (run (fixture, 0));
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_full),
      TEST (test_full_of_copies),
      TEST (test_full_and_wait),
      TEST (test_short_files),
      TEST (test_few_addresses),
      TEST (test_too_large),
      TEST (test_small),
      TEST (test_in_all),
      TEST (test_in_all_by_reason),
      TEST (test_no_files),
  };
#undef TEST

  return cmocka_run_group_tests_name ("ordinary-memory", tests, NULL, NULL);
}
