/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-exit.c: the reader of packing.c: it sees what leaves the queue, makes
 * what was packed again and pushes it, in the queue's own task. What stays
 * because nothing was linked is kept until something is.
 */
#include "packing-private.h"

FmPacking *
fm_packing_ref (FmPacking *packing)
{
  g_atomic_ref_count_inc (&packing->refs);
  return packing;
}

GstFlowReturn
fm_packing_enter (FmPacking *packing, FmParcel *parcel)
{
  fm_packing_count (packing, FM_QUEUE_PARCELS, 1);
  return packing->chain (packing->sink, GST_OBJECT_CAST (packing->element),
      fm_parcel_close (parcel));
}

static GstPadProbeReturn on_leaving (
    GstPad *pad, GstPadProbeInfo *info, gpointer data);

/* Moves the probe ahead of those that are there. GStreamer appends probes; the
 * list is in the pad's public part. A probe that is being called must not be
 * moved, or those before it would be called again: so until it is in its place,
 * the probe is one for pulls, of which there are none here. */
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
  if (hook != NULL)
    hook->flags ^= (GST_PAD_PROBE_TYPE_PULL | GST_PAD_PROBE_TYPE_PUSH)
        << G_HOOK_FLAG_USER_SHIFT;
  GST_OBJECT_UNLOCK (pad);
}

void
fm_packing_add_probe (FmPacking *packing)
{
  if (packing->probe != 0)
    return;
  fm_packing_ref (packing);
  packing->probe = gst_pad_add_probe (packing->src,
      GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
          | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM | GST_PAD_PROBE_TYPE_PULL,
      on_leaving, packing, (GDestroyNotify) fm_packing_unref);
  put_first (packing->src, packing->probe);
}

static gboolean
has_rest (FmPacking *packing)
{
  return packing->is_reading || packing->rest.length > 0;
}

/* More is to come, perhaps because the writer has opened a parcel meanwhile. */
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
    fm_packing_add_probe (packing);
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
  return fm_packing_get_levels (packing).buffers == 0;
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
  (void) fm_packing_enter (packing, parcel);
  fm_mutex_lock (&packing->lock);
  packing->is_entering = FALSE;
  fm_cond_signal (&packing->entered);
  fm_mutex_unlock (&packing->lock);
}

void
fm_packing_drop_rest (FmPacking *packing, gboolean is_lost)
{
  if (is_lost)
    fm_packing_count (packing, FM_QUEUE_PACKED_LOST,
        packing->is_reading + packing->rest.length);
  if (packing->is_reading)
    fm_parcel_reader_clear (&packing->reader);
  packing->is_reading = FALSE;
  g_clear_pointer (&packing->known, g_hash_table_unref);
  g_queue_clear_full (&packing->rest, (GDestroyNotify) gst_mini_object_unref);
}

/* The next item to be pushed; NULL if that was the last. */
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
      fm_packing_count (packing, FM_QUEUE_PACKED_LOST, 1);
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

/* Notes the events that are sent again to whichever element is linked next. */
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

/* Pushes everything that has come out, in the pad's own streaming thread. */
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
  /* There may soon be a peer for the rest. */
  if (result == GST_FLOW_NOT_LINKED && !packing->queue->goes_on)
    note_events (packing);
  else if (result != GST_FLOW_OK)
    fm_packing_drop_rest (packing, FALSE);
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

/* Pushes the rest, and behind it what is leaving now. */
static GstPadProbeReturn
push_with_rest (FmPacking *packing, GstPadProbeInfo *info)
{
  g_queue_push_tail (&packing->rest, GST_PAD_PROBE_INFO_DATA (info));
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  /* The probe would only cost each of the buffers some time. */
  remove_probe (packing, TRUE);
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = push_rest (packing);
  restore_probe (packing);
  return GST_PAD_PROBE_HANDLED;
}

/* An event that is not in line with the buffers does not come from the
 * reader. */
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
    fm_packing_drop_rest (packing, FALSE);
    packing->rest_epoch = epoch;
  }
  if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
    /* The event can't be held back, and nothing can be pushed ahead of it. */
    if (!is_sent_again (packing, GST_PAD_PROBE_INFO_EVENT (info)))
      fm_packing_drop_rest (packing, TRUE);
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

void
fm_packing_unref (FmPacking *packing)
{
  if (!g_atomic_ref_count_dec (&packing->refs))
    return;
  fm_packing_drop_rest (packing, FALSE);
  fm_registry_item_unref (packing->owner);
  fm_mutex_clear (&packing->lock);
  fm_cond_clear (&packing->entered);
  g_free (packing);
}
