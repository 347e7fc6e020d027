/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-line.h: a queue between two pads of the test's own: what is fed into
 * it, and in words all that an element behind it sees, as far as it is let.
 *
 * The same can be fed into a queue whose buffers are packed and into one whose
 * are not, because it has a limit of buffers.
 */
#ifndef FM_PACKING_LINE_H
#define FM_PACKING_LINE_H

#include "../../unit/testing.h"

#include <gst/gst.h>

typedef struct
{
  GstElement *queue;
  GObject *teller; /* of the level */
  GstPad *feed;    /* what the test pushes from */
  GstPad *end;
  GMutex lock;
  GCond changed;
  /* Guarded by the lock. */
  GPtrArray *seen;      /* (gchar *), of each thing that came */
  guint permits;        /* to come: buffers and lists */
  gboolean is_free;     /* as many as there are */
  gboolean is_stopping; /* nobody waits for a permit any more */
  gboolean is_waiting;  /* somebody does */
  gboolean has_ended;
  GstFlowReturn answer; /* to buffers, from that one on */
  guint answer_at, n_buffers, keep_at;
  GstBuffer *kept;
} Line;

/* With stream-start and segment sent, and a @factory that has no limit, or, so
 * that nothing is packed, one of buffers that is never reached. */
Line *line_new (const gchar *factory, gboolean packed);
void line_free (Line *line);

/* Where it leaves the queue. */
GstPad *line_src (Line *line);

void line_permit (Line *line, guint n);
void line_set_free (Line *line, gboolean is_free);
/* Who waits for a permit is sent back. */
void line_set_stopping (Line *line, gboolean is_stopping);
/* From the @at-th buffer on the end gives @answer. */
void line_answer (Line *line, guint at, GstFlowReturn answer);

/* The @nth buffer is kept, and given later. */
void line_keep (Line *line, guint nth);
GstBuffer *line_kept (Line *line);

/* Of what it has seen, for whoever waits. */
void line_wait_for (Line *line, guint n_buffers);
void line_wait_for_end (Line *line);
/* One more is there, and waits for its permit. */
void line_wait_for_next (Line *line);

void line_start (Line *line);

/* A buffer of @size bytes, whose content is @seed's. */
GstBuffer *line_buffer (gsize size, guint seed);

/* One line for each thing seen. */
gchar *line_text (Line *line);

/* A figure of all queues so far, by its name in the report. */
guint64 line_figure (const gchar *name);
guint64 line_live_blocks (void);

#endif
