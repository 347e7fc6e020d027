/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.c: the table of options.h as data, and the one parser for it.
 *
 * Environment, tracer parameters and properties all end in fm_options_set().
 * The parameter string is not a GstStructure: that format refuses "50%" and
 * paths with a space.
 */
#include "options.h"
#include "messages.h"
#include "tracer-params.h"

#include <signal.h>
#include <string.h>

#define VARIABLE_PREFIX "GST_FILEMEM_"
#define TRACER "filemem"

static const FmOptionSpec specs[FM_N_OPTIONS] = {
#define X(symbol, name, scope, type, text, choices, description)     \
  [FM_OPTION_##symbol] = {name, VARIABLE_PREFIX #symbol,             \
      FM_OPTION_SCOPE_##scope, FM_OPTION_TYPE_##type, text, choices, \
      description},
    FM_OPTIONS (X)
#undef X
};

static const struct
{
  const gchar *name;
  int number;
} signals[] = {
    {"HUP", SIGHUP},
    {"USR1", SIGUSR1},
    {"USR2", SIGUSR2},
    {"ALRM", SIGALRM},
    {"WINCH", SIGWINCH},
};

GQuark
fm_options_error_quark (void)
{
  return g_quark_from_static_string ("fm-options-error-quark");
}

const FmOptionSpec *
fm_option_spec (FmOptionId id)
{
  return &specs[id];
}

gchar *
fm_option_accepted (FmOptionId id)
{
  switch (specs[id].type) {
    case FM_OPTION_TYPE_PATH:
      return g_strdup ("a directory");
    case FM_OPTION_TYPE_SIZE:
      return g_strdup ("bytes, or a number with K, M, G or T such as 64M");
    case FM_OPTION_TYPE_SIZE_OR_PERCENT:
      return g_strdup ("bytes, a number with K, M, G or T such as 64M, or a "
                       "percentage such as 50%");
    case FM_OPTION_TYPE_CHOICE:
    case FM_OPTION_TYPE_SWITCH: {
      g_auto (GStrv) choices = g_strsplit (specs[id].choices, ":", -1);
      guint last = g_strv_length (choices) - 1;
      g_autofree gchar *end = g_steal_pointer (&choices[last]);
      g_autofree gchar *begin = g_strjoinv (", ", choices);

      return g_strdup_printf ("%s or %s", begin, end);
    }
    case FM_OPTION_TYPE_SECONDS:
      return g_strdup ("whole seconds such as 1, or off");
    case FM_OPTION_TYPE_SIGNAL:
      return g_strdup ("HUP, USR1, USR2, ALRM, WINCH or none");
    case FM_OPTION_TYPE_LIST:
      return g_strdup ("names separated by ':'");
    case FM_OPTION_TYPE_TEXT:
      return g_strdup ("none, stderr or a path");
  }
  g_return_val_if_reached (NULL);
}

/* Skips the space before the unit: "64 MiB" is written with one, which may be a
 * non-breaking one. */
static gchar *
skip_space (gchar *text)
{
  while (*text == ' ' || g_str_has_prefix (text, "\302\240"))
    text += *text == ' ' ? 1 : 2;
  return text;
}

