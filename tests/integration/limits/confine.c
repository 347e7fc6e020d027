/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * confine.c: settings that a program can only make for itself. Preloaded into
 * one, it makes those that the environment names before main():
 *
 *   CONFINE_LOCK=1          its memory is locked, what it has and what comes
 *   CONFINE_MAPPINGS=N      all but N of the mappings that vm.max_map_count
 *                           allows are taken
 *
 * Exit status of the program: 77, with the reason, where that can't be had.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SKIP 77

__attribute__ ((noreturn)) static void
skip (const char *why)
{
  perror (why);
  _exit (SKIP);
}

static long
max_map_count (void)
{
  FILE *file = fopen ("/proc/sys/vm/max_map_count", "re");
  long count = -1;

  if (file == NULL || fscanf (file, "%ld", &count) != 1)
    skip ("/proc/sys/vm/max_map_count");
  fclose (file);
  return count;
}

static long
count_mappings (void)
{
  FILE *file = fopen ("/proc/self/maps", "re");
  long lines = 0;
  int c;

  if (file == NULL)
    skip ("/proc/self/maps");
  while ((c = getc (file)) != EOF)
    lines += c == '\n';
  fclose (file);
  return lines;
}

/* Every other page of a range is of another kind, so that each is a mapping. */
static void
leave_mappings (long left)
{
  const size_t page = (size_t) sysconf (_SC_PAGESIZE);
  const long taken = max_map_count () - count_mappings () - left;
  char *range;
  long i;

  if (taken <= 0)
    return;
  range = mmap (NULL, (size_t) taken * page, PROT_NONE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED)
    skip ("mmap");
  for (i = 0; i < taken; i += 2) {
    if (mprotect (range + (size_t) i * page, page, PROT_READ) != 0)
      skip ("mprotect");
  }
}

__attribute__ ((constructor)) static void
confine (void)
{
  const char *mappings = getenv ("CONFINE_MAPPINGS");

  if (getenv ("CONFINE_LOCK") != NULL
      && mlockall (MCL_CURRENT | MCL_FUTURE) != 0)
    skip ("mlockall");
  if (mappings != NULL)
    leave_mappings (atol (mappings));
}
