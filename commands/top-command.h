/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-command.h: the command line of a program, which distinguishes several
 * with the same name.
 *
 * The program chooses it, and it is not made harmless here.
 */
#ifndef FM_TOP_COMMAND_H
#define FM_TOP_COMMAND_H

#include <glib.h>

G_BEGIN_DECLS

/* The beginning of the command line, with its words separated by spaces; and
 * where in it the arguments begin, after the first word, which may be the end.
 * NULL: it can't be read. */
gchar *fm_command_line (gint64 pid, const gchar **ret_arguments);

G_END_DECLS
#endif
