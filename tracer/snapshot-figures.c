/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * snapshot-figures.c: see snapshot-figures.h.
 */
#include "snapshot-figures.h"

static const FmFigureSpec specs[FM_N_ALL_FIGURES] = {
    FM_ALL_FIGURES (FM_FIGURE_SPEC)};

const FmFigureSpec *
fm_figure_spec (unsigned id)
{
  return &specs[id];
}

const char *
fm_group_title (FmFigureGroup group)
{
  static const char *const titles[] = {
#define X(symbol, title) title,
      FM_GROUPS (X)
#undef X
  };

  return titles[group];
}
