/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * thread-number.c: see thread-number.h.
 */
#include "thread-number.h"

#include <stdatomic.h>

/* Without this attribute each use is a call into the dynamic linker. */
_Thread_local guint fm_thread_number_plus_one
    __attribute__ ((tls_model ("initial-exec")));

_Thread_local guint fm_writer_number_plus_one
    __attribute__ ((tls_model ("initial-exec")));

#define WORD_BITS 64

static _Atomic guint64 writers_used[FM_WRITERS / WORD_BITS]; /* a bit each */
static atomic_uint n_writers_sharing;

static _Atomic guint64 numbers_used; /* a bit each */
static atomic_uint n_sharing;        /* threads so far that found no free one */

/* At the end of a thread. What it still does after this counts under a number
 * that it takes anew. */
static void
give_number (gpointer data)
{
  guint number = GPOINTER_TO_UINT (data) - 1;

  fm_thread_number_plus_one = 0;
  if (number < FM_THREADS)
    atomic_fetch_and (&numbers_used, ~((guint64) 1 << number));
}

static GPrivate key = G_PRIVATE_INIT (give_number);

guint
fm_thread_number_take (void)
{
  guint64 used = atomic_load (&numbers_used);
  guint number = FM_THREADS;

  while (number == FM_THREADS && ~used != 0) {
    guint lowest = (guint) __builtin_ctzll (~used);

    if (atomic_compare_exchange_weak (
            &numbers_used, &used, used | (guint64) 1 << lowest))
      number = lowest;
  }
  if (number == FM_THREADS)
    number += atomic_fetch_add (&n_sharing, 1) % FM_THREADS;
  fm_thread_number_plus_one = number + 1;
  g_private_set (&key, GUINT_TO_POINTER (number + 1));
  return number;
}

/* ---- writers ---- */

static void
give_writer (gpointer data)
{
  guint number = GPOINTER_TO_UINT (data) - 1;

  fm_writer_number_plus_one = 0;
  atomic_fetch_and (
      &writers_used[number / WORD_BITS], ~((guint64) 1 << number % WORD_BITS));
}

static GPrivate writer_key = G_PRIVATE_INIT (give_writer);

static gboolean
take_lowest (_Atomic guint64 *word, guint *ret_bit)
{
  guint64 used = atomic_load (word);

  while (~used != 0) {
    *ret_bit = (guint) __builtin_ctzll (~used);
    if (atomic_compare_exchange_weak (
            word, &used, used | (guint64) 1 << *ret_bit))
      return TRUE;
  }
  return FALSE;
}

guint
fm_writer_number_take (void)
{
  guint i, bit, number;

  for (i = 0; i < G_N_ELEMENTS (writers_used); i++) {
    if (take_lowest (&writers_used[i], &bit)) {
      number = i * WORD_BITS + bit;
      fm_writer_number_plus_one = number + 1;
      g_private_set (&writer_key, GUINT_TO_POINTER (number + 1));
      return number;
    }
  }
  /* Shares the number of another thread, which will give it back. */
  number = atomic_fetch_add (&n_writers_sharing, 1) % FM_WRITERS;
  fm_writer_number_plus_one = number + 1;
  return number;
}
