/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * inject.c: the LD_PRELOAD shim. It gets the tracer `filemem` into programs
 * whose environment or plugin path is out of reach.
 *
 * g_getenv() is interposed. gst_init() asks it for GST_TRACERS,
 * however the program came by GStreamer (linked, from Python, dlopened
 * RTLD_LOCAL), and at that moment GStreamer is initialised far enough to load a
 * plugin. So when libgstreamer itself asks, the shim loads the plugin by its
 * absolute path and answers with `filemem` added. gst_init() itself would be
 * the wrong place: it is only one of the ways to initialise GStreamer, and
 * calls inside libgstreamer cannot be interposed. Everything else about
 * g_getenv() stays what GLib does: getenv().
 *
 * A program may clear its environment before gst_init(). The constructor, which
 * runs before main(), therefore keeps copies of the GST_FILEMEM_* variables;
 * those that are gone when GStreamer asks become parameters of the tracer. They
 * are not put back with setenv(): other threads may be in getenv().
 *
 * A GStreamer that is built without tracer hooks never asks for GST_TRACERS,
 * and does not even have that name in it. What it asks for at the same moment
 * is GST_PLUGIN_FEATURE_RANK; there the shim makes the tracer itself.
 *
 * A program may also set a default allocator of its own later. So
 * gst_allocator_set_default() is interposed as well, and the library asked
 * whether filemem's is to stay (the option on-replace). A program that looks
 * the function up in libgstreamer itself (Python does) is not caught.
 *
 * Invariants: `active`, `saved` and `self` are written by the constructor
 * alone. The plugin is loaded at most once, by the first caller, who sets
 * `plugin` and `gstreamer`; whoever asks during the load, the load itself
 * included, gets the old value and never waits. An answer, once given, is never
 * changed nor freed. There is no lock.
 */
#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <link.h>
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
#define TRACER "filemem"
#define RANK_VARIABLE "GST_PLUGIN_FEATURE_RANK"

/* gst_plugin_load_file() and gst_allocator_set_default(), without GStreamer's
 * headers */
typedef void *(*LoadFile) (const gchar *filename, GError **error);
typedef void (*SetDefault) (void *allocator);

/* Of the plugin, for a GStreamer without tracer hooks; of the library, whether
 * it took the allocator that a program wants as the default. */
typedef void (*StartTracer) (const gchar *params);
typedef gboolean (*TakeReplacement) (void *allocator);

void gst_allocator_set_default (void *allocator);

static bool active;
/* name, NUL, value, NUL, ..., NUL; NULL if there is nothing to keep */
static char *saved;
/* this file; absolute, so that a program may change its directory */
static const char *self;
/* the plugin, and libgstreamer, once they are there */
static _Atomic (void *) plugin;
static _Atomic (void *) gstreamer;

static const char *
base_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

/* True if one of the strings in LIST, which SEPARATOR separates, is NAME. A
 * string ends at END as well, if that comes first. */
static bool
list_has (const char *list, char separator, char end, const char *name)
{
  const char stops[] = {separator, end, '\0'};
  size_t length = strlen (name);

  while (list) {
    if (strcspn (list, stops) == length && strncmp (list, name, length) == 0)
      return true;
    list = strchr (list, separator);
    if (list)
      list++;
  }
  return false;
}

