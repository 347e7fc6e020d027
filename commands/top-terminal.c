/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-terminal.c: see top-terminal.h. The only file that includes term.h, which
 * defines ordinary words as macros.
 */
#include "top-terminal.h"

#include <term.h>
#include <unistd.h>

/* What tells the key Esc from the start of another key's code. */
#define ESCAPE_MS 25

static SCREEN *terminal;

static chtype attributes[FM_N_STYLES] = {
    [FM_STYLE_HEADING] = A_BOLD,
    [FM_STYLE_LABEL] = A_BOLD,
    [FM_STYLE_CHOSEN] = A_REVERSE,
    [FM_STYLE_FAINT] = A_DIM,
    [FM_STYLE_WARNING] = A_BOLD,
};

static void
set_up_colours (void)
{
  const gchar *no_color = g_getenv ("NO_COLOR");

  if ((no_color && *no_color != '\0') || !has_colors ())
    return;
  start_color ();
  use_default_colors ();
  init_pair (FM_STYLE_LABEL, COLOR_CYAN, -1);
  init_pair (FM_STYLE_BAR, COLOR_GREEN, -1);
  init_pair (FM_STYLE_WARNING, COLOR_YELLOW, -1);
  attributes[FM_STYLE_LABEL] = COLOR_PAIR (FM_STYLE_LABEL);
  attributes[FM_STYLE_BAR] = COLOR_PAIR (FM_STYLE_BAR);
  attributes[FM_STYLE_WARNING] = COLOR_PAIR (FM_STYLE_WARNING);
}

/* Asked before curses says anything to the terminal. */
static gboolean
can_move_cursor (void)
{
  int error;
  gboolean can;

  if (setupterm (NULL, STDOUT_FILENO, &error) != OK)
    return FALSE;
  can = cursor_address && clear_screen;
  del_curterm (cur_term);
  return can;
}

gboolean
fm_terminal_open (void)
{
  if (!can_move_cursor ())
    return FALSE;
  terminal = newterm (NULL, stdout, stdin);
  if (!terminal)
    return FALSE;
  set_escdelay (ESCAPE_MS);
  cbreak ();
  noecho ();
  nonl ();
  curs_set (0);
  nodelay (stdscr, TRUE);
  keypad (stdscr, TRUE);
  set_up_colours ();
  return TRUE;
}

void
fm_terminal_close (void)
{
  endwin ();
  delscreen (terminal);
  terminal = NULL;
}

chtype
fm_terminal_attribute (FmStyle style)
{
  return attributes[style];
}
