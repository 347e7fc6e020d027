#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# hold-appsrc.py: as hold-appsrc.c, in Python.
#
#   hold-appsrc.py signal|method
#
# "signal" is appsrc.emit("push-buffer", ...), "method" appsrc.push_buffer(),
# which the binding looks up in the library itself.

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402

FRAME = 1 << 20
FRAMES = 64
Gst = harness.needed(harness.gst, "GstApp")


def anonymous():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024


class Program:
    def __init__(self):
        self.out = 0
        self.pipeline = Gst.parse_launch(
            "appsrc name=source format=time max-bytes=1000000 ! "
            "fakesink name=sink signal-handoffs=true sync=false")
        self.appsrc = self.pipeline.get_by_name("source")
        self.pipeline.get_by_name("sink").connect("handoff", self.on_handoff)

    def on_handoff(self, sink, buffer, pad):
        number = buffer.pts // Gst.SECOND
        assert buffer.extract_dup(0, FRAME) == bytes([number]) * FRAME, number
        self.out += 1

    def push(self, number, way):
        buffer = Gst.Buffer.new_wrapped(bytes([number]) * FRAME)
        buffer.pts = number * Gst.SECOND
        result = (self.appsrc.emit("push-buffer", buffer) if way == "signal"
                  else self.appsrc.push_buffer(buffer))
        assert result == Gst.FlowReturn.OK, result

    def run(self, way):
        bus = self.pipeline.get_bus()
        self.pipeline.set_state(Gst.State.PAUSED)
        before = anonymous()
        for number in range(FRAMES):
            self.push(number, way)
        bus.timed_pop_filtered(Gst.CLOCK_TIME_NONE, Gst.MessageType.ASYNC_DONE)
        held = anonymous() - before
        level = self.appsrc.get_property("current-level-bytes")
        self.appsrc.emit("end-of-stream")
        self.pipeline.set_state(Gst.State.PLAYING)
        end = bus.timed_pop_filtered(
            Gst.CLOCK_TIME_NONE, Gst.MessageType.EOS | Gst.MessageType.ERROR)
        assert end.type == Gst.MessageType.EOS, end.parse_error()
        self.pipeline.set_state(Gst.State.NULL)
        print("held", held, "level", level, "enough", 0, "out", self.out)


Program().run(sys.argv[1])
