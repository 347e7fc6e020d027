/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-screen.c: see top-screen.h.
 *
 * One thread runs one loop over ppoll(): the keyboard, the signals, and the
 * time of the next refresh. Keys work while programs are being asked.
 *
 * Any call of curses may write, and a terminal that accepts nothing (Ctrl-S)
 * blocks it there. So signals are let in all the time. Their handler calls
 * nothing of curses, which may be half way through something: it notes which
 * signal it was, and sends the rest of the output nowhere, so that we get to
 * see the note. Signals that were ignored when we were started stay ignored.
 * Stopping and continuing (Ctrl-Z) is left to curses.
 */
#include "top-screen.h"

#include "top-terminal.h"
#include "top-view.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define REFRESH_US G_TIME_SPAN_SECOND
/* How often to check for answers. */
#define COLLECT_US (2 * G_TIME_SPAN_MILLISECOND)

/* The number of lines from which one is spent on the keys, or on a title or an
 * empty line. */
#define LINES_FOR_KEYS 8
#define LINES_FOR_TITLE 12
#define LINES_FOR_SPACE 22
#define QUEUES_MIN 3

/* Keys for which curses has no names; and bytes that may be typed. */
#define ESCAPE 27
#define DELETE 127
#define FILTER_MAX 64

typedef struct
{
  FmStatusPages *pages;
  gint64 pid;
  gboolean utf8;
  GPtrArray *programs; /* FmProgram */
  GPtrArray *shown;    /* those of them that pass the filter, in order */
  GString *filter;     /* empty: all */
  gboolean typing;     /* keys are typed into the filter */
  gchar *chosen;       /* id of one; NULL: the first */
  FmOrder order;
  guint above;  /* lines about the chosen one that have scrolled out of sight */
  guint hidden; /* the most that there can be */
  guint page;   /* by how many lines a key scrolls */
  gboolean help;
  gboolean asking;
  gboolean known; /* the first answers are in: we know which programs exist */
  int error;      /* of the last scan */
  gint64 next;    /* time of the next refresh */
  gboolean over;  /* a key or the terminal has ended the view */
  sigset_t taken; /* the signals */
  sigset_t awake; /* the mask that lets them in */
} Screen;

/* What the signals said: that it is over, and which was first; and that the
 * terminal has a new size. */
static volatile sig_atomic_t ended_by;
static volatile sig_atomic_t resized;

static gboolean
is_over (const Screen *screen)
{
  return screen->over || ended_by != 0;
}

/* FALSE, and the first, if the chosen one has ended, or none was chosen. */
static gboolean
find_chosen (Screen *screen, guint *ret_index)
{
  *ret_index = 0;
  for (guint i = 0; screen->chosen && i < screen->shown->len; i++) {
    const FmProgram *program = g_ptr_array_index (screen->shown, i);

    if (g_str_equal (program->id, screen->chosen)) {
      *ret_index = i;
      return TRUE;
    }
  }
  return FALSE;
}

static void
choose (Screen *screen, guint index)
{
  const FmProgram *program;

  if (screen->shown->len == 0)
    return;
  program =
      g_ptr_array_index (screen->shown, MIN (index, screen->shown->len - 1));
  if (g_strcmp0 (program->id, screen->chosen) == 0)
    return;
  g_free (screen->chosen);
  screen->chosen = g_strdup (program->id);
  screen->above = 0;
}

/* Draws line @i of @sheet at @y. */
static void
draw_line (FmSheet *sheet, guint i, int y)
{
  const GArray *line = g_ptr_array_index (sheet->lines, i);

  move (y, 0);
  for (guint j = 0; j < line->len; j++) {
    const FmSpan *span = &g_array_index (line, FmSpan, j);

    attrset (fm_terminal_attribute (span->style));
    addstr (span->text);
  }
  attrset (A_NORMAL);
}

/* The first @fixed lines stay; of the others, @above are left out at the
 * top. */
static void
draw_sheet (FmSheet *sheet, guint rows, guint fixed, guint above)
{
  for (guint y = 0; y < rows; y++) {
    guint i = y < fixed ? y : y + above;

    if (i < fm_sheet_length (sheet))
      draw_line (sheet, i, y);
  }
}

