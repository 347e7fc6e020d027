/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-line.c: see packing-line.h.
 */
#include "packing-line.h"

#include "packing-metas.h"

#include <string.h>

static GQuark line_quark;

static Line *
line_of (GstPad *pad)
{
  return g_object_get_qdata (G_OBJECT (pad), line_quark);
}

/* ---- in words ---- */

static gchar *
describe_buffer (GstBuffer *buffer)
{
  GString *text = g_string_new ("buffer");
  g_autofree gpointer bytes = NULL;
  g_autofree gchar *hash = NULL;
  gpointer state = NULL;
  GstMeta *meta;
  gsize size;
  guint i;

  for (i = 0; i < gst_buffer_n_memory (buffer); i++)
    g_string_append_printf (
        text, " %" G_GSIZE_FORMAT, gst_buffer_peek_memory (buffer, i)->size);
  /* To map it may change its memories, but for another one's. */
  gst_buffer_extract_dup (buffer, 0, -1, &bytes, &size);
  hash = g_compute_checksum_for_data (G_CHECKSUM_MD5, bytes, size);
  g_string_append_printf (text,
      ": %s, pts %" G_GINT64_FORMAT " dts %" G_GINT64_FORMAT
      " duration %" G_GINT64_FORMAT " offset %" G_GINT64_FORMAT
      " to %" G_GINT64_FORMAT ", flags %x,",
      hash, (gint64) GST_BUFFER_PTS (buffer), (gint64) GST_BUFFER_DTS (buffer),
      (gint64) GST_BUFFER_DURATION (buffer),
      (gint64) GST_BUFFER_OFFSET (buffer),
      (gint64) GST_BUFFER_OFFSET_END (buffer), GST_BUFFER_FLAGS (buffer));
  while ((meta = gst_buffer_iterate_meta (buffer, &state)) != NULL)
    metas_describe (text, meta, buffer);
  if (gst_mini_object_get_qdata (GST_MINI_OBJECT_CAST (buffer), line_quark)
      != NULL)
    g_string_append (text, " data");
  return g_string_free (text, FALSE);
}

static gchar *
describe_list (GstBufferList *list)
{
  GString *text = g_string_new ("list");
  guint i;

  for (i = 0; i < gst_buffer_list_length (list); i++) {
    g_autofree gchar *buffer = describe_buffer (gst_buffer_list_get (list, i));

    g_string_append_printf (text, " [%s]", buffer);
  }
  return g_string_free (text, FALSE);
}

/* ---- the end ---- */

/* What it answers; only with a permit. Takes @words. */
static GstFlowReturn
see_data (Line *line, gchar *words, guint n)
{
  GstFlowReturn result = GST_FLOW_OK;

  g_mutex_lock (&line->lock);
  line->is_waiting = TRUE;
  g_cond_broadcast (&line->changed);
  while (line->permits == 0 && !line->is_free && !line->is_stopping)
    g_cond_wait (&line->changed, &line->lock);
  line->is_waiting = FALSE;
  if (line->is_stopping) {
    g_mutex_unlock (&line->lock);
    g_free (words);
    return GST_FLOW_FLUSHING;
  }
  line->permits -= line->permits > 0;
  g_ptr_array_add (line->seen, words);
  line->n_buffers += n;
  if (line->n_buffers >= line->answer_at)
    result = line->answer;
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
  return result;
}

static GstFlowReturn
on_chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Line *line = line_of (pad);
  GstFlowReturn result = see_data (line, describe_buffer (buffer), 1);

  g_mutex_lock (&line->lock);
  if (line->n_buffers == line->keep_at)
    line->kept = gst_buffer_ref (buffer);
  g_mutex_unlock (&line->lock);
  gst_buffer_unref (buffer);
  return result;
}

static GstFlowReturn
on_chain_list (GstPad *pad, GstObject *parent, GstBufferList *list)
{
  GstFlowReturn result = see_data (
      line_of (pad), describe_list (list), gst_buffer_list_length (list));

  gst_buffer_list_unref (list);
  return result;
}

void
line_set_stopping (Line *line, gboolean is_stopping)
{
  g_mutex_lock (&line->lock);
  line->is_stopping = is_stopping;
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
}

