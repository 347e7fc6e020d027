/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * trial.h: one run of a workload in which one call of the seam fails, once or
 * from then on, and what is asked of it.
 *
 * The run is a child, which may have children itself; what they count, lose and
 * say is in memory that all share. A trial is survived if
 *
 *   - the child ends by itself and every check in it holds: each byte is what
 *     was written last, or its loss was told where this fault loses bytes;
 *   - no descriptor, mapping or name is left that the fault does not explain;
 *   - each warning is one that fits the fault, is given once to a process, and
 *     names the error; and what was lost was warned of.
 */
#ifndef CAMPAIGN_TRIAL_H
#define CAMPAIGN_TRIAL_H

#include "calls.h"

#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct
{
  const gchar *name;
  void (*run) (void);
  const gchar *ram;  /* NULL: what the workload itself says */
  gboolean on_disk;  /* else in memory, where that is to be had */
  gboolean uses_gst; /* needs GStreamer */
  const gchar *only; /* calls worth a failure, "a:b"; NULL: all */
  /* What fails all the time, so that some calls are made at all, and what is
   * said of that. */
  int (*standing) (const FmCallInfo *info);
  Words words;
  /* Bytes are lost, too, where there is no memory for them: the file is not
   * where they are, or may not be written. */
  gboolean needs_memory;
  /* Without a fault these have happened. */
  FmStatistic happens[4];
} Workload;

/* Ends with one that has no name. */
extern const Workload store_workloads[], process_workloads[],
    pipeline_workloads[];

typedef struct
{
  const Call *call; /* NULL: none */
  const Answer *answer;
  guint nth; /* from 1 */
  gboolean for_good;
} Fault;

typedef struct
{
  gboolean survived;
  gchar *why_not; /* for people */
  guint injected; /* calls that failed */
  guint lost;     /* maps of blocks or buffers that were told to be lost */
  guint count[CALLS_MAX]; /* by the call's index */
} Result;

/* Runs @workload in a directory of its own. @seconds end what hangs. */
void trial_run (const Workload *workload, const Fault *fault, guint seconds,
    Result *ret_result);
void trial_clear (Result *result);

/* ---- for workloads, in the child ---- */

const Workload *trial_workload (void);
const gchar *trial_dir (void);
gboolean trial_has_fault (void);

/* While it sleeps no call fails, nor is any counted. */
void trial_let_fault_sleep (gboolean sleeps);

/* In a process of which nothing is asked but that it lives. */
void trial_leave (void);

/* A map has failed: ends the child unless this fault loses bytes, now. */
void trial_check_lost (void);
gboolean trial_may_lose (void);
guint trial_lost (void);

/* The same for memory that the kernel did not give, and for a store, or a file
 * that could not be made. */
void trial_check_refused (void);
void trial_check_no_store (const gchar *why);

/* What the rooms below the subclass say. */
void trial_hear (void);

/* That this has happened, if no call fails. */
void trial_check_happened (FmStats *stats);

G_END_DECLS
#endif
