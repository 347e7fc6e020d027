/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-options.c: what the environment tells filemem, and which parts of that
 * filemem will not understand.
 *
 * The library reads the values and warns; its warnings become lines here.
 */
#include "doctor.h"
#include "messages.h"

#include <string.h>

#define PREFIX "GST_FILEMEM_"

static guint n_warnings;

static void
say_warning (FmMessageLevel level, const gchar *text)
{
  if (level != FM_MESSAGE_WARNING)
    return;
  n_warnings++;
  doctor_problem ("options",
      "correct the value, or remove it; gst-filemem(1) lists the options", "%s",
      text);
}

static const gchar *
get_variable (const gchar *name)
{
  return g_getenv (name);
}

void
doctor_take_options (const Doctor *doctor, FmOptions *options)
{
  g_autofree gchar *params =
      fm_options_tracer_params (g_getenv ("GST_TRACERS"));

  fm_options_init (options);
  fm_options_set_from_environment (options, get_variable, FALSE);
  fm_options_set_from_params (options, params);
  if (doctor->dir != NULL)
    (void) fm_options_set (options, FM_OPTION_DIR, doctor->dir, NULL);
}

gboolean
doctor_params_have_exe (const gchar *params)
{
  FmOptions options;
  gboolean have;

  fm_options_init (&options);
  fm_options_set_from_params (&options, params);
  have = fm_options_is_chosen (&options, FM_OPTION_EXE);
  fm_options_clear (&options);
  return have;
}

static void
check_names (void)
{
  g_auto (GStrv) names = g_listenv ();
  guint i;

  for (i = 0; names[i] != NULL; i++) {
    g_autofree gchar *fix = NULL;

    if (fm_options_knows_variable (names[i]))
      continue;
    n_warnings++;
    fix = g_strdup_printf (
        "unset %s; gst-filemem(1) lists the options", names[i]);
    doctor_problem (
        "options", fix, "%s is not a variable of filemem", names[i]);
  }
}

/* A parameter overrides the variable, so the variable may be set as well. */
static const gchar *
find_exe_fix (void)
{
  const gchar *variable = g_getenv (PREFIX "EXE");
  g_autofree gchar *params =
      fm_options_tracer_params (g_getenv ("GST_TRACERS"));

  if (!doctor_params_have_exe (params))
    return "unset " PREFIX "EXE, to have it in all programs";
  if (variable == NULL || variable[0] == '\0')
    return "remove exe from GST_TRACERS, to have it in all programs";
  return "remove exe from GST_TRACERS, and unset " PREFIX "EXE, to have it in "
         "all programs";
}

static gchar *
describe_given (const FmOptions *options)
{
  GString *given = g_string_new (NULL);
  guint id;

  for (id = 0; id < FM_N_OPTIONS; id++) {
    if (options->value[id].given)
      g_string_append_printf (given, "%s%s=%s", given->len > 0 ? ", " : "",
          fm_option_spec ((FmOptionId) id)->name, options->value[id].text);
  }
  return g_string_free (given, FALSE);
}

void
doctor_check_options (const Doctor *doctor)
{
  const gchar *plugin = g_getenv (PREFIX "PLUGIN");
  g_autofree gchar *given = NULL;
  FmOptions options;

  fm_messages_set_func (say_warning);
  doctor_take_options (doctor, &options);
  check_names ();
  if (plugin != NULL && plugin[0] != '\0' && plugin[0] != '/') {
    n_warnings++;
    doctor_problem ("options", "set it to the whole path of libgstfilemem.so",
        PREFIX "PLUGIN=%s is not an absolute path", plugin);
  }
  fm_messages_set_func (NULL);

  if (fm_options_is_chosen (&options, FM_OPTION_EXE))
    doctor_note ("options", find_exe_fix (),
        "only programs of these names use filemem: %s",
        fm_options_text (&options, FM_OPTION_EXE));
  given = describe_given (&options);
  if (given[0] != '\0')
    doctor_ok ("options", "%s", given);
  else if (n_warnings == 0)
    doctor_ok ("options", "none are given");
  fm_options_clear (&options);
}
