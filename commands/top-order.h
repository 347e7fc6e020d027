/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-order.h: the orders in which programs may be listed.
 */
#ifndef FM_TOP_ORDER_H
#define FM_TOP_ORDER_H

#include "top-model.h"

G_BEGIN_DECLS

/* In the order in which a key steps through them. */
typedef enum {
  FM_ORDER_PID,
  FM_ORDER_RAM,
  FM_ORDER_DISK,
  FM_ORDER_WAITS,
  FM_ORDER_NAME,
  FM_N_ORDERS
} FmOrder;

/* "by RAM"; empty for the default order. */
const gchar *fm_order_words (FmOrder order);

/* Sorts by a figure with the largest first and unknown ones last, and by pid
 * where two are equal. */
void fm_order_sort (GPtrArray *programs, FmOrder order);

G_END_DECLS
#endif
