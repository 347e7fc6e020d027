/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-tracers.c: tests how gst-filemem-doctor reads GST_TRACERS.
 */
#include "../../commands/doctor.h"
#include "testing.h"

static void
test_mend (void **state)
{
  static const struct
  {
    const gchar *tracers;
    const gchar *mended; /* NULL: is as it should be */
  } cases[] = {
      {NULL, NULL},
      {"", NULL},
      {"filemem", NULL},
      {"latency;filemem", NULL},
      {"filemem(dir=/x,ram=1M);stats", NULL},
      {"filemem(dir=/a b)", NULL},
      {"filemem(dir=(string)/x,ram=(string)1M)", NULL},
      {";;filemem;", NULL},
      {"latency(flags=\"pipeline+element\");filemem", NULL},
      /* Not filemem's business. */
      {"latency, stats", NULL},
      {" filemem", "filemem"},
      {"filemem ", "filemem"},
      {"filemem\n", "filemem"},
      {"latency; filemem", "latency;filemem"},
      {"filemem,latency", "filemem;latency"},
      {"latency, filemem", "latency;filemem"},
      {"filemem(ram=1M),stats", "filemem(ram=1M);stats"},
      {"filemem(ram=1M),latency(flags=x)", "filemem(ram=1M);latency(flags=x)"},
      {"filemem (ram=1M)", "filemem(ram=1M)"},
      {"FileMem", "filemem"},
      {"latency filemem", "latency;filemem"},
      {"filemem(ram=1M", "filemem(ram=1M)"},
      {"filemem(ram=(string)1M", "filemem(ram=(string)1M)"},
      {"filemem (ram=(string)1M), stats", "filemem(ram=(string)1M);stats"},
      {"latency(a;b), filemem", "latency(a;b);filemem"},
      {"filemem,ram=1M", "filemem(ram=1M)"},
      {"filemem ram=1M size=1G;stats", "filemem(ram=1M,size=1G);stats"},
      {"filemem(ram=1M),size=1G", "filemem(ram=1M,size=1G)"},
      {"latency,x=1", NULL},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *mended = doctor_tracers_mend (cases[i].tracers);

    if (cases[i].mended == NULL && mended != NULL)
      fail_msg ("\"%s\" became \"%s\"", cases[i].tracers, mended);
    if (cases[i].mended != NULL && mended == NULL)
      fail_msg ("\"%s\" was left", cases[i].tracers);
    if (mended != NULL)
      assert_string_equal (mended, cases[i].mended);
  }
}

/* What is mended needs no mending. */
static void
test_mend_again (void **state)
{
  static const gchar *const texts[] = {"(filemem", ")filemem", "filemem)",
      "((filemem))", "filemem(", ", ,filemem(,)", "filemem()(", "\tFILEMEM(a)b",
      "a(b)filemem", "filemem(a(b", "filemem((", "filemem ((a)b,c",
      "(a;;b,filemem", "filemem(a);b=c);d=e"};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree gchar *mended = doctor_tracers_mend (texts[i]);
    g_autofree gchar *again = NULL;

    if (mended != NULL)
      again = doctor_tracers_mend (mended);
    if (again != NULL)
      fail_msg ("\"%s\" became \"%s\", that \"%s\"", texts[i], mended, again);
  }
}

static void
test_cut_short (void **state)
{
  assert_false (doctor_tracers_cut_short (NULL));
  assert_false (doctor_tracers_cut_short ("filemem"));
  assert_false (doctor_tracers_cut_short ("filemem(dir=/x);latency(flags=a)"));
  assert_false (doctor_tracers_cut_short ("filemem(dir=/x),latency(flags=a)"));
  assert_false (doctor_tracers_cut_short ("latency(a;b)"));
  assert_false (doctor_tracers_cut_short ("filemem(dir=(string)/x,ram=(s)1M)"));
  assert_true (doctor_tracers_cut_short ("filemem(dir=(string)/a;b)"));
  assert_true (doctor_tracers_cut_short ("filemem(dir=/a;b)"));
  assert_true (doctor_tracers_cut_short ("stats;filemem(dir=/a;b)"));
  assert_true (doctor_tracers_cut_short ("filemem(dir=/a)b)"));
}

static void
test_params (void **state)
{
  static const struct
  {
    const gchar *tracers;
    const gchar *params;
  } cases[] = {
      {NULL, NULL},
      {"", NULL},
      {"latency(filemem)", NULL},
      {"filemem2(a=b)", NULL},
      {" filemem(a=b)", NULL},
      {"filemem", ""},
      {"filemem()", ""},
      {"filemem(ram=1M,dir=/x)", "ram=1M,dir=/x"},
      {"stats;filemem(ram=1M);latency(a=b)", "ram=1M"},
      {"filemem(ram=1M", "ram=1M"},
      {"filemem(dir=(string)/x,ram=(s)1M)", "dir=(string)/x,ram=(s)1M"},
      {"filemem(dir=(string)/x;y);stats", "dir=(string)/x"},
      {"filemem(dir=/x)y)", "dir=/x"},
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *params = fm_options_tracer_params (cases[i].tracers);

    if (g_strcmp0 (params, cases[i].params) != 0)
      fail_msg ("\"%s\" gave \"%s\"", cases[i].tracers, params);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_mend),
      cmocka_unit_test (test_mend_again),
      cmocka_unit_test (test_cut_short),
      cmocka_unit_test (test_params),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
