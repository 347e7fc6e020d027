/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice.c: see advice.h. Each piece is a function that looks at one thing and
 * names the figures that it draws on.
 */
#include "advice.h"

/* GstBuffer and GstMemory, whatever holds the data. */
#define BYTES_OF_OBJECTS 512

/* Waits that are less of the time than this, one in so many, or less than this
 * in all, are no reason to speak. */
#define WORTH_A_WORD 100
#define WORTH_A_WORD_NS ((guint64) 100000000)

/* Ordinary memory in one queue below this is not worth a word, either. */
#define ESCAPED_LEAST ((guint64) 16 << 20)

/* What is written more often than this, and is more than that. */
#define WRITTEN_OFTEN 4
#define WRITTEN_LEAST ((guint64) 256 << 20)

static void G_GNUC_PRINTF (2, 3)
    say (GPtrArray *advice, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (advice, g_strdup_vprintf (format, args));
  va_end (args);
}

static gchar *
size (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}

static gdouble
seconds (guint64 ns)
{
  return (gdouble) ns / 1e9;
}

static gboolean
is_worth_a_word (const FmSnapshot *snapshot, guint64 waited)
{
  return waited > MAX (snapshot->uptime / WORTH_A_WORD, WORTH_A_WORD_NS);
}

static void
about_space (GPtrArray *advice, const guint64 *stats)
{
  if (stats[FM_STAT_DISK_FULL] > 0) {
    g_autofree gchar *peak = size (stats[FM_STAT_DISK_PEAK]);

    say (advice,
        "the disk had no room %" G_GUINT64_FORMAT
        " times, with %s in use: free some space, raise size, or choose "
        "another disk (dir)",
        stats[FM_STAT_DISK_FULL], peak);
  }
  if (stats[FM_STAT_FALLBACKS_FULL] > 0) {
    g_autofree gchar *most = size (stats[FM_STAT_SIZE]);
    g_autofree gchar *lost = size (stats[FM_STAT_FALLBACK_BYTES]);

    say (advice,
        "the size of %s was reached, and %s stayed ordinary memory: raise size",
        most, lost);
  }
}

static void
about_budget (GPtrArray *advice, const guint64 *stats)
{
  guint64 peak = stats[FM_STAT_RESIDENT_PEAK], budget = stats[FM_STAT_BUDGET];

  if (stats[FM_STAT_OVER_BUDGET] > 0) {
    g_autofree gchar *by = size (peak > budget ? peak - budget : 0);

    say (advice,
        "the budget was too small by %s, %" G_GUINT64_FORMAT
        " times, because what was in memory was in use or could not be "
        "written: raise ram",
        by, stats[FM_STAT_OVER_BUDGET]);
  }
}

/* Whatever passes through queues is written once, and blocks of a pool as often
 * as they are filled. Much more than that is the same extents again and again:
 * small buffers of many streams share them. */
static void
about_streams (GPtrArray *advice, const FmSnapshot *snapshot)
{
  guint64 written = snapshot->stats[FM_STAT_SPILL_BYTES];
  guint64 passed = 0;
  g_autofree gchar *written_size = size (written);
  g_autofree gchar *passed_size = NULL;
  guint i;

  for (i = 0; i < snapshot->queues->len; i++)
    passed += ((FmQueueRecord *) g_ptr_array_index (snapshot->queues, i))
                  ->figure[FM_QUEUE_BYTES];
  passed = MAX (passed, snapshot->stats[FM_STAT_ALLOC_BYTES]);
  if (written <= WRITTEN_LEAST || written / WRITTEN_OFTEN <= passed)
    return;
  passed_size = size (passed);
  say (advice,
      "%s were written for %s of buffers: what the streams and elements use at "
      "a time does not fit the budget; raise ram",
      written_size, passed_size);
}

/* Producers waited: how much slower than the stream is the disk? What they did
 * not wait they would have had to move in the rest of the time. */
static void
about_disk (GPtrArray *advice, const FmSnapshot *snapshot)
{
  const guint64 *stats = snapshot->stats;
  gdouble waited = seconds (stats[FM_STAT_ALLOC_WAIT_NS]);
  gdouble busy = seconds (stats[FM_STAT_DISK_BUSY_NS]);
  gdouble moved =
      (gdouble) (stats[FM_STAT_SPILL_BYTES] + stats[FM_STAT_FILL_BYTES]);
  gdouble rate = busy > 0 ? moved / busy / (1 << 20) : 0;

  if (!is_worth_a_word (snapshot, stats[FM_STAT_ALLOC_WAIT_NS]))
    return;
  if (waited < 0.9 * busy)
    say (advice,
        "the disk moved %.0f MiB/s both ways, slower than the stream by %.0f "
        "MiB/s: producers waited %.1f s for it. No harm, unless they are live; "
        "else use a faster disk (dir), or raise ram",
        rate, rate * waited / (busy - waited), waited);
  else
    say (advice,
        "the disk moved %.0f MiB/s both ways, much slower than the stream: "
        "producers waited %.1f s for it. No harm, unless they are live; else "
        "use a faster disk (dir), or raise ram",
        rate, waited);
}

