/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report.c: see report.h. There is one function for each line, or group of
 * lines; the report ends with advice where the figures call for it.
 */
#include "report.h"

#include "advice.h"
#include "messages.h"
#include "output.h"

#include <unistd.h>

/* How many queues, elements and threads the report names, of each. */
#define NAMED_MAX 10

/* An element that has no more page faults than this, and nothing else, is not
 * named. */
#define FAULTS_MIN 100

/* Less than this is just in the hands of some thread. */
#define ELSEWHERE_MIN ((guint64) 16 << 20)

/* In JSON, which is read by programs. */
#define LISTED_MAX 1000

#define N G_GUINT64_FORMAT

/* "1 block", "2 blocks". */
static gchar *
count (guint64 n, const gchar *noun)
{
  return g_strdup_printf ("%" N " %s%s", n, noun, n == 1 ? "" : "s");
}

static gdouble
ms (guint64 ns)
{
  return (gdouble) ns / 1e6;
}

/* For two figures that are bytes. */
static void
add_level (GString *text, const gchar *label, const gchar *verb, guint64 now,
    guint64 most)
{
  g_autofree gchar *first = fm_size_text (now), *second = fm_size_text (most);

  g_string_append_printf (
      text, "  %-12s%s %s, peak %s", label, verb, first, second);
}

static void
add_process (GString *text, const guint64 *stats)
{
  g_autofree gchar *most = fm_size_text (stats[FM_STAT_PROCESS_PEAK]),
                   *blocks = fm_size_text (stats[FM_STAT_RESIDENT_PEAK]),
                   *now = fm_size_text (stats[FM_STAT_PROCESS_BYTES]),
                   *held = fm_size_text (stats[FM_STAT_RESIDENT_BYTES]),
                   *malloced = fm_size_text (stats[FM_STAT_MALLOC_BYTES]),
                   *objects = fm_size_text (stats[FM_STAT_OBJECTS_BYTES]),
                   *tables = fm_size_text (stats[FM_STAT_TABLES_BYTES]),
                   *shared = fm_size_text (stats[FM_STAT_PROCESS_SHARED]);

  if (stats[FM_STAT_PROCESS_PEAK] == 0)
    return;
  g_string_append_printf (text,
      "  %-12s%s of memory at most, up to %s of it in filemem's blocks; now "
      "%s: %s in blocks",
      fm_group_title (FM_GROUP_PROCESS), most, blocks, now, held);
  if (stats[FM_STAT_TABLES_BYTES] > 0)
    g_string_append_printf (text, ", %s filemem's tables", tables);
  if (stats[FM_STAT_MALLOC_BYTES] > 0)
    g_string_append_printf (text, ", %s malloc", malloced);
  if (stats[FM_STAT_LIVE_BLOCKS] > 0)
    g_string_append_printf (
        text, " (about %s of it GStreamer's objects)", objects);
  if (stats[FM_STAT_PROCESS_SHARED] > 0)
    g_string_append_printf (text, ", %s shared memory", shared);
  g_string_append_c (text, '\n');
}

static void
add_limits (GString *text, const guint64 *stats)
{
  g_autofree gchar *most = fm_size_text (stats[FM_STAT_SIZE]);
  g_autofree gchar *budget = fm_size_text (stats[FM_STAT_BUDGET]);
  g_autofree gchar *asked = fm_size_text (stats[FM_STAT_RAM]);
  g_autofree gchar *share = fm_size_text (stats[FM_STAT_SHARE]);
  g_autofree gchar *times = count (stats[FM_STAT_YIELDS], "time");

  g_string_append_printf (text, "  %-12ssize %s, budget (ram) %s",
      fm_group_title (FM_GROUP_LIMITS), most, asked);
  if (stats[FM_STAT_YIELDS] > 0)
    g_string_append_printf (
        text, ", %s now: gave way to others %s", budget, times);
  if (stats[FM_STAT_PROGRAMS] > 1)
    g_string_append_printf (text,
        "; %" N " programs share it (ram-total), %s here",
        stats[FM_STAT_PROGRAMS], share);
  g_string_append_c (text, '\n');
}

