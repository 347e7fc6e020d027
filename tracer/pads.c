/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pads.c: see pads.h.
 *
 * When a pad is added the element may be half made, its type still that of a
 * base class; so a first probe waits for the first item, decides whether this
 * pad is of interest, and goes. If it is, the pad's functions are wrapped. A
 * probe that stays would do the same, for 350 ns a buffer.
 *
 * Sink pads are watched for buffers, lists, events and queries; source pads for
 * buffers that are pulled, and only with attribution: their function is wrapped
 * at once, and asks for the element when it is first called.
 *
 * Locking: none. The thread that replaces a pad's functions is the one that is
 * about to call them, or that has just made them.
 */
#include "pads.h"

#include "appsrc.h"
#include "attribution.h"
#include "loss.h"
#include "queues.h"

/* What is known of a pad whose functions were wrapped. */
typedef struct
{
  FmEntrance *entrance; /* of a queue; or NULL */
  FmTally *element;     /* whose pad it is; NULL if nothing asks */

  /* The original functions. */
  GstPadChainFunction chain;
  GstPadChainListFunction chain_list;
  GstPadEventFunction event;
  GstPadEventFullFunction event_full; /* the pad has one or the other */
  GstPadQueryFunction query;
  GstPadGetRangeFunction get_range;
  GstPadActivateModeFunction activate;
} Wrapped;

static GQuark quark; /* of a pad's Wrapped */

static Wrapped *
wrapped_of (GstPad *pad)
{
  return g_object_get_qdata (G_OBJECT (pad), quark);
}

static void
wrapped_free (gpointer data)
{
  Wrapped *wrapped = data;

  g_clear_pointer (&wrapped->entrance, fm_entrance_left);
  g_clear_pointer (&wrapped->element, fm_registry_item_unref);
  g_free (wrapped);
}

static FmTally *
element_of (GstElement *element)
{
  return fm_attribution_is_on ()
      ? fm_registry_item_ref (fm_attribution_of (element))
      : NULL;
}

static FmTally *
enter (const Wrapped *wrapped, GstPad *pad)
{
  return wrapped->element != NULL ? fm_attribution_enter (wrapped->element, pad)
                                  : NULL;
}

static void
leave (gboolean entered, FmTally *before)
{
  if (entered)
    fm_attribution_leave (before);
}

/* ---- what passes ---- */

static void
tell_packing (FmPacking *packing, GstFlowReturn result)
{
  if (G_LIKELY (packing == NULL))
    return;
  fm_packing_entered (packing, result);
  fm_packing_unref (packing);
}

static inline GstFlowReturn
let_buffer_in (
    const Wrapped *wrapped, GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  FmPacking *packing;
  GstFlowReturn result;

  buffer = fm_entrance_let_in (wrapped->entrance, pad, buffer, &packing);
  if (buffer == NULL)
    return GST_FLOW_OK;
  result = wrapped->chain (pad, parent, buffer);
  tell_packing (packing, result);
  return result;
}

static GstFlowReturn
let_list_in (
    const Wrapped *wrapped, GstPad *pad, GstObject *parent, GstBufferList *list)
{
  FmPacking *packing;
  GstFlowReturn result;

  list = fm_entrance_let_list_in (wrapped->entrance, pad, list, &packing);
  if (list == NULL)
    return GST_FLOW_OK;
  result = wrapped->chain_list (pad, parent, list);
  tell_packing (packing, result);
  return result;
}

/* What follows must not look at @wrapped: the pad may be gone by then. */
static inline GstFlowReturn
let_buffer_pass (
    const Wrapped *wrapped, GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  gboolean entered = wrapped->element != NULL;
  FmTally *before = enter (wrapped, pad);
  GstFlowReturn result;

  if (wrapped->entrance != NULL)
    result = let_buffer_in (wrapped, pad, parent, buffer);
  else
    result = wrapped->chain (pad, parent, buffer);
  leave (entered, before);
  return result;
}

static GstFlowReturn
on_buffer (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  return let_buffer_pass (pad->getrangedata, pad, parent, buffer);
}

