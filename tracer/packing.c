/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.c: see packing.h.
 *
 * Two threads meet here: the writer, which comes with buffers and holds the
 * stream lock of the queue's sink pad, and the reader, the queue's own task,
 * which holds that of its source pad. The writer fills the open parcel. The
 * reader sees what leaves through a probe of the source pad, which is there
 * only while it is needed and comes before all others, so that these see
 * buffers and no parcel. (Those that block come before any that does not: they
 * see a parcel once. No parcel is opened while there is one.)
 *
 * As long as there is a parcel anywhere the probe is there when the queue's
 * task takes the next item. Something in the open parcel means that something
 * is in the queue whose leaving the reader will see. When that leaves the queue
 * empty, the reader gives the open parcel to it. It never waits there: an empty
 * queue has room, whatever its limits are by then.
 *
 * So that neither overlooks the other: the writer has put something into a new
 * parcel before it looks at the level once more, and the reader has taken its
 * item out before it looks at the open parcel. What came out is behind the
 * queue's own lock both times.
 *
 * Locking: `lock` guards what its comment says; it is held for some
 * instructions, and never while a function of a pad is called, an item is read
 * or memory is made.
 */
#include "packing.h"

#include "parcel.h"
#include "sync.h"

#define PARCEL_MOST ((guint64) 4 << 20)
#define PARCEL_LEAST ((guint64) 4 << 10)
#define PARCEL_TIME_MOST GST_SECOND

/* Of what a queue holds in bytes or time, and of the budget, that its parcels
 * may be. */
#define LEVEL_PART 32
#define BUDGET_PART 16

/* What the allocator's alignment may add to a block, so that as many parcels
 * fit an extent as there should. */
#define SLACK 64

/* Packing ends when the queue holds less than such a part of `pack-above`. */
#define END_PART 2

typedef struct
{
  guint64 bytes, time, buffers;
} Levels;

struct _FmPacking
{
  gatomicrefcount refs; /* the entrance's, the probe's, that of each parcel */
  FmRosterItem *owner;  /* of the figures */
  GstElement *element;  /* not held: it is there while its pads are in use */
  GstPad *sink, *src;
  GstPadChainFunction chain;
  gboolean is_queue2;
  _Atomic guint64 *figure;

  FmMutex lock;
  FmCond entered;
  /* Guarded by the lock. */
  FmParcel *open;
  gboolean is_filling;  /* the writer is at work on the open parcel */
  gboolean is_wanted;   /* and is to give it to the queue then */
  gboolean is_entering; /* the reader is giving it to the queue */
  gulong probe;         /* 0: none */

  _Atomic guint n_parcels; /* that there are, wherever they are */
  _Atomic guint epoch;     /* changes when all that is held is void */
  _Atomic gint seen;       /* what the reader was told downstream, if not OK */

  /* The writer's. */
  gboolean is_packing;
  GstFlowReturn last;         /* what the queue said last */
  gdouble rate;               /* of the segment */
  guint64 ask_at;             /* when so many bytes have come */
  guint64 bytes_most;         /* in the parcel, before a limit is reached */
  GstClockTime duration_most; /* likewise */

  /* The reader's. */
  gboolean is_nested; /* what passes is from a parcel */
  GQueue rest;        /* of GstMiniObject, that had no peer to go to */
  FmParcelReader reader;
  gboolean is_reading; /* the rest begins with what is left in the reader */
  GHashTable *known;   /* sequence numbers of events ahead of the rest */
  guint rest_epoch;
};

static struct
{
  GstFileMemAllocator *allocator;
  guint64 above, below;
  _Atomic guint n_packing; /* queues */
} packings;

static void
count (FmPacking *packing, FmQueueFigure figure, guint64 n)
{
  atomic_fetch_add_explicit (&packing->figure[figure], n, memory_order_relaxed);
}

/* ---- what the queue says ---- */

static Levels
get_levels (FmPacking *packing)
{
  guint buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (packing->element, "current-level-bytes", &bytes,
      "current-level-time", &time, "current-level-buffers", &buffers, NULL);
  return (Levels){bytes, time, buffers};
}

