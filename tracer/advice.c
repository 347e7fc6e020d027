/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice.c: see advice.h. One table holds the pieces of advice, each a
 * condition and its words; findings that rule out others are settled first.
 */
#include "advice-private.h"
#include "advice.h"

#include "messages.h"

#include <string.h>

/* Buffers are small if they are smaller than this on average, and if their
 * objects take more than this part of the budget. */
#define SMALL_MAX ((guint64) 16 << 10)
#define OBJECTS_PART 4

/* Waits that took a smaller part of the time than one in this many, or less
 * than this in all, are not worth mentioning. */
#define WORTH_A_WORD 100
#define WORTH_A_WORD_NS ((guint64) 100000000)

/* If data is written more often than this, in permille, and more than that is
 * written, some of the writes are avoidable. */
#define WRITTEN_OFTEN 1500
#define WRITTEN_MIN ((guint64) 64 << 20)

/* A queue through which this many times less has passed than through another is
 * no stream beside it. */
#define STREAM_PART 16

/* The part of the budget that a stream needs; below that its extents are read
 * more than once. */
#define STREAM_BYTES ((guint64) 2 << 20)

/* If the disk was busy for less than this part of the time that a thread
 * waited, the thread waited for something else. */
#define BUSY_PART 2

/* If more than this part of the time was spent waiting, queues would hold more
 * or less with a larger ram. */
#define MUCH_WAITING 10

/* An element is named if it maps this part of all that is mapped, but at most
 * this many elements are. */
#define HOLDER_PART 8
#define HOLDERS_MAX 3

static gdouble
seconds (guint64 ns)
{
  return (gdouble) ns / 1e9;
}

static gboolean
is_worth_a_word (const FmMatter *matter, guint64 waited)
{
  return waited
      > MAX (matter->snapshot->uptime / WORTH_A_WORD, WORTH_A_WORD_NS);
}

/* ---- what is the matter ---- */

/* Of queues that follow one after the other, only one exists at a time. */
static guint
count_streams (const FmSnapshot *snapshot)
{
  guint64 most = 0;
  guint n = 0, i;

  for (i = 0; i < snapshot->queues->len; i++) {
    const FmQueueRecord *queue = g_ptr_array_index (snapshot->queues, i);

    most = MAX (most, queue->figure[FM_QUEUE_BYTES]);
  }
  for (i = 0; i < snapshot->queues->len; i++) {
    const FmQueueRecord *queue = g_ptr_array_index (snapshot->queues, i);

    n += most > 0 && queue->figure[FM_QUEUE_BYTES] > most / STREAM_PART;
  }
  return MIN (n, snapshot->queues_at_once);
}

/* What is mapped is in memory whatever the budget. If it leaves less than a
 * quarter of the budget, it is the reason why bytes go to disk and come back;
 * unless it is just what many streams are writing and reading at the time, an
 * extent each. */
static gboolean
is_mapped (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  guint64 in_passing = matter->n_streams > 1
      ? 2 * matter->n_streams * matter->stats[FM_STAT_MEAN_WRITE_BYTES]
      : 0;

  /* More than the budget is worth mentioning even if nothing had to go to disk
   * for it. */
  return (stats[FM_STAT_SPILL_BYTES] > 0
             || stats[FM_STAT_PINNED_PEAK] > stats[FM_STAT_RAM])
      && stats[FM_STAT_PINNED_PEAK] >= stats[FM_STAT_RAM] / 4 * 3
      && stats[FM_STAT_PINNED_PEAK] > in_passing;
}

/* Bytes that pass through queues need to be written once at most. */
static gboolean
is_written_often (const FmMatter *matter)
{
  return matter->stats[FM_STAT_SPILL_BYTES] > WRITTEN_MIN
      && matter->stats[FM_STAT_WRITTEN_PERMILLE] > WRITTEN_OFTEN;
}

