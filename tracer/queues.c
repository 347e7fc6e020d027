/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.c: see queues.h.
 *
 * An entrance is what is known of one pad at which buffers enter a queue, or
 * any element with "auto", to see which of them sit on what they are given.
 *
 * Locking: none of its own. An entrance belongs to its streaming thread, but
 * for its figures, which are relaxed atomics.
 */
#include "queues.h"

#include "hoard.h"
#include "holdings.h"
#include "messages.h"
#include "options.h"
#include "packing.h"
#include "queue-names.h"
#include "roster.h"

#include <stdatomic.h>

/* An element that sits on so many bytes, in so many buffers, is a queue as well
 * if it does so for a while, or has much more; until it has less than half. One
 * through which large frames pass has one or two in hand. */
#define HOARD_LEAST ((guint64) 4 << 20)
#define HOARD_MUCH ((guint64) 32 << 20)
#define HOARD_BUFFERS 4
#define HOARD_US G_USEC_PER_SEC

/* Who holds so many bytes that are not filemem's is worth a word. */
#define MUCH_FOREIGN ((guint64) 16 << 20)

/* An element is asked for its level when so many bytes have come, or have left
 * an appsrc. */
#define ASK_EVERY ((guint64) 1 << 20)

/* Bytes that have entered, and those of them that filemem did not take. */
typedef struct
{
  guint64 all, foreign;
} FmPassed;

/* What entered one queue. */
struct _FmEntrance
{
  FmRosterItem item;
  gchar *name;
  gboolean is_named;    /* a queue by its name */
  atomic_bool is_queue; /* by that, or by what it does now */
  atomic_bool was_queue;
  FmHoard *hoard;     /* where all are watched; else NULL */
  FmPacking *packing; /* NULL: nothing is packed */
  _Atomic guint64 figure[FM_N_QUEUE_FIGURES];

  /* The streaming thread's. */
  FmHolding *holding;
  gboolean keeps_originals;
  GPtrArray *originals; /* that were exchanged; or NULL */
  gsize originals_bytes;
  gpointer last;         /* parent memory that entered; to be compared with */
  GstCaps *caps;         /* that were looked at last */
  gboolean is_of_device; /* by these */
  gboolean knows_caps;   /* they are those that hold */
  gint64 sits_since;     /* monotonic; 0: it does not sit on much */
  gboolean keeps_own; /* what enters is copied into the element's own memory */
  guint64 ask_at;     /* when so many bytes have entered */
  FmPassed at_last, before_last; /* when it was asked */
  /* What the element downstream offered last to allocate from; only to be
   * compared with. */
  GPtrArray *lent;

  /* The thread's in which buffers leave an appsrc. */
  guint64 left, left_foreign, asked_at;
};

static struct
{
  GstAllocator *ours; /* NULL: there are none */
  gchar *names;
  gboolean watches_all;
  guint64 copy_above;
  FmQueuesForeignFunc on_foreign;
  FmRoster entrances;
} queues;

/* What this thread copied of the buffer, or list, that it pushed last: if that
 * comes from a tee, another branch is about to be given the same memory. */
static GPrivate last_copies =
    G_PRIVATE_INIT ((GDestroyNotify) g_hash_table_unref);

/* ---- entrances ---- */

static void
entrance_free (gpointer data)
{
  FmEntrance *entrance = data;

  g_clear_pointer (&entrance->hoard, fm_hoard_unref);
  fm_holding_free (entrance->holding);
  g_free (entrance->name);
  g_free (entrance);
}

void
fm_entrance_left (FmEntrance *entrance)
{
  gst_clear_caps (&entrance->caps);
  g_ptr_array_unref (entrance->lent);
  g_clear_pointer (&entrance->originals, g_ptr_array_unref);
  g_clear_pointer (&entrance->packing, fm_packing_leave);
  fm_roster_leave (&queues.entrances, entrance);
}

