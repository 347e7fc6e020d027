/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-terminal.c: see top-terminal.h. This is the only file that includes
 * term.h, which defines ordinary words as macros.
 */
#include "top-terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

/* How long to wait to tell the key Esc from the start of another key's code. */
#define ESCAPE_MS 25

static SCREEN *terminal;
/* Where the standard output leads, and where it leads once we have let go. */
static int output = -1, nowhere = -1;

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

/* To be called before curses writes anything to the terminal. */
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
  output = fcntl (STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  nowhere = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  return TRUE;
}

/* FALSE while a shell has stopped us (Ctrl-Z) and taken it back. */
static gboolean
is_ours (void)
{
  pid_t group = tcgetpgrp (output);

  return group < 0 || group == getpgrp ();
}

void
fm_terminal_let_go (void)
{
  int error = errno;

  /* Curses gave the terminal back when it was stopped, and is about to take it
   * again if it may. endwin() gives it back properly only if curses has it. */
  if (!isendwin () || !is_ours ())
    dup2 (nowhere, STDOUT_FILENO);
  errno = error;
}

/* endwin() has to write as well. So a terminal that was stopped is restarted:
 * we stop it ourselves first, or else the kernel leaves restarting it to
 * whatever stopped it. Output that is not being read is discarded to make
 * room. */
static void
make_ready (void)
{
  struct pollfd room = {.fd = STDOUT_FILENO, .events = POLLOUT};

  tcflow (STDOUT_FILENO, TCOOFF);
  tcflow (STDOUT_FILENO, TCOON);
  if (poll (&room, 1, 0) == 0)
    tcflush (STDOUT_FILENO, TCOFLUSH);
}

void
fm_terminal_close (void)
{
  dup2 (output, STDOUT_FILENO);
  if (is_ours ()) {
    make_ready ();
    endwin ();
  }
  delscreen (terminal);
  terminal = NULL;
  close (output);
  close (nowhere);
}

chtype
fm_terminal_attribute (FmStyle style)
{
  return attributes[style];
}
