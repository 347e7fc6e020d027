/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * choices.h: what a model does next: at random, or as the bytes say that a
 * fuzzer gives.
 */
#ifndef FM_CHOICES_H
#define FM_CHOICES_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  GRand *rand; /* where this is NULL: */
  const guint8 *data;
  gsize left;
} Choices;

/* There is nothing more to choose by: from now on all choices are 0. */
static inline gboolean
choices_are_over (const Choices *choices)
{
  return choices->rand == NULL && choices->left == 0;
}

static inline guint
choices_byte (Choices *choices)
{
  if (choices->left == 0)
    return 0;
  choices->left--;
  return *choices->data++;
}

/* A number below @n, which is not 0. Takes as many bytes as that needs, so that
 * a change of one byte is a change of one choice. */
static inline guint
choices_below (Choices *choices, guint n)
{
  guint value = 0, most;

  if (choices->rand != NULL)
    return (guint) g_rand_int_range (choices->rand, 0, (gint32) n);
  for (most = n - 1; most > 0; most >>= 8)
    value = value << 8 | choices_byte (choices);
  return value % n;
}

/* FALSE where they are over, so that a loop ends. */
static inline gboolean
choices_percent (Choices *choices, guint percent)
{
  return !choices_are_over (choices) && choices_below (choices, 100) < percent;
}

G_END_DECLS
#endif
