/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * about.h: what a report or a recording describes: the command, the versions,
 * the options in force, the machine, and when the process began. None of it
 * changes while the process lives.
 */
#ifndef FM_ABOUT_H
#define FM_ABOUT_H

#include "json.h"
#include "options.h"

G_BEGIN_DECLS

/* @options must stay in place. To be called once, before anything is
 * reported. */
void fm_about_start (const FmOptions *options);

/* Adds the object "about". Any thread. */
void fm_about_add (FmJson *json);

G_END_DECLS
#endif
