/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * foreign-copies.h: what the tests of tracer/foreign.c share. The allocator is
 * one of the test's own, with a small file, and never the default: so
 * everything else in the program is foreign.
 */
#ifndef FM_FOREIGN_COPIES_H
#define FM_FOREIGN_COPIES_H

#include "foreign.h"

#include <gst/filemem/filemem.h>

#include "foreign-fixture.h"

typedef struct
{
  gchar *dir;
  GstAllocator *ours;
} Fixture;

int fixture_setup (void **state);
int fixture_teardown (void **state);

GstMemory *our_memory (Fixture *fixture, gsize size, guint seed);
void check_memory (GstBuffer *buffer, guint index, gsize size, guint seed);
gsize foreign_bytes (GstBuffer *buffer, GstAllocator *ours);

/* NULL if it is left alone. */
GstBuffer *try_copy (Fixture *fixture, GstBuffer *buffer, FmLeftAlone *ret_why);

/* The copy, in which nothing is foreign. @earlier may be NULL. */
GstBuffer *copy_of (Fixture *fixture, GstBuffer *buffer, GHashTable *earlier);

#endif
