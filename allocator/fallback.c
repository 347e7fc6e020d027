/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * fallback.c: see fallback.h.
 */
#include "fallback.h"

#include "messages.h"

FmFallback
fm_fallback_reason (FmStoreResult result)
{
  switch (result) {
    case FM_STORE_FULL:
      return FM_FALLBACK_FULL;
    case FM_STORE_TOO_LARGE:
      return FM_FALLBACK_TOO_LARGE;
    case FM_STORE_NO_ADDRESSES:
      return FM_FALLBACK_ADDRESSES;
    default:
      return FM_FALLBACK_MEMORY;
  }
}

void
fm_fallback_warn (FmFallbackWarnings *warned, FmFallback why, gsize bytes,
    const FmStore *store, gboolean waited)
{
  g_autofree gchar *size = NULL;
  const gchar *limit;

  if (why == FM_FALLBACK_SMALL || why == FM_FALLBACK_DIR
      || !fm_first_time (&warned->said[why]))
    return;
  size = fm_size_text (fm_store_size (store));
  limit = fm_store_limited_by (store);
  switch (why) {
    case FM_FALLBACK_FULL:
      if (limit != NULL)
        fm_warning ("buffers have filled the %s that %s leaves for them: "
                    "further ones are ordinary memory. Raise that limit",
            size, limit);
      else
        fm_warning ("buffers have filled the size of %s%s: further ones "
                    "are ordinary memory. Raise size (GST_FILEMEM_SIZE)",
            size,
            waited ? ", and none came back while an allocation waited "
                     "(when-full=wait; a pool keeps its buffers)"
                   : "");
      break;
    case FM_FALLBACK_TOO_LARGE:
      fm_warning ("a buffer of %" G_GSIZE_FORMAT " bytes is larger than the "
                  "size of %s: it is ordinary memory. Raise %s",
          bytes, size, limit != NULL ? limit : "size (GST_FILEMEM_SIZE)");
      break;
    case FM_FALLBACK_ADDRESSES:
      fm_warning ("no range of addresses is left for a buffer of "
                  "%" G_GSIZE_FORMAT " bytes: it is ordinary memory. Raise %s",
          bytes, limit != NULL ? limit : "size (GST_FILEMEM_SIZE)");
      break;
    default:
      fm_warning ("the kernel gave no memory for a buffer of %" G_GSIZE_FORMAT
                  " bytes: it is ordinary memory. Raise the limits on address "
                  "space, data or mappings (ulimit -v, -d, vm.max_map_count)",
          bytes);
      break;
  }
}
