#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# holders.py: what elements hold that nothing is taken from, of what is theirs:
# a table of how much memory it takes without filemem and with it.
#
#   holders.py TRACER-DIRECTORY [PART or NAME...]
#
# Each runs in a process of its own (holders.py --hold LINE), fed with frames of
# 1 MiB until nothing moves any more. What it takes with filemem must be bounded
# by ram, or the report has to say who holds it.

import collections
import os
import re
import sys
import time
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed  # noqa: E402

RAM = 16 * MIB
SLACK = 16 * MIB
FRAMES = 96
# s of CPU time a second that are as good as none
IDLE = 0.03
UNLIMITED = "max-size-buffers=0 max-size-bytes=0 max-size-time=0"
FEED = (f"videotestsrc num-buffers={FRAMES} pattern=snow ! "
        "video/x-raw,format=GRAY8,width=1024,height=1024,framerate=25/1")
# cut out of what came, by an adapter, which gives memory of its own
CUT = f"{FEED} ! rawvideoparse format=gray8 width=1024 height=512 framerate=50/1"
PACKETS = "{feed} ! rtpgstpay mtu=60000"

SETTINGS = {"GST_TRACERS": "filemem", "GST_FILEMEM_RAM": str(RAM),
            "GST_FILEMEM_SIZE": "1G", "GST_FILEMEM_RESERVE": "0",
            "GST_FILEMEM_REPORT": "stderr"}

# least: MiB that it holds without filemem, to show that it does; says: what the
# report has to say where filemem can't take it
Holder = collections.namedtuple("Holder", "line state least says",
                                defaults=["playing", 0, None])

END = " ! fakesink sync=false"
FREE_END = END + " async=false"

HOLDERS = {
    "queue": Holder("{feed} ! queue {unlimited}" + END, "paused", 90),
    "queue2": Holder("{feed} ! queue2 {unlimited}" + END, "paused", 90),
    "queue2-ring": Holder(
        "{feed} ! queue2 ring-buffer-max-size=80000000 max-size-bytes=80000000 "
        "max-size-buffers=0 max-size-time=0" + END,
        "paused", 70, r"keeps up to [67]\d\.\d\sMiB in memory of its own"),
    "multiqueue": Holder("{feed} ! multiqueue {unlimited}" + END, "paused", 90),
    "appsink": Holder("{feed} ! appsink sync=false async=false", least=90),
    "rtpjitterbuffer": Holder(
        PACKETS + " ! rtpjitterbuffer latency=100000" + FREE_END, least=80),
    "rtprtxqueue": Holder(
        PACKETS + " ! rtprtxqueue max-size-packets=0" + FREE_END, least=80),
    "rtprtxsend": Holder(
        PACKETS + " pt=96 ! rtprtxsend max-size-packets=0 "
        "payload-type-map=map,96=(uint)97" + FREE_END, least=80),
    "tcpserversink": Holder(
        "{feed} ! tcpserversink port=0 sync=false bytes-min=100000000",
        least=80),
    "concat": Holder("concat name=c" + END + " {feed} ! c. {feed} ! c.", "paused"),
    "input-selector": Holder(
        "input-selector name=s" + END + " {feed} ! s. {feed} ! s.", "paused"),
    "textoverlay": Holder(
        "{feed} ! videoconvert ! video/x-raw,format=I420 ! textoverlay text=x"
        + END, "paused"),
    "imagefreeze": Holder("{feed} ! imagefreeze" + END, "paused"),
    "compositor": Holder(
        "compositor name=c" + END + " {feed} ! c. {feed} ! c.", "paused"),
    "matroskamux": Holder(
        "matroskamux name=m" + END + " {feed} ! videoconvert ! "
        "video/x-raw,format=I420 ! m. audiotestsrc num-buffers=1 ! m.",
        "paused"),
    "intervideosink": Holder("{feed} ! intervideosink sync=false"),
    "downloadbuffer": Holder(
        "{feed} ! downloadbuffer temp-template=/var/tmp/holders-XXXXXX "
        "max-size-bytes=200000000 max-size-time=0" + END, "paused"),
    "splitmuxsink": Holder(
        "{feed} ! videoconvert ! video/x-raw,format=I420 ! splitmuxsink "
        "muxer=matroskamux max-size-bytes=20000000 location=/dev/null"),
}


def anonymous():
    status = pathlib.Path("/proc/self/status").read_text()
    return sum(int(kib) for kib in re.findall(r"^Rss(?:Anon|Shmem):\s+(\d+)",
                                              status, re.MULTILINE)) * 1024


def settled():
    """The most of it, once the process has had nothing to do for a second."""
    most, since = 0, time.monotonic()
    busy = time.process_time()
    while time.monotonic() < since + 1:
        time.sleep(0.05)
        most = max(most, anonymous())
        if time.process_time() > busy + IDLE:
            since, busy = time.monotonic(), time.process_time()
    return most


def hold(line, state):
    Gst = harness.gst()
    pipeline = Gst.parse_launch(line)
    before = anonymous()
    pipeline.set_state(Gst.State.PAUSED if state == "paused"
                       else Gst.State.PLAYING)
    print("held", settled() - before)
    error = pipeline.get_bus().pop_filtered(Gst.MessageType.ERROR)
    pipeline.set_state(Gst.State.NULL)
    if error:
        print(error.parse_error(), file=sys.stderr)
        return 1
    return 0


def run(holder, feed, env):
    line = holder.line.format(feed=feed, unlimited=UNLIMITED)
    out, err = harness.run([harness.PYTHON, __file__, "--hold", line,
                            holder.state], env=harness.environment(**env))
    return int(re.search(r"^held (-?\d+)$", out, re.MULTILINE)[1]), err


def check(name, holder):
    plain, _ = run(holder, FEED, {})
    if plain < holder.least * MIB:
        raise Failed(f"{name} held {plain} bytes, which shows nothing")
    print(f"{name:16} {plain / MIB:5.0f} MiB", end="", flush=True)
    for feed, what in (FEED, "with filemem"), (CUT, "of memory that it copies"):
        served, report = run(holder, feed, SETTINGS)
        print(f", {served / MIB:3.0f} {what}", end="", flush=True)
        if holder.says is None:
            if served > RAM + SLACK:
                raise Failed(f"{served} bytes with ram={RAM}\n{report}")
        elif not re.search(holder.says, report):
            raise Failed(f"the report does not say who holds it\n{report}")
    print(flush=True)


def main():
    if sys.argv[1] == "--hold":
        return hold(sys.argv[2], sys.argv[3])
    os.environ["GST_PLUGIN_PATH"] = sys.argv[1]
    chosen = sys.argv[2:]
    harness.gst()
    if len(chosen) == 1:
        chosen = harness.part_of(list(HOLDERS), chosen[0]) or chosen
    return harness.exit_code([
        harness.verdict(name, check, name, HOLDERS[name])
        for name in chosen or HOLDERS])


if __name__ == "__main__":
    sys.exit(main())
