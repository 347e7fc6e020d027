/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememtracer.c: the tracer that makes a GstFileMemAllocator the default
 * allocator, and sees to it that its work is reported.
 *
 * A process may construct several of these (gst-inspect-1.0 does); they share
 * the one allocator and the one log. The tracer registers no hook if it is the
 * only one: any hook makes every pad push of the program look for hooks, for
 * 400 ns each (pads.c does without). From 1.28 on GStreamer registers a hook
 * for each tracer that it makes, so the shim makes this one itself. If other
 * tracers were made before, that cost is paid already, and this one registers a
 * hook that hardly ever fires, so that gst_tracing_get_active_tracers() lists
 * it. The first tracer is kept.
 *
 * The last record and the report are written once: when the registry goes, in
 * gst_deinit(), while there is still a log; or else at exit, because many
 * programs never call gst_deinit().
 *
 * Locking: `lock` guards the records, which any thread may ask for, and
 * `finished`.
 */

/**
 * SECTION:tracer-filemem
 * @short_description: keep large buffer queues on disk instead of in memory
 *
 * Replaces GStreamer's default allocator with one whose memory lives in a
 * temporary file, so that a queue may grow as large as the disk while the
 * memory stays within a budget.
 *
 * |[
 * GST_TRACERS='filemem(dir=/var/tmp,size=8G,ram=128M,report=stderr)' \
 *     gst-launch-1.0 videotestsrc num-buffers=1000 ! queue ! fakesink
 * ]|
 *
 * Statistics in the log of the tracers, every second:
 *
 * |[
 * GST_TRACERS='filemem(stats-interval=1)' GST_DEBUG=GST_TRACER:7 \
 *     gst-launch-1.0 videotestsrc num-buffers=1000 ! queue ! fakesink
 * ]|
 *
 * By element, with page faults, and a report whenever SIGUSR2 comes:
 *
 * |[
 * GST_TRACERS='filemem(attribution=on,report-signal=USR2,report=stderr)' \
 *     gst-launch-1.0 videotestsrc num-buffers=1000 ! queue ! fakesink
 * ]|
 */
#include "gstfilememtracer.h"

#include "about.h"
#include "attribution.h"
#include "children.h"
#include "faults.h"
#include "fork.h"
#include "loss.h"
#include "mapped.h"
#include "messages.h"
#include "observe.h"
#include "options.h"
#include "packing.h"
#include "pads.h"
#include "queues.h"
#include "recording.h"
#include "records.h"
#include "report.h"
#include "watch.h"
#include "xfsz-guard.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>

struct _GstFileMemTracer
{
  GstTracer parent;

  FmOptions given; /* by properties */
};

G_DEFINE_TYPE (GstFileMemTracer, gst_file_mem_tracer, GST_TYPE_TRACER);

enum { PROP_0, PROP_OPTION /* the first of FM_N_OPTIONS */ };

enum { SIGNAL_GET_REPORT, SIGNAL_WRITE_REPORT, SIGNAL_LOG_RECORDS, N_SIGNALS };

static guint signals[N_SIGNALS];

/* What the tracers of this process share. */
static struct
{
  GstFileMemAllocator *allocator; /* NULL if the option exe says so */
  const FmOptions *options;       /* the allocator's */
  guint64 start;
  GMutex lock;
  gboolean finished;
  atomic_bool is_idle_child; /* of a fork, which has allocated nothing yet */
} shared;

static FmSnapshot *
take_snapshot (void)
{
  return fm_snapshot_new (shared.allocator, shared.start);
}

/* Holds the lock, so that two snapshots are logged in the order in which they
 * were taken. */
static void
write_records (void)
{
  const gchar *record = fm_options_text (shared.options, FM_OPTION_RECORD);
  g_autoptr (FmSnapshot) snapshot = NULL;
  FmXfszGuard guard;

  g_mutex_lock (&shared.lock);
  snapshot = take_snapshot ();
  fm_xfsz_guard_begin (&guard);
  fm_records_log (snapshot);
  fm_xfsz_guard_end (&guard);
  if (!g_str_equal (record, "none"))
    fm_recording_add (record, snapshot);
  g_mutex_unlock (&shared.lock);
}

static void
write_report_to (const gchar *to)
{
  g_autoptr (FmSnapshot) snapshot = take_snapshot ();

  fm_report_write (snapshot, to,
      fm_options_number (shared.options, FM_OPTION_REPORT_FORMAT) != 0);
}

