/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * pressure.c: see pressure.h. Pure; any thread.
 */
#include "pressure.h"

#define MIB ((guint64) 1 << 20)

/* If this many programs each take a step before they look again, the margin is
 * still there. */
#define STEP_PART 64
#define STEP_MIN (MIB / 4)
#define STEP_MAX (8 * MIB)

/* A budget comes back in this many seconds, if there is room; and one program
 * takes this part of that room at a time. */
#define RETURN_SECONDS 16
#define RETURN_PART 8

/* A program that takes this much a second is to be noticed within the
 * margin. */
#define TAKEN_A_SECOND (256 * MIB)
#define INTERVAL_MAX G_USEC_PER_SEC
#define INTERVAL_MIN (G_USEC_PER_SEC / 10)

/* Where programs stall for memory although some seems to be left, this part
 * goes each time that the kernel says so. */
#define STALL_PART 4

gsize
fm_pressure_budget (const FmHeadroom *memory, gsize in_force, gsize ceiling,
    gsize floor, gsize resident, gint64 elapsed)
{
  guint64 margin = fm_headroom_margin (memory), wanted = in_force, more;

  if (memory->stalls == FM_STALLS_NOW)
    wanted = MIN (wanted, resident - resident / STALL_PART);
  if (memory->headroom < margin) {
    guint64 missing = margin - memory->headroom;

    wanted = MIN (wanted, resident - MIN (resident, missing));
  } else if (memory->headroom > 2 * margin && memory->stalls == FM_STALLS_NO) {
    more = (guint64) ((gdouble) ceiling * (gdouble) elapsed / G_USEC_PER_SEC
        / RETURN_SECONDS);
    wanted += MIN (more, (memory->headroom - 2 * margin) / RETURN_PART);
  }
  return (gsize) CLAMP (wanted, MIN (floor, ceiling), ceiling);
}

/* How much is left before the margin; 0 if it is less than the margin. */
static guint64
before_margin (const FmHeadroom *memory)
{
  return (guint64) MAX (fm_headroom_before_margin (memory), 0);
}

gsize
fm_pressure_step (const FmHeadroom *memory)
{
  return (gsize) CLAMP (before_margin (memory) / STEP_PART, STEP_MIN, STEP_MAX);
}

gint64
fm_pressure_interval (const FmHeadroom *memory)
{
  guint64 most = TAKEN_A_SECOND, left = MIN (before_margin (memory), most);

  return MAX ((gint64) (left * INTERVAL_MAX / most), INTERVAL_MIN);
}