static Levels
get_limits (FmPacking *packing)
{
  guint buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (packing->element, "max-size-bytes", &bytes, "max-size-time",
      &time, "max-size-buffers", &buffers, NULL);
  return (Levels){bytes, time, buffers};
}

static gboolean
is_filled (const Levels *level, const Levels *limit)
{
  return (limit->bytes > 0 && level->bytes >= limit->bytes)
      || (limit->time > 0 && level->time >= limit->time)
      || (limit->buffers > 0 && level->buffers >= limit->buffers);
}

/* Of one that keeps everything in memory, and lets all of it through. */
static gboolean
is_suitable_queue (FmPacking *packing)
{
  guint leaky = 0, buffers = 0, bytes = 0;
  guint64 time = 0;

  g_object_get (packing->element, "leaky", &leaky, "min-threshold-buffers",
      &buffers, "min-threshold-bytes", &bytes, "min-threshold-time", &time,
      NULL);
  return leaky == 0 && buffers == 0 && bytes == 0 && time == 0;
}

/* Where the time in it is guessed from a bitrate it would guess from parcels.
 */
static gboolean
is_suitable_queue2 (FmPacking *packing)
{
  g_autofree gchar *template = NULL;
  guint64 ring = 0, bitrate = 0;

  g_object_get (packing->element, "temp-template", &template,
      "ring-buffer-max-size", &ring, NULL);
  if (g_object_class_find_property (
          G_OBJECT_GET_CLASS (packing->element), "bitrate")
      != NULL)
    g_object_get (packing->element, "bitrate", &bitrate, NULL);
  return template == NULL && ring == 0 && bitrate == 0;
}

static gboolean
is_suitable (FmPacking *packing, const Levels *limit)
{
  return limit->buffers == 0 && packing->rate > 0
      && !gst_pad_is_blocked (packing->src)
      && (packing->is_queue2 ? is_suitable_queue2 (packing)
                             : is_suitable_queue (packing));
}

/* ---- the queue is given a parcel ---- */

/* Takes @parcel. By the one thread that may. */
static GstFlowReturn
enter (FmPacking *packing, FmParcel *parcel)
{
  count (packing, FM_QUEUE_PARCELS, 1);
  return packing->chain (packing->sink, GST_OBJECT_CAST (packing->element),
      fm_parcel_close (parcel));
}

/* ---- the reader ---- */

static GstPadProbeReturn on_leaving (
    GstPad *pad, GstPadProbeInfo *info, gpointer data);

/* Before those that are there. GStreamer adds at the end; the list is the
 * pad's public part. */
static void
put_first (GstPad *pad, gulong probe)
{
  GHookList *list = &pad->probes;
  GHook *hook;

  GST_OBJECT_LOCK (pad);
  hook = g_hook_get (list, probe);
  if (hook != NULL && hook->prev != NULL) {
    hook->prev->next = hook->next;
    if (hook->next != NULL)
      hook->next->prev = hook->prev;
    hook->prev = NULL;
    hook->next = list->hooks;
    list->hooks->prev = hook;
    list->hooks = hook;
  }
  GST_OBJECT_UNLOCK (pad);
}

/* With the lock held. */
static void
add_probe (FmPacking *packing)
{
  if (packing->probe != 0)
    return;
  fm_packing_ref (packing);
  packing->probe = gst_pad_add_probe (packing->src,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
          | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
      on_leaving, packing, (GDestroyNotify) fm_packing_unref);
  put_first (packing->src, packing->probe);
}

static gboolean
has_rest (FmPacking *packing)
{
  return packing->is_reading || packing->rest.length > 0;
}

/* There is more to come, be it that the writer has opened a parcel meanwhile.
 */
static gboolean
is_needed (FmPacking *packing)
{
  return atomic_load (&packing->n_parcels) > 0 || has_rest (packing);
}

static void
restore_probe (FmPacking *packing)
{
  fm_mutex_lock (&packing->lock);
  if (is_needed (packing))
    add_probe (packing);
  fm_mutex_unlock (&packing->lock);
}