/* On demand, so the user wants to see it even if the option report is none. */
static void
write_report (void)
{
  const gchar *to = fm_options_text (shared.options, FM_OPTION_REPORT);

  write_report_to (g_str_equal (to, "none") ? "stderr" : to);
}

static gchar *
make_page (guint most)
{
  g_autoptr (FmSnapshot) snapshot = take_snapshot ();

  return fm_report_json (snapshot, most);
}

/* If the program went on in ordinary memory, that was reported when it began;
 * this says how much it came to. Allocations below min-size were meant to go
 * there. */
static void
warn_fallbacks (void)
{
  g_autoptr (FmSnapshot) snapshot = take_snapshot ();
  g_autofree gchar *fallbacks = NULL;

  if (snapshot->stats[FM_STAT_FALLBACKS]
      <= snapshot->stats[FM_STAT_FALLBACKS_SMALL])
    return;
  fallbacks = fm_report_fallbacks (snapshot->stats);
  fm_warning ("in total, %s", fallbacks);
}

/* Writes the last record and the report. The child of a fork that has done
 * nothing has nothing to report, and would overwrite its parent's report. */
static void
finish (void)
{
  gboolean finished;

  if (shared.is_idle_child)
    return;
  g_mutex_lock (&shared.lock);
  finished = shared.finished;
  shared.finished = TRUE;
  g_mutex_unlock (&shared.lock);
  if (finished)
    return;
  fm_watch_stop ();
  write_records ();
  warn_fallbacks ();
  write_report_to (fm_options_text (shared.options, FM_OPTION_REPORT));
}

static void
on_deinit (gpointer unused, GObject *registry)
{
  finish ();
}

/* In the child of a fork. Locks of GLib and GStreamer may be held for ever by
 * threads that do not exist here, so the child needs a reason to report
 * anything at the end. */
static void
forked (void)
{
  g_mutex_init (&shared.lock);
  shared.is_idle_child = TRUE;
}

static void
on_active (GstFileMemAllocator *allocator, gpointer unused)
{
  gpointer base;
  gsize length;

  shared.is_idle_child = FALSE;
  if (gst_file_mem_allocator_arena (allocator, &base, &length))
    fm_faults_set_arena (base, length);
  fm_watch_start ();
}

/* With a recording, something has to be recorded. */
static guint
choose_interval (void)
{
  const FmOptions *options = shared.options;
  guint64 interval = fm_options_number (options, FM_OPTION_STATS_INTERVAL);

  if (interval == 0
      && !g_str_equal (fm_options_text (options, FM_OPTION_RECORD), "none"))
    interval = 1;
  return (guint) interval;
}

static void
start_watch (void)
{
  const FmWatchConfig config = {
      .interval = choose_interval (),
      .signal =
          (int) fm_options_number (shared.options, FM_OPTION_REPORT_SIGNAL),
      .write_records = write_records,
      .write_report = write_report,
      .make_page = make_page,
  };

  fm_watch_init (&config);
  g_signal_connect (shared.allocator, "active", G_CALLBACK (on_active), NULL);
  if (config.interval > 0 || config.signal != 0)
    fm_watch_start ();
}

/* A misspelt name would otherwise be ignored silently. Elements of types that
 * the program makes itself may come later. */
static void
check_queues (const FmOptions *options)
{
  g_auto (GStrv) names =
      g_strsplit (fm_options_text (options, FM_OPTION_QUEUES), ":", -1);
  guint i;

  if (!options->value[FM_OPTION_QUEUES].given)
    return;
  for (i = 0; names[i] != NULL; i++) {
    g_autoptr (GstElementFactory) factory = NULL;

    if (names[i][0] == '\0' || g_str_equal (names[i], "none")
        || g_str_equal (names[i], "auto") || g_str_equal (names[i], "known")
        || fm_options_list_has (FM_OPTIONS_QUEUES, names[i]))
      continue;
    factory = gst_element_factory_find (names[i]);
    if (factory == NULL)
      fm_warning ("option 'queues': no plugin has an element '%s' (gst-inspect-"
                  "1.0 lists them); what enters others is not copied for it",
          names[i]);
  }
}

