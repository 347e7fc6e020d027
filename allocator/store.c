/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store.c: see store.h.
 *
 * The heap asks nothing for extents and the pager knows no blocks: this file
 * carries extents from one to the other. A fresh one goes from the pager to the
 * thread's stream; one whose last block is gone goes back.
 *
 * Locking: room_lock guards only the wait for `size`, and whether that is in
 * vain.
 */
#include "store.h"
#include "machine.h"
#include "messages.h"
#include "sync.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KIB ((gsize) 1 << 10)
#define MIB ((gsize) 1 << 20)
#define GIB ((guint64) 1 << 30)

/* Extents for small blocks: those of a fast stream, and those of many slow
 * ones. The latter are one granule of the arena. */
#define EXTENT_MAX (4 * MIB)
#define EXTENT_MIN (128 * KIB)
/* The least budget. */
#define BUDGET_MIN (4 * MIB)
/* The longest extents are this part of the budget. */
#define EXTENTS_MIN 16
/* Larger blocks may have an extent of their own: a pin on such a block keeps no
 * other in memory, and a fill for it brings back no other. */
#define SMALL_MAX (128 * KIB)
/* What one stream takes of the budget while it is written and read. */
#define STREAM_BYTES (512 * KIB)
/* Addresses for each byte of size, so that fragmentation does not eat it. */
#define ARENA_FACTOR 4

#define RAM_SHARE 4
#define RAM_MIN (32 * MIB)
#define RAM_MAX ((guint64) 1 * GIB)
/* Of what the limits on addresses and data leave, the program keeps as much as
 * filemem takes: without filemem it would have had all of it. */
#define LIMIT_SHARE 2
#define ADDRESS_LIMIT                                                    \
  (sizeof (gpointer) == 4                                                \
          ? "the limit on address space (ulimit -v; 32 bits have 3 GiB)" \
          : "the limit on address space (ulimit -v)")
/* The limit on data counts whole mappings, and an extent's run may be twice as
 * long as its bytes; staging comes on top. So a budget of a fifth takes less
 * than half of the data. */
#define DATA_SHARE 5
#define RESERVE_PERCENT 5
#define RESERVE_MAX ((guint64) 1 * GIB)

#define PATIENCE ((gint64) 5 * G_USEC_PER_SEC)
#define KEEP_UNUSED ((gint64) 10 * G_USEC_PER_SEC)

struct _FmStore
{
  gchar *dir;
  guint64 size;
  gsize extent_size;
  FmExtentTable table;
  FmBackingFile *file;
  FmArena *arena;
  FmHeap *heap;
  FmPager *pager;
  FmRamTotal *total; /* which the pager shares; or NULL */
  FmStats *stats;

  FmMutex room_lock;
  FmCond room;                  /* something was given back */
  gboolean in_vain;             /* the last wait was in vain */
  atomic_uint waiting_for_room; /* waiting threads, plus one for `in_vain` */
};

/* ---- creation ---- */

static guint64
percent_of (guint64 whole, guint64 percent)
{
  return whole / 100 * percent;
}

static guint64
choose_bytes (const FmOptionValue *value, guint64 whole, guint64 otherwise)
{
  if (value->text[0] == '\0')
    return otherwise;
  return value->percent ? percent_of (whole, value->number) : value->number;
}

static gsize
sensible_budget (guint64 budget)
{
  budget = CLAMP (budget, BUDGET_MIN, G_MAXSIZE / 4);
  return (gsize) budget & ~(FM_PAGE - 1);
}

static gsize
choose_budget (const FmOptions *options)
{
  const FmOptionValue *ram = &options->value[FM_OPTION_RAM];
  guint64 budget;

  if (fm_options_is_chosen (options, FM_OPTION_RAM))
    budget = ram->number;
  else if (fm_options_is_chosen (options, FM_OPTION_RAM_TOTAL))
    budget = fm_options_number (options, FM_OPTION_RAM_TOTAL);
  else
    budget = MIN (CLAMP (fm_machine_memory ("") / RAM_SHARE, RAM_MIN, RAM_MAX),
        fm_machine_data_left ("") / DATA_SHARE);
  return sensible_budget (budget);
}

