/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-calls.c: takes one extent through its life, by the library's own
 * functions: memory, written, the file in its place, read back, memory again,
 * given back. So each system call that filemem cannot do without is made, and a
 * call that a seccomp filter or an old kernel refuses gets a line of its own.
 */
#include "arena.h"
#include "backing-file.h"
#include "doctor.h"

#include <errno.h>
#include <string.h>

#define MIB ((gsize) 1 << 20)
#define ARENA (16 * MIB)
#define EXTENT (2 * MIB)
#define MARK 0x5a
#define ALLOW                                                   \
  "allow mmap, mremap, madvise, mincore, fallocate, pread and " \
  "pwrite in the seccomp profile, and raise ulimit -v and ulimit -d"

/* Says that @step failed, if @error, an errno, is not 0. */
static gboolean
did (int error, const gchar *step)
{
  if (error != 0)
    doctor_problem ("calls",
        error == EFBIG        ? "ulimit -f unlimited"
            : error == ENOSPC ? "free some space in the directory"
                              : ALLOW,
        "%s: %s", step, g_strerror (error));
  return error == 0;
}

/* The same where the errno of the call that failed is lost. */
static gboolean
did_map (gboolean works, const gchar *step)
{
  if (!works)
    doctor_problem ("calls", ALLOW, "%s is refused", step);
  return works;
}

static int
compare (const guint8 *data, guint8 mark)
{
  return data[0] == mark && data[EXTENT / 2] == mark && data[EXTENT - 1] == mark
      ? 0
      : EIO;
}

static gboolean
spill (FmArena *arena, FmBackingFile *file)
{
  guint8 *data = arena->base;

  if (!did_map (
          fm_arena_make_anonymous (arena, 0, EXTENT, EXTENT) == FM_ARENA_DONE,
          "mmap of memory over a reserved range"))
    return FALSE;
  memset (data, MARK, EXTENT);
  return did (fm_backing_file_allocate (file, 0, EXTENT, EXTENT),
             "fallocate of disk space")
      && did (
          fm_backing_file_write (file, 0, data, EXTENT), "pwrite to the file")
      && did_map (fm_arena_show_file (arena, 0, EXTENT) == FM_ARENA_DONE,
          "mmap of the file over memory");
}

static gboolean
fill (FmArena *arena, FmBackingFile *file)
{
  void *staging = fm_arena_staging_new (arena, EXTENT, TRUE);
  gboolean done;

  if (!did_map (staging != NULL, "mmap of memory to read into"))
    return FALSE;
  done = did (fm_backing_file_read (file, 0, staging, EXTENT),
             "pread from the file")
      && did_map (
          fm_arena_replace (arena, 0, &staging, EXTENT) == FM_ARENA_DONE,
          "mremap of memory over the mapped file")
      && did (compare (arena->base, MARK), "reading what was written");
  if (staging != NULL)
    fm_arena_staging_free (staging, EXTENT);
  return done;
}

static void
live (FmArena *arena, FmBackingFile *file)
{
  if (!spill (arena, file))
    return;
  if (arena->memory_locked) {
    doctor_note ("calls", "don't lock future memory (MCL_FUTURE)",
        "memory is locked: what is on disk can't be mapped");
    return;
  }
  if (!did (compare (arena->base, MARK), "reading the mapped file")
      || !fill (arena, file)
      || !did_map (fm_arena_vacate (arena, 0, EXTENT) == FM_ARENA_DONE,
          "mmap of nothing over memory"))
    return;
  if (arena->dontunmap_works)
    doctor_ok ("calls", "mmap, mremap and the others do what filemem needs");
  else
    doctor_note ("calls", "use Linux 5.7 or later, and no valgrind",
        "mremap has no MREMAP_DONTUNMAP: reading back takes longer");
}

void
doctor_check_calls (const Doctor *doctor)
{
  FmBackingFile *file;
  FmArena *arena;
  FmOptions options;

  doctor_take_options (doctor, &options);
  file = fm_backing_file_new (fm_options_text (&options, FM_OPTION_DIR), NULL);
  fm_options_clear (&options);
  if (file == NULL)
    return; /* the line on the directory says it */
  if (did (fm_backing_file_set_length (file, ARENA), "ftruncate of the file")) {
    arena = fm_arena_new (ARENA, ARENA, FM_HUGE_PAGE, file->fd, TRUE);
    if (did_map (arena != NULL, "mmap of a range of addresses")) {
      live (arena, file);
      fm_arena_free (arena);
    }
  }
  fm_backing_file_free (file);
}