/* The most bytes of live blocks that may be in no queue, but in pools, elements
 * or the program. For a queue that can't tell what it holds, all its bytes
 * count. */
static guint64
in_no_queue (const FmSnapshot *snapshot)
{
  guint64 live = snapshot->stats[FM_STAT_LIVE_BYTES], held = 0;
  guint i;

  for (i = 0; i < snapshot->queues->len; i++) {
    const guint64 *figure =
        ((const FmQueueRecord *) g_ptr_array_index (snapshot->queues, i))
            ->figure;

    if (figure[FM_QUEUE_HELD_PEAK] > 0)
      held += figure[FM_QUEUE_LEVEL];
  }
  return live - MIN (live, held);
}

static void
add_allocated (GString *text, const FmSnapshot *snapshot)
{
  const guint64 *stats = snapshot->stats;
  guint64 elsewhere = in_no_queue (snapshot);
  g_autofree gchar *elsewhere_size = fm_size_text (elsewhere);
  g_autofree gchar *allocated = fm_size_text (stats[FM_STAT_ALLOC_BYTES]);
  g_autofree gchar *live = fm_size_text (stats[FM_STAT_LIVE_BYTES]);
  g_autofree gchar *blocks = count (stats[FM_STAT_ALLOCS], "block");

  g_string_append_printf (text, "  %-12s%s, %s; live now %" N ", %s",
      fm_group_title (FM_GROUP_ALLOCATED), blocks, allocated,
      stats[FM_STAT_LIVE_BLOCKS], live);
  if (stats[FM_STAT_LIVE_BLOCKS] > 0 && stats[FM_STAT_OLDEST_NS] > 0)
    g_string_append_printf (text, ", the oldest for %.1f s",
        (gdouble) stats[FM_STAT_OLDEST_NS] / 1e9);
  if (elsewhere > ELSEWHERE_MIN)
    g_string_append_printf (
        text, "; up to %s of that in no queue", elsewhere_size);
  g_string_append_c (text, '\n');
}

/* Those of a group that are not 0, each after @separator, including the
 * first. */
static void
list_group (GString *text, const guint64 *stats, FmFigureGroup group,
    const gchar *separator)
{
  guint i;

  for (i = 0; i < FM_N_ALL_FIGURES; i++) {
    if (fm_figure_spec (i)->group != group || stats[i] == 0)
      continue;
    g_string_append_printf (
        text, "%s%" N " %s", separator, stats[i], fm_figure_spec (i)->label);
    separator = ", ";
  }
}

static void
add_memory (GString *text, const guint64 *stats)
{
  g_autofree gchar *cached = fm_size_text (stats[FM_STAT_PAGE_CACHE_BYTES]);

  add_level (text, fm_group_title (FM_GROUP_MEMORY), "resident now",
      stats[FM_STAT_RESIDENT_BYTES], stats[FM_STAT_RESIDENT_PEAK]);
  g_string_append_printf (text, "; page cache %s; %" N " mappings\n", cached,
      stats[FM_STAT_MAPPINGS]);
  add_level (text, fm_group_title (FM_GROUP_DISK), "in use now",
      stats[FM_STAT_DISK_BYTES], stats[FM_STAT_DISK_PEAK]);
  g_string_append_c (text, '\n');
}

/* Adds nothing if all of them are 0. */
static void
add_group (GString *text, const guint64 *stats, FmFigureGroup group)
{
  g_autoptr (GString) listed = g_string_new (NULL);

  list_group (listed, stats, group, "");
  if (listed->len > 0)
    g_string_append_printf (
        text, "  %-12s%s\n", fm_group_title (group), listed->str);
}

