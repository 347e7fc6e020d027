/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json.c: tests what is written as JSON, byte for byte. That it is JSON the
 * tests of reports see, which read it with a parser.
 */
#include "json.h"
#include "../../unit/testing.h"

static void
assert_string (const gchar *string, const gchar *expected)
{
  g_autofree gchar *text = NULL;
  FmJson json;

  fm_json_init (&json);
  fm_json_string (&json, NULL, string);
  text = fm_json_steal (&json);
  assert_string_equal (text, expected);
}

static void
test_strings (void **state)
{
  assert_string ("", "\"\"");
  assert_string ("queue0:sink", "\"queue0:sink\"");
  assert_string ("a \"b\" \\c/", "\"a \\\"b\\\" \\\\c/\"");
  assert_string ("\t\n\r\x01\x1f", "\"\\u0009\\u000a\\u000d\\u0001\\u001f\"");
  assert_string ("\x7f", "\"\\u007f\"");
  assert_string ("gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\xac",
      "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x8e\xac\"");
}

static void
test_not_utf8 (void **state)
{
  assert_string ("a\xff"
                 "b",
      "\"a\xef\xbf\xbd"
      "b\"");
  assert_string ("\xc3", "\"\xef\xbf\xbd\"");
  /* A surrogate, and the quote that comes after half a character. */
  assert_string ("\xe2\x82\"", "\"\xef\xbf\xbd\xef\xbf\xbd\\\"\"");
}

static void
test_nesting (void **state)
{
  g_autofree gchar *text = NULL;
  FmJson json;

  fm_json_init (&json);
  fm_json_begin (&json, NULL, '{');
  fm_json_number (&json, "least", 0);
  fm_json_number (&json, "most", G_MAXUINT64);
  fm_json_begin (&json, "none", '[');
  fm_json_end (&json, ']');
  fm_json_begin (&json, "pairs", '[');
  fm_json_begin (&json, NULL, '[');
  fm_json_number (&json, NULL, 1);
  fm_json_number (&json, NULL, 2);
  fm_json_end (&json, ']');
  fm_json_begin (&json, NULL, '{');
  fm_json_end (&json, '}');
  fm_json_string (&json, NULL, "last");
  fm_json_end (&json, ']');
  fm_json_string (&json, "na\"me", "value");
  fm_json_end (&json, '}');
  text = fm_json_steal (&json);
  assert_string_equal (text,
      "{\"least\":0,\"most\":18446744073709551615,\"none\":[],"
      "\"pairs\":[[1,2],{},\"last\"],\"na\\\"me\":\"value\"}");
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test (test_strings),
      cmocka_unit_test (test_not_utf8),
      cmocka_unit_test (test_nesting),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