/* Reads "64", "64M", "1.5 GiB", "50%". Rounds a fraction of a byte down. */
static gboolean
parse_size (const gchar *text, gboolean percent_allowed, guint64 *ret_number,
    gboolean *ret_percent)
{
  static const gchar units[] = "KMGT";
  gchar *end;
  guint64 whole, scale = 1, fraction = 0, fraction_scale = 1, number;

  if (!g_ascii_isdigit (text[0]))
    return FALSE;
  whole = g_ascii_strtoull (text, &end, 10);
  if (whole == G_MAXUINT64)
    return FALSE;
  if (*end == '.') {
    end++;
    if (!g_ascii_isdigit (*end))
      return FALSE;
    for (; g_ascii_isdigit (*end); end++) {
      if (fraction_scale < 1000000) {
        fraction = fraction * 10 + (guint64) g_ascii_digit_value (*end);
        fraction_scale *= 10;
      }
    }
  }

  if (*end == '%') {
    if (!percent_allowed || end[1] != '\0' || fraction != 0 || whole > 100)
      return FALSE;
    *ret_number = whole;
    *ret_percent = TRUE;
    return TRUE;
  }

  end = skip_space (end);
  if (*end != '\0') {
    const gchar *unit = strchr (units, g_ascii_toupper (*end));

    if (unit != NULL) {
      scale = G_GUINT64_CONSTANT (1) << (10 * (unit - units + 1));
      end++;
      if (g_ascii_tolower (*end) == 'i' && g_ascii_tolower (end[1]) == 'b')
        end++;
    }
    if (g_ascii_tolower (*end) == 'b')
      end++;
    if (*end != '\0')
      return FALSE;
  }

  if (!g_uint64_checked_mul (&number, whole, scale)
      || !g_uint64_checked_add (&number, number,
          scale / fraction_scale * fraction
              + scale % fraction_scale * fraction / fraction_scale))
    return FALSE;
  /* Offsets into a file are signed. */
  if (number > G_MAXINT64)
    return FALSE;

  *ret_number = number;
  *ret_percent = FALSE;
  return TRUE;
}

static gboolean
parse_choice (const FmOptionSpec *spec, const gchar *text, guint64 *ret_index)
{
  static const gchar *const switch_words[][4] = {
      {"no", "off", "false", "0"},
      {"yes", "on", "true", "1"},
  };
  g_auto (GStrv) choices = g_strsplit (spec->choices, ":", -1);
  guint i, j;

  for (i = 0; choices[i] != NULL; i++) {
    if (g_ascii_strcasecmp (choices[i], text) == 0) {
      *ret_index = i;
      return TRUE;
    }
  }
  if (spec->type == FM_OPTION_TYPE_SWITCH) {
    for (i = 0; i < G_N_ELEMENTS (switch_words); i++) {
      for (j = 0; j < G_N_ELEMENTS (switch_words[i]); j++) {
        if (g_ascii_strcasecmp (switch_words[i][j], text) == 0) {
          *ret_index = i;
          return TRUE;
        }
      }
    }
  }
  return FALSE;
}

static gboolean
parse_signal (const gchar *text, guint64 *ret_number)
{
  guint i;

  if (g_ascii_strcasecmp (text, "none") == 0) {
    *ret_number = 0;
    return TRUE;
  }
  if (g_ascii_strncasecmp (text, "SIG", 3) == 0)
    text += 3;
  for (i = 0; i < G_N_ELEMENTS (signals); i++) {
    if (g_ascii_strcasecmp (signals[i].name, text) == 0) {
      *ret_number = (guint64) signals[i].number;
      return TRUE;
    }
  }
  return FALSE;
}

static const gchar *
signal_name (guint64 number)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (signals); i++) {
    if ((guint64) signals[i].number == number)
      return signals[i].name;
  }
  return "none";
}

/* Reads @text as the option's type. On TRUE @value's text and number are
 * new and owned by the caller. */
