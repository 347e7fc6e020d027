/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-terminal.h: the terminal, opened for full-screen use and given back, and
 * how styles look on it.
 *
 * There is one terminal, as curses knows but one.
 */
#ifndef FM_TOP_TERMINAL_H
#define FM_TOP_TERMINAL_H

#include "top-sheet.h"

#include <curses.h>

G_BEGIN_DECLS

/* FALSE, and nothing has changed, if it is not fit for that. */
gboolean fm_terminal_open (void);
/* Does not wait for a terminal that takes nothing: that loses what was written
 * last. */
void fm_terminal_close (void);
/* What is written from now on goes nowhere, and who is writing need not wait
 * any longer. Curses may be at work: a signal handler may call this. */
void fm_terminal_let_go (void);

chtype fm_terminal_attribute (FmStyle style);

G_END_DECLS
#endif
