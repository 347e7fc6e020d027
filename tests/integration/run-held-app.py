#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run-held-app.py: as run-held, for a program in Python: it pushes into the
# appsrc "feed" and takes from the appsink "pull" of a pipeline, and touches
# nothing else of it. Same options, same output, same exit codes.

import argparse
import hashlib
import random
import resource
import sys
import threading
import time

import harness

Gst = harness.needed(harness.gst, "GstApp")
from gi.repository import GLib  # noqa: E402

TICK = 0.1
# quiet: this many ticks in a row, each with less processor time than that
QUIET_TICKS = 3
QUIET_CPU = 0.005
HOLD_MAX = 180
RUN_MAX = 90


def feed(source, count, size):
    for i in range(count):
        buffer = Gst.Buffer.new_allocate(None, size, None)
        buffer.fill(0, random.Random(i).getrandbits(8 * size)
                    .to_bytes(size, "little"))
        buffer.pts = i * 40 * Gst.MSECOND
        buffer.duration = 40 * Gst.MSECOND
        if source.push_buffer(buffer) != Gst.FlowReturn.OK:
            break
    source.end_of_stream()


def pull(sink):
    digest = hashlib.sha256()
    buffers = size = 0
    while True:
        sample = sink.pull_sample()
        if not sample:
            break
        buffer = sample.get_buffer()
        mapped, info = buffer.map(Gst.MapFlags.READ)
        if not mapped:
            sys.exit(f"buffer {buffers} can't be mapped")
        digest.update(info.data)
        size += info.size
        buffer.unmap(info)
        digest.update(f"{buffer.pts} {buffer.duration}".encode())
        buffers += 1
    print(f"digest pull {digest.hexdigest()} {buffers} {size}")


def stats():
    figures = Gst.Allocator.find(None).get_property("stats")
    return {figures.nth_field_name(i):
            figures.get_uint64(figures.nth_field_name(i))[1]
            for i in range(figures.n_fields())}


def cpu_time():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def hold_until_full(feeder, filemem):
    """The appsink is held in that nobody pulls from it."""
    deadline = time.monotonic() + HOLD_MAX
    quiet = 0
    while time.monotonic() < deadline:
        before = cpu_time()
        time.sleep(TICK)
        quiet = quiet + 1 if cpu_time() - before < QUIET_CPU else 0
        if (not feeder.is_alive() and quiet >= QUIET_TICKS
                and (not filemem or stats()["spilled-bytes"] > 0)):
            return
    sys.exit("nothing was spilled while the pipeline was held"
             if quiet >= QUIET_TICKS else
             "the queues were still filling after three minutes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--filemem", action="store_true")
    parser.add_argument("--feed", metavar="COUNTxBYTES", required=True)
    parser.add_argument("description")
    args = parser.parse_args()
    count, size = map(int, args.feed.split("x"))

    kind = Gst.Allocator.find(None).__gtype__.name
    if (kind == "GstFileMemAllocator") != args.filemem:
        sys.exit(f"the default allocator is a {kind}, "
                 + ("not a GstFileMemAllocator: filemem is not active"
                    if args.filemem else
                    "but this is the run without filemem"))
    try:
        pipeline = Gst.parse_launch(args.description)
    except GLib.Error as error:
        print(error.message, file=sys.stderr)
        missing = error.matches(Gst.ParseError.quark(),
                                Gst.ParseError.NO_SUCH_ELEMENT)
        sys.exit(harness.SKIP if missing else 1)

    pipeline.set_state(Gst.State.PLAYING)
    feeder = threading.Thread(
        target=feed, args=(pipeline.get_by_name("feed"), count, size),
        daemon=True)
    feeder.start()
    hold_until_full(feeder, args.filemem)
    pull(pipeline.get_by_name("pull"))
    message = pipeline.get_bus().timed_pop_filtered(
        RUN_MAX * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
    if not message or message.type != Gst.MessageType.EOS:
        sys.exit("the pipeline has not come to its end")
    pipeline.set_state(Gst.State.NULL)
    if args.filemem:
        for name, value in stats().items():
            print(f"stat {name} {value}")


main()
