/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-terminal.h: opens the terminal for full-screen use and gives it back, and
 * defines how styles look on it.
 *
 * There is only one terminal, as curses knows only one.
 */
#ifndef FM_TOP_TERMINAL_H
#define FM_TOP_TERMINAL_H

#include "top-sheet.h"

#include <curses.h>

G_BEGIN_DECLS

/* FALSE if the terminal is not fit for it; then nothing has changed. */
gboolean fm_terminal_open (void);
/* Does not wait for a terminal that accepts nothing; what was written last is
 * lost then. */
void fm_terminal_close (void);
/* From now on output goes nowhere, and a thread that is writing need not wait
 * any longer. A signal handler may call this while curses is at work. */
void fm_terminal_let_go (void);

chtype fm_terminal_attribute (FmStyle style);

G_END_DECLS
#endif
