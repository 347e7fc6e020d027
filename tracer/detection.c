/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * detection.c: see detection.h. Which bytes a sample stands for, and which
 * element it is with, is attached to the buffer as qdata, and goes when the
 * buffer goes.
 */
#include "detection.h"

#include "fork.h"
#include "mini-object.h"
#include "sync.h"

#include <stdatomic.h>

/* One buffer in this many bytes is followed. */
#define SAMPLE_EVERY ((gsize) 1 << 20)

/* A smaller buffer is not followed: queues pack these with the default
 * options. */
#define SAMPLE_MIN ((gsize) 64 << 10)

/* An element that sits on this many bytes, in this many buffers, counts as a
 * queue if it does so for a while, or holds much more; until it holds less than
 * half. An element through which large frames only pass has one or two in
 * hand. */
#define QUEUE_MIN ((guint64) 4 << 20)
#define QUEUE_MUCH ((guint64) 32 << 20)
#define QUEUE_BUFFERS 4
#define QUEUE_US G_USEC_PER_SEC

/* What a sample stands for: everything that has come since the one before. */
typedef struct
{
  gsize bytes, foreign;
  guint n; /* buffers */
} Share;

struct _FmDetection
{
  gatomicrefcount refs;

  /* Guarded by the lock, except for reads of a single one of them. */
  GQueue samples; /* Sample, in the order in which they came */
  _Atomic guint64 bytes;
  guint64 foreign;
  atomic_uint n; /* buffers */
  guint64 peak, foreign_at_peak;
  gint64 last_left; /* when a sample left or was freed; monotonic */

  /* The streaming thread's. */
  Share since;       /* what has come since the last sample came */
  gint64 deep_since; /* monotonic; 0: it does not hold much */
  gboolean is_queue;
};

typedef struct
{
  GstBuffer *buffer;      /* the sample is freed with it */
  FmDetection *detection; /* with a reference; or NULL */
  gboolean is_pooled;
  gint64 since; /* when it came there; monotonic */
  Share share;
  GList link;
} Sample;

/* Held around every look at a sample or a detection: a buffer may reach two
 * threads first at the same time, and GStreamer's own lock inside must not be
 * held during a fork. */
static FmMutex lock;

static GQuark
sample_quark (void)
{
  return g_quark_from_static_string ("filemem-sample");
}

static void
take_lock (void)
{
  fm_mutex_lock (&lock);
}

static void
give_lock (void)
{
  fm_mutex_unlock (&lock);
}

FmDetection *
fm_detection_new (void)
{
  static const FmForkHandlers handlers = {take_lock, give_lock, give_lock};
  FmDetection *detection = g_new0 (FmDetection, 1);

  fm_fork_register (FM_FORK_DETECTION, &handlers);
  g_atomic_ref_count_init (&detection->refs);
  return detection;
}

void
fm_detection_unref (FmDetection *detection)
{
  if (g_atomic_ref_count_dec (&detection->refs))
    g_free (detection);
}

/* Takes @sample away from where it is, with the lock held. Returns a reference
 * that must be dropped without the lock. */
static FmDetection *
take_away (Sample *sample, gint64 now)
{
  FmDetection *from = g_steal_pointer (&sample->detection);

  if (from == NULL)
    return NULL;
  g_queue_unlink (&from->samples, &sample->link);
  atomic_fetch_sub (&from->n, sample->share.n);
  atomic_fetch_sub (&from->bytes, sample->share.bytes);
  from->foreign -= sample->share.foreign;
  from->last_left = now;
  return from;
}

/* A pool has taken the buffer back. */
static gboolean
is_released (const Sample *sample)
{
  return sample->is_pooled
      && g_atomic_pointer_get (&sample->buffer->pool) == NULL;
}

/* With the lock held, and a reference held by the caller. */
static void
forget_released (FmDetection *detection, gint64 now)
{
  GList *link = detection->samples.head;

  while (link != NULL) {
    Sample *sample = link->data;

    link = link->next;
    if (is_released (sample))
      fm_detection_unref (take_away (sample, now));
  }
}

/* With the lock held. */
static void
put (Sample *sample, FmDetection *detection, gint64 now)
{
  const Share *share = &detection->since;
  guint64 bytes;

  forget_released (detection, now);
  g_atomic_ref_count_inc (&detection->refs);
  sample->detection = detection;
  sample->since = now;
  sample->share = *share;
  sample->is_pooled = sample->buffer->pool != NULL;
  g_queue_push_tail_link (&detection->samples, &sample->link);
  atomic_fetch_add (&detection->n, share->n);
  bytes = atomic_fetch_add (&detection->bytes, share->bytes) + share->bytes;
  detection->foreign += share->foreign;
  if (bytes > detection->peak) {
    detection->peak = bytes;
    detection->foreign_at_peak = detection->foreign;
  }
}

