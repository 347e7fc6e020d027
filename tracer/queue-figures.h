/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-figures.h: what is known about each queue, in two tables from which the
 * records, the report and the manual page are made.
 */
#ifndef FM_QUEUE_FIGURES_H
#define FM_QUEUE_FIGURES_H

/* (SYMBOL, "name", KIND, unit, "description"), as in statistics.h. */
/* clang-format off */
#define FM_QUEUE_FIGURES(X) \
  X (LEVEL, "level-bytes", GAUGE, BYTES, "bytes in it now; of an element that can't tell, those in foreign memory") \
  X (BUFFERS, "buffers", COUNTER, NUMBER, "buffers that entered") \
  X (BYTES, "bytes", COUNTER, BYTES, "bytes that entered") \
  X (FOREIGN_BYTES, "foreign-bytes", COUNTER, BYTES, "of these, bytes in foreign memory, before any was copied") \
  X (FOREIGN_PEAK, "foreign-peak", GAUGE, BYTES, "most bytes that it may have held in foreign memory, or kept from being freed, but for what was left alone") \
  X (COPIES, "copies", COUNTER, NUMBER, "buffers copied into filemem") \
  X (COPIED_BYTES, "copied-bytes", COUNTER, BYTES, "bytes copied into filemem") \
  X (SHARED_BYTES, "shared-bytes", COUNTER, BYTES, "bytes for which a copy was there already, made for another branch of a tee")

/* Why a buffer was left alone: (SYMBOL, "name", "in words"). */
#define FM_LEFT_ALONE(X) \
  X (META, "left-meta", "a meta that a copy would lose, or that belongs to the memory") \
  X (NOT_MAPPABLE, "left-not-mappable", "memory that the CPU can't map") \
  X (DEVICE, "left-device", "memory of a device (DMABuf, caps features)") \
  X (LENT, "left-lent", "memory lent by the element downstream") \
  X (NO_ROOM, "left-no-room", "filemem had no room") \
  X (FAILED, "left-failed", "the copy failed")
/* clang-format on */

typedef enum {
#define X(symbol, ...) FM_QUEUE_##symbol,
  FM_QUEUE_FIGURES (X)
#undef X
      FM_N_QUEUE_FIGURES
} FmQueueFigure;

typedef enum {
#define X(symbol, ...) FM_LEFT_##symbol,
  FM_LEFT_ALONE (X)
#undef X
      FM_N_LEFT_ALONE,
  FM_NOT_LEFT_ALONE = FM_N_LEFT_ALONE
} FmLeftAlone;

#endif
