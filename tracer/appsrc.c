/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * appsrc.c: see appsrc.h.
 *
 * The signals by which a program pushes call functions of GstAppSrcClass, those
 * of all elements of that class or of one made later from it. They are replaced
 * when the first appsrc is made, and what comes out is looked at likewise. The
 * functions of the C library come to the same by the shim (inject/inject.c).
 *
 * Each appsrc has an intake, with an entrance (queues.h), which is for one
 * thread at a time, as a pad with its stream lock is.
 *
 * Locking: an intake's lock is what the stream lock is to a pad: threads that
 * push into one appsrc at the same time are let in one after the other. It is
 * not held while the appsrc is called.
 */
#include "appsrc.h"

#include "queues.h"
#include "sync.h"

#include <gst/base/gstbasesrc.h>

/* GstAppSrcClass, of a library that need not be here; as far as it is used. */
typedef struct
{
  GstBaseSrcClass parent;
  gpointer signals[3];
  GstFlowReturn (*push_buffer) (GstElement *appsrc, gpointer buffer);
  GstFlowReturn (*end_of_stream) (GstElement *appsrc);
  GstFlowReturn (*push_sample) (GstElement *appsrc, GstSample *sample);
  GstFlowReturn (*push_list) (GstElement *appsrc, gpointer list);
} AppSrcClass;

typedef struct
{
  FmMutex lock;
  FmEntrance *entrance; /* NULL: it is not watched */
  GstPad *pad;          /* not held: it is the element's */
} Intake;

static GQuark quark; /* of an appsrc's Intake */

/* The class, as it was. */
static AppSrcClass original;

/* ---- intakes ---- */

static void
intake_free (gpointer data)
{
  Intake *intake = data;

  g_clear_pointer (&intake->entrance, fm_entrance_left);
  fm_mutex_clear (&intake->lock);
  g_free (intake);
}

/* Of two threads that come first one alone makes it. */
static Intake *
intake_of (GstElement *appsrc)
{
  Intake *intake = g_object_get_qdata (G_OBJECT (appsrc), quark);
  g_autoptr (GstPad) pad = NULL;

  if (intake != NULL)
    return intake;
  pad = gst_element_get_static_pad (appsrc, "src");
  intake = g_new0 (Intake, 1);
  fm_mutex_init (&intake->lock);
  intake->pad = pad;
  intake->entrance = fm_queues_entrance (appsrc, pad, NULL);
  if (!g_object_replace_qdata (
          G_OBJECT (appsrc), quark, NULL, intake, intake_free, NULL))
    intake_free (intake);
  return g_object_get_qdata (G_OBJECT (appsrc), quark);
}

/* Takes what is pushed and gives what is to be pushed in its place. */
static gpointer
take (GstElement *appsrc, gpointer item)
{
  Intake *intake = intake_of (appsrc);
  FmPacking *unused;

  if (intake->entrance == NULL)
    return item;
  fm_mutex_lock (&intake->lock);
  if (GST_IS_BUFFER (item))
    item = fm_entrance_let_in (intake->entrance, intake->pad, item, &unused);
  else
    item =
        fm_entrance_let_list_in (intake->entrance, intake->pad, item, &unused);
  fm_mutex_unlock (&intake->lock);
  return item;
}

/* What is no buffer or list, GStreamer complains of. */
static gboolean
is_watched (GstElement *appsrc, gpointer item)
{
  return quark != 0 && GST_IS_ELEMENT (appsrc)
      && (GST_IS_BUFFER (item) || GST_IS_BUFFER_LIST (item));
}

/* ---- samples ---- */

/* The sample with what is to be pushed in place of what it has; NULL if that is
 * the same. */
static GstSample *
exchange_sample (GstElement *appsrc, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample), *enters;
  GstSample *other;

  if (buffer == NULL || gst_sample_get_buffer_list (sample) != NULL)
    return NULL;
  enters = take (appsrc, gst_buffer_ref (buffer));
  if (enters == buffer) {
    gst_buffer_unref (enters);
    return NULL;
  }
  other = gst_sample_copy (sample);
  gst_sample_set_buffer (other, enters);
  gst_buffer_unref (enters);
  return other;
}

