/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing.c: see packing.h.
 *
 * Two threads meet here: the writer, which brings buffers and holds the stream
 * lock of the queue's sink pad, and the reader, the queue's own task, which
 * holds that of its source pad. The writer fills the open parcel. The reader
 * sees what leaves through a probe on the source pad, which exists only while
 * it is needed and comes before all other probes, so that these see buffers and
 * no parcels. (Blocking probes come before any that does not block: they see a
 * parcel once. No parcel is opened while there is one.)
 *
 * As long as a parcel exists anywhere, the probe is in place when the queue's
 * task takes the next item. If there is something in the open parcel, there is
 * something in the queue that the reader will see leaving. When that leaves the
 * queue empty, the reader gives it the open parcel. The reader never waits
 * there: an empty queue has room, whatever its limits are by then.
 *
 * Neither can overlook the other: the writer puts something into a new parcel
 * before it looks at the level once more, and the reader takes its item out
 * before it looks at the open parcel. Both read the level under the queue's own
 * lock.
 *
 * Locking: `lock` guards what its comment says; it is held for a few
 * instructions, and never while a function of a pad is called, an item is read
 * or memory is allocated.
 */
#include "packing-private.h"

#define PARCEL_MAX ((guint64) 4 << 20)
#define PARCEL_MIN ((guint64) 4 << 10)
#define PARCEL_TIME_MAX GST_SECOND

/* A parcel may be this part of what the queue holds in bytes or time, and of
 * the budget. */
#define LEVEL_PART 32
#define BUDGET_PART 16

/* What the allocator's alignment may add to a block; it is left free, so that
 * as many parcels fit in an extent as should. */
#define SLACK 64

/* Packing ends when the queue holds less than this part of `pack-above`. */
#define END_PART 2

static struct
{
  GstFileMemAllocator *allocator;
  guint64 above, below;
  _Atomic guint n_packing; /* queues */
} packings;

static void
set_packing (FmPacking *packing, gboolean is_packing)
{
  if (is_packing != packing->is_packing)
    atomic_fetch_add (&packings.n_packing, is_packing ? 1 : -1);
  packing->is_packing = is_packing;
}

/* Bytes that have entered. */
static guint64
so_far (const FmPacking *packing)
{
  return atomic_load_explicit (
      &packing->figure[FM_QUEUE_BYTES], memory_order_relaxed);
}

gboolean
fm_packing_is_due (const FmPacking *packing)
{
  return packing->is_packing || so_far (packing) >= packing->ask_at;
}

gboolean
fm_packing_is_on (const FmPacking *packing)
{
  return packing->is_packing;
}

/* Whether the queue has become deep enough. The queue is asked now and then.
 * What it returned last is not known at that point. */
static gboolean
begins (FmPacking *packing)
{
  const FmPackingLevels level = fm_packing_get_levels (packing);
  FmPackingLevels limit;

  if (level.bytes <= packings.above) {
    packing->ask_at = so_far (packing)
        + MAX (packings.above - level.bytes, packings.above / LEVEL_PART);
    return FALSE;
  }
  limit = fm_packing_get_limits (packing);
  packing->ask_at = so_far (packing) + packings.above;
  packing->last = GST_FLOW_CUSTOM_SUCCESS;
  if (fm_packing_is_suitable (packing, &limit))
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

/* Takes away the open parcel, which the reader then can't take. */
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

/* Gives the open parcel to the queue. */
static void
close_open (FmPacking *packing)
{
  FmParcel *parcel = packing->is_packing ? take_open (packing) : NULL;

  if (parcel != NULL)
    packing->last = fm_packing_enter (packing, parcel);
}

/* If the reader found it being filled, it has not waited for it. */
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

  /* The largest power of two that is not more. */
  most = G_GUINT64_CONSTANT (1) << (g_bit_storage ((gulong) most) - 1);
  return CLAMP (most, PARCEL_MIN, PARCEL_MAX) - SLACK;
}