static FmEntrance *
entrance_new (GstElement *element, GstPad *pad, GstPadChainFunction chain,
    gboolean is_queue)
{
  FmEntrance *entrance = g_new0 (FmEntrance, 1);

  entrance->name = gst_object_get_path_string (GST_OBJECT (pad));
  entrance->holding = fm_holding_new (element, pad);
  entrance->lent = g_ptr_array_new ();
  entrance->is_named = is_queue;
  atomic_store (&entrance->is_queue, is_queue);
  atomic_store (&entrance->was_queue, is_queue);
  if (queues.watches_all)
    entrance->hoard = fm_hoard_new ();
  fm_roster_add (&queues.entrances, &entrance->item, entrance_free);
  entrance->keeps_own = is_queue && fm_queue_keeps_own (element);
  if (is_queue)
    entrance->packing =
        fm_packing_new (element, pad, chain, &entrance->item, entrance->figure);
  return entrance;
}

/* One streaming thread at a time counts. */
static void
count (_Atomic guint64 *figure, guint64 n)
{
  atomic_store_explicit (figure,
      atomic_load_explicit (figure, memory_order_relaxed) + n,
      memory_order_relaxed);
}

static guint64
get_figure (FmEntrance *entrance, FmQueueFigure figure)
{
  return atomic_load_explicit (&entrance->figure[figure], memory_order_relaxed);
}

static void
note_peak (FmEntrance *entrance, FmQueueFigure peak, guint64 bytes)
{
  if (bytes > get_figure (entrance, peak))
    atomic_store_explicit (
        &entrance->figure[peak], bytes, memory_order_relaxed);
}

static FmPassed
passed (FmEntrance *entrance)
{
  guint64 foreign = get_figure (entrance, FM_QUEUE_FOREIGN_BYTES);
  guint64 taken = get_figure (entrance, FM_QUEUE_COPIED_BYTES)
      + get_figure (entrance, FM_QUEUE_SHARED_BYTES);

  return (FmPassed){
      get_figure (entrance, FM_QUEUE_BYTES), foreign - MIN (foreign, taken)};
}

static void
note_foreign (FmEntrance *entrance, guint64 bytes)
{
  static atomic_bool said;

  note_peak (entrance, FM_QUEUE_HELD_FOREIGN_PEAK, bytes);
  if (bytes > MUCH_FOREIGN && fm_first_time (&said))
    queues.on_foreign (entrance->name, bytes);
}

/* The element is asked for its level. What it holds is what came last, so as
 * much of that is foreign as of what came of late. */
static void
note_level (FmEntrance *entrance)
{
  const FmPassed now = passed (entrance);
  const FmPassed *then = &entrance->before_last;
  guint64 level = fm_holding_level (entrance->holding);
  gdouble share = 1;

  if (!entrance->keeps_own && fm_holding_is_told (entrance->holding)
      && now.all > then->all)
    share = (gdouble) (now.foreign - then->foreign)
        / (gdouble) (now.all - then->all);
  if (fm_holding_is_told (entrance->holding))
    note_peak (entrance, FM_QUEUE_HELD_PEAK, level);
  note_foreign (entrance, (guint64) (MIN (share, 1) * (gdouble) level));
  entrance->before_last = entrance->at_last;
  entrance->at_last = now;
  entrance->ask_at = now.all + ASK_EVERY;
}

static void
note_holding (FmEntrance *entrance)
{
  note_peak (
      entrance, FM_QUEUE_FOREIGN_PEAK, fm_holding_bytes (entrance->holding));
}

/* ---- buffers ---- */

static gboolean
has_device_features (GstCaps *caps)
{
  guint n = gst_caps_get_size (caps), i, k;

  for (i = 0; i < n; i++) {
    GstCapsFeatures *features = gst_caps_get_features (caps, i);

    for (k = 0; features != NULL && k < gst_caps_features_get_size (features);
         k++) {
      const gchar *name = gst_caps_features_get_nth (features, k);

      if (g_str_has_prefix (name, "memory:")
          && !g_str_equal (name, GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY))
        return TRUE;
    }
  }
  return FALSE;
}

