/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue2.c: a byte stream through a deep queue element: queue2 with a temporary
 * file, or queue with a competitor as default allocator.
 *
 * A thread pushes buffers into the element; the chain function behind it checks
 * every byte. How many bytes are between the two is kept by them, in the same
 * way for both elements: filled to the depth first, then between 15/16 of it
 * and all of it until everything has been pushed. queue2 has a ring buffer in
 * its file; with --download it keeps the whole stream there instead.
 *
 * Prints one line of name=value; a wrong byte ends it with exit status 1.
 * Exit status 77: there is no such element or competitor here.
 */
#include "competitors.h"
#include "measure.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE 4096
#define STEP 65536 /* the counters are looked at this often */

typedef struct
{
  GstPad *out;
  GstPad *in;
  gsize block;
  guint64 depth, least, total; /* bytes */

  GMutex lock; /* of the rest, down to the consumer's */
  GCond changed;
  guint64 n_in, n_out;
  gboolean was_full, at_end;

  /* The consumer's. */
  guint64 n_taken;
  guint8 page[PAGE]; /* of which a part has come */
} Test;

static void
fail (const gchar *what, guint64 at)
{
  g_printerr ("queue2: byte %" G_GUINT64_FORMAT ": %s\n", at, what);
  exit (1);
}

/* ---- in front of the element ---- */

static void
wait_for_room (Test *test)
{
  g_mutex_lock (&test->lock);
  while (test->n_in - test->n_out + test->block > test->depth)
    g_cond_wait (&test->changed, &test->lock);
  g_mutex_unlock (&test->lock);
}

static void
count_in (Test *test)
{
  g_mutex_lock (&test->lock);
  test->n_in += test->block;
  if (test->n_in - test->n_out + test->block > test->depth)
    test->was_full = TRUE;
  g_cond_signal (&test->changed);
  g_mutex_unlock (&test->lock);
}

static gpointer
produce (gpointer data)
{
  Test *test = data;
  GstSegment segment;
  guint64 at;

  gst_segment_init (&segment, GST_FORMAT_BYTES);
  gst_pad_push_event (test->out, gst_event_new_stream_start ("bench"));
  gst_pad_push_event (test->out, gst_event_new_segment (&segment));
  for (at = 0; at < test->total; at += test->block) {
    GstBuffer *buffer;
    GstMapInfo info;
    gsize i;

    wait_for_room (test);
    buffer = gst_buffer_new_allocate (NULL, test->block, NULL);
    if (buffer == NULL || !gst_buffer_map (buffer, &info, GST_MAP_WRITE))
      fail ("can't be written", at);
    for (i = 0; i < test->block; i += PAGE)
      contents_fill (info.data + i, PAGE, (at + i) / PAGE);
    gst_buffer_unmap (buffer, &info);
    GST_BUFFER_OFFSET (buffer) = at;
    if (gst_pad_push (test->out, buffer) != GST_FLOW_OK)
      fail ("can't be pushed", at);
    count_in (test);
  }
  gst_pad_push_event (test->out, gst_event_new_eos ());
  return NULL;
}

/* ---- behind it ---- */

static void
check_bytes (Test *test, const guint8 *data, gsize size)
{
  while (size > 0) {
    const gsize have = test->n_taken % PAGE;
    const gsize n = MIN (PAGE - have, size);
    const guint8 *page = data;

    if (n < PAGE) {
      memcpy (test->page + have, data, n);
      page = test->page;
    }
    if (have + n == PAGE && !contents_right (page, PAGE, test->n_taken / PAGE))
      fail ("holds other bytes than were written", test->n_taken);
    test->n_taken += n;
    data += n;
    size -= n;
  }
}

static gboolean
may_take (const Test *test)
{
  return test->n_in == test->total
      || (test->was_full && test->n_in - test->n_out > test->least);
}

static GstFlowReturn
chain (GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  Test *test = g_object_get_data (G_OBJECT (pad), "test");
  GstMapInfo info;

  if (test->n_taken / STEP != test->n_out / STEP || test->n_taken == 0) {
    g_mutex_lock (&test->lock);
    test->n_out = test->n_taken;
    g_cond_signal (&test->changed);
    while (!may_take (test))
      g_cond_wait (&test->changed, &test->lock);
    g_mutex_unlock (&test->lock);
  }
  if (!gst_buffer_map (buffer, &info, GST_MAP_READ))
    fail ("can't be read", test->n_taken);
  check_bytes (test, info.data, info.size);
  gst_buffer_unmap (buffer, &info);
  gst_buffer_unref (buffer);
  return GST_FLOW_OK;
}

static gboolean
take_event (GstPad *pad, GstObject *parent, GstEvent *event)
{
  Test *test = g_object_get_data (G_OBJECT (pad), "test");

  if (GST_EVENT_TYPE (event) == GST_EVENT_EOS) {
    g_mutex_lock (&test->lock);
    test->at_end = TRUE;
    g_cond_signal (&test->changed);
    g_mutex_unlock (&test->lock);
  }
  gst_event_unref (event);
  return TRUE;
}

/* ---- the element between them ---- */

