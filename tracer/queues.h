/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * queues.h: watches the entrances of queue-like elements, and copies foreign
 * memory into filemem where much of it would gather.
 *
 * The option `queues` says which elements are queue-like, by the names of their
 * factories; a type derived from one of those counts as well. "known" stands
 * for the elements that are known to hold many buffers, "auto" for these and
 * for elements that are seen to sit on megabytes: they are queues for as long
 * as they do. pads.c finds the pads at which buffers enter, and tells each
 * entrance what passes.
 *
 * A buffer that enters is copied only if the queue would otherwise hold more
 * than `copy-above` bytes. An element that can tell how much it holds
 * ("current-level-bytes") is asked; else the foreign buffers that entered and
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

/* Where buffers enter a queue; used by the streaming thread alone. */
typedef struct _FmEntrance FmEntrance;

/* Called once, by a streaming thread, when @queue holds much memory, @bytes,
 * that is not filemem's. */
typedef void (*FmQueuesForeignFunc) (const gchar *queue, guint64 bytes);

/* Says which queues to watch, once; @names is in the form of the option
 * `queues`, and may be "none"; @ours is the allocator to copy to. */
void fm_queues_start (GstAllocator *ours, const gchar *names,
    guint64 copy_above, FmQueuesForeignFunc on_foreign);
gboolean fm_queues_are_watched (void);

/* The entrance for sink pad @pad of @element, whose chain function is @chain;
 * NULL if the pad need not be watched. */
FmEntrance *fm_queues_entrance (
    GstElement *element, GstPad *pad, GstPadChainFunction chain);

/* Whether an original that is exchanged for a copy is kept until the caller
 * asks for it, so that it can be released where nothing is locked. */
void fm_entrance_keep_originals (FmEntrance *entrance, gboolean keep);

/* The bytes of those that are kept; and the originals themselves, to be freed,
 * or NULL. */
gsize fm_entrance_originals (const FmEntrance *entrance);
GPtrArray *fm_entrance_take_originals (FmEntrance *entrance);

/* From now on what enters has @caps, of which the pad may not know yet. */
void fm_entrance_set_caps (FmEntrance *entrance, GstCaps *caps);

/* The pad is gone. */
void fm_entrance_left (FmEntrance *entrance);

/* NULL if nothing is packed there. */
FmPacking *fm_entrance_packing (FmEntrance *entrance);

/* Takes what is about to enter and returns what is to enter in its place; NULL
 * if it was packed and need not enter. *@ret_packing is the packing, with a
 * reference, that is to be told the result (fm_packing_entered()), or NULL. */
GstBuffer *fm_entrance_let_in (FmEntrance *entrance, GstPad *pad,
    GstBuffer *buffer, FmPacking **ret_packing);
GstBufferList *fm_entrance_let_list_in (FmEntrance *entrance, GstPad *pad,
    GstBufferList *list, FmPacking **ret_packing);

/* An event comes. At the end of a stream no copy is kept for another branch of
 * a tee. */
void fm_entrance_see_event (FmEntrance *entrance, GstEvent *event);

/* This thread has come to the end of the stream that it pushes into queues. */
void fm_queues_end_of_stream (void);

/* A buffer leaves the element, having perhaps bypassed the entrance; in one
 * thread at a time. What was not seen before is counted. */
void fm_entrance_see_leaving (FmEntrance *entrance, GstBuffer *buffer);

/* A query comes. */
void fm_entrance_see_query (FmEntrance *entrance, GstQuery *query);

/* A query was answered: it shows which element lends memory to which. */
void fm_entrance_see_answer (FmEntrance *entrance, GstQuery *query);

/* One record (FmQueueRecord) for each entrance of a queue, in the order in
 * which they were first seen. Those that are gone are included as long as there
 * are not too many. Any thread. */
GPtrArray *fm_queues_records (void);

/* The most entrances that existed at the same time. */
guint fm_queues_at_once (void);

G_END_DECLS
#endif
