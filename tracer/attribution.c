/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * attribution.c: see attribution.h.
 *
 * On each entering and leaving, what the thread has counted since the last time
 * is added to the element whose code ran, and to the thread's tally for the
 * element whose loop it is. Mostly nothing was counted, and then it costs only
 * a few loads.
 *
 * Locking: none. A thread's state is its own; if two pads are the first of an
 * element at the same time, only one tally stays.
 */
#include "attribution.h"

#include "faults.h"
#include "fork.h"
#include "observe.h"
#include "sync.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Loops for which a thread has a tally. A thread of a pool runs the loops of
 * many pipelines, one after the other. */
#define LOOPS_MAX 32

/* Where a look at the faults is a system call: this many in a millisecond, half
 * a per cent of the time. */
#define LOOKS_PER_MS 16

typedef struct
{
  const FmStatsShard *counters; /* NULL: not this thread's alone */
  guint64 seen[FM_N_COUNTED_FIGURES];
  FmFaultMeter *faults;
  glong tick;       /* of the clock, to which looks_left applies */
  guint looks_left; /* at the faults, where they are system calls */
  gboolean owed;    /* a look was left out */

  guint depth;              /* elements that were entered and not yet left */
  const GstPad *loop_pad;   /* only to be compared with, and only if what was */
  FmTally *loop_entry;      /* entered is the same: pads follow each other at
                               one address */
  FmTally *running;         /* whose code runs; NULL: not known */
  FmTally *thread;          /* for the element whose loop it is; or NULL */
  GHashTable *thread_tally; /* for each element whose loop it has been */
} Thread;

static struct
{
  GstFileMemAllocator *allocator; /* NULL: off */
  GQuark quark;
  FmRegistry elements;
  FmRegistry threads;
  guint looks_per_tick;
  /* Tallies are forgotten eventually; these only grow. */
  _Atomic guint64 arena_minor, arena_major;
} attribution;

/* Without it each use is a call into the dynamic linker. */
static _Thread_local Thread *this_thread
    __attribute__ ((tls_model ("initial-exec")));

/* ---- the thread ---- */

