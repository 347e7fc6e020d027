/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * recording.h: what filemem knows, over time: the option `record`.
 */
#ifndef FM_RECORDING_H
#define FM_RECORDING_H

#include "snapshot.h"

G_BEGIN_DECLS

/* Appends a line with the report as JSON to the file that @to names; @to is not
 * "none". One caller at a time. */
void fm_recording_add (const gchar *to, FmSnapshot *snapshot);

G_END_DECLS
#endif
