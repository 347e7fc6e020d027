/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * plugin.c: registers the tracer; loading the plugin does nothing else, so
 * plugin scanners and gst-inspect-1.0 leave no trace.
 */
#include "gstfilememtracer.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  return gst_tracer_register (plugin, "filemem", GST_TYPE_FILE_MEM_TRACER);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, filemem,
    "Keeps the buffers of large queues on disk instead of in memory",
    plugin_init, PACKAGE_VERSION, "LGPL", "filemem, by the filemem authors",
    "https://bugzilla.gnome.org/show_bug.cgi?id=691299")
