/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-child.c: runs a check in a child that can hang or crash without harm.
 *
 * The child leads a process group, so that whatever it starts ends with it; it
 * ends itself when its parent ends. A child that not even SIGKILL ends at once
 * (it waits for a disk that does not answer) is left behind after a second.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAUSE (G_USEC_PER_SEC / 100)

static void G_GNUC_NORETURN
be_child (DoctorCheck check, const Doctor *doctor, int fd)
{
  int null = open ("/dev/null", O_RDWR | O_CLOEXEC);

  setpgid (0, 0);
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  dup2 (null, STDIN_FILENO);
  dup2 (null, STDOUT_FILENO);
  dup2 (null, STDERR_FILENO);
  doctor_say_to (fd);
  check (doctor);
  _exit (0);
}

/* Prints whole lines and removes them from @text. */
static void
hear_lines (GString *text, DoctorCounts *counts)
{
  gchar *end;

  while ((end = strchr (text->str, '\n')) != NULL) {
    *end = '\0';
    doctor_hear (text->str, counts);
    g_string_erase (text, 0, end - text->str + 1);
  }
}

/* Listens until the child has closed its end. FALSE when that takes too
 * long. */
static gboolean
listen_to (int fd, gint64 deadline, DoctorCounts *counts)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (;;) {
    gint64 left = deadline - g_get_monotonic_time ();
    struct pollfd ready = {fd, POLLIN, 0};
    gchar part[4096];
    gssize n;

    if (left <= 0)
      return FALSE;
    if (poll (&ready, 1, (int) (left / 1000) + 1) <= 0)
      continue;
    n = read (fd, part, sizeof part);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return TRUE;
    g_string_append_len (text, part, n);
    hear_lines (text, counts);
  }
}

/* FALSE if the child has not ended by then. */
static gboolean
wait_until (pid_t pid, gint64 deadline, int *ret_status)
{
  for (;;) {
    pid_t ended = waitpid (pid, ret_status, WNOHANG);

    if (ended == pid)
      return TRUE;
    if (ended < 0 && errno != EINTR)
      return FALSE;
    if (g_get_monotonic_time () >= deadline)
      return FALSE;
    g_usleep (PAUSE);
  }
}

/* A line of the parent's own. */
static void
hear_problem (const gchar *subject, const gchar *text, const gchar *fix,
    DoctorCounts *counts)
{
  g_autofree gchar *line =
      g_strdup_printf ("%d\t%s\t%s\t%s", DOCTOR_PROBLEM, subject, text, fix);

  doctor_hear (line, counts);
}

static void
judge_end (const gchar *subject, int status, DoctorCounts *counts)
{
  const gchar *fix = DOCTOR_BUG;
  g_autofree gchar *text = NULL;

  if (WIFSIGNALED (status)) {
    text = g_strdup_printf ("the check was ended by signal %d (%s)",
        WTERMSIG (status), strsignal (WTERMSIG (status)));
    if (WTERMSIG (status) == SIGSYS)
      fix = "allow the system calls of filemem in the seccomp profile";
    hear_problem (subject, text, fix, counts);
  } else if (WEXITSTATUS (status) != 0) {
    text = g_strdup_printf (
        "the check ended with status %d", WEXITSTATUS (status));
    hear_problem (subject, text, fix, counts);
  }
}

void
doctor_run_check (const gchar *subject, DoctorCheck check, guint seconds,
    const gchar *slow, const Doctor *doctor, DoctorCounts *counts)
{
  gint64 deadline = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  g_autofree gchar *text = NULL;
  int ends[2], status = 0;
  pid_t pid = -1;

  fflush (NULL);
  if (pipe2 (ends, O_CLOEXEC) == 0) {
    pid = fork ();
    if (pid == 0)
      be_child (check, doctor, ends[1]);
    close (ends[1]);
  }
  if (pid < 0) {
    text = g_strdup_printf ("can't be checked: %s", g_strerror (errno));
    hear_problem (subject, text, "raise ulimit -u and ulimit -n", counts);
    return;
  }

  if (listen_to (ends[0], deadline, counts)
      && wait_until (pid, deadline, &status)) {
    judge_end (subject, status, counts);
  } else {
    /* The child may not have got as far as setpgid() yet. */
    kill (pid, SIGKILL);
    kill (-pid, SIGKILL);
    (void) wait_until (pid, g_get_monotonic_time () + G_USEC_PER_SEC, &status);
    text = g_strdup_printf ("no answer within %u seconds", seconds);
    hear_problem (subject, text, slow, counts);
  }
  close (ends[0]);
}
