/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstfilememallocator.c: the GstAllocator subclass: memory is allocated as a
 * block of a store (gstfilememory.c), or falls back to system memory.
 *
 * The first allocation makes the store, and with it the backing file; in the
 * child of a fork, the first one makes it anew. Where there can be no store, or
 * no block, system memory takes its place: an allocation fails only if it would
 * have failed without filemem.
 *
 * Locking: none. `store` is set by compare-and-swap; stores that a fork left
 * behind stay, because blocks live in them.
 */

/**
 * SECTION:gstfilememallocator
 * @title: GstFileMemAllocator
 * @short_description: memory that lives on disk and is resident when mapped
 *
 * An allocator for queues that are larger than memory. What is mapped, and what
 * fits the budget (the `ram` property), is in memory; the rest is in a
 * temporary file, from which it is read ahead of any consumer that reads in the
 * order of writing.
 *
 * Most programs need not know of it: `GST_TRACERS=filemem` makes it the default
 * allocator of any GStreamer program.
 *
 * The options that concern one allocator are construct-only string properties,
 * in the form that the environment uses ("64M", "50%"); reading one gives the
 * value in force. The others, such as `report`, belong to the default allocator
 * and the tracer that watches it.
 */
#include "gstfilememallocator-private.h"

#include "messages.h"
#include "xfsz-guard.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

GST_DEBUG_CATEGORY_EXTERN (filemem_debug);
#define GST_CAT_DEFAULT filemem_debug

#define WAIT_FOR_ROOM ((gint64) 5 * G_USEC_PER_SEC)

enum {
  PROP_0,
  PROP_OPTION, /* the first of FM_N_OPTIONS */
  PROP_STATS = PROP_OPTION + FM_N_OPTIONS
};

static guint active_signal;

/* The default allocator. Never unreferenced: blocks may outlive
 * gst_deinit(). */
static GstFileMemAllocator *installed;

G_DEFINE_TYPE_WITH_CODE (GstFileMemAllocator, gst_file_mem_allocator,
    GST_TYPE_ALLOCATOR,
    GST_DEBUG_CATEGORY_INIT (filemem_debug, "filemem", 0, "buffers on disk"));

static void
receive_message (FmMessageLevel level, const gchar *text)
{
  FmXfszGuard guard;

  fm_xfsz_guard_begin (&guard);
  switch (level) {
    case FM_MESSAGE_WARNING:
      GST_WARNING ("%s", text);
      fprintf (stderr, "filemem: %s\n", text);
      break;
    case FM_MESSAGE_INFO:
      GST_INFO ("%s", text);
      break;
  }
  fm_xfsz_guard_end (&guard);
}

/* ---- the store ---- */

static void
say_active (GstFileMemAllocator *self, FmStore *store)
{
  g_autofree gchar *text = fm_store_describe (store);

  fm_info ("active: %s", text);
  if (g_str_equal (
          fm_options_text (&self->options, FM_OPTION_REPORT), "stderr"))
    fprintf (stderr, "filemem: active: %s\n", text);
  g_signal_emit (self, active_signal, 0);
}

/* Called after either the store or `ram` was set: one of the calls finds
 * both. */
static void
obey_ram (GstFileMemAllocator *self)
{
  FmStore *store = atomic_load (&self->store);
  guint64 ram = atomic_load (&self->ram);

  if (store != NULL && ram != 0)
    fm_store_set_budget (store, ram);
}

/* The store to allocate from, made if need be; @before is the one that can no
 * longer be used. NULL on failure. */
static FmStore *
make_store (GstFileMemAllocator *self, FmStore *before)
{
  g_autoptr (GError) error = NULL;
  FmStore *store;

  if (atomic_load (&self->unusable))
    return NULL;
  store = fm_store_new (&self->options, self->stats, &error);
  if (store == NULL) {
    if (!atomic_exchange (&self->unusable, TRUE))
      fm_warning ("%s: buffers stay in system memory", error->message);
    return NULL;
  }
  if (!atomic_compare_exchange_strong (&self->store, &before, store)) {
    /* Another thread made one first. */
    fm_store_free (store);
    return before;
  }
  obey_ram (self);
  say_active (self, store);
  return store;
}

static FmStore *
get_store (GstFileMemAllocator *self)
{
  FmStore *store = atomic_load_explicit (&self->store, memory_order_acquire);

  return G_LIKELY (store != NULL) ? store : make_store (self, NULL);
}

/* ---- memory ---- */

static gboolean
waits (GstFileMemAllocator *self)
{
  return fm_options_number (&self->options, FM_OPTION_WHEN_FULL)
      == FM_WHEN_FULL_WAIT;
}

