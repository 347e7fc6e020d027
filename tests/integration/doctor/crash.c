/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * crash.c: a plugin that ends every program that loads it.
 */
#include <stdlib.h>

__attribute__ ((constructor)) static void
crash (void)
{
  abort ();
}
