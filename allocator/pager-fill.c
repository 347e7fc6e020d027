/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-fill.c: spilled extents are read back.
 *
 * The bytes are read into staging, whose pages then replace the file at the
 * extent's address: one step, in which a reader without a map sees the same
 * bytes before and after. Large extents move in pieces. Whole huge pages move
 * as such; the rest of an extent moves in small ones, so that it takes no more
 * memory than it has bytes.
 *
 * The kernel has to clear fresh pages before they are read into. Where a cached
 * extent of the same length is at hand, it becomes a donor: the bytes are read
 * into its pages instead, which then move from its address; the donor is then
 * retained.
 */
#include "hash.h"
#include "pager-private.h"

#include <errno.h>

/* ---- staging ---- */

/* What one read brings in: whole huge pages, then, at the end of an extent, the
 * rest in small ones. Either may be 0. */
typedef struct
{
  gsize huge;
  gsize plain;
} Piece;

gsize
fm_pager_staging_length (FmPager *pager, gboolean huge)
{
  if (huge)
    return pager->config.extent_size;
  return pager->arena->huge_pages ? FM_HUGE_PAGE : pager->table->granule;
}

static Piece
next_piece (FmPager *pager, gsize remaining)
{
  Piece piece = {0};

  if (pager->arena->huge_pages)
    piece.huge = MIN (
        remaining & ~(FM_HUGE_PAGE - 1), fm_pager_staging_length (pager, TRUE));
  remaining -= piece.huge;
  /* Less than a huge page is left, or there are none. */
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

/* Keeps empty staging for the next fill. */
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

/* The pages that a piece is read into. */
typedef struct
{
  void *huge;
  void *plain;
  gboolean lent; /* a donor's, which keeps the addresses */
} Pages;

static gboolean
take_pages (FmPager *pager, const Piece *piece, guint8 *donor, Pages *ret_pages)
{
  ret_pages->lent = donor != NULL;
  if (donor != NULL) {
    ret_pages->huge = donor;
    ret_pages->plain = donor + piece->huge;
    return TRUE;
  }
  ret_pages->huge = piece->huge > 0 ? take_staging (pager, TRUE) : NULL;
  ret_pages->plain = piece->plain > 0 ? take_staging (pager, FALSE) : NULL;
  return (piece->huge == 0 || ret_pages->huge != NULL)
      && (piece->plain == 0 || ret_pages->plain != NULL);
}

/* Frees staging that was not used up. */
static void
drop_pages (FmPager *pager, const Pages *pages)
{
  if (!pages->lent && pages->huge != NULL)
    fm_arena_staging_free (pages->huge, fm_pager_staging_length (pager, TRUE));
  if (!pages->lent && pages->plain != NULL)
    fm_arena_staging_free (
        pages->plain, fm_pager_staging_length (pager, FALSE));
}

/* Puts pages in the place of the file. Keeps staging that is empty then, or
 * frees what is left of it where the kernel has moved its addresses as well;
 * clears the address in *@pages when there is nothing left to free. */
static FmFillResult
replace (
    FmPager *pager, gsize offset, gboolean huge, Pages *pages, gsize length)
{
  void **address = huge ? &pages->huge : &pages->plain;
  guint8 *staging = *address;
  const gsize whole = fm_pager_staging_length (pager, huge);

  switch (fm_arena_replace (pager->arena, offset, address, length)) {
    case FM_ARENA_DONE:
      if (pages->lent)
        return FM_FILL_DONE;
      if (*address == NULL && length < whole)
        fm_arena_staging_free (staging + length, whole - length);
      keep_staging (pager, huge, g_steal_pointer (address));
      return FM_FILL_DONE;
    case FM_ARENA_UNCHANGED:
      return FM_FILL_NO_MEMORY;
    case FM_ARENA_LOST:
      return FM_FILL_GONE;
  }
  g_return_val_if_reached (FM_FILL_GONE);
}

/* Whether after a read that failed with @error the bytes can still be had
 * through the mapping: the cause was lack of memory, or the program has closed
 * the descriptor. */
static gboolean
is_there_still (int error)
{
  return error == ENOMEM || error == EBADF;
}

/* Fills one piece; *@ret_done bytes of the extent's run are memory after it. */
static FmFillResult
fill_piece (FmPager *pager, gsize offset, const Piece *piece, guint8 *donor,
    gsize *ret_done, guint64 *ret_hash, int *ret_error)
{
  FmFillResult result = FM_FILL_DONE;
  Pages pages;

  *ret_done = 0;
  if (!take_pages (pager, piece, donor, &pages))
    result = FM_FILL_NO_MEMORY;
  else
    *ret_error = fm_backing_file_read_parts (pager->file, offset, pages.huge,
        piece->huge, pages.plain, piece->plain);
  if (result == FM_FILL_DONE && *ret_error != 0)
    result = is_there_still (*ret_error) ? FM_FILL_NO_MEMORY : FM_FILL_IO_ERROR;
  if (result == FM_FILL_DONE && ret_hash != NULL) {
    *ret_hash = fm_hash (pages.huge, piece->huge, *ret_hash);
    *ret_hash = fm_hash (pages.plain, piece->plain, *ret_hash);
  }

  if (result == FM_FILL_DONE && piece->huge > 0) {
    result = replace (pager, offset, TRUE, &pages, piece->huge);
    if (result == FM_FILL_DONE)
      *ret_done = piece->huge;
  }
  if (result == FM_FILL_DONE && piece->plain > 0) {
    /* Up to the end of the run, so that no bit of file is left at its end. */
    gsize length = (piece->plain + pager->table->granule - 1)
        & ~(pager->table->granule - 1);

    result = replace (pager, offset + piece->huge, FALSE, &pages, length);
    if (result == FM_FILL_DONE)
      *ret_done += length;
  }
  drop_pages (pager, &pages);
  return result;
}

guint64
fm_pager_hash (FmPager *pager, const FmExtent *extent)
{
  const guint8 *data =
      pager->arena->base + fm_extent_offset (pager->table, extent);
  guint64 hash = FM_HASH_START;
  gsize done = 0;

  while (done < extent->length) {
    const Piece piece = next_piece (pager, extent->length - done);

    hash = fm_hash (data + done, piece.huge, hash);
    hash = fm_hash (data + done + piece.huge, piece.plain, hash);
    done += piece.huge + piece.plain;
  }
  return hash;
}

/* The system calls of a fill, without the lock. On failure, the part that was
 * filled shows the file again; if even that is refused, `not_file` records it,
 * and the extent can't be mapped in place. */
static FmFillResult
fill_pieces (FmPager *pager, FmExtent *extent, FmExtent *donor, int *ret_error)
{
  gsize start = fm_extent_offset (pager->table, extent), done = 0, n;
  guint8 *lent = donor == NULL
      ? NULL
      : pager->arena->base + fm_extent_offset (pager->table, donor);
  FmFillResult result = FM_FILL_DONE;
  guint n_reads = 0;

  while (done < extent->length && result == FM_FILL_DONE) {
    const Piece piece = next_piece (pager, extent->length - done);

    result = fill_piece (pager, start + done, &piece,
        lent != NULL ? lent + done : NULL, &n,
        extent->has_hash ? &extent->hash : NULL, ret_error);
    done += n;
    n_reads++;
  }
  if (result == FM_FILL_DONE)
    fm_stats_add (pager->stats, FM_STAT_READS, n_reads);
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
  /* Code that uses it in place expects no SIGBUS. */
  if (result == FM_FILL_NO_MEMORY && extent->not_file == 0
      && !fm_arena_file_can_be_read (pager->arena, start, extent->length)) {
    *ret_error = EIO;
    return FM_FILL_IO_ERROR;
  }
  /* The file may be zeros there, if it was truncated and a spill made it longer
   * again. */
  if (result == FM_FILL_NO_MEMORY && fm_backing_file_is_cut (pager->file)) {
    *ret_error = ENODATA;
    return FM_FILL_IO_ERROR;
  }
  return result;
}

gboolean
fm_pager_is_in_place (FmPager *pager, const FmExtent *extent)
{
  return extent->not_file == 0
      && !atomic_load_explicit (
          &pager->arena->memory_locked, memory_order_relaxed);
}

static void
warn_fill_failed (
    FmPager *pager, const FmExtent *extent, FmFillResult result, int error)
{
  gboolean taken = fm_pager_warn_taken (pager, error);

  if (result == FM_FILL_IO_ERROR) {
    fm_stats_add (pager->stats, FM_STAT_IO_ERRORS, 1);
    if (!taken && fm_first_time (&pager->warned_read))
      fm_warning ("the disk did not give back what was written to it (%s): "
                  "a buffer can't be mapped. See the kernel's log, and use "
                  "another disk (dir)",
          g_strerror (error));
  } else if (!taken && !fm_pager_is_in_place (pager, extent)) {
    if (fm_first_time (&pager->warned_stuck))
      fm_warning ("the kernel refused to bring buffers back into memory: they "
                  "can't be mapped as long as it does. Raise the limit on "
                  "address space, data or mappings (ulimit -v, -d, "
                  "vm.max_map_count)");
  } else if (!taken && fm_first_time (&pager->warned_in_place)) {
    fm_warning ("the kernel refused to bring buffers back into memory: they "
                "are used where they are on disk, which is slow. Raise the "
                "limit on address space or data (ulimit -v, -d), or allow "
                "mremap() where system calls are filtered");
  }
}

FmFillResult
fm_pager_fill (FmPager *pager, FmExtent *extent, FmExtent *donor)
{
  gboolean lent = extent->lent_bytes > 0;
  FmFillResult result;
  gint64 start;
  int error = 0;

  fm_pager_end_loans (pager, extent);
  fm_pager_remove_spilled (pager, extent);
  fm_extent_set_state (extent, FM_FILLING, FM_TOUCHED);
  fm_stats_add (pager->stats, FM_STAT_EXTENTS_FILLING, 1);
  fm_pager_begin_transfer (pager);
  extent->hash = FM_HASH_START;
  extent->has_hash = atomic_load_explicit (
      &pager->stream[extent->order.stream].refills, memory_order_relaxed);
  start = fm_now ();
  fm_pager_leave (pager);
  result = fill_pieces (pager, extent, donor, &error);
  if (lent)
    fm_backing_file_drop_cache (
        pager->file, fm_extent_offset (pager->table, extent), extent->length);
  if (result == FM_FILL_IO_ERROR || result == FM_FILL_NO_MEMORY)
    warn_fill_failed (pager, extent, result, error);
  fm_pager_return (pager);
  fm_pager_end_transfer (pager);
  fm_stats_sub (pager->stats, FM_STAT_EXTENTS_FILLING, 1);

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
  if (result == FM_FILL_DONE) {
    pager->fill_us += (fm_now () - start - pager->fill_us) / 8;
    fm_pager_begin_use (extent);
    atomic_fetch_or (&extent->word, FM_CLEAN);
  }
  if (!fm_pager_settle (
          pager, extent, result == FM_FILL_DONE ? FM_RESIDENT : FM_SPILLED))
    result = FM_FILL_GONE;
  fm_pager_wake_fills (pager);
  return result;
}
