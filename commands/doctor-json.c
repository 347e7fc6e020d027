/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * doctor-json.c: what gst-filemem-doctor says, for programs: one object,
 * printed at the end.
 */
#include "doctor.h"

#include "json.h"

#include <stdio.h>

static void
take_line (DoctorLevel level, const gchar *subject, const gchar *text,
    const gchar *fix, gpointer data)
{
  FmJson *json = data;

  fm_json_begin (json, NULL, '{');
  fm_json_string (json, "level", doctor_level_name (level));
  fm_json_string (json, "subject", subject);
  fm_json_string (json, "text", text);
  if (fix[0] != '\0')
    fm_json_string (json, "fix", fix);
  else
    fm_json_null (json, "fix");
  fm_json_end (json, '}');
}

guint
doctor_say_json (const Doctor *doctor,
    void (*run) (const Doctor *doctor, DoctorCounts *counts))
{
  g_autofree gchar *text = NULL;
  FmJson json;
  DoctorCounts counts = {.take = take_line, .data = &json};

  fm_json_init (&json);
  fm_json_begin (&json, NULL, '{');
  fm_json_string (&json, "version", PACKAGE_VERSION);
  fm_json_begin (&json, "checks", '[');
  run (doctor, &counts);
  fm_json_end (&json, ']');
  fm_json_number (&json, "problems", counts.n[DOCTOR_PROBLEM]);
  fm_json_number (&json, "notes", counts.n[DOCTOR_NOTE]);
  fm_json_end (&json, '}');
  text = fm_json_steal (&json);
  printf ("%s\n", text);
  return counts.n[DOCTOR_PROBLEM];
}
