/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-fixture.c: see pager-fixture.h.
 */
#include "pager-fixture.h"
#include "seam.h"

#define ARENA (256 * TESTING_MIB)
#define GRANULE (128 * TESTING_KIB)

/* Nobody is to run out of it here, nor anything to be unused for that long. */
#define FOR_EVER ((gint64) 600 * G_USEC_PER_SEC)

static void
ignore_message (FmMessageLevel level, const gchar *text)
{
}

int
fixture_setup (void **state)
{
  const FmPagerConfig config = {
      .budget = IN_BUDGET * EXTENT,
      .extent_size = EXTENT,
      .extent_least = GRANULE,
      .n_streams = STREAMS,
      .patience = FOR_EVER,
      .keep_unused = FOR_EVER,
  };
  Fixture *fixture = g_new0 (Fixture, 1);

  fm_messages_set_func (ignore_message);
  fixture->dir = testing_dir_new ();
  fixture->stats = fm_stats_new ();
  fixture->file = fm_backing_file_new (fixture->dir, NULL);
  assert_non_null (fixture->file);
  assert_int_equal (fm_backing_file_set_length (fixture->file, ARENA), 0);
  fixture->arena =
      fm_arena_new (ARENA, ARENA, FM_HUGE_PAGE, fixture->file->fd, TRUE);
  assert_non_null (fixture->arena);
  /* These extents have no whole ones. */
  fixture->arena->huge_pages = FALSE;
  assert_true (fm_extent_table_init (&fixture->table, ARENA, GRANULE));
  fixture->pager = fm_pager_new (
      &config, &fixture->table, fixture->arena, fixture->file, fixture->stats);
  assert_non_null (fixture->pager);
  *state = fixture;
  return 0;
}

int
fixture_teardown (void **state)
{
  Fixture *fixture = *state;

  fm_seam_set_hook (NULL);
  fm_pager_free (fixture->pager);
  fm_extent_table_clear (&fixture->table);
  fm_arena_free (fixture->arena);
  fm_backing_file_free (fixture->file);
  fm_stats_free (fixture->stats);
  fm_messages_set_func (NULL);
  testing_dir_free (fixture->dir);
  g_free (fixture);
  return 0;
}

guint8 *
bytes_of (Fixture *fixture, FmExtent *extent)
{
  return fixture->arena->base + fm_extent_offset (&fixture->table, extent);
}

FmState
state_of (FmExtent *extent)
{
  return FM_WORD_STATE (atomic_load (&extent->word));
}

FmExtent *
acquire (Fixture *fixture, gsize length, gboolean shared)
{
  FmExtent *extent = NULL;

  assert_int_equal (
      fm_pager_acquire (fixture->pager, length, shared, &extent), FM_ACQUIRED);
  return extent;
}

void
write_extent (Fixture *fixture, FmExtent *extent, guint seed)
{
  assert_true (fm_pager_pin (fixture->pager, &(FmBlock){extent}, FM_PIN_WRITE));
  testing_fill (bytes_of (fixture, extent), extent->length, seed);
  fm_pager_unpin (
      fixture->pager, &(FmBlock){extent}, FM_PIN_WRITE, extent->length, 0);
}

void
check_extent (Fixture *fixture, FmExtent *extent, guint seed)
{
  assert_true (fm_pager_pin (fixture->pager, &(FmBlock){extent}, FM_PIN_READ));
  assert_true (
      testing_is_filled (bytes_of (fixture, extent), extent->length, seed));
  fm_pager_unpin (fixture->pager, &(FmBlock){extent}, FM_PIN_READ, 0, 0);
}

void
spill (Fixture *fixture, FmExtent *extent)
{
  fm_pager_lock (fixture->pager);
  assert_true (fm_extent_commit (extent, FM_RESIDENT, FM_WRITING));
  atomic_store (&extent->full, TRUE);
  fm_pager_spill (fixture->pager, extent);
  fm_pager_unlock (fixture->pager);
}
