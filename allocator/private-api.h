/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * private-api.h: marks what the library exports for its plugin alone.
 *
 * Everything below the subclass has state that a process must have once: who
 * receives messages, the hook of the seam, who has been warned of what. So the
 * plugin links no copy of it but calls the library's. These functions begin
 * with fm_, are in no installed header and may change with every version;
 * plugin and library are of one version. tests/integration/see/one-core.py sees
 * to it that they are those that the plugin calls and no others.
 */
#ifndef FM_PRIVATE_API_H
#define FM_PRIVATE_API_H

/* Calls from within the library stay direct: it is linked so. */
#define FM_PRIVATE_API __attribute__ ((visibility ("default")))

#endif