static void
add_transfers (GString *text, const guint64 *stats)
{
  g_autofree gchar *written = fm_size_text (stats[FM_STAT_SPILL_BYTES]);
  g_autofree gchar *read = fm_size_text (stats[FM_STAT_FILL_BYTES]);
  g_autofree gchar *ahead = fm_size_text (stats[FM_STAT_PREFETCH_BYTES]);
  g_autofree gchar *unused =
      fm_size_text (stats[FM_STAT_PREFETCH_UNUSED_BYTES]);
  g_autofree gchar *lent = fm_size_text (stats[FM_STAT_LENT_BYTES]);
  guint64 clean = stats[FM_STAT_CLEAN_SPILLS];
  g_autofree gchar *spills = count (
      stats[FM_STAT_SPILLS] - MIN (stats[FM_STAT_SPILLS], clean), "spill");
  g_autofree gchar *fills = count (stats[FM_STAT_FILLS], "fill");
  gdouble moved =
      (gdouble) (stats[FM_STAT_SPILL_BYTES] + stats[FM_STAT_FILL_BYTES]);

  if (stats[FM_STAT_SPILL_BYTES] + stats[FM_STAT_FILL_BYTES] == 0
      && stats[FM_STAT_MAPS_LENT] == 0) {
    g_string_append_printf (
        text, "  %-12snone\n", fm_group_title (FM_GROUP_TRANSFERS));
    return;
  }
  g_string_append_printf (text, "  %-12s%s written in %s",
      fm_group_title (FM_GROUP_TRANSFERS), written, spills);
  if (clean > 0)
    g_string_append_printf (
        text, " (%" N " more had nothing to be written)", clean);
  g_string_append_printf (
      text, ", %s read in %s, %s of that ahead of time", read, fills, ahead);
  if (stats[FM_STAT_PREFETCH_UNUSED_BYTES] > 0)
    g_string_append_printf (text, " (%s in vain)", unused);
  if (stats[FM_STAT_MAPS_LENT] > 0)
    g_string_append_printf (text,
        "; %" N " single blocks, %s, used where they are on disk",
        stats[FM_STAT_MAPS_LENT], lent);
  if (stats[FM_STAT_DISK_BUSY_NS] > 0)
    g_string_append_printf (text, "; %.0f MiB/s while the disk was busy",
        moved / ((gdouble) stats[FM_STAT_DISK_BUSY_NS] / 1e9) / (1 << 20));
  g_string_append_c (text, '\n');
}

static void
add_wear (GString *text, const guint64 *stats)
{
  g_autofree gchar *write = fm_size_text (stats[FM_STAT_MEAN_WRITE_BYTES]);
  g_autofree gchar *read = fm_size_text (stats[FM_STAT_MEAN_READ_BYTES]);

  if (stats[FM_STAT_SPILL_BYTES] == 0)
    return;
  g_string_append_printf (text, "  %-12s%.2f written per byte; mean write %s",
      fm_group_title (FM_GROUP_WEAR),
      (gdouble) stats[FM_STAT_WRITTEN_PERMILLE] / 1000, write);
  if (stats[FM_STAT_MEAN_READ_BYTES] > 0)
    g_string_append_printf (text, ", mean read %s", read);
  g_string_append_c (text, '\n');
}

static void
add_maps (GString *text, const guint64 *stats)
{
  g_string_append_printf (text,
      "  %-12s%" N " for reading, %" N " for writing; %" N " of spilled, %" N
      " of blocks being read back\n",
      fm_group_title (FM_GROUP_MAPS), stats[FM_STAT_MAPS_READ],
      stats[FM_STAT_MAPS_WRITE],
      stats[FM_STAT_MAPS_READ_SPILLED] + stats[FM_STAT_MAPS_WRITE_SPILLED],
      stats[FM_STAT_MAPS_READ_PREFETCHING]
          + stats[FM_STAT_MAPS_WRITE_PREFETCHING]);
}

