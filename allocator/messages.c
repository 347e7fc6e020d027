/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * messages.c: see messages.h.
 */
#include "messages.h"

static _Atomic (FmMessageFunc) message_func;

void
fm_messages_set_func (FmMessageFunc func)
{
  atomic_store (&message_func, func);
}

void
fm_message (FmMessageLevel level, const gchar *format, ...)
{
  FmMessageFunc func = atomic_load (&message_func);
  g_autofree gchar *text = NULL;
  va_list args;
  gchar *at;

  if (func == NULL)
    return;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  /* It may contain text that a person wrote; one line is to stay one line. */
  for (at = text; *at != '\0'; at++) {
    if (g_ascii_iscntrl (*at))
      *at = '?';
  }
  func (level, text);
}
