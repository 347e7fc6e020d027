/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * stream.c: see stream.h.
 */
#include "stream.h"

#include <stdlib.h>

#define BATCH_BYTES 65536

gsize
stream_batch (gsize block)
{
  return MAX (BATCH_BYTES / block, 1);
}

gsize
stream_most_live (const Stream *stream)
{
  /* One batch is in the hands of each thread. */
  return stream->room + 2 * stream_batch (stream->block);
}

static void G_GNUC_NORETURN
fail (const gchar *what, gsize block)
{
  g_printerr ("block %" G_GSIZE_FORMAT ": %s\n", block, what);
  exit (1);
}

/* ---- one block ---- */

void
block_write (GstMemory *mem, gsize i, guint64 since, Times *times)
{
  GstMapInfo info;

  if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
    fail ("can't be written", i);
  contents_fill (info.data, info.size, i);
  if (times != NULL)
    times_add (times, clock_ns (CLOCK_MONOTONIC) - since);
  gst_memory_unmap (mem, &info);
}

void
block_read (GstMemory *mem, gsize i, Times *times)
{
  guint64 since = clock_ns (CLOCK_MONOTONIC);
  GstMapInfo info;

  if (!gst_memory_map (mem, &info, GST_MAP_READ))
    fail ("can't be read", i);
  if (!contents_right (info.data, info.size, i))
    fail ("holds other bytes than were written", i);
  if (times != NULL)
    times_add (times, clock_ns (CLOCK_MONOTONIC) - since);
  gst_memory_unmap (mem, &info);
}

/* ---- what streams have in common ---- */

static void
group_take_stock (Group *group, guint which)
{
  guint i;

  process_io (&group->steady_io[which]);
  group->steady_written[which] = 0;
  for (i = 0; i < group->n_streams; i++) {
    group->steady_written[which] += (guint64) group->stream[i]->block
        * atomic_load (&group->stream[i]->n_produced);
  }
  group->steady_ns[which] = clock_ns (CLOCK_MONOTONIC);
}

static void
group_stream_is_full (Group *group)
{
  g_mutex_lock (&group->lock);
  if (++group->n_full == group->n_streams && !group->steady_ended) {
    group->steady_begun = TRUE;
    group_take_stock (group, 0);
  }
  g_cond_broadcast (&group->changed);
  g_mutex_unlock (&group->lock);
}

static void
group_producer_ended (Group *group)
{
  g_mutex_lock (&group->lock);
  if (group->steady_begun && !group->steady_ended)
    group_take_stock (group, 1);
  group->steady_ended = TRUE;
  g_cond_broadcast (&group->changed);
  g_mutex_unlock (&group->lock);
}

static void
group_wait_for_full (Group *group, Stream *stream)
{
  g_mutex_lock (&group->lock);
  while (!atomic_load (&stream->was_full))
    g_cond_wait (&group->changed, &group->lock);
  g_mutex_unlock (&group->lock);
}

static gdouble
position (Stream *stream)
{
  return (gdouble) atomic_load (&stream->n_produced)
      / (gdouble) stream->n_total;
}

static gboolean
is_ahead (Group *group, Stream *stream)
{
  guint i;

  for (i = 0; i < group->n_streams; i++) {
    if (position (stream) > position (group->stream[i]) + group->lead)
      return TRUE;
  }
  return FALSE;
}

/* Nothing can wait for itself here: the one that is behind waits for no other
 * producer, and its consumer for none at all while its FIFO is full. */
static void
group_keep_step (Group *group, Stream *stream)
{
  if (group->lead == 0)
    return;
  g_mutex_lock (&group->lock);
  g_cond_broadcast (&group->changed);
  while (is_ahead (group, stream))
    g_cond_wait (&group->changed, &group->lock);
  g_mutex_unlock (&group->lock);
}

/* ---- the FIFO ---- */

/* Also gets blocks that were used before, into @mems, NULL where there is
 * none. */
static void
wait_for_room (Stream *stream, GstMemory **mems, gsize n)
{
  gsize i;

  g_mutex_lock (&stream->lock);
  while (stream->n_in - stream->n_out + n > stream->room)
    g_cond_wait (&stream->changed, &stream->lock);
  for (i = 0; i < n; i++) {
    mems[i] = NULL;
    if (stream->n_used_out < stream->n_used_in)
      mems[i] = stream->used[stream->n_used_out++ % stream_most_live (stream)];
  }
  g_mutex_unlock (&stream->lock);
}

static void
put (Stream *stream, GstMemory **mems, gsize n)
{
  gboolean filled = FALSE;
  gsize i;

  g_mutex_lock (&stream->lock);
  for (i = 0; i < n; i++)
    stream->slot[stream->n_in++ % stream->room] = mems[i];
  atomic_store (&stream->n_produced, stream->n_in);
  if (!stream->was_full
      && stream->n_in - stream->n_out + stream->batch > stream->depth) {
    filled = TRUE;
    atomic_store (&stream->was_full, TRUE);
  }
  if (stream->was_full || stream->n_in == stream->n_total)
    g_cond_signal (&stream->changed);
  g_mutex_unlock (&stream->lock);
  if (filled)
    group_stream_is_full (stream->group);
}

static gboolean
may_take (Stream *stream)
{
  return stream->n_in == stream->n_total
      || (stream->was_full
          && stream->n_in - stream->n_out + stream->slack > stream->depth);
}

