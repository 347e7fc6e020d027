/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * about.h: what a report or a recording is of: the command, versions, options
 * in force, the machine and when it began. The same as long as the process
 * lives.
 */
#ifndef FM_ABOUT_H
#define FM_ABOUT_H

#include "json.h"
#include "options.h"

G_BEGIN_DECLS

/* @options stay where they are. Called once, before anything is told. */
void fm_about_start (const FmOptions *options);

/* Adds the object "about". Any thread. */
void fm_about_add (FmJson *json);

G_END_DECLS
#endif