static void
remove_probe (FmPacking *packing, gboolean anyway)
{
  gulong probe = 0;

  fm_mutex_lock (&packing->lock);
  if (anyway || !is_needed (packing)) {
    probe = packing->probe;
    packing->probe = 0;
  }
  fm_mutex_unlock (&packing->lock);
  if (probe != 0)
    gst_pad_remove_probe (packing->src, probe);
}

static gboolean
is_empty (FmPacking *packing)
{
  return get_levels (packing).buffers == 0;
}

static gboolean
is_open (FmPacking *packing)
{
  gboolean open;

  fm_mutex_lock (&packing->lock);
  open = packing->open != NULL && !packing->is_entering;
  fm_mutex_unlock (&packing->lock);
  return open;
}

/* Something has left the queue: the open parcel enters it if it is time. */
static void
tend (FmPacking *packing)
{
  FmParcel *parcel = NULL;

  if (!is_open (packing) || !is_empty (packing))
    return;
  fm_mutex_lock (&packing->lock);
  if (packing->is_filling) {
    packing->is_wanted = TRUE;
  } else {
    parcel = g_steal_pointer (&packing->open);
    packing->is_entering = parcel != NULL;
  }
  fm_mutex_unlock (&packing->lock);
  if (parcel == NULL)
    return;
  (void) enter (packing, parcel);
  fm_mutex_lock (&packing->lock);
  packing->is_entering = FALSE;
  fm_cond_signal (&packing->entered);
  fm_mutex_unlock (&packing->lock);
}

/* What is left of a parcel is dropped, as the queue drops what it holds. */
static void
drop_rest (FmPacking *packing, gboolean is_lost)
{
  if (is_lost)
    count (packing, FM_QUEUE_PACKED_LOST,
        packing->is_reading + packing->rest.length);
  if (packing->is_reading)
    fm_parcel_reader_clear (&packing->reader);
  packing->is_reading = FALSE;
  g_clear_pointer (&packing->known, g_hash_table_unref);
  g_queue_clear_full (&packing->rest, (GDestroyNotify) gst_mini_object_unref);
}

/* The next of what is to be pushed; NULL if that is all. */
static GstMiniObject *
next_of_rest (FmPacking *packing)
{
  for (;;) {
    GstMiniObject *item;
    FmParcel *parcel;

    if (packing->is_reading) {
      item = fm_parcel_reader_next (&packing->reader);
      if (item != NULL)
        return item;
      fm_parcel_reader_clear (&packing->reader);
      packing->is_reading = FALSE;
    }
    item = g_queue_pop_head (&packing->rest);
    parcel = item != NULL && GST_IS_BUFFER (item)
        ? fm_parcel_of (GST_BUFFER_CAST (item))
        : NULL;
    if (parcel == NULL)
      return item;
    gst_mini_object_unref (item);
    packing->is_reading = fm_parcel_reader_init (&packing->reader, parcel);
    if (!packing->is_reading)
      count (packing, FM_QUEUE_PACKED_LOST, 1);
  }
}

static GstFlowReturn
push (FmPacking *packing, GstMiniObject *item)
{
  return GST_IS_BUFFER (item)
      ? gst_pad_push (packing->src, GST_BUFFER_CAST (item))
      : gst_pad_push_list (packing->src, GST_BUFFER_LIST_CAST (item));
}

static gboolean
note_event (GstPad *pad, GstEvent **event, gpointer known)
{
  g_hash_table_add (known, GUINT_TO_POINTER (gst_event_get_seqnum (*event)));
  return TRUE;
}

/* Those that are sent again to whoever is linked next. */
static void
note_events (FmPacking *packing)
{
  g_clear_pointer (&packing->known, g_hash_table_unref);
  packing->known = g_hash_table_new (NULL, NULL);
  gst_pad_sticky_events_foreach (packing->src, note_event, packing->known);
}

