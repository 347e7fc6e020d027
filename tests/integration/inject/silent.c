/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * silent.c: a program with GLib that counts allocations, to see what the shim
 * does before GStreamer asks it anything.
 *
 *   silent NAME...
 *
 * Prints how often memory was allocated before main() began, and how often
 * while g_getenv() was asked for the names. Meanwhile the kernel allows read(),
 * write() and exit() alone, so any other system call ends the program by a
 * signal; what is written is for who started the program to see.
 *
 * The C library and all others call the functions here instead of its own,
 * because the program comes first where a symbol is looked up. One thread.
 *
 * Exit status: 1 if an answer is not getenv()'s; 77 where the kernel does not
 * confine a program.
 */
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib.h>

#define SKIP 77
#define N_ROUNDS 10

/* glibc's own, by the names that stay when malloc() is replaced */
void *__libc_malloc (size_t size);
void *__libc_calloc (size_t n, size_t size);
void *__libc_realloc (void *old, size_t size);
void *__libc_memalign (size_t alignment, size_t size);

static unsigned int n_allocations;

void *
malloc (size_t size)
{
  n_allocations++;
  return __libc_malloc (size);
}

void *
calloc (size_t n, size_t size)
{
  n_allocations++;
  return __libc_calloc (n, size);
}

void *
realloc (void *old, size_t size)
{
  n_allocations++;
  return __libc_realloc (old, size);
}

void *
aligned_alloc (size_t alignment, size_t size)
{
  n_allocations++;
  return __libc_memalign (alignment, size);
}

static void
finish (int status)
{
  /* exit_group() is not allowed. */
  syscall (SYS_exit, status);
}

int
main (int argc, char **argv)
{
  unsigned int before_main = n_allocations, before_asking, asked;
  char line[64];
  int i, round;

  /* Names that are not there are bound now. */
  if (g_getenv (argv[0]) != NULL || getenv (argv[0]) != NULL)
    return 1;
  if (prctl (PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
    perror ("silent: the kernel does not confine a program");
    return SKIP;
  }

  before_asking = n_allocations;
  for (round = 0; round < N_ROUNDS; round++)
    for (i = 1; i < argc; i++)
      if (g_getenv (argv[i]) != getenv (argv[i]))
        finish (1);
  asked = n_allocations - before_asking;

  i = snprintf (
      line, sizeof (line), "%u before, %u while asking\n", before_main, asked);
  finish (write (STDOUT_FILENO, line, (size_t) i) == i ? 0 : 1);
}
