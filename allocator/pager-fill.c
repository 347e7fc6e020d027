/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-fill.c: spilled extents are read back.
 *
 * The bytes are read into staging, whose pages then take the place of the file
 * at the extent's address: one step, in which a reader who looks without a map
 * sees the same bytes before and after. Large extents move in pieces. Whole
 * huge pages move as such; what is left of an extent moves in small ones, so
 * that it takes no more memory than it has bytes.
 */
#include "pager-private.h"

#include <errno.h>

/* ---- staging ---- */

/* One range to read into, for @bytes of an extent: what it is and how much of
 * the extent moves with it. */
typedef struct
{
  gboolean huge;
  gsize read; /* bytes to read */
  gsize move; /* bytes of the extent's run to replace */
} Piece;

gsize
fm_pager_staging_length (FmPager *pager, gboolean huge)
{
  return huge ? pager->config.extent_size : pager->table->grain;
}

static Piece
next_piece (FmPager *pager, gsize remaining)
{
  Piece piece;

  piece.huge = pager->arena->huge_pages && remaining >= FM_HUGE_PAGE;
  piece.read = MIN (remaining, fm_pager_staging_length (pager, piece.huge));
  if (piece.huge)
    piece.read &= ~(FM_HUGE_PAGE - 1);
  piece.move = piece.huge ? piece.read : pager->table->grain;
  return piece;
}

static void **
spare_staging (FmPager *pager, gboolean huge)
{
  return huge ? pager->staging_huge : pager->staging_plain;
}

static void *
take_staging (FmPager *pager, gboolean huge)
{
  void **spare = spare_staging (pager, huge), *staging = NULL;
  guint i;

  fm_pager_lock (pager);
  for (i = 0; i < FM_N_THREADS && staging == NULL; i++) {
    staging = spare[i];
    spare[i] = NULL;
  }
  fm_pager_unlock (pager);
  if (staging == NULL)
    staging = fm_arena_staging_new (
        pager->arena, fm_pager_staging_length (pager, huge), huge);
  return staging;
}

/* Keeps empty staging for the next one. */
static void
keep_staging (FmPager *pager, gboolean huge, void *staging)
{
  void **spare = spare_staging (pager, huge);
  guint i;

  if (staging == NULL)
    return;
  fm_pager_lock (pager);
  for (i = 0; i < FM_N_THREADS && staging != NULL; i++) {
    if (spare[i] == NULL) {
      spare[i] = staging;
      staging = NULL;
    }
  }
  fm_pager_unlock (pager);
  if (staging != NULL)
    fm_arena_staging_free (staging, fm_pager_staging_length (pager, huge));
}

/* ---- fill ---- */

static FmFillResult
fill_piece (FmPager *pager, gsize offset, const Piece *piece, int *ret_error)
{
  void *staging = take_staging (pager, piece->huge);
  FmArenaResult result;

  if (staging == NULL)
    return FM_FILL_NO_MEMORY;
  *ret_error = fm_backing_file_read (pager->file, offset, staging, piece->read);
  if (*ret_error != 0) {
    fm_arena_staging_free (
        staging, fm_pager_staging_length (pager, piece->huge));
    return *ret_error == ENOMEM ? FM_FILL_NO_MEMORY : FM_FILL_IO_ERROR;
  }
  result = fm_arena_replace (pager->arena, offset, &staging, piece->move);
  if (result != FM_ARENA_DONE) {
    fm_arena_staging_free (
        staging, fm_pager_staging_length (pager, piece->huge));
    return result == FM_ARENA_LOST ? FM_FILL_GONE : FM_FILL_NO_MEMORY;
  }
  keep_staging (pager, piece->huge, staging);
  return FM_FILL_DONE;
}

/* The system calls of a fill, without the lock. On failure what was filled
 * shows the file again where that is possible. */
static FmFillResult
fill_pieces (FmPager *pager, FmExtent *extent, int *ret_error)
{
  gsize start = fm_extent_offset (pager->table, extent), done = 0;
  FmFillResult result = FM_FILL_DONE;

  while (done < extent->length && result == FM_FILL_DONE) {
    const Piece piece = next_piece (pager, extent->length - done);

    result = fill_piece (pager, start + done, &piece, ret_error);
    if (result == FM_FILL_DONE)
      done += piece.move;
  }
  if (result != FM_FILL_DONE && result != FM_FILL_GONE && done > 0
      && fm_arena_show_file (pager->arena, start, done) == FM_ARENA_LOST)
    result = FM_FILL_GONE;
  return result;
}

FmFillResult
fm_pager_fill (FmPager *pager, FmExtent *extent)
{
  FmFillResult result;
  int error = 0;

  fm_pager_remove_spilled (pager, extent);
  fm_extent_set_state (extent, FM_FILLING, FM_TOUCHED);
  fm_pager_leave (pager);
  result = fill_pieces (pager, extent, &error);
  if (result == FM_FILL_IO_ERROR) {
    fm_stats_add (pager->stats, FM_STAT_IO_ERRORS, 1);
    if (fm_first_time (&pager->warned_io))
      fm_warning ("the disk did not give back what was written to it (%s): "
                  "a buffer can't be mapped. See the kernel's log, and use "
                  "another disk (dir)",
          g_strerror (error));
  }
  fm_pager_return (pager);

  if (result == FM_FILL_GONE) {
    fm_pager_retire (pager, extent);
    return result;
  }
  if (result == FM_FILL_DONE) {
    fm_stats_add (pager->stats, FM_STAT_FILLS, 1);
    fm_stats_add (pager->stats, FM_STAT_FILL_BYTES, extent->length);
  } else {
    fm_pager_count_resident (pager, -(gssize) extent->resident_bytes);
    extent->resident_bytes = 0;
  }
  if (extent->dead) {
    fm_pager_vacate (pager, extent);
    return FM_FILL_GONE;
  }
  if (result == FM_FILL_DONE) {
    fm_extent_set_state (extent, FM_RESIDENT, 0);
    fm_pager_add_resident (pager, extent);
  } else {
    fm_extent_set_state (extent, FM_SPILLED, 0);
    fm_pager_add_spilled (pager, extent);
  }
  fm_cond_broadcast (&pager->changed);
  return result;
}
