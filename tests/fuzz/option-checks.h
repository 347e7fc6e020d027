/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * option-checks.h: what has to hold of options, whatever text they were read
 * from: either it is refused with a reason and nothing has changed, or every
 * value is within its range.
 */
#ifndef FM_OPTION_CHECKS_H
#define FM_OPTION_CHECKS_H

#include "options.h"

/* The input, for the words in which the others end the program; counts
 * warnings, from 0. */
void checks_begin (const gchar *text);

void check (gboolean ok, const gchar *what, const gchar *name);

/* It was refused. */
void check_error (const GError *error, const gchar *name);
gboolean same_value (const FmOptionValue *a, const FmOptionValue *b);

/* All values that were given are right; the others are the defaults. */
void check_options (const FmOptions *options, const FmOptions *defaults);

guint n_warnings (void);

#endif