static GstClockTime
choose_duration (const FmPackingLevels *level, const FmPackingLevels *limit)
{
  GstClockTime most = PARCEL_TIME_MAX;

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

/* NULL: the next item enters as it is. */
static FmParcel *
new_parcel (FmPacking *packing)
{
  const FmPackingLevels level = fm_packing_get_levels (packing),
                        limit = fm_packing_get_limits (packing);
  FmParcel *parcel;

  if (level.bytes <= packings.above / END_PART
      || !fm_packing_is_suitable (packing, &limit)) {
    set_packing (packing, FALSE);
    return NULL;
  }
  if (fm_packing_is_filled (&level, &limit))
    return NULL;
  atomic_fetch_add (&packing->n_parcels, 1);
  parcel = fm_parcel_new (GST_ALLOCATOR (packings.allocator),
      choose_capacity (level.bytes), on_parcel_freed, fm_packing_ref (packing));
  if (parcel == NULL) {
    fm_packing_count (packing, FM_QUEUE_UNPACKED_NO_ROOM, 1);
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

/* Adds to the open parcel. FALSE if the item does not fit, or there is no
 * parcel. */
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

/* Opens a parcel with the item in it. The probe is in place before the parcel
 * enters. */
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
  fm_packing_add_probe (packing);
  fm_mutex_unlock (&packing->lock);
  /* The reader may have taken the last item before that. */
  if (fm_packing_get_levels (packing).bytes <= packings.above / END_PART)
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

/* Whether the item would be packed if possible. */
static gboolean
is_for_parcels (FmPacking *packing, GstMiniObject *item, gsize bytes)
{
  return (packing->is_packing || begins (packing))
      && packing->last == GST_FLOW_OK
      && atomic_load (&packing->seen) == GST_FLOW_OK && bytes < packings.below
      && n_buffers (item) > 0;
}

gboolean
fm_packing_take (FmPacking *packing, GstMiniObject *item, gboolean may_copy)
{
  gsize bytes = n_bytes (item);
  guint n = n_buffers (item);
  FmUnpacked why;

  if (!is_for_parcels (packing, item, bytes)) {
    close_open (packing);
    return FALSE;
  }
  why = look (item, may_copy);
  if (why != FM_NOT_UNPACKED) {
    fm_packing_count (packing, (FmQueueFigure) why, n);
    close_open (packing);
    return FALSE;
  }
  if (!add_to_open (packing, item)
      && (packing->last != GST_FLOW_OK || !add_to_new (packing, item)))
    return FALSE;
  fm_packing_count (packing, FM_QUEUE_BUFFERS, n);
  fm_packing_count (packing, FM_QUEUE_BYTES, bytes);
  fm_packing_count (packing, FM_QUEUE_PACKED, n);
  fm_packing_count (packing, FM_QUEUE_PACKED_BYTES, bytes);
  gst_mini_object_unref (item);
  return TRUE;
}

void
fm_packing_entered (FmPacking *packing, GstFlowReturn result)
{
  packing->last = result;
  /* The queue may have gone on long ago, with no parcel to show it. */
  if (result == GST_FLOW_OK && packing->queue->goes_on)
    atomic_store (&packing->seen, GST_FLOW_OK);
}

/* Anything but a buffer may change what the queue returns for the next buffer,
 * which therefore enters as it is. */
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

/* Either the task has ended, or it drops the rest itself. */
void
fm_packing_stop (FmPacking *packing)
{
  forget (packing);
  if (gst_pad_is_active (packing->src))
    return;
  GST_PAD_STREAM_LOCK (packing->src);
  fm_packing_drop_rest (packing, FALSE);
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

/* ---- each queue, and all of them ---- */

/* The pad where what enters at @pad leaves. Not held. */
static GstPad *
src_of (GstPad *pad)
{
  GstIterator *links = gst_pad_iterate_internal_links (pad);
  GValue item = G_VALUE_INIT;
  GstPad *src = NULL;

  if (links != NULL && gst_iterator_next (links, &item) == GST_ITERATOR_OK) {
    src = g_value_get_object (&item);
    g_value_unset (&item);
  }
  g_clear_pointer (&links, gst_iterator_free);
  return src;
}

FmPacking *
fm_packing_new (GstElement *element, GstPad *pad, GstPadChainFunction chain,
    FmRegistryItem *owner, _Atomic guint64 figure[FM_N_QUEUE_FIGURES])
{
  const FmPackingQueue *queue = fm_packing_queue_of (element);
  GstPad *src = queue != NULL ? src_of (pad) : NULL;
  FmPacking *packing;

  if (packings.below == 0 || src == NULL)
    return NULL;
  packing = g_new0 (FmPacking, 1);
  g_atomic_ref_count_init (&packing->refs);
  packing->owner = fm_registry_item_ref (owner);
  packing->element = element;
  packing->sink = pad;
  packing->src = src;
  packing->chain = chain;
  packing->queue = queue;
  packing->figure = figure;
  packing->rate = 1;
  packing->ask_at = packings.above;
  fm_mutex_init (&packing->lock);
  fm_cond_init (&packing->entered);
  g_queue_init (&packing->rest);
  return packing;
}

void
fm_packing_leave (FmPacking *packing)
{
  g_clear_pointer (&packing->open, fm_parcel_unref);
  set_packing (packing, FALSE);
  fm_packing_unref (packing);
}

void
fm_packing_start (GstFileMemAllocator *allocator, guint64 above, guint64 below)
{
  packings.allocator = allocator;
  packings.above = above;
  packings.below = below;
}
