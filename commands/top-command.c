/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-command.c: see top-command.h.
 */
#include "top-command.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* No view has room for more; a command line may have megabytes. */
#define LENGTH_MAX 4096

gchar *
fm_command_line (gint64 pid, const gchar **ret_arguments)
{
  g_autofree gchar *path =
      g_strdup_printf ("/proc/%" G_GINT64_FORMAT "/cmdline", pid);
  g_autofree gchar *text = g_malloc0 (LENGTH_MAX + 1);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gssize length;
  gsize first;

  if (fd < 0)
    return NULL;
  length = read (fd, text, LENGTH_MAX);
  close (fd);
  while (length > 0 && text[length - 1] == '\0')
    length--;
  if (length <= 0)
    return NULL;

  first = strlen (text);
  for (gssize i = 0; i < length; i++) {
    if (text[i] == '\0')
      text[i] = ' ';
  }
  *ret_arguments = text + MIN (first + 1, (gsize) length);
  return g_steal_pointer (&text);
}
