/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-screen.h: the live view on a terminal, with keys to choose.
 *
 * The terminal is left as it was found, whatever ends the view: a key, a
 * signal, or the end of the terminal itself.
 */
#ifndef FM_TOP_SCREEN_H
#define FM_TOP_SCREEN_H

#include "status-page-reader.h"

G_BEGIN_DECLS

/* Runs until it is told to end. @pid: the one program that counts; 0: all
 * count. Returns the signal that ended it, which the caller has to raise; 0 if
 * a key did; -1 if the terminal can't show the view. */
int fm_screen_run (FmStatusPages *pages, gint64 pid, gboolean utf8);

G_END_DECLS
#endif
