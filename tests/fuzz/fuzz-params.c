/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-params.c: any text as the tracer's parameters, and as the whole of
 * GST_TRACERS.
 *
 * What is taken from parameters, written and read again, is the same. What the
 * doctor makes of GST_TRACERS needs no second mending, and has the tracer in
 * it.
 */
#include "doctor.h"
#include "fuzz.h"
#include "option-checks.h"

#include <string.h>

/* What was taken, written as a parameter string and read again, is the same: in
 * quotes, since it may begin and end with some. */
static void
check_again (const FmOptions *options)
{
  g_autoptr (GString) params = g_string_new (NULL);
  FmOptions again;
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (options->value[id].given)
      g_string_append_printf (params, "%s%s=\"%s\"", params->len > 0 ? "," : "",
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
  fm_options_set_from_params (&lenient, text);
  ok = fm_options_set_from_string (&strict, text, &error);
  check_options (&lenient, defaults);
  check_options (&strict, defaults);
  check (ok == (n_warnings () == 0),
      "warned of what is no error, or not of one", "string");
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

static void
try_tracers (const gchar *text)
{
  g_autofree gchar *params = fm_options_tracer_params (text);
  g_autofree gchar *mended = doctor_tracers_mend (text);
  g_autofree gchar *again = NULL;

  check (params == NULL || strstr (text, params) != NULL,
      "parameters that are not there", "tracers");
  if (mended == NULL)
    return;
  again = doctor_tracers_mend (mended);
  check (again == NULL, "mended, and to be mended again", "tracers");
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree gchar *text = g_strndup ((const gchar *) data, size);
  FmOptions defaults;

  checks_begin (text);
  fm_options_init (&defaults);
  try_string (&defaults, text);
  fm_options_clear (&defaults);
  try_tracers (text);
  return 0;
}
