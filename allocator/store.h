/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store.h: heap, pager, arena and backing file put together: blocks of bytes
 * that live on disk.
 *
 * Knows nothing of GStreamer. All functions except new and free may be called
 * from any thread.
 */
#ifndef FM_STORE_H
#define FM_STORE_H

#include "heap.h"
#include "options.h"
#include "pager.h"
#include "statistics.h"

G_BEGIN_DECLS

typedef struct _FmStore FmStore;

typedef enum {
  FM_STORE_DONE,
  FM_STORE_FULL,         /* `size` is reached */
  FM_STORE_TOO_LARGE,    /* one block beyond `size` */
  FM_STORE_NO_ADDRESSES, /* the arena is full */
  FM_STORE_NO_MEMORY,    /* the kernel gave none */
  FM_STORE_INHERITED,    /* this is the child of a fork: make a store */
  FM_STORE_OWN_EXTENT    /* store.c's own: the block can't share an extent */
} FmStoreResult;

typedef struct
{
  FmBlock block;
  gsize held; /* counted towards `size`, if it has an extent of its own */
  guint8 *data;
} FmStoreBlock;

typedef struct
{
  guint64 size;
  guint64 reserve;
  gsize budget;
  gsize extent_size;
} FmStoreChoice;

/* What the options amount to on this machine and the file's file system, not
 * counting limits on addresses and on the length of the file. */
FmStoreChoice fm_store_choose (
    const FmOptions *options, const FmBackingFile *file);

/* Makes the backing file and reserves the addresses. Options that are left to
 * filemem are chosen here. NULL, with a message for people, on failure. */
FmStore *fm_store_new (
    const FmOptions *options, FmStats *stats, GError **error);

/* No block may be left. */
void fm_store_free (FmStore *store);

/* A block of @size bytes, of which @align are for alignment, at a multiple of
 * @align + 1. Waits up to @patience microseconds for `size` to have room. */
FmStoreResult fm_store_alloc (FmStore *store, gsize size, gsize align,
    gint64 patience, FmStoreBlock *ret_block);
void fm_store_give (FmStore *store, const FmStoreBlock *block);

/* Between these two the block's bytes are in memory. FALSE if the disk did not
 * deliver them. @bytes is how much a write may have changed. */
gboolean fm_store_map (
    FmStore *store, const FmStoreBlock *block, FmPinFlags flags);
void fm_store_unmap (
    FmStore *store, const FmStoreBlock *block, FmPinFlags flags, gsize bytes);

/* What was chosen. */
guint64 fm_store_size (const FmStore *store);
guint64 fm_store_budget (FmStore *store); /* less may be in force */

/* Changes the budget in force, within what is sensible. */
void fm_store_set_budget (FmStore *store, guint64 budget);
guint64 fm_store_reserve (FmStore *store);

/* For people: the limit that leaves less room than `size` asks for; NULL if
 * there is none. */
const gchar *fm_store_limited_by (const FmStore *store);

/* The addresses of its blocks. */
void fm_store_arena (FmStore *store, gpointer *ret_base, gsize *ret_length);

/* One line for people: directory, file system, size, budget, O_DIRECT or not.
 */
gchar *fm_store_describe (FmStore *store);

/* Updates the gauges that are not kept up to date all the time. */
void fm_store_update_stats (FmStore *store);

G_END_DECLS
#endif
