/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * filemem.h: the one header to include, as <gst/filemem/filemem.h>.
 */
#ifndef GST_FILEMEM_H
#define GST_FILEMEM_H

#include <gst/filemem/gstfilememallocator.h>

#endif