static void
warn_fallback (GstFileMemAllocator *self, FmFallback why, gsize bytes)
{
  const FmStore *store = atomic_load (&self->store);

  if (store != NULL)
    fm_fallback_warn (&self->warned, why, bytes, store, waits (self));
}

static GstMemory *
fall_back (GstFileMemAllocator *self, FmFallback why, gsize size,
    GstAllocationParams *params)
{
  warn_fallback (self, why, size);
  fm_stats_add (self->stats, FM_STAT_FALLBACKS, 1);
  fm_stats_add (self->stats, FM_STAT_FALLBACK_BYTES, size);
  fm_stats_add (self->stats, (FmStatistic) why, 1);
  return gst_allocator_alloc (self->system, size, params);
}

/* A memory of @maxsize bytes, of which @align are for alignment and @size bytes
 * from @offset on are in use. NULL, with the reason, if the store can't provide
 * it. */
static GstFileMemory *
new_root (GstFileMemAllocator *self, GstMemoryFlags flags, gsize maxsize,
    gsize align, gsize offset, gsize size, FmFallback *ret_why)
{
  gint64 patience = waits (self) ? WAIT_FOR_ROOM : 0;
  FmStore *store = get_store (self);
  GstFileMemory *memory;
  FmStoreBlock block;
  FmStoreResult result;
  guint thread;

  *ret_why = FM_FALLBACK_DIR;
  if (G_UNLIKELY (store == NULL))
    return NULL;
  result = fm_store_alloc (store, maxsize, align, patience, &block);
  if (G_UNLIKELY (result == FM_STORE_INHERITED)) {
    store = make_store (self, store);
    if (store == NULL)
      return NULL;
    result = fm_store_alloc (store, maxsize, align, patience, &block);
  }
  if (G_UNLIKELY (result != FM_STORE_DONE)) {
    *ret_why = fm_fallback_reason (result);
    return NULL;
  }

  maxsize -= self->system_loses & align;
  memory = g_slice_new (GstFileMemory);
  gst_file_memory_init (memory, GST_ALLOCATOR_CAST (self), flags, NULL, maxsize,
      align, offset, size);
  memory->store = store;
  memory->block = block;

  thread = fm_thread_number ();
  fm_stats_count (self->stats, thread, allocs, 1);
  fm_stats_count (self->stats, thread, alloc_bytes, maxsize);
  return memory;
}

/* A memory of ours; NULL, with the reason, if none can be had. */
static GstMemory *
alloc_ours (GstFileMemAllocator *self, gsize size,
    const GstAllocationParams *params, FmFallback *ret_why)
{
  gsize align = params->align | gst_memory_alignment;
  gsize around, maxsize;
  GstFileMemory *memory;

  *ret_why = FM_FALLBACK_SMALL;
  if (size < fm_options_number (&self->options, FM_OPTION_MIN_SIZE))
    return NULL;
  *ret_why = FM_FALLBACK_TOO_LARGE;
  if (!g_size_checked_add (&around, params->prefix, params->padding)
      || !g_size_checked_add (&around, around, align)
      || !g_size_checked_add (&maxsize, size, around))
    return NULL;

  memory = new_root (
      self, params->flags, maxsize, align, params->prefix, size, ret_why);
  if (memory == NULL)
    return NULL;

  if (((params->flags & GST_MEMORY_FLAG_ZERO_PREFIXED) != 0
          && !gst_file_memory_clear (memory, 0, params->prefix))
      || ((params->flags & GST_MEMORY_FLAG_ZERO_PADDED) != 0
          && !gst_file_memory_clear (
              memory, params->prefix + size, memory->mem.maxsize))) {
    gst_memory_unref (GST_MEMORY_CAST (memory));
    *ret_why = FM_FALLBACK_MEMORY;
    return NULL;
  }
  return GST_MEMORY_CAST (memory);
}

static GstMemory *
gst_file_mem_allocator_alloc (
    GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstFileMemAllocator *self = FILE_MEM_ALLOCATOR_CAST (allocator);
  FmFallback why;
  GstMemory *memory = alloc_ours (self, size, params, &why);

  if (memory != NULL)
    return memory;
  if (why == FM_FALLBACK_FULL
      && fm_options_number (&self->options, FM_OPTION_WHEN_FULL)
          == FM_WHEN_FULL_FAIL) {
    if (!self->installed)
      return NULL;
    if (fm_first_time (&self->warned_fail))
      fm_warning ("when-full=fail is not for the default allocator, which "
                  "GStreamer expects to succeed: system memory is used");
  }
  return fall_back (self, why, size, params);
}

