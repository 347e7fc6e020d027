/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fork.c: a program that forks without exec and uses GStreamer on both sides.
 * Neither may harm the other's buffers, whether in memory or on disk; the
 * child's own buffers are paged like those of any program.
 *
 * Run with GST_TRACERS=filemem and a budget much smaller than what it holds.
 * Each case is a fork; what the child finds wrong is its exit status.
 *
 *   test-fork [all | tracer]
 *
 * "tracer" are the cases that its options may change: in the others only the
 * allocator does anything. With FILEMEM_LONG_TESTS=1 there are many more forks.
 */
#include <gst/gst.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Several times the least budget, 4 MiB; more would only wait for the disk. */
#define N_BUFFERS 64
#define SIZE ((gsize) 256 << 10)

/* Seconds, for what takes a few at most. */
#define PATIENCE 240

typedef struct
{
  GstBuffer *buffer[N_BUFFERS];
} Queue;

static guint64
figure (const gchar *name)
{
  GstAllocator *allocator = gst_allocator_find (NULL);
  GstStructure *stats = NULL;
  guint64 value = 0;

  g_object_get (allocator, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, name, &value);
  gst_structure_free (stats);
  gst_object_unref (allocator);
  return value;
}

static guint8
byte_of (guint8 seed, guint i)
{
  return (guint8) (seed + i * 7);
}

static void
fill (Queue *queue, guint8 seed)
{
  guint i;

  for (i = 0; i < N_BUFFERS; i++) {
    queue->buffer[i] = gst_buffer_new_allocate (NULL, SIZE, NULL);
    gst_buffer_memset (queue->buffer[i], 0, byte_of (seed, i), SIZE);
  }
}

static void
write_again (Queue *queue, guint8 seed)
{
  guint i;

  for (i = 0; i < N_BUFFERS; i++)
    gst_buffer_memset (queue->buffer[i], 0, byte_of (seed, i), SIZE);
}

/* All buffers hold what was written. */
static gboolean
is_right (Queue *queue, guint8 seed)
{
  guint i;

  for (i = 0; i < N_BUFFERS; i++) {
    GstMapInfo map;
    gboolean right;

    if (!gst_buffer_map (queue->buffer[i], &map, GST_MAP_READ))
      return FALSE;
    /* The first byte, and each like the one before. */
    right = map.data[0] == byte_of (seed, i)
        && memcmp (map.data, map.data + 1, SIZE - 1) == 0;
    gst_buffer_unmap (queue->buffer[i], &map);
    if (!right)
      return FALSE;
  }
  return TRUE;
}

static void
drop (Queue *queue)
{
  guint i;

  for (i = 0; i < N_BUFFERS; i++)
    gst_clear_buffer (&queue->buffer[i]);
}

