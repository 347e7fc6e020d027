/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * output.h: where filemem's reports go: stderr, or a plain file.
 */
#ifndef FM_OUTPUT_H
#define FM_OUTPUT_H

#include <glib.h>

G_BEGIN_DECLS

/* Writes @text to @to: "stderr", or the path of a plain file, which is created
 * or overwritten, and in which %p stands for the process. Anything else is left
 * alone: a pipe would hang a program that is about to end, and a link may have
 * been planted. Returns FALSE if it can't, and says so on stderr. Any
 * thread. */
gboolean fm_output_write (const gchar *to, const gchar *text);

/* The same, but appends the text. */
gboolean fm_output_append (const gchar *to, const gchar *text);

G_END_DECLS
#endif
