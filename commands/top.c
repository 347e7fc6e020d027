/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top.c: gst-filemem top: parses its command line, and starts the view that is
 * wanted.
 */
#include "status-page-layout.h"
#include "status-page-reader.h"
#include "top-screen.h"
#include "top-text.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRONG_USE 2

typedef struct
{
  gint64 pid; /* 0: all programs */
  gboolean once;
  gboolean json;
  gboolean openmetrics;
} Arguments;

static int G_GNUC_PRINTF (1, 2) complain (const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list values;

  va_start (values, format);
  text = g_strdup_vprintf (format, values);
  va_end (values);
  fprintf (stderr, "gst-filemem top: %s\n", text);
  return WRONG_USE;
}

/* A page is opened for writing. If one of the standard descriptors is closed,
 * the page would get its number, and output would go into the page. The
 * descriptors that stand in are opened for the wrong direction, so that using
 * them is an error as before. */
static gboolean
keep_standard_descriptors (void)
{
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl (fd, F_GETFD) < 0
        && open ("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      return FALSE;
  }
  return TRUE;
}

/* FALSE after a message. */
static gboolean
read_arguments (int argc, char **argv, Arguments *ret_arguments)
{
  GOptionEntry entries[] = {
      {"once", 0, 0, G_OPTION_ARG_NONE, &ret_arguments->once,
          "print the view once; rates are measured over a second", NULL},
      {"json", 0, 0, G_OPTION_ARG_NONE, &ret_arguments->json,
          "print once, as JSON, all that the programs tell", NULL},
      {"openmetrics", 0, 0, G_OPTION_ARG_NONE, &ret_arguments->openmetrics,
          "print once, as OpenMetrics text, their figures and their queues'",
          NULL},
      {NULL},
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[PID]");
  g_autoptr (GError) error = NULL;
  guint64 pid;

  g_option_context_set_summary (context,
      "Shows the running programs that use filemem, and all about one of "
      "them.");
  g_option_context_set_description (context,
      "Keys: up, down and tab choose a program, page up and page down scroll, "
      "s\n"
      "sorts, / filters, h explains, q quits.\n"
      "\n"
      "Exit status: 0; with PID or an option 1 if there is no such program;\n"
      "2 if the command line is wrong, not a terminal, or something can't "
      "be\nread or written.\n");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    complain ("%s; try: gst-filemem top --help", error->message);
    return FALSE;
  }
  if (ret_arguments->json && ret_arguments->openmetrics) {
    complain ("--json or --openmetrics, not both; try: gst-filemem top --help");
    return FALSE;
  }
  if (argc > 2) {
    complain ("one PID at most; try: gst-filemem top --help");
    return FALSE;
  }
  if (argc == 2) {
    if (!g_ascii_string_to_unsigned (argv[1], 10, 1, G_MAXINT32, &pid, NULL)) {
      complain ("%s: not the number of a process", argv[1]);
      return FALSE;
    }
    ret_arguments->pid = pid;
  }
  return TRUE;
}

static gboolean
has_program (FmStatusPages *pages, gint64 pid)
{
  const GPtrArray *list = fm_status_pages_list (pages);

  for (guint i = 0; i < list->len; i++) {
    if (((const FmProgramPage *) g_ptr_array_index (list, i))->pid == pid)
      return TRUE;
  }
  return FALSE;
}

static int
show_screen (FmStatusPages *pages, gint64 pid, gboolean utf8)
{
  int error, end;

  if (!isatty (STDIN_FILENO) || !isatty (STDOUT_FILENO))
    return complain ("not a terminal; try: gst-filemem top --once");
  error = fm_status_pages_scan (pages);
  if (error != 0 || (pid != 0 && !has_program (pages, pid)))
    return fm_text_say_nobody (pages, error, pid);
  end = fm_screen_run (pages, pid, utf8);
  if (end < 0)
    return complain (
        "this terminal can't show it (TERM); try: gst-filemem top --once");
  /* Any process that waits for us must see that it was the signal. */
  if (end > 0)
    raise (end);
  return 0;
}

int
main (int argc, char **argv)
{
  const gchar *runtime = g_getenv ("XDG_RUNTIME_DIR");
  Arguments arguments = {0};
  g_autoptr (FmStatusPages) pages = NULL;
  g_autofree gchar *directory = NULL;
  struct stat status = {0};
  gboolean utf8;

  if (!keep_standard_descriptors ())
    return WRONG_USE;
  /* Not numbers: they are English, like the words around them. */
  setlocale (LC_CTYPE, "");
  utf8 = strcmp (nl_langinfo (CODESET), "UTF-8") == 0;
  g_set_prgname ("gst-filemem top");
  if (!read_arguments (argc, argv, &arguments))
    return WRONG_USE;

  if (!runtime || *runtime == '\0') {
    complain ("XDG_RUNTIME_DIR is not set: there is nothing to show");
    return 1;
  }
  if (stat (runtime, &status) != 0 && errno != ENOENT && errno != ENOTDIR)
    return complain (
        "can't read XDG_RUNTIME_DIR (%s): %s", runtime, g_strerror (errno));
  if (!S_ISDIR (status.st_mode)) {
    complain (
        "XDG_RUNTIME_DIR (%s) is not a directory: there is nothing to show",
        runtime);
    return 1;
  }
  directory = g_build_filename (runtime, FM_STATUS_PAGE_DIRECTORY, NULL);
  pages = fm_status_pages_new (directory);
  if (arguments.json)
    return fm_text_print_json (pages, arguments.pid);
  if (arguments.openmetrics)
    return fm_text_print_metrics (pages, arguments.pid);
  if (arguments.once)
    return fm_text_print (pages, arguments.pid, utf8);
  return show_screen (pages, arguments.pid, utf8);
}
