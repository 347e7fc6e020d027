/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * operations.c: what the operations cost while nothing has to be spilled.
 *
 * Each thread has a queue of live blocks. One operation is: allocate a block,
 * map it for writing, touch it, unmap it; then take the oldest block of the
 * queue, map it for reading, look at what was written, unmap and free it. With
 * --cross one thread does the first half and another the second, as on the two
 * sides of a queue.
 *
 * Operations are timed in batches, by the clock and by the thread's CPU time;
 * the figure is the median of all batches, so that what else runs on the
 * machine does not count. With --cross it is the sum of the two halves' medians
 * and waiting for each other is not in it.
 *
 * With --steady nothing is timed. When every queue has been turned over a few
 * times the program calls getppid(), does --operations operations a thread, and
 * calls getppid() again. Threads wait for each other by spinning and no clock
 * is read, so every system call between the two is one that the operations
 * made: count them with strace -f. operations_between is how many operations
 * that were.
 *
 * Prints one line of name=value. A block that does not hold what was written
 * ends the run with exit code 1.
 */
#include "competitors.h"
#include "process.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_THREADS 64
#define TOUCHED 64 /* bytes of each block, or all of it */
#define SPINS 10000
#define APART 128
#define WARM_BYTES ((guint64) 64 << 20) /* goes round every part of filemem */

typedef struct
{
  guint64 ns;
  guint64 cpu_ns;
} Batch;

/* From the one who fills blocks to the one who looks at them. Only whole
 * batches move the counters, so these are seldom written. */
typedef struct
{
  _Alignas(APART) _Atomic guint64 n_in;
  atomic_bool closed;
  _Alignas(APART) _Atomic guint64 n_out;
} Crossing;

typedef struct
{
  GstAllocator *allocator;
  gsize block;
  gsize live;  /* blocks in each queue */
  gsize batch; /* operations */
  gboolean buffers;
  gboolean cross;
  gboolean steady;
  guint n_threads;
  guint64 warm_operations; /* of --steady */
  guint64 operations;
  guint64 start; /* otherwise: what is timed, in ns of the clock */
  guint64 end;

  atomic_uint n_met;   /* of all threads, at every meeting so far */
  ProcessIo io_before; /* when what counts begins */
  Crossing *crossing;
} Run;

/* Each one apart from the others, and its queue too: what is measured is not
 * to be the cost of sharing a cache line with this program. */
typedef struct
{
  _Alignas(APART) Run *run;
  guint number;
  gpointer *queue; /* of run->live blocks; the crossing's two share one */
  guint64 n;       /* operations done */
  GArray *batches;
} Worker;

static guint64
round_up (guint64 n, guint64 step)
{
  return (n + step - 1) / step * step;
}

/* ---- one operation ---- */

G_NORETURN static void
fail (const gchar *what)
{
  g_printerr ("operations: %s\n", what);
  exit (1);
}

static void
touch (const Run *run, guint8 *data, guint64 stamp)
{
  memset (data, (int) (stamp & 0xff), MIN (run->block, TOUCHED));
}

static void
look (const Run *run, const guint8 *data, guint64 stamp)
{
  gsize last = MIN (run->block, TOUCHED) - 1;

  if (data[0] != (guint8) stamp || data[last] != (guint8) stamp)
    fail ("a block holds other bytes than were written");
}

static gpointer
produce (const Run *run, guint64 stamp)
{
  GstMapInfo info;

  if (run->buffers) {
    GstBuffer *buffer =
        gst_buffer_new_allocate (run->allocator, run->block, NULL);

    if (buffer == NULL || !gst_buffer_map (buffer, &info, GST_MAP_WRITE))
      fail ("a buffer can't be written");
    touch (run, info.data, stamp);
    gst_buffer_unmap (buffer, &info);
    return buffer;
  } else {
    GstMemory *mem = gst_allocator_alloc (run->allocator, run->block, NULL);

    if (mem == NULL || !gst_memory_map (mem, &info, GST_MAP_WRITE))
      fail ("a block can't be written");
    touch (run, info.data, stamp);
    gst_memory_unmap (mem, &info);
    return mem;
  }
}