static void
gst_file_mem_allocator_free (GstAllocator *allocator, GstMemory *mem)
{
  GstFileMemAllocator *self = FILE_MEM_ALLOCATOR_CAST (allocator);
  GstFileMemory *memory = (GstFileMemory *) mem;

  gst_file_memory_unmap_all (memory);
  if (mem->parent == NULL) {
    guint thread = fm_thread_number ();

    fm_store_give (memory->store, &memory->block);
    fm_stats_count (self->stats, thread, frees, 1);
    fm_stats_count (self->stats, thread, freed_bytes, mem->maxsize);
  }
  g_slice_free (GstFileMemory, memory);
}

/* ---- the class ---- */

static void
gst_file_mem_allocator_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GstFileMemAllocator *self = GST_FILE_MEM_ALLOCATOR (object);
  const gchar *text = g_value_get_string (value);
  g_autoptr (GError) error = NULL;

  if (text != NULL
      && !fm_options_set (
          &self->options, (FmOptionId) (id - PROP_OPTION), text, &error))
    fm_warning ("%s; the default is used", error->message);
}

static gchar *
option_in_force (GstFileMemAllocator *self, FmOptionId id)
{
  FmStore *store = atomic_load (&self->store);
  guint64 bytes;

  if (store == NULL)
    return g_strdup (fm_options_text (&self->options, id));
  switch (id) {
    case FM_OPTION_SIZE:
      bytes = fm_store_size (store);
      break;
    case FM_OPTION_RAM:
      bytes = fm_store_budget (store);
      break;
    case FM_OPTION_RESERVE:
      bytes = fm_store_reserve (store);
      break;
    default:
      return g_strdup (fm_options_text (&self->options, id));
  }
  return g_strdup_printf ("%" G_GUINT64_FORMAT, bytes);
}

static void
gst_file_mem_allocator_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GstFileMemAllocator *self = GST_FILE_MEM_ALLOCATOR (object);

  if (id == PROP_STATS)
    g_value_take_boxed (value, gst_file_mem_allocator_get_stats (self));
  else
    g_value_take_string (
        value, option_in_force (self, (FmOptionId) (id - PROP_OPTION)));
}

static void
gst_file_mem_allocator_finalize (GObject *object)
{
  GstFileMemAllocator *self = GST_FILE_MEM_ALLOCATOR (object);
  FmStore *store = atomic_load (&self->store);

  if (store != NULL)
    fm_store_free (store);
  fm_stats_free (self->stats);
  fm_options_clear (&self->options);
  gst_object_unref (self->system);
  G_OBJECT_CLASS (gst_file_mem_allocator_parent_class)->finalize (object);
}

static void
gst_file_mem_allocator_class_init (GstFileMemAllocatorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstAllocatorClass *allocator_class = GST_ALLOCATOR_CLASS (klass);
  guint id;

  fm_messages_set_func (receive_message);

  object_class->set_property = gst_file_mem_allocator_set_property;
  object_class->get_property = gst_file_mem_allocator_get_property;
  object_class->finalize = gst_file_mem_allocator_finalize;
  allocator_class->alloc = gst_file_mem_allocator_alloc;
  allocator_class->free = gst_file_mem_allocator_free;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *option = fm_option_spec ((FmOptionId) id);

    if (option->scope != FM_OPTION_SCOPE_ALLOCATOR)
      continue;
    g_object_class_install_property (object_class, PROP_OPTION + id,
        g_param_spec_string (option->name, option->name, option->description,
            NULL,
            G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY
                | G_PARAM_STATIC_STRINGS));
  }
  /**
   * GstFileMemAllocator::active:
   * @allocator: the allocator
   *
   * Emitted when the backing file was made: by the first allocation, and again
   * by the first one in the child of a fork. It is emitted in the thread that
   * allocates, which waits for the handler.
   *
   * Since: 0.1
   */
  active_signal = g_signal_new ("active", G_TYPE_FROM_CLASS (klass),
      G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);

  /**
   * GstFileMemAllocator:stats:
   *
   * The current statistics, as gst_file_mem_allocator_get_stats() returns them.
   *
   * Since: 0.1
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "stats", "statistics",
          /* The macro is a variable that gst_init() sets. */
          gst_structure_get_type (),
          G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

static const gchar *
get_variable (const gchar *name)
{
  return g_getenv (name);
}

/* System memory is aligned behind its header, whose size, from GStreamer 1.24
 * on, is not a multiple of malloc()'s alignment. How many of the bytes for
 * alignment that costs shows in maxsize; there is no other way to know. */
