/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * faults.h: how many page faults a thread had, and how many of them were at
 * addresses of blocks.
 *
 * Where the kernel allows it (perf_event_paranoid), each thread has a software
 * event that writes the address of every fault into a ring in memory; whether
 * there was any can be seen without a system call. Elsewhere getrusage() is
 * called. Because that is a system call, it is called only where a block was
 * mapped, and not for each of many small ones; the addresses are not known
 * then, and all faults found count as faults of blocks.
 *
 * Locking: a meter belongs to the thread that made it.
 */
#ifndef FM_FAULTS_H
#define FM_FAULTS_H

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  FM_FAULTS_NONE, /* no thread is being measured */
  FM_FAULTS_RUSAGE,
  FM_FAULTS_PERF
} FmFaultSource;

typedef struct
{
  guint64 minor, major;             /* all */
  guint64 arena_minor, arena_major; /* of these, at addresses of blocks */
} FmFaults;

/* The contents are for faults.c; the structure is here so that a check costs no
 * call. */
typedef struct
{
  FmFaultSource source;

  /* perf */
  int fd[2]; /* minor, major */
  guint64 id[2];
  guint64 counted[2];                /* of each, faults so far */
  struct perf_event_mmap_page *ring; /* a page of its own, then the data */
  const guint64 *head; /* in the ring: written up to here; or NULL */
  guint64 tail;        /* read up to here */

  /* getrusage */
  guint64 minor, major;
} FmFaultMeter;

/* From now on this is the range of addresses of blocks. Any thread. */
void fm_faults_set_arena (gpointer base, gsize length);

/* Measures the calling thread from now on. */
FmFaultMeter *fm_fault_meter_new (void);
void fm_fault_meter_free (FmFaultMeter *meter);

/* To be called in the child of a fork for the one thread that remains: the ring
 * is no longer there. */
void fm_fault_meter_forked (FmFaultMeter *meter);

FmFaultSource fm_fault_meter_source (const FmFaultMeter *meter);

/* Whether there is nothing to read; @mapped says whether a block was mapped
 * since the last call. */
static inline gboolean
fm_fault_meter_is_quiet (const FmFaultMeter *meter, gboolean mapped)
{
  return meter->head != NULL
      ? __atomic_load_n (meter->head, __ATOMIC_RELAXED) == meter->tail
      : !mapped;
}

/* The faults since the last call; FALSE if there were none. */
gboolean fm_fault_meter_read (
    FmFaultMeter *meter, gboolean mapped, FmFaults *ret_faults);

/* The worst source of all meters that have existed. Any thread. */
FmFaultSource fm_faults_source (void);
const gchar *fm_fault_source_name (FmFaultSource source);

G_END_DECLS
#endif
