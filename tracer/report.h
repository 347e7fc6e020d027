/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report.h: the report, for people (report.c) and for programs (report-json.c),
 * and what comes first in both (report-sort.c).
 */
#ifndef FM_REPORT_H
#define FM_REPORT_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Writes the report to @to: "none", "stderr", or a path in which %p stands for
 * the process. Says so on stderr if it can't. */
void fm_report_write (
    const FmSnapshot *snapshot, const gchar *to, gboolean as_json);

/* How many allocations fell back to system memory, and why: half a sentence. */
gchar *fm_report_fallbacks (const guint64 *stats);

gchar *fm_report_text (const FmSnapshot *snapshot);

/* One line of JSON. It has at most @most each of elements, threads and queues,
 * those that did most, living ones first; how many living queues were left out;
 * and at most as many pieces of advice. */
gchar *fm_report_json (const FmSnapshot *snapshot, guint most);

/* Those of @tallies in which anything happened, sorted by how long they waited,
 * then by how much they mapped; without references. */
GPtrArray *fm_report_sorted_tallies (GPtrArray *tallies);

/* The same for queues, sorted by how much they hold, then by how much
 * entered. */
GPtrArray *fm_report_sorted_queues (GPtrArray *queues);

G_END_DECLS
#endif