static gsize
ask_system_loses (GstAllocator *system)
{
  GstAllocationParams params = {.align = 15};
  GstMemory *memory = gst_allocator_alloc (system, 0, &params);
  gsize loses = (memory->align - memory->maxsize) & params.align;

  gst_memory_unref (memory);
  return loses;
}

static void
gst_file_mem_allocator_init (GstFileMemAllocator *self)
{
  GstAllocator *allocator = GST_ALLOCATOR_CAST (self);

  allocator->mem_type = GST_ALLOCATOR_FILEMEM;
  gst_file_memory_set_functions (allocator);

  self->system = gst_allocator_find (GST_ALLOCATOR_SYSMEM);
  self->system_loses = ask_system_loses (self->system);
  self->stats = fm_stats_new ();
  fm_options_init (&self->options);
  fm_options_set_from_environment (
      &self->options, get_variable, getauxval (AT_SECURE) != 0);
}

/**
 * gst_file_mem_allocator_new:
 * @options: (nullable): options as "name=value,name=value", or %NULL
 * @error: return location for a #GError, or %NULL
 *
 * Makes an independent allocator, with its own file and budget. Options that
 * @options does not name are taken from the environment, then from the
 * defaults. The first allocation makes the file. Any thread may call this after
 * gst_init().
 *
 * Reports, records and `gst-filemem top` cover the default allocator alone; for
 * this one, use gst_file_mem_allocator_get_stats(). So @options accepts only
 * the options that are properties of the allocator.
 *
 * Returns: (transfer full) (nullable): the allocator, or %NULL with @error set
 * if an option can't be read or is not one of an allocator
 *
 * Since: 0.1
 */
GstAllocator *
gst_file_mem_allocator_new (const gchar *options, GError **error)
{
  GstFileMemAllocator *self = NULL;
  FmOptions given;

  fm_options_init (&given);
  if (fm_options_set_from_string (&given, options, error)
      && fm_options_check_scope (&given, error)) {
    self = g_object_new (GST_TYPE_FILE_MEM_ALLOCATOR, NULL);
    gst_object_ref_sink (self);
    fm_options_take_given (&self->options, &given);
  }
  fm_options_clear (&given);
  return GST_ALLOCATOR_CAST (self);
}

static gboolean
is_this_program (const gchar *names)
{
  g_autofree gchar *path = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree gchar *name = path != NULL ? g_path_get_basename (path) : NULL;

  return names[0] == '\0'
      || (name != NULL && fm_options_list_has (names, name));
}

static void
check_variables (void)
{
  g_auto (GStrv) names = g_listenv ();

  if (getauxval (AT_SECURE) == 0)
    fm_options_check_variables ((const gchar *const *) names);
}

/**
 * gst_file_mem_allocator_install:
 * @options: (nullable): options as the tracer's parameters give them,
 * "name=value,name=value", or %NULL
 *
 * Makes a #GstFileMemAllocator the default allocator of this process, once: a
 * second call changes nothing. An option that can't be read is left at its
 * default, with a warning. The tracer calls this; if it is not loaded, the
 * options that only the tracer uses have no effect. Call this after gst_init()
 * has begun, from one thread at a time.
 *
 * Returns: (transfer none) (nullable): the allocator, or %NULL if the `exe`
 * option leaves this program out
 *
 * Since: 0.1
 */
GstAllocator *
gst_file_mem_allocator_install (const gchar *options)
{
  return gst_file_mem_allocator_install_given (options, NULL);
}

GstAllocator *
gst_file_mem_allocator_install_given (
    const gchar *params, const FmOptions *given)
{
  GstFileMemAllocator *self;

  if (installed != NULL)
    return GST_ALLOCATOR_CAST (installed);

  self = g_object_new (GST_TYPE_FILE_MEM_ALLOCATOR, NULL);
  gst_object_ref_sink (self);
  fm_options_set_from_params (&self->options, params);
  if (given != NULL)
    fm_options_take_given (&self->options, given);
  if (!is_this_program (fm_options_text (&self->options, FM_OPTION_EXE))) {
    GST_INFO ("not for this program, by the option exe");
    gst_object_unref (self);
    return NULL;
  }
  check_variables ();

  self->installed = TRUE;
  installed = self;
  GST_OBJECT_FLAG_SET (self, GST_OBJECT_FLAG_MAY_BE_LEAKED);
  gst_allocator_register (GST_ALLOCATOR_FILEMEM, gst_object_ref (self));
  gst_allocator_set_default (gst_object_ref (self));
  return GST_ALLOCATOR_CAST (self);
}

