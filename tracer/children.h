/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * children.h: makes programs that this one starts run without filemem (the
 * option children=no).
 */
#ifndef FM_CHILDREN_H
#define FM_CHILDREN_H

#include <glib.h>

G_BEGIN_DECLS

/* Takes filemem out of the environment. To be called in gst_init(), which
 * itself sets variables. */
void fm_children_leave_out (void);

/* @list without the items for which @is_ours is TRUE. Any of @separators
 * separates items; what is between the remaining ones stays as it was. */
gchar *fm_children_without (const gchar *list, const gchar *separators,
    gboolean (*is_ours) (const gchar *item));

G_END_DECLS
#endif
