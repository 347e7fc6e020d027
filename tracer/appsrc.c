/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * appsrc.c: see appsrc.h.
 *
 * The signals by which a program pushes call functions in GstAppSrcClass, or in
 * a class made from it later. These functions are replaced when the first
 * appsrc is made; what comes out is watched likewise. Calls to the functions of
 * the C library get here through the shim (inject/inject.c).
 *
 * Each appsrc has an intake with an entrance (queues.h), which serves one
 * thread at a time, as a pad with its stream lock does. When a copy was made of
 * a frame that nothing else refers to, the frame is released in a thread of
 * GStreamer's pool: its maker may be notified, and may want a lock that the
 * program holds while it pushes.
 *
 * Locking: an intake's lock does what the stream lock does for a pad: threads
 * that push into one appsrc at the same time are let in one after the other.
 * None of the program's code is called while it is held.
 */
#include "appsrc.h"

#include "queues.h"
#include "sync.h"

#include <gst/base/gstbasesrc.h>

/* GstAppSrcClass, as far as it is used, of a library that need not be
 * loaded. */
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
  gboolean is_freeing;  /* a thread is about to release originals */
} Intake;

/* This many bytes of frames may wait to be released before a push waits for it,
 * and for how long it waits. */
#define TO_FREE_MAX ((gsize) 4 << 20)
#define WAIT_MAX_MS 100

static GQuark quark;      /* of an appsrc's Intake */
static GType appsrc_type; /* 0: the type does not exist yet */

/* The class as it was before. */
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

/* If two threads come first at the same time, only one makes it. */
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

/* Runs in a thread of GStreamer's. */
static void
free_originals (GstElement *appsrc, gpointer data)
{
  Intake *intake = data;
  GPtrArray *originals;

  fm_mutex_lock (&intake->lock);
  originals = fm_entrance_take_originals (intake->entrance);
  intake->is_freeing = FALSE;
  fm_mutex_unlock (&intake->lock);
  g_clear_pointer (&originals, g_ptr_array_unref);
}

static gsize
bytes_to_free (Intake *intake)
{
  gsize bytes;

  fm_mutex_lock (&intake->lock);
  bytes = fm_entrance_originals (intake->entrance);
  fm_mutex_unlock (&intake->lock);
  return bytes;
}

/* That thread may come late. It may also be waiting for this one, so this one
 * does not wait for ever. */
static void
have_freed (GstElement *appsrc, Intake *intake, gboolean is_first)
{
  guint ms;

  if (is_first)
    gst_element_call_async (appsrc, free_originals, intake, NULL);
  for (ms = 0; ms < WAIT_MAX_MS && bytes_to_free (intake) > TO_FREE_MAX; ms++)
    g_usleep (1000);
}

/* Memory that only GStreamer's own allocator can have provided, until it is
 * known what it is for. */
static gboolean
is_plain (GstBuffer *buffer)
{
  guint n = gst_buffer_n_memory (buffer), i;

  for (i = 0; i < n; i++) {
    if (!gst_memory_is_type (
            gst_buffer_peek_memory (buffer, i), GST_ALLOCATOR_SYSMEM))
      return FALSE;
  }
  return TRUE;
}

static gboolean
all_are_plain (gpointer item)
{
  guint i;

  if (GST_IS_BUFFER (item))
    return is_plain (item);
  for (i = 0; i < gst_buffer_list_length (item); i++) {
    if (!is_plain (gst_buffer_list_get (item, i)))
      return FALSE;
  }
  return TRUE;
}

/* Takes what is pushed and returns what is to be pushed in its place. @caps are
 * those that come with it, or NULL. @is_last: this is the only reference. */
static gpointer
take (GstElement *appsrc, gpointer item, GstCaps *caps, gboolean is_last)
{
  Intake *intake = intake_of (appsrc);
  g_autoptr (GstCaps) set = NULL;
  gboolean is_first = FALSE, has_any;
  FmPacking *unused;

  if (intake->entrance == NULL)
    return item;
  if (caps == NULL)
    g_object_get (appsrc, "caps", &set, NULL);
  caps = caps != NULL ? caps : set;
  if (caps == NULL && !all_are_plain (item))
    return item;
  fm_mutex_lock (&intake->lock);
  fm_entrance_set_caps (intake->entrance, caps);
  fm_entrance_keep_originals (intake->entrance, is_last);
  if (GST_IS_BUFFER (item))
    item = fm_entrance_let_in (intake->entrance, intake->pad, item, &unused);
  else
    item =
        fm_entrance_let_list_in (intake->entrance, intake->pad, item, &unused);
  has_any = fm_entrance_originals (intake->entrance) > 0;
  if (has_any && !intake->is_freeing)
    is_first = intake->is_freeing = TRUE;
  fm_mutex_unlock (&intake->lock);
  if (has_any)
    have_freed (appsrc, intake, is_first);
  return item;
}