static void
consume (const Run *run, gpointer item, guint64 stamp)
{
  GstMapInfo info;

  if (run->buffers) {
    if (!gst_buffer_map (item, &info, GST_MAP_READ))
      fail ("a buffer can't be read");
    look (run, info.data, stamp);
    gst_buffer_unmap (item, &info);
    gst_buffer_unref (item);
  } else {
    if (!gst_memory_map (item, &info, GST_MAP_READ))
      fail ("a block can't be read");
    look (run, info.data, stamp);
    gst_memory_unmap (item, &info);
    gst_memory_unref (item);
  }
}

/* ---- one batch ---- */

/* Gives way to others now and then, but for --steady, where that would be a
 * system call of ours. */
static void
spin (const Run *run, guint *n)
{
  if (++*n % SPINS == 0 && !run->steady)
    sched_yield ();
}

static void
do_both (Worker *worker)
{
  const Run *run = worker->run;
  gsize i;

  for (i = 0; i < run->batch; i++, worker->n++) {
    gpointer *slot = &worker->queue[worker->n % run->live];

    if (worker->n >= run->live)
      consume (run, *slot, worker->n - run->live);
    *slot = produce (run, worker->n);
  }
}

static void
do_first_half (Worker *worker)
{
  const Run *run = worker->run;
  gsize i;

  for (i = 0; i < run->batch; i++, worker->n++)
    worker->queue[worker->n % run->live] = produce (run, worker->n);
}

static void
do_second_half (Worker *worker)
{
  const Run *run = worker->run;
  gsize i;

  for (i = 0; i < run->batch; i++, worker->n++)
    consume (run, worker->queue[worker->n % run->live], worker->n);
}

static gboolean
is_first_half (const Worker *worker)
{
  return worker->number == 0;
}

/* FALSE if there will be none any more. */
static gboolean
wait_for_batch (const Worker *worker)
{
  Run *run = worker->run;
  Crossing *crossing = run->crossing;
  guint spins = 0;

  if (is_first_half (worker)) {
    while (worker->n + run->batch
        > atomic_load_explicit (&crossing->n_out, memory_order_acquire)
            + run->live)
      spin (run, &spins);
    return TRUE;
  }
  while (atomic_load_explicit (&crossing->n_in, memory_order_acquire)
      == worker->n) {
    if (atomic_load (&crossing->closed)
        && atomic_load (&crossing->n_in) == worker->n)
      return FALSE;
    spin (run, &spins);
  }
  return TRUE;
}

static void
do_batch (Worker *worker)
{
  Run *run = worker->run;

  if (!run->cross) {
    do_both (worker);
  } else if (is_first_half (worker)) {
    do_first_half (worker);
    atomic_store_explicit (
        &run->crossing->n_in, worker->n, memory_order_release);
  } else {
    do_second_half (worker);
    atomic_store_explicit (
        &run->crossing->n_out, worker->n, memory_order_release);
  }
}

/* ---- the threads ---- */

static void
time_batches (Worker *worker)
{
  Run *run = worker->run;
  gboolean counts = FALSE;
  guint64 after = 0;

  /* Whoever looks at what the other made goes on until there is none left. A
   * slow or busy machine gets the time for one batch. */
  while (after < run->end || (run->cross && !is_first_half (worker))
      || worker->batches->len == 0) {
    guint64 before, cpu_before;
    Batch batch;

    if (run->cross && !wait_for_batch (worker))
      break;
    if (!counts && worker->number == 0
        && clock_ns (CLOCK_MONOTONIC) >= run->start) {
      process_io (&run->io_before);
      counts = TRUE;
    }
    cpu_before = clock_ns (CLOCK_THREAD_CPUTIME_ID);
    before = clock_ns (CLOCK_MONOTONIC);
    do_batch (worker);
    after = clock_ns (CLOCK_MONOTONIC);
    batch.ns = after - before;
    batch.cpu_ns = clock_ns (CLOCK_THREAD_CPUTIME_ID) - cpu_before;
    if (before >= run->start
        && (before < run->end || worker->batches->len == 0))
      g_array_append_val (worker->batches, batch);
  }
}

static void
do_operations (Worker *worker, guint64 n)
{
  guint64 end = worker->n + n;

  while (worker->n < end) {
    if (worker->run->cross && !wait_for_batch (worker))
      break;
    do_batch (worker);
  }
}

/* Returns when all threads are here. */
static void
meet (Run *run)
{
  guint number = atomic_fetch_add (&run->n_met, 1) / run->n_threads;
  guint spins = 0;

  while (atomic_load (&run->n_met) < (number + 1) * run->n_threads)
    spin (run, &spins);
}

