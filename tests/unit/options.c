/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.c: what each option takes and refuses, where values come from and
 * which of them wins, and what a person is told about a wrong one.
 *
 * The two tables of values have to name every option: an option that is added
 * to FM_OPTIONS without rows here fails.
 */
#include "options.h"
#include "messages.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define NOT_UTF8 "a\xff\xfe"
#define ARABIC_ONE "\xd9\xa1"

static GPtrArray *warnings;
static const gchar *const *variables; /* "NAME=value", ended by NULL */

static void
keep_warning (FmMessageLevel level, const gchar *text)
{
  if (level == FM_MESSAGE_WARNING)
    g_ptr_array_add (warnings, g_strdup (text));
}

static const gchar *
get_variable (const gchar *name)
{
  gsize length = strlen (name);
  guint i;

  for (i = 0; variables[i] != NULL; i++) {
    if (strncmp (variables[i], name, length) == 0
        && variables[i][length] == '=')
      return variables[i] + length + 1;
  }
  return NULL;
}

static int
setup (void **state)
{
  FmOptions *options = g_new (FmOptions, 1);

  warnings = g_ptr_array_new_with_free_func (g_free);
  fm_messages_set_func (keep_warning);
  fm_options_init (options);
  *state = options;
  return 0;
}

static int
teardown (void **state)
{
  fm_options_clear (*state);
  g_free (*state);
  fm_messages_set_func (NULL);
  g_ptr_array_unref (warnings);
  return 0;
}

static void
assert_contains (const gchar *text, const gchar *part)
{
  if (strstr (text, part) == NULL)
    fail_msg ("\"%s\" does not say \"%s\"", text, part);
}

/* Exactly one warning, with all of @parts in it; forgets it. */
static void
assert_warned (const gchar *const *parts)
{
  guint i;

  if (warnings->len != 1)
    fail_msg ("%u warnings instead of one about %s", warnings->len, parts[0]);
  assert_true (g_utf8_validate (g_ptr_array_index (warnings, 0), -1, NULL));
  for (i = 0; parts[i] != NULL; i++)
    assert_contains (g_ptr_array_index (warnings, 0), parts[i]);
  g_ptr_array_set_size (warnings, 0);
}

#define ASSERT_WARNED(...) \
  assert_warned ((const gchar *const[]){__VA_ARGS__, NULL})

static void
assert_not_warned (void)
{
  if (warnings->len != 0)
    fail_msg ("warning: %s", (gchar *) g_ptr_array_index (warnings, 0));
}

static void
assert_text (const FmOptions *options, FmOptionId id, const gchar *text)
{
  if (strcmp (fm_options_text (options, id), text) != 0)
    fail_msg ("%s is \"%s\" instead of \"%s\"", fm_option_spec (id)->name,
        fm_options_text (options, id), text);
}

/* The table itself. */

static void
table (void **state)
{
  guint id, other;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *spec = fm_option_spec (id);
    g_autofree gchar *accepted = fm_option_accepted (id);
    g_autofree gchar *upper = g_ascii_strup (spec->name, -1);
    g_autofree gchar *variable =
        g_strconcat ("GST_FILEMEM_", g_strdelimit (upper, "-", '_'), NULL);
    gboolean has_choices = spec->type == FM_OPTION_TYPE_CHOICE
        || spec->type == FM_OPTION_TYPE_SWITCH;

    assert_string_equal (spec->variable, variable);
    assert_int_not_equal (spec->description[0], '\0');
    assert_int_not_equal (accepted[0], '\0');
    assert_true (has_choices == (spec->choices != NULL));
    for (other = 0; other < id; other++)
      assert_string_not_equal (spec->name, fm_option_spec (other)->name);
  }
}

static void
find (void **state)
{
  static const gchar *const unknown[] = {"", "DIR", "di", "dirs", " dir",
      "dir ", "min_size", "GST_FILEMEM_DIR", "dir=/x", NOT_UTF8};
  FmOptionId found;
  guint i;

  for (i = 0; i < FM_N_OPTIONS; i++) {
    found = FM_N_OPTIONS;
    assert_true (fm_options_find (fm_option_spec (i)->name, &found));
    assert_int_equal (found, i);
  }
  for (i = 0; i < G_N_ELEMENTS (unknown); i++)
    assert_false (fm_options_find (unknown[i], &found));
}

