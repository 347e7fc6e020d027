/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor.c: gst-filemem-doctor: checks whether everything that filemem needs is
 * here.
 *
 * `gst-filemem doctor` runs it, and passes the plugin and shim that it found.
 * The output is what a bug report needs: versions, then one line for each thing
 * that was checked, with a fix where it is not as it should be.
 *
 * Exit status: 0 if all is well, or there are only notes; 1 if there are
 * problems; 2 for wrong usage, or if the output can't be written.
 */
#include "doctor.h"

#include <fcntl.h>
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define SLOW_DISK                                         \
  "see whether the disk or network behind the directory " \
  "answers, or choose another: --dir, GST_FILEMEM_DIR"
#define SLOW_START                                            \
  "see whether GStreamer's own programs start; a plugin may " \
  "hang"

static const struct
{
  const gchar *subject;
  DoctorCheck check;
  guint seconds;
  const gchar *slow;
} checks[] = {
    {"plugin", doctor_check_plugin, 30, SLOW_START},
    {"shim", doctor_check_shim, 30, SLOW_START},
    {"registry", doctor_check_registry, 10, SLOW_DISK},
    /* This may be the first look at hundreds of plugins. */
    {"search", doctor_check_search, 60, SLOW_START},
    {"tracers", doctor_check_tracers, 60, SLOW_START},
    {"options", doctor_check_options, 10, DOCTOR_BUG},
    {"directory", doctor_check_directory, 10, SLOW_DISK},
    {"speed", doctor_check_speed, 15, SLOW_DISK},
    {"choice", doctor_check_choice, 10, SLOW_DISK},
    {"calls", doctor_check_calls, 15, SLOW_DISK},
    {"limits", doctor_check_limits, 10, DOCTOR_BUG},
    {"kernel", doctor_check_kernel, 10, DOCTOR_BUG},
};

static void
print_version (const gchar *name, const gchar *version)
{
  g_autofree gchar *plain = doctor_ascii (version);

  printf ("%-13s %s\n", name, plain);
}

static void
print_versions (void)
{
  g_autofree gchar *gst = NULL;
  g_autofree gchar *glib = NULL;
  g_autofree gchar *kernel = NULL;
  g_autofree gchar *distribution = g_get_os_info (G_OS_INFO_KEY_PRETTY_NAME);
  struct utsname name;
  guint major, minor, micro, nano;

  gst_version (&major, &minor, &micro, &nano);
  gst = g_strdup_printf ("%u.%u.%u, built with %d.%d.%d", major, minor, micro,
      GST_VERSION_MAJOR, GST_VERSION_MINOR, GST_VERSION_MICRO);
  glib = g_strdup_printf ("%u.%u.%u, built with %d.%d.%d", glib_major_version,
      glib_minor_version, glib_micro_version, GLIB_MAJOR_VERSION,
      GLIB_MINOR_VERSION, GLIB_MICRO_VERSION);
  if (uname (&name) == 0)
    kernel =
        g_strdup_printf ("%s %s %s", name.sysname, name.release, name.machine);
  print_version ("filemem", PACKAGE_VERSION);
  print_version ("GStreamer", gst);
  print_version ("GLib", glib);
  print_version ("kernel", kernel != NULL ? kernel : "unknown");
  print_version (
      "distribution", distribution != NULL ? distribution : "unknown");
  printf ("\n");
}

/* GStreamer rejects a plugin that was built with a later minor version. */
static void
check_version (const Doctor *doctor)
{
  guint major, minor, micro, nano;

  gst_version (&major, &minor, &micro, &nano);
  if (minor < GST_VERSION_MINOR)
    doctor_problem ("GStreamer",
        "build filemem with the GStreamer that programs use",
        "%u.%u is older than the %d.%d that filemem was built with", major,
        minor, GST_VERSION_MAJOR, GST_VERSION_MINOR);
}

static void
run_checks (const Doctor *doctor, DoctorCounts *counts)
{
  guint i;

  doctor_run_check ("GStreamer", check_version, 10, DOCTOR_BUG, doctor, counts);
  for (i = 0; i < G_N_ELEMENTS (checks); i++)
    doctor_run_check (checks[i].subject, checks[i].check, checks[i].seconds,
        checks[i].slow, doctor, counts);
}

/* Returns how many problems there are. */
static guint
say_text (const Doctor *doctor)
{
  DoctorCounts counts = {{0}};

  print_versions ();
  run_checks (doctor, &counts);
  printf ("\n%u problem%s, %u note%s\n", counts.n[DOCTOR_PROBLEM],
      counts.n[DOCTOR_PROBLEM] == 1 ? "" : "s", counts.n[DOCTOR_NOTE],
      counts.n[DOCTOR_NOTE] == 1 ? "" : "s");
  return counts.n[DOCTOR_PROBLEM];
}

static int
wrong_usage (const gchar *what)
{
  fprintf (
      stderr, "gst-filemem doctor: %s; try: gst-filemem doctor --help\n", what);
  return 2;
}

/* A pipe gets the lowest free descriptors. Those of standard input, output and
 * error must not be among them: the child of a check puts /dev/null there, and
 * what it says would be lost. */
static void
open_standard_files (void)
{
  int fd;

  do
    fd = open ("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0)
    close (fd);
}

/* @status, if everything that was printed has arrived. */
static int
end (int status)
{
  if (fflush (stdout) == 0 && !ferror (stdout))
    return status;
  fprintf (stderr, "gst-filemem doctor: the output can't be written\n");
  return 2;
}

int
main (int argc, char **argv)
{
  g_autofree gchar *dir = NULL;
  g_autofree gchar *plugin = NULL;
  g_autofree gchar *shim = NULL;
  g_autofree gchar *plugin_path = NULL;
  g_autofree gchar *shim_path = NULL;
  gboolean version = FALSE;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
      {"dir", 0, 0, G_OPTION_ARG_FILENAME, &dir,
          "directory to look at (default: GST_FILEMEM_DIR, or /var/tmp)",
          "DIR"},
      {"json", 0, 0, G_OPTION_ARG_NONE, &json,
          "print one JSON object, for programs", NULL},
      {"plugin", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &plugin,
          "the plugin's file", "FILE"},
      {"shim", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &shim,
          "the shim's file", "FILE"},
      {"version", 0, 0, G_OPTION_ARG_NONE, &version, "print the version", NULL},
      {NULL},
  };
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) error = NULL;
  Doctor doctor = {0};
  guint problems;

  if (argc >= 2 && strcmp (argv[1], "--probe") == 0)
    return doctor_probe_main (argv[2]);

  open_standard_files ();
  g_set_prgname ("gst-filemem doctor");
  context =
      g_option_context_new ("- looks for what keeps filemem from working");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_set_description (context,
      "Exit status: 0 all well, or notes only; 1 problems; 2 wrong usage, "
      "or the output can't be written.");
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return wrong_usage (error->message);
  if (argc > 1)
    return wrong_usage ("it takes options, and no arguments");
  if (dir != NULL && dir[0] == '\0')
    return wrong_usage ("--dir needs a value");
  if (version) {
    printf ("gst-filemem %s\n", PACKAGE_VERSION);
    return end (0);
  }

  doctor.dir = dir;
  doctor.plugin = plugin_path =
      plugin != NULL ? g_canonicalize_filename (plugin, NULL) : NULL;
  doctor.shim = shim_path =
      shim != NULL ? g_canonicalize_filename (shim, NULL) : NULL;
  problems = json ? doctor_say_json (&doctor, run_checks) : say_text (&doctor);
  return end (problems > 0 ? 1 : 0);
}