/* The first thread shows strace where the steady phase starts and ends. */
static void
mark (const Worker *worker)
{
  meet (worker->run);
  if (worker->number == 0)
    (void) getppid ();
  meet (worker->run);
}

static void
do_steadily (Worker *worker)
{
  Run *run = worker->run;

  do_operations (worker, run->warm_operations);
  if (worker->number == 0)
    process_io (&run->io_before);
  mark (worker);
  do_operations (worker, run->operations);
  mark (worker);
}

static gpointer
work (gpointer data)
{
  Worker *worker = data;
  Run *run = worker->run;

  if (run->steady)
    do_steadily (worker);
  else
    time_batches (worker);
  if (run->cross && is_first_half (worker))
    atomic_store (&run->crossing->closed, TRUE);
  return NULL;
}

static void
empty_queue (Worker *worker)
{
  const Run *run = worker->run;
  guint64 i;

  for (i = worker->n > run->live ? worker->n - run->live : 0; i < worker->n;
       i++)
    consume (run, worker->queue[i % run->live], i);
}

/* ---- figures ---- */

static gint
compare_ns (gconstpointer a, gconstpointer b)
{
  guint64 x = ((const Batch *) a)->ns, y = ((const Batch *) b)->ns;

  return x < y ? -1 : x > y;
}

static gint
compare_cpu (gconstpointer a, gconstpointer b)
{
  guint64 x = ((const Batch *) a)->cpu_ns, y = ((const Batch *) b)->cpu_ns;

  return x < y ? -1 : x > y;
}

/* Medians for an operation. */
static void
medians (GArray *batches, gsize batch, gdouble *ret_ns, gdouble *ret_cpu_ns)
{
  if (batches->len == 0)
    fail ("no batch ended");
  g_array_sort (batches, compare_cpu);
  *ret_cpu_ns =
      (gdouble) g_array_index (batches, Batch, batches->len / 2).cpu_ns
      / (gdouble) batch;
  g_array_sort (batches, compare_ns);
  *ret_ns = (gdouble) g_array_index (batches, Batch, batches->len / 2).ns
      / (gdouble) batch;
}

static void
print_times (const Run *run, const Worker *workers)
{
  guint n_groups = run->cross ? 2 : 1, group, i, n_batches = 0;
  gdouble ns = 0, cpu_ns = 0;

  for (group = 0; group < n_groups; group++) {
    g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (Batch));
    gdouble group_ns, group_cpu_ns;

    for (i = group; i < run->n_threads; i += n_groups)
      g_array_append_vals (
          all, workers[i].batches->data, workers[i].batches->len);
    medians (all, run->batch, &group_ns, &group_cpu_ns);
    ns += group_ns;
    cpu_ns += group_cpu_ns;
    n_batches += all->len;
    if (run->cross)
      g_print ("%s_ns=%.1f ", group == 0 ? "produce" : "consume", group_ns);
  }
  g_print ("ns=%.1f cpu_ns=%.1f batches=%u ", ns, cpu_ns, n_batches);
}

static void
measure (Run *run, const Competitor *competitor, gdouble seconds)
{
  Worker workers[MOST_THREADS] = {{NULL}};
  GThread *threads[MOST_THREADS];
  ProcessIo io_after;
  guint64 cpu_before, n_done = 0;
  guint i;

  for (i = 0; i < run->n_threads; i++) {
    workers[i].run = run;
    workers[i].number = i;
    workers[i].batches = g_array_new (FALSE, FALSE, sizeof (Batch));
    workers[i].queue =
        run->cross && i > 0 ? workers[0].queue : g_new0 (gpointer, run->live);
  }

  cpu_before = clock_ns (CLOCK_PROCESS_CPUTIME_ID);
  run->start = clock_ns (CLOCK_MONOTONIC) + (guint64) (seconds / 4 * 1e9);
  run->end = run->start + (guint64) (seconds * 1e9);
  for (i = 1; i < run->n_threads; i++)
    threads[i] = g_thread_new ("operations", work, &workers[i]);
  work (&workers[0]);
  for (i = 1; i < run->n_threads; i++)
    g_thread_join (threads[i]);
  cpu_before = clock_ns (CLOCK_PROCESS_CPUTIME_ID) - cpu_before;
  process_io (&io_after);

  for (i = 0; i < run->n_threads; i += run->cross ? run->n_threads : 1)
    n_done += workers[i].n;
  if (run->steady)
    g_print ("operations_between=%" G_GUINT64_FORMAT " ",
        run->operations * (run->cross ? 1 : run->n_threads));
  else
    print_times (run, workers);
  g_print ("operations=%" G_GUINT64_FORMAT
           " process_cpu_ns=%.1f read=%" G_GUINT64_FORMAT
           " written=%" G_GUINT64_FORMAT,
      n_done, (gdouble) cpu_before / (gdouble) n_done,
      io_after.device_read - run->io_before.device_read,
      io_after.device_written - run->io_before.device_written);
  if (competitor->print != NULL)
    competitor->print (run->allocator);
  g_print ("\n");

  for (i = 0; i < run->n_threads; i++) {
    if (!run->cross)
      empty_queue (&workers[i]);
    g_array_unref (workers[i].batches);
    if (i == 0 || !run->cross)
      g_aligned_free (workers[i].queue);
  }
}