/* Those for which there is room, beginning with what is out of sight. */
static void
draw_keys (Screen *screen, guint above, guint below)
{
  g_autoptr (FmSheet) sheet = fm_sheet_new (COLS, screen->utf8);
  g_autofree gchar *up = g_strdup_printf ("  PgUp %u more above", above);
  g_autofree gchar *down = g_strdup_printf ("  PgDn %u more below", below);
  g_autofree gchar *typed = fm_tame (screen->filter->str, screen->utf8);
  g_autofree gchar *filter =
      g_strconcat (screen->typing ? "filter: " : "  / ", typed, NULL);
  gboolean filtered = screen->filter->len > 0;
  gboolean several = screen->shown->len > 1;
  const struct
  {
    gboolean wanted;
    const gchar *text;
  } pieces[] = {
      {screen->typing, filter},
      {screen->typing, "  Enter keep  Esc all"},
      {!screen->typing, "q quit  h help"},
      {!screen->typing && filtered, filter},
      {below > 0, down},
      {above > 0, up},
      {several, "  up/down choose"},
      {several && !screen->typing, "  s sort"},
      {several && !screen->typing && !filtered, "  / filter"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (pieces); i++) {
    if (pieces[i].wanted
        && (i == 0 || fm_columns (pieces[i].text) <= fm_sheet_room (sheet)))
      fm_sheet_put (sheet, FM_STYLE_FAINT, pieces[i].text);
  }
  draw_line (sheet, 0, LINES - 1);
}

/* Returns how many lines the list has. */
static guint
write_programs (Screen *screen, FmSheet *sheet, guint rows)
{
  guint list = MIN (screen->shown->len, MAX (rows / 4, 1));
  guint used, chosen, fixed;

  find_chosen (screen, &chosen);
  fm_view_list (sheet, screen->shown, screen->order, chosen, list);
  if (rows >= LINES_FOR_SPACE)
    fm_sheet_end_line (sheet);
  fixed = fm_sheet_length (sheet);
  /* Everything other than queues and elements takes about as many. */
  used = fixed + 16;
  fm_view_program (sheet, g_ptr_array_index (screen->shown, chosen),
      rows >= LINES_FOR_TITLE, MAX ((rows - MIN (rows, used)) / 2, QUEUES_MIN));
  return fixed;
}

static void
write_nobody (Screen *screen, FmSheet *sheet)
{
  g_autofree gchar *obstacle =
      fm_status_pages_obstacle (screen->pages, screen->error);

  if (screen->programs->len > 0)
    fm_view_none_matches (sheet, screen->filter->str);
  else
    fm_view_nobody (sheet, screen->pid, obstacle);
}

static void
draw (Screen *screen)
{
  gboolean with_keys = LINES >= LINES_FOR_KEYS || screen->typing;
  guint rows = with_keys ? LINES - 1 : LINES;
  g_autoptr (FmSheet) sheet = fm_sheet_new (COLS, screen->utf8);
  guint fixed = 0, above = 0, hidden;

  if (screen->help)
    fm_view_help (sheet);
  else if (screen->shown->len == 0)
    write_nobody (screen, sheet);
  else
    fixed = write_programs (screen, sheet, rows);
  hidden = fm_sheet_length (sheet) - MIN (fm_sheet_length (sheet), rows);
  if (fixed > 0) {
    above = screen->above = MIN (screen->above, hidden);
    screen->hidden = hidden;
    /* The last line of a page becomes the first of the next one. */
    screen->page = MAX (rows, fixed + 2) - fixed - 1;
  }
  erase ();
  draw_sheet (sheet, rows, fixed, above);
  if (with_keys)
    draw_keys (screen, above, hidden - above);
  refresh ();
}

/* The terminal may also have changed its size while we were stopped. */
static void
fit_terminal (void)
{
  struct winsize size;

  if (ioctl (STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0
      && size.ws_col > 0 && is_term_resized (size.ws_row, size.ws_col))
    resizeterm (size.ws_row, size.ws_col);
}

/* ---- what keys do, each with a number ---- */

static void
quit (Screen *screen, gint by)
{
  screen->over = TRUE;
}

static void
help (Screen *screen, gint by)
{
  screen->help = TRUE;
}

static void
step (Screen *screen, gint by)
{
  guint chosen;

  find_chosen (screen, &chosen);
  choose (screen, MAX ((gint) chosen + by, 0));
}

/* Wraps around from the last to the first. */
static void
turn (Screen *screen, gint by)
{
  guint n = MAX (screen->shown->len, 1);
  guint chosen;

  find_chosen (screen, &chosen);
  choose (screen, (chosen + n + by) % n);
}

static void
scroll_lines (Screen *screen, gint by)
{
  gint above = (gint) screen->above + by * (gint) screen->page;

  screen->above = CLAMP (above, 0, (gint) screen->hidden);
}

/* The chosen one stays chosen if it is still there; otherwise the one at @place
 * is. */
static void
refilter (Screen *screen, guint place)
{
  guint chosen;

  g_ptr_array_set_size (screen->shown, 0);
  for (guint i = 0; i < screen->programs->len; i++) {
    FmProgram *program = g_ptr_array_index (screen->programs, i);

    if (fm_program_matches (program, screen->filter->str))
      g_ptr_array_add (screen->shown, program);
  }
  fm_order_sort (screen->shown, screen->order);
  if (!find_chosen (screen, &chosen))
    choose (screen, place);
}

static void
change_order (Screen *screen, gint by)
{
  screen->order = (screen->order + by) % FM_N_ORDERS;
  fm_order_sort (screen->shown, screen->order);
}

static void
start_typing (Screen *screen, gint by)
{
  screen->typing = TRUE;
}

static void
rub_out (GString *text)
{
  const gchar *last = g_utf8_find_prev_char (text->str, text->str + text->len);

  g_string_truncate (text, last != NULL ? (gsize) (last - text->str) : 0);
}

/* FALSE for a key that is not the filter's, such as up and down. */
static gboolean
type_key (Screen *screen, int key)
{
  GString *filter = screen->filter;

  switch (key) {
    case '\n':
    case '\r':
    case KEY_ENTER:
      screen->typing = FALSE;
      return TRUE;
    case ESCAPE:
      screen->typing = FALSE;
      g_string_truncate (filter, 0);
      break;
    case '\b':
    case DELETE:
    case KEY_BACKSPACE:
      rub_out (filter);
      break;
    default:
      if (key < ' ' || key > 0xff || filter->len >= FILTER_MAX)
        return key < KEY_MIN;
      g_string_append_c (filter, (gchar) key);
      break;
  }
  refilter (screen, 0);
  return TRUE;
}

static const struct
{
  int key;
  void (*act) (Screen *screen, gint by);
  gint by;
} keys[] = {
    {'q', quit, 0},
    {'Q', quit, 0},
    {'h', help, 0},
    {'H', help, 0},
    {'?', help, 0},
    {KEY_UP, step, -1},
    {'k', step, -1},
    {KEY_DOWN, step, 1},
    {'j', step, 1},
    {'\t', turn, 1},
    {KEY_BTAB, turn, -1},
    {KEY_PPAGE, scroll_lines, -1},
    {KEY_NPAGE, scroll_lines, 1},
    {'s', change_order, 1},
    {'S', change_order, 1},
    {'/', start_typing, 0},
};

static void
handle_key (Screen *screen, int key)
{
  guint i = 0;

  /* Not a key, but the notice that resizeterm() has been called. */
  if (key == KEY_RESIZE || (screen->typing && type_key (screen, key)))
    return;
  while (i < G_N_ELEMENTS (keys) && keys[i].key != key)
    i++;
  /* All keys but this one only leave the help. */
  if (screen->help && (i == G_N_ELEMENTS (keys) || keys[i].act != quit))
    screen->help = FALSE;
  else if (i < G_N_ELEMENTS (keys))
    keys[i].act (screen, keys[i].by);
}

/* A refresh is a question and, when all answers are in, a new view. */
static void
advance (Screen *screen)
{
  gint64 now = g_get_monotonic_time ();

  if (!screen->asking && now >= screen->next) {
    screen->error = fm_status_pages_scan (screen->pages);
    fm_status_pages_ask (screen->pages);
    screen->asking = TRUE;
    screen->next = now + REFRESH_US;
  }
  if (screen->asking && fm_status_pages_collect (screen->pages)) {
    guint place;

    find_chosen (screen, &place);
    screen->asking = FALSE;
    screen->known = TRUE;
    fm_programs_update (
        screen->programs, fm_status_pages_list (screen->pages), screen->pid);
    /* A program that has ended leaves its place to the next. */
    refilter (screen, place);
    fit_terminal ();
    draw (screen);
  }
}

static void
wait_for_something (Screen *screen)
{
  struct pollfd keyboard = {.fd = STDIN_FILENO, .events = POLLIN};
  gint64 left = screen->next - g_get_monotonic_time ();
  struct timespec timeout = {.tv_nsec = 1000
          * (screen->asking ? COLLECT_US : CLAMP (left, 0, REFRESH_US - 1))};
  int n = 0, key;

  /* A signal that comes after the notes were checked must end the sleep. */
  sigprocmask (SIG_BLOCK, &screen->taken, NULL);
  if (ended_by == 0 && !resized)
    n = ppoll (&keyboard, 1, &timeout, &screen->awake);
  sigprocmask (SIG_SETMASK, &screen->awake, NULL);
  if (n <= 0 && !resized)
    return;
  resized = FALSE;
  if (keyboard.revents & (POLLHUP | POLLERR | POLLNVAL))
    screen->over = TRUE;
  while (!is_over (screen) && (keyboard.revents & POLLIN)
      && (key = getch ()) != ERR)
    handle_key (screen, key);
  if (!is_over (screen) && screen->known) {
    fit_terminal ();
    draw (screen);
  }
}

static void
note_signal (int number)
{
  if (number == SIGWINCH) {
    resized = TRUE;
    return;
  }
  if (ended_by == 0)
    ended_by = number;
  fm_terminal_let_go ();
}

/* From now on the signals that end us, and those that announce a new size, are
 * noted; for the time being they are blocked as well. Curses handles some of
 * them itself, but leaves alone those that have a handler. */
static void
take_signals (Screen *screen, sigset_t *ret_before)
{
  static const int numbers[] = {
      SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGWINCH};
  struct sigaction noted = {.sa_handler = note_signal, .sa_flags = SA_RESTART};

  sigemptyset (&screen->taken);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    struct sigaction action;

    if (sigaction (numbers[i], NULL, &action) == 0
        && action.sa_handler != SIG_IGN)
      sigaddset (&screen->taken, numbers[i]);
  }
  sigprocmask (SIG_BLOCK, &screen->taken, ret_before);
  screen->awake = *ret_before;
  noted.sa_mask = screen->taken;
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    if (!sigismember (&screen->taken, numbers[i]))
      continue;
    sigdelset (&screen->awake, numbers[i]);
    sigaction (numbers[i], &noted, NULL);
  }
}

