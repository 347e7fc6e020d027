/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * data-limit.c: tests that a program which lives with a limit on its data
 * (RLIMIT_DATA, ulimit -d) lives with filemem too: its threads, its budget, and
 * what it keeps for reuse leave the program as much as they take.
 *
 * The program is a loop, in a child: buffers of one size, written and read,
 * then of the next size, beside memory of its own.
 */
#include <gst/filemem/filemem.h>

#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* More data than there is already, and what the program takes of it for itself:
 * nearly half. */
#define LIMIT (64 * TESTING_MIB)
#define OWN (30 * TESTING_MIB)
#define LIVE (24 * TESTING_MIB)
#define N_SIZES 12
#define N_BLOCKS_MAX 64

typedef struct
{
  gchar *dir;
  gboolean with_filemem;
} Case;

static gsize
data_used (void)
{
  g_autofree gchar *text = NULL;
  const gchar *line;

  testing_check (g_file_get_contents ("/proc/self/status", &text, NULL, NULL));
  line = strstr (text, "\nVmData:");
  testing_check (line != NULL);
  return g_ascii_strtoull (line + strlen ("\nVmData:"), NULL, 10) * 1024;
}

static void
limit_data (void)
{
  const rlim_t most = data_used () + LIMIT;
  const struct rlimit limit = {most, most};

  testing_check (setrlimit (RLIMIT_DATA, &limit) == 0);
}

static gboolean
is_ours (GstBuffer *buffer)
{
  return gst_memory_is_type (
      gst_buffer_peek_memory (buffer, 0), GST_ALLOCATOR_FILEMEM);
}

static void
use_size (gsize size, gboolean ours)
{
  GstBuffer *buffers[N_BLOCKS_MAX];
  const guint n = (guint) (LIVE / size);
  guint i;

  for (i = 0; i < n; i++) {
    GstMapInfo info;

    buffers[i] = gst_buffer_new_allocate (NULL, size, NULL);
    testing_check (is_ours (buffers[i]) == ours);
    testing_check (gst_buffer_map (buffers[i], &info, GST_MAP_WRITE));
    testing_fill (info.data, size, i);
    gst_buffer_unmap (buffers[i], &info);
  }
  for (i = 0; i < n; i++) {
    GstMapInfo info;

    testing_check (gst_buffer_map (buffers[i], &info, GST_MAP_READ));
    testing_check (testing_is_filled (info.data, size, i));
    gst_buffer_unmap (buffers[i], &info);
    gst_buffer_unref (buffers[i]);
  }
}

static void
run (gconstpointer data)
{
  const Case *this_case = data;
  g_autofree gchar *options =
      g_strdup_printf ("dir=%s,size=1G,reserve=0", this_case->dir);
  guint i;

  gst_init (NULL, NULL);
  limit_data ();
  if (this_case->with_filemem)
    testing_check (gst_file_mem_allocator_install (options) != NULL);
  for (i = 0; i < N_SIZES; i++) {
    guint8 *own;

    use_size (TESTING_MIB + i * 256 * TESTING_KIB, this_case->with_filemem);
    own = malloc (OWN);
    testing_check (own != NULL);
    memset (own, (int) i, OWN);
    free (own);
  }
}

static void
run_case (gboolean with_filemem)
{
  Case this_case = {.with_filemem = with_filemem};
  g_autofree gchar *said = NULL;

  if (TESTING_SANITIZER)
    testing_skip ("what sanitizers map counts as data");
  this_case.dir = testing_dir_new ();
  said = testing_run_child (run, &this_case);
  assert_string_equal (said, "");
  testing_dir_free (this_case.dir);
}

static void
test_without (void **state)
{
  run_case (FALSE);
}

static void
test_with (void **state)
{
  run_case (TRUE);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_without),
      cmocka_unit_test (test_with),
  };

  return cmocka_run_group_tests_name ("data-limit", tests, NULL, NULL);
}
