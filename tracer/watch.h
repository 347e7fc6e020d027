/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * watch.h: the thread that reports what is going on while the program runs:
 * records at intervals, the status page when a viewer looks, the report when a
 * signal asks for it.
 *
 * It sleeps on one word, without a timer unless there is an interval, and costs
 * nothing when nothing asks.
 */
#ifndef FM_WATCH_H
#define FM_WATCH_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  guint interval; /* seconds between records; 0: none */
  int signal;     /* on which the report is written; 0: none */

  /* Called in the thread, or at any time by fm_watch_stop() in another. */
  void (*write_records) (void);
  void (*write_report) (void);
  gchar *(*make_page) (guint most); /* the text; at most @most of each kind */
} FmWatchConfig;

/* To be called once, before the others; sets the handler of the signal. */
void fm_watch_init (const FmWatchConfig *config);

/* Starts the thread, unless it is running. The child of a fork starts a thread
 * of its own. Any thread. */
void fm_watch_start (void);

/* Ends the thread, and removes the page. */
void fm_watch_stop (void);

G_END_DECLS
#endif