static void
defaults (void **state)
{
  FmOptions *options = *state;
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const gchar *text = fm_option_spec (id)->default_text;

    assert_false (options->value[id].given);
    assert_true (fm_options_is_chosen (options, id) == (text[0] != '\0'));
    if (text[0] != '\0') {
      FmOptionValue before = options->value[id];
      g_autofree gchar *before_text = g_strdup (before.text);

      assert_true (fm_options_set (options, id, text, NULL));
      assert_text (options, id, before_text);
      assert_int_equal (fm_options_number (options, id), before.number);
    }
  }
  assert_text (options, FM_OPTION_DIR, "/var/tmp");
  assert_text (options, FM_OPTION_WHEN_FULL, "system");
  assert_int_equal (fm_options_number (options, FM_OPTION_MIN_SIZE), 0);
  assert_int_equal (fm_options_number (options, FM_OPTION_COPY_ABOVE), 1 << 20);
  assert_not_warned ();
}

/* Values. */

#define K G_GUINT64_CONSTANT (1024)
#define M (K * K)
#define G (K * M)
#define T (K * G)

static const struct
{
  FmOptionId id;
  const gchar *text, *canonical;
  guint64 number;
  gboolean percent;
} accepted[] = {
    {FM_OPTION_DIR, "/mnt/ssd", "/mnt/ssd"},
    {FM_OPTION_DIR, "here/and there", "here/and there"},
    {FM_OPTION_DIR, "  /a=b:c,d;e)  ", "/a=b:c,d;e)"},
    {FM_OPTION_DIR, "/\xc3\xa9", "/\xc3\xa9"},
    /* A path is bytes. */
    {FM_OPTION_DIR, "/" NOT_UTF8, "/" NOT_UTF8},

    {FM_OPTION_RAM, "0", "0", 0},
    {FM_OPTION_RAM, "1", "1", 1},
    {FM_OPTION_RAM, "007", "7", 7},
    {FM_OPTION_RAM, "64B", "64", 64},
    {FM_OPTION_RAM, "64b", "64", 64},
    {FM_OPTION_RAM, "64K", "65536", 64 * K},
    {FM_OPTION_RAM, "64k", "65536", 64 * K},
    {FM_OPTION_RAM, "64KB", "65536", 64 * K},
    {FM_OPTION_RAM, "64kb", "65536", 64 * K},
    {FM_OPTION_RAM, "64KiB", "65536", 64 * K},
    {FM_OPTION_RAM, "64kIb", "65536", 64 * K},
    {FM_OPTION_RAM, "3M", "3145728", 3 * M},
    {FM_OPTION_RAM, "3mib", "3145728", 3 * M},
    {FM_OPTION_RAM, "2G", "2147483648", 2 * G},
    {FM_OPTION_RAM, "2GB", "2147483648", 2 * G},
    {FM_OPTION_RAM, "2t", "2199023255552", 2 * T},
    {FM_OPTION_RAM, "2TiB", "2199023255552", 2 * T},
    {FM_OPTION_RAM, "1.5K", "1536", 1536},
    {FM_OPTION_RAM, "0.25MiB", "262144", 256 * K},
    {FM_OPTION_RAM, "\t64M\n", "67108864", 64 * M},
    {FM_OPTION_RAM, "9223372036854775807", "9223372036854775807", G_MAXINT64},
    {FM_OPTION_RAM, "8388607T", "9223370937343148032", 8388607 * T},
    {FM_OPTION_MIN_SIZE, "4K", "4096", 4 * K},
    {FM_OPTION_COPY_ABOVE, "0", "0", 0},
    {FM_OPTION_PACK_ABOVE, "4M", "4194304", 4 << 20},
    {FM_OPTION_PACK_BELOW, "0", "0", 0},

    {FM_OPTION_SIZE, "8G", "8589934592", 8 * G},
    {FM_OPTION_SIZE, "0%", "0%", 0, TRUE},
    {FM_OPTION_SIZE, "50%", "50%", 50, TRUE},
    {FM_OPTION_SIZE, " 100% ", "100%", 100, TRUE},
    {FM_OPTION_RESERVE, "0", "0", 0},
    {FM_OPTION_RESERVE, "5%", "5%", 5, TRUE},

    {FM_OPTION_RAM, "64 M", "67108864", 67108864},
    {FM_OPTION_RAM, "1.5\302\240MiB", "1572864", 1572864},
    {FM_OPTION_WHEN_FULL, "system", "system", FM_WHEN_FULL_SYSTEM},
    {FM_OPTION_WHEN_FULL, "WAIT", "wait", FM_WHEN_FULL_WAIT},
    {FM_OPTION_WHEN_FULL, " fail ", "fail", FM_WHEN_FULL_FAIL},
    {FM_OPTION_RAM_TOTAL, "256M", "268435456", 268435456},
    {FM_OPTION_PRESSURE, "Yield", "yield", FM_PRESSURE_YIELD},
    {FM_OPTION_PRESSURE, "ignore", "ignore", FM_PRESSURE_IGNORE},
    {FM_OPTION_ON_REPLACE, "Keep", "keep", 0},
    {FM_OPTION_ON_REPLACE, "yield", "yield", 1},

    {FM_OPTION_ATTRIBUTION, "off", "off", 0},
    {FM_OPTION_ATTRIBUTION, "On", "on", 1},
    {FM_OPTION_ATTRIBUTION, "no", "off", 0},
    {FM_OPTION_ATTRIBUTION, "yes", "on", 1},
    {FM_OPTION_CHILDREN, "no", "no", 0},
    {FM_OPTION_CHILDREN, "YES", "yes", 1},
    {FM_OPTION_CHILDREN, "off", "no", 0},
    {FM_OPTION_CHILDREN, "on", "yes", 1},
    {FM_OPTION_CHILDREN, "false", "no", 0},
    {FM_OPTION_CHILDREN, "true", "yes", 1},
    {FM_OPTION_DONTDUMP, "0", "no", 0},
    {FM_OPTION_DONTDUMP, "1", "yes", 1},
    {FM_OPTION_ON_LOSS, "error", "error", FM_ON_LOSS_ERROR},
    {FM_OPTION_ON_LOSS, "Warn", "warn", FM_ON_LOSS_WARN},

    {FM_OPTION_REPORT_SIGNAL, "USR2", "USR2", SIGUSR2},
    {FM_OPTION_REPORT_SIGNAL, "usr1", "USR1", SIGUSR1},
    {FM_OPTION_REPORT_SIGNAL, "SIGHUP", "HUP", SIGHUP},
    {FM_OPTION_REPORT_SIGNAL, "sigalrm", "ALRM", SIGALRM},
    {FM_OPTION_REPORT_SIGNAL, "WINCH", "WINCH", SIGWINCH},
    {FM_OPTION_REPORT_SIGNAL, "None", "none", 0},

    {FM_OPTION_STATS_INTERVAL, "1", "1", 1},
    {FM_OPTION_STATS_INTERVAL, "3600", "3600", 3600},
    {FM_OPTION_STATS_INTERVAL, "2147483647", "2147483647", G_MAXINT32},
    {FM_OPTION_STATS_INTERVAL, "OFF", "off", 0},
    {FM_OPTION_STATS_INTERVAL, "0", "off", 0},

    {FM_OPTION_QUEUES, "queue:appsink", "queue:appsink"},
    {FM_OPTION_QUEUES, "known", "known"},
    {FM_OPTION_QUEUES, "auto", "auto"},
    {FM_OPTION_QUEUES, "none", "none"},
    {FM_OPTION_EXE, "gst-launch-1.0", "gst-launch-1.0"},
    {FM_OPTION_EXE, "", ""},

    {FM_OPTION_REPORT, "stderr", "stderr"},
    {FM_OPTION_REPORT, "none", "none"},
    {FM_OPTION_REPORT, "/tmp/filemem report.%p", "/tmp/filemem report.%p"},
    {FM_OPTION_REPORT, "", "none"},
    {FM_OPTION_RECORD, "/tmp/filemem.%p.json", "/tmp/filemem.%p.json"},
    {FM_OPTION_RECORD, "", "none"},
    {FM_OPTION_REPORT_FORMAT, "text", "text", 0},
    {FM_OPTION_REPORT_FORMAT, "JSON", "json", 1},
};