static guint64
bytes_to_write (const guint64 *stats)
{
  return (guint64) ((gdouble) stats[FM_STAT_FILL_BYTES]
      * (gdouble) stats[FM_STAT_FILLS_TO_WRITE]
      / (gdouble) MAX (stats[FM_STAT_FILLS], 1));
}

/* Blocks of a pool that are written anew are read from disk first. */
static gboolean
is_pool (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;

  return bytes_to_write (stats) > FM_ADVICE_MIN
      && stats[FM_STAT_FILLS_TO_WRITE] > stats[FM_STAT_FILLS] / 3;
}

/* ---- disk space ---- */

static guint64
refused_by_disk (const FmMatter *matter)
{
  guint64 all = matter->stats[FM_STAT_DISK_FULL];

  return all - MIN (all, matter->stats[FM_STAT_SIZE_REACHED]);
}

static gboolean
is_disk_full (const FmMatter *matter)
{
  return refused_by_disk (matter) > 0;
}

static gchar *
tell_disk_full (const FmMatter *matter)
{
  g_autofree gchar *peak = fm_size_text (matter->stats[FM_STAT_DISK_PEAK]);

  return g_strdup_printf (
      "the disk was full %" G_GUINT64_FORMAT
      " times, with %s of buffers on it: free some space, or choose another "
      "disk (dir)",
      refused_by_disk (matter), peak);
}

static gboolean
is_size_reached (const FmMatter *matter)
{
  return matter->stats[FM_STAT_FALLBACKS_FULL] > 0
      || matter->stats[FM_STAT_SIZE_REACHED] > 0;
}

static gchar *
tell_size_reached (const FmMatter *matter)
{
  g_autofree gchar *most = fm_size_text (matter->stats[FM_STAT_SIZE]);
  g_autofree gchar *lost = fm_size_text (matter->stats[FM_STAT_FALLBACK_BYTES]);

  if (matter->stats[FM_STAT_FALLBACKS_FULL] > 0)
    return g_strdup_printf (
        "the size of %s was reached, and %s stayed ordinary memory: raise %s",
        most, lost, fm_advice_what_limits (matter));
  return g_strdup_printf (
      "the size of %s was reached, and buffers that should have gone to disk "
      "stayed in memory: raise %s",
      most, fm_advice_what_limits (matter));
}

/* ---- the budget ---- */

static gboolean
is_over_budget (const FmMatter *matter)
{
  return matter->stats[FM_STAT_OVER_BUDGET] > 0 && !matter->mapped
      && !matter->refused;
}

/* What is mapped may exceed the budget without any thread having been refused
 * room. */
static gchar *
tell_over_budget (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  guint64 peak = stats[FM_STAT_RESIDENT_PEAK], budget = stats[FM_STAT_RAM];
  g_autofree gchar *by = fm_size_text (peak > budget ? peak - budget : 0);
  g_autofree gchar *exceeded = peak > budget
      ? g_strdup_printf (" (it was exceeded by %s)", by)
      : g_strdup ("");

  if (stats[FM_STAT_SPILL_FAILURES] > 0)
    return g_strdup_printf (
        "the disk refused %" G_GUINT64_FORMAT
        " writes, and what was to go there stayed in memory (the budget was "
        "exceeded by %s): filemem's warnings say why",
        stats[FM_STAT_SPILL_FAILURES], by);
  return g_strdup_printf (
      "there was no room in the budget %" G_GUINT64_FORMAT
      " times%s, because what was in memory was in use, or the disk took too "
      "long: raise ram",
      stats[FM_STAT_OVER_BUDGET], exceeded);
}

/* ---- what is mapped ---- */

typedef struct
{
  const gchar *path;
  guint64 figure[FM_N_MAPPED_FIGURES];
} Holder;

static gint
compare_holders (gconstpointer a, gconstpointer b)
{
  const Holder *x = a, *y = b;
  guint64 first = x->figure[FM_MAPPED_MAX_BYTES];
  guint64 second = y->figure[FM_MAPPED_MAX_BYTES];

  return first < second ? 1 : first > second ? -1 : 0;
}