int
main (int argc, char **argv)
{
  gint64 block = 1316, live = 16, operations = 200000;
  gint n_threads = 1;
  gboolean buffers = FALSE, cross = FALSE, steady = FALSE;
  gdouble seconds = 1.0;
  g_autofree gchar *dir = g_strdup ("/var/tmp"), *ram = g_strdup ("512M");
  const GOptionEntry entries[] = {
      {"block", 0, 0, G_OPTION_ARG_INT64, &block, "Bytes of a block", "N"},
      {"live", 0, 0, G_OPTION_ARG_INT64, &live, "Live blocks a thread", "N"},
      {"threads", 0, 0, G_OPTION_ARG_INT, &n_threads, "Threads", "N"},
      {"buffers", 0, 0, G_OPTION_ARG_NONE, &buffers,
          "GstBuffers, not GstMemory alone", NULL},
      {"cross", 0, 0, G_OPTION_ARG_NONE, &cross,
          "Free in another thread than allocated", NULL},
      {"seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds, "How long", "S"},
      {"steady", 0, 0, G_OPTION_ARG_NONE, &steady,
          "Operations between two getppid()", NULL},
      {"operations", 0, 0, G_OPTION_ARG_INT64, &operations,
          "How many, with --steady, a thread", "N"},
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir, "Where the file is", "DIR"},
      {"ram", 0, 0, G_OPTION_ARG_STRING, &ram, "Budget of filemem", "SIZE"},
      {NULL}};
  g_autoptr (GOptionContext) context = g_option_context_new (
      "system|filemem|… - what the operations cost without spilling");
  g_autoptr (GError) error = NULL;
  const Competitor *competitor = NULL;
  Run run = {NULL};
  Setting setting = {NULL};

  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (g_option_context_parse (context, &argc, &argv, &error) && argc == 2)
    competitor = competitor_find (argv[1]);
  if (competitor == NULL || block < 1 || live < 4 || n_threads < 1
      || n_threads > MOST_THREADS || (cross && n_threads != 2)
      || operations < 1) {
    g_printerr ("operations: %s\n",
        error != NULL ? error->message : "see operations --help");
    return 2;
  }

  run.block = (gsize) block;
  run.live = (gsize) live;
  run.buffers = buffers;
  run.cross = cross;
  run.steady = steady;
  run.n_threads = (guint) n_threads;
  /* The two of a crossing need not wait for each other all the time. */
  run.batch = cross ? run.live / 4 : MAX (run.live, 256);
  run.operations = round_up ((guint64) operations, run.batch);
  run.warm_operations =
      round_up (MAX (run.operations / 4, 8 * run.live + WARM_BYTES / run.block),
          run.batch);
  run.crossing = g_aligned_alloc0 (1, sizeof (Crossing), APART);
  setting.dir = dir;
  setting.ram = ram;
  setting.block = run.block;
  setting.n_blocks = run.live * run.n_threads + run.n_threads;
  run.allocator = competitor->make (&setting, &error);
  if (run.allocator == NULL) {
    g_printerr ("operations: %s\n", error->message);
    return 1;
  }
  measure (&run, competitor, seconds);
  gst_object_unref (run.allocator);
  g_aligned_free (run.crossing);
  return 0;
}
