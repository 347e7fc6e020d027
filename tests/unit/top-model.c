/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-model.c: what gst-filemem top makes of the answers of a program: rates,
 * what is unknown, the order of queues and elements; and its words.
 */
#include "top-command.h"
#include "top-order.h"
#include "top-sheet.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void
take (FmProgram *program, const gchar *text, gint64 now_us)
{
  fm_program_take (program, text, strlen (text), now_us);
}

static FmProgram *
new_program (const gchar *first, const gchar *second)
{
  FmProgram *program = fm_program_new ("1-abcdef");

  program->answering = TRUE;
  take (program, first, 0);
  if (second)
    take (program, second, 4 * G_USEC_PER_SEC);
  return program;
}

static void
rates_are_by_the_programs_clock (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"uptime-ns\":1000000000,\"stats\":{\"spills\":10}}",
          "{\"uptime-ns\":3000000000,\"stats\":{\"spills\":30}}");
  gdouble rate;

  assert_true (fm_program_rate (program, FM_STAT_SPILLS, &rate));
  assert_true (rate == 10);
}

static void
matches (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"program\":\"Caméra\"}", NULL);

  program->pid = 4711;
  assert_true (fm_program_matches (program, ""));
  assert_true (fm_program_matches (program, "camÉ"));
  assert_true (fm_program_matches (program, "71"));
  assert_false (fm_program_matches (program, "camel"));
  assert_false (fm_program_matches (program, "filesrc"));
  program->command = g_strdup ("camera FileSrc ! \xff");
  assert_true (fm_program_matches (program, "filesrc !"));
  /* Half a letter has been typed. */
  assert_false (fm_program_matches (program, "cam\xc3"));
}

static void
rates_are_by_our_clock_without (void **state)
{
  g_autoptr (FmProgram) program = new_program (
      "{\"stats\":{\"spills\":10}}", "{\"stats\":{\"spills\":30}}");
  gdouble rate;

  assert_true (fm_program_rate (program, FM_STAT_SPILLS, &rate));
  assert_true (rate == 5);
}

static void
rates_are_unknown (void **state)
{
  const gchar *first = "{\"uptime-ns\":1000000000,\"stats\":{\"spills\":10}}";
  const gchar *others[] = {
      NULL, /* one answer alone */
      "{\"uptime-ns\":1000000000,\"stats\":{\"spills\":10}}", /* no time */
      "{\"uptime-ns\":500000000,\"stats\":{\"spills\":30}}",  /* backwards */
      "{\"uptime-ns\":2000000000,\"stats\":{}}",
      "{\"uptime-ns\":2000000000,\"stats\":{\"spills\":\"30\"}}",
      "nonsense",
  };

  for (guint i = 0; i < G_N_ELEMENTS (others); i++) {
    g_autoptr (FmProgram) program = new_program (first, others[i]);
    gdouble rate;

    assert_false (fm_program_rate (program, FM_STAT_SPILLS, &rate));
  }
}

static void
a_silent_program_has_no_rates (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"uptime-ns\":1000000000,\"stats\":{\"spills\":10}}",
          "{\"uptime-ns\":3000000000,\"stats\":{\"spills\":30}}");
  gdouble rate;
  guint64 figure;

  program->answering = FALSE;
  assert_false (fm_program_rate (program, FM_STAT_SPILLS, &rate));
  assert_true (fm_program_figure (program, FM_STAT_SPILLS, &figure));
  assert_int_equal (figure, 30);
}

static void
a_counter_that_shrinks_does_not_grow (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"uptime-ns\":1000000000,\"stats\":{\"spills\":30}}",
          "{\"uptime-ns\":2000000000,\"stats\":{\"spills\":10}}");
  gdouble rate;

  assert_true (fm_program_rate (program, FM_STAT_SPILLS, &rate));
  assert_true (rate == 0);
}

static void
negative_figures_are_none (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"stats\":{\"spills\":-5}}", NULL);
  guint64 figure;

  assert_true (fm_program_figure (program, FM_STAT_SPILLS, &figure));
  assert_int_equal (figure, 0);
}