/* The elements worth naming, the one that holds most first. */
static GArray *
find_holders (const FmMatter *matter)
{
  GArray *holders = g_array_new (FALSE, FALSE, sizeof (Holder));
  GPtrArray *elements = matter->snapshot->elements;
  guint i;

  for (i = 0; i < elements->len; i++) {
    FmTally *tally = g_ptr_array_index (elements, i);
    Holder holder = {.path = tally->element};

    fm_tally_get_mapped (tally, holder.figure);
    if (holder.figure[FM_MAPPED_MAX_BYTES]
        > matter->stats[FM_STAT_PINNED_PEAK] / HOLDER_PART)
      g_array_append_val (holders, holder);
  }
  g_array_sort (holders, compare_holders);
  return holders;
}

/* The element's own name, if none of the others has the same. */
static const gchar *
name_of (const GArray *holders, const gchar *path)
{
  const gchar *name = strrchr (path, ':');
  guint n = 0, i;

  for (i = 0; name != NULL && i < holders->len; i++)
    n += g_str_has_suffix (g_array_index (holders, Holder, i).path, name);
  return n == 1 ? name + 1 : path;
}

static void
name_holder (GString *text, const GArray *holders, guint i)
{
  const Holder *holder = &g_array_index (holders, Holder, i);
  guint64 n = holder->figure[FM_MAPPED_MAX];
  guint64 longest = holder->figure[FM_MAPPED_LONGEST_NS];
  g_autofree gchar *bytes = fm_size_text (holder->figure[FM_MAPPED_MAX_BYTES]);

  g_string_append_printf (text,
      "%s%s%s up to %" G_GUINT64_FORMAT " buffer%s (%s)%s", i > 0 ? ", " : "",
      name_of (holders, holder->path), i > 0 ? "" : " holds", n,
      n == 1 ? "" : "s", bytes, i > 0 ? "" : " mapped");
  if (longest >= WORTH_A_WORD_NS)
    g_string_append_printf (text, ", for up to %.1f s", seconds (longest));
}

static gchar *
name_holders (const FmMatter *matter)
{
  g_autofree gchar *pinned = fm_size_text (matter->stats[FM_STAT_PINNED_PEAK]);
  g_autoptr (GArray) holders = find_holders (matter);
  GString *text = g_string_new (NULL);
  guint i;

  for (i = 0; i < MIN (holders->len, HOLDERS_MAX); i++)
    name_holder (text, holders, i);
  if (holders->len > HOLDERS_MAX)
    g_string_append_printf (
        text, ", and %u more elements", holders->len - HOLDERS_MAX);
  if (holders->len == 0)
    g_string_append_printf (text, "%s up to %s mapped at a time",
        matter->snapshot->elements->len > 0 ? "code that runs in no element has"
                                            : "elements or the program have",
        pinned);
  return g_string_free (text, FALSE);
}

static gboolean
has_mapped (const FmMatter *matter)
{
  return matter->mapped;
}

static gchar *
tell_mapped (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  guint64 pinned = stats[FM_STAT_PINNED_PEAK], budget = stats[FM_STAT_RAM];
  g_autofree gchar *who = name_holders (matter);
  g_autofree gchar *least = fm_size_text (pinned + stats[FM_STAT_FLOOR]);
  g_autofree gchar *left = fm_size_text (budget - MIN (budget, pinned));
  const gchar *unknown =
      matter->snapshot->elements->len > 0 ? "" : "; attribution=on names who";

  if (pinned + stats[FM_STAT_FLOOR] > budget)
    return g_strdup_printf (
        "%s: ram below %s saves no memory%s", who, least, unknown);
  return g_strdup_printf (
      "%s, which leaves %s of the budget for all else: raise ram%s", who, left,
      unknown);
}

