/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queue-figures.c: see queue-figures.h.
 */
#include "queue-figures.h"

const FmFigureSpec *
fm_queue_figure_spec (FmQueueFigure figure)
{
  static const FmFigureSpec specs[FM_N_QUEUE_FIGURES] = {
      FM_QUEUE_FIGURES (FM_FIGURE_SPEC)};

  return &specs[figure];
}
