/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * process-workloads.c: workloads with other processes: one that forks while it
 * pages, two that share a budget, and one that is told to give way.
 */
#include "blocks.h"
#include "testing.h"
#include "trial.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCK (200 * TESTING_KIB)

static void
wait_for (pid_t pid)
{
  int status;

  testing_check (waitpid (pid, &status, 0) == pid);
  testing_check (status == 0);
}

/* ---- fork ---- */

#define N_KEPT 24
#define N_PAGED 16
#define FORKS 3

static Block kept[N_KEPT];
static atomic_bool stop;

static gpointer
page (gpointer unused)
{
  Block blocks[N_PAGED] = {0};
  guint i;

  while (!atomic_load (&stop)) {
    for (i = 0; i < N_PAGED; i++)
      block_make (&blocks[i], BLOCK);
    blocks_check (blocks, N_PAGED);
    blocks_give (blocks, N_PAGED);
  }
  return NULL;
}

/* Reads what it inherits, changes its copies, and has a store of its own, which
 * is freed; what it inherited is not. */
static void
live_as_child (void)
{
  Block own[N_KEPT] = {0};
  guint i;

  blocks_check (kept, N_KEPT);
  for (i = 0; i < N_KEPT; i += 2)
    block_write (&kept[i]);
  blocks_check (kept, N_KEPT);
  if (!blocks_open ())
    return;
  for (i = 0; i < N_KEPT; i++)
    block_make (&own[i], BLOCK);
  blocks_check (own, N_KEPT);
  blocks_give (own, N_KEPT);
  blocks_close ();
  blocks_check (kept, N_KEPT);
}

static void
run_fork (void)
{
  GThread *thread;
  guint i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_KEPT; i++)
    block_make (&kept[i], BLOCK);
  thread = g_thread_new ("page", page, NULL);
  for (i = 0; i < FORKS; i++) {
    pid_t pid = fork ();

    testing_check (pid >= 0);
    if (pid == 0) {
      live_as_child ();
      _exit (EXIT_SUCCESS);
    }
    blocks_check (kept, N_KEPT);
    wait_for (pid);
  }
  atomic_store (&stop, TRUE);
  g_thread_join (thread);
  blocks_check_calmly (kept, N_KEPT);
  blocks_give (kept, N_KEPT);
  blocks_close ();
}

/* ---- two that share a budget ---- */

/* Enough for a look at what the other has, which comes with each 8 MiB. */
#define N_SHARED 60

/* How far both have come. */
static atomic_uint *steps;

static void
meet (guint step)
{
  atomic_fetch_add (steps, 1);
  while (atomic_load (steps) < 2 * step)
    g_usleep (100);
}

static void
make (Block *blocks, guint n)
{
  guint i;

  for (i = 0; i < n; i++)
    block_make (&blocks[i], BLOCK);
}

/* Each wants more than its part. Without a store nobody waits for it. */
static void
share (void)
{
  static Block blocks[3 * N_SHARED];
  guint i;

  if (!blocks_open ()) {
    atomic_fetch_add (steps, 1000);
    return;
  }
  make (blocks, N_SHARED);
  meet (1);
  make (blocks + N_SHARED, N_SHARED);
  meet (2);
  make (blocks + 2 * N_SHARED, N_SHARED);
  testing_check (trial_has_fault () || blocks_figure (FM_STAT_PROGRAMS) == 2);
  meet (3);
  for (i = 0; i < G_N_ELEMENTS (blocks); i += 2)
    block_write (&blocks[i]);
  blocks_check (blocks, G_N_ELEMENTS (blocks));
  blocks_check_calmly (blocks, G_N_ELEMENTS (blocks));
  blocks_give (blocks, G_N_ELEMENTS (blocks));
  blocks_close ();
}

static void
run_total (void)
{
  pid_t pid;

  steps = mmap (NULL, sizeof *steps, PROT_READ | PROT_WRITE,
      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  testing_check (steps != MAP_FAILED);
  pid = fork ();
  testing_check (pid >= 0);
  if (pid == 0) {
    trial_leave ();
    share ();
    _exit (EXIT_SUCCESS);
  }
  share ();
  wait_for (pid);
  munmap (steps, sizeof *steps);
}

/* ---- a service manager that says that programs wait for memory ---- */

#define N_YIELDING 60

/* In ms. The watch begins with the keeper's first look, after a second. */
#define PATIENCE 60000
#define PATIENCE_WITH_FAULT 1500

/* Says it until it is heard. */
static void
tell_of_stall (const gchar *path)
{
  guint i, most = trial_has_fault () ? PATIENCE_WITH_FAULT : PATIENCE;
  gboolean told = FALSE;

  for (i = 0; i < most && blocks_figure (FM_STAT_YIELDS_STALLS) == 0; i++) {
    int fd = told ? -1 : open (path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd >= 0) {
      told = write (fd, "x", 1) == 1;
      close (fd);
    }
    g_usleep (1000);
  }
  testing_check (i < most || trial_has_fault ());
}

static void
run_stalls (void)
{
  g_autofree gchar *fifo = g_build_filename (trial_dir (), "stalls", NULL);
  static Block blocks[N_YIELDING];

  testing_check (mkfifo (fifo, 0600) == 0);
  g_setenv ("MEMORY_PRESSURE_WATCH", fifo, TRUE);
  /* "memory", of which the FIFO makes nothing. */
  g_setenv ("MEMORY_PRESSURE_WRITE", "bWVtb3J5", TRUE);
  if (blocks_open ()) {
    make (blocks, N_YIELDING);
    tell_of_stall (fifo);
    blocks_check (blocks, N_YIELDING);
    blocks_check_calmly (blocks, N_YIELDING);
    blocks_give (blocks, N_YIELDING);
    blocks_close ();
  }
  testing_check (unlink (fifo) == 0);
}

/* Each store warns, of which the child of a fork has two. A child does not
 * write to what is its parent's on disk. */
const Workload process_workloads[] = {
    {"fork", run_fork, .ram = "0", .words = {.times = 2}, .needs_memory = TRUE,
        .happens = {FM_STAT_SPILLS, FM_STAT_FILLS}},
    {"total", run_total, .happens = {FM_STAT_SPILLS, FM_STAT_FILLS}},
    {"stalls", run_stalls, .only = "open:fstat:read:write:pipe:poll:thread",
        .happens = {FM_STAT_YIELDS}},
    {NULL},
};
