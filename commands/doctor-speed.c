/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-speed.c: measures how fast the directory's disk writes and reads,
 * first one and then the other, for half a second each, as filemem does it:
 * whole extents, O_DIRECT.
 *
 * It takes at most SPACE_MAX and one SPACE_SHARE-th of the free space, in a
 * file without a name, and may transfer each part of that several times. If the
 * disk has a cache of its own, the figures show the cache's speed.
 */
#include "backing-file.h"
#include "doctor.h"
#include "store.h"

#include <string.h>
#include <sys/mman.h>

#define MIB ((gsize) 1 << 20)
#define PIECE (4 * MIB)
#define SPACE_MAX (256 * MIB)
#define SPACE_SHARE 64
#define HALF (G_USEC_PER_SEC / 2)
/* Raw video of 1920x1080 at 30 frames a second, in MiB/s. */
#define RAW_VIDEO 89.0

typedef int (*Transfer) (FmBackingFile *file, guint64 offset, void *data);

static int
write_piece (FmBackingFile *file, guint64 offset, void *data)
{
  return fm_backing_file_write (file, offset, data, PIECE);
}

static int
read_piece (FmBackingFile *file, guint64 offset, void *data)
{
  return fm_backing_file_read (file, offset, data, PIECE);
}

/* Transfers piece after piece of @length bytes, starting over at the end, for
 * HALF. Sets @ret_speed in MiB/s, and @ret_end to how far it got. Returns 0 or
 * an errno. */
static int
measure (FmBackingFile *file, Transfer transfer, void *data, gsize length,
    gdouble *ret_speed, gsize *ret_end)
{
  gint64 start = g_get_monotonic_time (), now = start;
  guint64 done = 0;
  int error = 0;

  while (error == 0 && now - start < HALF) {
    error = transfer (file, done % length, data);
    done += PIECE;
    now = g_get_monotonic_time ();
  }
  *ret_end = (gsize) MIN (done, (guint64) length);
  *ret_speed = (gdouble) done / (gdouble) MIB * G_USEC_PER_SEC
      / (gdouble) MAX (now - start, 1);
  return error;
}

/* Bytes that no file system can compress. */
static void
fill_with_noise (void *data)
{
  guint32 *words = data;
  gsize i;

  for (i = 0; i < PIECE / sizeof *words; i++)
    words[i] = g_random_int ();
}

static void
measure_both (FmBackingFile *file, void *data, gsize length)
{
  gdouble write_speed, read_speed = 0;
  gsize end;
  int error;

  error = fm_backing_file_set_length (file, length);
  if (error == 0)
    error = fm_backing_file_allocate (file, 0, length, length);
  if (error == 0)
    error = measure (file, write_piece, data, length, &write_speed, &end);
  if (error == 0)
    error = measure (file, read_piece, data, end, &read_speed, &end);
  if (error != 0)
    doctor_note ("speed", "see the other problems, or try another --dir",
        "not measured: %s", g_strerror (error));
  else if (MIN (write_speed, read_speed) < RAW_VIDEO)
    doctor_note ("speed",
        "take a faster disk where raw video waits in queues; encoded streams "
        "need less",
        "writes %.0f MiB/s, reads %.0f MiB/s: less than raw 1080p video",
        write_speed, read_speed);
  else
    doctor_ok ("speed", "writes %.0f MiB/s, reads %.0f MiB/s%s", write_speed,
        read_speed,
        atomic_load (&file->direct) ? "" : " (through the page cache)");
}

void
doctor_check_speed (const Doctor *doctor)
{
  FmBackingFile *file;
  FmOptions options;
  guint64 length;
  void *data;

  doctor_take_options (doctor, &options);
  file = fm_backing_file_new (fm_options_text (&options, FM_OPTION_DIR), NULL);
  if (file == NULL || file->in_memory) {
    /* The line about the directory says so. */
    g_clear_pointer (&file, fm_backing_file_free);
    fm_options_clear (&options);
    return;
  }
  file->reserve = fm_store_choose (&options, file).reserve;
  length = MIN (SPACE_MAX, file->free_bytes / SPACE_SHARE) & ~(PIECE - 1);
  data = mmap (
      NULL, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (length == 0) {
    doctor_note (
        "speed", "free some space", "not measured: too little is free");
  } else if (data != MAP_FAILED) {
    fill_with_noise (data);
    measure_both (file, data, (gsize) length);
    munmap (data, PIECE);
  }
  fm_backing_file_free (file);
  fm_options_clear (&options);
}
