/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.c: see queues.h.
 *
 * An entrance is what is known of one pad at which buffers enter a queue or,
 * with "auto", any element, to see which of them sit on the buffers that they
 * are given.
 *
 * Locking: none of its own. An entrance belongs to its streaming thread, except
 * for its figures, which are relaxed atomics.
 */
#include "queues.h"

#include "detection.h"
#include "queue-level.h"
#include "messages.h"
#include "options.h"
#include "packing.h"
#include "queue-names.h"
#include "registry.h"

#include <stdatomic.h>

/* An element that holds this many bytes that are not filemem's is worth
 * mentioning. */
#define MUCH_FOREIGN ((guint64) 16 << 20)

/* An element is asked for its level each time this many bytes have come, or
 * have left an appsrc. */
#define ASK_EVERY ((guint64) 1 << 20)

/* Bytes that have entered, and how many of them filemem did not take. */
typedef struct
{
  guint64 all, foreign;
} FmPassed;

/* What entered one queue. */
struct _FmEntrance
{
  FmRegistryItem item; /* once it has been a queue */
  gchar *name;
  gboolean is_named;      /* a queue by its name */
  FmDetection *detection; /* what it sits on, if it can't tell; or NULL */
  FmPacking *packing;     /* NULL: nothing is packed */
  _Atomic guint64 figure[FM_N_QUEUE_FIGURES];

  /* For the streaming thread. */
  gboolean is_queue; /* by its name, or by what it does now */
  gboolean is_told_of;
  FmQueueLevel *level;
  gboolean keeps_originals;
  GPtrArray *originals; /* that were exchanged for copies; or NULL */
  gsize originals_bytes;
  gpointer last;         /* parent memory that entered; to be compared with */
  GstCaps *caps;         /* that were looked at last */
  gboolean is_of_device; /* by these caps */
  gboolean knows_caps;   /* they are those that apply */
  gboolean keeps_own; /* the element copies what enters into its own memory */
  guint64 ask_at;     /* when this many bytes have entered */
  FmPassed at_last, before_last; /* when it was asked */
  /* What the element downstream last offered for allocation; only to be
   * compared with. */
  GPtrArray *lent;

  /* For the thread in which buffers leave an appsrc. */
  guint64 left, left_foreign, asked_at;
};

static struct
{
  GstAllocator *ours; /* NULL: there are none */
  gchar *names;
  gboolean watches_all;
  guint64 copy_above;
  FmQueuesForeignFunc on_foreign;
  FmRegistry entrances;
} queues;

/* What this thread copied of the buffer, or list, that it pushed last: if that
 * comes from a tee, another branch is about to receive the same memory. */
static GPrivate last_copies =
    G_PRIVATE_INIT ((GDestroyNotify) g_hash_table_unref);

/* ---- entrances ---- */

static void
entrance_free (gpointer data)
{
  FmEntrance *entrance = data;

  g_clear_pointer (&entrance->detection, fm_detection_unref);
  fm_queue_level_free (entrance->level);
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
  if (entrance->is_told_of)
    fm_registry_leave (&queues.entrances, entrance);
  else
    entrance_free (entrance);
}

/* Anything that was ever a queue is reported. */
static void
become_queue (FmEntrance *entrance)
{
  entrance->is_queue = TRUE;
  if (!entrance->is_told_of)
    fm_registry_add (&queues.entrances, &entrance->item, entrance_free);
  entrance->is_told_of = TRUE;
}

static FmEntrance *
entrance_new (GstElement *element, GstPad *pad, GstPadChainFunction chain,
    gboolean is_queue)
{
  FmEntrance *entrance = g_new0 (FmEntrance, 1);

  entrance->name = gst_object_get_path_string (GST_OBJECT (pad));
  entrance->level = fm_queue_level_new (element, pad);
  entrance->lent = g_ptr_array_new ();
  entrance->is_named = is_queue;
  if (queues.watches_all
      && !(is_queue && fm_queue_level_is_told (entrance->level)))
    entrance->detection = fm_detection_new ();
  if (!is_queue)
    return entrance;
  become_queue (entrance);
  entrance->keeps_own = fm_queue_keeps_own (element);
  entrance->packing =
      fm_packing_new (element, pad, chain, &entrance->item, entrance->figure);
  return entrance;
}

