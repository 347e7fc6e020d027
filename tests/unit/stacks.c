/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stacks.c: tests that our threads have small stacks. With those of 8 MiB that
 * a thread has by default, a program with a limit on data or on locked memory
 * pays for 40 MiB that nobody uses.
 */
#include "seam.h"
#include "store.h"
#include "testing.h"

#include <stdio.h>

#define BLOCK (256 * TESTING_KIB)
#define N_BLOCKS 64

/* Thread-local storage and what glibc keeps there. */
#define MORE (128 * TESTING_KIB)

/* Two writers, two readers. */
#define N_THREADS_LEAST 4

/* The stack pointer of a thread that sleeps in a system call; 0 while it
 * runs. */
static gsize
stack_pointer (const gchar *tid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/self/task/%s/syscall", tid);
  g_autofree gchar *text = NULL;
  gsize sp = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    testing_skip ("the kernel does not tell what a thread is waiting in");
  /* Its number, six arguments, and then this. */
  return sscanf (text, "%*d %*x %*x %*x %*x %*x %*x %zx", &sp) == 1 ? sp : 0;
}

/* What is mapped below the address in one piece. Above it another mapping may
 * have grown together with this one; below there is a guard. */
static gsize
mapped_below (gsize address)
{
  g_autofree gchar *maps = NULL;
  g_auto (GStrv) lines = NULL;
  guint i;

  assert_true (g_file_get_contents ("/proc/self/maps", &maps, NULL, NULL));
  lines = g_strsplit (maps, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    gsize start, end;

    if (sscanf (lines[i], "%zx-%zx", &start, &end) == 2 && address >= start
        && address < end)
      return address - start;
  }
  fail_msg ("nothing is mapped at %zx", address);
  return 0;
}

static gboolean
is_ours (const gchar *tid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/self/task/%s/comm", tid);
  g_autofree gchar *name = NULL;

  return g_file_get_contents (path, &name, NULL, NULL)
      && g_str_has_prefix (name, "filemem-");
}

static guint
check_stacks (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const gchar *tid;
  guint n = 0;

  assert_non_null (tasks);
  while ((tid = g_dir_read_name (tasks)) != NULL) {
    gsize sp;

    if (!is_ours (tid))
      continue;
    while ((sp = stack_pointer (tid)) == 0)
      g_usleep (1000);
    assert_in_range (mapped_below (sp), 1, FM_STACK + MORE);
    n++;
  }
  return n;
}

static void
check_store (const gchar *dir)
{
  FmStats *stats = fm_stats_new ();
  FmStoreBlock blocks[N_BLOCKS];
  FmOptions options;
  FmStore *store;
  guint i;

  fm_options_init (&options);
  assert_true (fm_options_set (&options, FM_OPTION_DIR, dir, NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RAM, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_RESERVE, "0", NULL));
  assert_true (fm_options_set (&options, FM_OPTION_SIZE, "256M", NULL));
  store = fm_store_new (&options, stats, NULL);
  assert_non_null (store);
  for (i = 0; i < N_BLOCKS; i++) {
    assert_int_equal (
        fm_store_alloc (store, BLOCK, 0, 0, &blocks[i]), FM_STORE_DONE);
    assert_true (fm_store_map (store, &blocks[i], FM_PIN_WRITE));
    testing_fill (blocks[i].data, BLOCK, i);
    fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, BLOCK);
  }
  assert_true (check_stacks () >= N_THREADS_LEAST);

  for (i = 0; i < N_BLOCKS; i++)
    fm_store_give (store, &blocks[i]);
  fm_store_free (store);
  fm_options_clear (&options);
  fm_stats_free (stats);
}

static void
test_stacks (void **state)
{
  gchar *dir;

  if (TESTING_SANITIZER)
    testing_skip ("sanitizers need larger stacks");
  dir = testing_dir_new ();
  check_store (dir);
  testing_dir_free (dir);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test (test_stacks)};

  return cmocka_run_group_tests_name ("stacks", tests, NULL, NULL);
}
