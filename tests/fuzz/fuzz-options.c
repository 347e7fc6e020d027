/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz-options.c: any text as the value of an option, which the first byte
 * chooses. What is accepted, read again from its own text, is the same value.
 */
#include "fuzz.h"
#include "option-checks.h"

static void
try_value (FmOptionId id, const gchar *text, const FmOptions *defaults)
{
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

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree gchar *text = NULL;
  FmOptions defaults;

  if (size == 0)
    return 0;
  text = g_strndup ((const gchar *) data + 1, size - 1);
  checks_begin (text);
  fm_options_init (&defaults);
  /* So that an input can be typed. */
  try_value ((guint8) (data[0] - 'A') % FM_N_OPTIONS, text, &defaults);
  fm_options_clear (&defaults);
  return 0;
}