static gsize
choose_extent_size (gsize budget)
{
  gsize size = EXTENT_MAX;

  while (size > budget / EXTENTS_MIN)
    size /= 2;
  return size;
}

FmStoreChoice
fm_store_choose (const FmOptions *options, const FmBackingFile *file)
{
  guint64 reserve =
      MIN (percent_of (file->total_bytes, RESERVE_PERCENT), RESERVE_MAX);
  FmStoreChoice choice;

  choice.size = choose_bytes (
      &options->value[FM_OPTION_SIZE], file->free_bytes, file->free_bytes / 2);
  choice.reserve = choose_bytes (
      &options->value[FM_OPTION_RESERVE], file->total_bytes, reserve);
  choice.budget = choose_budget (options);
  choice.extent_size = choose_extent_size (choice.budget);
  return choice;
}

/* Each may have an extent open; a power of two. */
static guint
choose_streams (gsize budget)
{
  guint streams = FM_WRITERS;

  while (streams > 1 && streams > budget / STREAM_BYTES)
    streams /= 2;
  return streams;
}

static gboolean
refuse (GError **error, const gchar *why)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, why);
  return FALSE;
}

/* Makes the file as long as the arena; both shrink if a limit requires it. */
static gboolean
make_arena (FmStore *store, gboolean dontdump, GError **error)
{
  gsize granule = EXTENT_MIN;
  gsize least = EXTENTS_MIN * store->extent_size;
  guint64 wanted =
      MIN (store->size, G_MAXSIZE / 2 / ARENA_FACTOR) * ARENA_FACTOR;
  guint64 addresses = fm_machine_addresses_left ("") / LIMIT_SHARE;
  gsize length;

  length = MAX ((gsize) MIN (wanted, addresses), least);
  length = (length + FM_HUGE_PAGE - 1) & ~(FM_HUGE_PAGE - 1);
  if (addresses < wanted)
    store->file->limited_by = ADDRESS_LIMIT;
  while (fm_backing_file_set_length (store->file, length) != 0) {
    store->file->limited_by = "the limit on the length of files (ulimit -f)";
    length = (length / 2) & ~(FM_HUGE_PAGE - 1);
    if (length < least)
      return refuse (error,
          "the file can't be made large enough (raise the limit on the length "
          "of files, ulimit -f, or set dir, GST_FILEMEM_DIR, to another disk)");
  }
  store->arena =
      fm_arena_new (length, least, FM_HUGE_PAGE, store->file->fd, dontdump);
  if (store->arena == NULL)
    return refuse (error,
        "no range of addresses is left (raise the limit on address space, "
        "ulimit -v)");
  if (store->arena->size < length)
    store->file->limited_by = ADDRESS_LIMIT;
  if (store->arena->size < wanted) {
    fm_info ("%s: room for %" G_GSIZE_FORMAT " MiB of blocks",
        store->file->limited_by, store->arena->size / MIB);
    /* Where there is room for all of it, it is `size` that limits. */
    if (store->arena->size >= store->size)
      store->file->limited_by = NULL;
    else
      store->size = store->arena->size;
  }
  store->arena->huge_pages = store->extent_size >= FM_HUGE_PAGE;
  if (!fm_extent_table_init (&store->table, store->arena->size, granule))
    return refuse (error,
        "there is no memory for the tables (raise the limits on address space "
        "and data, ulimit -v, -d)");
  return TRUE;
}