void
fm_entrance_set_caps (FmEntrance *entrance, GstCaps *caps)
{
  entrance->knows_caps = TRUE;
  if (caps != entrance->caps) {
    gst_caps_replace (&entrance->caps, caps);
    entrance->is_of_device = caps != NULL && has_device_features (caps);
  }
}

static gboolean
is_of_device (FmEntrance *entrance, GstPad *pad)
{
  g_autoptr (GstCaps) caps = NULL;

  if (entrance->knows_caps)
    return entrance->is_of_device;
  caps = gst_pad_get_current_caps (pad);
  fm_entrance_set_caps (entrance, caps);
  return entrance->is_of_device;
}

static gboolean
is_lent (FmEntrance *entrance, GstBuffer *buffer)
{
  guint n = gst_buffer_n_memory (buffer), i;

  if (entrance->lent->len == 0)
    return FALSE;
  if (buffer->pool != NULL
      && g_ptr_array_find (entrance->lent, buffer->pool, NULL))
    return TRUE;
  for (i = 0; i < n; i++) {
    GstMemory *mem = gst_buffer_peek_memory (buffer, i);

    if (g_ptr_array_find (entrance->lent, mem->allocator, NULL))
      return TRUE;
  }
  return FALSE;
}

/* This thread's, without those that were not made for what @buffer is of. */
static GHashTable *
copies_for (GstBuffer *buffer)
{
  GHashTable *copies = g_private_get (&last_copies);

  if (copies == NULL) {
    copies = fm_foreign_copies_new ();
    g_private_set (&last_copies, copies);
  } else if (!fm_foreign_is_among (buffer, copies)) {
    g_hash_table_remove_all (copies);
  }
  return copies;
}

/* Whoever freed it may be told, and do anything. */
static void
let_go (FmEntrance *entrance, GstBuffer *buffer)
{
  if (!entrance->keeps_originals) {
    gst_buffer_unref (buffer);
    return;
  }
  if (entrance->originals == NULL)
    entrance->originals =
        g_ptr_array_new_with_free_func ((GDestroyNotify) gst_buffer_unref);
  g_ptr_array_add (entrance->originals, buffer);
  entrance->originals_bytes += gst_buffer_get_size (buffer);
}

void
fm_entrance_keep_originals (FmEntrance *entrance, gboolean keep)
{
  entrance->keeps_originals = keep;
}

gsize
fm_entrance_originals (const FmEntrance *entrance)
{
  return entrance->originals_bytes;
}

GPtrArray *
fm_entrance_take_originals (FmEntrance *entrance)
{
  entrance->originals_bytes = 0;
  return g_steal_pointer (&entrance->originals);
}

