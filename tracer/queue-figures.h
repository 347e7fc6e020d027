/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-figures.h: what is known about each queue, in one table of rows as
 * figures.h has them.
 */
#ifndef FM_QUEUE_FIGURES_H
#define FM_QUEUE_FIGURES_H

#include "figures.h"

/* Why a buffer was left alone: R (X, SYMBOL, "name", "words"). Each is a
 * figure.
 */
/* clang-format off */
#define FM_LEFT_ALONE(R, X) \
  R (X, META, "left-meta", "a meta that a copy would lose, or that belongs to the memory") \
  R (X, NOT_MAPPABLE, "left-not-mappable", "memory that the CPU can't map") \
  R (X, DEVICE, "left-device", "memory of a device (DMABuf, caps features)") \
  R (X, LENT, "left-lent", "memory lent by the element downstream") \
  R (X, NO_ROOM, "left-no-room", "filemem had no room") \
  R (X, FAILED, "left-failed", "the copy failed")
#define FM_LEFT_ROW(X, symbol, name, words) \
  X (LEFT_##symbol, name, COUNTER, NUMBER, REASONS, words, "buffers left alone: " words)

/* Why a small buffer was not packed, likewise. */
#define FM_UNPACKED(R, X) \
  R (X, META, "unpacked-meta", "a meta that can't be packed") \
  R (X, DATA, "unpacked-data", "data that the program or an element has attached") \
  R (X, MEMORY, "unpacked-memory", "memory of a device, or lent, or that the CPU can't map") \
  R (X, NO_ROOM, "unpacked-no-room", "no memory for a parcel")
#define FM_UNPACKED_ROW(X, symbol, name, words) \
  X (UNPACKED_##symbol, name, COUNTER, NUMBER, UNPACKED, words, "small buffers not packed: " words)

#define FM_QUEUE_FIGURES(X) \
  X (LEVEL, "level-bytes", GAUGE, BYTES, PASSED, "level", "bytes in the queue now: as the element says, or as filemem estimates (queues=auto) from what entered it; otherwise those in foreign memory") \
  X (HELD_PEAK, "held-peak", PEAK, BYTES, PASSED, "level, peak", "highest level seen, sampled once per MiB; 0 for a sink and an element that reports no level, without queues=auto") \
  X (HELD_FOREIGN_PEAK, "held-foreign-peak", PEAK, BYTES, PASSED, "foreign in it, peak", "highest estimate of the bytes in the queue that filemem did not hold, for whatever reason") \
  X (OLDEST_NS, "oldest-ns", GAUGE, NS, PASSED, "oldest", "age of the oldest buffer in the queue; 0 for an element that reports its level") \
  X (KEPT, "kept-bytes", GAUGE, BYTES, PASSED, "kept", "level-bytes if nothing has left since the oldest buffer entered, else 0") \
  X (BUFFERS, "buffers", COUNTER, NUMBER, PASSED, "buffers in all", "buffers that entered") \
  X (BYTES, "bytes", COUNTER, BYTES, PASSED, "bytes in all", "bytes that entered") \
  X (FOREIGN_BYTES, "foreign-bytes", COUNTER, BYTES, PASSED, "foreign", "of bytes, those in foreign memory, before any copy") \
  X (FOREIGN_PEAK, "foreign-peak", PEAK, BYTES, PASSED, "foreign, most at once", "most bytes that the queue may have held in foreign memory, or kept from being freed, except for buffers left alone") \
  X (COPIES, "copies", COUNTER, NUMBER, PASSED, "buffers copied", "buffers copied into filemem") \
  X (COPIED_BYTES, "copied-bytes", COUNTER, BYTES, PASSED, "copied", "bytes copied into filemem") \
  X (SHARED_BYTES, "shared-bytes", COUNTER, BYTES, PASSED, "shared with a branch", "bytes that had been copied already for another branch of a tee") \
  X (UNSEEN, "unseen-bytes", COUNTER, BYTES, PASSED, "foreign, pushed unseen", "bytes in foreign memory that the program pushed into an appsrc where filemem can't see it") \
  X (KEPT_OWN, "own-bytes", COUNTER, BYTES, PASSED, "kept in memory of its own", "bytes that the element copies into memory of its own, whatever they came in") \
  X (PACKED, "packed", COUNTER, NUMBER, PACKED, "buffers packed", "small buffers that rested in parcels, many to a block") \
  X (PACKED_BYTES, "packed-bytes", COUNTER, BYTES, PACKED, "packed", "bytes of these") \
  X (PARCELS, "parcels", COUNTER, NUMBER, PACKED, "parcels", "parcels that entered") \
  X (PACKED_LOST, "packed-lost", COUNTER, NUMBER, PACKED, "lost with parcels", "parcels dropped where the queue itself would have kept some of their buffers") \
  FM_UNPACKED (FM_UNPACKED_ROW, X) \
  FM_LEFT_ALONE (FM_LEFT_ROW, X)
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_QUEUE_##symbol,
  FM_QUEUE_FIGURES (X)
#undef X
      FM_N_QUEUE_FIGURES
} FmQueueFigure;

/* Each is the figure that counts it. */
typedef enum {
#define R(X, symbol, ...) FM_LEFT_##symbol = FM_QUEUE_LEFT_##symbol,
  FM_LEFT_ALONE (R, )
#undef R
      FM_NOT_LEFT_ALONE = FM_N_QUEUE_FIGURES
} FmLeftAlone;

typedef enum {
#define R(X, symbol, ...) FM_UNPACKED_##symbol = FM_QUEUE_UNPACKED_##symbol,
  FM_UNPACKED (R, )
#undef R
      FM_NOT_UNPACKED = FM_N_QUEUE_FIGURES
} FmUnpacked;

const FmFigureSpec *fm_queue_figure_spec (FmQueueFigure figure);

#endif