/* A budget of 0 asks for as little as possible, which is no reason to warn. */
static void
warn_of_small_budget (const FmOptions *options, gsize budget)
{
  const FmOptionValue *ram = &options->value[FM_OPTION_RAM];
  g_autofree gchar *wanted = NULL, *least = NULL;

  if (ram->text[0] == '\0' || ram->number == 0 || ram->number >= budget)
    return;
  wanted = fm_size_text (ram->number);
  least = fm_size_text (budget);
  fm_warning ("ram is %s, and filemem can't work with less than %s: that much "
              "is used",
      wanted, least);
}

/* NULL if the budget is this program's own. */
static FmRamTotal *
share_budget (const FmOptions *options, gsize budget)
{
  const gchar *runtime_dir = fm_machine_runtime_dir ();
  g_autofree gchar *dir = NULL;

  if (fm_options_is_chosen (options, FM_OPTION_RAM) || runtime_dir == NULL)
    return NULL;
  dir = g_build_filename (runtime_dir, FM_RUNTIME_DIRECTORY, NULL);
  return fm_ram_total_new (dir, budget);
}

static gboolean
make_store (FmStore *store, const FmOptions *options, GError **error)
{
  const gchar *dir = fm_options_text (options, FM_OPTION_DIR);
  FmPagerConfig config = {0};
  FmStoreChoice choice;

  store->dir = g_strdup (dir);
  store->file = fm_backing_file_new (dir, error);
  if (store->file == NULL)
    return FALSE;

  choice = fm_store_choose (options, store->file);
  warn_of_small_budget (options, choice.budget);
  store->file->reserve = choice.reserve;
  store->size = choice.size;
  store->extent_size = choice.extent_size;
  if (store->size < store->extent_size) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC,
        "size is %" G_GUINT64_FORMAT
        " KiB, less than one extent of %" G_GSIZE_FORMAT
        " KiB (%sfree some space in \"%s\", or set dir, GST_FILEMEM_DIR, to "
        "another disk)",
        store->size / KIB, store->extent_size / KIB,
        fm_options_is_chosen (options, FM_OPTION_SIZE)
            ? "raise size, GST_FILEMEM_SIZE, "
            : "",
        dir);
    return FALSE;
  }
  if (!make_arena (
          store, fm_options_number (options, FM_OPTION_DONTDUMP) != 0, error))
    return FALSE;
  store->file->limit = store->size;

  config.budget = choice.budget;
  config.extent_size = store->extent_size;
  config.extent_least = EXTENT_MIN;
  config.n_streams = choose_streams (choice.budget);
  config.patience = PATIENCE;
  config.keep_unused = KEEP_UNUSED;
  if (fm_options_number (options, FM_OPTION_PRESSURE) == FM_PRESSURE_YIELD) {
    config.machine = "";
    config.total = store->total = share_budget (options, choice.budget);
  }
  store->pager = fm_pager_new (
      &config, &store->table, store->arena, store->file, store->stats);
  if (store->pager == NULL)
    return refuse (error,
        "there is no memory for the tables (raise the limits on address space "
        "and data, ulimit -v, -d)");
  store->heap = fm_heap_new (
      &store->table, store->extent_size / 2, config.n_streams, store->size);
  fm_stats_set (store->stats, FM_STAT_SIZE, store->size);
  return TRUE;
}

FmStore *
fm_store_new (const FmOptions *options, FmStats *stats, GError **error)
{
  FmStore *store = g_new0 (FmStore, 1);

  fm_mutex_init (&store->room_lock);
  fm_cond_init (&store->room);
  store->stats = stats;
  if (!make_store (store, options, error)) {
    fm_store_free (store);
    return NULL;
  }
  if (store->file->in_memory)
    fm_warning ("\"%s\" is %s, which is memory itself: buffers there save no "
                "memory. Set dir to a directory on a disk",
        store->dir, store->file->file_system);
  else if (store->file->on_network)
    fm_warning ("\"%s\" is on a network (%s): buffers will be slow, and stop "
                "when it does. Set dir to a directory on a local disk",
        store->dir, store->file->file_system);
  return store;
}