static GstFlowReturn
on_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  const Wrapped *wrapped = wrapped_of (pad);
  gboolean entered = wrapped->element != NULL;
  FmTally *before = enter (wrapped, pad);
  GstFlowReturn result;

  if (wrapped->entrance != NULL)
    result = let_list_in (wrapped, pad, parent, list);
  else
    result = wrapped->chain_list (pad, parent, list);
  leave (entered, before);
  return result;
}

/* Pulls come one at a time. */
static GstFlowReturn
on_pull (GstPad *pad, GstObject *parent, guint64 offset, guint length,
    GstBuffer **buffer)
{
  Wrapped *wrapped = wrapped_of (pad);
  FmTally *before;
  GstFlowReturn result;

  if (wrapped->element == NULL)
    wrapped->element = element_of (GST_ELEMENT_CAST (parent));
  before = enter (wrapped, pad);
  result = wrapped->get_range (pad, parent, offset, length, buffer);
  leave (TRUE, before);
  return result;
}

/* An event that is not in line with the buffers may come from any thread, and
 * one that ends a flush does come from another thread. */
static gboolean
is_entered_by (const Wrapped *wrapped, GstEvent *event)
{
  if (wrapped->element == NULL || !GST_EVENT_IS_SERIALIZED (event)
      || GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    return FALSE;
  if (GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START)
    fm_attribution_new_stream ();
  return TRUE;
}

static gboolean
on_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  const Wrapped *wrapped = wrapped_of (pad);
  gboolean entered = is_entered_by (wrapped, event), result;
  FmTally *before = entered ? enter (wrapped, pad) : NULL;

  if (wrapped->entrance != NULL)
    fm_entrance_see_event (wrapped->entrance, event);
  result = wrapped->event (pad, parent, event);
  leave (entered, before);
  return result;
}

static GstFlowReturn
on_event_full (GstPad *pad, GstObject *parent, GstEvent *event)
{
  const Wrapped *wrapped = wrapped_of (pad);
  gboolean entered = is_entered_by (wrapped, event);
  FmTally *before = entered ? enter (wrapped, pad) : NULL;
  GstFlowReturn result;

  if (wrapped->entrance != NULL)
    fm_entrance_see_event (wrapped->entrance, event);
  result = wrapped->event_full (pad, parent, event);
  leave (entered, before);
  return result;
}

static gboolean
on_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  const Wrapped *wrapped = wrapped_of (pad);
  gboolean answered;

  fm_entrance_see_query (wrapped->entrance, query);
  answered = wrapped->query (pad, parent, query);
  if (answered)
    fm_entrance_see_answer (wrapped->entrance, query);
  return answered;
}

/* What a queue holds is gone when its pad is no longer active. By then any
 * thread that was about to enter has been turned back. */
static gboolean
on_activate (GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
  const Wrapped *wrapped = wrapped_of (pad);
  gboolean done = wrapped->activate (pad, parent, mode, active);

  if (!active) {
    GST_PAD_STREAM_LOCK (pad);
    fm_packing_stop (fm_entrance_packing (wrapped->entrance));
    GST_PAD_STREAM_UNLOCK (pad);
  }
  return done;
}

/* ---- pads ---- */

/* The function that passes each buffer of a list to the chain function, which
 * is wrapped. */
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

/* Only the first of two threads may do it. */
static gboolean
claim (GstPad *pad, Wrapped *wrapped)
{
  return g_object_replace_qdata (
      G_OBJECT (pad), quark, NULL, wrapped, wrapped_free, NULL);
}

/* Before it is the pad's: queries and flushes come in other threads than the
 * first buffer, and may call what is put in as soon as it is there. */
static void
note_sink (GstPad *pad, Wrapped *wrapped)
{
  wrapped->chain = GST_PAD_CHAINFUNC (pad);
  wrapped->chain_list = GST_PAD_CHAINLISTFUNC (pad);
  wrapped->event = GST_PAD_EVENTFUNC (pad);
  wrapped->event_full = GST_PAD_EVENTFULLFUNC (pad);
  wrapped->query = GST_PAD_QUERYFUNC (pad);
  wrapped->activate = GST_PAD_ACTIVATEMODEFUNC (pad);
}

