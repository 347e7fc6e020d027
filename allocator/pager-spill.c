/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pager-spill.c: resident extents are written out.
 *
 * The extent is WRITING while its bytes go to the file at its own offset; any
 * thread may map it meanwhile without waiting. If it is not mapped at the end,
 * and was not mapped for writing in between, it becomes SWAPPING, the file is
 * mapped over it, and it is SPILLED. A reader without a map sees the same bytes
 * before and after.
 */
#include "pager-private.h"

#include <errno.h>

/* After one failed spill, another extent is tried; after two or more in a row,
 * none for this long, unless disk space was given back. */
#define BACKOFF ((gint64) 1000000)

/* An extent that was in use while it was written is left alone for this
 * long. */
#define RESPITE ((gint64) 100000)

static gboolean
is_wanted_again (FmExtent *extent)
{
  guint32 word = atomic_load_explicit (&extent->word, memory_order_relaxed);

  return FM_WORD_PINS (word) > 0 || (word & FM_TOUCHED) != 0;
}

/* Writes the extent out, in pieces so that it can be given up early. Returns 0,
 * an errno, or ECANCELED if it is in use again. */
static int
write_extent (FmPager *pager, FmExtent *extent)
{
  gsize offset = fm_extent_offset (pager->table, extent), done = 0;
  int error = fm_pager_allocate_space (pager, extent);

  while (error == 0 && done < extent->length) {
    gsize n = MIN (extent->length - done, pager->config.extent_size);

    if (is_wanted_again (extent))
      return ECANCELED;
    error = fm_backing_file_write (
        pager->file, offset + done, pager->arena->base + offset + done, n);
    if (error == 0) {
      fm_stats_add (pager->stats, FM_STAT_SPILL_BYTES, n);
      fm_stats_add (pager->stats, FM_STAT_WRITES, 1);
    }
    done += n;
  }
  return error;
}

static void
warn_no_space (FmPager *pager, int error)
{
  const FmBackingFile *file = pager->file;
  g_autofree gchar *used = fm_size_text (fm_backing_file_bytes (pager->file));
  g_autofree gchar *limit = fm_size_text (file->limit);
  g_autofree gchar *reserve = fm_size_text (file->reserve);
  g_autofree gchar *left = file->reserve == 0
      ? g_strdup ("")
      : g_strdup_printf (" and %s left to others (reserve)", reserve);

  switch (error) {
    case ENOBUFS:
      fm_warning ("buffers on disk fill the size of %s: further ones stay in "
                  "memory. Raise %s",
          limit,
          file->limited_by != NULL ? file->limited_by
                                   : "size (GST_FILEMEM_SIZE)");
      break;
    case EFBIG:
      fm_warning ("the file of buffers can't grow beyond %s (%s): further ones "
                  "stay in memory. Raise the limit on the length of files "
                  "(ulimit -f), or use another disk (dir)",
          used, g_strerror (error));
      break;
    case EDQUOT:
      fm_warning ("the disk quota is used up, %s of it by buffers: further "
                  "ones stay in memory. Free some space, have the quota "
                  "raised, or use another disk (dir)",
          used);
      break;
    default:
      fm_warning ("the disk is full, with %s of buffers on it%s: further ones "
                  "stay in memory. Free some space, or use another disk (dir)",
          used, left);
      break;
  }
}

static void
warn_spill_failed (FmPager *pager, int error)
{
  gboolean full =
      error == ENOBUFS || error == ENOSPC || error == EDQUOT || error == EFBIG;

  fm_stats_add (pager->stats, FM_STAT_SPILL_FAILURES, 1);
  fm_stats_add (pager->stats, full ? FM_STAT_DISK_FULL : FM_STAT_IO_ERRORS, 1);
  if (error == ENOBUFS)
    fm_stats_add (pager->stats, FM_STAT_SIZE_REACHED, 1);
  if (full && fm_first_time (&pager->warned_full))
    warn_no_space (pager, error);
  else if (!full && !fm_pager_warn_taken (pager, error)
      && fm_first_time (&pager->warned_write))
    fm_warning ("the disk refused a write (%s): buffers stay in memory. See "
                "the kernel's log, and use another disk (dir)",
        g_strerror (error));
}

