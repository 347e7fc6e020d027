/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * records.h: writes what is known to the log of the tracers (GST_TRACER:7), in
 * records that gst-stats-1.0 and similar programs can read; gst-filemem(1)
 * lists them.
 *
 * Locking: one caller at a time.
 */
#ifndef FM_RECORDS_H
#define FM_RECORDS_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Declares the records, once. */
void fm_records_start (void);

/* Logs the records of each kind, one for each thing that there is to report. */
void fm_records_log (const FmSnapshot *snapshot);

G_END_DECLS
#endif
