/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plain.c: a program that has never heard of GLib. It fails if the shim brought
 * in another library.
 */
#include <link.h>
#include <stdio.h>
#include <string.h>

static int
check_object (struct dl_phdr_info *info, size_t size, void *user_data)
{
  if (strstr (info->dlpi_name, "libglib")
      || strstr (info->dlpi_name, "libgst")) {
    if (strstr (info->dlpi_name, "libgstfilemem-inject"))
      return 0;
    fprintf (stderr, "plain: %s is loaded\n", info->dlpi_name);
    return 1;
  }
  return 0;
}

int
main (void)
{
  return dl_iterate_phdr (check_object, NULL);
}
