/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-files.h: the files of status pages (status-page-layout.h): tells
 * which file is one and whether its program lives, and removes those of the
 * dead.
 *
 * A program that was killed leaves its file behind, in memory that all programs
 * of the user share. So whichever comes next removes it: a viewer, or the next
 * program.
 *
 * Locking: none; the code only has to reckon with other processes.
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

/* The pid of the program that holds the locks; 0 if the pid is not available,
 * as in another PID namespace or where the program has closed its descriptors;
 * -1 if no process holds a lock. */
gint64 fm_status_page_owner (int fd);

/* Removes @name from @dir if it looks like a page and its path still leads to
 * the file that is open as @fd, which has no owner. */
void fm_status_page_remove_dead (int dir, const gchar *name, int fd);

/* Does the same for all files in the directory @path, which need not exist. */
void fm_status_page_remove_all_dead (const gchar *path);

G_END_DECLS
#endif
