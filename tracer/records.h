/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * records.h: what is known goes into the log of the tracers (GST_TRACER:7), in
 * records that gst-stats-1.0 and its like can read; gst-filemem(1) lists them.
 *
 * Locking: one caller at a time.
 */
#ifndef FM_RECORDS_H
#define FM_RECORDS_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Declares them, once. */
void fm_records_start (void);

/* Logs one of each kind for each of what there is. */
void fm_records_log (const FmSnapshot *snapshot);

G_END_DECLS
#endif
