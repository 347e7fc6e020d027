/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packets.c: a deep queue of small buffers, as they come from a file, from a
 * socket (with the sender's address, of one object each), or from a payloader
 * (two memories): what it takes of memory when it is full, and how long it
 * takes to fill and to empty it.
 *
 * A thread pushes them into a queue; behind it nothing is let
 * through before all are in. Every buffer that comes out is checked: its
 * number, its size, how many memories it has, and its bytes. Whether they are
 * packed is up to who sets GST_TRACERS.
 *
 * Prints one line of name=value; a buffer that is not what was pushed ends it
 * with exit status 1.
 */
#include "measure.h"

#include <gst/net/net.h>
#include <stdlib.h>
#include <string.h>

#define RTP_HEADER 12

static gint64 block = 1316, n_packets = 100000;
static gchar *kind = NULL, *factory = NULL;

static const GOptionEntry entries[] = {
    {"block", 0, 0, G_OPTION_ARG_INT64, &block, "bytes of a packet", "BYTES"},
    {"packets", 0, 0, G_OPTION_ARG_INT64, &n_packets, "how many", "N"},
    {"kind", 0, 0, G_OPTION_ARG_STRING, &kind, "file, socket, rtp or mixed",
        "KIND"},
    {"queue", 0, 0, G_OPTION_ARG_STRING, &factory,
        "the element that they rest in", "ELEMENT"},
    {NULL}};

static struct
{
  GMutex lock;
  GCond changed;
  gboolean is_open;
  guint64 n_out;
} gate;

static G_GNUC_NORETURN void
fail (const gchar *what, guint64 number)
{
  g_printerr ("packets: packet %" G_GUINT64_FORMAT ": %s\n", number, what);
  exit (1);
}

static gsize
size_of (guint64 number)
{
  static const gsize sizes[] = {188, 1316, 4096, 376, 9000, 60};

  return g_str_equal (kind, "mixed") ? sizes[number % G_N_ELEMENTS (sizes)]
                                     : (gsize) block;
}

/* Cheap, and different for each. */
static void
fill (guint8 *data, gsize size, guint64 number)
{
  memset (data, (gint) number, size);
  memcpy (data, &number, MIN (size, sizeof number));
}

static GstBuffer *
make_packet (guint64 number)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, size_of (number), NULL);
  GstMapInfo info;

  if (!gst_buffer_map (buffer, &info, GST_MAP_WRITE))
    fail ("can't be written", number);
  fill (info.data, info.size, number);
  gst_buffer_unmap (buffer, &info);
  GST_BUFFER_OFFSET (buffer) = number;
  GST_BUFFER_PTS (buffer) = number * GST_USECOND;
  if (g_str_equal (kind, "socket")) {
    g_autoptr (GSocketAddress) from =
        g_inet_socket_address_new_from_string ("192.0.2.1", 5000);

    gst_buffer_add_net_address_meta (buffer, from);
  } else if (g_str_equal (kind, "rtp")) {
    GstBuffer *header = gst_buffer_new_allocate (NULL, RTP_HEADER, NULL);

    gst_buffer_memset (header, 0, (guint8) number, RTP_HEADER);
    gst_buffer_copy_into (header, buffer,
        GST_BUFFER_COPY_TIMESTAMPS | GST_BUFFER_COPY_FLAGS, 0, -1);
    buffer = gst_buffer_append (header, buffer);
    GST_BUFFER_OFFSET (buffer) = number;
  }
  return buffer;
}

static void
check_packet (GstBuffer *buffer, guint64 number)
{
  gsize head = g_str_equal (kind, "rtp") ? RTP_HEADER : 0;
  g_autofree guint8 *expected = g_malloc (size_of (number));
  GstMapInfo info;

  fill (expected, size_of (number), number);
  if (GST_BUFFER_OFFSET (buffer) != number
      || GST_BUFFER_PTS (buffer) != number * GST_USECOND)
    fail ("another number or time", number);
  if (gst_buffer_n_memory (buffer) != (head > 0 ? 2u : 1u))
    fail ("another number of memories", number);
  if (g_str_equal (kind, "socket")
      && gst_buffer_get_net_address_meta (buffer) == NULL)
    fail ("no address", number);
  if (!gst_memory_map (gst_buffer_peek_memory (buffer, head > 0 ? 1 : 0), &info,
          GST_MAP_READ))
    fail ("can't be read", number);
  if (info.size != size_of (number)
      || memcmp (info.data, expected, info.size) != 0)
    fail ("other bytes", number);
  gst_memory_unmap (gst_buffer_peek_memory (buffer, head > 0 ? 1 : 0), &info);
}

