/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stacks.c: tests that our threads have small stacks. With those of 8 MiB that
 * a thread has by default, a program with a limit on data or on locked memory
 * pays for 40 MiB that nobody uses.
 */
#include "store-fixture.h"

#include "pager.h"

#include <stdio.h>

#define N_BLOCKS 64

/* Thread-local storage and what glibc keeps there. */
#define MORE (128 * TESTING_KIB)

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

/* What is mapped below @stacks[i] in one piece, down to the next stack. Above
 * it another mapping may have grown together with this one; so it may below,
 * since glibc 2.42 makes guards that are no mappings. */
static gsize
mapped_below (const gsize *stacks, guint n, guint i)
{
  gsize start;
  g_autofree gchar *line =
      testing_find_mapping ((gconstpointer) stacks[i], &start);
  guint other;

  if (line == NULL)
    fail_msg ("nothing is mapped at %zx", stacks[i]);
  for (other = 0; other < n; other++) {
    if (stacks[other] < stacks[i])
      start = MAX (start, stacks[other]);
  }
  return stacks[i] - start;
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
  gsize stacks[2 * FM_N_THREADS];
  const gchar *tid;
  guint i, n = 0;

  assert_non_null (tasks);
  while ((tid = g_dir_read_name (tasks)) != NULL) {
    if (!is_ours (tid))
      continue;
    testing_check (n < G_N_ELEMENTS (stacks));
    while ((stacks[n] = stack_pointer (tid)) == 0)
      g_usleep (1000);
    n++;
  }
  for (i = 0; i < n; i++)
    assert_in_range (mapped_below (stacks, n, i), 1, FM_STACK + MORE);
  return n;
}

static void
test_stacks (void **state)
{
  FmStoreBlock blocks[N_BLOCKS];

  if (TESTING_SANITIZER)
    testing_skip ("sanitizers need larger stacks");
  open_small (*state, "256M");
  write_extents (*state, blocks, N_BLOCKS, 0);
  assert_true (check_stacks () >= FM_N_THREADS);
  give_blocks (*state, blocks, N_BLOCKS);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown (
      test_stacks, fixture_setup, fixture_teardown)};

  return cmocka_run_group_tests_name ("stacks", tests, NULL, NULL);
}