static const struct
{
  FmOptionId id;
  const gchar *text;
} refused[] = {{FM_OPTION_DIR, ""}, {FM_OPTION_DIR, "   "},

    {FM_OPTION_RAM, ""}, {FM_OPTION_RAM, " "}, {FM_OPTION_RAM, "M"},
    {FM_OPTION_RAM, "many"}, {FM_OPTION_RAM, "-1"}, {FM_OPTION_RAM, "-64M"},
    {FM_OPTION_RAM, "+64M"}, {FM_OPTION_RAM, "64 M M"}, {FM_OPTION_RAM, "6 4"},
    {FM_OPTION_RAM, "64Ki"}, {FM_OPTION_RAM, "64iB"}, {FM_OPTION_RAM, "64KK"},
    {FM_OPTION_RAM, "64MiBB"}, {FM_OPTION_RAM, "64BB"}, {FM_OPTION_RAM, "64P"},
    {FM_OPTION_RAM, "64M64"}, {FM_OPTION_RAM, "0x40"}, {FM_OPTION_RAM, "1e6"},
    {FM_OPTION_RAM, "inf"}, {FM_OPTION_RAM, ".5M"}, {FM_OPTION_RAM, "1.M"},
    {FM_OPTION_RAM, "1.5.5M"}, {FM_OPTION_RAM, "1,5M"}, {FM_OPTION_RAM, "50%"},
    {FM_OPTION_RAM, ARABIC_ONE}, {FM_OPTION_RAM, NOT_UTF8},
    {FM_OPTION_RAM, "9223372036854775808"},
    {FM_OPTION_RAM, "18446744073709551615"},
    {FM_OPTION_RAM, "18446744073709551616"},
    {FM_OPTION_RAM, "99999999999999999999999999"}, {FM_OPTION_RAM, "8388608T"},
    {FM_OPTION_RAM, "16777216T"}, {FM_OPTION_RAM, "16777217T"},
    {FM_OPTION_MIN_SIZE, "1%"}, {FM_OPTION_COPY_ABOVE, "none"},
    {FM_OPTION_PACK_ABOVE, "no"}, {FM_OPTION_PACK_BELOW, "5%"},

    {FM_OPTION_SIZE, ""}, {FM_OPTION_SIZE, "%"}, {FM_OPTION_SIZE, "101%"},
    {FM_OPTION_SIZE, "4294967346%"}, {FM_OPTION_SIZE, "-5%"},
    {FM_OPTION_SIZE, "50 %"}, {FM_OPTION_SIZE, "50%%"},
    {FM_OPTION_SIZE, "50M%"}, {FM_OPTION_SIZE, "50%M"},
    {FM_OPTION_SIZE, "50.5%"}, {FM_OPTION_SIZE, "half"},
    {FM_OPTION_RESERVE, "200%"},

    {FM_OPTION_WHEN_FULL, ""}, {FM_OPTION_WHEN_FULL, "waits"},
    {FM_OPTION_REPORT_FORMAT, "html"}, {FM_OPTION_WHEN_FULL, "system:wait"},
    {FM_OPTION_WHEN_FULL, "yes"}, {FM_OPTION_WHEN_FULL, "1"},
    {FM_OPTION_ON_REPLACE, "no"}, {FM_OPTION_PRESSURE, "high"},
    {FM_OPTION_RAM_TOTAL, "10%"},

    {FM_OPTION_ATTRIBUTION, "2"}, {FM_OPTION_ATTRIBUTION, ""},
    {FM_OPTION_CHILDREN, "maybe"}, {FM_OPTION_DONTDUMP, "y"},
    {FM_OPTION_ON_LOSS, "no"}, {FM_OPTION_DONTDUMP, "no:yes"},

    {FM_OPTION_REPORT_SIGNAL, ""}, {FM_OPTION_REPORT_SIGNAL, "12"},
    {FM_OPTION_REPORT_SIGNAL, "SIG"}, {FM_OPTION_REPORT_SIGNAL, "SIGnone"},
    {FM_OPTION_REPORT_SIGNAL, "SIGSIGUSR1"}, {FM_OPTION_REPORT_SIGNAL, "USR3"},
    {FM_OPTION_REPORT_SIGNAL, "KILL"}, {FM_OPTION_REPORT_SIGNAL, "SEGV"},

    {FM_OPTION_STATS_INTERVAL, ""}, {FM_OPTION_STATS_INTERVAL, "-1"},
    {FM_OPTION_STATS_INTERVAL, "+1"}, {FM_OPTION_STATS_INTERVAL, "1.5"},
    {FM_OPTION_STATS_INTERVAL, "1s"}, {FM_OPTION_STATS_INTERVAL, "1 2"},
    {FM_OPTION_STATS_INTERVAL, "yes"}, {FM_OPTION_STATS_INTERVAL, "2147483648"},
    {FM_OPTION_STATS_INTERVAL, "99999999999999999999999999"},

    {FM_OPTION_QUEUES, NOT_UTF8}, {FM_OPTION_EXE, NOT_UTF8},
    {FM_OPTION_REPORT, NOT_UTF8}, {FM_OPTION_RECORD, NOT_UTF8}};