/* Opens @fresh in the stream; closes what the stream had open before, and gives
 * that back if no block is left in it. */
static void
close_stream (FmStore *store, guint stream, FmExtent *fresh)
{
  FmExtent *before = fm_heap_open (store->heap, stream, fresh);

  if (before == NULL)
    return;
  fm_pager_close (store->pager, before, stream);
  if (fm_heap_leave (store->heap, before))
    fm_pager_release (store->pager, before);
}

static void
release (FmExtent *extent, gpointer store)
{
  fm_pager_release (((FmStore *) store)->pager, extent);
}

void
fm_store_free (FmStore *store)
{
  guint stream;

  if (store->heap != NULL) {
    fm_heap_end (store->heap, release, store);
    for (stream = 0; stream < fm_heap_n_streams (store->heap); stream++)
      close_stream (store, stream, NULL);
  }
  g_clear_pointer (&store->pager, fm_pager_free);
  g_clear_pointer (&store->total, fm_ram_total_free);
  g_clear_pointer (&store->heap, fm_heap_free);
  fm_extent_table_clear (&store->table);
  g_clear_pointer (&store->arena, fm_arena_free);
  g_clear_pointer (&store->file, fm_backing_file_free);
  fm_mutex_clear (&store->room_lock);
  fm_cond_clear (&store->room);
  g_free (store->dir);
  g_free (store);
}

/* ---- blocks ---- */

static guint
this_stream (FmStore *store)
{
  return fm_heap_stream (store->heap, fm_writer_number ());
}

static FmStoreResult
from_acquire (FmAcquireResult result)
{
  switch (result) {
    case FM_ACQUIRED:
      return FM_STORE_DONE;
    case FM_ACQUIRE_NO_ADDRESSES:
      return FM_STORE_NO_ADDRESSES;
    case FM_ACQUIRE_NO_MEMORY:
      return FM_STORE_NO_MEMORY;
    case FM_ACQUIRE_INHERITED:
      return FM_STORE_INHERITED;
  }
  g_return_val_if_reached (FM_STORE_NO_MEMORY);
}

static FmStoreResult
alloc_large (FmStore *store, gsize size, gsize align, FmStoreBlock *ret_block)
{
  /* An extent only starts at a multiple of the granule. */
  gsize slack = align >= store->table.granule ? align : 0;
  FmStoreResult result;
  FmExtent *extent;
  guintptr data;
  gsize length;

  if (size > G_MAXSIZE - slack - FM_PAGE || size - align > store->size)
    return FM_STORE_TOO_LARGE;
  length = (size + slack + FM_PAGE - 1) & ~(FM_PAGE - 1);
  /* A block of exactly `size` is to fit, whatever it is rounded up to. */
  ret_block->held = (size - align) & ~(FM_PAGE - 1);
  if (!fm_heap_hold (store->heap, ret_block->held))
    return FM_STORE_FULL;
  result =
      from_acquire (fm_pager_acquire (store->pager, length, FALSE, &extent));
  if (result != FM_STORE_DONE) {
    fm_heap_unhold (store->heap, ret_block->held);
    return result;
  }
  fm_heap_own (store->heap, extent, &ret_block->block);
  data =
      (guintptr) store->arena->base + fm_extent_offset (&store->table, extent);
  ret_block->data = (guint8 *) ((data + align) & ~(guintptr) align);
  return FM_STORE_DONE;
}

/* An extent that is mostly free and can take blocks again, or NULL. A spilled
 * one is worth the fill only if there is nothing else. */
static FmExtent *
open_again (FmStore *store, gsize size, gsize align, gboolean may_fill)
{
  FmExtent *extent = fm_heap_take_mostly_free (store->heap, size, align);

  if (extent == NULL || fm_pager_reopen (store->pager, extent, may_fill))
    return extent;
  if (fm_heap_put_back (store->heap, extent))
    fm_pager_release (store->pager, extent);
  return NULL;
}

