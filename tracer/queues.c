/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.c: see queues.h.
 *
 * Every pad that an element adds is announced by a signal, to whose emissions
 * one can listen for all elements at once: no hook of the tracing subsystem is
 * needed, which would cost something for every buffer of the program. When the
 * pad is added the element may be half made, its type that of a base class; so
 * a first probe waits for the first event or buffer, decides whether this is
 * the entrance of a queue, and goes.
 *
 * Where it is, the pad's functions for buffers, lists, events and queries are
 * wrapped. A probe that stays would do the same, for 350 ns a buffer. With
 * "auto" every entrance is wrapped, to see which elements sit on what they are
 * given.
 *
 * Locking: `lock` guards the list of the watches, and what is said of them
 * there. An entrance belongs to its streaming thread, but for its figures,
 * which are relaxed atomics.
 */
#include "queues.h"

#include "hoard.h"
#include "holdings.h"
#include "options.h"

#include <stdatomic.h>
#include <string.h>

/* Entrances that are gone and still have a record of their own. */
#define GONE_MOST 256

/* An element that sits on so many bytes is a queue as well. */
#define HOARD_LEAST ((guint64) 4 << 20)

/* What entered one queue. */
typedef struct
{
  gatomicrefcount refs; /* the pad's and the list's */
  gchar *name;
  gboolean is_gone;     /* under the lock */
  atomic_bool is_queue; /* by its name, or by what it does */
  FmHoard *hoard;       /* where all are watched; else NULL */
  _Atomic guint64 figure[FM_N_QUEUE_FIGURES];
  _Atomic guint64 left_alone[FM_N_LEFT_ALONE];

  /* What was wrapped. */
  GstPadChainFunction chain;
  GstPadChainListFunction chain_list;
  GstPadEventFunction event;
  GstPadEventFullFunction event_full; /* it has the one or the other */
  GstPadQueryFunction query;

  /* The streaming thread's. */
  FmHolding *holding;
  gpointer last;         /* parent memory that entered; to be compared with */
  GstCaps *caps;         /* that were looked at last */
  gboolean is_of_device; /* by these */
  /* What the element downstream offered last to allocate from; only to be
   * compared with. */
  GPtrArray *lent;
} Entrance;

static struct
{
  GstAllocator *ours;
  GQuark quark; /* of a pad's entrance */
  gchar *names;
  gboolean watches_all;
  guint64 copy_above;
  GMutex lock;
  GPtrArray *entrances;
  guint n_gone;
} queues;

/* What this thread copied of the buffer, or list, that it pushed last: if that
 * comes from a tee, another branch is about to be given the same memory. */
static GPrivate last_copies =
    G_PRIVATE_INIT ((GDestroyNotify) g_hash_table_unref);

/* ---- entrances ---- */

static void
entrance_unref (Entrance *entrance)
{
  if (!g_atomic_ref_count_dec (&entrance->refs))
    return;
  g_clear_pointer (&entrance->hoard, fm_hoard_unref);
  fm_holding_free (entrance->holding);
  g_free (entrance->name);
  g_free (entrance);
}

static void
forget_one_that_is_gone (void)
{
  guint i;

  for (i = 0; i < queues.entrances->len; i++) {
    Entrance *entrance = g_ptr_array_index (queues.entrances, i);

    if (entrance->is_gone) {
      g_ptr_array_remove_index (queues.entrances, i);
      queues.n_gone--;
      return;
    }
  }
}

/* The pad is gone. */
static void
entrance_left (gpointer data)
{
  Entrance *entrance = data;

  gst_clear_caps (&entrance->caps);
  g_ptr_array_unref (entrance->lent);
  g_mutex_lock (&queues.lock);
  entrance->is_gone = TRUE;
  if (++queues.n_gone > GONE_MOST)
    forget_one_that_is_gone ();
  g_mutex_unlock (&queues.lock);
  entrance_unref (entrance);
}

