/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * status-page-layout.h: the status page, through which a program that uses
 * filemem and a viewer talk. It has what both sides have to agree on, and
 * nothing else.
 *
 * The page is a file $XDG_RUNTIME_DIR/gst-filemem/PID-XXXXXX (with a dot in
 * front until it is finished), mapped shared by its owner, which holds write
 * locks on it for as long as it lives: one on the open file (F_OFD_SETLK),
 * which the mapping keeps when the program closes all descriptors, and one of
 * the process (F_SETLK), which reveals its pid. The owner takes them before it
 * writes the magic: a viewer removes a file that has a magic and no lock.
 *
 * A viewer that wants fresh figures adds 1 to `asked` and wakes any thread that
 * waits on it as a futex (one that is shared between processes). The owner then
 * makes `sequence` odd, writes `answered`, `length` and `text`, and makes it
 * even: a reader that finds it odd, or changed while it copied the text, tries
 * again. `answered` is the value that `asked` had before the figures were
 * taken: an answer that was already on its way does not answer this question.
 * The owner never reads anything here but `asked`, and the viewer trusts
 * nothing.
 */
#ifndef FM_STATUS_PAGE_LAYOUT_H
#define FM_STATUS_PAGE_LAYOUT_H

#include "machine.h"

#include <glib.h>

G_BEGIN_DECLS

#define FM_STATUS_PAGE_DIRECTORY FM_RUNTIME_DIRECTORY /* in XDG_RUNTIME_DIR */
#define FM_STATUS_PAGE_UNFINISHED "."  /* before the name of a page */
#define FM_STATUS_PAGE_MAGIC "filemem" /* with its NUL: 8 bytes */
#define FM_STATUS_PAGE_VERSION 1
#define FM_STATUS_PAGE_SIZE (128 * 1024)

/* The bytes that the two locks cover. */
#define FM_STATUS_PAGE_LOCK_PROCESS 0
#define FM_STATUS_PAGE_LOCK_FILE 1

typedef struct
{
  gchar magic[8];
  guint32 version;
  guint32 size; /* of the page in bytes */
  _Atomic guint32 asked;
  _Atomic guint32 sequence; /* odd while the text is being written */
  guint32 length;           /* of the text in bytes */
  guint32 answered;         /* wraps around, like `asked` */
  gchar text[];             /* UTF-8, JSON */
} FmStatusPage;

G_STATIC_ASSERT (sizeof (FmStatusPage) == 32);

G_END_DECLS
#endif
