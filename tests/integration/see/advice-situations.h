/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * advice-situations.h: the table of whole situations that advice.c goes
 * through.
 */
#ifndef FM_TEST_ADVICE_SITUATIONS_H
#define FM_TEST_ADVICE_SITUATIONS_H

#include <glib.h>

/* Whole situations: what is said, in this order, and what is not. */
typedef struct
{
  const gchar *name;
  guint64 budget, resident, spilled, pinned; /* MiB, the most */
  guint64 passed, written, read, to_write;   /* MiB */
  guint64 ahead, in_vain;                    /* MiB */
  guint n_queues;
  guint64 alloc_wait, map_wait, busy; /* s, of 20 */
  guint encoder;                      /* buffers that it holds; 0: unknown */
  const gchar *says[5];               /* the starts of it */
} Situation;

/* clang-format off */
static const Situation situations[] = {
    {"a queue that fits", 64, 60, 0, 5, 50, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, {NULL}},
    {"a deep queue", 64, 64, 900, 5, 1000, 930, 930, 0, 900, 0, 1, 0, 0, 5, 0, {NULL}},
    {"one stream and an encoder", 32, 77, 186, 69, 264, 450, 400, 0, 0, 0, 1, 4, 6, 8, 52,
        {"x264enc0 holds up to 52 buffers", "maps waited 6.0 s for buffers to come back from disk: raise ram"}},
    {"the same, and nobody knows who", 32, 77, 186, 69, 264, 450, 400, 0, 0, 0, 1, 4, 6, 8, 0,
        {"elements or the program have up to 69.0", "maps waited 6.0 s for buffers to come back from disk: raise ram"}},
    {"an encoder of several streams", 32, 77, 186, 69, 264, 450, 400, 0, 0, 0, 4, 0, 0, 8, 52,
        {"x264enc0 holds up to 52 buffers"}},
    {"mapped over ram, read ahead in vain", 32, 77, 186, 69, 264, 200, 300, 0, 200, 150, 1, 0, 0, 8, 52,
        {"x264enc0 holds up to 52 buffers"}},
    {"40 streams with 16M", 16, 18, 350, 11, 700, 1400, 1850, 0, 560, 285, 40, 300, 700, 9, 0,
        {"2.0 bytes were written for each that came in (1.4\302\240GiB): 40 streams"}},
    {"40 streams, each of which maps what it is at", 4, 14, 500, 11, 700, 1800, 1850, 0, 560, 285, 40, 300, 700, 9, 0,
        {"2.6 bytes were written for each that came in (1.8\302\240GiB): 40 streams"}},
    {"one stream in as little", 4, 14, 500, 11, 700, 1800, 1850, 0, 560, 285, 1, 0, 0, 9, 0,
        {"elements or the program have up to 11.0\302\240MiB mapped"}},
    {"40 streams that only read too often", 16, 18, 350, 11, 700, 890, 1850, 0, 560, 285, 40, 0, 0, 9, 0,
        {"285.0\302\240MiB of 560.0\302\240MiB was read ahead in vain: 40 streams"}},
    {"the pools of sixteen live streams", 8, 10, 60, 3, 265, 425, 400, 400, 0, 0, 16, 1, 3, 2, 0,
        {"400.0\302\240MiB of 400.0\302\240MiB came back from disk only to be overwritten"}},
    {"sixteen producers that the disk keeps waiting", 8, 10, 150, 3, 256, 250, 250, 0, 200, 0, 16, 60, 0, 4, 0,
        {"the disk moved 125 MiB/s both ways"}},
    {"a pool larger than ram", 32, 32, 40, 8, 1000, 950, 1900, 950, 0, 0, 1, 0, 3, 8, 0,
        {"950.0\302\240MiB of 1.9\302\240GiB came back from disk only to be overwritten", "maps waited"}},
    {"a slow disk", 64, 64, 900, 5, 1000, 930, 930, 0, 900, 0, 1, 15, 0, 20, 0,
        {"the disk moved 93 MiB/s both ways, and producers waited 15.0 s for it"}},
    {"a slow disk whose reader waits", 64, 64, 900, 5, 1000, 930, 930, 0, 900, 0, 1, 15, 9, 20, 0,
        {"the disk moved 93 MiB/s", "maps waited 9.0 s for buffers to come back from disk: raise ram"}},
    {"a program holds more than ram, and nothing goes to disk", 32, 105, 0, 105, 110, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
        {"elements or the program have up to 105.0\302\240MiB mapped at a time: ram below 113.0\302\240MiB saves no memory"}},
    {"room beside what is mapped was waited for", 32, 40, 30, 27, 100, 20, 20, 0, 0, 0, 1, 10, 0, 1, 20,
        {"x264enc0 holds up to 20 buffers (27.0\302\240MiB) mapped, for up to 2.1 s: ram below"}},
    {"sixteen live sources and a disk that sleeps", 64, 64, 60, 8, 1000, 60, 60, 0, 60, 0, 16, 40, 0, 1, 0, {NULL}},
};
/* clang-format on */

#endif
