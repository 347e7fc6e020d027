/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-child.c: tests that a check of gst-filemem-doctor may do what it
 * likes: crash, hang, start others that hang, say a lot.
 */
#include "../../commands/doctor.h"
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MANY 20000
#define ODD "\303\244 b'c\\d\n"

/* Of a check, and of what it started; shared with the child. */
static _Atomic pid_t *pids;

static gchar *
run (DoctorCheck check, guint seconds, DoctorCounts *counts)
{
  Doctor doctor = {0};
  FILE *said = tmpfile ();
  int before = dup (STDOUT_FILENO);
  gchar *text;
  long length;

  assert_non_null (said);
  memset (counts, 0, sizeof *counts);
  fflush (stdout);
  dup2 (fileno (said), STDOUT_FILENO);
  doctor_run_check ("subject", check, seconds, "the fix", &doctor, counts);
  fflush (stdout);
  dup2 (before, STDOUT_FILENO);
  close (before);

  length = lseek (fileno (said), 0, SEEK_END);
  text = g_malloc0 ((gsize) length + 1);
  assert_int_equal (pread (fileno (said), text, (gsize) length, 0), length);
  fclose (said);
  return text;
}

static void
assert_has (const gchar *text, const gchar *part)
{
  if (strstr (text, part) == NULL)
    fail_msg ("no \"%s\" in:\n%s", part, text);
}

static void
assert_is_gone (pid_t pid)
{
  g_autofree gchar *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree gchar *text = NULL;

  assert_true (pid > 0);
  if (g_file_get_contents (path, &text, NULL, NULL))
    assert_has (strrchr (text, ')'), ") Z");
}

static void
say_all (const Doctor *doctor)
{
  printf ("not for people\n");
  doctor_ok ("one", "%d%%", 100);
  doctor_note ("two", "do\tthis", "a\nb\033\303\244");
  doctor_problem ("three", "do that", "4\302\240KiB");
}

static void
test_lines (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (say_all, 20, &counts);

  assert_int_equal (counts.n[DOCTOR_OK], 1);
  assert_int_equal (counts.n[DOCTOR_NOTE], 1);
  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_string_equal (text,
      "ok       one           100%\n"
      "note     two           a\\012b\\033\\303\\244\n"
      "                       fix: do\\011this\n"
      "problem  three         4 KiB\n"
      "                       fix: do that\n");
}

/* In a fix, a shell makes of it what it was. */
static void
say_quoted (const Doctor *doctor)
{
  g_autofree gchar *quoted = doctor_shell_quote (ODD);
  g_autofree gchar *fix = g_strconcat ("printf %s ", quoted, NULL);

  doctor_note ("one", fix, "text");
}

static void
test_quote (void **state)
{
  g_autofree gchar *plain = doctor_shell_quote ("/a b/c'd");
  g_autofree gchar *out = NULL;
  DoctorCounts counts;
  g_autofree gchar *text = run (say_quoted, 20, &counts);
  gchar *command = strstr (text, "printf");
  gchar *bash[] = {(gchar *) "bash", (gchar *) "-c", command, NULL};

  assert_string_equal (plain, "'/a b/c'\\''d'");
  assert_non_null (command);
  assert_true (g_spawn_sync (NULL, bash, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL,
      &out, NULL, NULL, NULL));
  assert_string_equal (out, ODD);
}

static void
say_much (const Doctor *doctor)
{
  guint i;

  for (i = 0; i < MANY; i++)
    doctor_ok ("one", "line %u", i);
}

static void
test_much (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (say_much, 60, &counts);

  assert_int_equal (counts.n[DOCTOR_OK], MANY);
  assert_has (text, "line 19999\n");
}

static void
crash (const Doctor *doctor)
{
  doctor_ok ("one", "before");
  abort ();
}

static void
test_crash (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (crash, 20, &counts);

  assert_int_equal (counts.n[DOCTOR_OK], 1);
  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_has (text, "problem  subject       the check was ended by signal 6");
  assert_has (text, "fix: report it");
}

/* As a seccomp filter ends it; cmocka would catch it. */
static void
be_forbidden (const Doctor *doctor)
{
  signal (SIGSYS, SIG_DFL);
  raise (SIGSYS);
}

static void
test_forbidden (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (be_forbidden, 20, &counts);

  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_has (text, "fix: allow the system calls of filemem");
}

static void
end_early (const Doctor *doctor)
{
  _exit (3);
}

static void
test_end_early (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (end_early, 20, &counts);

  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_has (text, "the check ended with status 3");
}

static void
hang (const Doctor *doctor)
{
  doctor_ok ("one", "before");
  pids[0] = getpid ();
  pids[1] = fork ();
  for (;;)
    pause ();
}

static void
test_hang (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (hang, 1, &counts);

  assert_int_equal (counts.n[DOCTOR_OK], 1);
  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_has (text, "problem  subject       no answer within 1 seconds");
  assert_has (text, "fix: the fix");
  assert_is_gone (pids[0]);
  /* Killed as well; the kernel may need a moment. */
  while (kill (pids[1], 0) == 0) {
    g_autofree gchar *path = g_strdup_printf ("/proc/%d/stat", (int) pids[1]);
    g_autofree gchar *stat = NULL;

    if (!g_file_get_contents (path, &stat, NULL, NULL)
        || strstr (strrchr (stat, ')'), ") Z") != NULL)
      break;
    g_usleep (1000);
  }
}

/* It says nothing more, and does not end. */
static void
close_and_hang (const Doctor *doctor)
{
  guint fd;

  for (fd = 3; fd < 64; fd++)
    close ((int) fd);
  for (;;)
    pause ();
}

static void
test_silent (void **state)
{
  DoctorCounts counts;
  g_autofree gchar *text = run (close_and_hang, 1, &counts);

  assert_int_equal (counts.n[DOCTOR_PROBLEM], 1);
  assert_has (text, "no answer within 1 seconds");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_lines),
      cmocka_unit_test (test_quote),
      cmocka_unit_test (test_much),
      cmocka_unit_test (test_crash),
      cmocka_unit_test (test_forbidden),
      cmocka_unit_test (test_end_early),
      cmocka_unit_test (test_hang),
      cmocka_unit_test (test_silent),
  };

  pids = mmap (
      NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return cmocka_run_group_tests (tests, NULL, NULL);
}
