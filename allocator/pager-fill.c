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

/* What one read brings in: whole huge pages, then, at the end of an extent,
 * what is left, in small ones. Either may be nothing. */
typedef struct
{
  gsize huge;
  gsize plain;
} Piece;

gsize
fm_pager_staging_length (FmPager *pager, gboolean huge)
{
  return huge ? pager->config.extent_size : pager->table->grain;
}

static Piece
next_piece (FmPager *pager, gsize remaining)
{
  Piece piece = {0};

  if (pager->arena->huge_pages)
    piece.huge = MIN (
        remaining & ~(FM_HUGE_PAGE - 1), fm_pager_staging_length (pager, TRUE));
  remaining -= piece.huge;
  /* Less than a huge page, or there are none. */
  if (!pager->arena->huge_pages || remaining < FM_HUGE_PAGE)
    piece.plain = MIN (remaining, fm_pager_staging_length (pager, FALSE));
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

/* Puts staging in the place of the file; frees it if that fails. */
static FmFillResult
replace (
    FmPager *pager, gsize offset, gboolean huge, void *staging, gsize length)
{
  FmArenaResult result =
      fm_arena_replace (pager->arena, offset, &staging, length);

  if (result == FM_ARENA_DONE) {
    keep_staging (pager, huge, staging);
    return FM_FILL_DONE;
  }
  fm_arena_staging_free (staging, fm_pager_staging_length (pager, huge));
  return result == FM_ARENA_LOST ? FM_FILL_GONE : FM_FILL_NO_MEMORY;
}

static void
free_staging (FmPager *pager, gboolean huge, void *staging)
{
  if (staging != NULL)
    fm_arena_staging_free (staging, fm_pager_staging_length (pager, huge));
}

/* Fills one piece; *@ret_done bytes of the extent's run are memory after it. */
static FmFillResult
fill_piece (FmPager *pager, gsize offset, const Piece *piece, gsize *ret_done,
    int *ret_error)
{
  void *huge = piece->huge > 0 ? take_staging (pager, TRUE) : NULL;
  void *plain = piece->plain > 0 ? take_staging (pager, FALSE) : NULL;
  FmFillResult result = FM_FILL_DONE;

  *ret_done = 0;
  if ((piece->huge > 0 && huge == NULL) || (piece->plain > 0 && plain == NULL))
    result = FM_FILL_NO_MEMORY;
  else
    *ret_error = fm_backing_file_read_parts (
        pager->file, offset, huge, piece->huge, plain, piece->plain);
  if (result == FM_FILL_DONE && *ret_error != 0)
    result = *ret_error == ENOMEM ? FM_FILL_NO_MEMORY : FM_FILL_IO_ERROR;

  if (result == FM_FILL_DONE && piece->huge > 0) {
    result =
        replace (pager, offset, TRUE, g_steal_pointer (&huge), piece->huge);
    if (result == FM_FILL_DONE)
      *ret_done = piece->huge;
  }
  if (result == FM_FILL_DONE && piece->plain > 0) {
    /* To the end of the run, so that it does not end in a bit of file. */
    result = replace (pager, offset + piece->huge, FALSE,
        g_steal_pointer (&plain), pager->table->grain);
    if (result == FM_FILL_DONE)
      *ret_done += pager->table->grain;
  }
  free_staging (pager, TRUE, huge);
  free_staging (pager, FALSE, plain);
  return result;
}

/* The system calls of a fill, without the lock. On failure what was filled
 * shows the file again; where even that is refused, `not_file` remembers it,
 * and the extent can't be mapped in place. */
static FmFillResult
fill_pieces (FmPager *pager, FmExtent *extent, int *ret_error)
{
  gsize start = fm_extent_offset (pager->table, extent), done = 0, n;
  FmFillResult result = FM_FILL_DONE;

  while (done < extent->length && result == FM_FILL_DONE) {
    const Piece piece = next_piece (pager, extent->length - done);

    result = fill_piece (pager, start + done, &piece, &n, ret_error);
    done += n;
  }
  if (result == FM_FILL_DONE || result == FM_FILL_GONE) {
    extent->not_file = 0;
    return result;
  }

  extent->not_file = MAX (extent->not_file, done);
  if (extent->not_file > 0) {
    switch (fm_arena_show_file (pager->arena, start, extent->not_file)) {
      case FM_ARENA_DONE:
        extent->not_file = 0;
        break;
      case FM_ARENA_UNCHANGED:
        break;
      case FM_ARENA_LOST:
        return FM_FILL_GONE;
    }
  }
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