static void
accepted_values (void **state)
{
  FmOptions *options = *state;
  gboolean seen[FM_N_OPTIONS] = {FALSE};
  guint i;

  for (i = 0; i < G_N_ELEMENTS (accepted); i++) {
    FmOptionId id = accepted[i].id;
    g_autoptr (GError) error = NULL;

    if (!fm_options_set (options, id, accepted[i].text, &error))
      fail_msg ("refused: %s", error->message);
    assert_null (error);
    assert_text (options, id, accepted[i].canonical);
    if (fm_options_number (options, id) != accepted[i].number)
      fail_msg ("%s=%s is read as %" G_GUINT64_FORMAT,
          fm_option_spec (id)->name, accepted[i].text,
          fm_options_number (options, id));
    assert_true (options->value[id].percent == accepted[i].percent);
    assert_true (options->value[id].given);
    seen[id] = TRUE;
  }
  for (i = 0; i < FM_N_OPTIONS; i++) {
    if (!seen[i])
      fail_msg ("no value of %s is tested", fm_option_spec (i)->name);
  }
  assert_not_warned ();
}

static void
refused_values (void **state)
{
  FmOptions *options = *state;
  gboolean seen[FM_N_OPTIONS] = {FALSE};
  guint i;

  assert_true (fm_options_set (options, FM_OPTION_SIZE, "50%", NULL));
  for (i = 0; i < G_N_ELEMENTS (refused); i++) {
    FmOptionId id = refused[i].id;
    FmOptionValue before = options->value[id];
    g_autofree gchar *before_text = g_strdup (before.text);
    g_autofree gchar *accepts = fm_option_accepted (id);
    g_autofree gchar *shown = g_strstrip (g_strdup (refused[i].text));
    g_autoptr (GError) error = NULL;

    if (fm_options_set (options, id, refused[i].text, &error))
      fail_msg ("%s=%s is accepted, as %s", fm_option_spec (id)->name,
          refused[i].text, fm_options_text (options, id));
    assert_true (
        g_error_matches (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_VALUE));
    assert_true (g_utf8_validate (error->message, -1, NULL));
    assert_contains (error->message, fm_option_spec (id)->name);
    assert_contains (error->message, accepts);
    if (g_utf8_validate (shown, -1, NULL))
      assert_contains (error->message, shown);

    assert_text (options, id, before_text);
    assert_int_equal (fm_options_number (options, id), before.number);
    assert_true (options->value[id].percent == before.percent);
    assert_true (options->value[id].given == before.given);
    seen[id] = TRUE;
    /* Whoever does not want the reason need not take it. */
    assert_false (fm_options_set (options, id, refused[i].text, NULL));
  }
  for (i = 0; i < FM_N_OPTIONS; i++) {
    if (!seen[i])
      fail_msg ("no wrong value of %s is tested", fm_option_spec (i)->name);
  }
  /* Whoever called has the error; nobody else is told. */
  assert_not_warned ();
}

