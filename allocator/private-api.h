/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private-api.h: marks what the library exports for its plugin alone.
 *
 * Everything below the subclass has state that a process must have only once:
 * the receiver of messages, the hook of the seam, which warnings have been
 * given. So the plugin links no copy of it but calls the library's. These
 * functions begin with fm_, are in no installed header and may change with
 * every version; plugin and library are always of the same version.
 * tests/integration/see/one-core.py checks that these are exactly the functions
 * that the plugin calls.
 */
#ifndef FM_PRIVATE_API_H
#define FM_PRIVATE_API_H

/* Calls from within the library stay direct: it is linked so. */
#define FM_PRIVATE_API __attribute__ ((visibility ("default")))

#endif
