/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * inject.c: the LD_PRELOAD shim. It gets the tracer `filemem` into programs
 * whose environment or plugin path is out of reach.
 *
 * g_getenv() is interposed. gst_init() asks it for GST_PLUGIN_FEATURE_RANK,
 * however the program came by GStreamer (linked, from Python, dlopened
 * RTLD_LOCAL), and at that moment GStreamer is initialised far enough to load a
 * plugin. So when libgstreamer itself asks, the shim loads the plugin by its
 * absolute path and has it make the tracer. gst_init() itself would be the
 * wrong place: it is only one of the ways to initialise GStreamer, and calls
 * inside libgstreamer cannot be interposed. In every other respect g_getenv()
 * does what GLib's does: getenv().
 *
 * Next GStreamer asks for GST_TRACERS, to make the tracers that are named
 * there, and gets an answer without `filemem`: from 1.28 on GStreamer switches
 * tracing on for each tracer that it makes, which every pad push of the program
 * would pay for. A GStreamer that is built without tracer hooks never asks for
 * it.
 *
 * A program may clear its environment before gst_init(). The constructor, which
 * runs before main(), therefore keeps copies of the GST_FILEMEM_* variables;
 * those that are gone when GStreamer asks become parameters of the tracer. They
 * are not put back with setenv(): other threads may be in getenv().
 *
 * A program may also set a default allocator of its own later. So
 * gst_allocator_set_default() is interposed as well, and asks the library
 * whether filemem's is to stay (the option on-replace). A program that looks
 * the function up in libgstreamer itself (Python does) is not caught.
 *
 * The functions by which a program pushes into appsrc are interposed in the
 * same way: the plugin decides what to push, and passes it to the real ones.
 *
 * Invariants: only the constructor writes `active`, `saved` and `self`. The
 * plugin is loaded at most once, by the first caller, which sets `plugin`,
 * `gstreamer` and `tracers`; a caller that asks before that has ended, which
 * includes the load itself, gets the old value and never waits. An answer, once
 * given, is never changed or freed. There is no lock.
 */
#include "../allocator/tracer-params.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <glib.h>

#define PREFIX "GST_FILEMEM_"
#define PLUGIN_VARIABLE PREFIX "PLUGIN"
#define PLUGIN_FILE "libgstfilemem.so"
#define LIBGSTREAMER "libgstreamer-1.0.so"
#define LIBGSTAPP "libgstapp-1.0.so"
#define TRACER "filemem"
#define TRACERS_VARIABLE "GST_TRACERS"
#define RANK_VARIABLE "GST_PLUGIN_FEATURE_RANK"

/* gst_plugin_load_file() and gst_allocator_set_default(), without GStreamer's
 * headers */
typedef void *(*LoadFile) (const gchar *filename, GError **error);
typedef void (*SetDefault) (void *allocator);

/* Of the plugin: makes the tracer. Of the library: whether it took the
 * allocator that a program wants as the default. */
typedef void (*MakeTracer) (const gchar *params);
typedef gboolean (*TakeReplacement) (void *allocator);

void gst_allocator_set_default (void *allocator);

/* returned if there is no such library after all */
#define GST_FLOW_ERROR (-5)

/* gst_app_src_push_buffer() and _buffer_list(), gst_app_src_push_sample() and
 * gst_app_src_end_of_stream(); and the plugin's functions that wrap them. */
typedef int (*Push) (void *appsrc, void *item);
typedef int (*EndOfStream) (void *appsrc);
typedef int (*PushBy) (void *appsrc, void *item, Push push);
typedef int (*EndBy) (void *appsrc, EndOfStream end);

int gst_app_src_push_buffer (void *appsrc, void *buffer);
int gst_app_src_push_buffer_list (void *appsrc, void *list);
int gst_app_src_push_sample (void *appsrc, void *sample);
int gst_app_src_end_of_stream (void *appsrc);

