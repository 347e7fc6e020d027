/* filemem: GStreamer's buffers on disk
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.c: see tally.h.
 */
#include "tally.h"

static void
tally_free (gpointer data)
{
  FmTally *tally = data;

  g_weak_ref_clear (&tally->object);
  g_free (tally->element);
  g_free (tally->thread);
  g_free (tally);
}

FmTally *
fm_tally_new (
    FmRoster *roster, const gchar *element, const gchar *thread, guint64 tid)
{
  FmTally *tally = g_new0 (FmTally, 1);

  tally->element = g_strdup (element);
  tally->thread = g_strdup (thread);
  tally->tid = tid;
  g_weak_ref_init (&tally->object, NULL);
  fm_roster_add (roster, &tally->item, tally_free);
  return tally;
}
