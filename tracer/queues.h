/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.h: watches the entrances of queue-like elements, and copies foreign
 * memory into filemem where much of it would gather.
 *
 * Which elements are queue-like the option `queues` says, by the names of their
 * factories; a type derived from one of those counts as well. "known" stands
 * for those that are known to hold many buffers, "auto" for these and for
 * elements that are seen to sit on megabytes: they are queues as long as they
 * do. The pads at which buffers enter are found by pads.c, which tells each
 * entrance what passes.
 *
 * A buffer that enters is copied only if the queue would otherwise hold more
 * than `copy-above` bytes. What a queue holds is asked of the element where it
 * can tell ("current-level-bytes"); else the foreign buffers that entered and
 * are still in use are counted.
 */
#ifndef FM_QUEUES_H
#define FM_QUEUES_H

#include "foreign.h"
#include "packing.h"

G_BEGIN_DECLS

typedef struct
{
  gchar *name; /* path of the pad in its pipeline */
  guint64 id;  /* others may have that name */
  gboolean is_gone;
  guint64 figure[FM_N_QUEUE_FIGURES];
} FmQueueRecord;

/* Where buffers enter a queue; for the streaming thread alone. */
typedef struct _FmEntrance FmEntrance;

/* Called once, by a streaming thread, when @queue holds much that is not
 * filemem's, @bytes. */
typedef void (*FmQueuesForeignFunc) (const gchar *queue, guint64 bytes);

/* Says which queues there are to watch, once; @names as the option `queues`
 * gives them, which may be "none"; @ours is the allocator to copy to. */
void fm_queues_start (GstAllocator *ours, const gchar *names,
    guint64 copy_above, FmQueuesForeignFunc on_foreign);
gboolean fm_queues_are_watched (void);

/* The entrance that sink @pad of @element is, whose chain function is @chain;
 * NULL if it need not be watched. */
FmEntrance *fm_queues_entrance (
    GstElement *element, GstPad *pad, GstPadChainFunction chain);

/* Whether who is exchanged for a copy is kept until it is asked for, so that it
 * is let go where nothing is locked. */
void fm_entrance_keep_originals (FmEntrance *entrance, gboolean keep);

/* Bytes of those that are kept; and they, to be freed, or NULL. */
gsize fm_entrance_originals (const FmEntrance *entrance);
GPtrArray *fm_entrance_take_originals (FmEntrance *entrance);

/* What enters is of @caps from now on, of which the pad may know nothing yet.
 */
void fm_entrance_set_caps (FmEntrance *entrance, GstCaps *caps);

/* The pad is gone. */
void fm_entrance_left (FmEntrance *entrance);

/* NULL if nothing is packed there. */
FmPacking *fm_entrance_packing (FmEntrance *entrance);

/* Takes what is about to enter and gives what is to enter in its place; NULL if
 * it was packed and need not enter. *@ret_packing is with a reference who is to
 * be told what comes of it (fm_packing_entered()), or NULL. */
GstBuffer *fm_entrance_let_in (FmEntrance *entrance, GstPad *pad,
    GstBuffer *buffer, FmPacking **ret_packing);
GstBufferList *fm_entrance_let_list_in (FmEntrance *entrance, GstPad *pad,
    GstBufferList *list, FmPacking **ret_packing);

/* An event comes. At the end of a stream no copy is kept for another branch of
 * a tee. */
void fm_entrance_see_event (FmEntrance *entrance, GstEvent *event);

/* This thread has come to the end of what it pushes into queues. */
void fm_queues_end_of_stream (void);

/* A buffer leaves what it entered, perhaps past the entrance; by one
 * thread at a time. What was not seen before is counted. */
void fm_entrance_see_leaving (FmEntrance *entrance, GstBuffer *buffer);

/* A query that comes. */
void fm_entrance_see_query (FmEntrance *entrance, GstQuery *query);

/* A query that was answered: who lends what to whom? */
void fm_entrance_see_answer (FmEntrance *entrance, GstQuery *query);

/* One record (FmQueueRecord) for each entrance of a queue, in the order in
 * which they were seen first. Those that are gone count as long as there are
 * not too many. Any thread. */
GPtrArray *fm_queues_records (void);

/* The most of them that there were at a time. */
guint fm_queues_at_once (void);

G_END_DECLS
#endif
