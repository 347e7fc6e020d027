/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-fork.c: tests several threads whose blocks are being paged, and a
 * program that forks meanwhile.
 */
#include "store-fixture.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS 20
#define PAGING_THREADS 2

/* Several threads, each with its own blocks. */
typedef struct
{
  Fixture *fixture;
  guint number;
  gboolean endless;
  gboolean *stop; /* atomic */
  gboolean failed;
} Pager;

#define PAGED 24

static gboolean
page_one (Pager *pager, FmStoreBlock *block, gsize size, guint seed)
{
  FmStore *store = pager->fixture->store;

  if (fm_store_alloc (store, size, 0, 0, block) != FM_STORE_DONE)
    return FALSE;
  if (!fm_store_map (store, block, FM_PIN_WRITE))
    return FALSE;
  testing_fill (block->data, size, seed);
  fm_store_unmap (store, block, FM_PIN_WRITE, size);
  return TRUE;
}

static gboolean
page_back (Pager *pager, FmStoreBlock *block, gsize size, guint seed)
{
  FmStore *store = pager->fixture->store;
  gboolean right;

  if (!fm_store_map (store, block, FM_PIN_READ))
    return FALSE;
  right = testing_is_filled (block->data, size, seed);
  fm_store_unmap (store, block, FM_PIN_READ, 0);
  fm_store_give (store, block);
  return right;
}

static gpointer
page (gpointer data)
{
  Pager *pager = data;
  FmStoreBlock blocks[PAGED];
  guint round, i;

  for (round = 0; !pager->failed
       && (pager->endless ? !g_atomic_int_get (pager->stop) : round < 3);
       round++) {
    gsize size = round % 3 == 0 ? LEAST_EXTENT : 60000 + 1000 * round;

    for (i = 0; i < PAGED; i++) {
      if (!page_one (pager, &blocks[i], size, pager->number * 100 + i))
        pager->failed = TRUE;
    }
    for (i = 0; i < PAGED && !pager->failed; i++) {
      if (!page_back (pager, &blocks[i], size, pager->number * 100 + i))
        pager->failed = TRUE;
    }
  }
  return NULL;
}

static void
test_threads (void **state)
{
  Fixture *fixture = *state;
  Pager pagers[4];
  GThread *threads[4];
  guint i;

  open_small (fixture, "64M");
  for (i = 0; i < 4; i++) {
    pagers[i] = (Pager){fixture, i, FALSE, NULL, FALSE};
    threads[i] = g_thread_new ("page", page, &pagers[i]);
  }
  for (i = 0; i < 4; i++) {
    g_thread_join (threads[i]);
    assert_false (pagers[i].failed);
  }
  assert_true (statistic (fixture, FM_STAT_SPILLS) > 0);
}

/* ---- fork ---- */

#define KEPT 24
#define KEPT_SIZE (LEAST_EXTENT - 4096)

/* Reads what it inherits, resident or not, and changes its copies. */
static void
use_inherited (Fixture *fixture, const FmStoreBlock *kept)
{
  guint i;

  for (i = 0; i < KEPT; i++) {
    testing_check (
        fm_store_map (fixture->store, &kept[i], FM_PIN_READ | FM_PIN_WRITE));
    testing_check (testing_is_filled (kept[i].data, KEPT_SIZE, i));
    testing_fill (kept[i].data, KEPT_SIZE, 1000 + i);
    fm_store_unmap (
        fixture->store, &kept[i], FM_PIN_READ | FM_PIN_WRITE, KEPT_SIZE);
  }
  for (i = 0; i < KEPT; i++) {
    testing_check (fm_store_map (fixture->store, &kept[i], FM_PIN_READ));
    testing_check (testing_is_filled (kept[i].data, KEPT_SIZE, 1000 + i));
    fm_store_unmap (fixture->store, &kept[i], FM_PIN_READ, 0);
    if (i % 2 == 0)
      fm_store_give (fixture->store, &kept[i]);
  }
}

/* A store of the child's own, paged too. */
static void
use_own (Fixture *fixture)
{
  FmStoreBlock blocks[KEPT];
  FmStore *store;
  guint i;

  testing_check (fm_store_alloc (fixture->store, 100, 0, 0, &blocks[0])
      == FM_STORE_INHERITED);
  testing_check (fm_store_alloc (fixture->store, TESTING_MIB, 0, 0, &blocks[0])
      == FM_STORE_INHERITED);
  store = fm_store_new (&fixture->options, fixture->stats, NULL);
  testing_check (store != NULL);
  for (i = 0; i < KEPT; i++) {
    testing_check (
        fm_store_alloc (store, KEPT_SIZE, 0, 0, &blocks[i]) == FM_STORE_DONE);
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_WRITE));
    testing_fill (blocks[i].data, KEPT_SIZE, 2000 + i);
    fm_store_unmap (store, &blocks[i], FM_PIN_WRITE, KEPT_SIZE);
  }
  for (i = 0; i < KEPT; i++) {
    testing_check (fm_store_map (store, &blocks[i], FM_PIN_READ));
    testing_check (testing_is_filled (blocks[i].data, KEPT_SIZE, 2000 + i));
    fm_store_unmap (store, &blocks[i], FM_PIN_READ, 0);
    fm_store_give (store, &blocks[i]);
  }
  fm_store_free (store);
}

