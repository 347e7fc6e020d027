/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fake-gstreamer.h: what ask.c looks up in fake-gstreamer.c.
 */
#ifndef FAKE_GSTREAMER_H
#define FAKE_GSTREAMER_H

#include <glib.h>

/* How often a plugin was loaded, which file last, and what GST_TRACERS was
 * during that. */
extern gint fake_loads;
extern gchar *fake_file;
extern gchar *fake_inner;

/* Of the plugin: what its tracer was given. */
extern gchar *fake_params;

/* g_getenv() with libgstreamer as its caller. */
const gchar *fake_ask (const gchar *name);

gpointer gst_plugin_load_file (const gchar *filename, GError **error);
void gst_file_mem_tracer_make (const gchar *params);

#endif
