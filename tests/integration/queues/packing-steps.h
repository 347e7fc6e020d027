/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-steps.h: sequences of buffers, lists, events and queries through a
 * queue, of which it takes out some in between.
 */
#ifndef FM_PACKING_STEPS_H
#define FM_PACKING_STEPS_H

#include "../../unit/choices.h"

/* As many things, or until there is nothing more to choose by, through a
 * @factory that packs them or not (packing-line.h): what comes out. The same
 * choices make the same things. */
gchar *packing_steps_run (
    const gchar *factory, Choices *choices, guint items, gboolean packed);

#endif