static GstFlowReturn
on_packet (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  if (G_UNLIKELY (gate.n_out == 0)) {
    g_mutex_lock (&gate.lock);
    while (!gate.is_open)
      g_cond_wait (&gate.changed, &gate.lock);
    g_mutex_unlock (&gate.lock);
  }
  check_packet (buffer, gate.n_out++);
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static gboolean
on_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    g_mutex_lock (&gate.lock);
    gate.is_open = FALSE;
    g_cond_signal (&gate.changed);
    g_mutex_unlock (&gate.lock);
  }
  gst_event_unref (event);
  return TRUE;
}

static void
open_and_wait (void)
{
  g_mutex_lock (&gate.lock);
  gate.is_open = TRUE;
  g_cond_signal (&gate.changed);
  while (gate.is_open)
    g_cond_wait (&gate.changed, &gate.lock);
  g_mutex_unlock (&gate.lock);
}

static void
push_all (GstPad *pad)
{
  gint64 i;

  for (i = 0; i < n_packets; i++) {
    if (gst_pad_push (pad, make_packet (i)) != GST_FLOW_OK)
      fail ("can't be pushed", i);
  }
  gst_pad_push_event (pad, gst_event_new_eos ());
}

/* A multiqueue makes the two of them when it is asked for the first. */
static GstPad *
get_pad (GstElement *queue, const gchar *name)
{
  g_autofree gchar *first = g_strconcat (name, "_0", NULL);
  GstPad *pad = gst_element_get_static_pad (queue, name);

  if (pad == NULL)
    pad = gst_element_get_static_pad (queue, first);
  return pad != NULL ? pad : gst_element_request_pad_simple (queue, first);
}

int
main (int argc, char **argv)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  GstElement *queue;
  GstPad *in, *out, *feed, *end;
  guint64 before, full, start, filled, emptied;
  GstSegment segment;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("packets: %s\n", error->message);
    return 2;
  }
  kind = kind != NULL ? kind : g_strdup ("file");
  factory = factory != NULL ? factory : g_strdup ("queue");
  gst_init (NULL, NULL);
  queue = gst_object_ref_sink (gst_element_factory_make (factory, NULL));
  g_object_set (queue, "max-size-buffers", 0, "max-size-bytes", 0,
      "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  feed = gst_object_ref_sink (gst_pad_new ("feed", GST_PAD_SRC));
  end = gst_object_ref_sink (gst_pad_new ("end", GST_PAD_SINK));
  gst_pad_set_chain_function (end, on_packet);
  gst_pad_set_event_function (end, on_event);
  in = get_pad (queue, "sink");
  out = get_pad (queue, "src");
  gst_pad_link (feed, in);
  gst_pad_link (out, end);
  gst_pad_set_active (end, TRUE);
  gst_element_set_state (queue, GST_STATE_PLAYING);
  gst_pad_set_active (feed, TRUE);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (feed, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (feed, gst_event_new_segment (&segment));

  before = process_anonymous ();
  start = clock_ns (CLOCK_MONOTONIC);
  push_all (feed);
  filled = clock_ns (CLOCK_MONOTONIC);
  full = process_anonymous ();
  open_and_wait ();
  emptied = clock_ns (CLOCK_MONOTONIC);
  if ((gint64) gate.n_out != n_packets)
    fail ("not all have come out", gate.n_out);
  g_print ("anonymous=%" G_GUINT64_FORMAT " fill_s=%.3f drain_s=%.3f\n",
      full - MIN (full, before), (gdouble) (filled - start) / 1e9,
      (gdouble) (emptied - filled) / 1e9);
  gst_element_set_state (queue, GST_STATE_NULL);
  gst_pad_set_active (feed, FALSE);
  gst_pad_set_active (end, FALSE);
  gst_object_unref (in);
  gst_object_unref (out);
  gst_object_unref (queue);
  gst_object_unref (feed);
  gst_object_unref (end);
  return 0;
}