static gboolean
parse_value (FmOptionId id, const gchar *text, FmOptionValue *value)
{
  const FmOptionSpec *spec = &specs[id];
  gchar *end;

  value->number = 0;
  value->percent = FALSE;
  value->text = NULL;

  switch (spec->type) {
    case FM_OPTION_TYPE_PATH:
      if (text[0] == '\0')
        return FALSE;
      value->text = g_strdup (text);
      return TRUE;
    case FM_OPTION_TYPE_SIZE:
    case FM_OPTION_TYPE_SIZE_OR_PERCENT:
      if (!parse_size (text, spec->type == FM_OPTION_TYPE_SIZE_OR_PERCENT,
              &value->number, &value->percent))
        return FALSE;
      value->text = g_strdup_printf (
          "%" G_GUINT64_FORMAT "%s", value->number, value->percent ? "%" : "");
      return TRUE;
    case FM_OPTION_TYPE_CHOICE:
    case FM_OPTION_TYPE_SWITCH: {
      g_auto (GStrv) choices = g_strsplit (spec->choices, ":", -1);

      if (!parse_choice (spec, text, &value->number))
        return FALSE;
      value->text = g_strdup (choices[value->number]);
      return TRUE;
    }
    case FM_OPTION_TYPE_SECONDS:
      if (g_ascii_strcasecmp (text, "off") == 0) {
        value->text = g_strdup ("off");
        return TRUE;
      }
      if (!g_ascii_isdigit (text[0]))
        return FALSE;
      value->number = g_ascii_strtoull (text, &end, 10);
      if (*end != '\0' || value->number > G_MAXINT32)
        return FALSE;
      value->text = value->number == 0
          ? g_strdup ("off")
          : g_strdup_printf ("%" G_GUINT64_FORMAT, value->number);
      return TRUE;
    case FM_OPTION_TYPE_SIGNAL:
      if (!parse_signal (text, &value->number))
        return FALSE;
      value->text = g_strdup (signal_name (value->number));
      return TRUE;
    case FM_OPTION_TYPE_LIST:
      value->text = g_strdup (text);
      return TRUE;
    case FM_OPTION_TYPE_TEXT:
      value->text = g_strdup (text[0] == '\0' ? spec->default_text : text);
      return TRUE;
  }
  g_return_val_if_reached (FALSE);
}

void
fm_options_init (FmOptions *options)
{
  guint id;

  memset (options, 0, sizeof *options);
  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (specs[id].default_text[0] == '\0')
      options->value[id].text = g_strdup ("");
    else if (!parse_value (id, specs[id].default_text, &options->value[id]))
      g_assert_not_reached ();
  }
}

void
fm_options_clear (FmOptions *options)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++)
    g_clear_pointer (&options->value[id].text, g_free);
}

gboolean
fm_options_set (
    FmOptions *options, FmOptionId id, const gchar *text, GError **error)
{
  g_autofree gchar *stripped = g_strstrip (g_strdup (text));
  gboolean is_text = g_utf8_validate (stripped, -1, NULL);
  FmOptionValue value;

  if ((!is_text && specs[id].type != FM_OPTION_TYPE_PATH)
      || !parse_value (id, stripped, &value)) {
    g_autofree gchar *accepted = fm_option_accepted (id);
    g_autofree gchar *shown = g_utf8_make_valid (stripped, -1);

    g_set_error (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_VALUE,
        "option '%s': \"%s\" can't be read; accepted: %s", specs[id].name,
        shown, accepted);
    return FALSE;
  }

  g_free (options->value[id].text);
  options->value[id] = value;
  options->value[id].given = TRUE;
  return TRUE;
}

gboolean
fm_options_find (const gchar *name, FmOptionId *ret_id)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (strcmp (specs[id].name, name) == 0) {
      *ret_id = id;
      return TRUE;
    }
  }
  return FALSE;
}

gboolean
fm_options_knows_variable (const gchar *name)
{
  guint i;

  if (!g_str_has_prefix (name, VARIABLE_PREFIX))
    return TRUE;
  for (i = 0; i < FM_N_OPTIONS; i++) {
    if (strcmp (specs[i].variable, name) == 0)
      return TRUE;
  }
  return fm_is_other_variable (name + strlen (VARIABLE_PREFIX)) != 0;
}

void
fm_options_check_variables (const gchar *const *names)
{
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    if (!fm_options_knows_variable (names[i]))
      fm_warning (
          "%s is not a variable of filemem; gst-filemem(1) lists the options",
          names[i]);
  }
}

void
fm_options_set_from_environment (
    FmOptions *options, FmGetenv get, gboolean secure)
{
  guint id;

  if (secure)
    return;
  for (id = 0; id < FM_N_OPTIONS; id++) {
    const gchar *text = get (specs[id].variable);
    g_autoptr (GError) error = NULL;

    if (text != NULL && text[0] != '\0'
        && !fm_options_set (options, id, text, &error))
      fm_warning (
          "%s: %s; the default is used", specs[id].variable, error->message);
  }
}

