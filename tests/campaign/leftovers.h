/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * leftovers.h: which descriptors and mappings of filemem's a process has that
 * it did not have before.
 *
 * A mapping is filemem's if it is kept out of core dumps, as all of its blocks
 * and staging are, or is of the backing file. Descriptors of event objects are
 * left out: GLib keeps them for its threads.
 */
#ifndef CAMPAIGN_LEFTOVERS_H
#define CAMPAIGN_LEFTOVERS_H

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
  LEFT_MAPPINGS = 1 << 0,
  LEFT_FILES = 1 << 1,
  LEFT_ANYTHING = LEFT_MAPPINGS | LEFT_FILES
} LeftoverKinds;

typedef struct _Leftovers Leftovers;

/* What there is now. */
Leftovers *leftovers_new (void);
void leftovers_free (Leftovers *before);

/* Of these kinds, for people; NULL if there is nothing. */
gchar *leftovers_since (const Leftovers *before, LeftoverKinds kinds);

G_END_DECLS
#endif
