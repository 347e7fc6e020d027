/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * packing-metas.c: see packing-metas.h. A kind is a row of two functions.
 */
#include "packing-metas.h"

#include "../../unit/testing.h"

#include <gst/audio/audio.h>
#include <gst/net/net.h>
#include <gst/video/video.h>
#include <string.h>

static void
put_hash (GString *text, gconstpointer data, gsize size)
{
  g_autofree gchar *hash =
      g_compute_checksum_for_data (G_CHECKSUM_MD5, data, size);

  g_string_append_printf (text, "%" G_GSIZE_FORMAT " %s", size, hash);
}

/* ---- of the network, and times ---- */

static void
add_address (Choices *choices, GstBuffer *buffer, guint n)
{
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string (
      "192.0.2.1", 5000 + choices_below (choices, 3));

  gst_buffer_add_net_address_meta (buffer, address);
}

static void
put_address (GString *text, gconstpointer meta)
{
  g_autofree gchar *address = g_socket_connectable_to_string (
      G_SOCKET_CONNECTABLE (((const GstNetAddressMeta *) meta)->addr));

  g_string_append (text, address);
}

static void
add_timestamp (Choices *choices, GstBuffer *buffer, guint n)
{
  g_autoptr (GstCaps) caps = gst_caps_from_string (
      choices_percent (choices, 50) ? "timestamp/x-unix" : "timestamp/x-ntp");

  gst_buffer_add_reference_timestamp_meta (
      buffer, caps, n, choices_percent (choices, 50) ? 7 : GST_CLOCK_TIME_NONE);
}