/* ---- what is written more than once ---- */

static gchar *
tell_turns (const FmMatter *matter, const gchar *what)
{
  guint64 least = matter->n_streams * STREAM_BYTES;
  g_autofree gchar *ram = fm_size_text (least);

  return g_strdup_printf (
      "%s: %u streams take turns in a budget that is too small for what all of "
      "them use at a time; raise ram%s%s%s",
      what, matter->n_streams,
      matter->stats[FM_STAT_RAM] < least ? ", to " : "",
      matter->stats[FM_STAT_RAM] < least ? ram : "",
      matter->stats[FM_STAT_RAM] < least ? " at least" : "");
}

static gboolean
has_pool (const FmMatter *matter)
{
  return matter->pool;
}

static gchar *
tell_pool (const FmMatter *matter)
{
  g_autofree gchar *in_vain = fm_size_text (bytes_to_write (matter->stats));
  g_autofree gchar *all = fm_size_text (matter->stats[FM_STAT_FILL_BYTES]);

  return g_strdup_printf (
      "%s of %s came back from disk only to be overwritten: a pool has more "
      "buffers than fit the budget; raise ram",
      in_vain, all);
}

static gboolean
is_written_again (const FmMatter *matter)
{
  return !matter->pool && !matter->mapped && is_written_often (matter);
}

static gchar *
tell_written_again (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  g_autofree gchar *written = fm_size_text (stats[FM_STAT_SPILL_BYTES]);
  g_autofree gchar *what =
      g_strdup_printf ("%.1f bytes were written for each that came in (%s)",
          (gdouble) stats[FM_STAT_WRITTEN_PERMILLE] / 1000, written);

  if (matter->turns)
    return tell_turns (matter, what);
  return g_strdup_printf ("%s: buffers that were read back went to disk again "
                          "before they were used; "
                          "raise ram",
      what);
}

/* ---- the disk's speed ---- */

/* Whether the disk was busy for much of the time spent waiting; the wait may
 * also have been for room beside what is mapped, or for a processor. */
static gboolean
was_waited_for (const FmMatter *matter, guint64 waited)
{
  /* The threads of all streams may have waited at the same time. */
  return matter->stats[FM_STAT_DISK_BUSY_NS]
      >= MIN (waited / MAX (matter->n_streams, 1), matter->snapshot->uptime)
      / BUSY_PART;
}

/* Most reads were for producers, which waited for the blocks that they were
 * about to write: other advice says so. */
static gboolean
waits_for_pool (const FmMatter *matter)
{
  return matter->pool
      && matter->stats[FM_STAT_FILLS_TO_WRITE]
      > matter->stats[FM_STAT_FILLS] / 3 * 2;
}

/* Where writes failed, the failures are what threads waited for. */
static gboolean
is_slow (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  guint64 waited = stats[FM_STAT_ALLOC_WAIT_NS];
  gboolean failed = stats[FM_STAT_OVER_BUDGET] > 0
      && (matter->refused || stats[FM_STAT_SPILL_FAILURES] > 0);

  return stats[FM_STAT_DISK_BUSY_NS] > 0 && !matter->turns && !matter->mapped
      && !failed && !waits_for_pool (matter) && is_worth_a_word (matter, waited)
      && was_waited_for (matter, waited);
}

/* There were waits that more ram would not avoid. */
static gboolean
has_yielded (const FmMatter *matter)
{
  return matter->yields
      && (is_worth_a_word (matter, matter->stats[FM_STAT_MAP_WAIT_NS])
          || is_worth_a_word (matter, matter->stats[FM_STAT_ALLOC_WAIT_NS]));
}

static gchar *
tell_yielded (const FmMatter *matter)
{
  g_autofree gchar *now = fm_size_text (matter->stats[FM_STAT_BUDGET]);

  return g_strdup_printf (
      "other programs needed the memory: the budget gave way %" G_GUINT64_FORMAT
      " times and is %s now, so more was read and written. Leave more memory "
      "free, or use a faster disk (dir)",
      matter->stats[FM_STAT_YIELDS], now);
}