/* Only one streaming thread counts at a time. */
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

/* Asks the element for its level. It holds what came last, so the foreign part
 * of that is as large as of what came of late. */
static void
note_level (FmEntrance *entrance)
{
  const FmPassed now = passed (entrance);
  const FmPassed *then = &entrance->before_last;
  guint64 level = fm_queue_level_now (entrance->level);
  gdouble share = 1;

  if (!entrance->keeps_own && fm_queue_level_is_told (entrance->level)
      && now.all > then->all)
    share = (gdouble) (now.foreign - then->foreign)
        / (gdouble) (now.all - then->all);
  if (fm_queue_level_is_told (entrance->level))
    note_peak (entrance, FM_QUEUE_HELD_PEAK, level);
  note_foreign (entrance, (guint64) (MIN (share, 1) * (gdouble) level));
  entrance->before_last = entrance->at_last;
  entrance->at_last = now;
  entrance->ask_at = now.all + ASK_EVERY;
}

static void
note_foreign_peak (FmEntrance *entrance)
{
  note_peak (
      entrance, FM_QUEUE_FOREIGN_PEAK, fm_queue_level_bytes (entrance->level));
}

/* ---- buffers ---- */

void
fm_entrance_set_caps (FmEntrance *entrance, GstCaps *caps)
{
  entrance->knows_caps = TRUE;
  if (caps != entrance->caps) {
    gst_caps_replace (&entrance->caps, caps);
    entrance->is_of_device =
        caps != NULL && fm_foreign_caps_are_of_device (caps);
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

/* This thread's copies, cleared if they were not made of the memory of
 * @buffer. */
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

/* The release may call a function of the buffer's owner, which may do
 * anything. */
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

/* Counts what is about to enter. Returns the bytes in foreign memory. */
static gsize
look_at (
    FmEntrance *entrance, GstBuffer *buffer, gsize *ret_all, gsize *ret_kept)
{
  gsize foreign = fm_foreign_bytes (
      buffer, queues.ours, ret_all, ret_kept, &entrance->last);

  count (&entrance->figure[FM_QUEUE_BUFFERS], 1);
  count (&entrance->figure[FM_QUEUE_BYTES], *ret_all);
  if (entrance->keeps_own)
    count (&entrance->figure[FM_QUEUE_KEPT_OWN], *ret_all);
  if (foreign > 0)
    count (&entrance->figure[FM_QUEUE_FOREIGN_BYTES], foreign);
  return foreign;
}

/* A copy of @buffer, which enters a queue with @foreign bytes and keeps @kept
 * from being freed; NULL if it may enter as it is. */
static GstBuffer *
copy_for (FmEntrance *entrance, GstPad *pad, GstBuffer *buffer,
    GHashTable *copies, gsize foreign, gsize kept)
{
  FmLeftAlone why = FM_NOT_LEFT_ALONE;
  GstBuffer *copy = NULL;
  gsize copied;

  if (!fm_queue_level_exceeds (
          entrance->level, buffer, foreign, kept, queues.copy_above)) {
    note_foreign_peak (entrance);
    return NULL;
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
    fm_queue_level_add (entrance->level, buffer, kept);
    return NULL;
  }
  count (&entrance->figure[FM_QUEUE_COPIES], copied > 0 ? 1 : 0);
  count (&entrance->figure[FM_QUEUE_COPIED_BYTES], copied);
  count (&entrance->figure[FM_QUEUE_SHARED_BYTES], foreign - copied);
  return copy;
}

/* What is copied at its entrance counts as well; otherwise the element would
 * soon no longer be a queue. */
static void
note_detection (
    FmEntrance *entrance, GstBuffer *buffer, gsize bytes, gsize foreign)
{
  if (entrance->detection == NULL) {
    if (queues.watches_all)
      fm_detection_forget (buffer);
    return;
  }
  fm_detection_enter (entrance->detection, buffer, bytes, foreign);
  if (entrance->is_named)
    return;
  if (!fm_detection_is_queue (entrance->detection))
    entrance->is_queue = FALSE;
  else if (!entrance->is_queue)
    become_queue (entrance);
}

/* Takes @buffer and returns the one that is to enter in its place. @copies are
 * those for the list to which it belongs; NULL if it comes alone. */
static GstBuffer *
let_in (
    FmEntrance *entrance, GstPad *pad, GstBuffer *buffer, GHashTable *copies)
{
  gsize all, kept, foreign = look_at (entrance, buffer, &all, &kept);
  GstBuffer *copy = NULL;

  if (foreign > 0 && entrance->is_queue && !entrance->keeps_own)
    copy = copy_for (entrance, pad, buffer, copies, foreign, kept);
  if (copy != NULL) {
    let_go (entrance, buffer);
    /* The parent may be gone, and another one soon be at its address. */
    entrance->last = NULL;
    buffer = copy;
    foreign = 0;
  }
  note_detection (entrance, buffer, all, foreign);
  return buffer;
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

/* Whether @item is packed: it is gone then. Otherwise returns the packing that
 * is to be told the result. */
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

/* The buffers that were seen may still be there, so this is an upper bound.
 * What it holds is like what leaves next. */
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
  level = fm_queue_level_now (entrance->level);
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

/* For where nothing is copied now. */
static void
pass_list (FmEntrance *entrance, GstBufferList *list)
{
  guint n = gst_buffer_list_length (list), i;

  for (i = 0; i < n; i++) {
    GstBuffer *buffer = gst_buffer_list_get (list, i);
    gsize all, kept, foreign = look_at (entrance, buffer, &all, &kept);

    note_detection (entrance, buffer, all, foreign);
  }
}

GstBufferList *
fm_entrance_let_list_in (FmEntrance *entrance, GstPad *pad, GstBufferList *list,
    FmPacking **ret_packing)
{
  Place place = {entrance, pad, NULL};

  if (is_packed (entrance, pad, GST_MINI_OBJECT_CAST (list), ret_packing))
    return NULL;
  if (!entrance->is_queue) {
    pass_list (entrance, list);
    return list;
  }
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
  queues.names = queues.watches_all || fm_options_list_has (names, "known")
      ? g_strconcat (names, ":" FM_OPTIONS_QUEUES, NULL)
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

static void
record_free (FmQueueRecord *record)
{
  g_free (record->name);
  g_free (record);
}

/* For an element that can't tell. */
static void
note_seen (guint64 *figure, FmDetectionState seen)
{
  figure[FM_QUEUE_LEVEL] = MAX (figure[FM_QUEUE_LEVEL], seen.bytes);
  figure[FM_QUEUE_HELD_PEAK] = seen.peak;
  figure[FM_QUEUE_HELD_FOREIGN_PEAK] =
      MAX (figure[FM_QUEUE_HELD_FOREIGN_PEAK], seen.foreign_at_peak);
  figure[FM_QUEUE_OLDEST_NS] = (guint64) seen.oldest_us * 1000;
  figure[FM_QUEUE_KEPT] = seen.keeps_all ? seen.bytes : 0;
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
  record->figure[FM_QUEUE_LEVEL] = fm_queue_level_now (entrance->level);
  if (entrance->detection != NULL)
    note_seen (record->figure, fm_detection_look (entrance->detection));
  return record;
}

GPtrArray *
fm_queues_records (void)
{
  GPtrArray *records =
      g_ptr_array_new_with_free_func ((GDestroyNotify) record_free);
  g_autoptr (GPtrArray) entrances = fm_registry_list (&queues.entrances);
  guint i;

  /* An element that is asked for a level takes locks of its own, and may go at
   * that moment. */
  for (i = 0; i < entrances->len; i++) {
    FmEntrance *entrance = g_ptr_array_index (entrances, i);

    g_ptr_array_add (records, record_new (entrance));
  }
  return records;
}

guint
fm_queues_at_once (void)
{
  return fm_registry_peak (&queues.entrances);
}