/* Skips "(string)" and the like. */
static gchar *
skip_type (gchar *text)
{
  gchar *end = text + 1;

  if (text[0] != '(')
    return text;
  while (g_ascii_isalnum (*end) || *end == '_')
    end++;
  return *end == ')' && end > text + 1 ? g_strchug (end + 1) : text;
}

/* The value in @text as a GstStructure may have it, "(string)\"/x\"": without
 * the type, which the option knows, and without the quotes. Changes @text. */
static gchar *
plain_value (gchar *text)
{
  gsize length;

  text = skip_type (g_strstrip (text));
  length = strlen (text);
  if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
    text[length - 1] = '\0';
    text++;
  }
  return text;
}

gboolean
fm_options_check_scope (const FmOptions *given, GError **error)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (given->value[id].given
        && specs[id].scope != FM_OPTION_SCOPE_ALLOCATOR) {
      g_set_error (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_SCOPE,
          "option '%s' is not one of an allocator: set %s for the program",
          specs[id].name, specs[id].variable);
      return FALSE;
    }
  }
  return TRUE;
}

void
fm_options_take_given (FmOptions *options, const FmOptions *given)
{
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (!given->value[id].given)
      continue;
    g_free (options->value[id].text);
    options->value[id] = given->value[id];
    options->value[id].text = g_strdup (given->value[id].text);
  }
}

/* Takes one "name=value". An empty item sets nothing. */
static gboolean
set_from_item (FmOptions *options, gchar *item, GError **error)
{
  gchar *name = g_strstrip (item), *text;
  FmOptionId id;

  if (name[0] == '\0')
    return TRUE;
  text = strchr (name, '=');
  if (text != NULL) {
    *text++ = '\0';
    g_strchomp (name);
  }
  if (!fm_options_find (name, &id)) {
    g_autofree gchar *shown = g_utf8_make_valid (name, -1);

    g_set_error (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_NAME,
        "there is no option '%s'; gst-filemem(1) lists them", shown);
    return FALSE;
  }
  if (text == NULL) {
    g_autofree gchar *accepted = fm_option_accepted (id);

    g_set_error (error, FM_OPTIONS_ERROR, FM_OPTIONS_ERROR_VALUE,
        "option '%s' has no value; accepted: %s", name, accepted);
    return FALSE;
  }
  return fm_options_set (options, id, plain_value (text), error);
}

gchar *
fm_options_tracer_params (const gchar *tracers)
{
  g_auto (GStrv) items = g_strsplit (tracers != NULL ? tracers : "", ";", -1);
  guint i;

  for (i = 0; items[i] != NULL; i++) {
    const gchar *params = items[i] + strlen (TRACER);

    if (!g_str_has_prefix (items[i], TRACER))
      continue;
    if (params[0] == '\0')
      return g_strdup ("");
    if (params[0] == '(')
      return g_strndup (params + 1, fm_tracer_params_length (params + 1));
  }
  return NULL;
}

void
fm_options_set_from_params (FmOptions *options, const gchar *params)
{
  g_auto (GStrv) items = g_strsplit (params != NULL ? params : "", ",", -1);
  guint i;

  for (i = 0; items[i] != NULL; i++) {
    g_autoptr (GError) error = NULL;

    if (!set_from_item (options, items[i], &error))
      fm_warning ("%s; the parameter is ignored", error->message);
  }
}

gboolean
fm_options_set_from_string (
    FmOptions *options, const gchar *text, GError **error)
{
  g_auto (GStrv) items = g_strsplit (text != NULL ? text : "", ",", -1);
  guint i;

  for (i = 0; items[i] != NULL; i++) {
    if (!set_from_item (options, items[i], error))
      return FALSE;
  }
  return TRUE;
}

gboolean
fm_options_list_has (const gchar *list, const gchar *item)
{
  g_auto (GStrv) items = g_strsplit (list, ":", -1);

  return item[0] != '\0'
      && g_strv_contains ((const gchar *const *) items, item);
}