static gboolean
is_sent_again (FmPacking *packing, GstEvent *event)
{
  return packing->known != NULL && GST_EVENT_IS_STICKY (event)
      && g_hash_table_contains (
          packing->known, GUINT_TO_POINTER (gst_event_get_seqnum (event)));
}

/* Pushes all that has come out, in the pad's own streaming thread. */
static GstFlowReturn
push_rest (FmPacking *packing)
{
  GstFlowReturn result = GST_FLOW_OK;
  GstMiniObject *item;

  packing->is_nested = TRUE;
  while (result == GST_FLOW_OK && (item = next_of_rest (packing)) != NULL) {
    if (atomic_load (&packing->epoch) != packing->rest_epoch) {
      gst_mini_object_unref (item);
      result = GST_FLOW_FLUSHING;
    } else {
      result = push (packing, item);
    }
  }
  packing->is_nested = FALSE;
  if (result != GST_FLOW_OK)
    atomic_store (&packing->seen, result);
  /* There may be a peer for the rest soon. */
  if (result == GST_FLOW_NOT_LINKED)
    note_events (packing);
  else if (result != GST_FLOW_OK)
    drop_rest (packing, FALSE);
  return result;
}

static gboolean
is_parcel (GstPadProbeInfo *info)
{
  FmParcel *parcel = (info->type & GST_PAD_PROBE_TYPE_BUFFER) != 0
      ? fm_parcel_of (GST_PAD_PROBE_INFO_BUFFER (info))
      : NULL;

  if (parcel == NULL)
    return FALSE;
  fm_parcel_unref (parcel);
  return TRUE;
}

/* The rest, and what leaves now behind it. */
static GstPadProbeReturn
push_with_rest (FmPacking *packing, GstPadProbeInfo *info)
{
  g_queue_push_tail (&packing->rest, GST_PAD_PROBE_INFO_DATA (info));
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  /* It would only cost each of the buffers its time. */
  remove_probe (packing, TRUE);
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = push_rest (packing);
  restore_probe (packing);
  return GST_PAD_PROBE_HANDLED;
}

/* The reader is elsewhere where an event is not in line. */
static gboolean
is_of_reader (GstPadProbeInfo *info)
{
  return (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) == 0
      || GST_EVENT_IS_SERIALIZED (GST_PAD_PROBE_INFO_EVENT (info));
}

static GstPadProbeReturn
on_leaving (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  FmPacking *packing = data;
  guint epoch;

  if (!is_of_reader (info) || packing->is_nested)
    return GST_PAD_PROBE_OK;
  epoch = atomic_load (&packing->epoch);
  if (epoch != packing->rest_epoch) {
    drop_rest (packing, FALSE);
    packing->rest_epoch = epoch;
  }
  if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
    /* It can't be held back, and nothing can be pushed ahead of it. */
    if (!is_sent_again (packing, GST_PAD_PROBE_INFO_EVENT (info)))
      drop_rest (packing, TRUE);
    return GST_PAD_PROBE_OK;
  }
  /* The queue goes on. */
  atomic_store (&packing->seen, GST_FLOW_OK);
  tend (packing);
  if (is_parcel (info) || has_rest (packing))
    return push_with_rest (packing, info);
  remove_probe (packing, FALSE);
  return GST_PAD_PROBE_OK;
}

/* ---- the writer ---- */

static void
set_packing (FmPacking *packing, gboolean is_packing)
{
  if (is_packing != packing->is_packing)
    atomic_fetch_add (&packings.n_packing, is_packing ? 1 : -1);
  packing->is_packing = is_packing;
}

gboolean
fm_packing_is_due (const FmPacking *packing, guint64 so_far)
{
  return packing->is_packing || so_far >= packing->ask_at;
}

gboolean
fm_packing_is_on (const FmPacking *packing)
{
  return packing->is_packing;
}

/* Whether the queue has become deep enough. It is asked now and then. What it
 * said last is not known then. */
