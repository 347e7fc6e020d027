/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-reader.h: finds and reads the status pages of running programs.
 *
 * A scan brings the set of pages up to date, and removes those of dead
 * programs. Then all programs are asked at once, and those that answer in time
 * are fresh: programs that hang cost a viewer FM_STATUS_PAGES_WAIT_US, however
 * many hang.
 *
 * The program decides what is in a page, and may change it at any moment, or
 * even cut the page short. So a page is copied with pread(), which cannot raise
 * SIGBUS, and the mapping only ever serves as an address for the futex call.
 */
#ifndef FM_STATUS_PAGE_READER_H
#define FM_STATUS_PAGE_READER_H

#include <glib.h>

G_BEGIN_DECLS

/* How long a program has to answer. */
#define FM_STATUS_PAGES_WAIT_US (250 * G_TIME_SPAN_MILLISECOND)

typedef enum {
  FM_STATUS_PAGE_READABLE,
  FM_STATUS_PAGE_OTHER_VERSION,
  FM_STATUS_PAGE_DAMAGED, /* its sizes do not fit together */
} FmStatusPageState;

typedef struct
{
  gchar *name;          /* of the file: it identifies one run of one program */
  gint64 pid;           /* as the caller sees it, or as the program does */
  gboolean pid_is_ours; /* the former: /proc lists it under this number */
  FmStatusPageState state;
  gboolean answering; /* answered the last fm_status_pages_ask() */
  gchar *text;        /* the last that was read, with a NUL; NULL: none */
  gsize length;
} FmProgramPage;

typedef struct FmStatusPages FmStatusPages;

/* @directory need not exist yet. */
FmStatusPages *fm_status_pages_new (const gchar *directory);
void fm_status_pages_free (FmStatusPages *pages);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FmStatusPages, fm_status_pages_free)

/* Finds new pages; forgets and removes those of dead programs. Returns 0, or
 * errno if the directory can't be read; one that does not exist yet counts as
 * empty. */
int fm_status_pages_scan (FmStatusPages *pages);

/* The reason, in words, why there may be programs that a scan, which returned
 * @error, can't have seen; NULL: it has seen all. */
gchar *fm_status_pages_obstacle (FmStatusPages *pages, int error);

/* Asks every program for fresh figures and returns at once. */
void fm_status_pages_ask (FmStatusPages *pages);

/* Reads what has been answered so far. TRUE once there is nothing more to wait
 * for: all have answered, or time is up. */
gboolean fm_status_pages_collect (FmStatusPages *pages);

/* Asks and waits. */
void fm_status_pages_refresh (FmStatusPages *pages);

/* FmProgramPage, ordered by pid. Valid until the next scan. */
const GPtrArray *fm_status_pages_list (FmStatusPages *pages);

G_END_DECLS
#endif
