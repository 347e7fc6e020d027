/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * entrance-cases.h: the cases of entrances.c, each of which a child runs after
 * start_child().
 */
#ifndef FM_ENTRANCE_CASES_H
#define FM_ENTRANCE_CASES_H

/* entrance-ways.c */
void by_parse (void);
void by_factory (void);
void by_type (void);
void in_bins (void);
void linked_before (void);
void linked_late (void);
void request_pads (void);
void appsink_by_factory (void);
void appsink_by_type (void);
void appsink_subclass (void);
void appsink_subclass_with_plugin (void);
void added_while_playing (void);
void in_decodebin (void);
void in_splitmuxsink (void);

/* entrance-contents.c */
void behind_tee (void);
void behind_tee_changed (void);
void lists (void);
void lists_behind_tee (void);
void lent_by_shmsink (void);

/* entrance-held.c */
void nobody_takes_from_queue (void);
void nobody_takes_from_queue2 (void);
void nobody_takes_from_multiqueue (void);
void nobody_takes_from_appsink (void);
void nobody_takes_small_parts (void);

/* entrance-flow.c */
void limit_of_buffers (void);
void limit_of_bytes (void);
void latency (void);
void quality_of_service (void);

#endif