/* If there is no block, nothing else shows that filemem is at work. */
static void
on_foreign (const gchar *queue, guint64 bytes)
{
  g_autofree gchar *active = gst_file_mem_allocator_describe (shared.allocator);
  g_autofree gchar *size = fm_size_text (bytes), *line = NULL;

  shared.is_idle_child = FALSE;
  fm_watch_start ();
  if (active != NULL)
    return;
  line = g_strdup_printf (
      "active: nothing is on disk; %s holds %s in memory that is not filemem's",
      queue, size);
  fm_info ("%s", line);
  if (g_str_equal (
          fm_options_text (shared.options, FM_OPTION_REPORT), "stderr"))
    fprintf (stderr, "filemem: %s\n", line);
}

static void
start_queues_and_elements (void)
{
  const FmOptions *options = shared.options;

  fm_about_start (options);
  check_queues (options);
  fm_queues_start (GST_ALLOCATOR (shared.allocator),
      fm_options_text (options, FM_OPTION_QUEUES),
      fm_options_number (options, FM_OPTION_COPY_ABOVE), on_foreign);
  fm_packing_start (shared.allocator,
      fm_options_number (options, FM_OPTION_PACK_ABOVE),
      fm_options_number (options, FM_OPTION_PACK_BELOW));
  if (fm_options_number (options, FM_OPTION_ATTRIBUTION) != 0) {
    fm_attribution_start (shared.allocator);
    fm_mapped_start (shared.allocator);
  }
  if (fm_options_number (options, FM_OPTION_ON_LOSS) == FM_ON_LOSS_ERROR)
    fm_loss_start (shared.allocator);
  fm_pads_start ();
}

static void
on_hook (GObject *tracer, ...)
{
}

/* If there are other tracers, this one is listed with them. */
static void
join_others (GstFileMemTracer *self)
{
  GList *others = gst_tracing_get_active_tracers ();

  if (others != NULL)
    gst_tracing_register_hook (
        GST_TRACER (self), "element-remove-pad", G_CALLBACK (on_hook));
  g_list_free_full (others, gst_object_unref);
}

static void
start (GstFileMemTracer *self, const gchar *params)
{
  static const FmForkHandlers handlers = {.child = forked};
  GstAllocator *allocator =
      gst_file_mem_allocator_install_given (params, &self->given);

  if (allocator == NULL || shared.allocator != NULL)
    return;
  shared.start = gst_util_get_timestamp ();
  shared.allocator = GST_FILE_MEM_ALLOCATOR (allocator);
  shared.options = gst_file_mem_allocator_options (shared.allocator);
  GST_OBJECT_FLAG_SET (self, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  g_object_set_data_full (G_OBJECT (allocator), "filemem-tracer",
      gst_object_ref (self), gst_object_unref);
  fm_records_start ();
  join_others (self);
  start_queues_and_elements ();
  start_watch ();
  if (fm_options_number (shared.options, FM_OPTION_CHILDREN) == 0)
    fm_children_leave_out ();
  g_object_weak_ref (G_OBJECT (gst_registry_get ()), on_deinit, NULL);
  fm_fork_register (FM_FORK_TRACER, &handlers);
  atexit (finish);
}

/* Before 1.22.5 GStreamer ends @params at the first ')', which may belong to a
 * type. Takes @params. */
static gchar *
uncut (gchar *params)
{
  gchar *whole = fm_options_tracer_params (g_getenv ("GST_TRACERS"));

  if (params == NULL || whole == NULL || !g_str_has_prefix (whole, params)) {
    g_free (whole);
    return params;
  }
  g_free (params);
  return whole;
}

static void
gst_file_mem_tracer_constructed (GObject *object)
{
  GstFileMemTracer *self = GST_FILE_MEM_TRACER (object);
  g_autofree gchar *params = NULL;

  G_OBJECT_CLASS (gst_file_mem_tracer_parent_class)->constructed (object);
  /* The parameters come from the environment, from which a program that runs
   * with more rights than its user takes nothing. */
  if (getauxval (AT_SECURE) == 0) {
    g_object_get (object, "params", &params, NULL);
    params = uncut (params);
  }
  start (self, params);
}

static void
gst_file_mem_tracer_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstFileMemTracer *self = GST_FILE_MEM_TRACER (object);
  const gchar *text = g_value_get_string (value);
  g_autoptr (GError) error = NULL;

  if (text != NULL
      && !fm_options_set (
          &self->given, (FmOptionId) (id - PROP_OPTION), text, &error))
    fm_warning ("%s; the property is ignored", error->message);
}

/* The value in force, which comes from another tracer if that was made
 * first. */
