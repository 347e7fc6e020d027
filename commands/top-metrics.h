/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-metrics.h: the figures of programs for monitoring, as OpenMetrics text.
 */
#ifndef FM_TOP_METRICS_H
#define FM_TOP_METRICS_H

#include "top-model.h"

G_BEGIN_DECLS

/* The text for @programs (FmProgram) and their queues, without the end of the
 * last line. */
gchar *fm_metrics_text (const GPtrArray *programs);

G_END_DECLS
#endif
