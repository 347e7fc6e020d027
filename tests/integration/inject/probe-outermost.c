/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * probe-outermost.c: a program without GStreamer that loads a plugin, which
 * loads a plugin of its own, in which GStreamer is. Compiled with OUTER it is
 * the first plugin, without it the program; each is told the file that comes
 * next. What follows these is for probe.c.
 */
#include <dlfcn.h>
#include <stdio.h>

typedef int (*Main) (int argc, char **argv);

static int
run_next (const char *file, const char *function, int argc, char **argv)
{
  void *handle = dlopen (file, RTLD_NOW | RTLD_LOCAL);
  Main next = handle ? (Main) dlsym (handle, function) : NULL;

  if (!next) {
    fprintf (stderr, "%s\n", dlerror ());
    return 1;
  }
  return next (argc, argv);
}

#ifdef OUTER
int outer_main (int argc, char **argv);

int
outer_main (int argc, char **argv)
{
  return run_next (argv[0], "inner_main", argc, argv);
}
#else
int
main (int argc, char **argv)
{
  if (argc < 3)
    return 2;
  return run_next (argv[1], "outer_main", argc - 2, argv + 2);
}
#endif