/* Takes @buffer and gives the one that is to enter in its place. */
static GstBuffer *
exchange (
    FmEntrance *entrance, GstPad *pad, GstBuffer *buffer, GHashTable *copies)
{
  gsize all, kept, copied;
  gsize foreign =
      fm_foreign_bytes (buffer, queues.ours, &all, &kept, &entrance->last);
  FmLeftAlone why = FM_NOT_LEFT_ALONE;
  GstBuffer *copy = NULL;

  count (&entrance->figure[FM_QUEUE_BUFFERS], 1);
  count (&entrance->figure[FM_QUEUE_BYTES], all);
  if (entrance->keeps_own)
    count (&entrance->figure[FM_QUEUE_KEPT_OWN], all);
  if (G_LIKELY (foreign == 0))
    return buffer;

  count (&entrance->figure[FM_QUEUE_FOREIGN_BYTES], foreign);
  if (!atomic_load_explicit (&entrance->is_queue, memory_order_relaxed)
      || entrance->keeps_own)
    return buffer;
  if (!fm_holding_exceeds (
          entrance->holding, buffer, foreign, kept, queues.copy_above)) {
    note_holding (entrance);
    return buffer;
  }
  if (is_of_device (entrance, pad))
    why = FM_LEFT_DEVICE;
  else if (is_lent (entrance, buffer))
    why = FM_LEFT_LENT;
  else
    copy = fm_foreign_copy (buffer, queues.ours,
        copies != NULL ? copies : copies_for (buffer), &copied, &why);
  if (copy == NULL) {
    count (&entrance->figure[why], 1);
    fm_holding_add (entrance->holding, buffer, kept);
    return buffer;
  }
  count (&entrance->figure[FM_QUEUE_COPIES], copied > 0 ? 1 : 0);
  count (&entrance->figure[FM_QUEUE_COPIED_BYTES], copied);
  count (&entrance->figure[FM_QUEUE_SHARED_BYTES], foreign - copied);
  let_go (entrance, buffer);
  /* It may be gone, and another one soon be at its address. */
  entrance->last = NULL;
  return copy;
}

/* What is copied at its entrance counts as well, or it would be none soon. */
static gboolean
sits (FmEntrance *entrance, guint64 bytes)
{
  gint64 now;

  if (bytes <= HOARD_LEAST
      || fm_hoard_buffers (entrance->hoard) < HOARD_BUFFERS) {
    entrance->sits_since = 0;
    return bytes > HOARD_LEAST / 2 && atomic_load (&entrance->is_queue);
  }
  if (bytes > HOARD_MUCH)
    return TRUE;
  now = g_get_monotonic_time ();
  if (entrance->sits_since == 0)
    entrance->sits_since = now;
  return now - entrance->sits_since >= HOARD_US
      || atomic_load (&entrance->is_queue);
}

static void
note_hoard (FmEntrance *entrance, GstBuffer *buffer)
{
  gpointer any = NULL;
  gsize all, kept;
  gsize foreign = fm_foreign_bytes (buffer, queues.ours, &all, &kept, &any);
  guint64 bytes = fm_hoard_enter (entrance->hoard, buffer, foreign);

  if (entrance->is_named || sits (entrance, bytes)) {
    atomic_store (&entrance->is_queue, TRUE);
    atomic_store (&entrance->was_queue, TRUE);
  } else {
    atomic_store (&entrance->is_queue, FALSE);
  }
}

/* @copies are those for the list that @buffer is of; NULL if it comes alone. */
static GstBuffer *
let_in (
    FmEntrance *entrance, GstPad *pad, GstBuffer *buffer, GHashTable *copies)
{
  GstBuffer *enters = exchange (entrance, pad, buffer, copies);

  if (entrance->hoard != NULL)
    note_hoard (entrance, enters);
  return enters;
}

/* ---- what is packed ---- */

static gboolean
may_copy (FmEntrance *entrance, GstPad *pad, GstMiniObject *item)
{
  guint i;

  if (is_of_device (entrance, pad))
    return FALSE;
  if (GST_IS_BUFFER (item))
    return !is_lent (entrance, GST_BUFFER_CAST (item));
  for (i = 0; i < gst_buffer_list_length (GST_BUFFER_LIST_CAST (item)); i++) {
    if (is_lent (
            entrance, gst_buffer_list_get (GST_BUFFER_LIST_CAST (item), i)))
      return FALSE;
  }
  return TRUE;
}

/* Whether @item is packed: it is gone then. Else who is to be told what comes
 * of it. */
