/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page.h: the program's side of the status page (status-page-layout.h).
 *
 * Where there is no directory for it, the page is memory of the process's own,
 * which no other process sees; the thread that waits for viewers can wait there
 * all the same.
 *
 * Locking: one writer at a time; fm_status_page_poke() from anywhere, signal
 * handlers included.
 */
#ifndef FM_STATISTICS_PAGE_H
#define FM_STATISTICS_PAGE_H

#include "status-page-layout.h"
#include "seam.h"

#include <stdatomic.h>

G_BEGIN_DECLS

typedef struct
{
  FmStatusPage *page;
  gchar *path; /* NULL: no other process sees the page */
  int fd;      /* holds the locks; filemem does not close it before the end */
  FmFileIdentity identity;
} FmOwnPage;

/* Makes the page, in @runtime_dir if that is not NULL. FALSE if there is not
 * even memory for it. */
gboolean fm_status_page_init (FmOwnPage *own, const gchar *runtime_dir);

/* Removes the file; the memory stays, for any thread that still pokes it. */
void fm_status_page_hide (FmOwnPage *own);

/* Removes the file, and the mapping. */
void fm_status_page_clear (FmOwnPage *own);

/* In the child of a fork, where the page is still the parent's: lets go of it,
 * using only async-signal-safe calls. */
void fm_status_page_abandon (FmOwnPage *own);

/* Writes a text to the page; FALSE if it does not fit. Its figures were taken
 * after fm_status_page_asked() returned @asked. */
gboolean fm_status_page_write (
    FmOwnPage *own, guint32 asked, const gchar *text);

/* How often figures have been asked for, by viewers or by
 * fm_status_page_poke(). */
guint32 fm_status_page_asked (FmOwnPage *own);

/* Waits until the number of requests differs from @asked, or until @timeout
 * (us; negative: for ever) has passed. May return early. */
void fm_status_page_wait (FmOwnPage *own, guint32 asked, gint64 timeout);

/* Asks, and wakes the waiting thread. Async-signal-safe. */
void fm_status_page_poke (FmOwnPage *own);

G_END_DECLS
#endif
