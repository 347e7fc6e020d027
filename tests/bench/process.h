/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * process.h: what the kernel counts of this process.
 */
#ifndef FM_BENCH_PROCESS_H
#define FM_BENCH_PROCESS_H

#include <glib.h>
#include <time.h>

typedef struct
{
  guint64 device_read; /* bytes */
  guint64 device_written;
} ProcessIo;

/* All zeros where the kernel does not say. */
void process_io (ProcessIo *ret_io);

/* Bytes of anonymous memory that are in RAM, and lines of /proc/self/maps. */
guint64 process_anonymous (void);
guint process_mappings (void);

/* Bytes in RAM, of all that is mapped between these addresses. */
guint64 process_resident (gconstpointer start, gconstpointer end);

static inline guint64
clock_ns (clockid_t clock)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return (guint64) now.tv_sec * G_GUINT64_CONSTANT (1000000000)
      + (guint64) now.tv_nsec;
}

#endif
