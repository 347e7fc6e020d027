/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-text.h: the view printed once, for people or for programs.
 *
 * @pid is the one program that counts, 0: all count. All functions return the
 * exit status: 1 if there is no such program, 2 if programs can't be looked for
 * or not everything could be printed.
 */
#ifndef FM_TOP_TEXT_H
#define FM_TOP_TEXT_H

#include "status-page-reader.h"

G_BEGIN_DECLS

/* Takes a second, during which rates are measured. */
int fm_text_print (FmStatusPages *pages, gint64 pid, gboolean utf8);
int fm_text_print_json (FmStatusPages *pages, gint64 pid);
int fm_text_print_metrics (FmStatusPages *pages, gint64 pid);

/* Says on the standard error that the scan, which returned @error, found no
 * program, and why, if that is known. */
int fm_text_say_nobody (FmStatusPages *pages, int error, gint64 pid);

G_END_DECLS
#endif
