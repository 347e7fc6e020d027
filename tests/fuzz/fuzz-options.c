/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-options.c: any bytes as options.
 *
 * The bytes are read as a parameter string, and as the value of every option.
 * Either they are refused with a reason and nothing has changed, or every value
 * is within its range, and its text, read again, gives the same value.
 *
 * Built as it is, this is a normal test: it changes a list of strings at random
 * (the same random every time) and tries each. Files as arguments are tried
 * instead, to repeat what a fuzzer found. With FM_LIBFUZZER, and clang's
 * -fsanitize=fuzzer, there is no main() and libFuzzer brings its own.
 */
#include "options.h"
#include "messages.h"

#include <stdint.h>
#include <string.h>

#define LONGEST 256
#define TRIALS 8000

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const gchar *input; /* what is being tried */
static guint warnings;

static void
check (gboolean ok, const gchar *what, const gchar *name)
{
  g_autofree gchar *shown = NULL;

  if (ok)
    return;
  shown = g_strescape (input, NULL);
  g_error ("%s: %s; the input was \"%s\"", name, what, shown);
}

static void
count_warning (FmMessageLevel level, const gchar *text)
{
  check (g_utf8_validate (text, -1, NULL), "the warning is no text", "message");
  check (text[0] != '\0', "the warning is empty", "message");
  if (level == FM_MESSAGE_WARNING)
    warnings++;
}

static void
check_error (const GError *error, const gchar *name)
{
  check (error != NULL, "refused without an error", name);
  check (error->domain == FM_OPTIONS_ERROR, "a foreign error", name);
  check (
      g_utf8_validate (error->message, -1, NULL), "the error is no text", name);
}

static gboolean
same_value (const FmOptionValue *a, const FmOptionValue *b)
{
  return strcmp (a->text, b->text) == 0 && a->number == b->number
      && a->percent == b->percent;
}

static void
check_range (const FmOptionSpec *spec, const FmOptionValue *value)
{
  const gchar *name = spec->name;
  g_autofree gchar *number =
      g_strdup_printf ("%" G_GUINT64_FORMAT, value->number);

  check (!value->percent || spec->type == FM_OPTION_TYPE_SIZE_OR_PERCENT,
      "a percentage", name);
  switch (spec->type) {
    case FM_OPTION_TYPE_SIZE:
    case FM_OPTION_TYPE_SIZE_OR_PERCENT:
      check (value->number <= (value->percent ? 100 : G_MAXINT64),
          "number out of range", name);
      check (g_str_has_prefix (value->text, number), "text is not the number",
          name);
      check (strcmp (value->text + strlen (number), value->percent ? "%" : "")
              == 0,
          "text goes on after the number", name);
      break;
    case FM_OPTION_TYPE_CHOICE:
    case FM_OPTION_TYPE_SWITCH: {
      g_auto (GStrv) choices = g_strsplit (spec->choices, ":", -1);

      check (value->number < g_strv_length (choices), "no such choice", name);
      check (strcmp (choices[value->number], value->text) == 0,
          "text is another choice", name);
      break;
    }
    case FM_OPTION_TYPE_SECONDS:
      check (value->number <= G_MAXINT32, "number out of range", name);
      check (strcmp (value->text, value->number == 0 ? "off" : number) == 0,
          "text is not the number", name);
      break;
    case FM_OPTION_TYPE_SIGNAL:
      check (value->number < 64, "number out of range", name);
      check ((value->number == 0) == (strcmp (value->text, "none") == 0),
          "text is not the number", name);
      break;
    case FM_OPTION_TYPE_PATH:
      check (value->text[0] != '\0', "empty path", name);
      break;
    case FM_OPTION_TYPE_TEXT:
      check (value->text[0] != '\0', "empty text", name);
      check (g_utf8_validate (value->text, -1, NULL), "not UTF-8", name);
      break;
    case FM_OPTION_TYPE_LIST:
      check (g_utf8_validate (value->text, -1, NULL), "not UTF-8", name);
      break;
  }
}

/* All values that were given are right; the others are the defaults. */
static void
check_options (const FmOptions *options, const FmOptions *defaults)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const FmOptionSpec *spec = fm_option_spec (id);

    if (options->value[id].given)
      check_range (spec, &options->value[id]);
    else
      check (same_value (&options->value[id], &defaults->value[id]),
          "changed, but not given", spec->name);
  }
}

static void
try_values (const FmOptions *defaults, const gchar *text)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    const gchar *name = fm_option_spec (id)->name;
    g_autoptr (GError) error = NULL;
    FmOptions options;

    fm_options_init (&options);
    if (!fm_options_set (&options, id, text, &error)) {
      check_error (error, name);
      check (!options.value[id].given, "refused, but given", name);
    } else {
      FmOptions again;

      check (error == NULL, "accepted with an error", name);
      check (options.value[id].given, "accepted, but not given", name);
      fm_options_init (&again);
      check (fm_options_set (&again, id, fm_options_text (&options, id), NULL),
          "its own text is refused", name);
      check (same_value (&options.value[id], &again.value[id]),
          "its own text is read as another value", name);
      fm_options_clear (&again);
    }
    check_options (&options, defaults);
    fm_options_clear (&options);
  }
}

