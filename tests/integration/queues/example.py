#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
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
import subprocess
import sys
import tempfile

SKIP = 77
TIMEOUT = 280
MIB = 1 << 20
LEAST_KEPT = 16 * MIB
LEAST_SHARE = 90
PYTHONS = ("/usr/bin/python3", sys.executable)
UNITS = {"bytes": 1, "KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}

# 20 seconds, more than 2 MiB in each
VIDEO = ("videotestsrc pattern=snow num-buffers=500 ! video/x-raw,format=I420,"
         "width=320,height=240,framerate=25/1 ! x264enc speed-preset=ultrafast "
         "threads=1 sliced-threads=false pass=quant quantizer=10 "
         "key-int-max=25 ! h264parse ! "
         "video/x-h264,stream-format=byte-stream,alignment=au")
ELEMENTS = ("x264enc", "h264parse")


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def python_with_gi():
    for python in PYTHONS:
        if not subprocess.run([python, "-c", "import gi"],
                              stderr=subprocess.DEVNULL).returncode:
            return python
    return skip("no Python with gi")


def command(name, program, output):
    if name == "pre-event":
        return [program, f"--source={VIDEO}", "--seconds=15", "--trigger=18",
                str(output)]
    return [python_with_gi(), program, f"--source={VIDEO}", "--delay=15",
            f"--sink=filesink location={output}"]


def run(args, env):
    done = subprocess.run(args, env=env, timeout=TIMEOUT, text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"exit code {done.returncode}: {done.stderr}")


def size(text):
    number, unit = text.split()
    return float(number) * UNITS[unit]


def check_report(text):
    print(text, end="")
    queue = re.search(r"queue +\S*AppSink\S*: ([\d.]+\s\w+), (\d+)% file-backed",
                      text)
    if not queue:
        sys.exit("the report says nothing of the appsink")
    if size(queue.group(1)) < LEAST_KEPT:
        sys.exit("too little came to the appsink to show anything")
    if int(queue.group(2)) < LEAST_SHARE:
        sys.exit(f"less than {LEAST_SHARE}% of it was file-backed")
    disk = re.search(r"disk +in use now .*, most ([\d.]+\s\w+)", text)
    if not disk or size(disk.group(1)) < LEAST_KEPT / 2:
        sys.exit("next to nothing was on disk")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", required=True)
    parser.add_argument("name", choices=("pre-event", "time-shift"))
    parser.add_argument("program")
    args = parser.parse_args()

    for element in ELEMENTS:
        if subprocess.run(["gst-inspect-1.0", "--exists", element]).returncode:
            skip(f"no element {element}")
    os.makedirs(args.scratch, exist_ok=True)
    plain = {name: value for name, value in os.environ.items()
             if not name.startswith("GST_FILEMEM_") and name != "GST_TRACERS"}
    with tempfile.TemporaryDirectory(dir=args.scratch) as name:
        work = pathlib.Path(name)
        outputs = [work / "without", work / "with"]
        run(command(args.name, args.program, outputs[0]), plain)
        run(command(args.name, args.program, outputs[1]),
            {**plain, "GST_TRACERS": "filemem", "GST_FILEMEM_DIR": name,
             "GST_FILEMEM_SIZE": "1G", "GST_FILEMEM_RAM": "8M",
             "GST_FILEMEM_REPORT": str(work / "report")})
        check_report((work / "report").read_text())
        digests = [hashlib.sha256(path.read_bytes()).hexdigest()
                   for path in outputs]
        written = outputs[1].stat().st_size
    print(f"{written} bytes written, {digests[1][:16]}")
    if written < LEAST_KEPT or digests[0] != digests[1]:
        sys.exit(f"without filemem: {digests[0][:16]}")


main()
