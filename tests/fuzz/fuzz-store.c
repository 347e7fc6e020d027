/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-store.c: the bytes are what the threads of a program do with the blocks
 * of a store that is far too small, which system calls fail meanwhile, and who
 * comes when.
 *
 * The model of a block is the version of each of its pages; each write makes a
 * new one. Whatever happens, a block that can be mapped has what was written
 * last, at the same address, and all can be mapped, but for those that a
 * failing call keeps from being read; those can be, when it fails no more.
 * In the end nothing is counted that is not there.
 *
 * The threads, and the store's own, are coroutines of the protocol test's
 * scheduler, so the same input is the same each time, and to wait takes no
 * time. The kernel is the real one.
 */
#include "fuzz.h"

#include "../protocol/scheduler-private.h"
#include "../unit/choices.h"
#include "../unit/store-fixture.h"

#include "thread-number.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE "24M"
#define MOST_ACTORS 3
#define MOST_LIVE 48
#define MOST_STEPS 400
#define MOST_FORKS 1
#define MOST_MAPS 3
#define LONGEST (3 * TESTING_MIB)
#define PAGES (LONGEST / TESTING_PAGE)
#define MARK sizeof (guint64)

typedef struct
{
  FmStoreBlock block;
  gboolean live;
  gsize size;
  guint number;
  guint maps; /* open, for reading */
  guint8 version[PAGES];
} Block;

/* Blocks are of one thread each: the N-th, the one N threads later, ... */
static struct
{
  Fixture *fixture;
  Choices choices;
  Block blocks[MOST_LIVE];
  guint n_actors;
  guint n_blocks; /* so far */
  guint n_forks, n_steps;
  guint haste;  /* per cent of the chances to come in between that are taken */
  guint32 luck; /* of who comes when */
} model;

typedef struct
{
  FmCall call;
  int error;
  gboolean loses; /* blocks may not be had as long as it fails */
} Fault;

static const Fault faults[] = {
    {FM_CALL_PWRITE, EIO, FALSE},
    {FM_CALL_PWRITE, ENOSPC, FALSE},
    {FM_CALL_PREAD, EIO, TRUE},
    {FM_CALL_PREAD, ENOMEM, FALSE},
    {FM_CALL_FALLOCATE, ENOSPC, FALSE},
    {FM_CALL_FALLOCATE, EOPNOTSUPP, FALSE},
    {FM_CALL_MMAP, ENOMEM, FALSE}, /* over what is there */
    {FM_CALL_MREMAP, ENOMEM, FALSE},
    {FM_CALL_MADVISE, EAGAIN, FALSE},
    {FM_CALL_MPROTECT, ENOMEM, FALSE},
    {FM_CALL_FSTAT, EIO, TRUE},
    {FM_CALL_FADVISE, EINVAL, FALSE},
    {FM_CALL_THREAD, EAGAIN, FALSE},
};

static struct
{
  const Fault *fault; /* NULL: none */
  gboolean persistent;
  guint calls_left; /* until it fails */
  guint changes;    /* of all this */
} armed;

/* ---- who comes when ---- */

/* Not from the bytes one by one: all that follows would be another story when
 * one is put in. */
static guint
luck_below (guint n)
{
  model.luck = model.luck * 1664525 + 1013904223;
  return (guint) (((guint64) model.luck * n) >> 32);
}

guint
scheduler_decide (guint n, gboolean can_go_on)
{
  if (can_go_on && luck_below (100) >= model.haste)
    return 0;
  return luck_below (n);
}

void
scheduler_fail (const gchar *text)
{
  scheduler_print_coroutines ();
  fuzz_fail ("%s\n", text);
}

/* Others go on meanwhile. */
static void
rest (gint64 us)
{
  FmMutex mutex;
  FmCond nobody;

  fm_mutex_init (&mutex);
  fm_cond_init (&nobody);
  fm_mutex_lock (&mutex);
  fm_cond_wait_until (&nobody, &mutex, fm_now () + us);
  fm_mutex_unlock (&mutex);
}

/* ---- faults ---- */

static int
hook (const FmCallInfo *info)
{
  const Fault *fault;
  gboolean fixed = info->call == FM_CALL_MMAP && (info->flags & MAP_FIXED) != 0;

  if (info->call == FM_CALL_PWRITE || info->call == FM_CALL_PREAD
      || info->call == FM_CALL_MREMAP || info->call == FM_CALL_FALLOCATE
      || fixed)
    fm_point ();
  fault = armed.fault;
  if (fault == NULL || info->call != fault->call
      || (info->call == FM_CALL_MMAP && !fixed))
    return 0;
  if (armed.calls_left > 0) {
    armed.calls_left--;
    return 0;
  }
  if (!armed.persistent)
    armed.calls_left = G_MAXUINT;
  return fault->error;
}

