/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hash.c: see hash.h. Four lanes that do not wait for each other, each with one
 * multiplication and one rotation a word; the result mixes them.
 */
#include "hash.h"

#define LANES 4
#define PRIME G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)

static inline guint64
rotate (guint64 word, guint bits)
{
  return word << bits | word >> (64 - bits);
}

static inline guint64
mix (guint64 word)
{
  word = (word ^ word >> 32) * PRIME;
  return word ^ word >> 29;
}

/* A block may be mapped and written while it is hashed, as it may while it is
 * written out: the spill is given up then, whatever the hash. */
__attribute__ ((no_sanitize ("thread"))) guint64
fm_hash (gconstpointer data, gsize length, guint64 before)
{
  const guint64 *words = data;
  guint64 lane[LANES] = {before, before + PRIME, before ^ ~PRIME, mix (before)};
  guint64 hash = length;
  gsize n = length / sizeof *words, at;
  guint i;

  for (at = 0; at < n; at += LANES) {
    for (i = 0; i < LANES; i++) {
      guint64 word = lane[i] ^ words[at + i];

      /* Otherwise the highest bit would only ever change itself. */
      word ^= word >> 32;
      lane[i] = rotate (word * PRIME, 31);
    }
  }
  for (i = 0; i < LANES; i++)
    hash = mix (hash ^ lane[i]) + PRIME;
  return mix (hash);
}
