/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-heap.c: the bytes are the steps of the block heap, beside a model of it
 * (tests/unit/heap-steps.h).
 */
#include "fuzz.h"

#include "../unit/heap-steps.h"

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  Choices choices = {.data = data, .left = size};
  void *fixture;

  fuzz_check (fixture_setup (&fixture) == 0);
  heap_steps_run (fixture, &choices, G_MAXUINT);
  fixture_teardown (&fixture);
  return 0;
}
