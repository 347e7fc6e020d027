/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * heap-steps.h: compares the block heap, step by step, with a model that knows
 * the live blocks, what each thread still has to cut from, and who has which
 * extent; everything else follows from these.
 */
#ifndef FM_HEAP_STEPS_H
#define FM_HEAP_STEPS_H

#include "choices.h"
#include "heap-fixture.h"

/* As many steps, or until there is nothing more to choose by; gives all blocks
 * back in the end. @fixture is fresh. */
void heap_steps_run (Fixture *fixture, Choices *choices, guint steps);

#endif