static void
see (Line *line, gchar *words, gboolean is_end)
{
  g_mutex_lock (&line->lock);
  g_ptr_array_add (line->seen, words);
  line->has_ended |= is_end;
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
}

static gboolean
on_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  const GstStructure *structure = gst_event_get_structure (event);
  g_autofree gchar *more =
      structure != NULL ? gst_structure_to_string (structure) : NULL;
  gboolean is_end = GST_EVENT_TYPE (event) == GST_EVENT_EOS;

  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_START)
    line_set_stopping (line_of (pad), TRUE);
  else if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    line_set_stopping (line_of (pad), FALSE);
  if (GST_EVENT_IS_SERIALIZED (event)
      && GST_EVENT_TYPE (event) != GST_EVENT_FLUSH_STOP)
    see (line_of (pad),
        g_strdup_printf ("event %s %s", GST_EVENT_TYPE_NAME (event),
            more != NULL ? more : ""),
        is_end);
  gst_event_unref (event);
  return TRUE;
}

static gboolean
on_query (GstPad *pad, GstObject *parent, GstQuery *query)
{
  if (GST_QUERY_TYPE (query) == GST_QUERY_ACCEPT_CAPS) {
    gst_query_set_accept_caps_result (query, TRUE);
    return TRUE;
  }
  if (!GST_QUERY_IS_SERIALIZED (query))
    return gst_pad_query_default (pad, parent, query);
  see (line_of (pad), g_strdup_printf ("query %s", GST_QUERY_TYPE_NAME (query)),
      FALSE);
  return TRUE;
}

/* ---- the line ---- */

void
line_start (Line *line)
{
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("test/x-any");
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (line->feed, gst_event_new_stream_start ("test"));
  gst_pad_push_event (line->feed, gst_event_new_caps (caps));
  gst_pad_push_event (line->feed, gst_event_new_segment (&segment));
}

/* A multiqueue makes one when it is asked for it. */
static GstPad *
add_sink (Line *line)
{
  GstPad *pad = gst_element_get_static_pad (line->queue, "sink");

  line->teller = G_OBJECT (line->queue);
  if (pad == NULL) {
    pad = gst_element_request_pad_simple (line->queue, "sink_%u");
    line->teller = G_OBJECT (pad);
  }
  return pad;
}

GstPad *
line_src (Line *line)
{
  GstPad *pad = gst_element_get_static_pad (line->queue, "src");

  return pad != NULL ? pad : gst_element_get_static_pad (line->queue, "src_0");
}

