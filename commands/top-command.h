/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-command.h: the command line of a program, which tells apart several of
 * one name.
 *
 * It is the program's to choose, and not made harmless.
 */
#ifndef FM_TOP_COMMAND_H
#define FM_TOP_COMMAND_H

#include <glib.h>

G_BEGIN_DECLS

/* Its beginning, the words separated by spaces; and where in it what follows
 * the first of them begins, which may be the end. NULL: it can't be read. */
gchar *fm_command_line (gint64 pid, const gchar **ret_arguments);

G_END_DECLS
#endif
