/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * option-checks.c: see option-checks.h.
 */
#include "option-checks.h"

#include "fuzz.h"
#include "messages.h"

#include <string.h>

static const gchar *input; /* what is being tried */
static guint warnings;

void
check (gboolean ok, const gchar *what, const gchar *name)
{
  g_autofree gchar *shown = NULL;

  if (ok)
    return;
  shown = g_strescape (input, NULL);
  fuzz_fail ("%s: %s; the input was \"%s\"\n", name, what, shown);
}

static void
count_warning (FmMessageLevel level, const gchar *text)
{
  check (g_utf8_validate (text, -1, NULL), "the warning is no text", "message");
  check (text[0] != '\0', "the warning is empty", "message");
  if (level == FM_MESSAGE_WARNING)
    warnings++;
}

void
check_error (const GError *error, const gchar *name)
{
  check (error != NULL, "refused without an error", name);
  check (error->domain == FM_OPTIONS_ERROR, "a foreign error", name);
  check (
      g_utf8_validate (error->message, -1, NULL), "the error is no text", name);
}

gboolean
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

void
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

void
checks_begin (const gchar *text)
{
  input = text;
  warnings = 0;
  fm_messages_set_func (count_warning);
}

guint
n_warnings (void)
{
  return warnings;
}
