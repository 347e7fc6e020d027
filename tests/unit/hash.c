/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * hash.c: tests the hash that tells whether memory is what it was: no bit may
 * change unnoticed, nor two of those that the same lane takes one after the
 * other.
 */
#include "hash.h"
#include "testing.h"

#include <string.h>

#define WORDS (TESTING_PAGE / sizeof (guint64))
#define WORD_BITS 64

/* Words of a lane that follow each other, and what the two are tried in. */
#define NEXT_IN_LANE 4
#define FEW_WORDS 16

static guint64 page[WORDS];

static int
setup (void **state)
{
  testing_fill ((guint8 *) page, sizeof page, 1);
  return 0;
}

static guint64
hash_of (const guint64 *words, guint n_words)
{
  return fm_hash (words, n_words * sizeof *words, FM_HASH_START);
}

static void
flip (guint64 *words, guint bit)
{
  words[bit / WORD_BITS] ^= (guint64) 1 << bit % WORD_BITS;
}

static void
test_same (void **state)
{
  guint64 copy[WORDS];

  memcpy (copy, page, sizeof page);
  assert_true (hash_of (copy, WORDS) == hash_of (page, WORDS));
  assert_true (
      fm_hash (page, sizeof page, 1) != fm_hash (page, sizeof page, 2));
}

/* No memory at all is no place to count from, which UBSan tells. */
static void
test_nothing (void **state)
{
  assert_true (fm_hash (NULL, 0, 1) == fm_hash (page, 0, 1));
}

/* A page of zeros is not half a page of zeros. */
static void
test_length (void **state)
{
  static const guint64 zeros[WORDS];
  guint64 before = hash_of (zeros, 0);
  guint n;

  for (n = NEXT_IN_LANE; n <= WORDS; n += NEXT_IN_LANE) {
    const guint64 hash = hash_of (zeros, n);

    assert_true (hash != before);
    before = hash;
  }
}

static void
assert_no_two_alike (GArray *hashes)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_int64_hash, g_int64_equal);
  guint i;

  for (i = 0; i < hashes->len; i++)
    assert_true (g_hash_table_add (seen, &g_array_index (hashes, guint64, i)));
}

static void
test_each_bit (void **state)
{
  g_autoptr (GArray) hashes = g_array_new (FALSE, FALSE, sizeof (guint64));
  guint64 hash = hash_of (page, WORDS);
  guint bit;

  g_array_append_val (hashes, hash);
  for (bit = 0; bit < WORDS * WORD_BITS; bit++) {
    flip (page, bit);
    hash = hash_of (page, WORDS);
    g_array_append_val (hashes, hash);
    flip (page, bit);
  }
  assert_no_two_alike (hashes);
}

/* One change must not undo the other: whichever two bits of two words. */
static void
test_two_bits (void **state)
{
  const guint64 hash = hash_of (page, FEW_WORDS);
  guint word, i, j;

  for (word = 0; word + NEXT_IN_LANE < FEW_WORDS; word++) {
    for (i = 0; i < WORD_BITS; i++) {
      flip (page, word * WORD_BITS + i);
      for (j = 0; j < WORD_BITS; j++) {
        const guint other = (word + NEXT_IN_LANE) * WORD_BITS + j;

        flip (page, other);
        if (hash_of (page, FEW_WORDS) == hash)
          fail_msg ("bit %u of word %u hides bit %u of word %u", i, word, j,
              word + NEXT_IN_LANE);
        flip (page, other);
      }
      flip (page, word * WORD_BITS + i);
    }
  }
}

/* Of the page in two parts, the first of @n words. */
static guint64
hash_in_parts (guint n)
{
  return fm_hash (page + n, (WORDS - n) * sizeof *page, hash_of (page, n));
}

static void
test_parts (void **state)
{
  g_autoptr (GArray) hashes = g_array_new (FALSE, FALSE, sizeof (guint64));
  guint64 hash = hash_of (page, WORDS);
  guint n;

  g_array_append_val (hashes, hash);
  for (n = 0; n <= WORDS; n += NEXT_IN_LANE) {
    hash = hash_in_parts (n);
    assert_true (hash_in_parts (n) == hash);
    g_array_append_val (hashes, hash);
  }
  assert_no_two_alike (hashes);
}

/* What changed in the first part is not forgotten in the second. */
static void
test_change_in_part (void **state)
{
  const guint64 hash = hash_in_parts (WORDS / 2);
  guint bit;

  for (bit = 0; bit < WORDS * WORD_BITS; bit += 61) {
    flip (page, bit);
    assert_true (hash_in_parts (WORDS / 2) != hash);
    flip (page, bit);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup (test_same, setup),
      cmocka_unit_test_setup (test_nothing, setup),
      cmocka_unit_test_setup (test_length, setup),
      cmocka_unit_test_setup (test_each_bit, setup),
      cmocka_unit_test_setup (test_two_bits, setup),
      cmocka_unit_test_setup (test_parts, setup),
      cmocka_unit_test_setup (test_change_in_part, setup),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
