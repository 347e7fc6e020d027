#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# example.py: an example keeps its buffers in a file, and its output is the same
# as without filemem.
#
#   example.py --scratch DIR pre-event|time-shift PROGRAM
#
# The example runs twice, with and without GST_TRACERS=filemem, with a budget
# that is much less than what it keeps. That it was on disk is read from the
# report that a user sees. Exit code: 0 all well, 1 not, 77 where something that
# it needs is missing.

import argparse
import hashlib
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed, bytes_of  # noqa: E402

TIMEOUT = 280
LEAST_KEPT = 16 * MIB
OUTSIDE_MAX = 2 * MIB

# 20 seconds, more than 2 MiB in each
VIDEO = ("videotestsrc pattern=snow num-buffers=500 ! video/x-raw,format=I420,"
         "width=320,height=240,framerate=25/1 ! x264enc speed-preset=ultrafast "
         "threads=1 sliced-threads=false pass=quant quantizer=10 "
         "key-int-max=25 ! h264parse ! "
         "video/x-h264,stream-format=byte-stream,alignment=au")
ELEMENTS = ("x264enc", "h264parse")


def command(name, program, output):
    if name == "pre-event":
        return [program, f"--source={VIDEO}", "--seconds=15", "--trigger=18",
                str(output)]
    return [harness.python_with_gi(), program, f"--source={VIDEO}", "--delay=15",
            f"--sink=filesink location={output}"]


def check_report(text):
    print(text, end="")
    queue = re.search(r"queue +\S*AppSink\S*: held ([\d.]+\s\w+) at most, (\d+)% of "
                      r"that in blocks; ([\d.]+\s\w+) passed", text)
    if not queue:
        raise Failed("the report says nothing of the appsink")
    held, passed = bytes_of(queue[1]), bytes_of(queue[3])
    outside = held * (100 - int(queue[2])) / 100
    if passed < LEAST_KEPT:
        raise Failed("too little came to the appsink to show anything")
    if outside > OUTSIDE_MAX:
        raise Failed("too much was held outside filemem")
    disk = re.search(r"disk +in use now .*, peak ([\d.]+\s\w+)", text)
    if not disk or bytes_of(disk.group(1)) < LEAST_KEPT / 2:
        raise Failed("next to nothing was on disk")


def test(args):
    harness.need_elements(*ELEMENTS)
    os.makedirs(args.scratch, exist_ok=True)
    plain = harness.environment()
    with tempfile.TemporaryDirectory(dir=args.scratch) as name:
        work = pathlib.Path(name)
        outputs = [work / "without", work / "with"]
        harness.run(command(args.name, args.program, outputs[0]), plain,
                    TIMEOUT)
        harness.run(command(args.name, args.program, outputs[1]),
                    {**plain, "GST_TRACERS": "filemem", "GST_FILEMEM_DIR": name,
                     "GST_FILEMEM_SIZE": "1G", "GST_FILEMEM_RAM": "8M",
                     "GST_FILEMEM_REPORT": str(work / "report")}, TIMEOUT)
        check_report((work / "report").read_text())
        digests = [hashlib.sha256(path.read_bytes()).hexdigest()
                   for path in outputs]
        written = outputs[1].stat().st_size
    print(f"{written} bytes written, {digests[1][:16]}")
    if written < LEAST_KEPT or digests[0] != digests[1]:
        raise Failed(f"without filemem: {digests[0][:16]}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", required=True)
    parser.add_argument("name", choices=("pre-event", "time-shift"))
    parser.add_argument("program")
    return harness.run_alone(test, parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