/* A signal that has come in the meantime ends us here. */
static void
give_signals_back (const Screen *screen, const sigset_t *before)
{
  for (int number = 1; number < NSIG; number++) {
    if (sigismember (&screen->taken, number) == 1)
      signal (number, SIG_DFL);
  }
  sigprocmask (SIG_SETMASK, before, NULL);
}

/* FALSE if a signal came first. */
static gboolean
wait_for_terminal (const Screen *screen)
{
  struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};

  /* A new size ends the sleep as well. */
  while (ended_by == 0 && ppoll (&output, 1, NULL, &screen->awake) <= 0)
    continue;
  return ended_by == 0;
}

static void
run (Screen *screen)
{
  screen->programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  screen->shown = g_ptr_array_new ();
  screen->filter = g_string_new (NULL);
  sigprocmask (SIG_SETMASK, &screen->awake, NULL);
  while (!is_over (screen)) {
    advance (screen);
    wait_for_something (screen);
  }
  sigprocmask (SIG_BLOCK, &screen->taken, NULL);
  g_ptr_array_unref (screen->shown);
  g_ptr_array_unref (screen->programs);
  g_string_free (screen->filter, TRUE);
  g_free (screen->chosen);
}

int
fm_screen_run (FmStatusPages *pages, gint64 pid, gboolean utf8)
{
  sigset_t before;
  Screen screen = {.pages = pages, .pid = pid, .utf8 = utf8};
  gboolean opened;

  take_signals (&screen, &before);
  opened = wait_for_terminal (&screen) && fm_terminal_open ();
  if (opened) {
    run (&screen);
    fm_terminal_close ();
  }
  give_signals_back (&screen, &before);
  return opened || ended_by != 0 ? ended_by : -1;
}