/* The last of several settings holds, all of it. */
static void
set_again (void **state)
{
  FmOptions *options = *state;

  assert_true (fm_options_set (options, FM_OPTION_SIZE, "50%", NULL));
  assert_true (fm_options_set (options, FM_OPTION_SIZE, "1M", NULL));
  assert_text (options, FM_OPTION_SIZE, "1048576");
  assert_false (options->value[FM_OPTION_SIZE].percent);
  assert_true (fm_options_is_chosen (options, FM_OPTION_SIZE));
}

/* The environment. */

static void
environment (void **state)
{
  static const gchar *const given[] = {"GST_FILEMEM_DIR=/mnt/my disk",
      "GST_FILEMEM_SIZE=50%", "GST_FILEMEM_MIN_SIZE= 4K ",
      "GST_FILEMEM_RAM=", "GST_FILEMEM_WHEN=fail", "FILEMEM_RESERVE=1", NULL};
  FmOptions *options = *state;

  variables = given;
  fm_options_set_from_environment (options, get_variable, FALSE);
  assert_text (options, FM_OPTION_DIR, "/mnt/my disk");
  assert_text (options, FM_OPTION_SIZE, "50%");
  assert_text (options, FM_OPTION_MIN_SIZE, "4096");
  /* Set to nothing is not set. */
  assert_text (options, FM_OPTION_RAM, "");
  assert_false (options->value[FM_OPTION_RAM].given);
  assert_text (options, FM_OPTION_RESERVE, "");
  assert_text (options, FM_OPTION_WHEN_FULL, "system");
  assert_not_warned ();
}

