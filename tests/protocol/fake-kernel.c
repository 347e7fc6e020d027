/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fake-kernel.c: the arena and the backing file in plain memory, so that a
 * million interleavings take seconds.
 *
 * Stands in for allocator/arena.c and allocator/backing-file.c, which are
 * tested against the real kernel elsewhere. A page of the arena shows nothing,
 * a page of anonymous memory or a page of the file, and changes from one to
 * another in one step; a transfer takes two steps, so that others get in
 * between.
 */
#include "fake-kernel.h"
#include "scheduler.h"

#include <string.h>

typedef enum { NOTHING, MEMORY, FILE_PAGE } View;

static struct
{
  View view[FAKE_PAGES];
  guint8 memory[FAKE_PAGES][FM_PAGE];
  guint8 file[FAKE_PAGES][FM_PAGE];
} kernel;

static guint8 staging[4][FM_PAGE];
static gboolean staging_used[4];

/* Pages are written from end to end, by halves at the most: a few bytes tell
 * what is in one. */
static void
compare_page (const guint8 *page)
{
  scheduler_compare_state (page, 8);
  scheduler_compare_state (page + FM_PAGE / 2 - 4, 8);
  scheduler_compare_state (page + FM_PAGE - 8, 8);
}

void
fake_kernel_reset (void)
{
  guint i;

  memset (&kernel, 0, sizeof kernel);
  memset (staging, 0, sizeof staging);
  memset (staging_used, 0, sizeof staging_used);
  scheduler_compare_state (kernel.view, sizeof kernel.view);
  for (i = 0; i < FAKE_PAGES; i++) {
    compare_page (kernel.memory[i]);
    compare_page (kernel.file[i]);
  }
  for (i = 0; i < G_N_ELEMENTS (staging); i++)
    scheduler_compare_state (staging[i], 8);
}

guint8 *
fake_kernel_page (gsize offset)
{
  gsize page = offset / FM_PAGE;

  scheduler_assert (kernel.view[page] != NOTHING);
  return kernel.view[page] == MEMORY ? kernel.memory[page] : kernel.file[page];
}

FmArena *
fm_arena_new (
    gsize size, gsize least, gsize alignment, int fd, gboolean dontdump)
{
  static FmArena arena;

  scheduler_assert (size <= FAKE_PAGES * FM_PAGE);
  arena.size = size;
  /* A donor's pages are read into where they are. */
  arena.base = kernel.memory[0];
  arena.dontunmap_works = TRUE;
  return &arena;
}

FmArenaResult
fm_arena_make_anonymous (FmArena *arena, gsize offset, gsize length, gsize used)
{
  fm_point ();
  scheduler_assert (length == FM_PAGE);
  memset (kernel.memory[offset / FM_PAGE], 0, FM_PAGE);
  kernel.view[offset / FM_PAGE] = MEMORY;
  return FM_ARENA_DONE;
}

FmArenaResult
fm_arena_show_file (FmArena *arena, gsize offset, gsize length)
{
  fm_point ();
  scheduler_assert (length == FM_PAGE);
  kernel.view[offset / FM_PAGE] = FILE_PAGE;
  return FM_ARENA_DONE;
}

FmArenaResult
fm_arena_replace (FmArena *arena, gsize offset, void **from, gsize length)
{
  fm_point ();
  scheduler_assert (length == FM_PAGE);
  memcpy (kernel.memory[offset / FM_PAGE], *from, FM_PAGE);
  memset (*from, 0, FM_PAGE);
  kernel.view[offset / FM_PAGE] = MEMORY;
  return FM_ARENA_DONE;
}

FmArenaResult
fm_arena_vacate (FmArena *arena, gsize offset, gsize length)
{
  fm_point ();
  kernel.view[offset / FM_PAGE] = NOTHING;
  memset (kernel.memory[offset / FM_PAGE], 0, FM_PAGE);
  return FM_ARENA_DONE;
}

gboolean
fm_arena_file_can_be_read (FmArena *arena, gsize offset, gsize length)
{
  return TRUE;
}

gboolean
fm_backing_file_is_cut (FmBackingFile *file)
{
  return FALSE;
}

int
fm_arena_bring_in (
    FmArena *arena, gsize offset, gsize length, gboolean to_write)
{
  fm_point ();
  scheduler_assert (kernel.view[offset / FM_PAGE] == FILE_PAGE);
  return 0;
}

void
fm_arena_forget (FmArena *arena, gsize offset, gsize length)
{
  fm_point ();
  scheduler_assert (kernel.view[offset / FM_PAGE] == FILE_PAGE);
}

void
fm_arena_protect (FmArena *arena, gsize offset, gsize length)
{
}

void *
fm_arena_staging_new (FmArena *arena, gsize length, gboolean huge)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (staging); i++) {
    if (!staging_used[i]) {
      staging_used[i] = TRUE;
      return staging[i];
    }
  }
  scheduler_fail ("more staging than threads");
}

void
fm_arena_staging_free (void *range, gsize length)
{
  staging_used[((guint8 *) range - staging[0]) / FM_PAGE] = FALSE;
}

FmBackingFile *
fm_backing_file_new (const gchar *dir, GError **error)
{
  static FmBackingFile file;

  return &file;
}

int
fm_backing_file_set_length (FmBackingFile *file, guint64 length)
{
  return 0;
}

int
fm_backing_file_allocate (
    FmBackingFile *file, guint64 offset, gsize length, gsize missing)
{
  atomic_fetch_add (&file->bytes, missing);
  return 0;
}

int
fm_backing_file_punch (
    FmBackingFile *file, guint64 offset, gsize length, gsize allocated)
{
  fm_point ();
  memset (kernel.file[offset / FM_PAGE], 0, FM_PAGE);
  atomic_fetch_sub (&file->bytes, allocated);
  return 0;
}

void
fm_backing_file_uncount (FmBackingFile *file, gsize bytes)
{
  atomic_fetch_sub (&file->bytes, bytes);
}

int
fm_backing_file_write (
    FmBackingFile *file, guint64 offset, const void *data, gsize length)
{
  const gsize half = FM_PAGE / 2;
  guint8 *to = kernel.file[offset / FM_PAGE];

  scheduler_assert (length == FM_PAGE);
  fm_point ();
  memcpy (to, fake_kernel_page (offset), half);
  fm_point ();
  memcpy (to + half, fake_kernel_page (offset) + half, half);
  return 0;
}

int
fm_backing_file_read_parts (FmBackingFile *file, guint64 offset,
    void *ret_first, gsize first_length, void *ret_second, gsize second_length)
{
  scheduler_assert (first_length == 0 && second_length == FM_PAGE);
  fm_point ();
  memcpy (ret_second, kernel.file[offset / FM_PAGE], FM_PAGE);
  return 0;
}

void
fm_backing_file_drop_cache (FmBackingFile *file, guint64 offset, gsize length)
{
}