static void
add_waits (GString *text, const guint64 *stats)
{
  g_autofree gchar *maps = count (stats[FM_STAT_MAP_WAITS], "map");
  g_autofree gchar *allocations =
      count (stats[FM_STAT_ALLOC_WAITS], "allocation");

  if (stats[FM_STAT_MAP_WAITS] > 0)
    g_string_append_printf (text,
        "  %-12s%s: half up to %.1f ms, 99%% up to %.1f ms, 99.9%% up to "
        "%.1f ms, longest %.1f ms, %.1f s in all\n",
        fm_group_title (FM_GROUP_WAITED), maps,
        ms (stats[FM_STAT_MAP_WAIT_P50_NS]),
        ms (stats[FM_STAT_MAP_WAIT_P99_NS]),
        ms (stats[FM_STAT_MAP_WAIT_P999_NS]),
        ms (stats[FM_STAT_MAP_WAIT_MAX_NS]),
        ms (stats[FM_STAT_MAP_WAIT_NS]) / 1e3);
  if (stats[FM_STAT_ALLOC_WAITS] > 0)
    g_string_append_printf (text,
        "  %-12s%s waited for room, longest %.1f ms, %.1f s in all\n",
        fm_group_title (FM_GROUP_PRODUCERS), allocations,
        ms (stats[FM_STAT_ALLOC_WAIT_MAX_NS]),
        ms (stats[FM_STAT_ALLOC_WAIT_NS]) / 1e3);
}

gchar *
fm_report_fallbacks (const guint64 *stats)
{
  g_autofree gchar *bytes = fm_size_text (stats[FM_STAT_FALLBACK_BYTES]);
  g_autofree gchar *allocations =
      count (stats[FM_STAT_FALLBACKS], "allocation");
  GString *text = g_string_new (NULL);

  if (stats[FM_STAT_FALLBACKS] == 0)
    return g_string_free (g_string_append (text, "none"), FALSE);
  g_string_append_printf (
      text, "%s, %s, became system memory", allocations, bytes);
  list_group (text, stats, FM_GROUP_REASONS, ": ");
  return g_string_free (text, FALSE);
}

static void
add_fallbacks (GString *text, const guint64 *stats)
{
  g_autofree gchar *fallbacks = fm_report_fallbacks (stats);

  g_string_append_printf (
      text, "  %-12s%s\n", fm_group_title (FM_GROUP_FALLBACKS), fallbacks);
}

static void
add_packed (GString *text, const FmQueueRecord *queue)
{
  guint64 n = queue->figure[FM_QUEUE_PACKED];
  guint64 lost = queue->figure[FM_QUEUE_PACKED_LOST];
  g_autofree gchar *bytes = fm_size_text (queue->figure[FM_QUEUE_PACKED_BYTES]);
  g_autofree gchar *parcels = count (queue->figure[FM_QUEUE_PARCELS], "parcel");
  g_autofree gchar *buffers = count (n, "buffer");
  g_autofree gchar *dropped = count (lost, "parcel");

  if (n > 0)
    g_string_append_printf (
        text, "; %s, %s, packed in %s", buffers, bytes, parcels);
  if (lost > 0)
    g_string_append_printf (text,
        "; %s dropped, because nothing was linked when an event came", dropped);
}

/* The most that the queue held, and how much of that filemem held. */
static void
add_held (GString *text, const FmQueueRecord *queue)
{
  guint64 most = queue->figure[FM_QUEUE_HELD_PEAK];
  guint64 foreign = queue->figure[FM_QUEUE_HELD_FOREIGN_PEAK];
  g_autofree gchar *most_size = fm_size_text (most),
                   *foreign_size = fm_size_text (foreign),
                   *now = fm_size_text (queue->figure[FM_QUEUE_LEVEL]);

  if (most > 0)
    g_string_append_printf (text, "held %s at most, %.0f%% of that in blocks; ",
        most_size,
        100.0 - 100.0 * (gdouble) MIN (foreign, most) / (gdouble) most);
  else if (foreign > 0)
    g_string_append_printf (
        text, "held %s outside filemem at most; ", foreign_size);
  if (queue->figure[FM_QUEUE_OLDEST_NS] > 0)
    g_string_append_printf (text, "%s now, the oldest for %.1f s; ", now,
        (gdouble) queue->figure[FM_QUEUE_OLDEST_NS] / 1e9);
}

