/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * thread-number.h: a small number for each thread.
 *
 * While a thread lives, no other has the same number below FM_THREADS: what is
 * kept under such a number is the thread's own, without a lock. Numbers of
 * threads that have ended are used again, the lowest first; the next thread
 * finds what the last one left under its number in a consistent state. Threads
 * beyond the first FM_THREADS share the numbers from there on.
 *
 * Threads that write blocks have a second number, by which their data is told
 * apart. Threads that only read have none, and there are more of these numbers.
 *
 * Locking: none.
 */
#ifndef FM_THREAD_NUMBER_H
#define FM_THREAD_NUMBER_H

#include <glib.h>

G_BEGIN_DECLS

#define FM_THREADS 64

extern _Thread_local guint fm_thread_number_plus_one
    __attribute__ ((tls_model ("initial-exec")));

guint fm_thread_number_take (void);

#define FM_WRITERS 256

extern _Thread_local guint fm_writer_number_plus_one
    __attribute__ ((tls_model ("initial-exec")));

guint fm_writer_number_take (void);

/* Below FM_WRITERS; shared only where there are more writers than that. */
static inline guint
fm_writer_number (void)
{
  guint number = fm_writer_number_plus_one;

  return G_LIKELY (number != 0) ? number - 1 : fm_writer_number_take ();
}

static inline guint
fm_thread_number (void)
{
  guint number = fm_thread_number_plus_one;

  return G_LIKELY (number != 0) ? number - 1 : fm_thread_number_take ();
}

G_END_DECLS
#endif