static void
wrong_environment (void **state)
{
  static const gchar *const given[] = {
      "GST_FILEMEM_WHEN_FULL=never", "GST_FILEMEM_RAM=8M", NULL};
  static const gchar *const unreadable[] = {"GST_FILEMEM_RAM=" NOT_UTF8, NULL};
  FmOptions *options = *state;

  variables = given;
  fm_options_set_from_environment (options, get_variable, FALSE);
  ASSERT_WARNED (
      "GST_FILEMEM_WHEN_FULL", "never", "system, wait or fail", "default");
  assert_text (options, FM_OPTION_WHEN_FULL, "system");
  assert_text (options, FM_OPTION_RAM, "8388608");

  variables = unreadable;
  fm_options_set_from_environment (options, get_variable, FALSE);
  ASSERT_WARNED ("GST_FILEMEM_RAM", "ram");
}

static void
secure_environment (void **state)
{
  static const gchar *const given[] = {"GST_FILEMEM_DIR=/etc",
      "GST_FILEMEM_REPORT=/etc/passwd", "GST_FILEMEM_RAM=nonsense", NULL};
  FmOptions *options = *state;
  guint id;

  variables = given;
  fm_options_set_from_environment (options, get_variable, TRUE);
  for (id = 0; id < FM_N_OPTIONS; id++)
    assert_false (options->value[id].given);
  assert_text (options, FM_OPTION_DIR, "/var/tmp");
  assert_text (options, FM_OPTION_REPORT, "none");
  assert_not_warned ();
}

/* A parameter wins over the variable, the variable over the default; a wrong
 * one leaves what was there. */
static void
precedence (void **state)
{
  static const gchar *const given[] = {"GST_FILEMEM_DIR=/variable",
      "GST_FILEMEM_SIZE=1G", "GST_FILEMEM_RAM=1M", NULL};
  FmOptions *options = *state;

  variables = given;
  fm_options_set_from_environment (options, get_variable, FALSE);
  fm_options_set_from_params (options, "dir=/parameter,size=wrong,min-size=1K");
  ASSERT_WARNED ("size", "wrong");
  assert_text (options, FM_OPTION_DIR, "/parameter");
  assert_text (options, FM_OPTION_SIZE, "1073741824");
  assert_text (options, FM_OPTION_RAM, "1048576");
  assert_text (options, FM_OPTION_MIN_SIZE, "1024");
  assert_text (options, FM_OPTION_WHEN_FULL, "system");
}

