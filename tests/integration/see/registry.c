/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * registry.c: tests the lists of what there is to tell about.
 */
#include "registry.h"
#include "../../unit/testing.h"

#include <stdatomic.h>

/* More than are kept. */
#define MANY 400
#define KEPT 256

typedef struct
{
  FmRegistryItem item;
  guint number;
} Item;

static atomic_int n_alive;

static void
item_free (gpointer item)
{
  atomic_fetch_sub (&n_alive, 1);
  g_free (item);
}

static Item *
add (FmRegistry *registry, guint number)
{
  Item *item = g_new0 (Item, 1);

  item->number = number;
  atomic_fetch_add (&n_alive, 1);
  fm_registry_add (registry, &item->item, item_free);
  return item;
}

static guint
number_at (GPtrArray *list, guint i)
{
  return ((Item *) g_ptr_array_index (list, i))->number;
}

static void
test_empty (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  g_autoptr (GPtrArray) list = fm_registry_list (&registry);

  assert_int_equal (list->len, 0);
}

static void
test_order (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  g_autoptr (GPtrArray) list = NULL;
  Item *items[5];
  guint i;

  for (i = 0; i < 5; i++)
    items[i] = add (&registry, i);
  /* Who has gone stays where he was. */
  fm_registry_leave (&registry, items[2]);
  fm_registry_leave (&registry, items[0]);
  list = fm_registry_list (&registry);
  assert_int_equal (list->len, 5);
  for (i = 0; i < 5; i++)
    assert_int_equal (number_at (list, i), i);
}

static void
test_gone (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  g_autoptr (GPtrArray) before = NULL, after = NULL;
  int others = atomic_load (&n_alive);
  Item *stays = add (&registry, MANY), *items[MANY];
  guint i;

  for (i = 0; i < MANY; i++)
    items[i] = add (&registry, i);
  before = fm_registry_list (&registry);
  for (i = 0; i < MANY; i++)
    fm_registry_leave (&registry, items[i]);
  after = fm_registry_list (&registry);
  assert_int_equal (after->len, KEPT + 1);
  assert_ptr_equal (g_ptr_array_index (after, 0), stays);
  for (i = 0; i < KEPT; i++)
    assert_int_equal (number_at (after, i + 1), MANY - KEPT + i);

  /* What was forgotten lives as long as somebody has it. */
  assert_int_equal (atomic_load (&n_alive) - others, MANY + 1);
  assert_int_equal (number_at (before, 1), 0);
  g_clear_pointer (&before, g_ptr_array_unref);
  assert_int_equal (atomic_load (&n_alive) - others, KEPT + 1);
}

static void
test_references (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  int others = atomic_load (&n_alive);
  Item *first = add (&registry, 0);
  guint i;

  fm_registry_item_ref (first);
  fm_registry_leave (&registry, first);
  for (i = 0; i < MANY; i++)
    fm_registry_leave (&registry, add (&registry, i));
  assert_int_equal (first->number, 0);
  assert_int_equal (atomic_load (&n_alive) - others, KEPT + 1);
  fm_registry_item_unref (first);
  assert_int_equal (atomic_load (&n_alive) - others, KEPT);
}

static gpointer
come_and_go (gpointer data)
{
  guint i;

  for (i = 0; i < 2000; i++) {
    Item *item = add (data, i);
    g_autoptr (GPtrArray) list = fm_registry_list (data);

    assert_true (list->len > 0);
    fm_registry_leave (data, item);
  }
  return NULL;
}

static void
test_threads (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  int others = atomic_load (&n_alive);
  GThread *threads[4];
  g_autoptr (GPtrArray) list = NULL;
  guint i;

  for (i = 0; i < 4; i++)
    threads[i] = g_thread_new ("comes", come_and_go, &registry);
  for (i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  list = fm_registry_list (&registry);
  assert_int_equal (list->len, KEPT);
  assert_int_equal (atomic_load (&n_alive) - others, KEPT);
}

static FmRegistry busy;
static atomic_bool done;

static gpointer
keep_busy (gpointer unused)
{
  while (!atomic_load (&done))
    fm_registry_leave (&busy, add (&busy, 0));
  return NULL;
}

/* The lock is free in the child, and what there is to tell about is its own. */
static void
use (gconstpointer unused)
{
  g_autoptr (GPtrArray) inherited = fm_registry_list (&busy), list = NULL;

  testing_check (inherited->len == 0);
  fm_registry_leave (&busy, add (&busy, 1));
  list = fm_registry_list (&busy);
  testing_check (list->len == 1);
  testing_check (number_at (list, 0) == 1);
}

static void
test_forks (void **state)
{
  GThread *thread;
  guint i;

  if (TESTING_THREAD_SANITIZER)
    testing_skip ("children of programs with threads");
  thread = g_thread_new ("busy", keep_busy, NULL);
  for (i = 0; i < 100; i++)
    g_free (testing_run_child (use, NULL));
  atomic_store (&done, TRUE);
  g_thread_join (thread);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_empty),
      cmocka_unit_test (test_order),
      cmocka_unit_test (test_gone),
      cmocka_unit_test (test_references),
      cmocka_unit_test (test_threads),
      cmocka_unit_test (test_forks),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
