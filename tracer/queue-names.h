/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-names.h: which elements are queues, by what they are called and how
 * they were set up.
 *
 * Locking: none; any thread.
 */
#ifndef FM_QUEUE_NAMES_H
#define FM_QUEUE_NAMES_H

#include <gst/gst.h>

G_BEGIN_DECLS

/* Whether @names, a list in the form of the option `queues`, contains the
 * factory of @element, or of a type from which its type is derived; and whether
 * the element keeps what enters it in memory. */
gboolean fm_queue_is_named (GstElement *element, const gchar *names);

/* Whether the element copies what enters it into memory of its own. */
gboolean fm_queue_keeps_own (GstElement *element);

G_END_DECLS
#endif