static void
queues_by_level (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"uptime-ns\":1000000000,\"queues\":["
                   "{\"queue\":\"b\",\"id\":3,\"bytes\":100}]}",
          "{\"uptime-ns\":3000000000,\"queues\":["
          "{\"queue\":\"a\",\"id\":1,\"level-bytes\":1},"
          "{\"queue\":\"b\",\"id\":3,\"level-bytes\":7,\"bytes\":300},"
          "{\"level-bytes\":9}, 5],\"queues-left-out\":6}");
  g_autoptr (GArray) queues = fm_program_queues (program);
  const FmQueueFigures *first = &g_array_index (queues, FmQueueFigures, 0);

  assert_int_equal (queues->len, 2);
  assert_string_equal (first->name, "b");
  assert_int_equal (first->level_bytes, 7);
  assert_true (first->has_rate);
  assert_true (first->bytes_per_s == 100);
  assert_string_equal (first[1].name, "a");
  assert_false (first[1].has_rate);
  assert_int_equal (fm_program_queues_left_out (program), 6);
}

/* A player makes the same pipeline again for each item; a server has many. */
static void
queues_of_one_name (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"uptime-ns\":1000000000,\"queues\":["
                   "{\"queue\":\"q\",\"id\":1,\"bytes\":500},"
                   "{\"queue\":\"q\",\"id\":2,\"bytes\":10}]}",
          "{\"uptime-ns\":2000000000,\"queues\":["
          "{\"queue\":\"q\",\"id\":2,\"level-bytes\":7,\"bytes\":30},"
          "{\"queue\":\"q\",\"id\":3,\"level-bytes\":5,\"bytes\":40},"
          "{\"queue\":\"q\",\"id\":1,\"gone\":1,\"bytes\":500}]}");
  g_autoptr (GArray) queues = fm_program_queues (program);
  const FmQueueFigures *first = &g_array_index (queues, FmQueueFigures, 0);

  assert_int_equal (queues->len, 2);
  assert_int_equal (first[0].level_bytes, 7);
  assert_true (first[0].has_rate);
  assert_true (first[0].bytes_per_s == 20);
  assert_int_equal (first[1].level_bytes, 5);
  assert_false (first[1].has_rate);
}

static void
the_peak_of_levels_stays (void **state)
{
  g_autoptr (FmProgram) program =
      new_program ("{\"queues\":[{\"queue\":\"q\",\"level-bytes\":9}]}",
          "{\"queues\":[{\"queue\":\"q\",\"level-bytes\":3}]}");

  assert_int_equal (program->level_peak, 9);
}

static void
elements_by_what_they_waited_just_now (void **state)
{
  /* The one that has waited most in all its life does not wait now. */
  g_autoptr (FmProgram) program = new_program (
      "{\"uptime-ns\":1000000000,\"elements\":["
      "{\"element\":\"old\",\"id\":1,\"map-wait-ns\":9000000000},"
      "{\"element\":\"map\",\"id\":2,\"map-waits\":1,\"map-wait-ns\":0},"
      "{\"element\":\"both\",\"id\":3,\"map-wait-ns\":0,\"alloc-wait-ns\":0}]}",
      "{\"uptime-ns\":2000000000,\"elements\":["
      "{\"element\":\"old\",\"id\":1,\"map-wait-ns\":9000000000},"
      "{\"element\":\"map\",\"id\":2,\"map-waits\":4,\"map-wait-ns\":500000000}"
      ","
      "{\"element\":\"both\",\"id\":3,\"map-wait-ns\":300000000,"
      "\"alloc-wait-ns\":400000000}]}");
  g_autoptr (GArray) elements = fm_program_elements (program);
  const FmElementFigures *first =
      &g_array_index (elements, FmElementFigures, 0);

  assert_int_equal (elements->len, 2);
  assert_string_equal (first[0].name, "both");
  assert_true (first[0].waited > 0.69 && first[0].waited < 0.71);
  assert_string_equal (first[1].name, "map");
  assert_true (first[1].waits_per_s == 3);
}

