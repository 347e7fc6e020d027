/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report-json.c: tests which queues a report of limited length has, as that on
 * the statistics page is.
 */
#include "report.h"
#include "../../unit/testing.h"

#include <string.h>

static void
add_queue (FmSnapshot *snapshot, const gchar *name, guint64 level,
    guint64 bytes, gboolean is_gone)
{
  FmQueueRecord *queue = g_new0 (FmQueueRecord, 1);

  queue->name = g_strdup (name);
  queue->id = snapshot->queues->len + 1;
  queue->is_gone = is_gone;
  queue->figure[FM_QUEUE_LEVEL] = level;
  queue->figure[FM_QUEUE_BYTES] = bytes;
  g_ptr_array_add (snapshot->queues, queue);
}

static void
queue_free (gpointer data)
{
  FmQueueRecord *queue = data;

  g_free (queue->name);
  g_free (queue);
}

static void
assert_queues (
    const FmSnapshot *snapshot, guint most, const gchar *names, guint left_out)
{
  g_autofree gchar *json = fm_report_json (snapshot, most);
  g_autofree gchar *end = g_strdup_printf ("\"queues-left-out\":%u,", left_out);
  g_autoptr (GString) found = g_string_new (NULL);
  const gchar *at = json;

  assert_non_null (strstr (json, end));
  while ((at = strstr (at, "\"queue\":\"")) != NULL) {
    at += strlen ("\"queue\":\"");
    g_string_append_c (found, *at);
  }
  assert_string_equal (found->str, names);
}

/* Those that hold most, then those through which most came; what is gone gives
 * way to what is not. */
static void
test_queues (void **state)
{
  FmSnapshot snapshot = {.queues = g_ptr_array_new_with_free_func (queue_free),
      .elements = g_ptr_array_new (),
      .threads = g_ptr_array_new ()};

  add_queue (&snapshot, "gone", 0, 1000, TRUE);
  add_queue (&snapshot, "idle", 0, 10, FALSE);
  add_queue (&snapshot, "busy", 0, 100, FALSE);
  add_queue (&snapshot, "full", 5, 5, FALSE);
  assert_queues (&snapshot, 9, "fbig", 0);
  assert_queues (&snapshot, 3, "fbi", 0);
  assert_queues (&snapshot, 1, "f", 2);
  g_ptr_array_unref (snapshot.queues);
  g_ptr_array_unref (snapshot.elements);
  g_ptr_array_unref (snapshot.threads);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test (test_queues)};

  return cmocka_run_group_tests (tests, NULL, NULL);
}
