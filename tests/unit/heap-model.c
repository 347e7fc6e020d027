/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-model.c: compares the block heap, step by step at random, with a model.
 */
#include "heap-steps.h"

#define STEPS 40000

static void
test_against_model (void **state)
{
  Choices choices = {.rand = g_rand_new_with_seed (691299)};

  heap_steps_run (*state, &choices, STEPS);
  g_rand_free (choices.rand);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown (
          test_against_model, fixture_setup, fixture_teardown),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