/* From now on @sample is with @to, which may be NULL. */
static void
move (Sample *sample, FmDetection *to)
{
  gint64 now = g_get_monotonic_time ();
  FmDetection *from;

  fm_mutex_lock (&lock);
  from = take_away (sample, now);
  if (to != NULL)
    put (sample, to, now);
  fm_mutex_unlock (&lock);
  if (from != NULL)
    fm_detection_unref (from);
}

static void
sample_free (gpointer data)
{
  move (data, NULL);
  g_free (data);
}

/* NULL if @buffer is not a sample, unless it is to become one. */
static Sample *
get_sample (GstBuffer *buffer, gboolean becomes_one)
{
  GstMiniObject *object = GST_MINI_OBJECT_CAST (buffer);
  Sample *sample;

  fm_mutex_lock (&lock);
  sample = gst_mini_object_get_qdata (object, sample_quark ());
  if (sample == NULL && becomes_one) {
    sample = g_new0 (Sample, 1);
    sample->buffer = buffer;
    sample->link.data = sample;
    gst_mini_object_set_qdata (object, sample_quark (), sample, sample_free);
  }
  fm_mutex_unlock (&lock);
  return sample;
}

static Sample *
find_sample (GstBuffer *buffer)
{
  return fm_mini_object_may_have_data (GST_MINI_OBJECT_CAST (buffer))
      ? get_sample (buffer, FALSE)
      : NULL;
}

/* Small buffers without a sample among them may have passed: a sample never
 * stands for more than this many bytes of them. */
static void
add (Share *since, gsize bytes, gsize foreign)
{
  since->n = since->bytes < SAMPLE_EVERY ? since->n + 1 : 1;
  since->bytes = MIN (since->bytes, SAMPLE_EVERY) + bytes;
  since->foreign = MIN (since->foreign, SAMPLE_EVERY) + foreign;
}

void
fm_detection_enter (
    FmDetection *detection, GstBuffer *buffer, gsize bytes, gsize foreign)
{
  Share *since = &detection->since;
  Sample *sample = find_sample (buffer);

  add (since, bytes, foreign);
  if (sample == NULL && since->bytes >= SAMPLE_EVERY && bytes >= SAMPLE_MIN)
    sample = get_sample (buffer, TRUE);
  if (sample == NULL)
    return;
  move (sample, detection);
  *since = (Share){0};
}

void
fm_detection_forget (GstBuffer *buffer)
{
  Sample *sample = find_sample (buffer);

  if (sample != NULL)
    move (sample, NULL);
}

guint64
fm_detection_bytes (FmDetection *detection)
{
  return atomic_load_explicit (&detection->bytes, memory_order_relaxed);
}

static gboolean
is_deep (const FmDetection *detection, guint64 bytes)
{
  return G_UNLIKELY (bytes > QUEUE_MIN)
      && atomic_load_explicit (&detection->n, memory_order_relaxed)
      >= QUEUE_BUFFERS;
}

gboolean
fm_detection_is_queue (FmDetection *detection)
{
  guint64 bytes = fm_detection_bytes (detection);
  gint64 now;

  if (!is_deep (detection, bytes)) {
    detection->deep_since = 0;
    detection->is_queue = detection->is_queue && bytes > QUEUE_MIN / 2;
    return detection->is_queue;
  }
  now = g_get_monotonic_time ();
  if (detection->deep_since == 0)
    detection->deep_since = now;
  if (bytes > QUEUE_MUCH || now - detection->deep_since >= QUEUE_US)
    detection->is_queue = TRUE;
  return detection->is_queue;
}

FmDetectionState
fm_detection_look (FmDetection *detection)
{
  FmDetectionState state = {0};
  const Sample *oldest;

  fm_mutex_lock (&lock);
  forget_released (detection, g_get_monotonic_time ());
  state.bytes = atomic_load (&detection->bytes);
  state.peak = detection->peak;
  state.foreign_at_peak = detection->foreign_at_peak;
  oldest = g_queue_peek_head (&detection->samples);
  if (oldest != NULL) {
    state.oldest_us = g_get_monotonic_time () - oldest->since;
    state.keeps_all = detection->last_left < oldest->since;
  }
  fm_mutex_unlock (&lock);
  return state;
}
