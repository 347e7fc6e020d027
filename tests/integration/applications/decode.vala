/* filemem: GStreamer's buffers on disk
 * SPDX-FileCopyrightText: The filemem authors
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * decode.vala: a Vala program that decodes a video.
 *
 *   decode FILE OUTPUT
 */
int main (string[] args) {
    Gst.init (ref args);

    Gst.Element pipeline;
    try {
        pipeline = Gst.parse_launch (
            ("filesrc location=%s ! decodebin ! videoconvert ! "
             + "video/x-raw,format=I420 ! queue ! filesink location=%s")
                .printf (args[1], args[2]));
    } catch (Error error) {
        stderr.printf ("%s\n", error.message);
        return 1;
    }
    pipeline.set_state (Gst.State.PLAYING);
    var message = pipeline.get_bus ().timed_pop_filtered (
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR);
    pipeline.set_state (Gst.State.NULL);
    return message.type == Gst.MessageType.EOS ? 0 : 1;
}