/* What was taken, written as a parameter string and read again, is the same. */
static void
check_again (const FmOptions *options)
{
  g_autoptr (GString) params = g_string_new (NULL);
  FmOptions again;
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (options->value[id].given)
      g_string_append_printf (params, "%s%s=%s", params->len > 0 ? "," : "",
          fm_option_spec (id)->name, fm_options_text (options, id));
  }
  fm_options_init (&again);
  check (fm_options_set_from_string (&again, params->str, NULL),
      "what was written is refused", "string");
  for (id = 0; id < FM_N_OPTIONS; id++) {
    check (options->value[id].given == again.value[id].given
            && same_value (&options->value[id], &again.value[id]),
        "another value after writing and reading", fm_option_spec (id)->name);
  }
  fm_options_clear (&again);
}

static void
try_string (const FmOptions *defaults, const gchar *text)
{
  g_autoptr (GError) error = NULL;
  FmOptions lenient, strict;
  gboolean ok;
  guint id;

  fm_options_init (&lenient);
  fm_options_init (&strict);
  warnings = 0;
  fm_options_set_from_params (&lenient, text);
  ok = fm_options_set_from_string (&strict, text, &error);
  check_options (&lenient, defaults);
  check_options (&strict, defaults);
  check (ok == (warnings == 0), "warned of what is no error, or not of one",
      "string");
  if (ok) {
    check (error == NULL, "accepted with an error", "string");
    for (id = 0; id < FM_N_OPTIONS; id++)
      check (same_value (&lenient.value[id], &strict.value[id]),
          "parameters and string differ", fm_option_spec (id)->name);
  } else {
    check_error (error, "string");
  }
  check_again (&lenient);
  fm_options_clear (&lenient);
  fm_options_clear (&strict);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree gchar *text = g_strndup ((const gchar *) data, size);
  FmOptions defaults;

  input = text;
  fm_messages_set_func (count_warning);
  fm_options_init (&defaults);
  try_values (&defaults, text);
  try_string (&defaults, text);
  fm_options_clear (&defaults);
  return 0;
}

#ifndef FM_LIBFUZZER

static const gchar *const seeds[] = {"", "0", "64M", "1.5GiB", "50%",
    "9223372036854775807", "18446744073709551616", "8388607T", "off", "yes",
    "none", "SIGUSR2", "system", "queue:queue2:appsink", "/var/tmp", "stderr",
    "dir=/mnt/my disk,size=50%,ram=64M", "size=8G,reserve=5%,min-size=4K",
    "when-full=wait,on-replace=yield,attribution=on,children=no",
    "report-signal=USR2,report=/tmp/filemem.%p,stats-interval=1",
    "queues=auto,copy-above=1M,exe=gst-launch-1.0:totem",
    "on-loss=warn,dontdump=0", ",, size = 1K ,,", "colour=red,size",
    "size=1K,size=2K", "dir==,=,==", "report=\xc3\xa9,dir=\xff"};

/* What changes put in: bytes that mean something to the parser. */
static const gchar pieces[] =
    "0123456789.%KMGTkmgtiIbB=,:;-+ \t\n/\"()_\x01\xff";

/* g_rand_new_with_seed() promises the same numbers everywhere. */
static gsize
change (GRand *random, gchar *text, gsize length)
{
  guint times = (guint) g_rand_int_range (random, 0, 6);

  while (times-- > 0) {
    gsize at = (gsize) g_rand_int_range (random, 0, (gint32) length + 1);
    gchar piece = pieces[g_rand_int_range (random, 0, sizeof pieces - 1)];

    switch (g_rand_int_range (random, 0, 5)) {
      case 0: /* put a byte in */
        if (length < LONGEST) {
          memmove (text + at + 1, text + at, length - at);
          text[at] = piece;
          length++;
        }
        break;
      case 1: /* another byte */
        if (at < length)
          text[at] = piece;
        break;
      case 2: /* any byte */
        if (at < length)
          text[at] = (gchar) g_rand_int_range (random, 0, 256);
        break;
      case 3: /* take a byte out */
        if (at < length) {
          memmove (text + at, text + at + 1, length - at - 1);
          length--;
        }
        break;
      default: /* a piece of it twice */
        if (at < length && length + (length - at) <= LONGEST) {
          memcpy (text + length, text + at, length - at);
          length += length - at;
        }
        break;
    }
  }
  return length;
}

static void
try_random (void)
{
  GRand *random = g_rand_new_with_seed (1);
  guint i;

  for (i = 0; i < TRIALS; i++) {
    const gchar *seed = seeds[i % G_N_ELEMENTS (seeds)];
    gsize length = strlen (seed);
    gchar text[LONGEST];

    memcpy (text, seed, length);
    /* Every seed as it is once. */
    if (i >= G_N_ELEMENTS (seeds))
      length = change (random, text, length);
    LLVMFuzzerTestOneInput ((const uint8_t *) text, length);
  }
  g_rand_free (random);
}

int
main (int argc, char **argv)
{
  int i;

  for (i = 1; i < argc; i++) {
    g_autoptr (GError) error = NULL;
    g_autofree gchar *text = NULL;
    gsize length;

    if (!g_file_get_contents (argv[i], &text, &length, &error)) {
      g_printerr ("%s\n", error->message);
      return 1;
    }
    LLVMFuzzerTestOneInput ((const uint8_t *) text, length);
  }
  if (argc == 1)
    try_random ();
  return 0;
}

#endif