static GstFlowReturn
push_sample (GstElement *appsrc, GstSample *sample,
    GstFlowReturn (*push) (GstElement *, GstSample *))
{
  GstSample *other = quark != 0 && GST_IS_SAMPLE (sample)
      ? exchange_sample (appsrc, sample)
      : NULL;
  GstFlowReturn result = push (appsrc, other != NULL ? other : sample);

  if (other != NULL)
    gst_sample_unref (other);
  return result;
}

/* ---- by signals: what is pushed stays the program's ---- */

static GstFlowReturn
push_kept (GstElement *appsrc, gpointer item,
    GstFlowReturn (*push) (GstElement *, gpointer))
{
  GstFlowReturn result;

  if (!is_watched (appsrc, item))
    return push (appsrc, item);
  item = take (appsrc, gst_mini_object_ref (item));
  result = push (appsrc, item);
  gst_mini_object_unref (item);
  return result;
}

static GstFlowReturn
on_push_buffer (GstElement *appsrc, gpointer buffer)
{
  return push_kept (appsrc, buffer, original.push_buffer);
}

static GstFlowReturn
on_push_list (GstElement *appsrc, gpointer list)
{
  return push_kept (appsrc, list, original.push_list);
}

static GstFlowReturn
on_push_sample (GstElement *appsrc, GstSample *sample)
{
  return push_sample (appsrc, sample, original.push_sample);
}

static GstFlowReturn
on_end_of_stream (GstElement *appsrc)
{
  fm_queues_end_of_stream ();
  return original.end_of_stream (appsrc);
}

/* ---- by functions, for the shim; what is pushed is theirs ---- */

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT GstFlowReturn
gst_file_mem_tracer_push_buffer (GstElement *appsrc, gpointer item,
    GstFlowReturn (*push) (GstElement *, gpointer))
{
  return push (appsrc, is_watched (appsrc, item) ? take (appsrc, item) : item);
}

EXPORT GstFlowReturn
gst_file_mem_tracer_push_sample (GstElement *appsrc, GstSample *sample,
    GstFlowReturn (*push) (GstElement *, GstSample *))
{
  return push_sample (appsrc, sample, push);
}

EXPORT GstFlowReturn
gst_file_mem_tracer_end_of_stream (
    GstElement *appsrc, GstFlowReturn (*end) (GstElement *))
{
  fm_queues_end_of_stream ();
  return end (appsrc);
}

/* ---- what comes out ---- */

static GstFlowReturn
on_create (GstBaseSrc *appsrc, guint64 offset, guint size, GstBuffer **buffer)
{
  GstFlowReturn result = original.parent.create (appsrc, offset, size, buffer);
  Intake *intake = intake_of (GST_ELEMENT_CAST (appsrc));

  if (result == GST_FLOW_OK && *buffer != NULL && intake->entrance != NULL)
    fm_entrance_see_leaving (intake->entrance, *buffer);
  return result;
}

/* ---- the class ---- */

static void
replace_functions (AppSrcClass *klass)
{
  original = *klass;
  quark = g_quark_from_static_string ("filemem-appsrc");
  klass->push_buffer = on_push_buffer;
  klass->push_list = on_push_list;
  klass->push_sample = on_push_sample;
  klass->end_of_stream = on_end_of_stream;
  klass->parent.create = on_create;
}

/* The class is there before the first element of it is, and no other has been
 * made meanwhile. */
void
fm_appsrc_look (void)
{
  static gsize done = 0;
  GType type;
  gpointer klass;
  GTypeQuery query;

  if (G_LIKELY (done) || !fm_queues_are_watched ())
    return;
  type = g_type_from_name ("GstAppSrc");
  klass = type != 0 ? g_type_class_peek (type) : NULL;
  if (klass == NULL || !g_once_init_enter (&done))
    return;
  g_type_query (type, &query);
  if (query.class_size >= sizeof (AppSrcClass))
    replace_functions (klass);
  g_once_init_leave (&done, 1);
}
