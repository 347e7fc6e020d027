/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor.h: what the checks of gst-filemem-doctor share.
 *
 * A check is a function that says lines. doctor_run_check() runs it in a child
 * with a time limit, so whatever a broken plugin, a dead network disk or a
 * seccomp filter does to it ends up as one more line. So a check passes nothing
 * to the next one but what it says.
 *
 * This code has no threads of its own; checks that start threads end them.
 */
#ifndef FM_DOCTOR_H
#define FM_DOCTOR_H

#include "options.h"

#include <sys/types.h>

G_BEGIN_DECLS

#define DOCTOR_SHIM "libgstfilemem-inject.so"
#define DOCTOR_WHITELIST "GST_PLUGIN_LOADING_WHITELIST"
#define DOCTOR_BUILD                                                      \
  "build filemem (meson setup build && meson compile -C build), install " \
  "it, or set GST_FILEMEM_BUILD to its build directory"

#define DOCTOR_BUG "report it as a bug, with all of this output"

typedef enum { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_PROBLEM } DoctorLevel;

typedef struct
{
  const gchar *plugin; /* absolute path; NULL if it was not found */
  const gchar *shim;
  const gchar *dir; /* of the command line, or NULL */
} Doctor;

/* Receives a line; @fix is empty where all is well. */
typedef void (*DoctorTake) (DoctorLevel level, const gchar *subject,
    const gchar *text, const gchar *fix, gpointer data);

typedef struct
{
  guint n[DOCTOR_PROBLEM + 1]; /* lines of each level */
  DoctorTake take;             /* NULL: lines are printed, for people */
  gpointer data;
} DoctorCounts;

/* ---- doctor-say.c ---- */

/* Says one line. @fix, in one line, is what to do about it. */
void doctor_ok (const gchar *subject, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);
void doctor_note (const gchar *subject, const gchar *fix, const gchar *format,
    ...) G_GNUC_PRINTF (3, 4);
void doctor_problem (const gchar *subject, const gchar *fix,
    const gchar *format, ...) G_GNUC_PRINTF (3, 4);

/* From now on lines go to @fd, for doctor_hear(), and are not printed for
 * people. */
void doctor_say_to (int fd);

/* Passes on a line that another process said, and counts it. */
void doctor_hear (const gchar *line, DoctorCounts *counts);

const gchar *doctor_level_name (DoctorLevel level);

/* @text in printable ASCII. */
gchar *doctor_ascii (const gchar *text);

/* @text as one word of the shell's, in printable ASCII, so that pasting it
 * gives what was meant. */
gchar *doctor_shell_quote (const gchar *text);

/* fm_size_text() in printable ASCII. */
gchar *doctor_size (guint64 bytes);

/* ---- doctor-child.c ---- */

typedef void (*DoctorCheck) (const Doctor *doctor);

/* Runs @check in a child for at most @seconds. If it takes longer, that is a
 * problem of @subject, with @slow as its fix. */
void doctor_run_check (const gchar *subject, DoctorCheck check, guint seconds,
    const gchar *slow, const Doctor *doctor, DoctorCounts *counts);

/* ---- doctor-json.c ---- */

/* Lets @run say everything, and prints it as one object. Returns how many
 * problems there are. */
guint doctor_say_json (const Doctor *doctor,
    void (*run) (const Doctor *doctor, DoctorCounts *counts));

/* ---- doctor-probe.c ---- */

typedef struct
{
  gboolean ended;   /* it ran to its end */
  gboolean tracer;  /* there is a tracer named filemem */
  gchar *plugin;    /* the file that it is from, or NULL */
  gchar *version;   /* and its version */
  gchar *allocator; /* type of the default allocator */
  gchar *memory;    /* type of a buffer's memory */
  gchar *error;     /* what went wrong, for people; never NULL */
} DoctorProbe;

/* Starts GStreamer in a program of its own with @environment, then loads the
 * plugin file @load there, if that is not NULL. Takes @environment. */
void doctor_probe (gchar **environment, const gchar *load, DoctorProbe *ret);
void doctor_probe_clear (DoctorProbe *probe);

/* What to do about its error: @otherwise, unless the error comes from a limit
 * of this process. */
gchar *doctor_probe_fix (const DoctorProbe *probe, const gchar *otherwise);

/* The main function of that program. */
int doctor_probe_main (const gchar *load);

/* The user's environment, except that nothing of filemem's prints a report, and
 * no option keeps filemem out of this program or of its one buffer. */
gchar **doctor_environment (const Doctor *doctor);

/* The same, but nothing brings filemem in. */
gchar **doctor_plain_environment (const Doctor *doctor);

/* The same without GStreamer's list of plugins: only what is loaded by its path
 * is loaded. */
gchar **doctor_without_registry (gchar **environment);

gboolean doctor_preloads_shim (void);

/* ---- doctor-tracers.c ---- */

/* GST_TRACERS as filemem's user must have meant it, or NULL if @tracers already
 * says that, or does not mention filemem. */
gchar *doctor_tracers_mend (const gchar *tracers);

/* Whether a parameter of filemem in it contains a character that ends the
 * parameters. */
gboolean doctor_tracers_cut_short (const gchar *tracers);

/* ---- doctor-options.c ---- */

/* The options that a program in this environment would get, --dir included. */
void doctor_take_options (const Doctor *doctor, FmOptions *options);

/* Whether the parameters that filemem gets, which may be NULL, have an
 * `exe`. */
gboolean doctor_params_have_exe (const gchar *params);

/* ---- doctor-limits.c ---- */

typedef enum {
  DOCTOR_ADDRESSES = 1 << 0,
  DOCTOR_DATA = 1 << 1,
  DOCTOR_FILE_SIZE = 1 << 2
} DoctorLimits;

/* RLIM_INFINITY if there is none. */
guint64 doctor_limit (int resource);

/* The shell commands that lift those of @limits that are set; NULL if none
 * are. */
gchar *doctor_lift (guint limits);

/* ---- the checks ---- */

void doctor_check_plugin (const Doctor *doctor); /* doctor-gstreamer.c */
void doctor_check_shim (const Doctor *doctor);
void doctor_check_tracers (const Doctor *doctor);
void doctor_check_registry (const Doctor *doctor); /* doctor-registry.c */
void doctor_check_search (const Doctor *doctor);
void doctor_check_options (const Doctor *doctor);   /* doctor-options.c */
void doctor_check_directory (const Doctor *doctor); /* doctor-directory.c */
void doctor_check_speed (const Doctor *doctor);     /* doctor-speed.c */
void doctor_check_choice (const Doctor *doctor);    /* doctor-choice.c */
void doctor_check_limits (const Doctor *doctor);    /* doctor-limits.c */
void doctor_check_kernel (const Doctor *doctor);    /* doctor-kernel.c */
void doctor_check_calls (const Doctor *doctor);     /* doctor-calls.c */

G_END_DECLS
#endif