static Entrance *
entrance_new (GstElement *element, GstPad *pad, gboolean is_queue)
{
  Entrance *entrance = g_new0 (Entrance, 1);

  g_atomic_ref_count_init (&entrance->refs);
  g_atomic_ref_count_inc (&entrance->refs);
  entrance->name = gst_object_get_path_string (GST_OBJECT (pad));
  entrance->holding = fm_holding_new (element, pad);
  entrance->lent = g_ptr_array_new ();
  atomic_store (&entrance->is_queue, is_queue);
  if (queues.watches_all)
    entrance->hoard = fm_hoard_new ();
  g_mutex_lock (&queues.lock);
  g_ptr_array_add (queues.entrances, entrance);
  g_mutex_unlock (&queues.lock);
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

static void
note_holding (Entrance *entrance)
{
  guint64 bytes = fm_holding_bytes (entrance->holding);
  _Atomic guint64 *peak = &entrance->figure[FM_QUEUE_FOREIGN_PEAK];

  if (bytes > atomic_load_explicit (peak, memory_order_relaxed))
    atomic_store_explicit (peak, bytes, memory_order_relaxed);
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

static gboolean
is_of_device (Entrance *entrance, GstPad *pad)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);

  if (caps != entrance->caps) {
    gst_caps_replace (&entrance->caps, caps);
    entrance->is_of_device = caps != NULL && has_device_features (caps);
  }
  return entrance->is_of_device;
}

static gboolean
is_lent (Entrance *entrance, GstBuffer *buffer)
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

/* Takes @buffer and gives the one that is to enter in its place. */
static GstBuffer *
exchange (
    Entrance *entrance, GstPad *pad, GstBuffer *buffer, GHashTable *copies)
{
  gsize kept, copied;
  gsize foreign =
      fm_foreign_bytes (buffer, queues.ours, &kept, &entrance->last);
  FmLeftAlone why = FM_NOT_LEFT_ALONE;
  GstBuffer *copy = NULL;

  count (&entrance->figure[FM_QUEUE_BUFFERS], 1);
  count (&entrance->figure[FM_QUEUE_BYTES], gst_buffer_get_size (buffer));
  if (G_LIKELY (foreign == 0))
    return buffer;

  count (&entrance->figure[FM_QUEUE_FOREIGN_BYTES], foreign);
  if (!atomic_load_explicit (&entrance->is_queue, memory_order_relaxed))
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
    count (&entrance->left_alone[why], 1);
    return buffer;
  }
  count (&entrance->figure[FM_QUEUE_COPIES], copied > 0 ? 1 : 0);
  count (&entrance->figure[FM_QUEUE_COPIED_BYTES], copied);
  count (&entrance->figure[FM_QUEUE_SHARED_BYTES], foreign - copied);
  gst_buffer_unref (buffer);
  /* It may be gone, and another one soon be at its address. */
  entrance->last = NULL;
  return copy;
}

/* @copies are those for the list that @buffer is of; NULL if it comes alone. */
static GstBuffer *
let_in (Entrance *entrance, GstPad *pad, GstBuffer *buffer, GHashTable *copies)
{
  GstBuffer *enters = exchange (entrance, pad, buffer, copies);

  if (entrance->hoard != NULL) {
    gpointer any = NULL;
    gsize kept;
    gsize foreign = fm_foreign_bytes (enters, queues.ours, &kept, &any);

    if (fm_hoard_enter (entrance->hoard, enters, foreign) > HOARD_LEAST)
      atomic_store (&entrance->is_queue, TRUE);
  }
  return enters;
}

/* ---- queries ---- */

static void
note_lent (Entrance *entrance, gpointer object)
{
  if (object != NULL && object != queues.ours)
    g_ptr_array_add (entrance->lent, object);
}

/* What was answered to the question how to allocate. */
static void
look_at_query (Entrance *entrance, GstQuery *query)
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

/* ---- pads ---- */