/* The parameter string. */

static const struct
{
  const gchar *params;
  const gchar *dir, *size, *ram; /* "/var/tmp", "" and "" if not set */
  const gchar *warning[4];       /* what the one warning says; none: none */
} strings[] = {
    {NULL, "/var/tmp", "", ""},
    {"", "/var/tmp", "", ""},
    {"  ", "/var/tmp", "", ""},
    {",", "/var/tmp", "", ""},
    {"size=50%", "/var/tmp", "50%", ""},
    {"dir=/mnt/my disk,size=8G,ram=128M", "/mnt/my disk", "8589934592",
        "134217728"},
    {"dir=/a=b,ram=1K", "/a=b", "", "1024"},
    {"dir==", "=", "", ""},
    {"dir=/x;size=1K", "/x;size=1K", "", ""},
    {"dir=/x(y),size=1K", "/x(y)", "1024", ""},
    {"dir=\"/x\"", "/x", "", ""},
    {"dir=(string)/x,size=(string)2G", "/x", "2147483648", ""},
    {"dir=(gchararray)\"/my disk\",size=\"50%\"", "/my disk", "50%", ""},
    {"dir = (string) \"/x\" , ram = (int)1024", "/x", "", "1024"},
    {"dir=\"(s)/x\"", "(s)/x", "", ""},
    {"dir=/x(string)\"", "/x(string)\"", "", ""},
    {"dir=\"/x", "\"/x", "", ""},
    {"dir=(/x", "(/x", "", ""},
    {",,size=1K,,,ram=2K,", "/var/tmp", "1024", "2048"},
    {" size = 1K , ram = 2K ", "/var/tmp", "1024", "2048"},
    {"size=1K,size=50%", "/var/tmp", "50%", ""},
    {"size=1K,dir=/x,size=2K", "/x", "2048", ""},

    {"size=1K,size=huge", "/var/tmp", "1024", "", {"size", "huge", "50%"}},
    {"dir=(string),ram=1K", "/var/tmp", "", "1024", {"dir", "a directory"}},
    {"dir=\"\",ram=1K", "/var/tmp", "", "1024", {"dir", "a directory"}},
    {"size=(int)huge", "/var/tmp", "", "", {"size", "\"huge\"", "50%"}},
    {"size=,ram=1K", "/var/tmp", "", "1024", {"size", "bytes"}},
    {"size,ram=1K", "/var/tmp", "", "1024", {"size", "bytes"}},
    {"dir=,ram=1K", "/var/tmp", "", "1024", {"dir", "a directory"}},
    {"ram=50%,size=50%", "/var/tmp", "50%", "", {"ram", "50%", "64M"}},
    {"colour=red,ram=1K", "/var/tmp", "", "1024", {"colour"}},
    {"SIZE=1K,ram=1K", "/var/tmp", "", "1024", {"SIZE"}},
    {"colour", "/var/tmp", "", "", {"colour"}},
    {"=1K,ram=1K", "/var/tmp", "", "1024", {"option"}},
    {"GST_FILEMEM_RAM=1K", "/var/tmp", "", "", {"GST_FILEMEM_RAM"}},
    {"size:1K", "/var/tmp", "", "", {"size:1K"}},
    {"ram=1,5M", "/var/tmp", "", "1", {"5M"}},
    {NOT_UTF8 "=1,ram=1K", "/var/tmp", "", "1024", {"option"}},
};

static void
parameters (void **state)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (strings); i++) {
    FmOptions options;

    fm_options_init (&options);
    fm_options_set_from_params (&options, strings[i].params);
    assert_text (&options, FM_OPTION_DIR, strings[i].dir);
    assert_text (&options, FM_OPTION_SIZE, strings[i].size);
    assert_text (&options, FM_OPTION_RAM, strings[i].ram);
    if (strings[i].warning[0] != NULL)
      assert_warned (strings[i].warning);
    else
      assert_not_warned ();
    fm_options_clear (&options);
  }
}

