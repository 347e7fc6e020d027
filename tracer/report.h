/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report.h: the final report, for people.
 */
#ifndef FM_REPORT_H
#define FM_REPORT_H

#include "queues.h"

G_BEGIN_DECLS

/* Writes what @stats and the @queues (FmQueueRecord) say to @to: "none",
 * "stderr", or a path in which %p stands for the process. Says so on stderr if
 * it can't. */
void fm_report_write (
    const GstStructure *stats, GPtrArray *queues, const gchar *to);

/* The report itself. */
gchar *fm_report_text (const GstStructure *stats, GPtrArray *queues);

G_END_DECLS
#endif
