/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mapped.c: see mapped.h.
 *
 * The allocator's two functions are wrapped, so that where nothing asks for
 * this a map costs what it always did. The element that mapped is stored in the
 * part of GstMapInfo that belongs to the allocator, with a word by which it is
 * recognised: a program may unmap what it never mapped, with anything in that
 * place.
 */
#include "mapped.h"

#include "attribution.h"

/* Indices into GstMapInfo's user_data. */
enum { WHO, CHECK, SINCE, BYTES };

/* As GStreamer counts the locks of a mini object; see
 * gst/gstminiobject.c. */
#define LOCKS(state) ((guint) (state) % 0x10000 / GST_LOCK_FLAG_LAST)

static struct
{
  GstMemoryMapFullFunction map;
  GstMemoryUnmapFullFunction unmap;
} real;

/* The last memory that this thread mapped, and for which element; only to be
 * compared with. */
typedef struct
{
  const GstMemory *memory;
  const FmTally *who;
} Last;

static _Thread_local Last last __attribute__ ((tls_model ("initial-exec")));

static gpointer
check_of (const GstMemory *memory, gconstpointer who)
{
  return (gpointer) ((guintptr) memory ^ ~(guintptr) who);
}

/* Whether the element has just mapped this memory, and maps it once more, as
 * happens with each plane of a video frame. That still counts as one buffer. */
static gboolean
is_mapped_again (const GstMemory *memory, const FmTally *who)
{
  return last.memory == memory && last.who == who
      && LOCKS (g_atomic_int_get (&memory->mini_object.lockstate)) > 1;
}

static gpointer
map (GstMemory *memory, GstMapInfo *info, gsize maxsize)
{
  gpointer data = real.map (memory, info, maxsize);
  FmTally *who = fm_attribution_running_tally ();
  guint32 now;

  info->user_data[WHO] = NULL;
  if (data == NULL || who == NULL || is_mapped_again (memory, who))
    return data;
  now = fm_tally_now ();
  fm_tally_map (who, memory->size, now);
  info->user_data[WHO] = who;
  info->user_data[CHECK] = check_of (memory, who);
  info->user_data[SINCE] = GUINT_TO_POINTER (now);
  info->user_data[BYTES] = GSIZE_TO_POINTER (memory->size);
  last = (Last){memory, who};
  return data;
}

static void
unmap (GstMemory *memory, GstMapInfo *info)
{
  FmTally *who = info->user_data[WHO];

  if (who != NULL && info->user_data[CHECK] == check_of (memory, who)) {
    info->user_data[WHO] = NULL;
    fm_tally_unmap (who, GPOINTER_TO_SIZE (info->user_data[BYTES]),
        GPOINTER_TO_UINT (info->user_data[SINCE]), fm_tally_now ());
  }
  real.unmap (memory, info);
}

void
fm_mapped_start (GstFileMemAllocator *allocator)
{
  GstAllocator *base = GST_ALLOCATOR (allocator);

  real.map = base->mem_map_full;
  real.unmap = base->mem_unmap_full;
  base->mem_map_full = map;
  base->mem_unmap_full = unmap;
}
