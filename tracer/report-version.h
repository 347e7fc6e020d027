/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * report-version.h: the version of the report in JSON, for which it is made and
 * described.
 */
#ifndef FM_REPORT_VERSION_H
#define FM_REPORT_VERSION_H

/* It changes when a name is removed, or changes its meaning. */
#define FM_REPORT_VERSION 1

#endif