Line *
line_new (const gchar *factory, gboolean packed)
{
  Line *line = g_new0 (Line, 1);
  g_autoptr (GstPad) in = NULL;
  g_autoptr (GstPad) out = NULL;

  line_quark = g_quark_from_static_string ("packing-line");
  g_mutex_init (&line->lock);
  g_cond_init (&line->changed);
  line->seen = g_ptr_array_new_with_free_func (g_free);
  line->answer_at = line->keep_at = G_MAXUINT;
  line->queue = gst_object_ref_sink (gst_element_factory_make (factory, NULL));
  g_object_set (line->queue, "max-size-buffers", packed ? 0 : 1000000,
      "max-size-bytes", 0, "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  if (g_str_equal (factory, "queue2"))
    g_object_set (line->queue, "use-rate-estimate", FALSE, NULL);
  line->feed = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  line->end = gst_object_ref_sink (gst_pad_new ("end", GST_PAD_SINK));
  g_object_set_qdata (G_OBJECT (line->end), line_quark, line);
  gst_pad_set_chain_function (line->end, on_chain);
  gst_pad_set_chain_list_function (line->end, on_chain_list);
  gst_pad_set_event_function (line->end, on_event);
  gst_pad_set_query_function (line->end, on_query);
  in = add_sink (line);
  out = line_src (line);
  testing_check (gst_pad_link (line->feed, in) == GST_PAD_LINK_OK);
  testing_check (gst_pad_link (out, line->end) == GST_PAD_LINK_OK);
  gst_pad_set_active (line->end, TRUE);
  gst_element_set_state (line->queue, GST_STATE_PLAYING);
  gst_pad_set_active (line->feed, TRUE);
  line_start (line);
  return line;
}

void
line_free (Line *line)
{
  line_set_stopping (line, TRUE);
  gst_pad_set_active (line->end, FALSE);
  gst_element_set_state (line->queue, GST_STATE_NULL);
  gst_pad_set_active (line->feed, FALSE);
  gst_object_unref (line->queue);
  gst_object_unref (line->feed);
  gst_object_unref (line->end);
  g_ptr_array_unref (line->seen);
  g_mutex_clear (&line->lock);
  g_cond_clear (&line->changed);
  g_free (line);
}

void
line_permit (Line *line, guint n)
{
  g_mutex_lock (&line->lock);
  line->permits += n;
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
}

void
line_set_free (Line *line, gboolean is_free)
{
  g_mutex_lock (&line->lock);
  line->is_free = is_free;
  line->permits = 0;
  g_cond_broadcast (&line->changed);
  g_mutex_unlock (&line->lock);
}

void
line_answer (Line *line, guint at, GstFlowReturn answer)
{
  g_mutex_lock (&line->lock);
  line->answer_at = at;
  line->answer = answer;
  g_mutex_unlock (&line->lock);
}

void
line_keep (Line *line, guint nth)
{
  g_mutex_lock (&line->lock);
  line->keep_at = nth;
  g_mutex_unlock (&line->lock);
}

GstBuffer *
line_kept (Line *line)
{
  GstBuffer *kept;

  g_mutex_lock (&line->lock);
  kept = g_steal_pointer (&line->kept);
  g_mutex_unlock (&line->lock);
  return kept;
}

void
line_wait_for (Line *line, guint n_buffers)
{
  g_mutex_lock (&line->lock);
  while (line->n_buffers < n_buffers)
    g_cond_wait (&line->changed, &line->lock);
  g_mutex_unlock (&line->lock);
}

void
line_wait_for_next (Line *line)
{
  g_mutex_lock (&line->lock);
  while (!line->is_waiting)
    g_cond_wait (&line->changed, &line->lock);
  g_mutex_unlock (&line->lock);
}

void
line_wait_for_end (Line *line)
{
  g_mutex_lock (&line->lock);
  while (!line->has_ended)
    g_cond_wait (&line->changed, &line->lock);
  g_mutex_unlock (&line->lock);
}

GstBuffer *
line_buffer (gsize size, guint seed)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size, NULL);
  GstMapInfo map;

  testing_check (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
  testing_fill (map.data, map.size, seed);
  gst_buffer_unmap (buffer, &map);
  GST_BUFFER_OFFSET (buffer) = seed;
  return buffer;
}

gchar *
line_text (Line *line)
{
  gchar *text;

  g_mutex_lock (&line->lock);
  g_ptr_array_add (line->seen, NULL);
  text = g_strjoinv ("\n", (gchar **) line->seen->pdata);
  g_ptr_array_set_size (line->seen, line->seen->len - 1);
  g_mutex_unlock (&line->lock);
  return text;
}

/* To be freed. */
static gchar *
get_report (void)
{
  g_autoptr (GstAllocator) allocator = gst_allocator_find (NULL);
  GObject *tracer = g_object_get_data (G_OBJECT (allocator), "filemem-tracer");
  gchar *report = NULL;

  testing_check (tracer != NULL);
  g_signal_emit_by_name (tracer, "get-report", TRUE, &report);
  return report;
}

guint64
line_figure (const gchar *name)
{
  g_autofree gchar *mark = g_strdup_printf ("\"%s\":", name);
  g_autofree gchar *report = get_report ();
  const gchar *at;
  guint64 sum = 0;

  for (at = strstr (report, "\"queues\":"); at != NULL;
       at = strstr (at, mark)) {
    if (g_str_has_prefix (at, mark))
      sum += g_ascii_strtoull (at + strlen (mark), NULL, 10);
    at++;
  }
  return sum;
}

guint64
line_live_blocks (void)
{
  g_autofree gchar *report = get_report ();
  const gchar *mark = "\"live-blocks\":", *at = strstr (report, mark);

  testing_check (at != NULL);
  return g_ascii_strtoull (at + strlen (mark), NULL, 10);
}