/* The library's counters, in the order of the tally's figures. */
static void
read_counters (const FmStatsShard *from, guint64 to[FM_N_COUNTED_FIGURES])
{
#define READ(symbol, field) \
  to[FM_TALLY_##symbol] =   \
      atomic_load_explicit (&from->field, memory_order_relaxed)
  READ (ALLOCS, allocs);
  READ (ALLOC_BYTES, alloc_bytes);
  READ (ALLOC_WAITS, alloc_waits);
  READ (ALLOC_WAIT_NS, alloc_wait_ns);
  READ (MAPS_READ, maps_read);
  READ (MAPS_WRITE, maps_write);
  READ (MAP_WAITS, map_waits);
  READ (MAP_WAIT_NS, map_wait_ns);
#undef READ
}

static void
add (Thread *thread, FmTallyFigure figure, guint64 n)
{
  if (thread->running != NULL)
    fm_tally_add (thread->running, figure, n);
  if (thread->thread != NULL)
    fm_tally_add_own (thread->thread, figure, n);
}

/* A thread that waited has allocated or mapped as well. */
static gboolean
has_counted (const Thread *thread)
{
  const FmStatsShard *counters = thread->counters;

  return counters != NULL
      && (atomic_load_explicit (&counters->maps_read, memory_order_relaxed)
              != thread->seen[FM_TALLY_MAPS_READ]
          || atomic_load_explicit (&counters->maps_write, memory_order_relaxed)
              != thread->seen[FM_TALLY_MAPS_WRITE]
          || atomic_load_explicit (&counters->allocs, memory_order_relaxed)
              != thread->seen[FM_TALLY_ALLOCS]);
}

/* Whether one more look may be made, if looks are system calls: not for each of
 * many small buffers. Each tick of the clock, every one to ten milliseconds,
 * allows new ones. */
static gboolean
may_look (Thread *thread)
{
  struct timespec now;

  if (thread->looks_left == 0) {
    (void) clock_gettime (CLOCK_MONOTONIC_COARSE, &now);
    if (now.tv_nsec != thread->tick)
      thread->looks_left = attribution.looks_per_tick;
    thread->tick = now.tv_nsec;
  }
  thread->owed = thread->looks_left == 0;
  if (thread->owed)
    return FALSE;
  thread->looks_left--;
  return TRUE;
}

static void
settle_faults (Thread *thread, gboolean mapped)
{
  FmFaults faults;

  if (G_LIKELY (fm_fault_meter_is_quiet (thread->faults, mapped)))
    return;
  if (fm_fault_meter_source (thread->faults) == FM_FAULTS_RUSAGE
      && !may_look (thread))
    return;
  if (!fm_fault_meter_read (thread->faults, mapped, &faults))
    return;
  add (thread, FM_TALLY_MINOR_FAULTS, faults.minor);
  add (thread, FM_TALLY_MAJOR_FAULTS, faults.major);
  add (thread, FM_TALLY_ARENA_MINOR_FAULTS, faults.arena_minor);
  add (thread, FM_TALLY_ARENA_MAJOR_FAULTS, faults.arena_major);
  atomic_fetch_add (&attribution.arena_minor, faults.arena_minor);
  atomic_fetch_add (&attribution.arena_major, faults.arena_major);
}

static void
settle (Thread *thread)
{
  gboolean counted = has_counted (thread);
  guint64 now[FM_N_COUNTED_FIGURES];
  guint i;

  if (G_UNLIKELY (counted)) {
    read_counters (thread->counters, now);
    for (i = 0; i < FM_N_COUNTED_FIGURES; i++) {
      add (thread, i, now[i] - thread->seen[i]);
      thread->seen[i] = now[i];
    }
  }
  settle_faults (thread, counted);
}

static void
thread_tally_left (gpointer tally)
{
  fm_registry_leave (&attribution.threads, tally);
}

static void
thread_free (gpointer data)
{
  Thread *thread = data;

  settle (thread);
  if (thread->owed) {
    thread->looks_left = 1;
    settle_faults (thread, TRUE);
  }
  this_thread = NULL;
  fm_fault_meter_free (thread->faults);
  g_hash_table_unref (thread->thread_tally);
  g_free (thread);
}

static GPrivate end_of_thread = G_PRIVATE_INIT (thread_free);

static Thread *
thread_new (void)
{
  Thread *thread = g_new0 (Thread, 1);

  thread->counters =
      gst_file_mem_allocator_thread_counters (attribution.allocator);
  if (thread->counters != NULL)
    read_counters (thread->counters, thread->seen);
  thread->faults = fm_fault_meter_new ();
  thread->thread_tally = g_hash_table_new_full (
      NULL, NULL, fm_registry_item_unref, thread_tally_left);
  this_thread = thread;
  g_private_set (&end_of_thread, thread);
  return thread;
}

/* ---- the loop ---- */

/* The element that pushes into @pad, or pulls from it; looks through bins. */
static GstElement *
element_behind (GstPad *pad)
{
  GstPad *peer = gst_pad_get_peer (pad);
  GstElement *element;

  while (peer != NULL && GST_IS_PROXY_PAD (peer)) {
    GstProxyPad *inside = gst_proxy_pad_get_internal (GST_PROXY_PAD (peer));
    GstPad *next =
        inside != NULL ? gst_pad_get_peer (GST_PAD_CAST (inside)) : NULL;

    g_clear_object (&inside);
    gst_object_unref (peer);
    peer = next;
  }
  if (peer == NULL)
    return NULL;
  element = gst_pad_get_parent_element (peer);
  gst_object_unref (peer);
  return element;
}

static FmTally *
tally_of_loop (Thread *thread, FmTally *element)
{
  FmTally *tally = g_hash_table_lookup (thread->thread_tally, element);
  gchar name[16] = "";

  if (tally == NULL) {
    if (g_hash_table_size (thread->thread_tally) >= LOOPS_MAX)
      g_hash_table_remove_all (thread->thread_tally);
    (void) prctl (PR_GET_NAME, name);
    tally = fm_tally_new (&attribution.threads, element->element, name,
        (guint64) syscall (SYS_gettid));
    g_hash_table_insert (
        thread->thread_tally, fm_registry_item_ref (element), tally);
  }
  return tally;
}

/* The thread enters its first element by @pad: whose loop is it? What was
 * counted since it left the last element still belongs to that loop. */
static void
note_loop (Thread *thread, FmTally *entry, GstPad *pad)
{
  g_autoptr (GstElement) behind = NULL;
  FmTally *loop;

  thread->loop_pad = GST_PAD_PEER (pad);
  thread->loop_entry = entry;
  behind = element_behind (pad);
  if (behind == NULL)
    return;
  loop = fm_attribution_of (behind);
  if (loop == thread->running)
    return;
  /* Until the first loop is known, this is the only clue to whose counts they
   * are. */
  if (thread->running != NULL)
    settle (thread);
  thread->running = loop;
  thread->thread = tally_of_loop (thread, loop);
}

/* ---- elements ---- */

static void
element_left (gpointer tally)
{
  fm_registry_leave (&attribution.elements, tally);
}

FmTally *
fm_attribution_of (GstElement *element)
{
  g_autofree gchar *path = NULL;
  FmTally *tally = g_object_get_qdata (G_OBJECT (element), attribution.quark);

  if (tally != NULL)
    return tally;
  path = gst_object_get_path_string (GST_OBJECT (element));
  tally = fm_tally_new (&attribution.elements, path, NULL, 0);
  g_weak_ref_set (&tally->object, element);
  if (g_object_replace_qdata (G_OBJECT (element), attribution.quark, NULL,
          tally, element_left, NULL))
    return tally;
  /* Another of the element's pads was faster. */
  element_left (tally);
  return g_object_get_qdata (G_OBJECT (element), attribution.quark);
}

FmTally *
fm_attribution_enter (FmTally *element, GstPad *pad)
{
  Thread *thread = this_thread;
  FmTally *before;

  if (G_UNLIKELY (thread == NULL))
    thread = thread_new ();
  if (thread->depth++ == 0
      && (GST_PAD_PEER (pad) != thread->loop_pad
          || element != thread->loop_entry))
    note_loop (thread, element, pad);
  settle (thread);
  before = thread->running;
  thread->running = element;
  return before;
}

void
fm_attribution_leave (FmTally *before)
{
  Thread *thread = this_thread;

  settle (thread);
  thread->running = before;
  thread->depth--;
}

void
fm_attribution_new_stream (void)
{
  if (this_thread != NULL)
    this_thread->loop_pad = NULL;
}

GstElement *
fm_attribution_running (void)
{
  Thread *thread = this_thread;

  return thread != NULL && thread->running != NULL
      ? g_weak_ref_get (&thread->running->object)
      : NULL;
}

FmTally *
fm_attribution_running_tally (void)
{
  return this_thread != NULL ? this_thread->running : NULL;
}

/* ---- all of it ---- */

static void
in_child (void)
{
  if (this_thread != NULL)
    fm_fault_meter_forked (this_thread->faults);
}

void
fm_attribution_start (GstFileMemAllocator *allocator)
{
  static const FmForkHandlers handlers = {.child = in_child};
  struct timespec tick = {.tv_nsec = 1000000};

  fm_fork_register (FM_FORK_ATTRIBUTION, &handlers);
  /* Keys end in the order in which they were made, so the last look at the
   * counters comes before the library passes the thread's number, and with it
   * the counters, to another thread. */
  (void) g_private_get (&end_of_thread);
  (void) clock_getres (CLOCK_MONOTONIC_COARSE, &tick);
  attribution.looks_per_tick =
      (guint) MAX (LOOKS_PER_MS * tick.tv_nsec / 1000000, 1);
  attribution.quark = g_quark_from_static_string ("filemem-element");
  attribution.allocator = allocator;
}

gboolean
fm_attribution_is_on (void)
{
  return attribution.allocator != NULL;
}

GPtrArray *
fm_attribution_elements (void)
{
  return fm_registry_list (&attribution.elements);
}

GPtrArray *
fm_attribution_threads (void)
{
  return fm_registry_list (&attribution.threads);
}

void
fm_attribution_faults (guint64 *ret_minor, guint64 *ret_major)
{
  *ret_minor = atomic_load (&attribution.arena_minor);
  *ret_major = atomic_load (&attribution.arena_major);
}