/* In the child; ends it. */
#define check(expression) \
  ((expression) ? (void) 0 : fail_child (__LINE__, #expression))

static void
fail_child (int line, const gchar *expression)
{
  g_printerr ("child, line %d: %s\n", line, expression);
  _exit (1);
}

/* A word each way. */
typedef struct
{
  int to_child[2];
  int to_parent[2];
} Talk;

static void
talk_open (Talk *talk)
{
  assert_int_equal (pipe (talk->to_child), 0);
  assert_int_equal (pipe (talk->to_parent), 0);
}

static void
say (int fd[2])
{
  if (write (fd[1], "x", 1) != 1)
    _exit (2);
}

static void
hear (int fd[2])
{
  char word;

  if (read (fd[0], &word, 1) != 1)
    _exit (2);
}

static void
assert_child_is_well (pid_t child)
{
  int status = 0;

  assert_int_equal (waitpid (child, &status, 0), child);
  assert_true (WIFEXITED (status));
  assert_int_equal (WEXITSTATUS (status), 0);
}

static gboolean
run_pipeline (guint n_buffers)
{
  g_autofree gchar *text = g_strdup_printf (
      "fakesrc num-buffers=%u sizetype=fixed sizemax=262144 filltype=zero "
      "! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 "
      "min-threshold-buffers=%u ! fakesink",
      n_buffers, n_buffers - 10);
  GstElement *pipeline = gst_parse_launch (text, NULL);
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  gboolean well;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, PATIENCE * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  well = message != NULL && GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
  gst_clear_message (&message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return well;
}

/* What the child inherits it can read, the spilled ones too, while the parent
 * goes on using its own. */
static void
test_child_reads (void **state)
{
  Queue queue;
  Talk talk;
  pid_t child;

  fill (&queue, 1);
  assert_true (figure ("extents-spilled") > 0);
  talk_open (&talk);
  child = fork ();
  if (child == 0) {
    check (is_right (&queue, 1));
    say (talk.to_parent);
    hear (talk.to_child);
    check (is_right (&queue, 1));
    _exit (0);
  }
  hear (talk.to_parent);
  assert_true (is_right (&queue, 1));
  say (talk.to_child);
  assert_child_is_well (child);
  assert_true (is_right (&queue, 1));
  drop (&queue);
}

/* What the child writes into inherited buffers is its own. */
static void
test_child_writes (void **state)
{
  Queue queue;
  pid_t child;

  fill (&queue, 2);
  child = fork ();
  if (child == 0) {
    write_again (&queue, 77);
    check (is_right (&queue, 77));
    _exit (0);
  }
  assert_child_is_well (child);
  assert_true (is_right (&queue, 2));
  drop (&queue);
}

/* What the parent writes afterwards is not seen in buffers that were in memory,
 * and in those on disk until it frees them: what the child reads there is
 * either the old or the new, and never the end of it. */
static void
test_parent_writes (void **state)
{
  Queue queue;
  Talk talk;
  pid_t child;
  guint i;

  fill (&queue, 3);
  talk_open (&talk);
  child = fork ();
  if (child == 0) {
    hear (talk.to_child);
    /* The parent has given all of it back. */
    for (i = 0; i < N_BUFFERS; i++) {
      GstMapInfo map;

      if (gst_buffer_map (queue.buffer[i], &map, GST_MAP_READ))
        gst_buffer_unmap (queue.buffer[i], &map);
    }
    drop (&queue);
    check (run_pipeline (20));
    _exit (0);
  }
  write_again (&queue, 99);
  assert_true (is_right (&queue, 99));
  drop (&queue);
  say (talk.to_child);
  assert_child_is_well (child);
}

/* The child pages its own buffers, in a file of its own. */
static void
test_child_pages (void **state)
{
  Queue queue, own;
  guint64 before;
  pid_t child;

  fill (&queue, 4);
  before = figure ("spills");
  child = fork ();
  if (child == 0) {
    guint64 spills = figure ("spills");

    fill (&own, 5);
    check (figure ("spills") > spills);
    check (figure ("extents-spilled") > 0);
    check (is_right (&own, 5));
    check (is_right (&queue, 4));
    check (run_pipeline (80));
    drop (&own);
    exit (0); /* with all that happens at the end of a program */
  }
  assert_true (run_pipeline (80));
  assert_child_is_well (child);
  assert_true (figure ("spills") > before);
  assert_true (is_right (&queue, 4));
  drop (&queue);
}

/* The levels are those of all blocks, the inherited ones too. */
static void
test_child_levels (void **state)
{
  Queue queue;
  pid_t child;

  fill (&queue, 8);
  child = fork ();
  if (child == 0) {
    guint64 resident = figure ("resident-bytes");
    GstBuffer *own = gst_buffer_new_allocate (NULL, SIZE, NULL);

    check (figure ("resident-bytes") >= resident + SIZE);
    check (figure ("live-bytes")
        <= figure ("resident-bytes") + figure ("spilled-bytes"));
    drop (&queue);
    check (figure ("resident-bytes") >= SIZE);
    check (figure ("spilled-bytes") == 0);
    check (figure ("extents-resident") == 1);
    gst_buffer_unref (own);
    check (figure ("extents-resident") == 0);
    _exit (0);
  }
  assert_child_is_well (child);
  drop (&queue);
}

/* The kernel counts a child's page faults from zero. */
static void
test_child_faults (void **state)
{
  gsize length = (gsize) 1 << 20, i;
  pid_t child = fork ();

  if (child == 0) {
    guint64 before = figure ("minor-faults");
    guint8 *memory = g_malloc (length);

    for (i = 0; i < length; i += 4096)
      ((volatile guint8 *) memory)[i] = 1;
    check (figure ("minor-faults") > before);
    _exit (0);
  }
  assert_child_is_well (child);
}

/* Whether one more spill comes. */
static gboolean
is_paging (void)
{
  guint64 before = figure ("spills");
  guint i;

  for (i = 0; i < PATIENCE * 1000 && figure ("spills") == before; i++)
    g_usleep (1000);
  return figure ("spills") > before;
}

/* Forks while a pipeline pages, children of children too. */
static void
test_forks_while_paging (void **state)
{
  GstElement *pipeline = gst_parse_launch (
      "fakesrc sizetype=fixed sizemax=262144 filltype=zero ! queue "
      "max-size-bytes=16777216 max-size-buffers=0 max-size-time=0 ! "
      "identity sleep-time=500 ! fakesink",
      NULL);
  pid_t child;
  guint i;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (i = 0; i < 3; i++) {
    assert_true (is_paging ());
    child = fork ();
    if (child == 0) {
      pid_t grandchild = fork ();
      Queue own;
      int status = 1;

      if (grandchild == 0) {
        fill (&own, 6);
        _exit (is_right (&own, 6) ? 0 : 1);
      }
      fill (&own, 7);
      check (is_right (&own, 7));
      check (waitpid (grandchild, &status, 0) == grandchild && status == 0);
      _exit (0);
    }
    assert_child_is_well (child);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

#define PLAYERS 2
#define PLAYS_FORKS 500
#define PLAYS_FORKS_LONG 2000

static gint played_enough;

/* Elements that are new all the time. */
static gpointer
play (gpointer unused)
{
  while (!g_atomic_int_get (&played_enough)) {
    GstElement *pipeline = gst_parse_launch (
        "fakesrc num-buffers=3 ! identity ! identity ! identity ! fakesink",
        NULL);
    GstBus *bus = gst_element_get_bus (pipeline);

    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    gst_message_unref (gst_bus_timed_pop_filtered (
        bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
    gst_element_set_state (pipeline, GST_STATE_NULL);
    gst_object_unref (bus);
    gst_object_unref (pipeline);
  }
  return NULL;
}

/* While each element gets its first buffer: whose locks are taken when? */
static void
test_forks_while_elements_start (void **state)
{
  guint forks =
      g_getenv ("FILEMEM_LONG_TESTS") != NULL ? PLAYS_FORKS_LONG : PLAYS_FORKS;
  GThread *player[PLAYERS];
  guint i;

  for (i = 0; i < PLAYERS; i++)
    player[i] = g_thread_new ("player", play, NULL);
  for (i = 0; i < forks; i++) {
    pid_t child = fork ();

    if (child == 0)
      _exit (0);
    assert_child_is_well (child);
  }
  g_atomic_int_set (&played_enough, 1);
  for (i = 0; i < PLAYERS; i++)
    g_thread_join (player[i]);
}

int
main (int argc, char **argv)
{
  const struct CMUnitTest all[] = {
      cmocka_unit_test (test_child_reads),
      cmocka_unit_test (test_child_writes),
      cmocka_unit_test (test_parent_writes),
      cmocka_unit_test (test_child_pages),
      cmocka_unit_test (test_child_levels),
      cmocka_unit_test (test_child_faults),
      cmocka_unit_test (test_forks_while_paging),
      cmocka_unit_test (test_forks_while_elements_start),
  };
  const struct CMUnitTest tracer[] = {
      cmocka_unit_test (test_child_pages),
      cmocka_unit_test (test_child_faults),
      cmocka_unit_test (test_forks_while_paging),
      cmocka_unit_test (test_forks_while_elements_start),
  };
  GstAllocator *allocator;
  gboolean active;

  gst_init (&argc, &argv);
  allocator = gst_allocator_find (NULL);
  active = g_str_equal (G_OBJECT_TYPE_NAME (allocator), "GstFileMemAllocator");
  gst_object_unref (allocator);
  if (!active) {
    g_printerr ("filemem is not active\n");
    return 1;
  }
  if (argc > 1 && g_str_equal (argv[1], "tracer"))
    return cmocka_run_group_tests (tracer, NULL, NULL);
  return cmocka_run_group_tests (all, NULL, NULL);
}