/* GStreamer's own rule: `;` first, then the name ends at `(`. */
static bool
names_filemem (const char *tracers)
{
  return tracers && list_has (tracers, ';', '(', TRACER);
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
  return !wanted || !*wanted || list_has (wanted, ':', ':', name);
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

  /* Where both were installed, also if they were moved together; the build
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
 * functions if the program loaded it RTLD_LOCAL. */
static bool
load_plugin (const char *libgstreamer)
{
  char path[PATH_MAX];
  void *library, *handle, *loaded;
  LoadFile load_file;
  GError *error = NULL;

  if (!find_plugin (path))
    return false;

  /* GStreamer does this again, but its g_warning() about a library that cannot
   * be opened kills a program with fatal warnings. RTLD_NOW: a function that
   * this GStreamer does not have must be missed here, not at its first call. */
  library = dlopen (path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    fprintf (stderr, "filemem: cannot load %s: %s\n", path, dlerror ());
    return false;
  }

  handle = dlopen (libgstreamer, RTLD_NOLOAD | RTLD_LAZY);
  if (!handle) {
    fprintf (stderr, "filemem: cannot load %s: %s is out of reach\n", path,
        libgstreamer);
    return false;
  }
  load_file = (LoadFile) dlsym (handle, "gst_plugin_load_file");
  if (!load_file) {
    fprintf (stderr, "filemem: cannot load %s: %s has no plugins\n", path,
        libgstreamer);
    dlclose (handle);
    return false;
  }

  /* The plugin's reference is kept: it stays for the life of the program. */
  loaded = load_file (path, &error);
  if (!loaded)
    fprintf (stderr, "filemem: cannot load %s: %s\n", path,
        error ? error->message : "GStreamer gives no reason");
  atomic_store (&gstreamer, handle);
  atomic_store (&plugin, library);
  return loaded != NULL;
}

/* The character of an option's name for that of its variable. */
static int
option_char (int c)
{
  if (c == '_')
    return '-';
  return c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c;
}

/* The variables that the program has removed, as parameters; NULL if there is
 * no memory. */
static char *
make_params (void)
{
  char *params = NULL;
  size_t length;
  FILE *out = open_memstream (&params, &length);
  const char *separator = "";
  const char *name, *value;

  if (!out)
    return NULL;
  for (name = saved; name && *name; name = value + strlen (value) + 1) {
    value = name + strlen (name) + 1;
    if (getenv (name) || strcmp (name, PLUGIN_VARIABLE) == 0
        || strcmp (name, PREFIX "BUILD") == 0)
      continue;
    if (value[strcspn (value, ",;)")] != '\0') {
      fprintf (stderr,
          "filemem: %s=%s is not used: the program removed it from its "
          "environment, and a parameter cannot contain , ; or )\n",
          name, value);
      continue;
    }
    fputs (separator, out);
    separator = ",";
    for (const char *c = name + strlen (PREFIX); *c; c++)
      putc (option_char (*c), out);
    fprintf (out, "=%s", value);
  }
  if (fclose (out) != 0) {
    free (params);
    return NULL;
  }
  return params;
}

/* OLD with the tracer added, and its parameters; NULL if there is no memory. */
static char *
make_answer (const char *old)
{
  char *params = make_params ();
  char *answer = NULL;
  bool has_old = old && *old;
  int length;

  if (!params)
    return NULL;
  length = asprintf (&answer, *params ? "%s%s" TRACER "(%s)" : "%s%s" TRACER,
      has_old ? old : "", has_old ? ";" : "", params);
  free (params);
  return length < 0 ? NULL : answer;
}

/* The file of libgstreamer, if that is where CALLER is; else NULL. */
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

static const char *
get_tracers (const void *caller)
{
  static atomic_flag begun = ATOMIC_FLAG_INIT;
  static _Atomic (const char *) answer;
  const char *old = getenv ("GST_TRACERS");
  const char *library = libgstreamer_of (caller);
  const char *made;

  if (!library)
    return old;
  if (!atomic_flag_test_and_set (&begun) && load_plugin (library)
      && !names_filemem (old))
    atomic_store (&answer, make_answer (old));
  made = atomic_load (&answer);
  return made ? made : old;
}

typedef struct
{
  const char *library;
  bool has_tracers;
} Look;

/* Looks for the name of the variable in what a library has of constants. */
static int
look_into (struct dl_phdr_info *info, size_t size, void *data)
{
  static const char variable[] = "GST_TRACERS";
  Look *look = data;

  if (strcmp (info->dlpi_name, look->library) != 0)
    return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW (Phdr) *segment = &info->dlpi_phdr[i];

    if (segment->p_type == PT_LOAD && (segment->p_flags & (PF_R | PF_W)) == PF_R
        && memmem ((const char *) info->dlpi_addr + segment->p_vaddr,
            segment->p_memsz, variable, sizeof variable))
      look->has_tracers = true;
  }
  return 1;
}

static bool
has_tracers (const char *library)
{
  Look look = {library, false};

  /* Where the library was not found, nothing is known. */
  return dl_iterate_phdr (look_into, &look) != 1 || look.has_tracers;
}

static const char *
get_rank (const void *caller)
{
  static atomic_flag begun = ATOMIC_FLAG_INIT;
  const char *library = libgstreamer_of (caller);
  char *params;
  StartTracer start_tracer;

  if (!library || atomic_flag_test_and_set (&begun) || has_tracers (library)
      || !load_plugin (library))
    return getenv (RANK_VARIABLE);
  params = make_params ();
  start_tracer = (StartTracer) dlsym (
      atomic_load (&plugin), "gst_file_mem_tracer_start_without_hooks");
  if (start_tracer)
    start_tracer (params);
  free (params);
  return getenv (RANK_VARIABLE);
}

static SetDefault
real_set_default (void)
{
  static const char name[] = "gst_allocator_set_default";
  void *handle = atomic_load (&gstreamer);
  void *set = dlsym (handle ? handle : RTLD_NEXT, name);

  if (set)
    return (SetDefault) set;
  /* A program in which nothing was loaded may have GStreamer RTLD_LOCAL. The
   * caller keeps it there. */
  handle = dlopen (LIBGSTREAMER ".0", RTLD_NOLOAD | RTLD_LAZY);
  if (handle) {
    set = dlsym (handle, name);
    dlclose (handle);
  }
  return (SetDefault) set;
}

__attribute__ ((visibility ("default"))) void
gst_allocator_set_default (void *allocator)
{
  void *handle = atomic_load (&plugin);
  TakeReplacement take = handle ? (TakeReplacement) dlsym (
                             handle, "gst_file_mem_allocator_take_replacement")
                                : NULL;
  SetDefault set = real_set_default ();

  if ((!take || !take (allocator)) && set)
    set (allocator);
}

__attribute__ ((visibility ("default"))) const gchar *
g_getenv (const gchar *variable)
{
  if (!variable)
    return NULL;
  if (active && variable[0] == 'G') {
    if (strcmp (variable, "GST_TRACERS") == 0)
      return get_tracers (__builtin_return_address (0));
    if (strcmp (variable, RANK_VARIABLE) == 0)
      return get_rank (__builtin_return_address (0));
  }
  return getenv (variable);
}