static gboolean
has_slow_disk (const FmMatter *matter)
{
  return matter->slow;
}

static gchar *
tell_slow_disk (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  gdouble moved =
      (gdouble) (stats[FM_STAT_SPILL_BYTES] + stats[FM_STAT_FILL_BYTES]);

  return g_strdup_printf (
      "the disk moved %.0f MiB/s both ways, and producers waited %.1f s for "
      "it. This matters only for live sources: use a faster disk (dir), or "
      "raise ram",
      moved / seconds (stats[FM_STAT_DISK_BUSY_NS]) / (1 << 20),
      seconds (stats[FM_STAT_ALLOC_WAIT_NS]));
}

static gboolean
has_maps_in_place (const FmMatter *matter)
{
  return matter->stats[FM_STAT_MAPS_IN_PLACE] > 0;
}

static gchar *
tell_maps_in_place (const FmMatter *matter)
{
  return g_strdup_printf (
      "buffers were used where they are on disk, which is slow "
      "(%" G_GUINT64_FORMAT
      " maps): raise the limits on address space and data (ulimit -v, -d), "
      "allow mremap() where system calls are filtered, and let the program "
      "close no descriptors that others have opened",
      matter->stats[FM_STAT_MAPS_IN_PLACE]);
}

/* How much ram would keep everything off the disk: the most that was in use at
 * a time, unless that was reduced by the waits, or is incomplete. NULL if it is
 * not known. */
static gchar *
enough (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  guint64 waited = (stats[FM_STAT_ALLOC_WAIT_NS] + stats[FM_STAT_MAP_WAIT_NS])
      / MAX (matter->n_streams, 1);

  if (waited > matter->snapshot->uptime / MUCH_WAITING
      || stats[FM_STAT_FALLBACKS] > 0)
    return NULL;
  return fm_size_text (MAX (stats[FM_STAT_USED_PEAK], stats[FM_STAT_RAM]));
}

static gboolean
has_waits (const FmMatter *matter)
{
  return !matter->yields && !matter->turns && !waits_for_pool (matter)
      && is_worth_a_word (matter, matter->stats[FM_STAT_MAP_WAIT_NS]);
}

static gchar *
tell_waits (const FmMatter *matter)
{
  guint64 waited = matter->stats[FM_STAT_MAP_WAIT_NS];
  gboolean by_disk =
      !matter->slow && !matter->mapped && was_waited_for (matter, waited);
  g_autofree gchar *ram = enough (matter);

  return g_strdup_printf (
      "maps waited %.1f s for buffers to come back from disk: %sraise "
      "ram%s%s%s",
      seconds (waited), by_disk ? "use a faster disk (dir), or " : "",
      ram != NULL ? "; with about " : "", ram != NULL ? ram : "",
      ram != NULL ? " nothing would go to disk" : "");
}

/* Where there is little room beside what is mapped, what was read ahead may be
 * evicted again before it is used. */
static gboolean
is_read_in_vain (const FmMatter *matter)
{
  guint64 unused = matter->stats[FM_STAT_PREFETCH_UNUSED_BYTES];

  return !matter->mapped && !matter->turns && unused > FM_ADVICE_MIN
      && unused > matter->stats[FM_STAT_PREFETCH_BYTES] / 4;
}

static gchar *
tell_read_in_vain (const FmMatter *matter)
{
  const guint64 *stats = matter->stats;
  g_autofree gchar *in_vain =
      fm_size_text (stats[FM_STAT_PREFETCH_UNUSED_BYTES]);
  g_autofree gchar *all = fm_size_text (stats[FM_STAT_PREFETCH_BYTES]);
  g_autofree gchar *what =
      g_strdup_printf ("%s of %s was read ahead in vain", in_vain, all);

  if (matter->n_streams < 2)
    return g_strdup_printf (
        "%s: buffers are read out of order, or ram is too small to read "
        "ahead",
        what);
  if (stats[FM_STAT_RAM] < matter->n_streams * STREAM_BYTES)
    return tell_turns (matter, what);
  return g_strdup_printf (
      "%s: buffers are read out of order, or ram is too small for %u "
      "streams",
      what, matter->n_streams);
}