/* A file system that has shut down refuses that as well. */
static void
warn_not_mapped (FmPager *pager, int error)
{
  if (error != ENOMEM) {
    warn_spill_failed (pager, error);
    return;
  }
  fm_stats_add (pager->stats, FM_STAT_SPILL_FAILURES, 1);
  if (fm_first_time (&pager->warned_unmapped))
    fm_warning ("the kernel refused to map the file over buffers that were "
                "written to it: they stay in memory. Raise the limits on "
                "mappings and address space (vm.max_map_count, ulimit -v)");
}

/* An extent whose spill did not succeed is resident again. */
static void
give_up_spill (FmPager *pager, FmExtent *extent, int error)
{
  gint64 now = fm_now ();

  if (error != 0 && error != ECANCELED) {
    extent->no_spill_before = now + BACKOFF;
    if (++pager->failures > 1)
      pager->no_spill_before = now + BACKOFF;
  } else {
    extent->no_spill_before = now + RESPITE;
    fm_stats_add (pager->stats, FM_STAT_SPILL_CANCELS, 1);
  }
  fm_pager_settle (pager, extent, FM_RESIDENT);
}

/* Makes a written extent a spilled one. One call maps the file over all of it,
 * so that it is never half memory and half file. */
static void
finish_spill (FmPager *pager, FmExtent *extent)
{
  FmArenaResult result;

  fm_pager_leave (pager);
  fm_point ();
  result =
      fm_arena_show_file (pager->arena, fm_extent_offset (pager->table, extent),
          fm_extent_run_length (pager->table, extent));
  if (result == FM_ARENA_UNCHANGED)
    warn_not_mapped (pager, errno);
  if (atomic_load_explicit (&pager->arena->memory_locked, memory_order_relaxed)
      && fm_first_time (&pager->warned_locked))
    fm_warning ("the program locks its memory (mlockall): code that reads a "
                "buffer without mapping it is not supported");
  fm_pager_return (pager);

  if (result == FM_ARENA_LOST) {
    fm_pager_retire (pager, extent);
    return;
  }
  if (result == FM_ARENA_UNCHANGED) {
    give_up_spill (pager, extent, ENOMEM);
    return;
  }
  pager->completions++;
  pager->failures = 0;
  fm_stats_add (pager->stats, FM_STAT_SPILLS, 1);
  fm_pager_note_unused (pager, extent);
  fm_pager_end_use (pager, extent);
  fm_pager_count_resident (pager, -(gssize) extent->resident_bytes);
  extent->resident_bytes = 0;
  fm_pager_settle (pager, extent, FM_SPILLED);
}

/* Whether the file has the same bytes: the extent was filled from there and has
 * not been written since, neither through a map nor through a stale pointer.
 * Without the lock. No hash exists yet for the first such extent of a
 * stream. */
static gboolean
is_in_file (FmPager *pager, FmExtent *extent)
{
  FmStream *stream = &pager->stream[atomic_load_explicit (
      &extent->stream, memory_order_relaxed)];

  if ((atomic_load (&extent->word) & FM_CLEAN) == 0 || extent->holes > 0
      || extent->disk_bytes < extent->length)
    return FALSE;
  if (!extent->has_hash) {
    atomic_store (&stream->refills, TRUE);
    return FALSE;
  }
  return fm_pager_hash (pager, extent) == extent->hash;
}

void
fm_pager_spill (FmPager *pager, FmExtent *extent)
{
  gsize length = extent->length;
  int error = 0;

  pager->writing_bytes += length;
  fm_stats_add (pager->stats, FM_STAT_EXTENTS_WRITING, 1);
  fm_pager_begin_transfer (pager);
  fm_pager_leave (pager);
  if (is_in_file (pager, extent)) {
    fm_stats_add (pager->stats, FM_STAT_CLEAN_SPILLS, 1);
  } else {
    /* The file now gets something other than what was hashed. */
    extent->has_hash = FALSE;
    error = write_extent (pager, extent);
  }
  if (error != 0 && error != ECANCELED)
    warn_spill_failed (pager, error);
  fm_pager_return (pager);
  fm_pager_end_transfer (pager);
  fm_stats_sub (pager->stats, FM_STAT_EXTENTS_WRITING, 1);

  fm_pager_remove_resident (pager, extent);
  if (error == 0 && !extent->dead
      && fm_extent_commit (extent, FM_WRITING, FM_SWAPPING))
    finish_spill (pager, extent);
  else
    give_up_spill (pager, extent, error);
  pager->writing_bytes -= length;
}
