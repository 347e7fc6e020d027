/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tally.c: tests what is known of the buffers that an element has mapped.
 */
#include "tally.h"
#include "../../unit/testing.h"

#include <string.h>

#define MIB ((gsize) 1 << 20)
#define MS G_GUINT64_CONSTANT (1000000)

static void
assert_mapped (FmTally *tally, guint64 n, guint64 bytes, guint64 n_most,
    guint64 most, guint64 longest)
{
  guint64 figure[FM_N_MAPPED_FIGURES];

  fm_tally_get_mapped (tally, figure);
  assert_int_equal (figure[FM_MAPPED], n);
  assert_int_equal (figure[FM_MAPPED_BYTES], bytes);
  assert_int_equal (figure[FM_MAPPED_MAX], n_most);
  assert_int_equal (figure[FM_MAPPED_MAX_BYTES], most);
  assert_int_equal (figure[FM_MAPPED_LONGEST_NS], longest);
}

static void
test_mapped (void **state)
{
  static FmRegistry registry; /* as in the tracer: it never goes */
  FmTally *tally = fm_tally_new (&registry, "/x", NULL, 0);

  assert_mapped (tally, 0, 0, 0, 0, 0);
  fm_tally_map (tally, 3 * MIB, 1000);
  fm_tally_map (tally, MIB, 1500);
  fm_tally_unmap (tally, 3 * MIB, 1000, 1700);
  assert_mapped (tally, 1, MIB, 2, 4 * MIB, 700 * MS);
  /* More buffers, fewer bytes. */
  fm_tally_map (tally, 1, 1800);
  fm_tally_map (tally, 0, 1800);
  assert_mapped (tally, 3, MIB + 1, 2, 4 * MIB, 700 * MS);
  fm_tally_map (tally, 4 * MIB, 1900);
  assert_mapped (tally, 4, 5 * MIB + 1, 4, 5 * MIB + 1, 700 * MS);
  fm_tally_unmap (tally, MIB, 1500, 2300);
  fm_tally_unmap (tally, 1, 1800, 2300);
  fm_tally_unmap (tally, 0, 1800, 2300);
  fm_tally_unmap (tally, 4 * MIB, 1900, 2300);
  assert_mapped (tally, 0, 0, 4, 5 * MIB + 1, 800 * MS);
  /* The clock wraps around. */
  fm_tally_map (tally, 1, G_MAXUINT32 - 99);
  fm_tally_unmap (tally, 1, G_MAXUINT32 - 99, 900);
  assert_mapped (tally, 0, 0, 4, 5 * MIB + 1, 1000 * MS);
  fm_registry_leave (&registry, tally);
}

static void
test_never_unmapped (void **state)
{
  static FmRegistry registry;
  FmTally *tally = fm_tally_new (&registry, "/x", NULL, 0);
  guint64 figure[FM_N_MAPPED_FIGURES];

  fm_tally_map (tally, 1, fm_tally_now () - 2000);
  fm_tally_map (tally, 1, fm_tally_now ());
  fm_tally_get_mapped (tally, figure);
  assert_true (figure[FM_MAPPED_LONGEST_NS] >= 2000 * MS);
  assert_true (figure[FM_MAPPED_LONGEST_NS] < 60000 * MS);
  fm_tally_unmap (tally, 1, fm_tally_now (), fm_tally_now ());
  fm_tally_unmap (tally, 1, fm_tally_now (), fm_tally_now ());
  fm_registry_leave (&registry, tally);
}

/* An element goes, its buffers do not; and then they do. */
static void
test_outlived (void **state)
{
  static FmRegistry registry;
  FmTally *tally = fm_tally_new (&registry, "/x", NULL, 0);
  guint i;

  fm_tally_map (tally, MIB, 1000);
  fm_registry_leave (&registry, tally);
  for (i = 0; i < 300; i++)
    fm_registry_leave (&registry, fm_tally_new (&registry, "/y", NULL, 0));
  fm_tally_unmap (tally, MIB, 1000, 2000);
  assert_mapped (tally, 0, 0, 1, MIB, 1000 * MS);
  /* Nobody else has it any more. */
  g_weak_ref_clear (&tally->object);
  g_free (tally->element);
  g_free (tally);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test (test_mapped),
      cmocka_unit_test (test_never_unmapped), cmocka_unit_test (test_outlived)};

  return cmocka_run_group_tests (tests, NULL, NULL);
}