static bool active;
/* name, NUL, value, NUL, ..., NUL; NULL if there is nothing to keep */
static char *saved;
/* this file; absolute, because a program may change its directory */
static const char *self;
/* the plugin, and libgstreamer, once they are loaded */
static _Atomic (void *) plugin;
static _Atomic (void *) gstreamer;
/* GST_TRACERS for GStreamer, if filemem was in it */
static _Atomic (const char *) tracers;

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* True if NAME is one of the strings in LIST, which are separated by `:`. */
static bool
list_has (const char *list, const char *name)
{
  size_t length = strlen (name);

  while (list) {
    if (strcspn (list, ":") == length && strncmp (list, name, length) == 0)
      return true;
    list = strchr (list, ':');
    if (list)
      list++;
  }
  return false;
}

static bool
is_covered (void)
{
  const char *wanted = getenv (PREFIX "EXE");
  const char *name = program_invocation_short_name;
  char path[PATH_MAX];
  ssize_t length;

  if (getauxval (AT_SECURE))
    return false;

  length = readlink ("/proc/self/exe", path, sizeof (path) - 1);
  if (length > 0) {
    path[length] = '\0';
    name = base_name (path);
  }

  if (strcmp (name, "gst-plugin-scanner") == 0)
    return false;
  return !wanted || !*wanted || list_has (wanted, name);
}

static bool
is_kept (const char *variable)
{
  const char *value = strchr (variable, '=');

  return value && value[1] != '\0'
      && strncmp (variable, PREFIX, strlen (PREFIX)) == 0;
}

static char *
copy_variables (void)
{
  size_t size = 0;
  char *copy, *end;

  for (char **v = environ; v && *v; v++)
    if (is_kept (*v))
      size += strlen (*v) + 1;
  if (size == 0)
    return NULL;

  copy = end = malloc (size + 1);
  if (!copy)
    return NULL;
  for (char **v = environ; *v; v++) {
    if (!is_kept (*v))
      continue;
    strcpy (end, *v);
    *strchr (end, '=') = '\0';
    end += strlen (*v) + 1;
  }
  *end = '\0';
  return copy;
}

static const char *
get_variable (const char *wanted)
{
  const char *value = getenv (wanted);
  const char *name = saved;

  while (!value && name && *name) {
    const char *kept = name + strlen (name) + 1;

    if (strcmp (name, wanted) == 0)
      value = kept;
    name = kept + strlen (kept) + 1;
  }
  return value;
}

__attribute__ ((constructor)) static void
start (void)
{
  Dl_info info;

  if (!is_covered () || !dladdr (&active, &info))
    return;
  self = info.dli_fname;
  if (self[0] != '/')
    self = realpath (self, NULL);
  saved = copy_variables ();
  active = self != NULL;
}

static bool
try_plugin (char path[PATH_MAX], const char *dir, const char *below)
{
  int length = snprintf (path, PATH_MAX, "%s%s" PLUGIN_FILE, dir, below);

  return length < PATH_MAX && access (path, R_OK) == 0;
}

/* Writes the plugin's absolute path to PATH; false if there is none. */
static bool
find_plugin (char path[PATH_MAX])
{
  const char *wanted = get_variable (PLUGIN_VARIABLE);
  char shim[PATH_MAX];
  char *dir;

  if (wanted && *wanted) {
    snprintf (path, PATH_MAX, "%s", wanted);
    if (wanted[0] == '/')
      return true;
    fprintf (stderr,
        "filemem: " PLUGIN_VARIABLE "=%s: not an absolute path, nothing is "
        "loaded\n",
        wanted);
    return false;
  }

  /* Where both were installed, even if they were moved together; the build
   * tree; where the plugin was to be installed. */
  if (realpath (self, shim)) {
    dir = dirname (shim);
    if (try_plugin (path, dir, "/gstreamer-1.0/")
        || try_plugin (path, dirname (dir), "/tracer/"))
      return true;
  }
  if (try_plugin (path, PLUGINS_DIR, "/"))
    return true;
  fprintf (stderr,
      "filemem: " PLUGIN_FILE " is neither beside %s nor in " PLUGINS_DIR
      "; " PLUGIN_VARIABLE " can name it\n",
      self);
  return false;
}

/* LIBGSTREAMER is the file that asked. dlsym (RTLD_DEFAULT) would not find its
 * functions if the program loaded it RTLD_LOCAL. NULL on failure. */
