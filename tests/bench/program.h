/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * program.h: what the programs have in common that run one competitor: their
 * options, the blocks, and what went to the device and came from it.
 */
#ifndef FM_BENCH_PROGRAM_H
#define FM_BENCH_PROGRAM_H

#include "competitors.h"
#include "measure.h"

typedef struct
{
  const gchar *name;
  gint64 block; /* bytes; the default is to be set */
  gchar *dir, *ram;
  const Competitor *competitor;
  GstAllocator *allocator;
} Program;

/* Takes the options of all (--block, --dir, --ram), those of @entries, and the
 * competitor. Ends the process with 2 if they are wrong. */
void program_parse (
    Program *program, const GOptionEntry *entries, int argc, char **argv);

/* Ends the process: 2, for options that make no sense; 1, with @what. */
void program_usage (const Program *program) G_GNUC_NORETURN;
void program_fail (const gchar *what) G_GNUC_NORETURN;

/* For as many blocks at a time. Ends the process with 77 if there can be no
 * such allocator here. */
void program_make_allocator (Program *program, gsize n_blocks);

/* The competitor's own figures, and the end of the line. */
void program_print_end (const Program *program);

/* One of the allocator's statistics; 0 if it has none. */
guint64 program_figure (const Program *program, const gchar *name);

/* A new block that holds what block @number holds. */
GstMemory *program_write_block (const Program *program, guint64 number);

/* Maps a block for reading; fails if it does not hold what @number does. */
void block_map (GstMemory *mem, GstMapInfo *info, guint64 number);

/* ---- the device ---- */

typedef struct
{
  ProcessIo io;
  guint64 spilled, filled; /* bytes, by the statistics */
  guint64 ns;
} Traffic;

void traffic_now (const Program *program, Traffic *traffic);

/* "written= read=" as the kernel counts, " spilled= filled=" as the statistics
 * do, for each of @bytes. */
void traffic_print (const Traffic *since, const Traffic *until, gdouble bytes);

#endif