static inline gboolean
is_packed (FmEntrance *entrance, GstPad *pad, GstMiniObject *item,
    FmPacking **ret_packing)
{
  FmPacking *packing = entrance->packing;

  *ret_packing = NULL;
  if (G_UNLIKELY (get_figure (entrance, FM_QUEUE_BYTES) >= entrance->ask_at))
    note_level (entrance);
  if (packing == NULL || G_LIKELY (!fm_packing_is_due (packing)))
    return FALSE;
  if (fm_packing_take (packing, item, may_copy (entrance, pad, item)))
    return TRUE;
  if (fm_packing_is_on (packing))
    *ret_packing = fm_packing_ref (packing);
  return FALSE;
}

FmPacking *
fm_entrance_packing (FmEntrance *entrance)
{
  return entrance->packing;
}

/* ---- what enters as it is, or as a copy ---- */

GstBuffer *
fm_entrance_let_in (FmEntrance *entrance, GstPad *pad, GstBuffer *buffer,
    FmPacking **ret_packing)
{
  if (is_packed (entrance, pad, GST_MINI_OBJECT_CAST (buffer), ret_packing))
    return NULL;
  return let_in (entrance, pad, buffer, NULL);
}

/* Those that were seen may be there still, so it is not more than this. What it
 * holds is of what leaves next. */
static void
note_unseen (FmEntrance *entrance)
{
  guint64 seen = get_figure (entrance, FM_QUEUE_BYTES), level;
  guint64 unseen = entrance->left - MIN (entrance->left, seen);

  if (unseen == 0)
    return;
  atomic_store_explicit (&entrance->figure[FM_QUEUE_UNSEEN],
      MIN (unseen, entrance->left_foreign), memory_order_relaxed);
  if (entrance->left < entrance->asked_at)
    return;
  entrance->asked_at = entrance->left + ASK_EVERY;
  level = fm_holding_level (entrance->holding);
  note_peak (entrance, FM_QUEUE_HELD_PEAK, level);
  note_foreign (entrance,
      (guint64) ((gdouble) level * (gdouble) entrance->left_foreign
          / (gdouble) entrance->left));
}

void
fm_entrance_see_leaving (FmEntrance *entrance, GstBuffer *buffer)
{
  gpointer any = NULL;
  gsize all, kept;

  entrance->left_foreign +=
      fm_foreign_bytes (buffer, queues.ours, &all, &kept, &any);
  entrance->left += all;
  note_unseen (entrance);
}

typedef struct
{
  FmEntrance *entrance;
  GstPad *pad;
  GHashTable *copies;
} Place;

static gboolean
let_in_from_list (GstBuffer **buffer, guint index, gpointer data)
{
  const Place *place = data;

  *buffer = let_in (place->entrance, place->pad, *buffer, place->copies);
  return TRUE;
}

GstBufferList *
fm_entrance_let_list_in (FmEntrance *entrance, GstPad *pad, GstBufferList *list,
    FmPacking **ret_packing)
{
  Place place = {entrance, pad, NULL};

  if (is_packed (entrance, pad, GST_MINI_OBJECT_CAST (list), ret_packing))
    return NULL;
  if (gst_buffer_list_length (list) > 0)
    place.copies = copies_for (gst_buffer_list_get (list, 0));
  list = gst_buffer_list_make_writable (list);
  gst_buffer_list_foreach (list, let_in_from_list, &place);
  return list;
}

/* ---- events and queries ---- */

void
fm_queues_end_of_stream (void)
{
  GHashTable *copies = g_private_get (&last_copies);

  if (copies != NULL)
    g_hash_table_remove_all (copies);
}

void
fm_entrance_see_event (FmEntrance *entrance, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    fm_queues_end_of_stream ();
  if (GST_EVENT_IS_SERIALIZED (event))
    entrance->knows_caps = FALSE;
  if (entrance->packing != NULL)
    fm_packing_see_event (entrance->packing, event);
}

void
fm_entrance_see_query (FmEntrance *entrance, GstQuery *query)
{
  if (entrance->packing != NULL)
    fm_packing_see_query (entrance->packing, query);
}

static void
note_lent (FmEntrance *entrance, gpointer object)
{
  if (object != NULL && object != queues.ours)
    g_ptr_array_add (entrance->lent, object);
}

