/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-view.h: what is shown, and where: the list of programs, and the details
 * of one of them, written on a sheet of any width.
 *
 * The most telling comes first: a low screen shows as much as it has lines for.
 * The view knows neither terminals nor pages.
 */
#ifndef FM_TOP_VIEW_H
#define FM_TOP_VIEW_H

#include "top-order.h"
#include "top-sheet.h"

G_BEGIN_DECLS

#define FM_VIEW_NONE_CHOSEN G_MAXUINT

/* A heading and up to @rows of @programs (FmProgram), which are sorted in
 * @order already, with @chosen among them. If these are not all, the heading
 * says which one, out of how many, is chosen. */
void fm_view_list (FmSheet *sheet, const GPtrArray *programs, FmOrder order,
    guint chosen, guint rows);

/* The details of @program, with at most @queues queues and as many elements.
 * Its name and pid, which the list shows as well, appear only @with_title. */
void fm_view_program (
    FmSheet *sheet, FmProgram *program, gboolean with_title, guint queues);

/* @pid: the one program that counts, 0: all count. @obstacle: why there may be
 * programs that can't be seen, or NULL. */
void fm_view_nobody (FmSheet *sheet, gint64 pid, const gchar *obstacle);
/* There are programs, but none that passes @filter, as typed. */
void fm_view_none_matches (FmSheet *sheet, const gchar *filter);
void fm_view_help (FmSheet *sheet);

G_END_DECLS
#endif