static gboolean
begins (FmPacking *packing, guint64 so_far)
{
  const Levels level = get_levels (packing);
  Levels limit;

  if (level.bytes <= packings.above) {
    packing->ask_at = so_far
        + MAX (packings.above - level.bytes, packings.above / LEVEL_PART);
    return FALSE;
  }
  limit = get_limits (packing);
  packing->ask_at = so_far + packings.above;
  packing->last = GST_FLOW_CUSTOM_SUCCESS;
  if (is_suitable (packing, &limit))
    set_packing (packing, TRUE);
  return packing->is_packing;
}

/* The open parcel, for the writer to fill; NULL if there is none. */
static FmParcel *
begin_filling (FmPacking *packing)
{
  FmParcel *parcel;

  fm_mutex_lock (&packing->lock);
  while (packing->is_entering)
    fm_cond_wait (&packing->entered, &packing->lock);
  parcel = packing->open;
  packing->is_filling = parcel != NULL;
  fm_mutex_unlock (&packing->lock);
  return parcel;
}

/* The open parcel is no more than what the reader may take. */
static FmParcel *
take_open (FmPacking *packing)
{
  FmParcel *parcel;

  fm_mutex_lock (&packing->lock);
  while (packing->is_entering)
    fm_cond_wait (&packing->entered, &packing->lock);
  parcel = g_steal_pointer (&packing->open);
  packing->is_filling = packing->is_wanted = FALSE;
  fm_mutex_unlock (&packing->lock);
  return parcel;
}

/* Gives the queue what is open. */
static void
close_open (FmPacking *packing)
{
  FmParcel *parcel = packing->is_packing ? take_open (packing) : NULL;

  if (parcel != NULL)
    packing->last = enter (packing, parcel);
}

/* If the reader has seen it being filled, it has not waited. */
static void
end_filling (FmPacking *packing)
{
  gboolean is_wanted;

  fm_mutex_lock (&packing->lock);
  packing->is_filling = FALSE;
  is_wanted = packing->is_wanted;
  fm_mutex_unlock (&packing->lock);
  if (is_wanted)
    close_open (packing);
}

static guint64
get_budget (void)
{
  g_autofree gchar *ram = NULL;

  g_object_get (packings.allocator, "ram", &ram, NULL);
  return g_ascii_strtoull (ram, NULL, 10);
}

static gsize
choose_capacity (guint64 level)
{
  guint64 n = MAX (atomic_load (&packings.n_packing), 1);
  guint64 most = MIN (level / LEVEL_PART, get_budget () / (BUDGET_PART * n));

  /* The power of two that is not more. */
  most = G_GUINT64_CONSTANT (1) << (g_bit_storage ((gulong) most) - 1);
  return CLAMP (most, PARCEL_LEAST, PARCEL_MOST) - SLACK;
}

static GstClockTime
choose_duration (const Levels *level, const Levels *limit)
{
  GstClockTime most = PARCEL_TIME_MOST;

  if (level->time > 0)
    most = MIN (most, level->time / LEVEL_PART);
  if (limit->time > 0)
    most = MIN (most, limit->time - level->time);
  return most;
}

static void
on_parcel_freed (gpointer data)
{
  FmPacking *packing = data;

  atomic_fetch_sub (&packing->n_parcels, 1);
  fm_packing_unref (packing);
}

/* NULL: what comes next enters as it is. */
static FmParcel *
new_parcel (FmPacking *packing)
{
  const Levels level = get_levels (packing), limit = get_limits (packing);
  FmParcel *parcel;

  if (level.bytes <= packings.above / END_PART
      || !is_suitable (packing, &limit)) {
    set_packing (packing, FALSE);
    return NULL;
  }
  if (is_filled (&level, &limit))
    return NULL;
  atomic_fetch_add (&packing->n_parcels, 1);
  parcel = fm_parcel_new (GST_ALLOCATOR (packings.allocator),
      choose_capacity (level.bytes), on_parcel_freed, fm_packing_ref (packing));
  if (parcel == NULL) {
    count (packing, FM_QUEUE_UNPACKED_NO_ROOM, 1);
    on_parcel_freed (packing);
  }
  packing->bytes_most =
      limit.bytes > 0 ? limit.bytes - level.bytes : G_MAXUINT64;
  packing->duration_most = choose_duration (&level, &limit);
  return parcel;
}