static void
elements_may_be_untold (void **state)
{
  const gchar *texts[] = {"{}", "{\"elements\":[]}", "{\"elements\":3}"};

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (FmProgram) program = new_program (texts[i], texts[i]);

    assert_null (fm_program_elements (program));
  }
}

static void
programs_follow_pages (void **state)
{
  g_autoptr (GPtrArray) programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  g_autoptr (GPtrArray) pages = g_ptr_array_new ();
  gchar first[] = "{\"program\":\"first\"}", second[] = "{\"program\":\"x\"}";
  FmProgramPage a = {.name = "7-aaaaaa",
      .pid = 7,
      .answering = TRUE,
      .text = first,
      .length = strlen (first)};
  FmProgramPage b = {.name = "8-bbbbbb",
      .pid = 8,
      .answering = FALSE,
      .text = second,
      .length = strlen (second)};
  FmProgram *kept;

  g_ptr_array_add (pages, &a);
  g_ptr_array_add (pages, &b);
  fm_programs_update (programs, pages, 0);
  assert_int_equal (programs->len, 2);
  kept = g_ptr_array_index (programs, 1);
  assert_string_equal (fm_program_string (kept, "program"), "x");
  assert_null (fm_program_problem (kept));
  /* What is no answer is taken once. */
  fm_programs_update (programs, pages, 0);
  assert_null (kept->before);

  g_ptr_array_remove_index (pages, 0);
  fm_programs_update (programs, pages, 0);
  assert_int_equal (programs->len, 1);
  assert_ptr_equal (g_ptr_array_index (programs, 0), kept);
  fm_programs_update (programs, pages, 9);
  assert_int_equal (programs->len, 0);
}

/* Names of programs made of @texts, in that order, sorted. */
static gchar *
sort_programs (FmOrder order)
{
  static const gchar *const texts[][2] = {
      {"{\"program\":\"b\",\"uptime-ns\":1,\"stats\":{\"map-waits\":1}}",
          "{\"program\":\"b\",\"uptime-ns\":9,\"stats\":{\"map-waits\":3,"
          "\"resident-bytes\":7,\"disk-bytes\":5}}"},
      {"{}", "{}"},
      {"{\"program\":\"a\",\"uptime-ns\":1,\"stats\":{\"map-waits\":1}}",
          "{\"program\":\"a\",\"uptime-ns\":9,\"stats\":{\"map-waits\":9,"
          "\"resident-bytes\":7,\"disk-bytes\":6}}"},
  };
  g_autoptr (GPtrArray) programs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) fm_program_free);
  GString *names = g_string_new (NULL);

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    FmProgram *program = new_program (texts[i][0], texts[i][1]);

    program->pid = 10 + i;
    g_ptr_array_add (programs, program);
  }
  fm_order_sort (programs, order);
  for (guint i = 0; i < programs->len; i++) {
    const gchar *name =
        fm_program_string (g_ptr_array_index (programs, i), "program");

    g_string_append (names, name ? name : "?");
  }
  return g_string_free (names, FALSE);
}

#define assert_words(call, expected)       \
  do {                                     \
    g_autofree gchar *words = (call);      \
    assert_string_equal (words, expected); \
  } while (0)

static void
programs_in_order (void **state)
{
  assert_words (sort_programs (FM_ORDER_PID), "b?a");
  assert_words (sort_programs (FM_ORDER_RAM), "ba?");
  assert_words (sort_programs (FM_ORDER_DISK), "ab?");
  assert_words (sort_programs (FM_ORDER_WAITS), "ab?");
  assert_words (sort_programs (FM_ORDER_NAME), "?ab");
}

/* Our own, which is there. */
static void
command_lines (void **state)
{
  const gchar *arguments = NULL;
  g_autofree gchar *command = fm_command_line (getpid (), &arguments);

  assert_non_null (command);
  assert_non_null (strstr (command, "test-top-model"));
  assert_true (arguments >= command);
  assert_true (arguments <= command + strlen (command));
  assert_null (fm_command_line (G_MAXINT32, &arguments));
}

