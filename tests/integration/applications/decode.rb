# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# decode.rb: a Ruby program that decodes a video.
#
#   ruby decode.rb FILE OUTPUT

require "gst"

pipeline = Gst.parse_launch(
  "filesrc location=#{ARGV[0]} ! decodebin ! videoconvert ! " \
  "video/x-raw,format=I420 ! queue ! filesink location=#{ARGV[1]}"
)
pipeline.play
message = pipeline.bus.poll(Gst::MessageType::EOS | Gst::MessageType::ERROR, -1)
pipeline.stop
exit(message.type == Gst::MessageType::EOS)
