/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-files.h: the files of status pages (status-page-layout.h): which
 * file is one, whether its program lives, and away with those of the dead.
 *
 * A program that was killed leaves its file, in memory that all programs of the
 * user share. So whoever comes next removes it: a viewer, or the next program.
 *
 * Locking: none; other processes are what has to be reckoned with.
 */
#ifndef FM_STATUS_PAGE_FILES_H
#define FM_STATUS_PAGE_FILES_H

#include "status-page-layout.h"

G_BEGIN_DECLS

/* PID-XXXXXX */
gboolean fm_status_page_is_name (const gchar *name);

/* The file @name in the directory @dir, for reading and writing; -1 if it is
 * not a plain file of ours. */
int fm_status_page_open (int dir, const gchar *name);

/* The pid of the program that holds the locks; 0 if that is not to be had, in
 * another PID namespace or where the program has closed its descriptors; -1 if
 * nobody holds one. */
gint64 fm_status_page_owner (int fd);

/* Removes @name in @dir, which is open as @fd and has no owner, if it looks
 * like a page and its path still leads to that file. */
void fm_status_page_remove_dead (int dir, const gchar *name, int fd);

/* The same for all in the directory @path, which need not be there. */
void fm_status_page_remove_all_dead (const gchar *path);

G_END_DECLS
#endif