/* Whether the block gets an extent of its own. Several blocks in a long extent
 * move faster; but not where much of the budget is mapped, nor where the
 * stream's extents, which are @extent_size long, are too short for more than
 * one. */
static gboolean
is_on_its_own (FmStore *store, gsize size, gsize align, gsize extent_size)
{
  return size + align > SMALL_MAX
      && (size + align > extent_size / 2 || fm_pager_is_crowded (store->pager));
}

/* Gives the stream an extent with room for the block. */
static FmStoreResult
open_extent (FmStore *store, guint stream, gsize size, gsize align)
{
  gboolean is_small = size + align <= SMALL_MAX;
  FmExtent *extent = is_small ? open_again (store, size, align, FALSE) : NULL;
  FmAcquireResult result = FM_ACQUIRED;
  gsize length;

  if (extent == NULL) {
    length = fm_pager_extent_size (store->pager, stream,
        fm_heap_open_bytes (store->heap, stream),
        2 * MIN (size + align, SMALL_MAX));
    if (is_on_its_own (store, size, align, length)) {
      fm_pager_note_alone (store->pager, stream, size + align);
      return FM_STORE_OWN_EXTENT;
    }
    result = fm_pager_acquire (store->pager, length, TRUE, &extent);
    if (result == FM_ACQUIRED)
      fm_heap_prepare (store->heap, extent);
    else if (result == FM_ACQUIRE_NO_ADDRESSES)
      extent = open_again (store, size, align, TRUE);
  }
  if (extent == NULL)
    return from_acquire (result);
  close_stream (store, stream, extent);
  return FM_STORE_DONE;
}

static FmStoreResult
alloc_small (FmStore *store, gsize size, gsize align, FmStoreBlock *ret_block)
{
  guint thread = fm_thread_number (), stream = this_stream (store);
  FmStoreResult result;
  FmExtent *left;
  FmCutResult cut;
  gsize offset;

  ret_block->held = 0;
  for (;;) {
    cut = fm_heap_cut (store->heap, thread, stream, size, align,
        &ret_block->block, &offset, &left);
    if (G_UNLIKELY (left != NULL))
      fm_pager_release (store->pager, left);
    if (G_LIKELY (cut == FM_CUT_DONE))
      break;
    if (cut == FM_CUT_FULL)
      return FM_STORE_FULL;
    result = open_extent (store, stream, size, align);
    if (result != FM_STORE_DONE)
      return result;
  }
  ret_block->data = store->arena->base + offset;
  return FM_STORE_DONE;
}

static FmStoreResult
alloc_once (FmStore *store, gsize size, gsize align, FmStoreBlock *ret_block)
{
  FmStoreResult result = FM_STORE_OWN_EXTENT;

  if (fm_pager_is_inherited (store->pager))
    return FM_STORE_INHERITED;
  if (fm_heap_is_small (store->heap, size, align)
      && !is_on_its_own (store, size, align, store->extent_size))
    result = alloc_small (store, size, align, ret_block);
  if (result == FM_STORE_OWN_EXTENT)
    result = alloc_large (store, size, align, ret_block);
  return result;
}

