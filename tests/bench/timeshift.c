/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * timeshift.c: see timeshift.h.
 */
#include "timeshift.h"

#include "stream.h"

#define SEED 1

gsize
timeshift_most_live (const Timeshift *shift)
{
  /* One batch is being written, one dropped, one read. */
  return shift->depth + 3 * stream_batch (shift->block);
}

/* Once full, the writer waits for the reader; what it drops it frees outside
 * the lock. */
static void
put (Timeshift *shift, GstMemory **mems, gsize n)
{
  g_autofree GstMemory **dropped = g_new (GstMemory *, n);
  gsize n_dropped = 0, i;

  g_mutex_lock (&shift->lock);
  while (shift->head > shift->depth + shift->n_read + shift->slack)
    g_cond_wait (&shift->changed, &shift->lock);
  while (shift->head + n - shift->tail > shift->depth)
    dropped[n_dropped++] = shift->slot[shift->tail++ % shift->depth];
  for (i = 0; i < n; i++)
    shift->slot[shift->head++ % shift->depth] = mems[i];
  g_cond_signal (&shift->changed);
  g_mutex_unlock (&shift->lock);
  for (i = 0; i < n_dropped; i++)
    gst_memory_unref (dropped[i]);
}

static gpointer
produce (gpointer data)
{
  Timeshift *shift = data;
  g_autofree GstMemory **mems = g_new (GstMemory *, shift->batch);
  gboolean was_full = FALSE;
  gsize i, j, n;

  for (i = 0; i < shift->n_total; i += n) {
    n = MIN (shift->batch, shift->n_total - i);
    if (!was_full && i + n > shift->depth) {
      was_full = TRUE;
      process_io (&shift->steady_io[0]);
    }
    for (j = 0; j < n; j++) {
      guint64 since = clock_ns (CLOCK_MONOTONIC);

      mems[j] = gst_allocator_alloc (shift->allocator, shift->block, NULL);
      block_write (mems[j], i + j, since, &shift->producer);
    }
    put (shift, mems, n);
  }
  process_io (&shift->steady_io[1]);
  return NULL;
}

/* Returns how many blocks from @at on it holds references to, 0 if there are no
 * more to be written; moves @at to another place if that is where it jumps. */
static gsize
take (
    Timeshift *shift, GRand *rand, gsize *at, gboolean *jumps, GstMemory **mems)
{
  gsize n = 0, i;

  g_mutex_lock (&shift->lock);
  /* One for each that is written. */
  while (shift->head < shift->n_total
      && shift->head < shift->depth + shift->n_read)
    g_cond_wait (&shift->changed, &shift->lock);
  if (shift->head < shift->n_total) {
    if (!*jumps && (*at < shift->tail || *at >= shift->head)) {
      shift->n_overtaken++;
      *jumps = TRUE;
    }
    if (*jumps) {
      gdouble share = g_rand_double (rand);

      *at =
          shift->tail + (gsize) (share * (gdouble) (shift->head - shift->tail));
      shift->n_jumps++;
    }
    n = MIN (shift->batch, shift->head - *at);
    for (i = 0; i < n; i++)
      mems[i] = gst_memory_ref (shift->slot[(*at + i) % shift->depth]);
    shift->n_read += n;
    g_cond_signal (&shift->changed);
  }
  g_mutex_unlock (&shift->lock);
  return n;
}

static void
consume (Timeshift *shift)
{
  g_autofree GstMemory **mems = g_new (GstMemory *, shift->batch);
  GRand *rand = g_rand_new_with_seed (SEED);
  gboolean jumps = TRUE;
  gsize at = 0, since_jump = 0, n, i;

  while ((n = take (shift, rand, &at, &jumps, mems)) > 0) {
    for (i = 0; i < n; i++) {
      block_read (
          mems[i], at + i, jumps && i == 0 ? &shift->jump : &shift->consumer);
      gst_memory_unref (mems[i]);
    }
    at += n;
    since_jump = jumps ? n : since_jump + n;
    jumps = since_jump >= shift->jump_every;
  }
  g_rand_free (rand);
}

void
timeshift_run (Timeshift *shift)
{
  GThread *producer;

  g_mutex_init (&shift->lock);
  g_cond_init (&shift->changed);
  shift->batch = stream_batch (shift->block);
  shift->slot = g_new (GstMemory *, shift->depth);
  producer = g_thread_new ("producer", produce, shift);
  consume (shift);
  g_thread_join (producer);
  while (shift->tail < shift->head)
    gst_memory_unref (shift->slot[shift->tail++ % shift->depth]);
  g_free (shift->slot);
  g_cond_clear (&shift->changed);
  g_mutex_clear (&shift->lock);
}

void
timeshift_print (const Timeshift *shift)
{
  times_print (&shift->jump, "jump");
  g_print (" jumps=%" G_GSIZE_FORMAT " overtaken=%" G_GSIZE_FORMAT
           " read_bytes=%" G_GSIZE_FORMAT,
      shift->n_jumps, shift->n_overtaken, shift->n_read * shift->block);
  g_print (" steady_bytes=%" G_GSIZE_FORMAT
           " steady_device_read=%" G_GUINT64_FORMAT
           " steady_device_write=%" G_GUINT64_FORMAT,
      (shift->n_total - shift->depth) * shift->block,
      shift->steady_io[1].device_read - shift->steady_io[0].device_read,
      shift->steady_io[1].device_written - shift->steady_io[0].device_written);
}
