/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * options.c: gst-filemem-options, with which the launcher checks its arguments
 * by the library's own parser.
 *
 * Usage: gst-filemem-options NAME VALUE. Prints nothing if the option accepts
 * the value; otherwise prints why not, with status 1.
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  FmOptions options;
  FmOptionId id;

  if (argc != 3 || !fm_options_find (argv[1], &id)) {
    fputs ("usage: gst-filemem-options NAME VALUE\n", stderr);
    return 2;
  }
  fm_options_init (&options);
  if (!fm_options_set (&options, id, argv[2], &error)) {
    printf ("%s\n", error->message);
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