static void
link_element (Test *test, GstElement *element)
{
  GstPad *sink = gst_element_get_static_pad (element, "sink");
  GstPad *source = gst_element_get_static_pad (element, "src");

  test->out = gst_pad_new ("out", GST_PAD_SRC);
  test->in = gst_pad_new ("in", GST_PAD_SINK);
  g_object_set_data (G_OBJECT (test->in), "test", test);
  gst_pad_set_chain_function (test->in, chain);
  gst_pad_set_event_function (test->in, take_event);
  gst_pad_set_active (test->out, TRUE);
  gst_pad_set_active (test->in, TRUE);
  if (gst_pad_link (test->out, sink) != GST_PAD_LINK_OK
      || gst_pad_link (source, test->in) != GST_PAD_LINK_OK)
    fail ("no link", 0);
  gst_object_unref (sink);
  gst_object_unref (source);
}

static GstElement *
make_element (
    Test *test, gboolean with_file, const gchar *dir, gboolean download)
{
  GstElement *element =
      gst_element_factory_make (with_file ? "queue2" : "queue", NULL);

  if (element == NULL) {
    g_printerr ("there is no element %s\n", with_file ? "queue2" : "queue");
    exit (77);
  }
  g_object_set (element, "max-size-buffers", 0, "max-size-bytes", 0,
      "max-size-time", G_GUINT64_CONSTANT (0), NULL);
  if (with_file) {
    g_autofree gchar *template =
        g_build_filename (dir, "filemem-bench-XXXXXX", NULL);
    /* A little more than is ever in it. */
    const guint64 ring = test->depth + (4 << 20);

    g_object_set (element, "temp-template", template, NULL);
    /* The ring buffer is as large as the lesser of the two. */
    if (!download)
      g_object_set (element, "ring-buffer-max-size", ring, "max-size-bytes",
          (guint) ring, NULL);
  }
  link_element (test, element);
  if (gst_element_set_state (element, GST_STATE_PLAYING)
      == GST_STATE_CHANGE_FAILURE)
    fail ("the element doesn't start", 0);
  if (with_file) {
    g_autofree gchar *location = NULL;

    /* It is open by now, and nothing may stay of a run that is killed. */
    g_object_get (element, "temp-location", &location, NULL);
    if (location != NULL)
      unlink (location);
  }
  return element;
}

static void
run (Test *test, GstElement *element, const Competitor *competitor,
    GstAllocator *allocator)
{
  GThread *producer;
  Moment before;

  moment_now (&before);
  producer = g_thread_new ("producer", produce, test);
  g_thread_join (producer);
  g_mutex_lock (&test->lock);
  while (!test->at_end)
    g_cond_wait (&test->changed, &test->lock);
  g_mutex_unlock (&test->lock);
  if (test->n_taken != test->total)
    fail ("is the last one that came", test->n_taken);
  moment_print_since (&before, (gdouble) test->total);
  if (competitor != NULL && competitor->print != NULL)
    competitor->print (allocator);
  g_print ("\n");
  gst_element_set_state (element, GST_STATE_NULL);
}

int
main (int argc, char **argv)
{
  gint64 block = 65536, depth = G_GINT64_CONSTANT (3) << 30,
         total = G_GINT64_CONSTANT (9) << 30;
  g_autofree gchar *dir = g_strdup ("/var/tmp"), *ram = g_strdup ("256M");
  gboolean download = FALSE;
  const GOptionEntry entries[] = {
      {"block", 0, 0, G_OPTION_ARG_INT64, &block,
          "Bytes of a buffer, a multiple of 4096", "N"},
      {"depth", 0, 0, G_OPTION_ARG_INT64, &depth, "Bytes in the queue", "N"},
      {"total", 0, 0, G_OPTION_ARG_INT64, &total, "Bytes in all", "N"},
      {"download", 0, 0, G_OPTION_ARG_NONE, &download,
          "queue2 keeps the whole stream in its file", NULL},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Where the file is", "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &ram, "Budget of filemem", "SIZE"},
      {NULL}};
  g_autofree gchar *names = competitor_names ();
  g_autofree gchar *parameters = g_strconcat ("queue2|", names, NULL);
  GOptionContext *context = g_option_context_new (parameters);
  g_autoptr (GError) error = NULL;
  const Competitor *competitor = NULL;
  GstAllocator *allocator = NULL;
  gboolean with_file = FALSE;
  GstElement *element;
  Test test = {NULL};

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2) {
    with_file = g_str_equal (argv[1], "queue2");
    competitor = competitor_find (argv[1]);
  }
  g_option_context_free (context);
  if ((!with_file && competitor == NULL) || block < PAGE || block % PAGE != 0
      || depth < 32 * block || total < depth
      || depth + (4 << 20) > (gint64) G_MAXUINT) {
    g_printerr ("%s\n", error != NULL ? error->message : "see queue2 --help");
    return 2;
  }

  test.block = (gsize) block;
  test.depth = (guint64) depth;
  test.least = test.depth - test.depth / 16;
  test.total = (guint64) (total / block * block);
  g_mutex_init (&test.lock);
  g_cond_init (&test.changed);
  if (competitor != NULL) {
    Setting setting = {dir, ram, test.block, (gsize) (depth / block + 4)};

    allocator = competitor->make (&setting, &error);
    if (allocator == NULL) {
      g_printerr ("%s\n", error->message);
      return 77;
    }
    gst_allocator_set_default (gst_object_ref (allocator));
  }
  element = make_element (&test, with_file, dir, download);
  run (&test, element, competitor, allocator);
  gst_object_unref (element);
  gst_object_unref (test.out);
  gst_object_unref (test.in);
  gst_clear_object (&allocator);
  g_cond_clear (&test.changed);
  g_mutex_clear (&test.lock);
  return 0;
}
