/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * compare.h: runs the same steps on system memory and on filemem, and compares
 * everything that they noted.
 *
 * A scenario is written once. It runs three times, each time on another side:
 * system memory; filemem; filemem again, where compare_settle() forces to disk
 * what has been written. What the scenario hands to compare_note() has to be
 * the same on all three sides; what it hands to compare_check() has to be true
 * on each. A difference does not end the scenario: all of them are printed,
 * with side, case and field, before the test fails.
 *
 * Notes that depend on where malloc() put a block are not comparable; the
 * functions here that take a GstMemory know which these are.
 */
#ifndef FM_TEST_COMPARE_H
#define FM_TEST_COMPARE_H

#include <gst/gst.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

typedef struct _Side Side;
typedef void (*Scenario) (Side *side);

/* One row of a table of tests. */
#define COMPARE(description, scenario)                 \
  {                                                    \
    description, compare_test, NULL, NULL, &(Scenario) \
    {                                                  \
      scenario                                         \
    }                                                  \
  }

/* The last row: that system memory was never taken instead, that most blocks
 * were on disk when they were read, and that nothing is left in the directory.
 */
#define COMPARE_END                                               \
  {                                                               \
    "all of it was filemem's, and went to disk", compare_test_end \
  }

void compare_test (void **state);
void compare_test_end (void **state);

/* The exit code of a program with these tests, of which COMPARE_END is the
 * last; 77 where there is no room on disk to test with. */
#define compare_main(argc, argv, name, tests) \
  compare_run (argc, argv, name, tests, G_N_ELEMENTS (tests))
int compare_run (int argc, char **argv, const gchar *name,
    const struct CMUnitTest *tests, gsize n_tests);

GstAllocator *compare_allocator (Side *side);

/* Names the case that the next notes and checks belong to. */
void compare_case (Side *side, const gchar *format, ...) G_GNUC_PRINTF (2, 3);

void compare_note (Side *side, const gchar *field, const gchar *format, ...)
    G_GNUC_PRINTF (3, 4);
void compare_check (Side *side, gboolean ok, const gchar *format, ...)
    G_GNUC_PRINTF (3, 4);

/* Allocates, and checks that the memory is the side's own. */
GstMemory *compare_alloc (Side *side, gsize size, GstAllocationParams *params);

/* A block with a prefix and a padding, in which the pattern of @seed is. */
#define COMPARE_PREFIX 13
#define COMPARE_PADDING 17
GstMemory *compare_block (Side *side, gsize size, guint flags, guint seed);

/* What the maxsize of such a block has to hold. */
static inline gsize
compare_requested (gsize size)
{
  return COMPARE_PREFIX + size + COMPARE_PADDING;
}

/* Checks that @mem is the side's own and notes all that GStreamer shows of
 * it. @requested is what maxsize has to hold without the slack. */
void compare_memory (
    Side *side, const gchar *field, GstMemory *mem, gsize requested);

/* Notes whether @flags can be mapped, checks the pointer's alignment and the
 * sizes that go with it. */
gboolean compare_map (Side *side, const gchar *field, GstMemory *mem,
    GstMapInfo *info, GstMapFlags flags);

/* Writes the pattern of @seed into all of @mem. */
void compare_write (Side *side, GstMemory *mem, guint seed);

/* Checks that @mem holds @size bytes of the pattern of @seed, from its byte
 * @start on. */
void compare_read (Side *side, const gchar *field, GstMemory *mem, gsize start,
    gsize size, guint seed);

/* The same for bytes that are mapped already. */
void compare_fill (guint8 *data, gsize size, guint seed);
void compare_bytes (Side *side, const gchar *field, const guint8 *data,
    gsize start, gsize size, guint seed);
void compare_zeros (
    Side *side, const gchar *field, const guint8 *data, gsize size);

/* Spills what has been written so far, where the side is a spilled one. */
void compare_settle (Side *side);

#endif