static GstBuffer *
first_of (GstMiniObject *item)
{
  return GST_IS_BUFFER (item)
      ? GST_BUFFER_CAST (item)
      : gst_buffer_list_get (GST_BUFFER_LIST_CAST (item), 0);
}

static gboolean
fits (FmPacking *packing, FmParcel *parcel, GstMiniObject *item)
{
  return fm_parcel_bytes (parcel) < packing->bytes_most
      && fm_parcel_duration (parcel) <= packing->duration_most
      && fm_parcel_continues (parcel, first_of (item))
      && fm_parcel_add (parcel, item);
}

/* Into the parcel that is open. FALSE if it does not fit, or there is none. */
static gboolean
add_to_open (FmPacking *packing, GstMiniObject *item)
{
  FmParcel *parcel = begin_filling (packing);
  gboolean added;

  if (parcel == NULL)
    return FALSE;
  added = fits (packing, parcel, item);
  if (added)
    end_filling (packing);
  else
    close_open (packing);
  return added;
}

/* Opens one with it. The probe is there before the parcel enters. */
static gboolean
add_to_new (FmPacking *packing, GstMiniObject *item)
{
  FmParcel *parcel = new_parcel (packing);

  if (parcel == NULL)
    return FALSE;
  if (!fm_parcel_add (parcel, item)) {
    fm_parcel_unref (parcel);
    return FALSE;
  }
  fm_mutex_lock (&packing->lock);
  packing->open = parcel;
  packing->is_wanted = FALSE;
  add_probe (packing);
  fm_mutex_unlock (&packing->lock);
  /* The reader may have taken the last item before. */
  if (get_levels (packing).bytes <= packings.above / END_PART)
    close_open (packing);
  return TRUE;
}

static gboolean
look_at (GstBuffer **buffer, guint index, gpointer ret_why)
{
  *(FmUnpacked *) ret_why = fm_parcel_look (*buffer);
  return *(FmUnpacked *) ret_why == FM_NOT_UNPACKED;
}

static FmUnpacked
look (GstMiniObject *item, gboolean may_copy)
{
  FmUnpacked why = FM_NOT_UNPACKED;

  if (!may_copy)
    return FM_UNPACKED_MEMORY;
  if (GST_IS_BUFFER (item))
    return fm_parcel_look (GST_BUFFER_CAST (item));
  gst_buffer_list_foreach (GST_BUFFER_LIST_CAST (item), look_at, &why);
  return why;
}

static guint
n_buffers (GstMiniObject *item)
{
  return GST_IS_BUFFER (item)
      ? 1
      : gst_buffer_list_length (GST_BUFFER_LIST_CAST (item));
}

static gsize
n_bytes (GstMiniObject *item)
{
  return GST_IS_BUFFER (item)
      ? gst_buffer_get_size (GST_BUFFER_CAST (item))
      : gst_buffer_list_calculate_size (GST_BUFFER_LIST_CAST (item));
}

/* Whether it would be packed if it can. */
static gboolean
is_for_parcels (
    FmPacking *packing, GstMiniObject *item, gsize bytes, guint64 so_far)
{
  return (packing->is_packing || begins (packing, so_far))
      && packing->last == GST_FLOW_OK
      && atomic_load (&packing->seen) == GST_FLOW_OK && bytes < packings.below
      && n_buffers (item) > 0;
}

gboolean
fm_packing_take (
    FmPacking *packing, GstMiniObject *item, gboolean may_copy, guint64 so_far)
{
  gsize bytes = n_bytes (item);
  guint n = n_buffers (item);
  FmUnpacked why;

  if (!is_for_parcels (packing, item, bytes, so_far)) {
    close_open (packing);
    return FALSE;
  }
  why = look (item, may_copy);
  if (why != FM_NOT_UNPACKED) {
    count (packing, (FmQueueFigure) why, n);
    close_open (packing);
    return FALSE;
  }
  if (!add_to_open (packing, item)
      && (packing->last != GST_FLOW_OK || !add_to_new (packing, item)))
    return FALSE;
  count (packing, FM_QUEUE_PACKED, n);
  count (packing, FM_QUEUE_PACKED_BYTES, bytes);
  gst_mini_object_unref (item);
  return TRUE;
}

