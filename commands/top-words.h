/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * top-words.h: figures and names as text for people.
 *
 * None of these functions looks at the locale except fm_tame() and fm_clip(),
 * which measure text as the terminal does.
 */
#ifndef FM_TOP_WORDS_H
#define FM_TOP_WORDS_H

#include <glib.h>

G_BEGIN_DECLS

/* "118 MiB", "2.3 GiB" */
gchar *fm_words_bytes (gdouble bytes);

/* "118M", "2.3G" */
gchar *fm_words_short_bytes (gdouble bytes);

/* "850 ns", "1.2 ms", "3.4 s" */
gchar *fm_words_ns (gdouble ns);

/* "0", "0.3", "12", "1500" */
gchar *fm_words_number (gdouble number);

/* "0", "0.98", "1.5", "12", from thousandths */
gchar *fm_words_permille (guint64 permille);

/* "1:02:03", "2:03" */
gchar *fm_words_uptime (guint64 ns);

/* "pipeline0/queue0.sink" from
 * "/GstPipeline:pipeline0/GstQueue:queue0.GstPad:sink" */
gchar *fm_words_path (const gchar *path);

/* @text, whatever it is, in a form that a terminal may be given: one line,
 * without anything that moves the cursor, writes from right to left, or has no
 * width; only ASCII unless @utf8. With @utf8 a space need not be one that
 * breaks. */
gchar *fm_tame (const gchar *text, gboolean utf8);

/* The columns that a tame @text takes. */
guint fm_columns (const gchar *text);

/* Stands for what is left out, in one column. */
const gchar *fm_ellipsis (gboolean utf8);

typedef enum { FM_CUT_END, FM_CUT_START } FmCut;

/* A tame @text in at most @columns. */
gchar *fm_clip (const gchar *text, guint columns, FmCut cut, gboolean utf8);

G_END_DECLS
#endif
