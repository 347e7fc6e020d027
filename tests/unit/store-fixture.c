/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-fixture.c: see store-fixture.h.
 */
#include "store-fixture.h"

#include <pthread.h>
#include <string.h>

#define N_WARNINGS_MAX 16
#define WARNING_SECONDS 60

/* Not GLib's, which the thread sanitizer does not see. */
static pthread_mutex_t warnings_lock = PTHREAD_MUTEX_INITIALIZER;
static gchar *warnings[N_WARNINGS_MAX];
static atomic_uint warnings_kept;
static atomic_uint warnings_of_budget;

int
fixture_setup (void **state)
{
  Fixture *fixture = g_new0 (Fixture, 1);

  fixture->dir = testing_dir_new ();
  fm_options_init (&fixture->options);
  if (!fm_options_set (&fixture->options, FM_OPTION_DIR, fixture->dir, NULL))
    return -1;
  fixture->stats = fm_stats_new ();
  *state = fixture;
  return 0;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  g_clear_pointer (&fixture->store, fm_store_free);
  fm_seam_set_hook (NULL);
  fm_messages_set_func (NULL);
  while (n_warnings () > 0)
    g_free (warnings[atomic_fetch_sub (&warnings_kept, 1) - 1]);
  atomic_store (&warnings_of_budget, 0);
  fm_options_clear (&fixture->options);
  fm_stats_free (fixture->stats);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

void
set_option (Fixture *fixture, FmOptionId id, const gchar *text)
{
  assert_true (fm_options_set (&fixture->options, id, text, NULL));
}

void
open_store (Fixture *fixture)
{
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&fixture->store, fm_store_free);
  fixture->store = fm_store_new (&fixture->options, fixture->stats, &error);
  if (fixture->store == NULL)
    fail_msg ("%s", error->message);
}

void
open_small (Fixture *fixture, const gchar *size)
{
  set_option (fixture, FM_OPTION_RAM, "0");
  set_option (fixture, FM_OPTION_RESERVE, "0");
  set_option (fixture, FM_OPTION_SIZE, size);
  open_store (fixture);
}

guint64
statistic (Fixture *fixture, FmStatistic id)
{
  guint64 values[FM_N_STATISTICS];

  fm_store_update_stats (fixture->store);
  fm_stats_snapshot (fixture->stats, values);
  return values[id];
}

/* ---- blocks ---- */

FmStoreBlock
alloc_block (Fixture *fixture, gsize size, gsize align)
{
  FmStoreBlock block;

  assert_int_equal (
      fm_store_alloc (fixture->store, size, align, 0, &block), FM_STORE_DONE);
  assert_non_null (block.data);
  assert_int_equal ((guintptr) block.data & align, 0);
  return block;
}

void
write_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  assert_true (fm_store_map (fixture->store, block, FM_PIN_WRITE));
  testing_fill (block->data, size, seed);
  fm_store_unmap (fixture->store, block, FM_PIN_WRITE, size);
}

void
check_block (
    Fixture *fixture, const FmStoreBlock *block, gsize size, guint seed)
{
  assert_true (fm_store_map (fixture->store, block, FM_PIN_READ));
  assert_true (testing_is_filled (block->data, size, seed));
  fm_store_unmap (fixture->store, block, FM_PIN_READ, size);
}

void
write_extents (Fixture *fixture, FmStoreBlock *blocks, guint n, guint seed)
{
  guint i;

  for (i = 0; i < n; i++) {
    blocks[i] = alloc_block (fixture, LEAST_EXTENT, 0);
    write_block (fixture, &blocks[i], LEAST_EXTENT, seed + i);
  }
}

int
fixture_setup_spilled (void **state, FmStoreBlock *blocks, guint n, guint seed)
{
  if (fixture_setup (state) != 0)
    return -1;
  keep_warnings ();
  open_small (*state, "256M");
  write_extents (*state, blocks, n, seed);
  assert_true (statistic (*state, FM_STAT_EXTENTS_SPILLED) > n / 4);
  return 0;
}

guint
count_lost (Fixture *fixture, const FmStoreBlock *blocks, guint n, guint seed)
{
  guint i, lost = 0;

  for (i = 0; i < n; i++) {
    if (!fm_store_map (fixture->store, &blocks[i], FM_PIN_READ)) {
      lost++;
      continue;
    }
    assert_true (testing_is_filled (blocks[i].data, LEAST_EXTENT, seed + i));
    fm_store_unmap (fixture->store, &blocks[i], FM_PIN_READ, 0);
  }
  return lost;
}

void
give_blocks (Fixture *fixture, const FmStoreBlock *blocks, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    fm_store_give (fixture->store, &blocks[i]);
}

/* ---- warnings ---- */

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  guint n;

  if (level != FM_MESSAGE_WARNING)
    return;
  if (strstr (text, "over the budget") != NULL) {
    atomic_fetch_add (&warnings_of_budget, 1);
    return;
  }
  pthread_mutex_lock (&warnings_lock);
  n = atomic_load (&warnings_kept);
  if (n < N_WARNINGS_MAX) {
    warnings[n] = g_strdup (text);
    atomic_store (&warnings_kept, n + 1);
  }
  pthread_mutex_unlock (&warnings_lock);
}

void
keep_warnings (void)
{
  fm_messages_set_func (keep_warning);
}

guint
n_budget_warnings (void)
{
  return atomic_load (&warnings_of_budget);
}

guint
n_warnings (void)
{
  return atomic_load (&warnings_kept);
}

void
assert_warned (guint n, const gchar *part)
{
  gint64 end = g_get_monotonic_time () + WARNING_SECONDS * G_USEC_PER_SEC;

  while (n_warnings () < n && g_get_monotonic_time () < end)
    g_usleep (1000);
  assert_int_equal (n_warnings (), n);
  if (strstr (warnings[n - 1], part) == NULL)
    fail_msg ("\"%s\" is not in: %s", part, warnings[n - 1]);
}