static MakeTracer
load_plugin (const char *libgstreamer)
{
  char path[PATH_MAX];
  void *library, *handle, *loaded;
  LoadFile load_file;
  MakeTracer make_tracer;
  GError *error = NULL;

  if (!find_plugin (path))
    return NULL;

  /* GStreamer does this again, but its g_warning() about a library that cannot
   * be opened kills a program with fatal warnings. RTLD_NOW: a function that
   * this GStreamer lacks must be found missing here, not at its first call. */
  library = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf (stderr, "filemem: cannot load %s: %s\n", path, dlerror ());
    return NULL;
  }
  make_tracer = (MakeTracer) dlsym (library, "gst_file_mem_tracer_make");
  if (!make_tracer) {
    fprintf (
        stderr, "filemem: cannot load %s: it is of another version\n", path);
    return NULL;
  }

  handle = dlopen (libgstreamer, RTLD_NOLOAD | RTLD_LAZY);
  if (!handle) {
    fprintf (stderr, "filemem: cannot load %s: %s is out of reach\n", path,
        libgstreamer);
    return NULL;
  }
  load_file = (LoadFile) dlsym (handle, "gst_plugin_load_file");
  if (!load_file) {
    fprintf (stderr, "filemem: cannot load %s: %s has no plugins\n", path,
        libgstreamer);
    dlclose (handle);
    return NULL;
  }

  /* The plugin's reference is kept: the plugin stays for the life of the
   * program. */
  loaded = load_file (path, &error);
  if (!loaded)
    fprintf (stderr, "filemem: cannot load %s: %s\n", path,
        error ? error->message : "GStreamer gives no reason");
  atomic_store (&gstreamer, handle);
  atomic_store (&plugin, library);
  return loaded ? make_tracer : NULL;
}

