/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * output.c: see output.h.
 */
#include "output.h"

#include "messages.h"
#include "seam.h"
#include "xfsz-guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gchar *
expand (const gchar *to)
{
  g_auto (GStrv) parts = g_strsplit (to, "%p", -1);
  g_autofree gchar *pid = g_strdup_printf ("%d", (int) getpid ());

  return g_strjoinv (pid, parts);
}

/* Opens it for writing at its end, or truncated if @empty; -1 with the
 * reason. */
static int
open_plain (const gchar *path, gboolean empty, const gchar **ret_why)
{
  struct stat status;
  int fd = fm_seam_open (path,
      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
          | O_CLOEXEC,
      0666);

  if (fd < 0) {
    *ret_why = errno == ELOOP ? "it is a symbolic link"
        : errno == ENXIO      ? "it is not a plain file"
                              : g_strerror (errno);
    return -1;
  }
  if (fm_seam_fstat (fd, &status) < 0)
    *ret_why = g_strerror (errno);
  else if (!S_ISREG (status.st_mode))
    *ret_why = "it is not a plain file";
  else if (empty && fm_seam_ftruncate (fd, 0) < 0)
    *ret_why = g_strerror (errno);
  else
    return fd;
  close (fd);
  return -1;
}

static gboolean
write_all (int fd, const gchar *text)
{
  gsize length = strlen (text), done = 0;

  while (done < length) {
    gssize n = fm_seam_write (fd, text + done, length - done);

    if (n < 0 && errno != EINTR)
      return FALSE;
    done += (gsize) MAX (n, 0);
  }
  return TRUE;
}

static gboolean
write_to_path (const gchar *to, const gchar *text, gboolean empty)
{
  g_autofree gchar *path = expand (to);
  const gchar *why = NULL;
  int fd = open_plain (path, empty, &why);

  if (fd >= 0) {
    if (!write_all (fd, text))
      why = g_strerror (errno);
    close (fd);
  }
  if (why != NULL)
    fm_warning ("nothing could be written to %s: %s. Give the path of a plain "
                "file, or stderr",
        path, why);
  return why == NULL;
}

static gboolean
write_to (const gchar *to, const gchar *text, gboolean empty)
{
  gboolean written = TRUE;
  FmXfszGuard guard;

  fm_xfsz_guard_begin (&guard);
  if (g_str_equal (to, "stderr"))
    fputs (text, stderr);
  else
    written = write_to_path (to, text, empty);
  fm_xfsz_guard_end (&guard);
  return written;
}

gboolean
fm_output_write (const gchar *to, const gchar *text)
{
  return write_to (to, text, TRUE);
}

gboolean
fm_output_append (const gchar *to, const gchar *text)
{
  return write_to (to, text, FALSE);
}
