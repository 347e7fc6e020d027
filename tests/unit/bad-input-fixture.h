/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * bad-input-fixture.h: a program with a configuration that may be wrong, in a
 * child with GStreamer of its own, and what it said.
 */
#ifndef FM_BAD_INPUT_FIXTURE_H
#define FM_BAD_INPUT_FIXTURE_H

#include "gstreamer-child.h"

#define BLOCK (64 * TESTING_KIB)
#define PREFIX "filemem: "

typedef struct
{
  gchar *dir;     /* exists */
  gchar *used;    /* as the option dir */
  gchar *outside; /* for what must not be in dir */
  /* Of the case at hand: */
  void (*prepare) (const gchar *dir);
  const gchar *variable, *value; /* in the environment, where not NULL */
  const gchar *options;          /* besides dir and reserve=0 */
  guint n_blocks;
  const gchar *mem_type; /* of all blocks; NULL: of some at least, ours */
} Fixture;

int fixture_setup (void **state);
int fixture_teardown (void **state);

gchar *all_options (const Fixture *fixture);

/* ---- in the child ---- */

void start_without_plugins (const Fixture *fixture);

/* NULL if there is none; filled, else. */
GstMemory *new_block (GstAllocator *allocator, gsize size, guint seed);
void check_block (GstMemory *mem, guint seed);

/* Blocks of the default allocator, all alive at once, checked twice. */
void use_default (guint n_blocks, const gchar *mem_type);

/* What most children do: installs filemem with all_options(), and uses it. */
void use_installed (gconstpointer fixture);

/* ---- what it said ---- */

/* Every line is one warning of filemem's, and none is said twice. */
void assert_warnings (const gchar *said, guint n);

/* These two are of a child that does use_installed(). */
void assert_one_warning (Fixture *fixture, const gchar *named);
void assert_silent (Fixture *fixture);

#endif
