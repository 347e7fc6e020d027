/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * loss.c: see loss.h.
 *
 * The state of a pipeline is attached to the pipeline, and is freed with it.
 * The child of a fork has only its own pipelines: GStreamer's pool has no
 * threads there for those that it inherited.
 */
#include "loss.h"

#include "attribution.h"
#include "observe.h"
#include "registry.h"

/* The outermost element, usually a pipeline. */
typedef struct
{
  FmRegistryItem item;
  GWeakRef top;
  atomic_bool is_told;
} Pipeline;

static struct
{
  GQuark quark; /* of a pipeline's Pipeline; 0: not watched */
  FmRegistry pipelines;
} loss;

/* ---- pipelines ---- */

static GstElement *
find_top (GstElement *element)
{
  GstObject *at = gst_object_ref (element), *parent;

  while ((parent = gst_object_get_parent (at)) != NULL) {
    gst_object_unref (at);
    at = parent;
  }
  return GST_ELEMENT (at);
}

static Pipeline *
pipeline_of (GstElement *top)
{
  return g_object_get_qdata (G_OBJECT (top), loss.quark);
}

static void
pipeline_free (gpointer data)
{
  Pipeline *pipeline = data;

  g_weak_ref_clear (&pipeline->top);
  g_free (pipeline);
}

static void
pipeline_left (gpointer pipeline)
{
  fm_registry_leave (&loss.pipelines, pipeline);
}

void
fm_loss_see (GstElement *element)
{
  g_autoptr (GstElement) top = NULL;
  Pipeline *pipeline;

  if (loss.quark == 0)
    return;
  top = find_top (element);
  if (pipeline_of (top) != NULL)
    return;
  pipeline = g_new0 (Pipeline, 1);
  g_weak_ref_init (&pipeline->top, top);
  fm_registry_add (&loss.pipelines, &pipeline->item, pipeline_free);
  /* If two pads are the first at the same time, only one does it. */
  if (!g_object_replace_qdata (
          G_OBJECT (top), loss.quark, NULL, pipeline, pipeline_left, NULL))
    pipeline_left (pipeline);
}

/* ---- messages ---- */

static void
post (GstElement *element, gpointer unused)
{
  GST_ELEMENT_ERROR (element, RESOURCE, READ,
      ("Bytes of a buffer are lost: they were on disk and could not be brought "
       "back."),
      ("filemem could not map a buffer; the line on stderr that begins with "
       "\"filemem:\" says why. With on-loss=warn (GST_FILEMEM_ON_LOSS) that "
       "line is all"));
}

/* Posts, unless @pipeline has been told already. */
static void
tell (Pipeline *pipeline, GstElement *element)
{
  if (!atomic_exchange (&pipeline->is_told, TRUE))
    gst_element_call_async (element, post, NULL, NULL);
}

static void
tell_all (void)
{
  g_autoptr (GPtrArray) pipelines = fm_registry_list (&loss.pipelines);
  guint i;

  for (i = 0; i < pipelines->len; i++) {
    Pipeline *pipeline = g_ptr_array_index (pipelines, i);
    g_autoptr (GstElement) top = g_weak_ref_get (&pipeline->top);

    /* The bus of a pipeline that has ended drops messages; when it runs again
     * it is to be told of its own losses. */
    if (top != NULL && GST_STATE (top) != GST_STATE_NULL)
      tell (pipeline, top);
  }
}

static void
on_lost (void)
{
  g_autoptr (GstElement) element = fm_attribution_running ();
  g_autoptr (GstElement) top = element != NULL ? find_top (element) : NULL;
  Pipeline *pipeline = top != NULL ? pipeline_of (top) : NULL;

  if (pipeline != NULL)
    tell (pipeline, element);
  else
    tell_all ();
}

void
fm_loss_start (GstFileMemAllocator *allocator)
{
  if (loss.quark != 0)
    return;
  loss.quark = g_quark_from_static_string ("filemem-pipeline");
  gst_file_mem_allocator_set_loss_func (allocator, on_lost);
}

gboolean
fm_loss_is_watched (void)
{
  return loss.quark != 0;
}