/* One warning for each thing that is wrong. */
static void
wrong_parameters (void **state)
{
  fm_options_set_from_params (*state, "a=1,size=b,,c,ram=-1,dir=/x");
  assert_int_equal (warnings->len, 4);
  assert_contains (g_ptr_array_index (warnings, 0), "'a'");
  assert_contains (g_ptr_array_index (warnings, 1), "size");
  assert_contains (g_ptr_array_index (warnings, 2), "'c'");
  assert_contains (g_ptr_array_index (warnings, 3), "ram");
  assert_text (*state, FM_OPTION_DIR, "/x");
}

/* The same strings for gst_file_mem_allocator_new(): an error instead of a
 * warning, and nothing else. */
static void
string (void **state)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (strings); i++) {
    g_autoptr (GError) error = NULL;
    FmOptions options;
    guint j;

    fm_options_init (&options);
    if (strings[i].warning[0] == NULL) {
      assert_true (
          fm_options_set_from_string (&options, strings[i].params, &error));
      assert_null (error);
      assert_text (&options, FM_OPTION_DIR, strings[i].dir);
      assert_text (&options, FM_OPTION_SIZE, strings[i].size);
      assert_text (&options, FM_OPTION_RAM, strings[i].ram);
    } else {
      assert_false (
          fm_options_set_from_string (&options, strings[i].params, &error));
      assert_non_null (error);
      assert_true (g_utf8_validate (error->message, -1, NULL));
      for (j = 0; strings[i].warning[j] != NULL; j++)
        assert_contains (error->message, strings[i].warning[j]);
    }
    assert_not_warned ();
    fm_options_clear (&options);
  }
}

static void
string_stops (void **state)
{
  FmOptions *options = *state;
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) name_error = NULL;

  assert_false (
      fm_options_set_from_string (options, "size=1K,ram=x,dir=/x", &error));
  assert_true (
      g_error_matches (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_VALUE));
  assert_text (options, FM_OPTION_SIZE, "1024");
  assert_text (options, FM_OPTION_DIR, "/var/tmp");

  assert_false (fm_options_set_from_string (options, "colour=1", &name_error));
  assert_true (
      g_error_matches (name_error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_NAME));
  assert_false (fm_options_set_from_string (options, "colour=1", NULL));
}

static void
list_has (void **state)
{
  assert_true (fm_options_list_has ("queue", "queue"));
  assert_true (fm_options_list_has ("queue:queue2:appsink", "queue"));
  assert_true (fm_options_list_has ("queue:queue2:appsink", "queue2"));
  assert_true (fm_options_list_has ("queue:queue2:appsink", "appsink"));
  assert_true (fm_options_list_has (":queue::", "queue"));
  assert_false (fm_options_list_has ("queue2:appsink", "queue"));
  assert_false (fm_options_list_has ("queue", "queue2"));
  assert_false (fm_options_list_has ("queue", "Queue"));
  assert_false (fm_options_list_has ("queue:appsink", "queue:appsink"));
  assert_false (fm_options_list_has ("", "queue"));
  assert_false (fm_options_list_has ("", ""));
  assert_false (fm_options_list_has ("queue::appsink", ""));
}

/* Nobody listens: nothing happens. */
static void
no_receiver (void **state)
{
  fm_messages_set_func (NULL);
  fm_options_set_from_params (*state, "colour=red,ram=1K");
  assert_text (*state, FM_OPTION_RAM, "1024");
  assert_not_warned ();
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
      TEST (table),
      TEST (find),
      TEST (defaults),
      TEST (accepted_values),
      TEST (refused_values),
      TEST (set_again),
      TEST (environment),
      TEST (wrong_environment),
      TEST (secure_environment),
      TEST (precedence),
      TEST (parameters),
      TEST (wrong_parameters),
      TEST (string),
      TEST (string_stops),
      TEST (list_has),
      TEST (no_receiver),
  };

  return cmocka_run_group_tests_name ("options", tests, NULL, NULL);
}