static gboolean
is_appsrc (gpointer object)
{
  return appsrc_type != 0 && G_TYPE_CHECK_INSTANCE_TYPE (object, appsrc_type);
}

/* GStreamer itself complains about anything that is not a buffer or a list. */
static gboolean
is_watched (GstElement *appsrc, gpointer item)
{
  return is_appsrc (appsrc)
      && (GST_IS_BUFFER (item) || GST_IS_BUFFER_LIST (item));
}

/* ---- samples ---- */

/* The sample with what is to be pushed in place of its contents; NULL if that
 * is the same. */
static GstSample *
exchange_sample (GstElement *appsrc, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  GstBufferList *list = gst_sample_get_buffer_list (sample);
  GstMiniObject *item = list != NULL ? GST_MINI_OBJECT_CAST (list)
                                     : GST_MINI_OBJECT_CAST (buffer),
                *enters;
  GstSample *other = NULL;

  if (item == NULL)
    return NULL;
  enters = take (
      appsrc, gst_mini_object_ref (item), gst_sample_get_caps (sample), FALSE);
  if (enters != item) {
    other = gst_sample_copy (sample);
    if (list != NULL)
      gst_sample_set_buffer_list (other, GST_BUFFER_LIST_CAST (enters));
    else
      gst_sample_set_buffer (other, GST_BUFFER_CAST (enters));
  }
  gst_mini_object_unref (enters);
  return other;
}

static GstFlowReturn
push_sample (GstElement *appsrc, GstSample *sample,
    GstFlowReturn (*push) (GstElement *, GstSample *))
{
  GstSample *other = is_appsrc (appsrc) && GST_IS_SAMPLE (sample)
      ? exchange_sample (appsrc, sample)
      : NULL;
  GstFlowReturn result = push (appsrc, other != NULL ? other : sample);

  if (other != NULL)
    gst_sample_unref (other);
  return result;
}

/* ---- by signals: the program keeps what is pushed ---- */

static GstFlowReturn
push_kept (GstElement *appsrc, gpointer item,
    GstFlowReturn (*push) (GstElement *, gpointer))
{
  GstFlowReturn result;

  if (!is_watched (appsrc, item))
    return push (appsrc, item);
  item = take (appsrc, gst_mini_object_ref (item), NULL, FALSE);
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

/* ---- by functions, for the shim; these take what is pushed ---- */

#define EXPORT __attribute__ ((visibility ("default")))

EXPORT GstFlowReturn
gst_file_mem_tracer_push_buffer (GstElement *appsrc, gpointer item,
    GstFlowReturn (*push) (GstElement *, gpointer))
{
  return push (appsrc,
      is_watched (appsrc, item) ? take (appsrc, item, NULL, TRUE) : item);
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

/* In the class, and in those already derived from it, which have copies of
 * it. */
static void
replace_functions (GType type)
{
  AppSrcClass *klass = g_type_class_peek (type);
  guint n, i;
  g_autofree GType *children = g_type_children (type, &n);

  if (klass == NULL)
    return;
  if (klass->push_buffer == original.push_buffer)
    klass->push_buffer = on_push_buffer;
  if (klass->push_list == original.push_list)
    klass->push_list = on_push_list;
  if (klass->push_sample == original.push_sample)
    klass->push_sample = on_push_sample;
  if (klass->end_of_stream == original.end_of_stream)
    klass->end_of_stream = on_end_of_stream;
  if (klass->parent.create == original.parent.create)
    klass->parent.create = on_create;
  for (i = 0; i < n; i++)
    replace_functions (children[i]);
}

/* The class exists before its first element does. */
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
  if (query.class_size >= sizeof (AppSrcClass)) {
    original = *(AppSrcClass *) klass;
    quark = g_quark_from_static_string ("filemem-appsrc");
    appsrc_type = type;
    replace_functions (type);
  }
  g_once_init_leave (&done, 1);
}