static void
gst_file_mem_tracer_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  FmOptionId option = (FmOptionId) (id - PROP_OPTION);

  if (shared.allocator == NULL)
    g_value_set_static_string (value, fm_option_spec (option)->default_text);
  else if (fm_option_spec (option)->scope == FM_OPTION_SCOPE_ALLOCATOR)
    g_object_get_property (G_OBJECT (shared.allocator), spec->name, value);
  else
    g_value_set_string (value, fm_options_text (shared.options, option));
}

static void
gst_file_mem_tracer_finalize (GObject *object)
{
  GstFileMemTracer *self = GST_FILE_MEM_TRACER (object);

  fm_options_clear (&self->given);
  G_OBJECT_CLASS (gst_file_mem_tracer_parent_class)->finalize (object);
}

/* For the shim, which makes the tracer before GStreamer can. */
__attribute__ ((visibility ("default"))) void
gst_file_mem_tracer_make (const gchar *params)
{
  gst_object_unref (
      g_object_new (GST_TYPE_FILE_MEM_TRACER, "params", params, NULL));
}

/* ---- action signals ---- */

static gchar *
gst_file_mem_tracer_get_report (GstFileMemTracer *self, gboolean as_json)
{
  g_autoptr (FmSnapshot) snapshot = NULL;

  if (shared.allocator == NULL)
    return g_strdup ("");
  snapshot = take_snapshot ();
  return as_json ? fm_report_json (snapshot, G_MAXUINT)
                 : fm_report_text (snapshot);
}

static void
gst_file_mem_tracer_write_report (GstFileMemTracer *self)
{
  if (shared.allocator != NULL)
    write_report ();
}

static void
gst_file_mem_tracer_log_records (GstFileMemTracer *self)
{
  if (shared.allocator != NULL)
    write_records ();
}

/* From 1.26 on gst-inspect-1.0 lists the properties of tracers. GStreamer is
 * not asked to set them from GST_TRACERS: it would parse a GstStructure, which
 * allows neither "50%" nor a path with a space, and it makes no tracer if that
 * fails. */
static void
install_options (GObjectClass *object_class)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *option = fm_option_spec ((FmOptionId) id);
    g_autofree gchar *accepted = fm_option_accepted ((FmOptionId) id);
    g_autofree gchar *blurb =
        g_strdup_printf ("%s. Takes %s", option->description, accepted);

    g_object_class_install_property (object_class, PROP_OPTION + id,
        g_param_spec_string (option->name, option->name, blurb, NULL,
            G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_NAME
                | G_PARAM_STATIC_NICK));
  }
}

static void
gst_file_mem_tracer_class_init (GstFileMemTracerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = gst_file_mem_tracer_constructed;
  object_class->set_property = gst_file_mem_tracer_set_property;
  object_class->get_property = gst_file_mem_tracer_get_property;
  object_class->finalize = gst_file_mem_tracer_finalize;
  install_options (object_class);

  /**
   * GstFileMemTracer::get-report:
   * @tracer: the tracer, which is the data "filemem-tracer" of the default
   * allocator
   * @as_json: whether for programs, or for people
   *
   * Returns: (transfer full): the report at this moment
   *
   * Since: 0.1
   */
  signals[SIGNAL_GET_REPORT] = g_signal_new_class_handler ("get-report",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_file_mem_tracer_get_report), NULL, NULL, NULL,
      G_TYPE_STRING, 1, G_TYPE_BOOLEAN);
  /**
   * GstFileMemTracer::write-report:
   * @tracer: the tracer
   *
   * Writes the report to where the option report says; to stderr if that is
   * none.
   *
   * Since: 0.1
   */
  signals[SIGNAL_WRITE_REPORT] = g_signal_new_class_handler ("write-report",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_file_mem_tracer_write_report), NULL, NULL, NULL,
      G_TYPE_NONE, 0);
  /**
   * GstFileMemTracer::log-records:
   * @tracer: the tracer
   *
   * Logs one set of records.
   *
   * Since: 0.1
   */
  signals[SIGNAL_LOG_RECORDS] = g_signal_new_class_handler ("log-records",
      G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST | G_SIGNAL_ACTION,
      G_CALLBACK (gst_file_mem_tracer_log_records), NULL, NULL, NULL,
      G_TYPE_NONE, 0);
}

static void
gst_file_mem_tracer_init (GstFileMemTracer *self)
{
  fm_options_init (&self->given);
}
