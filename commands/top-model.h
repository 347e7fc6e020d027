/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-model.h: what is known of each program: its figures, and how fast the
 * counters among them grow, from its last two answers.
 *
 * A figure that the program does not report is unknown, and so is a rate if
 * there are no two answers or the program does not answer: the functions then
 * return FALSE. Strings belong to the program and live until its next answer;
 * they are what the program wrote, not made harmless.
 */
#ifndef FM_TOP_MODEL_H
#define FM_TOP_MODEL_H

#include "status-page-json.h"
#include "status-page-reader.h"
#include "snapshot-figures.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *id; /* the page's file name */
  gint64 pid;
  FmStatusPageState state;
  gboolean answering;
  gchar *command;         /* its beginning; NULL: it can't be read */
  const gchar *arguments; /* in that, what follows the program */

  JsonNode *now; /* NULL: there are no figures, or they make no sense */
  JsonNode *before;
  gint64 now_us; /* when they were taken, by this process's clock */
  gint64 before_us;
  guint64 level_peak; /* the most bytes that a queue held while we looked */
} FmProgram;

typedef struct
{
  const gchar *name;
  guint64 level_bytes;
  gboolean has_rate;
  gdouble bytes_per_s; /* that came in */
} FmQueueFigures;

typedef struct
{
  const gchar *name;
  gdouble waits_per_s;
  gdouble waited; /* per second, in seconds; more than 1 with threads */
} FmElementFigures;

FmProgram *fm_program_new (const gchar *id);
void fm_program_free (FmProgram *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FmProgram, fm_program_free)

/* Takes an answer that came at @now_us of some clock. */
void fm_program_take (
    FmProgram *program, const gchar *text, gsize length, gint64 now_us);

/* Updates @programs (FmProgram) from @pages (FmProgramPage); if @pid is not 0,
 * only that program counts. */
void fm_programs_update (
    GPtrArray *programs, const GPtrArray *pages, gint64 pid);

/* Why there are no credible figures; NULL if there are. */
const gchar *fm_program_problem (FmProgram *program);

/* Whether its name, its command line or its pid contains @text, ignoring case.
 * All contain an empty one. */
gboolean fm_program_matches (FmProgram *program, const gchar *text);

/* A member of the page itself. */
const gchar *fm_program_string (FmProgram *program, const gchar *name);
guint64 fm_program_uptime_ns (FmProgram *program);

/* A @figure of the process (FM_STAT_...), and how fast it grows per second. */
gboolean fm_program_figure (
    FmProgram *program, guint figure, guint64 *ret_value);
gboolean fm_program_rate (FmProgram *program, guint figure, gdouble *ret_per_s);

/* How many maps and allocations waited per second. */
gboolean fm_program_waits (FmProgram *program, gdouble *ret_per_s);

/* Whether there are two answers to compare. */
gboolean fm_program_has_rates (FmProgram *program);

/* FmQueueFigures, the fullest first; and how many more queues there are, which
 * hold less. */
GArray *fm_program_queues (FmProgram *program);
guint fm_program_queues_left_out (FmProgram *program);

/* FmElementFigures of those that waited since the last answer, the longest
 * waiting first; NULL if the program does not report them. */
GArray *fm_program_elements (FmProgram *program);

/* (const gchar *) */
GPtrArray *fm_program_advice (FmProgram *program);

G_END_DECLS
#endif
