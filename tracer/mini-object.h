/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * mini-object.h: what can be seen of a mini object without taking its lock.
 */
#ifndef FM_MINI_OBJECT_H
#define FM_MINI_OBJECT_H

#include <gst/gst.h>

/* Whether data may be attached to it. GStreamer's encoding: 1 means no data and
 * no parent, 2 one parent (a list), 3 anything else. */
static inline gboolean
fm_mini_object_may_have_data (const GstMiniObject *object)
{
  guint state = object->priv_uint;

  return state != 1 && state != 2;
}

#endif
