/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fuzz.h: what a fuzz target is: a function that is given any bytes, and ends
 * the program where something is not as it has to be. libFuzzer calls it, or
 * replay.c.
 */
#ifndef FM_FUZZ_H
#define FM_FUZZ_H

#include <glib.h>
#include <stdlib.h>

G_BEGIN_DECLS

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

/* Called once before; a target need not have it. */
int LLVMFuzzerInitialize (int *argc, char ***argv);

/* Not g_error(), whose SIGTRAP libFuzzer does not know. */
#define fuzz_fail(...)        \
  G_STMT_START                \
  {                           \
    g_printerr (__VA_ARGS__); \
    abort ();                 \
  }                           \
  G_STMT_END

#define fuzz_check(condition)                               \
  G_STMT_START                                              \
  {                                                         \
    if (G_UNLIKELY (!(condition)))                          \
      fuzz_fail ("%s: not so: %s\n", G_STRLOC, #condition); \
  }                                                         \
  G_STMT_END

G_END_DECLS
#endif