static guint64
mean_buffer (const FmMatter *matter)
{
  return matter->stats[FM_STAT_ALLOC_BYTES]
      / MAX (matter->stats[FM_STAT_ALLOCS], 1);
}

/* For as many buffers as may have existed at a time. */
static guint64
bytes_of_objects (const FmMatter *matter)
{
  guint64 n = matter->stats[FM_STAT_USED_PEAK] / MAX (mean_buffer (matter), 1);

  return MIN (n, matter->stats[FM_STAT_ALLOCS]) * FM_BYTES_OF_OBJECTS;
}

static gboolean
has_small_buffers (const FmMatter *matter)
{
  guint64 objects = bytes_of_objects (matter);

  return !fm_snapshot_is_packed (matter->snapshot)
      && mean_buffer (matter) < SMALL_MAX && objects > FM_ADVICE_MIN
      && objects > matter->stats[FM_STAT_RAM] / OBJECTS_PART;
}

static gchar *
tell_small_buffers (const FmMatter *matter)
{
  g_autofree gchar *objects = fm_size_text (bytes_of_objects (matter));

  return g_strdup_printf (
      "buffers are small, %" G_GUINT64_FORMAT
      " bytes: GStreamer's own objects take about half a KiB of memory each, "
      "%s in all; a queue without a limit of buffers (max-size-buffers=0) "
      "packs them, or use larger buffers",
      mean_buffer (matter), objects);
}

/* ---- all of it ---- */

/* In the order in which the advice is given. */
static const struct
{
  gboolean (*applies) (const FmMatter *matter);
  gchar *(*tell) (const FmMatter *matter);
} pieces[] = {
    {is_disk_full, tell_disk_full},
    {is_size_reached, tell_size_reached},
    {is_over_budget, tell_over_budget},
    {has_mapped, tell_mapped},
    {has_pool, tell_pool},
    {is_written_again, tell_written_again},
    {has_yielded, tell_yielded},
    {has_slow_disk, tell_slow_disk},
    {has_maps_in_place, tell_maps_in_place},
    {has_waits, tell_waits},
    {is_read_in_vain, tell_read_in_vain},
    {has_small_buffers, tell_small_buffers},
};

static void
settle (FmMatter *matter)
{
  matter->n_streams = count_streams (matter->snapshot);
  matter->refused = matter->stats[FM_STAT_DISK_FULL] > 0;
  matter->mapped = is_mapped (matter);
  matter->pool = !matter->mapped && is_pool (matter);
  matter->turns = !matter->mapped && !matter->pool && matter->n_streams > 1
      && is_written_often (matter);
  matter->full = is_disk_full (matter) || is_size_reached (matter);
  matter->yields = matter->stats[FM_STAT_YIELDS] > 0;
  matter->slow = !matter->yields && is_slow (matter);
}

GPtrArray *
fm_advice (const FmSnapshot *snapshot)
{
  FmMatter matter = {.snapshot = snapshot, .stats = snapshot->stats};
  GPtrArray *advice = g_ptr_array_new_with_free_func (g_free);
  guint i;

  settle (&matter);
  for (i = 0; i < G_N_ELEMENTS (pieces); i++) {
    if (pieces[i].applies (&matter))
      g_ptr_array_add (advice, pieces[i].tell (&matter));
  }
  for (i = 0; i < snapshot->queues->len; i++)
    fm_advice_on_queue (
        &matter, g_ptr_array_index (snapshot->queues, i), advice);
  return advice;
}