static Entrance *
entrance_of (GstPad *pad)
{
  return g_object_get_qdata (G_OBJECT (pad), queues.quark);
}

static GstFlowReturn
on_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Entrance *entrance = entrance_of (pad);

  return entrance->chain (pad, parent, let_in (entrance, pad, buffer, NULL));
}

typedef struct
{
  Entrance *entrance;
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

static GstFlowReturn
on_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  Place place = {entrance_of (pad), pad, NULL};

  if (gst_buffer_list_length (list) > 0)
    place.copies = copies_for (gst_buffer_list_get (list, 0));
  list = gst_buffer_list_make_writable (list);
  gst_buffer_list_foreach (list, let_in_from_list, &place);
  return place.entrance->chain_list (pad, parent, list);
}

/* At the end of a stream no copy is kept for another branch. */
static void
look_at_event (GstEvent *event)
{
  GHashTable *copies = g_private_get (&last_copies);

  if (copies != NULL && GST_EVENT_TYPE (event) == GST_EVENT_EOS)
    g_hash_table_remove_all (copies);
}

static gboolean
on_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  look_at_event (event);
  return entrance_of (pad)->event (pad, parent, event);
}

static GstFlowReturn
on_event_full (GstPad *pad, GstObject *parent, GstEvent *event)
{
  look_at_event (event);
  return entrance_of (pad)->event_full (pad, parent, event);
}

static gboolean
on_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  Entrance *entrance = entrance_of (pad);
  gboolean answered = entrance->query (pad, parent, query);

  if (answered)
    look_at_query (entrance, query);
  return answered;
}

/* The function that gives each buffer of a list to the chain function, which is
 * wrapped. */
static GstPadChainListFunction
default_chain_list (void)
{
  static gsize function = 0;

  if (g_once_init_enter (&function)) {
    GstPad *pad = gst_object_ref_sink (gst_pad_new (NULL, GST_PAD_SINK));

    g_once_init_leave (&function, (gsize) GST_PAD_CHAINLISTFUNC (pad));
    gst_object_unref (pad);
  }
  return (GstPadChainListFunction) function;
}

static void
wrap (GstPad *pad, Entrance *entrance)
{
  entrance->chain = GST_PAD_CHAINFUNC (pad);
  entrance->chain_list = GST_PAD_CHAINLISTFUNC (pad);
  entrance->event = GST_PAD_EVENTFUNC (pad);
  entrance->event_full = GST_PAD_EVENTFULLFUNC (pad);
  entrance->query = GST_PAD_QUERYFUNC (pad);
  g_object_set_qdata_full (
      G_OBJECT (pad), queues.quark, entrance, entrance_left);
  GST_PAD_CHAINFUNC (pad) = on_buffer;
  if (entrance->chain_list != default_chain_list ())
    GST_PAD_CHAINLISTFUNC (pad) = on_list;
  if (entrance->event_full != NULL)
    GST_PAD_EVENTFULLFUNC (pad) = on_event_full;
  else
    GST_PAD_EVENTFUNC (pad) = on_event;
  GST_PAD_QUERYFUNC (pad) = on_query;
}

/* One that was told to keep its bytes in a file of its own holds none. */
static gboolean
has_file (GstElement *element)
{
  g_autofree gchar *template = NULL;

  if (g_object_class_find_property (
          G_OBJECT_GET_CLASS (element), "temp-template")
      == NULL)
    return FALSE;
  g_object_get (element, "temp-template", &template, NULL);
  return template != NULL;
}

/* "GstAppSink" for "appsink": the type of an element that a program makes from
 * a library, without its plugin, has no factory. */
static gboolean
is_type_named (GType type)
{
  g_autofree gchar *name = g_ascii_strdown (g_type_name (type), -1);

  return g_str_has_prefix (name, "gst")
      && fm_options_list_has (queues.names, name + strlen ("gst"));
}