static void
add_queue (GString *text, const FmQueueRecord *queue)
{
  g_autofree gchar *all = fm_size_text (queue->figure[FM_QUEUE_BYTES]),
                   *copied =
                       fm_size_text (queue->figure[FM_QUEUE_COPIED_BYTES]),
                   *unseen = fm_size_text (queue->figure[FM_QUEUE_UNSEEN]);
  guint i;

  g_string_append_printf (text, "  %-12s%s: ", "queue", queue->name);
  add_held (text, queue);
  g_string_append_printf (text, "%s passed", all);
  if (queue->figure[FM_QUEUE_COPIES] > 0)
    g_string_append_printf (text, ", %s of it copied", copied);
  if (queue->figure[FM_QUEUE_UNSEEN] > 0)
    g_string_append_printf (text, ", and %s unseen", unseen);
  if (queue->figure[FM_QUEUE_KEPT_OWN] > 0)
    g_string_append (text, " into memory of the element's own");
  add_packed (text, queue);
  for (i = 0; i < FM_N_QUEUE_FIGURES; i++) {
    const FmFigureSpec *spec = fm_queue_figure_spec (i);
    guint64 n = queue->figure[i];

    if (spec->group == FM_GROUP_REASONS && n > 0)
      g_string_append_printf (text, "; %" N " left alone: %s", n, spec->label);
    else if (spec->group == FM_GROUP_UNPACKED && n > 0)
      g_string_append_printf (
          text, "; %" N " small ones not packed: %s", n, spec->label);
  }
  g_string_append_c (text, '\n');
}

static void
add_rest (GString *text, const gchar *label, guint n)
{
  if (n > NAMED_MAX)
    g_string_append_printf (
        text, "  %-12s%u smaller ones\n", label, n - NAMED_MAX);
}

static void
add_queues (GString *text, GPtrArray *queues)
{
  g_autoptr (GPtrArray) sorted = fm_report_sorted_queues (queues);
  guint i;

  for (i = 0; i < MIN (sorted->len, NAMED_MAX); i++)
    add_queue (text, g_ptr_array_index (sorted, i));
  add_rest (text, "queues", sorted->len);
}

/* ---- who ---- */

static guint64
mapped (FmTally *tally)
{
  return fm_tally_sum (tally, FM_TALLY_MAPS_READ, FM_TALLY_MAPS_WRITE);
}

/* Buffers only pass through most elements; that costs an element a page fault
 * or two. */
static gboolean
is_worth_a_line (FmTally *tally)
{
  return mapped (tally) > 0 || fm_tally_get (tally, FM_TALLY_ALLOCS) > 0
      || fm_tally_sum (tally, FM_TALLY_MINOR_FAULTS, FM_TALLY_MAJOR_FAULTS)
      >= FAULTS_MIN;
}

/* Buffers that an element has mapped one after the other are not worth
 * mentioning. */
static void
add_mapped (GString *text, FmTally *element)
{
  guint64 figure[FM_N_MAPPED_FIGURES];
  g_autofree gchar *most = NULL;

  fm_tally_get_mapped (element, figure);
  if (figure[FM_MAPPED_MAX] < 2)
    return;
  most = fm_size_text (figure[FM_MAPPED_MAX_BYTES]);
  g_string_append_printf (text,
      "; had up to %" N " buffers (%s) mapped, for up to %.1f s",
      figure[FM_MAPPED_MAX], most, ms (figure[FM_MAPPED_LONGEST_NS]) / 1e3);
}

static void
add_tally (GString *text, FmTally *tally)
{
  g_autofree gchar *allocated =
      fm_size_text (fm_tally_get (tally, FM_TALLY_ALLOC_BYTES));

  if (tally->thread != NULL)
    g_string_append_printf (
        text, "  %-12s%s of %s: ", "thread", tally->thread, tally->element);
  else
    g_string_append_printf (text, "  %-12s%s: ", "element", tally->element);
  g_string_append_printf (text,
      "%" N " blocks, %s; %" N " maps; waited %.1f ms for buffers, %.1f ms for "
      "room; %" N " page faults, %" N " of them in blocks, %" N " major",
      fm_tally_get (tally, FM_TALLY_ALLOCS), allocated, mapped (tally),
      ms (fm_tally_get (tally, FM_TALLY_MAP_WAIT_NS)),
      ms (fm_tally_get (tally, FM_TALLY_ALLOC_WAIT_NS)),
      fm_tally_sum (tally, FM_TALLY_MINOR_FAULTS, FM_TALLY_MAJOR_FAULTS),
      fm_tally_sum (
          tally, FM_TALLY_ARENA_MINOR_FAULTS, FM_TALLY_ARENA_MAJOR_FAULTS),
      fm_tally_get (tally, FM_TALLY_MAJOR_FAULTS));
  if (tally->thread == NULL)
    add_mapped (text, tally);
  g_string_append_c (text, '\n');
}

