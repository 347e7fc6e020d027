/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * items.c: see items.h.
 */
#include "items.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_THREAD__)
#define RACES_BY_DESIGN __attribute__ ((no_sanitize_thread, noinline))
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RACES_BY_DESIGN __attribute__ ((no_sanitize ("thread"), noinline))
#endif
#endif
#ifndef RACES_BY_DESIGN
#define RACES_BY_DESIGN
#endif
/* In bytes, at most. */
static _Atomic gint64 pinned_bytes;

_Atomic gint64 live_bytes, pinned_peak;
atomic_bool failed;

void
complain (const Item *item, const gchar *format, ...)
{
  va_list args;

  va_start (args, format);
  flockfile (stderr);
  if (item != NULL)
    fprintf (stderr,
        "stress: block %" G_GUINT64_FORMAT ", bytes %" G_GSIZE_FORMAT
        " to %" G_GSIZE_FORMAT ": ",
        item->number, item->start, item->start + item->size);
  else
    fputs ("stress: ", stderr);
  vfprintf (stderr, format, args);
  fputc ('\n', stderr);
  funlockfile (stderr);
  va_end (args);
  atomic_store (&failed, TRUE);
}

/* ---- contents ---- */

static guint64
word_of (guint64 number, gsize index)
{
  guint64 word = (number + 1) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
      + index * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);

  return word ^ (word >> 29);
}

static guint8
byte_of (guint64 number, gsize place)
{
  return (guint8) (word_of (number, place / 8) >> (place % 8 * 8));
}

void
write_contents (guint8 *data, guint64 number, gsize start, gsize size)
{
  gsize i = 0;

  while (i < size) {
    const gsize place = start + i;

    if (place % 8 == 0 && size - i >= 8) {
      const guint64 word = GUINT64_TO_LE (word_of (number, place / 8));

      memcpy (data + i, &word, 8);
      i += 8;
    } else {
      data[i++] = byte_of (number, place);
    }
  }
}

/* The first byte that is wrong; @size if none is. May be called for bytes that
 * the pager is moving, which nobody changes. */
RACES_BY_DESIGN static gsize
find_difference (const guint8 *data, guint64 number, gsize start, gsize size)
{
  gsize i = 0;

  while (i < size) {
    const gsize place = start + i;

    if (place % 8 == 0 && size - i >= 8) {
      guint64 word;

      /* Not memcpy(), which a sanitizer would look into. */
      __builtin_memcpy (&word, data + i, 8);
      if (word != GUINT64_TO_LE (word_of (number, place / 8)))
        return i;
      i += 8;
    } else {
      if (data[i] != byte_of (number, place))
        return i;
      i++;
    }
  }
  return size;
}

void
check_contents (const Item *item, const guint8 *data, const gchar *when)
{
  gsize wrong = find_difference (data, item->number, item->start, item->size);

  if (wrong < item->size)
    complain (item, "%s, byte %" G_GSIZE_FORMAT " is %02x and should be %02x",
        when, item->start + wrong, data[wrong],
        byte_of (item->number, item->start + wrong));
}

/* ---- maps ---- */

/* What a memory of @bytes may keep from being spilled. */
gint64
pin_of (gsize bytes)
{
  return (gint64) MAX (EXTENT, bytes + 2 * 4096);
}

void
count_pin (gint64 change)
{
  gint64 now = atomic_fetch_add (&pinned_bytes, change) + change;
  gint64 peak = atomic_load (&pinned_peak);

  while (now > peak && !atomic_compare_exchange_weak (&pinned_peak, &peak, now))
    continue;
}

gboolean
map_item (Item *item, GstMapInfo *info, GstMapFlags flags)
{
  count_pin (pin_of (item->mem->maxsize));
  if (!gst_memory_map (item->mem, info, flags)) {
    complain (item, "can't be mapped");
    count_pin (-pin_of (item->mem->maxsize));
    return FALSE;
  }
  if (info->size != item->size)
    complain (item, "has %" G_GSIZE_FORMAT " bytes mapped", info->size);
  if (item->data != NULL && item->data != info->data)
    complain (item, "moved from %p to %p", item->data, info->data);
  item->data = info->data;
  return TRUE;
}

void
unmap_item (Item *item, GstMapInfo *info)
{
  gst_memory_unmap (item->mem, info);
  count_pin (-pin_of (item->mem->maxsize));
}

/* ---- items ---- */

Item *
item_new (GstMemory *mem, guint64 number, gsize start)
{
  Item *item = g_new0 (Item, 1);

  item->mem = mem;
  item->number = number;
  item->start = start;
  item->size = gst_memory_get_sizes (mem, NULL, NULL);
  atomic_fetch_add (&live_bytes, (gint64) item->size);
  return item;
}

void
item_free (Item *item)
{
  atomic_fetch_sub (&live_bytes, (gint64) item->size);
  gst_memory_unref (item->mem);
  g_free (item);
}

void
put (Item *item, Inbox *box)
{
  item->next = NULL;
  pthread_mutex_lock (&box->lock);
  *box->tail = item;
  box->tail = &item->next;
  pthread_mutex_unlock (&box->lock);
}

Item *
take (Inbox *box)
{
  Item *item;

  pthread_mutex_lock (&box->lock);
  item = box->head;
  if (item != NULL) {
    box->head = item->next;
    if (box->head == NULL)
      box->tail = &box->head;
  }
  pthread_mutex_unlock (&box->lock);
  return item;
}
