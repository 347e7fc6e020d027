/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure.h: how the budget gives way where others need the memory, and comes
 * back: the policy alone, without a clock or a file.
 *
 * A margin of the memory, of the machine or of the memory cgroup, is to stay
 * free for all its programs. A program that finds less than that free gives
 * back the shortfall, down to a floor; one that finds more than two margins
 * takes some of the rest, up to the budget that was asked for. In between
 * nothing changes, so that programs that look one after the other don't
 * oscillate. When the kernel says that programs stall for memory, whatever
 * seems to be left, a quarter of what is resident goes, and nothing comes back
 * for a while.
 */
#ifndef FM_PRESSURE_H
#define FM_PRESSURE_H

#include "machine.h"

G_BEGIN_DECLS

/* The budget in force from now on: it was @in_force, the user asked for
 * @ceiling, @resident bytes are in memory, and the last look was @elapsed
 * microseconds ago. */
gsize fm_pressure_budget (const FmHeadroom *memory, gsize in_force,
    gsize ceiling, gsize floor, gsize resident, gint64 elapsed);

/* How many more bytes may become resident before the next look. */
gsize fm_pressure_step (const FmHeadroom *memory);

/* After how many microseconds to look again at the latest. */
gint64 fm_pressure_interval (const FmHeadroom *memory);

G_END_DECLS
#endif
