/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice.h: what the figures suggest should be done.
 */
#ifndef FM_ADVICE_H
#define FM_ADVICE_H

#include "snapshot.h"

G_BEGIN_DECLS

/* One string for each piece of advice, the most urgent first; often there is
 * none. */
GPtrArray *fm_advice (const FmSnapshot *snapshot);

G_END_DECLS
#endif
