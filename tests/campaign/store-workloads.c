/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * store-workloads.c: workloads of one process with a store, whose budget holds
 * a part of the blocks.
 */
#include "blocks.h"
#include "testing.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>

/* With the least budget, 4 MiB, extents are of 256 KiB. */
#define EXTENT (256 * TESTING_KIB)

/* ---- blocks of all sizes, in the order of writing ---- */

#define N_LARGE 2
#define N_MIDDLE 12
#define N_SMALL 400
#define N_MIXED (N_LARGE + N_MIDDLE + N_SMALL)
/* Small blocks are freed in groups, which leave pages worth giving back. */
#define GROUP 100

static Block mixed[N_MIXED];

static gsize
mixed_size (guint i)
{
  return i < N_LARGE ? 7 * EXTENT : i < N_LARGE + N_MIDDLE ? EXTENT : 1316;
}

/* Every other one, small ones by groups. */
static gboolean
is_short_lived (guint i)
{
  return (i < N_LARGE + N_MIDDLE ? i : i / GROUP) % 2 == 0;
}

static void
run_mixed (void)
{
  guint i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_MIXED; i++)
    block_make (&mixed[i], mixed_size (i));
  blocks_check (mixed, N_MIXED);
  for (i = 0; i < N_MIXED; i += i < N_LARGE + N_MIDDLE ? 1 : 7) {
    if (i % 3 != 0)
      block_write (&mixed[i]);
  }
  for (i = 0; i < N_MIXED; i++) {
    if (is_short_lived (i))
      block_give (&mixed[i]);
  }
  /* In another order than before, so that no block finds its own place. */
  for (i = N_MIXED; i-- > 0;) {
    if (is_short_lived (i))
      block_make (&mixed[i], mixed_size (i));
  }
  blocks_check (mixed, N_MIXED);
  blocks_check_calmly (mixed, N_MIXED);
  blocks_give (mixed, N_MIXED);
  blocks_close ();
}

static int
without_direct (const FmCallInfo *info)
{
  if (info->call == FM_CALL_OPEN && (info->flags & O_TMPFILE) == O_TMPFILE)
    return EOPNOTSUPP;
  return info->call == FM_CALL_FCNTL ? EINVAL : 0;
}

/* The disk is full every now and then, until something is given back. */
static int
with_a_full_disk (const FmCallInfo *info)
{
  static atomic_uint reservations;

  return info->call == FM_CALL_FALLOCATE && info->flags == 0
          && atomic_fetch_add (&reservations, 1) % 4 == 3
      ? ENOSPC
      : 0;
}

/* Every other block has to be used where it is in the file. */
static int
with_little_memory (const FmCallInfo *info)
{
  static atomic_uint reads;

  return info->call == FM_CALL_PREAD && atomic_fetch_add (&reads, 1) % 2 == 1
      ? ENOMEM
      : 0;
}

/* ---- extents that go again unwritten ---- */

#define N_CLEAN 30
#define ROUNDS 4

static void
run_clean (void)
{
  static Block blocks[N_CLEAN];
  guint round, i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_CLEAN; i++)
    block_make (&blocks[i], EXTENT);
  for (round = 0; round < ROUNDS; round++) {
    blocks_check (blocks, N_CLEAN);
    /* One is written, in between. */
    block_write (&blocks[round * 7]);
  }
  blocks_check_calmly (blocks, N_CLEAN);
  blocks_give (blocks, N_CLEAN);
  blocks_close ();
}

/* ---- disk space that runs out ---- */

#define N_EXTENTS 24
#define N_LITTLE 800
#define LITTLE 1316
#define N_LONG 4
#define N_FULL (N_EXTENTS + N_LITTLE + N_LONG)

/* What is free of spilled extents has to be given back for what is of another
 * length. */
static void
run_full (void)
{
  static Block blocks[N_FULL];
  guint i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_EXTENTS + N_LITTLE; i++)
    block_make (&blocks[i], i < N_EXTENTS ? EXTENT : LITTLE);
  for (i = 0; i < N_EXTENTS + N_LITTLE; i++) {
    if ((i < N_EXTENTS ? i : i / GROUP) % 2 == 0)
      block_give (&blocks[i]);
  }
  for (i = N_EXTENTS + N_LITTLE; i < N_FULL; i++)
    block_make (&blocks[i], 7 * EXTENT);
  blocks_check (blocks, N_FULL);
  blocks_check_calmly (blocks, N_FULL);
  blocks_give (blocks, N_FULL);
  blocks_close ();
}

/* ---- single blocks, read out of order ---- */

#define N_LENT 1024
#define LENT (12 * TESTING_KIB)