static gboolean
is_queue (GstElement *element)
{
  GType type;

  for (type = G_OBJECT_TYPE (element); type != GST_TYPE_ELEMENT && type != 0;
       type = g_type_parent (type)) {
    GstElementClass *klass = g_type_class_peek (type);
    GstElementFactory *factory = klass != NULL ? klass->elementfactory : NULL;

    if (is_type_named (type)
        || (factory != NULL
            && fm_options_list_has (queues.names, GST_OBJECT_NAME (factory))))
      return !has_file (element);
  }
  return FALSE;
}

static GstPadProbeReturn
on_first (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  gboolean is_named = element != NULL && is_queue (element);

  if (element == NULL || !(is_named || queues.watches_all))
    return GST_PAD_PROBE_REMOVE;
  if (GST_PAD_CHAINFUNC (pad) != NULL && entrance_of (pad) == NULL)
    wrap (pad, entrance_new (element, pad, is_named));
  return GST_PAD_PROBE_REMOVE;
}

static gboolean
on_pad_added (GSignalInvocationHint *hint, guint n_values, const GValue *values,
    gpointer unused)
{
  GstPad *pad = g_value_get_object (&values[1]);

  if (GST_PAD_IS_SINK (pad) && !GST_IS_PROXY_PAD (pad))
    gst_pad_add_probe (pad,
        GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
            | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
        on_first, NULL, NULL);
  return TRUE;
}

void
fm_queues_start (GstAllocator *ours, const gchar *names, guint64 copy_above)
{
  GTypeClass *klass;

  if (queues.ours != NULL || g_str_equal (names, "none"))
    return;
  queues.ours = ours;
  queues.quark = g_quark_from_static_string ("filemem-entrance");
  queues.watches_all = fm_options_list_has (names, "auto");
  /* "auto" adds to those that are known. */
  queues.names = g_str_equal (names, "auto") ? g_strdup (FM_OPTIONS_QUEUES)
                                             : g_strdup (names);
  queues.copy_above = copy_above;
  queues.entrances =
      g_ptr_array_new_with_free_func ((GDestroyNotify) entrance_unref);
  klass = g_type_class_ref (GST_TYPE_ELEMENT);
  g_signal_add_emission_hook (g_signal_lookup ("pad-added", GST_TYPE_ELEMENT),
      0, on_pad_added, NULL, NULL);
  g_type_class_unref (klass);
}

/* ---- records ---- */

static void
record_free (FmQueueRecord *record)
{
  g_free (record->name);
  g_free (record);
}

static FmQueueRecord *
record_new (Entrance *entrance)
{
  FmQueueRecord *record = g_new0 (FmQueueRecord, 1);
  guint i;

  record->name = g_strdup (entrance->name);
  for (i = 0; i < FM_N_QUEUE_FIGURES; i++)
    record->figure[i] = atomic_load (&entrance->figure[i]);
  record->figure[FM_QUEUE_LEVEL] = fm_holding_level (entrance->holding);
  for (i = 0; i < FM_N_LEFT_ALONE; i++)
    record->left_alone[i] = atomic_load (&entrance->left_alone[i]);
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
  g_autoptr (GPtrArray) entrances =
      g_ptr_array_new_with_free_func ((GDestroyNotify) entrance_unref);
  guint i;

  if (queues.ours == NULL)
    return records;
  g_mutex_lock (&queues.lock);
  for (i = 0; i < queues.entrances->len; i++) {
    Entrance *entrance = g_ptr_array_index (queues.entrances, i);

    if (atomic_load (&entrance->is_queue)) {
      g_atomic_ref_count_inc (&entrance->refs);
      g_ptr_array_add (entrances, entrance);
    }
  }
  g_mutex_unlock (&queues.lock);

  /* Without the lock: who is asked for a level has locks of its own, and may go
   * in that moment. */
  for (i = 0; i < entrances->len; i++)
    g_ptr_array_add (records, record_new (g_ptr_array_index (entrances, i)));
  return records;
}