static void
wrap_sink (GstPad *pad, Wrapped *wrapped)
{
  /* A place from which it can be fetched without a search, and where nothing
   * else is put: only source pads have a function that goes with this. */
  pad->getrangedata = wrapped;
  GST_PAD_CHAINFUNC (pad) = on_buffer;
  if (wrapped->chain_list != NULL
      && wrapped->chain_list != default_chain_list ())
    GST_PAD_CHAINLISTFUNC (pad) = on_list;
  if (wrapped->event_full != NULL)
    GST_PAD_EVENTFULLFUNC (pad) = on_event_full;
  else if (wrapped->event != NULL)
    GST_PAD_EVENTFUNC (pad) = on_event;
  if (wrapped->entrance != NULL && wrapped->query != NULL)
    GST_PAD_QUERYFUNC (pad) = on_query;
  if (wrapped->entrance != NULL
      && fm_entrance_packing (wrapped->entrance) != NULL
      && wrapped->activate != NULL)
    GST_PAD_ACTIVATEMODEFUNC (pad) = on_activate;
}

static GstPadProbeReturn
on_first (GstPad *pad, GstPadProbeInfo *info, gpointer unused)
{
  g_autoptr (GstElement) element = gst_pad_get_parent_element (pad);
  Wrapped *wrapped;

  if (element == NULL || GST_PAD_CHAINFUNC (pad) == NULL
      || wrapped_of (pad) != NULL)
    return GST_PAD_PROBE_REMOVE;
  fm_loss_see (element);
  wrapped = g_new0 (Wrapped, 1);
  wrapped->entrance =
      fm_queues_entrance (element, pad, GST_PAD_CHAINFUNC (pad));
  wrapped->element = element_of (element);
  note_sink (pad, wrapped);
  if ((wrapped->entrance != NULL || wrapped->element != NULL)
      && claim (pad, wrapped))
    wrap_sink (pad, wrapped);
  else
    wrapped_free (wrapped);
  return GST_PAD_PROBE_REMOVE;
}

/* No probe announces the first pull except a blocking one; but the function
 * exists as soon as the pad does. */
static void
wrap_source (GstPad *pad)
{
  Wrapped *wrapped;

  if (GST_PAD_GETRANGEFUNC (pad) == NULL || wrapped_of (pad) != NULL)
    return;
  wrapped = g_new0 (Wrapped, 1);
  wrapped->get_range = GST_PAD_GETRANGEFUNC (pad);
  g_object_set_qdata_full (G_OBJECT (pad), quark, wrapped, wrapped_free);
  GST_PAD_GETRANGEFUNC (pad) = on_pull;
}

static gboolean
on_pad_added (GSignalInvocationHint *hint, guint n_values, const GValue *values,
    gpointer unused)
{
  GstPad *pad = g_value_get_object (&values[1]);

  if (GST_IS_PROXY_PAD (pad))
    return TRUE;
  if (GST_PAD_IS_SINK (pad))
    gst_pad_add_probe (pad,
        GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST
            | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
        on_first, NULL, NULL);
  else if (fm_attribution_is_on ())
    wrap_source (pad);
  if (GST_PAD_IS_SRC (pad))
    fm_appsrc_look ();
  return TRUE;
}

void
fm_pads_start (void)
{
  GTypeClass *klass;

  if (quark != 0
      || !(fm_queues_are_watched () || fm_attribution_is_on ()
          || fm_loss_is_watched ()))
    return;
  quark = g_quark_from_static_string ("filemem-pad");
  klass = g_type_class_ref (GST_TYPE_ELEMENT);
  g_signal_add_emission_hook (g_signal_lookup ("pad-added", GST_TYPE_ELEMENT),
      0, on_pad_added, NULL, NULL);
  g_type_class_unref (klass);
}
