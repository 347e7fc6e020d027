/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * items.h: memories whose every byte follows from a number and its place, so
 * that whoever has one can check it, and the inboxes through which they are
 * handed on.
 */
#ifndef FM_STRESS_ITEMS_H
#define FM_STRESS_ITEMS_H

#include <gst/gst.h>

#include <pthread.h>
#include <stdatomic.h>

#define KIB ((gsize) 1 << 10)
#define MIB ((gsize) 1 << 20)

/* No extent of small blocks is larger, under the least budget. */
#define EXTENT (256 * KIB)

typedef struct _Item Item;

/* One memory that somebody has to check and free. */
struct _Item
{
  Item *next;
  GstMemory *mem;
  guint64 number;     /* of the contents */
  gsize start;        /* the memory's first byte within the contents */
  gsize size;         /* what gst_memory_get_sizes() must say */
  const guint8 *data; /* where the first byte was at the last map */
  gboolean shared;    /* other memories look into it */
  guint n_passes;     /* how often it changed hands */
};

typedef struct
{
  pthread_mutex_t lock;
  Item *head;
  Item **tail;
} Inbox;

/* Of all items; and the most that maps have kept from being spilled. */
extern _Atomic gint64 live_bytes, pinned_peak;

/* Whether anybody has complained. */
extern atomic_bool failed;

/* @item may be NULL. */
void complain (const Item *item, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

void write_contents (guint8 *data, guint64 number, gsize start, gsize size);
void check_contents (const Item *item, const guint8 *data, const gchar *when);

/* What a memory of @bytes may keep from being spilled. */
gint64 pin_of (gsize bytes);
void count_pin (gint64 change);

/* Checks size and address, which never changes. */
gboolean map_item (Item *item, GstMapInfo *info, GstMapFlags flags);
void unmap_item (Item *item, GstMapInfo *info);

/* Takes @mem, which has the contents of @number from @start on. */
Item *item_new (GstMemory *mem, guint64 number, gsize start);
void item_free (Item *item);

void put (Item *item, Inbox *box);

/* NULL if there is none. */
Item *take (Inbox *box);

#endif