static void
add_tallies (GString *text, const gchar *label, GPtrArray *tallies)
{
  g_autoptr (GPtrArray) sorted = fm_report_sorted_tallies (tallies);
  guint i, n = 0;

  for (i = 0; i < sorted->len; i++) {
    FmTally *tally = g_ptr_array_index (sorted, i);

    if (is_worth_a_line (tally) && n++ < NAMED_MAX)
      add_tally (text, tally);
  }
  add_rest (text, label, n);
}

static void
add_faults (GString *text, const FmSnapshot *snapshot)
{
  static const gchar *const how[] = {
      [FM_FAULTS_NONE] = "",
      [FM_FAULTS_RUSAGE] = (", where blocks were mapped (rusage; the kernel "
                            "does not let us see the addresses)"),
      [FM_FAULTS_PERF] = " at addresses of blocks",
  };

  g_string_append_printf (text,
      "  %-12s%" N " minor, %" N " major page faults of the process",
      fm_group_title (FM_GROUP_FAULTS), snapshot->stats[FM_STAT_MINOR_FAULTS],
      snapshot->stats[FM_STAT_MAJOR_FAULTS]);
  if (snapshot->fault_source != FM_FAULTS_NONE)
    g_string_append_printf (text, "; %" N " and %" N " of streaming threads%s",
        snapshot->stats[FM_STAT_ARENA_MINOR_FAULTS],
        snapshot->stats[FM_STAT_ARENA_MAJOR_FAULTS],
        how[snapshot->fault_source]);
  g_string_append_c (text, '\n');
}

/* ---- all of it ---- */

/* What became of what was allocated. */
static void
add_blocks (GString *text, const FmSnapshot *snapshot)
{
  const guint64 *stats = snapshot->stats;

  add_limits (text, stats);
  add_allocated (text, snapshot);
  add_memory (text, stats);
  add_group (text, stats, FM_GROUP_EXTENTS);
  add_transfers (text, stats);
  add_wear (text, stats);
  add_maps (text, stats);
  add_waits (text, stats);
  add_group (text, stats, FM_GROUP_TROUBLE);
  add_fallbacks (text, stats);
}

gchar *
fm_report_text (const FmSnapshot *snapshot)
{
  const guint64 *stats = snapshot->stats;
  GString *text = g_string_new (NULL);
  g_autoptr (GPtrArray) advice = NULL;
  guint i;

  g_string_append_printf (
      text, "filemem report of process %d\n", (int) getpid ());
  add_process (text, stats);
  if (stats[FM_STAT_ALLOCS] == 0 && stats[FM_STAT_FALLBACKS] == 0)
    g_string_append (text,
        "  nothing was allocated through GStreamer's default allocator\n");
  else
    add_blocks (text, snapshot);
  add_queues (text, snapshot->queues);
  add_tallies (text, "elements", snapshot->elements);
  add_tallies (text, "threads", snapshot->threads);
  add_faults (text, snapshot);
  advice = fm_advice (snapshot);
  for (i = 0; i < advice->len; i++)
    g_string_append_printf (text, "  %-12s%s\n", "advice",
        (const gchar *) g_ptr_array_index (advice, i));
  return g_string_free (text, FALSE);
}

/* The whole report as text, with its last newline. */
static gchar *
make_text (const FmSnapshot *snapshot, gboolean as_json)
{
  g_autofree gchar *json = NULL;

  if (!as_json)
    return fm_report_text (snapshot);
  json = fm_report_json (snapshot, LISTED_MAX);
  return g_strconcat (json, "\n", NULL);
}

void
fm_report_write (const FmSnapshot *snapshot, const gchar *to, gboolean as_json)
{
  g_autofree gchar *text = NULL;

  if (g_str_equal (to, "none"))
    return;
  text = make_text (snapshot, as_json);
  (void) fm_output_write (to, text);
}