static void
put_timestamp (GString *text, gconstpointer meta)
{
  const GstReferenceTimestampMeta *stamp = meta;
  g_autofree gchar *caps = gst_caps_to_string (stamp->reference);

  g_string_append_printf (text, "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      caps, stamp->timestamp, stamp->duration);
}

static void
add_time_code (Choices *choices, GstBuffer *buffer, guint n)
{
  g_autoptr (GDateTime) jam = choices_percent (choices, 70)
      ? g_date_time_new_utc (2026, 1, 1 + n % 3, 0, 0, 0)
      : NULL;

  gst_buffer_add_video_time_code_meta_full (
      buffer, 25, 1, jam, GST_VIDEO_TIME_CODE_FLAGS_NONE, 1, 2, 3, n % 25, 0);
}

static void
put_time_code (GString *text, gconstpointer meta)
{
  const GstVideoTimeCode *tc = &((const GstVideoTimeCodeMeta *) meta)->tc;
  g_autofree gchar *time = gst_video_time_code_to_string (tc);
  g_autofree gchar *jam = tc->config.latest_daily_jam != NULL
      ? g_date_time_format_iso8601 (tc->config.latest_daily_jam)
      : g_strdup ("none");

  g_string_append_printf (
      text, "%s %u %u %s", time, tc->config.fps_n, tc->config.fps_d, jam);
}

/* ---- of sound ---- */

static void
add_clipping (Choices *choices, GstBuffer *buffer, guint n)
{
  gst_buffer_add_audio_clipping_meta (buffer, GST_FORMAT_DEFAULT, n, 2 * n);
}

static void
put_clipping (GString *text, gconstpointer meta)
{
  const GstAudioClippingMeta *clipping = meta;

  g_string_append_printf (text, "%d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
      clipping->format, clipping->start, clipping->end);
}

/* With more channels than the meta has room for, now and then. */
static void
add_audio (Choices *choices, GstBuffer *buffer, guint n)
{
  gint channels = choices_percent (choices, 20) ? 12 : 2, i;
  gsize samples = gst_buffer_get_size (buffer) / channels, offsets[12];
  GstAudioInfo info;

  if (samples == 0)
    return;
  gst_audio_info_set_format (&info, GST_AUDIO_FORMAT_S8, 48000, channels, NULL);
  info.layout = choices_percent (choices, 70) ? GST_AUDIO_LAYOUT_NON_INTERLEAVED
                                              : GST_AUDIO_LAYOUT_INTERLEAVED;
  for (i = 0; i < channels; i++)
    offsets[i] = (channels - 1 - i) * samples;
  testing_check (
      gst_buffer_add_audio_meta (buffer, &info, samples,
          info.layout == GST_AUDIO_LAYOUT_NON_INTERLEAVED ? offsets : NULL)
      != NULL);
}

static void
put_audio (GString *text, gconstpointer meta)
{
  const GstAudioMeta *audio = meta;
  gint i;

  g_string_append_printf (text, "%s %d %d %" G_GSIZE_FORMAT,
      audio->info.finfo->name, audio->info.rate, audio->info.channels,
      audio->samples);
  for (i = 0; audio->offsets != NULL && i < audio->info.channels; i++)
    g_string_append_printf (text, " %" G_GSIZE_FORMAT, audio->offsets[i]);
}

/* ---- of pictures ---- */

static void
add_crop (Choices *choices, GstBuffer *buffer, guint n)
{
  gst_buffer_add_video_crop_meta (buffer)->width = n;
}

static void
put_crop (GString *text, gconstpointer meta)
{
  const GstVideoCropMeta *crop = meta;

  g_string_append_printf (
      text, "%u %u %u %u", crop->x, crop->y, crop->width, crop->height);
}

static void
add_video (Choices *choices, GstBuffer *buffer, guint n)
{
  gsize size = gst_buffer_get_size (buffer);

  if (size >= 4)
    gst_buffer_add_video_meta (
        buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_GRAY8, 4, size / 4);
}

static void
put_video (GString *text, gconstpointer meta)
{
  const GstVideoMeta *video = meta;

  g_string_append_printf (text, "%d %u %u %u %" G_GSIZE_FORMAT " %d",
      video->format, video->width, video->height, video->n_planes,
      video->offset[0], video->stride[0]);
  testing_check (video->map != NULL && video->unmap != NULL);
}

static void
add_bytes (Choices *choices, GstBuffer *buffer, guint n)
{
  guint8 bytes[100] = {n, n >> 8};
  gsize size = 1 + choices_below (choices, sizeof bytes - 1);

#if GST_CHECK_VERSION(1, 22, 0)
  if (choices_percent (choices, 50)) {
    guint8 uuid[16] = {n >> 16};

    gst_buffer_add_video_sei_user_data_unregistered_meta (
        buffer, uuid, bytes, size);
    return;
  }
#endif
  gst_buffer_add_video_caption_meta (
      buffer, GST_VIDEO_CAPTION_TYPE_CEA708_RAW, bytes, size);
}

static void
put_caption (GString *text, gconstpointer meta)
{
  const GstVideoCaptionMeta *caption = meta;

  g_string_append_printf (text, "%d ", caption->caption_type);
  put_hash (text, caption->data, caption->size);
}

#if GST_CHECK_VERSION(1, 22, 0)
static void
put_user_data (GString *text, gconstpointer meta)
{
  const GstVideoSEIUserDataUnregisteredMeta *user = meta;

  put_hash (text, user->uuid, sizeof user->uuid);
  put_hash (text, user->data, user->size);
}
#endif

static void
add_bars (Choices *choices, GstBuffer *buffer, guint n)
{
  gst_buffer_add_video_bar_meta (buffer, 0, TRUE, n, 2 * n);
  gst_buffer_add_video_afd_meta (
      buffer, 0, GST_VIDEO_AFD_SPEC_ATSC_A53, GST_VIDEO_AFD_4_3_FULL_16_9_FULL);
}

static void
put_bars (GString *text, gconstpointer meta)
{
  const GstVideoBarMeta *bar = meta;

  g_string_append_printf (text, "%u %d %u %u", bar->field, bar->is_letterbox,
      bar->bar_data1, bar->bar_data2);
}

/* ---- what no parcel keeps ---- */

static void
add_protection (Choices *choices, GstBuffer *buffer, guint n)
{
  gst_buffer_add_protection_meta (
      buffer, gst_structure_new ("protected", "n", G_TYPE_UINT, n, NULL));
}

static void
put_protection (GString *text, gconstpointer meta)
{
  g_autofree gchar *info =
      gst_structure_to_string (((const GstProtectionMeta *) meta)->info);

  g_string_append (text, info);
}

/* ---- all ---- */

static const struct
{
  const gchar *api;
  guint percent;
  void (*add) (Choices *choices, GstBuffer *buffer, guint n);
  void (*put) (GString *text, gconstpointer meta);
} kinds[] = {
    {"GstNetAddressMetaAPI", 20, add_address, put_address},
    {"GstReferenceTimestampMetaAPI", 10, add_timestamp, put_timestamp},
    {"GstVideoTimeCodeMetaAPI", 5, add_time_code, put_time_code},
    {"GstAudioClippingMetaAPI", 5, add_clipping, put_clipping},
    {"GstAudioMetaAPI", 5, add_audio, put_audio},
    {"GstVideoCropMetaAPI", 5, add_crop, put_crop},
    {"GstVideoMetaAPI", 5, add_video, put_video},
    {"GstVideoCaptionMetaAPI", 8, add_bytes, put_caption},
#if GST_CHECK_VERSION(1, 22, 0)
    {"GstVideoSEIUserDataUnregisteredMetaAPI", 0, add_bytes, put_user_data},
#endif
    {"GstVideoBarMetaAPI", 5, add_bars, put_bars},
    {"GstProtectionMetaAPI", 2, add_protection, put_protection},
};

void
metas_add (Choices *choices, GstBuffer *buffer, guint n)
{
  guint i;

  for (i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (choices_percent (choices, kinds[i].percent))
      kinds[i].add (choices, buffer, n);
  }
}

void
metas_describe (GString *text, const GstMeta *meta, GstBuffer *buffer)
{
  const gchar *api = g_type_name (meta->info->api);
  guint i;

  g_string_append_printf (text, " %s", api);
  for (i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (!g_str_equal (api, kinds[i].api))
      continue;
    g_string_append_c (text, '(');
    kinds[i].put (text, meta);
    g_string_append_c (text, ')');
  }
  if (g_str_equal (api, "GstVideoMetaAPI"))
    testing_check (((const GstVideoMeta *) meta)->buffer == buffer);
}