void
fm_entrance_see_answer (FmEntrance *entrance, GstQuery *query)
{
  g_autoptr (GstAllocator) system = NULL;
  guint i;

  if (GST_QUERY_TYPE (query) != GST_QUERY_ALLOCATION)
    return;
  system = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  g_ptr_array_set_size (entrance->lent, 0);
  for (i = 0; i < gst_query_get_n_allocation_params (query); i++) {
    g_autoptr (GstAllocator) allocator = NULL;

    gst_query_parse_nth_allocation_param (query, i, &allocator, NULL);
    if (allocator != system)
      note_lent (entrance, allocator);
  }
  for (i = 0; i < gst_query_get_n_allocation_pools (query); i++) {
    g_autoptr (GstBufferPool) pool = NULL;

    gst_query_parse_nth_allocation_pool (query, i, &pool, NULL, NULL, NULL);
    note_lent (entrance, pool);
  }
}

/* ---- all of them ---- */

FmEntrance *
fm_queues_entrance (GstElement *element, GstPad *pad, GstPadChainFunction chain)
{
  gboolean is_named =
      queues.ours != NULL && fm_queue_is_named (element, queues.names);

  return is_named || queues.watches_all
      ? entrance_new (element, pad, chain, is_named)
      : NULL;
}

void
fm_queues_start (GstAllocator *ours, const gchar *names, guint64 copy_above,
    FmQueuesForeignFunc on_foreign)
{
  if (queues.ours != NULL || g_str_equal (names, "none"))
    return;
  queues.watches_all = fm_options_list_has (names, "auto");
  /* "auto" adds to those that are known. */
  queues.names = g_str_equal (names, "auto") ? g_strdup (FM_OPTIONS_QUEUES)
                                             : g_strdup (names);
  queues.copy_above = copy_above;
  queues.on_foreign = on_foreign;
  queues.ours = ours;
}

gboolean
fm_queues_are_watched (void)
{
  return queues.ours != NULL;
}

/* ---- records ---- */

const FmFigureSpec *
fm_queue_figure_spec (FmQueueFigure figure)
{
  static const FmFigureSpec specs[FM_N_QUEUE_FIGURES] = {
      FM_QUEUE_FIGURES (FM_FIGURE_SPEC)};

  return &specs[figure];
}

static void
record_free (FmQueueRecord *record)
{
  g_free (record->name);
  g_free (record);
}

static FmQueueRecord *
record_new (FmEntrance *entrance)
{
  FmQueueRecord *record = g_new0 (FmQueueRecord, 1);
  guint i;

  record->name = g_strdup (entrance->name);
  record->id = entrance->item.id;
  record->is_gone = atomic_load (&entrance->item.is_gone);
  for (i = 0; i < FM_N_QUEUE_FIGURES; i++)
    record->figure[i] = atomic_load (&entrance->figure[i]);
  record->figure[FM_QUEUE_LEVEL] = fm_holding_level (entrance->holding);
  if (entrance->hoard != NULL)
    record->hoard_peak =
        fm_hoard_peak (entrance->hoard, &record->hoard_foreign);
  return record;
}

GPtrArray *
fm_queues_records (void)
{
  GPtrArray *records =
      g_ptr_array_new_with_free_func ((GDestroyNotify) record_free);
  g_autoptr (GPtrArray) entrances = fm_roster_list (&queues.entrances);
  guint i;

  /* Who is asked for a level has locks of its own, and may go in that moment.
   */
  for (i = 0; i < entrances->len; i++) {
    FmEntrance *entrance = g_ptr_array_index (entrances, i);

    if (atomic_load (&entrance->was_queue))
      g_ptr_array_add (records, record_new (entrance));
  }
  return records;
}

guint
fm_queues_at_once (void)
{
  return fm_roster_most (&queues.entrances);
}