typedef struct
{
  Fixture *fixture;
  FmStoreBlock kept[KEPT];
} Inheritance;

static void
be_child (gconstpointer data)
{
  const Inheritance *inheritance = data;

  use_inherited (inheritance->fixture, inheritance->kept);
  use_own (inheritance->fixture);
}

static void
write_kept (Inheritance *inheritance)
{
  guint i;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("the thread sanitizer has no children that start threads");
  for (i = 0; i < KEPT; i++) {
    inheritance->kept[i] = alloc_block (inheritance->fixture, KEPT_SIZE, 0);
    write_block (inheritance->fixture, &inheritance->kept[i], KEPT_SIZE, i);
  }
}

static void
check_kept (Inheritance *inheritance)
{
  guint i;

  for (i = 0; i < KEPT; i++)
    check_block (inheritance->fixture, &inheritance->kept[i], KEPT_SIZE, i);
}

static void
give_kept (Inheritance *inheritance)
{
  guint i;

  for (i = 0; i < KEPT; i++)
    fm_store_give (inheritance->fixture->store, &inheritance->kept[i]);
}

static void
test_fork (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  assert_true (statistic (*state, FM_STAT_SPILLS) > 0);
  g_free (testing_run_child (be_child, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

/* Through a pointer that it has kept, without a map. read(2) stores, and says
 * EFAULT where a store would be a signal. */
static void
store_into_inherited (gconstpointer data)
{
  const Inheritance *inheritance = data;
  guint i, refused = 0;
  int ends[2];

  testing_check (pipe (ends) == 0);
  for (i = 0; i < KEPT; i++) {
    testing_check (write (ends[1], "!", 1) == 1);
    if (read (ends[0], inheritance->kept[i].data + 1000, 1) < 0)
      testing_check (errno == EFAULT && ++refused > 0);
  }
  testing_check (refused > 0);
}

static void
test_stray_store_in_child (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  g_free (testing_run_child (store_into_inherited, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

/* A child of the child has neither's store. */
static void
be_grandparent (gconstpointer data)
{
  const Inheritance *inheritance = data;
  int status;
  pid_t pid;

  use_inherited (inheritance->fixture, inheritance->kept);
  pid = fork ();
  testing_check (pid >= 0);
  if (pid == 0) {
    use_own (inheritance->fixture);
    _exit (EXIT_SUCCESS);
  }
  testing_check (waitpid (pid, &status, 0) == pid);
  testing_check (status == 0);
}

static void
test_fork_in_child (void **state)
{
  Inheritance inheritance = {.fixture = *state};

  open_small (*state, "64M");
  write_kept (&inheritance);
  g_free (testing_run_child (be_grandparent, &inheritance));
  check_kept (&inheritance);
  give_kept (&inheritance);
}

static void
test_fork_while_paging (void **state)
{
  Inheritance inheritance = {.fixture = *state};
  Pager pagers[PAGING_THREADS];
  GThread *threads[PAGING_THREADS];
  gboolean stop = FALSE;
  guint i;

  open_small (*state, "64M");
  write_kept (&inheritance);
  for (i = 0; i < PAGING_THREADS; i++) {
    pagers[i] = (Pager){*state, i, TRUE, &stop, FALSE};
    threads[i] = g_thread_new ("page", page, &pagers[i]);
  }
  for (i = 0; i < FORKS; i++) {
    g_free (testing_run_child (be_child, &inheritance));
    check_kept (&inheritance);
  }
  g_atomic_int_set (&stop, TRUE);
  for (i = 0; i < PAGING_THREADS; i++) {
    g_thread_join (threads[i]);
    assert_false (pagers[i].failed);
  }
  check_kept (&inheritance);
  give_kept (&inheritance);
}

int
main (void)
{
#define TEST(name) \
  cmocka_unit_test_setup_teardown (name, fixture_setup, fixture_teardown)
  const struct CMUnitTest tests[] = {
      TEST (test_threads),
      TEST (test_fork),
      TEST (test_stray_store_in_child),
      TEST (test_fork_in_child),
      TEST (test_fork_while_paging),
  };
#undef TEST

  return cmocka_run_group_tests (tests, NULL, NULL);
}
