/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * backing-file-fixture.h: a backing file in a directory of its own, what goes
 * through it, and calls that fail.
 */
#ifndef FM_BACKING_FILE_FIXTURE_H
#define FM_BACKING_FILE_FIXTURE_H

#include "backing-file.h"
#include "messages.h"
#include "seam.h"
#include "testing.h"

#define LENGTH (64 * TESTING_MIB)
#define EXTENT (256 * TESTING_KIB)

typedef struct
{
  gchar *dir;
  FmBackingFile *file;
  guint8 *data; /* EXTENT bytes, for direct transfers; its seed is 1 */
  guint8 *back;
} Fixture;

/* The file has LENGTH bytes, none of them on disk. */
int fixture_setup (void **state);
int fixture_teardown (void **state);

FmBackingFile *new_file (const gchar *dir);

guint64 bytes_on_disk (FmBackingFile *file);

/* Writes an extent there and reads it back. */
void round_trip (Fixture *fixture, guint64 offset);

/* How calls fail. */
extern struct FileFault
{
  FmCall call;
  guint left; /* calls that fail from now on */
  int error;
  int flags_needed;
  FmBackingFile *other_thread_gives_up; /* direct transfers, meanwhile */
} fault;

void expect_fault (FmCall call, guint n, int error);

#endif
