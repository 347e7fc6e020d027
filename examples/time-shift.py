#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# time-shift.py: watch a live video some seconds late. The buffers wait in a
# deque of this program, between an appsink and an appsrc.
#
# This is plain GStreamer: nothing in here knows of filemem.

import argparse
import sys
from collections import deque

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstApp", "1.0")
from gi.repository import Gst, GstApp  # noqa: E402,F401

SOURCE = ("videotestsrc is-live=true ! video/x-raw,width=1280,height=720 ! "
          "x264enc tune=zerolatency bitrate=8000 key-int-max=30 ! h264parse ! "
          "video/x-h264,stream-format=byte-stream,alignment=au")
SINK = "decodebin ! videoconvert ! autovideosink"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=30, metavar="SECONDS")
    parser.add_argument("--source", default=SOURCE, metavar="PIPELINE")
    parser.add_argument("--sink", default=SINK, metavar="PIPELINE")
    args = parser.parse_args()
    delay = int(args.delay * Gst.SECOND)

    Gst.init(None)
    recorder = Gst.parse_launch(f"{args.source} ! appsink name=out sync=false")
    player = Gst.parse_launch(f"appsrc name=in format=time max-bytes=1000000 "
                              f"block=true ! {args.sink}")
    sink, source = recorder.get_by_name("out"), player.get_by_name("in")
    recorder.set_state(Gst.State.PLAYING)

    waiting = deque()
    started = False
    while sample := sink.pull_sample():
        buffer = sample.get_buffer()
        waiting.append(buffer)
        while waiting[-1].pts - waiting[0].pts > delay:
            if not started:
                started = True
                source.set_caps(sample.get_caps())
                player.set_state(Gst.State.PLAYING)
            source.push_buffer(waiting.popleft())
    recorder.set_state(Gst.State.NULL)
    if not started:
        sys.exit("the video is shorter than the delay")

    # The rest of it.
    while waiting:
        source.push_buffer(waiting.popleft())
    source.end_of_stream()
    message = player.get_bus().timed_pop_filtered(
        Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    player.set_state(Gst.State.NULL)
    if message.type == Gst.MessageType.ERROR:
        sys.exit(str(message.parse_error()[0]))


try:
    main()
except KeyboardInterrupt:
    pass