FmStoreResult
fm_store_alloc (FmStore *store, gsize size, gsize align, gint64 patience,
    FmStoreBlock *ret_block)
{
  FmStoreResult result = alloc_once (store, size, align, ret_block);
  gint64 start, deadline;
  gboolean waits, in_time;

  if (G_LIKELY (result != FM_STORE_FULL || patience == 0))
    return result;

  start = fm_now ();
  deadline = start + patience;
  fm_mutex_lock (&store->room_lock);
  /* The blocks of a pool never come back: after one wait in vain, another would
   * be in vain too. */
  waits = in_time = !store->in_vain;
  atomic_fetch_add (&store->waiting_for_room, 1);
  while (in_time) {
    /* The lock is not held while the pager may wait for the disk; the next look
     * finds what is given back meanwhile. */
    fm_mutex_unlock (&store->room_lock);
    result = alloc_once (store, size, align, ret_block);
    fm_mutex_lock (&store->room_lock);
    if (result != FM_STORE_FULL)
      break;
    in_time = fm_now () < deadline;
    if (in_time)
      (void) fm_cond_wait_until (&store->room, &store->room_lock,
          MIN (deadline, fm_now () + G_USEC_PER_SEC / 10));
  }
  if (waits && result == FM_STORE_FULL && !store->in_vain) {
    store->in_vain = TRUE;
    atomic_fetch_add (&store->waiting_for_room, 1);
  }
  atomic_fetch_sub (&store->waiting_for_room, 1);
  fm_mutex_unlock (&store->room_lock);
  if (waits)
    fm_stats_waited (
        store->stats, FM_WAIT_ALLOC, (guint64) (fm_now () - start) * 1000);
  return result;
}

void
fm_store_give (FmStore *store, const FmStoreBlock *block)
{
  if (fm_heap_give (store->heap, &block->block, block->held))
    fm_pager_release (store->pager, block->block.extent);
  if (G_UNLIKELY (
          atomic_load_explicit (&store->waiting_for_room, memory_order_relaxed)
          > 0)) {
    fm_mutex_lock (&store->room_lock);
    if (store->in_vain)
      atomic_fetch_sub (&store->waiting_for_room, 1);
    store->in_vain = FALSE;
    fm_cond_broadcast (&store->room);
    fm_mutex_unlock (&store->room_lock);
  }
}

gboolean
fm_store_map (FmStore *store, const FmStoreBlock *block, FmPinFlags flags)
{
  return fm_pager_pin (store->pager, &block->block, flags);
}

void
fm_store_unmap (
    FmStore *store, const FmStoreBlock *block, FmPinFlags flags, gsize bytes)
{
  fm_pager_unpin (store->pager, &block->block, flags, bytes,
      (flags & FM_PIN_WRITE) != 0 ? this_stream (store) : 0);
}

/* ---- queries ---- */

guint64
fm_store_size (const FmStore *store)
{
  return store->size;
}

guint64
fm_store_budget (FmStore *store)
{
  return fm_pager_ceiling (store->pager);
}

void
fm_store_set_budget (FmStore *store, guint64 budget)
{
  fm_pager_set_budget (store->pager, sensible_budget (budget));
}

const gchar *
fm_store_limited_by (const FmStore *store)
{
  return store->file->limited_by;
}

guint64
fm_store_reserve (FmStore *store)
{
  return store->file->reserve;
}

void
fm_store_arena (FmStore *store, gpointer *ret_base, gsize *ret_length)
{
  *ret_base = store->arena->base;
  *ret_length = store->arena->size;
}

gchar *
fm_store_describe (FmStore *store)
{
  g_autofree gchar *size = fm_size_text (store->size);
  g_autofree gchar *budget = fm_size_text (fm_store_budget (store));

  return g_strdup_printf ("buffers live in %s (%s, %s), size %s, budget %s of "
                          "memory (ram)",
      store->dir, store->file->file_system,
      atomic_load (&store->file->direct) ? "O_DIRECT" : "page cache", size,
      budget);
}

void
fm_store_update_stats (FmStore *store)
{
  guint64 bytes = fm_backing_file_bytes (store->file);

  fm_stats_set (store->stats, FM_STAT_DISK_BYTES, bytes);
  fm_stats_raise (store->stats, FM_STAT_DISK_PEAK, bytes);
  fm_stats_set (store->stats, FM_STAT_PAGE_CACHE_BYTES,
      fm_backing_file_cached_bytes (store->file));
  fm_stats_set (store->stats, FM_STAT_MAPPINGS, fm_machine_mappings (""));
  fm_pager_update_stats (store->pager);
}