/* Turns a character of a variable's name into that of the option's. */
static int
option_char (int c)
{
  if (c == '_')
    return '-';
  return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* Writes the variables that the program has removed. */
static void
put_removed (FILE *out)
{
  const char *name, *value;

  for (name = saved; name && *name; name = value + strlen (value) + 1) {
    value = name + strlen (name) + 1;
    if (getenv (name) || fm_is_other_variable (name + strlen (PREFIX)))
      continue;
    if (value[strcspn (value, ",;)")] != '\0') {
      fprintf (stderr,
          "filemem: %s=%s is not used: the program removed it from its "
          "environment, and a parameter cannot contain , ; or )\n",
          name, value);
      continue;
    }
    for (const char *c = name + strlen (PREFIX); *c; c++)
      putc (option_char (*c), out);
    fprintf (out, "=%s,", value);
  }
}

/* GStreamer's own rules: an item ends at `;`, its name at `(`. */
static bool
names_filemem (const char *item)
{
  const size_t length = strlen (TRACER);

  return strncmp (item, TRACER, length) == 0
      && (item[length] == '\0' || item[length] == ';' || item[length] == '(');
}

/* The first item of LIST that names the tracer; NULL if there is none. */
static const char *
find_filemem (const char *list)
{
  while (list && !names_filemem (list)) {
    list = strchr (list, ';');
    if (list)
      list++;
  }
  return list;
}

/* The tracer's parameters: what the program has removed, and then, because the
 * last one wins, what LIST says. NULL if there is no memory. */
static char *
make_params (const char *list)
{
  char *params = NULL;
  size_t length;
  FILE *out = open_memstream (&params, &length);
  const char *item = find_filemem (list);

  if (!out)
    return NULL;
  put_removed (out);
  if (item && item[strlen (TRACER)] == '(') {
    item += strlen (TRACER) + 1;
    fwrite (item, 1, MIN (fm_tracer_params_length (item), strcspn (item, ";")),
        out);
  }
  if (fclose (out) != 0) {
    free (params);
    return NULL;
  }
  return params;
}

/* LIST without the tracer; NULL if there is no memory. */
static char *
without_filemem (const char *list)
{
  char *rest = malloc (strlen (list) + 1), *end = rest;

  if (!rest)
    return NULL;
  while (*list) {
    size_t length = strcspn (list, ";");

    if (!names_filemem (list)) {
      if (end != rest)
        *end++ = ';';
      end = mempcpy (end, list, length);
    }
    list += length;
    if (*list)
      list++;
  }
  *end = '\0';
  return rest;
}

/* The file of libgstreamer if CALLER is in it; else NULL. */
static const char *
libgstreamer_of (const void *caller)
{
  static const char library[] = LIBGSTREAMER;
  Dl_info info;

  return dladdr (caller, &info) && info.dli_fname
          && strncmp (base_name (info.dli_fname), library, strlen (library))
              == 0
      ? info.dli_fname
      : NULL;
}

static void
start_tracer (const char *libgstreamer)
{
  const char *list = getenv (TRACERS_VARIABLE);
  MakeTracer make_tracer = load_plugin (libgstreamer);
  char *params, *rest;

  if (!make_tracer)
    return;
  params = make_params (list);
  /* Before make_tracer() changes the environment. */
  rest = find_filemem (list) ? without_filemem (list) : NULL;
  make_tracer (params);
  free (params);
  atomic_store (&tracers, rest);
}

static const char *
get_rank (const void *caller)
{
  static atomic_flag begun = ATOMIC_FLAG_INIT;
  const char *library = libgstreamer_of (caller);

  if (library && !atomic_flag_test_and_set (&begun))
    start_tracer (library);
  return getenv (RANK_VARIABLE);
}

static const char *
get_tracers (const void *caller)
{
  const char *made = libgstreamer_of (caller) ? atomic_load (&tracers) : NULL;

  return made ? made : getenv (TRACERS_VARIABLE);
}

/* The function that the shim stands in for. LIBRARY is where it is, which may
 * have been loaded RTLD_LOCAL; the caller keeps it loaded. */
static void *
real_function (void *handle, const char *library, const char *name)
{
  void *function = dlsym (handle ? handle : RTLD_NEXT, name);

  if (function)
    return function;
  handle = dlopen (library, RTLD_NOLOAD | RTLD_LAZY);
  if (handle) {
    function = dlsym (handle, name);
    dlclose (handle);
  }
  return function;
}

/* NULL if there is no plugin. */
static void *
plugin_function (const char *name)
{
  void *handle = atomic_load (&plugin);

  return handle ? dlsym (handle, name) : NULL;
}

__attribute__ ((visibility ("default"))) void
gst_allocator_set_default (void *allocator)
{
  TakeReplacement take = (TakeReplacement) plugin_function (
      "gst_file_mem_allocator_take_replacement");
  SetDefault set = (SetDefault) real_function (
      atomic_load (&gstreamer), LIBGSTREAMER ".0", "gst_allocator_set_default");

  if ((!take || !take (allocator)) && set)
    set (allocator);
}

static int
push (void *appsrc, void *item, const char *name, const char *by)
{
  Push real = (Push) real_function (NULL, LIBGSTAPP ".0", name);
  PushBy push_by = (PushBy) plugin_function (by);

  if (!real)
    return GST_FLOW_ERROR;
  return push_by ? push_by (appsrc, item, real) : real (appsrc, item);
}

__attribute__ ((visibility ("default"))) int
gst_app_src_push_buffer (void *appsrc, void *buffer)
{
  return push (appsrc, buffer, __func__, "gst_file_mem_tracer_push_buffer");
}

__attribute__ ((visibility ("default"))) int
gst_app_src_push_buffer_list (void *appsrc, void *list)
{
  return push (appsrc, list, __func__, "gst_file_mem_tracer_push_buffer");
}

__attribute__ ((visibility ("default"))) int
gst_app_src_push_sample (void *appsrc, void *sample)
{
  return push (appsrc, sample, __func__, "gst_file_mem_tracer_push_sample");
}

__attribute__ ((visibility ("default"))) int
gst_app_src_end_of_stream (void *appsrc)
{
  EndOfStream real =
      (EndOfStream) real_function (NULL, LIBGSTAPP ".0", __func__);
  EndBy end_by = (EndBy) plugin_function ("gst_file_mem_tracer_end_of_stream");

  if (!real)
    return GST_FLOW_ERROR;
  return end_by ? end_by (appsrc, real) : real (appsrc);
}

__attribute__ ((visibility ("default"))) const gchar *
g_getenv (const gchar *variable)
{
  if (!variable)
    return NULL;
  if (active && variable[0] == 'G') {
    if (strcmp (variable, RANK_VARIABLE) == 0)
      return get_rank (__builtin_return_address (0));
    if (strcmp (variable, TRACERS_VARIABLE) == 0)
      return get_tracers (__builtin_return_address (0));
  }
  return getenv (variable);
}
