/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gstreamer-child.h: children that start GStreamer, each with an environment
 * and a registry of its own. There g_warning() and g_critical() end the
 * program: filemem must not use them.
 */
#ifndef FM_GSTREAMER_CHILD_H
#define FM_GSTREAMER_CHILD_H

#include <gst/filemem/filemem.h>

#include "testing.h"

/* Nobody's own settings, and no plugins but those of GST_PLUGIN_PATH; the
 * registry is in @dir. */
void gstreamer_clean_environment (const gchar *dir);
void gstreamer_start (void);

/* In the parent. */
void assert_names (const gchar *said, const gchar *what);

#endif
