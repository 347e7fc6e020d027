/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * tracer-params.h: where the parameters of a tracer end in GST_TRACERS, and
 * which variables are not options; also for the shim, which has no GLib.
 *
 * GStreamer splits the variable at ';' before it looks at parentheses. From
 * 1.22.5 on parentheses may be nested, as in "filemem(dir=(string)/x)".
 */
#ifndef FM_TRACER_PARAMS_H
#define FM_TRACER_PARAMS_H

#include <stddef.h>
#include <string.h>

/* The length of the text behind a '(': up to the matching ')', or to the end if
 * there is none. */
static inline size_t
fm_tracer_params_length (const char *params)
{
  size_t length = 0;
  unsigned int depth = 0;

  for (;;) {
    length += strcspn (params + length, "()");
    if (params[length] == '(')
      depth++;
    else if (params[length] != ')' || depth-- == 0)
      return length;
    length++;
  }
}

/* Whether the variable GST_FILEMEM_@name is not an option: of the launcher, the
 * build and the page. */
static inline int
fm_is_other_variable (const char *name)
{
  return strcmp (name, "PLUGIN") == 0 || strcmp (name, "BUILD") == 0
      || strcmp (name, "DYGRAPHS") == 0;
}

#endif
