/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forks.c: forks beside a pipeline whose queues are full.
 *
 * What a child reads has to be right, as long as its parent keeps it; some make
 * buffers of their own, and some are killed.
 */
#include "activities.h"
#include "numbered.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_CHILDREN 3
#define BUFFER_SIZE (256 * KIB)
#define OWN_BUFFERS 48

/* Seconds after which a child is ended that hangs. */
#define CHILD_PATIENCE 200

static GstBuffer **
make_buffers (const Numbered *stream)
{
  GstBuffer **buffers = g_new (GstBuffer *, stream->n_buffers);
  guint i;

  for (i = 0; i < stream->n_buffers; i++)
    buffers[i] = numbered_make (stream, i);
  return buffers;
}

static gboolean
are_right (const Numbered *stream, GstBuffer **buffers)
{
  guint i;

  for (i = 0; i < stream->n_buffers; i++) {
    if (!numbered_is_right (stream, i, buffers[i]))
      return FALSE;
  }
  return TRUE;
}

static void
free_buffers (const Numbered *stream, GstBuffer **buffers)
{
  guint i;

  for (i = 0; i < stream->n_buffers; i++)
    gst_buffer_unref (buffers[i]);
  g_free (buffers);
}

G_GNUC_NORETURN static void
be_child (const Numbered *stream, GstBuffer **buffers, gboolean makes_own)
{
  alarm (CHILD_PATIENCE);
  if (!are_right (stream, buffers))
    _exit (1);
  if (makes_own) {
    Numbered own_stream = {
        stream->stream ^ 0x80000000, 1, BUFFER_SIZE, OWN_BUFFERS, FALSE};
    GstBuffer **own = make_buffers (&own_stream);

    if (!are_right (&own_stream, own) || !are_right (stream, buffers))
      _exit (1);
    free_buffers (&own_stream, own);
  }
  _exit (0);
}

static void
wait_for_child (pid_t child, gboolean killed)
{
  int status = 0;

  while (waitpid (child, &status, 0) < 0 && errno == EINTR)
    continue;
  if (killed && WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL)
    return;
  if (WIFSIGNALED (status))
    numbered_complain (
        "a child was ended by signal: %s", strsignal (WTERMSIG (status)));
  else if (WEXITSTATUS (status) != 0)
    numbered_complain ("a child found wrong bytes");
}

static GstElement *
fill_a_pipeline (Worker *worker)
{
  GstElement *pipeline = gst_parse_launch (
      "fakesrc sizetype=fixed sizemax=65536 filltype=zero num-buffers=200 "
      "! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! fakesink",
      NULL);

  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  return pipeline;
}

void
fork_children (Worker *worker)
{
  guint64 depth = worker_pick (worker, worker->depth / 16, worker->depth / 2);
  Numbered stream = {
      worker->n_streams++, 1, BUFFER_SIZE, 2 * depth / BUFFER_SIZE + 1, FALSE};
  GstElement *pipeline = fill_a_pipeline (worker);
  GstBuffer **buffers = make_buffers (&stream);
  guint n = (guint) g_rand_int_range (worker->random, 1, MOST_CHILDREN + 1), i;
  pid_t child[MOST_CHILDREN];
  gboolean killed[MOST_CHILDREN];

  for (i = 0; i < n; i++) {
    gboolean makes_own = worker_chance (worker, 50);

    killed[i] = worker_chance (worker, 20);
    child[i] = fork ();
    if (child[i] == 0)
      be_child (&stream, buffers, makes_own);
    worker_change_budget (worker);
    if (killed[i]) {
      g_usleep (worker_pick (worker, 1, 20000));
      kill (child[i], SIGKILL);
    }
  }
  if (!are_right (&stream, buffers))
    numbered_complain ("what a parent keeps is wrong");
  for (i = 0; i < n; i++)
    wait_for_child (child[i], killed[i]);
  free_buffers (&stream, buffers);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}