/**
 * gst_file_mem_allocator_set_ram:
 * @allocator: a #GstFileMemAllocator
 * @bytes: the budget, in bytes; 4 MiB at least is used
 *
 * Changes the budget, which initially is the option `ram`. A larger budget is
 * in force at once. For a smaller one, threads of filemem write resident
 * buffers to disk as fast as they can; this function does not wait for them.
 * What is mapped stays in memory. While other programs need the memory, less
 * may be in force (the figure "budget" of gst_file_mem_allocator_get_stats()).
 * Any thread may call this at any time.
 *
 * Since: 0.1
 */
void
gst_file_mem_allocator_set_ram (GstFileMemAllocator *allocator, guint64 bytes)
{
  g_return_if_fail (GST_IS_FILE_MEM_ALLOCATOR (allocator));
  g_return_if_fail (bytes > 0);

  atomic_store (&allocator->ram, bytes);
  obey_ram (allocator);
}

/**
 * gst_file_mem_allocator_get_stats:
 * @allocator: a #GstFileMemAllocator
 *
 * Tells what the allocator holds and has done so far. Every field is a
 * #guint64: a number, bytes, or nanoseconds where the name ends in -ns;
 * gst-filemem(1) lists them. Any thread may call this at any time.
 *
 * Returns: (transfer full): a structure named "filemem-stats"
 *
 * Since: 0.1
 */
GstStructure *
gst_file_mem_allocator_get_stats (GstFileMemAllocator *allocator)
{
  GstStructure *structure = gst_structure_new_empty ("filemem-stats");
  FmStore *store = atomic_load (&allocator->store);
  guint64 values[FM_N_STATISTICS];
  guint id;

  if (store != NULL)
    fm_store_update_stats (store);
  fm_stats_snapshot (allocator->stats, values);
  for (id = 0; id < FM_N_STATISTICS; id++)
    gst_structure_set (structure, fm_statistic_spec ((FmStatistic) id)->name,
        G_TYPE_UINT64, values[id], NULL);
  return structure;
}

/* ---- for the tracer and the shim ---- */

gboolean
gst_file_mem_allocator_take_replacement (GstAllocator *allocator)
{
  static atomic_bool warned;

  if (installed == NULL || !GST_IS_ALLOCATOR (allocator)
      || allocator == GST_ALLOCATOR_CAST (installed)
      || fm_options_number (&installed->options, FM_OPTION_ON_REPLACE) != 0)
    return FALSE;
  if (fm_first_time (&warned))
    fm_warning ("the program sets another default allocator (%s): filemem's "
                "stays. If it does not work without its own, set "
                "on-replace=yield (GST_FILEMEM_ON_REPLACE)",
        G_OBJECT_TYPE_NAME (allocator));
  gst_object_unref (allocator);
  return TRUE;
}

GstMemory *
gst_file_mem_allocator_alloc_ours (GstFileMemAllocator *allocator, gsize size,
    const GstAllocationParams *params)
{
  FmFallback why;
  GstMemory *memory = alloc_ours (allocator, size, params, &why);

  if (memory == NULL)
    warn_fallback (allocator, why, size);
  return memory;
}

const FmStatsShard *
gst_file_mem_allocator_thread_counters (GstFileMemAllocator *allocator)
{
  guint thread = fm_thread_number ();

  return thread < FM_THREADS ? &allocator->stats->shard[thread] : NULL;
}

void
gst_file_mem_allocator_waits (GstFileMemAllocator *allocator, FmWait wait,
    guint64 ret_count[FM_HISTOGRAM_BUCKETS])
{
  fm_stats_waits (allocator->stats, wait, ret_count);
}

void
gst_file_mem_allocator_set_loss_func (
    GstFileMemAllocator *allocator, GstFileMemAllocatorLossFunc func)
{
  atomic_store (&allocator->lost, func);
}

gboolean
gst_file_mem_allocator_arena (
    GstFileMemAllocator *allocator, gpointer *ret_base, gsize *ret_length)
{
  FmStore *store = atomic_load (&allocator->store);

  if (store != NULL)
    fm_store_arena (store, ret_base, ret_length);
  return store != NULL;
}

gchar *
gst_file_mem_allocator_describe (GstFileMemAllocator *allocator)
{
  FmStore *store = atomic_load (&allocator->store);

  return store != NULL ? fm_store_describe (store) : NULL;
}

const gchar *
gst_file_mem_allocator_limited_by (GstFileMemAllocator *allocator)
{
  FmStore *store = atomic_load (&allocator->store);

  return store != NULL ? fm_store_limited_by (store) : NULL;
}

const FmOptions *
gst_file_mem_allocator_options (GstFileMemAllocator *allocator)
{
  return &allocator->options;
}