static void
change_fault (void)
{
  armed.fault = NULL;
  armed.changes++;
  if (choices_percent (&model.choices, 30))
    return;
  armed.fault = &faults[choices_below (&model.choices, G_N_ELEMENTS (faults))];
  armed.persistent = choices_percent (&model.choices, 20);
  armed.calls_left = choices_below (&model.choices, 16);
}

/* ---- contents ---- */

static guint
n_pages (const Block *block)
{
  return (guint) ((block->size + TESTING_PAGE - 1) / TESTING_PAGE);
}

static gsize
page_length (const Block *block, guint page)
{
  return MIN (TESTING_PAGE, block->size - page * TESTING_PAGE);
}

/* What is at both ends of a page. */
static guint64
mark_of (const Block *block, guint page)
{
  return (guint64) block->number << 32 | page << 8 | block->version[page];
}

static void
write_page (Block *block, guint page)
{
  guint8 *data = block->block.data + page * TESTING_PAGE;
  gsize length = page_length (block, page);
  guint64 mark;

  block->version[page] = MAX ((guint8) (block->version[page] + 1), 1);
  mark = mark_of (block, page);
  memcpy (data, &mark, MIN (length, MARK));
  if (length >= 2 * MARK)
    memcpy (data + length - MARK, &mark, MARK);
}

static void
check_page (const Block *block, guint page)
{
  const guint8 *data = block->block.data + page * TESTING_PAGE;
  gsize length = page_length (block, page);
  guint64 mark = mark_of (block, page);

  if (block->version[page] == 0)
    return;
  fuzz_check (memcmp (data, &mark, MIN (length, MARK)) == 0);
  if (length >= 2 * MARK)
    fuzz_check (memcmp (data + length - MARK, &mark, MARK) == 0);
}

static void
check_pages (const Block *block)
{
  guint page;

  for (page = 0; page < n_pages (block); page++) {
    check_page (block, page);
    if (page % 16 == 0)
      fm_point ();
  }
}

/* ---- what a program does ---- */

static gboolean
map (const Block *block, FmPinFlags flags)
{
  gboolean may_fail = armed.fault != NULL && armed.fault->loses;
  guint changes = armed.changes;
  gboolean mapped = fm_store_map (model.fixture->store, &block->block, flags);

  fuzz_check (mapped || may_fail || changes != armed.changes);
  return mapped;
}

static void
write_some (Block *block)
{
  FmPinFlags part = choices_percent (&model.choices, 10) ? FM_PIN_PART : 0;
  guint first = choices_below (&model.choices, n_pages (block)), page;
  guint stop = n_pages (block);

  if (choices_percent (&model.choices, 50))
    stop = first + 1;
  if (block->maps > 0 || !map (block, FM_PIN_WRITE))
    return;
  for (page = first; page < stop; page++) {
    write_page (block, page);
    if (page % 16 == 0)
      fm_point ();
  }
  fm_store_unmap (model.fixture->store, &block->block, FM_PIN_WRITE | part,
      (stop - first) * TESTING_PAGE);
}

static void
read_all (const Block *block)
{
  if (!map (block, FM_PIN_READ))
    return;
  check_pages (block);
  fm_store_unmap (model.fixture->store, &block->block, FM_PIN_READ, 0);
}

static void
hold (Block *block)
{
  if (block->maps < MOST_MAPS && map (block, FM_PIN_READ))
    block->maps++;
}

static void
let_go (Block *block)
{
  if (block->maps == 0)
    return;
  check_pages (block);
  block->maps--;
  fm_store_unmap (model.fixture->store, &block->block, FM_PIN_READ, 0);
}

static void
give (Block *block)
{
  while (block->maps > 0)
    let_go (block);
  block->live = FALSE;
  fm_store_give (model.fixture->store, &block->block);
}

static gsize
choose_size (void)
{
  static const guint most[] = {
      64, 4 * TESTING_KIB, 64 * TESTING_KIB, 700 * TESTING_KIB, LONGEST};

  return 1
      + choices_below (&model.choices,
          most[choices_below (&model.choices, G_N_ELEMENTS (most))]);
}

static gsize
live_bytes (void)
{
  gsize sum = 0;
  guint i;

  for (i = 0; i < MOST_LIVE; i++)
    sum += model.blocks[i].live ? model.blocks[i].size : 0;
  return sum;
}

static void
make (Block *block)
{
  static const gsize aligns[] = {0, 7, 15, 63, 4095};
  gsize align = aligns[choices_below (&model.choices, G_N_ELEMENTS (aligns))];
  FmStoreResult result;

  memset (block, 0, sizeof *block);
  block->size = choose_size ();
  block->number = ++model.n_blocks;
  result = fm_store_alloc (
      model.fixture->store, block->size + align, align, 0, &block->block);
  /* A few small blocks may keep a chunk each. */
  fuzz_check (result == FM_STORE_DONE
      || (result == FM_STORE_FULL && live_bytes () > 2 * TESTING_MIB)
      || (result == FM_STORE_NO_MEMORY && armed.changes > 0));
  if (result != FM_STORE_DONE)
    return;
  fuzz_check (((guintptr) block->block.data & align) == 0);
  block->live = TRUE;
  write_some (block);
}