/* Returns how many. */
static gsize
take (Stream *stream, GstMemory **mems)
{
  gsize n, i;

  g_mutex_lock (&stream->lock);
  while (!may_take (stream))
    g_cond_wait (&stream->changed, &stream->lock);
  n = MIN (stream->batch, stream->n_in - stream->n_out);
  for (i = 0; i < n; i++)
    mems[i] = stream->slot[stream->n_out++ % stream->room];
  g_cond_signal (&stream->changed);
  g_mutex_unlock (&stream->lock);
  return n;
}

static void
give_back (Stream *stream, GstMemory **mems, gsize n)
{
  gsize i;

  if (!stream->pool) {
    for (i = 0; i < n; i++)
      gst_memory_unref (mems[i]);
    return;
  }
  g_mutex_lock (&stream->lock);
  for (i = 0; i < n; i++)
    stream->used[stream->n_used_in++ % stream_most_live (stream)] = mems[i];
  g_mutex_unlock (&stream->lock);
}

/* ---- the two threads ---- */

static void
wait_for_turn (const Stream *stream, gint64 start, gsize i)
{
  gint64 early;

  if (stream->rate == 0)
    return;
  early = start + (gint64) (i * stream->block * G_USEC_PER_SEC / stream->rate)
      - g_get_monotonic_time ();
  if (early > 0)
    g_usleep ((gulong) early);
}

static Times *
counted (Stream *stream, Times *times)
{
  return stream->counts_after == NULL
          || atomic_load (&stream->counts_after->was_full)
      ? times
      : NULL;
}

static gpointer
produce (gpointer data)
{
  Stream *stream = data;
  g_autofree GstMemory **mems = g_new (GstMemory *, stream->batch);
  gboolean stops = stream->producer_stop > 0;
  gint64 start;
  gsize i, j, n;

  if (stream->starts_after != NULL)
    group_wait_for_full (stream->group, stream->starts_after);
  start = g_get_monotonic_time ();
  for (i = 0; i < stream->n_total; i += n) {
    Times *times = counted (stream, &stream->producer);

    n = MIN (stream->batch, stream->n_total - i);
    if (stops && i >= stream->producer_stops_at) {
      stops = FALSE;
      g_usleep ((gulong) stream->producer_stop);
      start += stream->producer_stop;
    }
    wait_for_room (stream, mems, n);
    group_keep_step (stream->group, stream);
    wait_for_turn (stream, start, i);
    for (j = 0; j < n; j++) {
      guint64 since = clock_ns (CLOCK_MONOTONIC);

      if (mems[j] == NULL)
        mems[j] = gst_allocator_alloc (stream->allocator, stream->block, NULL);
      block_write (mems[j], i + j, since, times);
    }
    put (stream, mems, n);
  }
  group_producer_ended (stream->group);
  return NULL;
}

static gpointer
consume (gpointer data)
{
  Stream *stream = data;
  g_autofree GstMemory **mems = g_new (GstMemory *, stream->batch);
  gboolean stops = stream->consumer_stop > 0;
  gint64 start = 0;
  gsize i, j, n;

  for (i = 0; i < stream->n_total; i += n) {
    if (stops && i >= stream->consumer_stops_at) {
      stops = FALSE;
      g_usleep ((gulong) stream->consumer_stop);
    }
    n = take (stream, mems);
    if (start == 0)
      start = g_get_monotonic_time ();
    wait_for_turn (stream, start, i);
    for (j = 0; j < n; j++)
      block_read (mems[j], i + j, counted (stream, &stream->consumer));
    give_back (stream, mems, n);
  }
  stream->finished_ns = clock_ns (CLOCK_MONOTONIC);
  return NULL;
}

/* ---- all of it ---- */

static void
stream_start (Stream *stream)
{
  g_mutex_init (&stream->lock);
  g_cond_init (&stream->changed);
  stream->batch = stream_batch (stream->block);
  stream->slot = g_new (GstMemory *, stream->room);
  if (stream->pool)
    stream->used = g_new (GstMemory *, stream_most_live (stream));
  stream->thread[0] = g_thread_new ("producer", produce, stream);
  stream->thread[1] = g_thread_new ("consumer", consume, stream);
}

static void
stream_clear (Stream *stream)
{
  while (stream->n_used_out < stream->n_used_in)
    gst_memory_unref (
        stream->used[stream->n_used_out++ % stream_most_live (stream)]);
  g_free (stream->used);
  g_free (stream->slot);
  g_cond_clear (&stream->changed);
  g_mutex_clear (&stream->lock);
}

void
group_run (Group *group)
{
  guint i;

  g_mutex_init (&group->lock);
  g_cond_init (&group->changed);
  for (i = 0; i < group->n_streams; i++)
    stream_start (group->stream[i]);
  for (i = 0; i < group->n_streams; i++) {
    g_thread_join (group->stream[i]->thread[0]);
    g_thread_join (group->stream[i]->thread[1]);
  }
  for (i = 0; i < group->n_streams; i++)
    stream_clear (group->stream[i]);
  g_cond_clear (&group->changed);
  g_mutex_clear (&group->lock);
}

void
group_print_steady (const Group *group)
{
  guint64 read, written, bytes;

  if (!group->steady_begun)
    return;
  read = group->steady_io[1].device_read - group->steady_io[0].device_read;
  written =
      group->steady_io[1].device_written - group->steady_io[0].device_written;
  bytes = group->steady_written[1] - group->steady_written[0];
  g_print (" steady_seconds=%.3f steady_bytes=%" G_GUINT64_FORMAT
           " steady_device_read=%" G_GUINT64_FORMAT
           " steady_device_write=%" G_GUINT64_FORMAT,
      (gdouble) (group->steady_ns[1] - group->steady_ns[0]) / 1e9, bytes, read,
      written);
}