static void
about_maps_in_place (GPtrArray *advice, const guint64 *stats)
{
  if (stats[FM_STAT_MAPS_IN_PLACE] > 0)
    say (advice,
        "buffers were used where they are on disk, which is slow "
        "(%" G_GUINT64_FORMAT
        " maps): raise the limits on address space and data (ulimit -v, -d), "
        "allow mremap() where system calls are filtered, and let the program "
        "close no descriptors that others have opened",
        stats[FM_STAT_MAPS_IN_PLACE]);
}

static void
about_waits (GPtrArray *advice, const FmSnapshot *snapshot)
{
  const guint64 *stats = snapshot->stats;
  g_autofree gchar *missing = NULL;

  if (!is_worth_a_word (snapshot, stats[FM_STAT_MAP_WAIT_NS]))
    return;
  missing = size (stats[FM_STAT_SPILLED_PEAK]);
  say (advice,
      "elements waited %.1f s for buffers to come back from disk: use a faster "
      "disk (dir), or raise ram; with %s more of it nothing would go to disk",
      seconds (stats[FM_STAT_MAP_WAIT_NS]), missing);
}

static void
about_prefetch (GPtrArray *advice, const guint64 *stats)
{
  guint64 unused = stats[FM_STAT_PREFETCH_UNUSED_BYTES];
  g_autofree gchar *in_vain = NULL, *all = NULL;

  if (unused <= ESCAPED_LEAST || unused <= stats[FM_STAT_PREFETCH_BYTES] / 4)
    return;
  in_vain = size (unused);
  all = size (stats[FM_STAT_PREFETCH_BYTES]);
  say (advice,
      "%s of %s was read ahead in vain: somebody jumps in what was written, or "
      "ram is too small for all who read at once",
      in_vain, all);
}

static void
about_escapes (
    GPtrArray *advice, const guint64 *stats, const FmQueueRecord *queue)
{
  const gchar *cure = "";
  guint64 all = queue->figure[FM_QUEUE_BYTES];
  guint64 escaped = all - MIN (all, fm_queue_file_backed (queue));
  g_autofree gchar *escaped_size = size (escaped), *all_size = size (all);
  g_autoptr (GString) why = g_string_new (NULL);
  guint i;

  if (escaped <= ESCAPED_LEAST || escaped <= all / 10)
    return;
  for (i = 0; i < FM_N_LEFT_ALONE; i++) {
    if (queue->left_alone[i] > 0)
      g_string_append_printf (why, "%s%" G_GUINT64_FORMAT " buffers: %s",
          why->len > 0 ? "; " : "", queue->left_alone[i],
          fm_left_alone_words (i));
  }
  /* It never held more than copy-above. */
  if (why->len == 0)
    return;
  if (queue->left_alone[FM_LEFT_NO_ROOM] > 0)
    cure = stats[FM_STAT_FALLBACKS_DIR] > 0
        ? ": set dir to a directory that can be used"
        : ": raise size, or free some space in dir";
  say (advice, "%s of %s that entered %s stayed ordinary memory (%s)%s",
      escaped_size, all_size, queue->name, why->str, cure);
}

static void
about_objects (GPtrArray *advice, const guint64 *stats)
{
  guint64 allocs = stats[FM_STAT_ALLOCS];

  if (allocs > 0 && stats[FM_STAT_ALLOC_BYTES] / allocs < 2 * BYTES_OF_OBJECTS)
    say (advice,
        "buffers are small, %" G_GUINT64_FORMAT
        " bytes: GStreamer's own objects take about half a KiB of memory each, "
        "in which filemem can't help; use larger buffers",
        stats[FM_STAT_ALLOC_BYTES] / allocs);
}

GPtrArray *
fm_advice (const FmSnapshot *snapshot)
{
  GPtrArray *advice = g_ptr_array_new_with_free_func (g_free);
  guint i;

  about_space (advice, snapshot->stats);
  about_budget (advice, snapshot->stats);
  about_streams (advice, snapshot);
  about_disk (advice, snapshot);
  about_maps_in_place (advice, snapshot->stats);
  about_waits (advice, snapshot);
  about_prefetch (advice, snapshot->stats);
  for (i = 0; i < snapshot->queues->len; i++)
    about_escapes (
        advice, snapshot->stats, g_ptr_array_index (snapshot->queues, i));
  about_objects (advice, snapshot->stats);
  return advice;
}