static void
run_lent (void)
{
  static Block blocks[N_LENT];
  guint i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_LENT; i++)
    block_make (&blocks[i], LENT);
  for (i = 0; i < N_LENT; i++) {
    if (i % 3 == 0)
      block_check (&blocks[i * 389 % N_LENT]);
  }
  blocks_check_calmly (blocks, N_LENT);
  blocks_give (blocks, N_LENT);
  blocks_close ();
}

/* ---- a budget that shrinks and grows ---- */

static void
run_budgets (void)
{
  static const guint mib[] = {4, 12, 6, 4, 16, 4};
  static Block blocks[6 * 8];
  guint i, step;

  if (!blocks_open ())
    return;
  for (step = 0; step < G_N_ELEMENTS (mib); step++) {
    Block *of_step = &blocks[8 * step];

    for (i = 0; i < 8; i++)
      block_make (&of_step[i], i % 2 == 0 ? 2 * EXTENT : EXTENT / 3);
    fm_store_set_budget (blocks_store (), mib[step] * TESTING_MIB);
    blocks_check (blocks, 8 * (step + 1));
    block_write (&of_step[1]);
    block_give (&of_step[2]);
  }
  blocks_check_calmly (blocks, G_N_ELEMENTS (blocks));
  blocks_give (blocks, G_N_ELEMENTS (blocks));
  blocks_close ();
}

/* ---- many streams ---- */

#define N_STREAMS 32
#define DEPTH 20
#define STREAM_BLOCK (40 * TESTING_KIB)
#define TURNS 26

typedef struct
{
  guint number;
  Block queue[DEPTH];
} Stream;

/* Whose turn it is, of all turns. */
static struct
{
  GMutex lock;
  GCond passes;
  guint now;
} turn;

static void
take_turn (guint which)
{
  g_mutex_lock (&turn.lock);
  while (turn.now != which)
    g_cond_wait (&turn.passes, &turn.lock);
  g_mutex_unlock (&turn.lock);
}

static void
pass_turn (void)
{
  g_mutex_lock (&turn.lock);
  turn.now++;
  g_cond_broadcast (&turn.passes);
  g_mutex_unlock (&turn.lock);
}

/* A queue: when it is full the oldest block comes out. */
static gpointer
write_stream (gpointer data)
{
  Stream *stream = data;
  guint i;

  for (i = 0; i < TURNS; i++) {
    Block *place = &stream->queue[i % DEPTH];

    take_turn (i * N_STREAMS + stream->number);
    block_check (place);
    block_give (place);
    block_make (place, STREAM_BLOCK);
    pass_turn ();
  }
  return NULL;
}

static void
run_streams (void)
{
  static Stream streams[N_STREAMS];
  GThread *threads[N_STREAMS];
  guint i;

  if (!blocks_open ())
    return;
  for (i = 0; i < N_STREAMS; i++) {
    streams[i].number = i;
    threads[i] = g_thread_new ("stream", write_stream, &streams[i]);
  }
  for (i = 0; i < N_STREAMS; i++)
    g_thread_join (threads[i]);
  for (i = 0; i < N_STREAMS; i++)
    blocks_check_calmly (streams[i].queue, DEPTH);
  for (i = 0; i < N_STREAMS; i++)
    blocks_give (streams[i].queue, DEPTH);
  blocks_close ();
}

/* ---- all ---- */

#define PAGED FM_STAT_SPILLS, FM_STAT_FILLS

const Workload store_workloads[] = {
    {"mixed", run_mixed, .ram = "0", .happens = {PAGED}},
    {"mixed-direct", run_mixed, .ram = "0", .on_disk = TRUE,
        .happens = {PAGED}},
    {"mixed-cached", run_mixed, .ram = "0", .on_disk = TRUE,
        .standing = without_direct, .happens = {PAGED}},
    {"mixed-little", run_mixed, .ram = "0", .standing = with_little_memory,
        .words = {"the kernel refused to bring buffers back into memory: they "
                  "are used"},
        .needs_memory = TRUE, .happens = {PAGED, FM_STAT_MAPS_IN_PLACE}},
    {"full", run_full, .ram = "0", .standing = with_a_full_disk,
        .words = {"the disk is full"},
        .happens = {PAGED, FM_STAT_PUNCHED_BYTES}},
    {"clean", run_clean, .ram = "0", .happens = {PAGED, FM_STAT_CLEAN_SPILLS}},
    {"lent", run_lent, .ram = "0", .happens = {PAGED, FM_STAT_MAPS_LENT}},
    {"budgets", run_budgets, .ram = "12M", .happens = {PAGED}},
    {"streams", run_streams, .ram = "16M", .happens = {PAGED}},
    {NULL},
};
