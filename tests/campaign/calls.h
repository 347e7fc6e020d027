/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * calls.h: the calls of the seam, how each can fail, what that may cost, and
 * what may be said of it.
 */
#ifndef CAMPAIGN_CALLS_H
#define CAMPAIGN_CALLS_H

#include "seam.h"
#include "statistics.h"

G_BEGIN_DECLS

#define CALLS_MAX 40
#define ANSWERS_MAX 16

typedef struct
{
  const gchar *name;
  int answer;      /* of a hook of the seam: an errno, or FM_SEAM_SHORT */
  gboolean unmaps; /* the kernel has unmapped the target before it fails */
} Answer;

typedef struct
{
  const gchar *name;
  FmCall call;
  gboolean (*is_meant) (const FmCallInfo *info); /* NULL: all of them */
  Answer answers[ANSWERS_MAX];                   /* up to one without a name */
} Call;

/* Up to one without a name. */
extern const Call calls[];

/* Whether bytes of blocks can't be had as long as the call fails. */
gboolean call_loses (const Call *call, const Answer *answer);

/* Whether whoever is told that makes the same call again, until it is not. */
gboolean answer_is_passing (const Call *call, const Answer *answer);

/* Whether it fails for want of memory into which bytes are brought. */
gboolean call_brings_in (const Call *call, const Answer *answer);

/* Whether memory, a store or a file may be refused for it. */
gboolean call_gives_memory (const Call *call);
gboolean call_makes_store (const Call *call);

/* What may be left when all is over, because the call that takes it away has
 * failed, or because the file was said to be somebody else's. */
gboolean call_leaves_mappings (const Call *call, const Answer *answer);
gboolean call_leaves_files (const Call *call, const Answer *answer);
gboolean call_leaves_names (const Call *call);

/* What people may be told in any case: a line that starts so, or NULL, and by a
 * process each line so many times at most. */
typedef struct
{
  const gchar *start;
  guint times;
} Words;

/* Why the lines of warnings in @said, each behind the process and a tabulator,
 * are not what has to be said of that fault; NULL if they are. */
gchar *call_misfit (const Call *call, const Answer *answer, const gchar *said,
    const Words *words, gboolean has_lost);

G_END_DECLS
#endif
