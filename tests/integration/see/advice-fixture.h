/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-fixture.h: figures that are made up, and the advice that they get.
 */
#ifndef FM_ADVICE_FIXTURE_H
#define FM_ADVICE_FIXTURE_H

#include "advice.h"
#include "../../unit/testing.h"

#define MIB ((guint64) 1 << 20)
#define SECOND G_GUINT64_CONSTANT (1000000000)

typedef struct
{
  FmSnapshot snapshot;
  guint64 *stats;
} Fixture;

/* One that gives no advice: 10000 blocks of 64 KiB, some of which went to disk
 * and back in time. */
int advice_setup (void **state);
int advice_teardown (void **state);

GPtrArray *advise (Fixture *fixture);
void assert_none (Fixture *fixture);
/* This alone. */
void assert_one (Fixture *fixture, const gchar *expected);

FmQueueRecord *add_queue (
    Fixture *fixture, const gchar *name, guint64 bytes, guint64 foreign);

#endif
