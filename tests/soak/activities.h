/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * activities.h: what a worker does over and over. Each leaves nothing behind.
 */
#ifndef FM_SOAK_ACTIVITIES_H
#define FM_SOAK_ACTIVITIES_H

#include <glib.h>

#define KIB ((gsize) 1 << 10)
#define MIB ((gsize) 1 << 20)

/* For what takes seconds at most, in microseconds. */
#define PATIENCE_US (300 * G_USEC_PER_SEC)
#define LOOK_US 20000

typedef struct
{
  GRand *random;
  guint64 depth;       /* the most bytes in all queues together */
  gboolean own_budget; /* which changes now and then */
  guint32 n_streams;   /* so far: each has a number of its own */
  GHashTable *digests; /* of an encoder's name; what should come out */
} Worker;

/* From @least up to and without @end; small ones as often as large ones. */
gsize worker_pick (Worker *worker, gsize least, gsize end);
gboolean worker_chance (Worker *worker, gint percent);

/* Another budget, if it has one of its own. */
void worker_change_budget (Worker *worker);

/* A figure of the default allocator. */
guint64 worker_figure (const gchar *name);

/* 1 to 100 streams through deep queues: paused and resumed, seeks, and to the
 * end or not. */
void play_streams (Worker *worker);

/* Frames through a deep queue into an encoder and through another. */
void play_encoder (Worker *worker);

/* What comes out of that encoder; NULL if there is none. */
gchar *encoder_digest (const gchar *name);
extern const gchar *const encoder_names[];

/* Children that read what they inherit, beside a pipeline. */
void fork_children (Worker *worker);

#endif
