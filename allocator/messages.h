/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * messages.h: how the rooms below the subclass reach the user.
 *
 * They know neither GStreamer nor stderr; they hand a finished line to the
 * function that the subclass (or a test) has set. A WARNING is for the user
 * and says what happened, what filemem did about it and what to do; INFO is
 * for the log. Never call these with a lock held: the receiver may write to a
 * file.
 */
#ifndef FM_MESSAGES_H
#define FM_MESSAGES_H

#include "private-api.h"

#include <glib.h>
#include <stdatomic.h>

G_BEGIN_DECLS

typedef enum { FM_MESSAGE_WARNING, FM_MESSAGE_INFO } FmMessageLevel;

typedef void (*FmMessageFunc) (FmMessageLevel level, const gchar *text);

/* Sets the receiver, NULL for none. To be called before any other function
 * here. */
void fm_messages_set_func (FmMessageFunc func);

FM_PRIVATE_API
void fm_message (FmMessageLevel level, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);

#define fm_warning(...) fm_message (FM_MESSAGE_WARNING, __VA_ARGS__)
#define fm_info(...) fm_message (FM_MESSAGE_INFO, __VA_ARGS__)

/* A size as messages and reports write it: "64.0 MiB". */
static inline gchar *
fm_size_text (guint64 bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}

/* TRUE for the first caller only. */
static inline gboolean
fm_first_time (atomic_bool *said)
{
  return !atomic_load_explicit (said, memory_order_relaxed)
      && !atomic_exchange_explicit (said, TRUE, memory_order_relaxed);
}

G_END_DECLS
#endif