static void
words_for_figures (void **state)
{
  assert_words (fm_words_bytes (0), "0 B");
  assert_words (fm_words_bytes (1023), "1023 B");
  assert_words (fm_words_bytes (1024), "1.0 KiB");
  assert_words (fm_words_bytes (1.5 * 1024 * 1024), "1.5 MiB");
  assert_words (fm_words_bytes (1024 * 1024 - 1), "1.0 MiB");
  assert_words (fm_words_short_bytes (2048.0 * 1024 * 1024), "2.0G");
  assert_words (fm_words_ns (999), "999 ns");
  assert_words (fm_words_ns (1234567), "1.2 ms");
  assert_words (fm_words_ns (999.9e6), "1.0 s");
  assert_words (fm_words_number (0), "0");
  assert_words (fm_words_number (0.01), "<0.1");
  assert_words (fm_words_number (9.96), "10");
  assert_words (fm_words_permille (0), "0");
  assert_words (fm_words_permille (4), "<0.01");
  assert_words (fm_words_permille (876), "0.88");
  assert_words (fm_words_permille (995), "1.0");
  assert_words (fm_words_permille (46000), "46");
  assert_words (fm_words_uptime (62000000000), "1:02");
  assert_words (fm_words_uptime (3723000000000), "1:02:03");
}

static void
words_for_paths (void **state)
{
  assert_words (
      fm_words_path ("/GstPipeline:pipeline0/GstQueue:queue0.GstPad:sink"),
      "pipeline0/queue0.sink");
  assert_words (fm_words_path ("plain"), "plain");
  assert_words (fm_words_path (""), "");
  assert_words (fm_words_path ("/A:"), "");
  assert_words (fm_words_path ("/GstBin:my.bin:x/y"), "my.x/y");
}

static void
text_is_tamed (void **state)
{
  assert_words (fm_tame ("a\x1b[2J\n\x7f", TRUE), "a?[2J??");
  assert_words (fm_tame ("\xff\xc3\xa9\xe2\x80\xae", TRUE), "?\xc3\xa9?");
  assert_words (fm_tame ("e\xcc\x81", TRUE), "e");
  assert_words (fm_tame ("\xc3\xa9", FALSE), "?");
  assert_words (fm_tame ("1.5\xc2\xa0GiB", FALSE), "1.5 GiB");
  assert_words (fm_tame ("1.5\xc2\xa0GiB", TRUE), "1.5\xc2\xa0GiB");
}

static void
text_is_clipped (void **state)
{
  assert_words (fm_clip ("abcdef", 6, FM_CUT_END, FALSE), "abcdef");
  assert_words (fm_clip ("abcdef", 4, FM_CUT_END, FALSE), "abc~");
  assert_words (fm_clip ("abcdef", 4, FM_CUT_START, FALSE), "~def");
  assert_words (fm_clip ("abcdef", 0, FM_CUT_START, FALSE), "");
  /* two columns each: the third does not fit beside the ellipsis */
  assert_words (
      fm_clip ("\xe6\xbc\xa2\xe6\xbc\xa2\xe6\xbc\xa2", 4, FM_CUT_END, TRUE),
      "\xe6\xbc\xa2\xe2\x80\xa6");
}

/* The plain text of the line @i. */
static gchar *
get_line (FmSheet *sheet, guint i)
{
  const GArray *line = g_ptr_array_index (sheet->lines, i);
  GString *text = g_string_new (NULL);

  for (guint j = 0; j < line->len; j++)
    g_string_append (text, g_array_index (line, FmSpan, j).text);
  return g_string_free (text, FALSE);
}

