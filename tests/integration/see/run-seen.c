/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * run-seen.c: runs pipelines, one after the other, in which known elements do
 * known things, so that what filemem says of them can be compared.
 *
 *   run-seen [--map=NAME:N]... [--touch=NAME:N]... [--churn=N] [--name=NAME]
 *            [--no-events] PIPELINE...
 *
 * At each buffer that the element NAME (identity or fakesink) hands off the
 * program maps the buffer for reading N times; or it touches N pages of fresh
 * memory. With --churn a branch is added to the element "tee" and removed again
 * N times while the pipeline runs, which has to go on for so long. --name names
 * the main thread. With --no-events the kernel refuses perf_event_open().
 *
 * Exit code: 0, or 1 with a message if a pipeline fails.
 */
#include <errno.h>
#include <gst/gst.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE ((gsize) 4096)
/* Of the fourth part of a churned branch's life, in us. */
#define STEP 1000

static gchar **maps, **touches, **pipelines, *thread_name;
static gint n_churns;
static gboolean no_events;

/* ---- what is known ---- */

static void
on_map (gpointer times, GstBuffer *buffer)
{
  guint i;

  for (i = 0; i < GPOINTER_TO_UINT (times); i++) {
    GstMapInfo info;

    if (!gst_buffer_map (buffer, &info, GST_MAP_READ))
      g_error ("a buffer can't be mapped");
    gst_buffer_unmap (buffer, &info);
  }
}

static void
on_touch (gpointer pages, GstBuffer *buffer)
{
  gsize n = GPOINTER_TO_UINT (pages), i;
  volatile guint8 *fresh = mmap (NULL, n * PAGE, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (fresh == MAP_FAILED)
    g_error ("no memory");
  (void) madvise ((void *) fresh, n * PAGE, MADV_NOHUGEPAGE);
  for (i = 0; i < n; i++)
    fresh[i * PAGE] = 1;
  munmap ((void *) fresh, n * PAGE);
}

/* NAME:N, each. A fakesink hands off a pad as well: the number goes first. */
static void
connect_all (GstElement *pipeline, gchar **wishes, GCallback callback)
{
  for (; wishes != NULL && *wishes != NULL; wishes++) {
    g_auto (GStrv) parts = g_strsplit (*wishes, ":", 2);
    g_autoptr (GstElement) element =
        gst_bin_get_by_name (GST_BIN (pipeline), parts[0]);

    if (element == NULL)
      continue;
    g_object_set (element, "signal-handoffs", TRUE, NULL);
    g_signal_connect_swapped (
        element, "handoff", callback, GUINT_TO_POINTER (atoi (parts[1])));
  }
}

/* ---- elements that come and go ---- */

typedef struct
{
  GstElement *queue, *sink;
} Branch;

static GstPadProbeReturn
on_idle (GstPad *pad, GstPadProbeInfo *info, gpointer unlinked)
{
  g_autoptr (GstPad) peer = gst_pad_get_peer (pad);

  gst_pad_unlink (pad, peer);
  g_atomic_int_set ((gint *) unlinked, 1);
  return GST_PAD_PROBE_REMOVE;
}

static void
remove_branch (GstBin *pipeline, Branch branch)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (branch.queue, "sink");
  g_autoptr (GstPad) peer = gst_pad_get_peer (pad);
  g_autoptr (GstElement) tee = gst_pad_get_parent_element (peer);
  gint unlinked = 0;

  gst_pad_add_probe (peer, GST_PAD_PROBE_TYPE_IDLE, on_idle, &unlinked, NULL);
  while (!g_atomic_int_get (&unlinked))
    g_usleep (STEP / 10);
  gst_bin_remove_many (pipeline, gst_object_ref (branch.queue),
      gst_object_ref (branch.sink), NULL);
  gst_element_set_state (branch.sink, GST_STATE_NULL);
  gst_element_set_state (branch.queue, GST_STATE_NULL);
  gst_object_unref (branch.queue);
  gst_object_unref (branch.sink);
  gst_element_release_request_pad (tee, peer);
}

static void
churn (GstBin *pipeline)
{
  g_autoptr (GstElement) tee = gst_bin_get_by_name (pipeline, "tee");
  gint i;

  for (i = 0; i < n_churns; i++) {
    Branch branch = {gst_element_factory_make ("queue", NULL),
        gst_element_factory_make ("fakesink", NULL)};

    g_object_set (branch.sink, "async", FALSE, NULL);
    gst_bin_add_many (pipeline, branch.queue, branch.sink, NULL);
    gst_element_sync_state_with_parent (branch.sink);
    gst_element_sync_state_with_parent (branch.queue);
    if (!gst_element_link_many (tee, branch.queue, branch.sink, NULL))
      g_error ("a branch can't be linked");
    g_usleep (4 * STEP);
    remove_branch (pipeline, branch);
  }
}

/* ---- pipelines ---- */

static gboolean
wait_for_end (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    return TRUE;
  gst_message_parse_error (message, &error, NULL);
  g_printerr (
      "%s: %s\n", GST_OBJECT_NAME (GST_MESSAGE_SRC (message)), error->message);
  return FALSE;
}

static gboolean
run (const gchar *description)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = gst_parse_launch (description, &error);
  gboolean ended;

  if (error != NULL) {
    g_printerr ("%s: %s\n", description, error->message);
    return FALSE;
  }
  connect_all (pipeline, maps, G_CALLBACK (on_map));
  connect_all (pipeline, touches, G_CALLBACK (on_touch));
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  churn (GST_BIN (pipeline));
  if (n_churns > 0)
    gst_element_send_event (pipeline, gst_event_new_eos ());
  ended = wait_for_end (pipeline);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return ended;
}

static void
refuse_events (void)
{
  struct sock_filter code[] = {
      BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
      BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {G_N_ELEMENTS (code), code};

  if (prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0
      || prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
    exit (77);
}

int
main (int argc, char **argv)
{
  const GOptionEntry entries[] = {
      {"map", 0, 0, G_OPTION_ARG_STRING_ARRAY, &maps, NULL, NULL},
      {"touch", 0, 0, G_OPTION_ARG_STRING_ARRAY, &touches, NULL, NULL},
      {"churn", 0, 0, G_OPTION_ARG_INT, &n_churns, NULL, NULL},
      {"name", 0, 0, G_OPTION_ARG_STRING, &thread_name, NULL, NULL},
      {"no-events", 0, 0, G_OPTION_ARG_NONE, &no_events, NULL, NULL},
      {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_STRING_ARRAY, &pipelines, NULL,
          NULL},
      {NULL},
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;
  guint i;

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  if (no_events)
    refuse_events ();
  if (thread_name != NULL)
    (void) prctl (PR_SET_NAME, thread_name);
  gst_init (NULL, NULL);
  for (i = 0; pipelines != NULL && pipelines[i] != NULL; i++) {
    if (!run (pipelines[i]))
      return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