/* Has all that was there, and no other thread; what it does to that is nothing
 * to its parent. */
static void
be_child (void)
{
  FmStoreBlock block;
  guint i;

  for (i = 0; i < MOST_COROUTINES; i++) {
    if (&scheduler.coroutine[i] != scheduler.running)
      scheduler.coroutine[i].state = ENDED;
  }
  for (i = 0; i < MOST_LIVE; i++) {
    if (model.blocks[i].live)
      read_all (&model.blocks[i]);
    if (model.blocks[i].live && i % 2 == 0)
      give (&model.blocks[i]);
  }
  fuzz_check (fm_store_alloc (model.fixture->store, 100, 0, 0, &block)
      == FM_STORE_INHERITED);
  _exit (0);
}

static void
fork_once (void)
{
  pid_t child;
  int status;

  if (model.n_forks >= MOST_FORKS || armed.fault != NULL)
    return;
  model.n_forks++;
  child = fork ();
  if (child == 0)
    be_child ();
  fuzz_check (child > 0);
  /* libFuzzer has a timer. */
  while (waitpid (child, &status, 0) < 0)
    fuzz_check (errno == EINTR);
  fuzz_check (WIFEXITED (status) && WEXITSTATUS (status) == 0);
}

static void
use_block (Block *block, guint what)
{
  if (!block->live)
    make (block);
  else if (what < 16)
    give (block);
  else if (what < 32)
    write_some (block);
  else if (what < 40)
    hold (block);
  else if (what < 48)
    let_go (block);
  else if (what < 54 && armed.changes == 0)
    check_pages (block); /* through a pointer that it should no longer have */
  else
    read_all (block);
}

static void
step (guint actor)
{
  static const gint64 rests[] = {
      1, 1000, G_USEC_PER_SEC / 5, 2 * G_USEC_PER_SEC, 11 * G_USEC_PER_SEC};
  guint what = choices_below (&model.choices, 64), i;

  /* The thread's, in the store's eyes. */
  fm_thread_number_plus_one = fm_writer_number_plus_one = actor + 1;
  if (what == 63)
    fork_once ();
  else if (what >= 60)
    change_fault ();
  else if (what >= 58)
    fm_store_set_budget (model.fixture->store,
        LEAST_BUDGET / 4 * (4 + choices_below (&model.choices, 16)));
  else if (what >= 56)
    rest (rests[choices_below (&model.choices, G_N_ELEMENTS (rests))]);
  else {
    i = choices_below (&model.choices, MOST_LIVE / model.n_actors);
    use_block (&model.blocks[i * model.n_actors + actor], what);
  }
}

static gpointer
act (gpointer actor)
{
  while (!choices_are_over (&model.choices) && model.n_steps < MOST_STEPS) {
    model.n_steps++;
    step (GPOINTER_TO_UINT (actor));
    fm_point ();
  }
  return NULL;
}

static void
end (void)
{
  guint i;

  armed.fault = NULL;
  for (i = 0; i < MOST_LIVE; i++) {
    if (!model.blocks[i].live)
      continue;
    read_all (&model.blocks[i]);
    give (&model.blocks[i]);
  }
  fuzz_check (statistic (model.fixture, FM_STAT_LIVE_BYTES) == 0);
  fuzz_check (statistic (model.fixture, FM_STAT_LIVE_BLOCKS) == 0);
}

static void
say_nothing (FmMessageLevel level, const gchar *text)
{
}

static void
run (void)
{
  FmThread *actors[MOST_ACTORS];
  void *fixture;
  guint i;

  fuzz_check (fixture_setup (&fixture) == 0);
  model.fixture = fixture;
  fm_messages_set_func (say_nothing);
  /* Else a thread sleeps in the kernel. */
  set_option (fixture, FM_OPTION_PRESSURE, "ignore");
  open_small (fixture, SIZE);
  fm_seam_set_hook (hook);
  scheduler_set_exploring (TRUE);
  for (i = 0; i < model.n_actors; i++)
    actors[i] = fm_scheduler_spawn ("actor", act, GUINT_TO_POINTER (i));
  for (i = 0; i < model.n_actors; i++)
    fm_thread_join (actors[i]);
  end ();
  fixture_teardown (&fixture);
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  memset (&model, 0, sizeof model);
  memset (&armed, 0, sizeof armed);
  model.choices = (Choices){.data = data, .left = size};
  model.n_actors = 1 + choices_below (&model.choices, MOST_ACTORS);
  model.haste = choices_below (&model.choices, 100);
  model.luck = choices_below (&model.choices, 65536);
  scheduler_run (run);
  return 0;
}
