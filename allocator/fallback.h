/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fallback.h: why a buffer stays, or becomes, ordinary memory, and what the
 * user is told about it.
 *
 * Locking: none; the flags are atomic.
 */
#ifndef FM_FALLBACK_H
#define FM_FALLBACK_H

#include "options.h"
#include "statistics.h"
#include "store.h"

#include <stdatomic.h>

G_BEGIN_DECLS

/* Each is the statistic that counts it. */
typedef enum {
#define R(X, symbol, ...) FM_FALLBACK_##symbol = FM_STAT_FALLBACKS_##symbol,
  FM_FALLBACK_REASONS (R, )
#undef R
} FmFallback;

/* Zeroed at first. */
typedef struct
{
  atomic_bool said[FM_N_STATISTICS]; /* by FmFallback */
} FmFallbackWarnings;

/* The reason why a store gave no block. */
FmFallback fm_fallback_reason (FmStoreResult result);

/* Warns of each reason once, but not where the user asked for it (min-size) or
 * has been told already (the directory). @waited: the allocation waited for
 * room. */
void fm_fallback_warn (FmFallbackWarnings *warned, FmFallback why, gsize bytes,
    const FmStore *store, gboolean waited);

G_END_DECLS
#endif
