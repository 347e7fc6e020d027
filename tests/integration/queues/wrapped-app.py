#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# wrapped-app.py: as run-watched, for a program in Python that pushes its own
# bytes into the appsrc "feed" and takes from the appsink "pull". Same options
# and output, but for the queues, which it does not look into: it tells what
# came out of the appsink.

import argparse
import hashlib
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402

Gst = harness.needed(harness.gst, "GstApp")


def on_event(_pad, info, all_came):
    if info.get_event().type == Gst.EventType.EOS:
        all_came.set()
    return Gst.PadProbeReturn.OK


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--feed", required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("description")
    args = parser.parse_args()

    ours = Gst.Allocator.find(None)
    pipeline = Gst.parse_launch(args.description)
    source = pipeline.get_by_name("feed")
    sink = pipeline.get_by_name("pull")
    # what is taken before that would make room for more foreign memory
    all_came = threading.Event()
    sink.get_static_pad("sink").add_probe(
        Gst.PadProbeType.EVENT_DOWNSTREAM, on_event, all_came)
    pipeline.set_state(Gst.State.PLAYING)
    with open(args.feed, "rb") as file:
        while chunk := file.read(args.chunk):
            source.push_buffer(Gst.Buffer.new_wrapped(chunk))
    source.end_of_stream()
    if not all_came.wait(harness.PATIENCE):
        sys.exit("the end of the stream has not come to the appsink")

    digest = hashlib.sha256()
    buffers = size = foreign = 0
    while sample := sink.pull_sample():
        buffer = sample.get_buffer()
        data = buffer.extract_dup(0, buffer.get_size())
        digest.update(data)
        buffers += 1
        size += len(data)
        foreign += sum(buffer.peek_memory(i).size
                       for i in range(buffer.n_memory())
                       if buffer.peek_memory(i).allocator != ours)
    pipeline.set_state(Gst.State.NULL)
    print(f"digest pull {digest.hexdigest()} {buffers} {size}")
    held = f"{size} {foreign}"
    print(f"queue {sink.get_static_pad('sink').get_path_string()} "
          f"{held} {held}")


main()
