/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * driving.h: what the programs share that run a pipeline from its description
 * and tell what came out of it.
 *
 * For one pipeline in a process. A digest is written by one thread, the others
 * only look at its name; holds are for all threads, and all else for the main
 * thread.
 */
#ifndef FM_DRIVING_H
#define FM_DRIVING_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* The exit code where an element is not installed. */
#define DRIVING_SKIP 77

/* What goes through a pad. */
#define DRIVING_DATA \
  (GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST)

typedef struct DrivingDigest DrivingDigest;
typedef void (*DrivingFunc) (GstElement *element);

/* A digest of the bytes of buffers, and with @times of their time stamps,
 * durations and flags. Any thread may make one. */
DrivingDigest *driving_digest_new (const gchar *name, gboolean times);

/* A GstBufferListFunc: the buffer goes into @digest. */
gboolean driving_digest_buffer (
    GstBuffer **buffer, guint index, gpointer digest);

/* One line "digest NAME SHA256 BUFFERS BYTES" for each, in the order of names.
 */
void driving_print_digests (void);

/* The one buffer of a probe, or all of its list. */
void driving_for_each_buffer (
    GstPadProbeInfo *info, GstBufferListFunc func, gpointer data);

/* Takes the digest of what goes through @pad from now on; see
 * driving_digest_new(). */
void driving_add_digest (GstPad *pad, const gchar *name, gboolean times);

/* The first buffer at @pad waits there until driving_release(). */
void driving_add_hold (GstPad *pad);
void driving_wait_for_release (void);
void driving_release (void);

/* How many wait, or have waited. */
guint driving_n_held (void);

/* The pipeline of that description. Exits if there can't be one. */
GstElement *driving_parse (const gchar *description);

/* Whether these elements are installed, NAME:NAME; says which are not. */
gboolean driving_has_elements (const gchar *names);

/* Calls @func for all elements, those inside of others, and those that come
 * later too. */
void driving_watch_elements (GstElement *pipeline, DrivingFunc func);

/* Starts a thread with a reference to the element of that name, if there is
 * one; else NULL. */
GThread *driving_start_thread (
    GstElement *pipeline, const gchar *name, GThreadFunc func);

/* Processor time of the process, in us. */
gint64 driving_cpu_time (void);

/* Takes the message, EOS or an error; NULL if there was none in time. Says what
 * went wrong. */
gboolean driving_ended_well (GstMessage *message);

G_END_DECLS
#endif