void
fm_packing_entered (FmPacking *packing, GstFlowReturn result)
{
  packing->last = result;
}

/* What is not a buffer may change what the queue says of the next one, which
 * therefore enters as it is. */
static void
expect_anything (FmPacking *packing)
{
  close_open (packing);
  packing->last = GST_FLOW_CUSTOM_SUCCESS;
  atomic_store (&packing->seen, GST_FLOW_OK);
}

static void
forget (FmPacking *packing)
{
  FmParcel *parcel = packing->is_packing ? take_open (packing) : NULL;

  g_clear_pointer (&parcel, fm_parcel_unref);
  atomic_fetch_add (&packing->epoch, 1);
  set_packing (packing, FALSE);
  expect_anything (packing);
}

/* Its task has ended, or else drops the rest itself. */
void
fm_packing_stop (FmPacking *packing)
{
  forget (packing);
  if (gst_pad_is_active (packing->src))
    return;
  GST_PAD_STREAM_LOCK (packing->src);
  drop_rest (packing, FALSE);
  GST_PAD_STREAM_UNLOCK (packing->src);
}

void
fm_packing_see_event (FmPacking *packing, GstEvent *event)
{
  const GstSegment *segment;

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START) {
    atomic_fetch_add (&packing->epoch, 1);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP) {
    forget (packing);
  } else if (GST_EVENT_IS_SERIALIZED (event)) {
    expect_anything (packing);
    if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT) {
      gst_event_parse_segment (event, &segment);
      packing->rate = segment->rate;
    }
  }
}

void
fm_packing_see_query (FmPacking *packing, GstQuery *query)
{
  if (GST_QUERY_IS_SERIALIZED (query))
    expect_anything (packing);
}

/* ---- */

FmPacking *
fm_packing_new (GstElement *element, GstPad *pad, GstPadChainFunction chain,
    FmRosterItem *owner, _Atomic guint64 figure[FM_N_QUEUE_FIGURES])
{
  const gchar *type = G_OBJECT_TYPE_NAME (element);
  gboolean is_queue2 = g_str_equal (type, "GstQueue2");
  g_autoptr (GstPad) src = gst_element_get_static_pad (element, "src");
  FmPacking *packing;

  if (packings.below == 0 || src == NULL
      || !(is_queue2 || g_str_equal (type, "GstQueue")))
    return NULL;
  packing = g_new0 (FmPacking, 1);
  g_atomic_ref_count_init (&packing->refs);
  packing->owner = fm_roster_item_ref (owner);
  packing->element = element;
  packing->sink = pad;
  packing->src = src;
  packing->chain = chain;
  packing->is_queue2 = is_queue2;
  packing->figure = figure;
  packing->rate = 1;
  packing->ask_at = packings.above;
  fm_mutex_init (&packing->lock);
  fm_cond_init (&packing->entered);
  g_queue_init (&packing->rest);
  return packing;
}

FmPacking *
fm_packing_ref (FmPacking *packing)
{
  g_atomic_ref_count_inc (&packing->refs);
  return packing;
}

void
fm_packing_unref (FmPacking *packing)
{
  if (!g_atomic_ref_count_dec (&packing->refs))
    return;
  drop_rest (packing, FALSE);
  set_packing (packing, FALSE);
  g_clear_pointer (&packing->open, fm_parcel_unref);
  fm_roster_item_unref (packing->owner);
  fm_mutex_clear (&packing->lock);
  fm_cond_clear (&packing->entered);
  g_free (packing);
}

void
fm_packing_start (GstFileMemAllocator *allocator, guint64 above, guint64 below)
{
  packings.allocator = allocator;
  packings.above = above;
  packings.below = below;
}