static void
bars (void **state)
{
  g_autoptr (FmSheet) sheet = fm_sheet_new (80, FALSE);
  g_autoptr (FmSheet) fine = fm_sheet_new (80, TRUE);

  fm_sheet_put_bar (sheet, 10, 0.5, 0.75);
  fm_sheet_end_line (sheet);
  /* behind the bar no mark is seen; no figure is too large */
  fm_sheet_put_bar (sheet, 10, 1e300, 0.75);
  fm_sheet_end_line (sheet);
  fm_sheet_put_bar (sheet, 4, 0, 0);
  assert_words (get_line (sheet, 0), "[####  | ]");
  assert_words (get_line (sheet, 1), "[########]");
  assert_words (get_line (sheet, 2), "[  ]");
  fm_sheet_put_bar (fine, 6, 0.375, 0);
  assert_words (get_line (fine, 0), "[\xe2\x96\x88\xe2\x96\x8c  ]");
}

static void
what_does_not_fit_is_cut (void **state)
{
  g_autoptr (FmSheet) sheet = fm_sheet_new (5, FALSE);

  fm_sheet_put (sheet, FM_STYLE_NORMAL, "abcd");
  fm_sheet_put_spaces (sheet, 2);
  fm_sheet_put (sheet, FM_STYLE_NORMAL, "no room");
  fm_sheet_end_line (sheet);
  fm_sheet_put_cell (
      sheet, FM_STYLE_NORMAL, "12345", 4, FM_ALIGN_RIGHT, FM_CUT_START);
  fm_sheet_end_line (sheet);
  fm_sheet_put_cell (
      sheet, FM_STYLE_NORMAL, "12", 9, FM_ALIGN_RIGHT, FM_CUT_END);
  fm_sheet_end_line (sheet);
  fm_sheet_put (sheet, FM_STYLE_NORMAL, "abc");
  fm_sheet_flow (sheet, FM_STYLE_NORMAL, "def", 1);
  assert_words (get_line (sheet, 0), "abcd ");
  assert_words (get_line (sheet, 1), "~345");
  assert_words (get_line (sheet, 2), "   12");
  assert_words (get_line (sheet, 3), "abc");
  assert_words (get_line (sheet, 4), " def");
}

static void
wrapped_text (void **state)
{
  g_autoptr (FmSheet) sheet = fm_sheet_new (10, FALSE);

  fm_sheet_put (sheet, FM_STYLE_LABEL, "L ");
  fm_sheet_wrap (
      sheet, FM_STYLE_NORMAL, "one two  three, averylongword four", 2, 3);
  assert_words (get_line (sheet, 0), "L one two");
  assert_words (get_line (sheet, 1), "  three,");
  /* the last of the lines is cut */
  assert_words (get_line (sheet, 2), "  averylo~");
  assert_int_equal (fm_sheet_length (sheet), 2);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (rates_are_by_the_programs_clock),
      cmocka_unit_test (rates_are_by_our_clock_without),
      cmocka_unit_test (rates_are_unknown),
      cmocka_unit_test (a_silent_program_has_no_rates),
      cmocka_unit_test (a_counter_that_shrinks_does_not_grow),
      cmocka_unit_test (negative_figures_are_none),
      cmocka_unit_test (queues_by_level),
      cmocka_unit_test (queues_of_one_name),
      cmocka_unit_test (the_peak_of_levels_stays),
      cmocka_unit_test (elements_by_what_they_waited_just_now),
      cmocka_unit_test (elements_may_be_untold),
      cmocka_unit_test (programs_follow_pages),
      cmocka_unit_test (programs_in_order),
      cmocka_unit_test (command_lines),
      cmocka_unit_test (words_for_figures),
      cmocka_unit_test (words_for_paths),
      cmocka_unit_test (text_is_tamed),
      cmocka_unit_test (matches),
      cmocka_unit_test (text_is_clipped),
      cmocka_unit_test (bars),
      cmocka_unit_test (what_does_not_fit_is_cut),
      cmocka_unit_test (wrapped_text),
  };

  setlocale (LC_CTYPE, "C.UTF-8");
  return cmocka_run_group_tests (tests, NULL, NULL);
}
