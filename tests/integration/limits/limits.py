#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# limits.py: a queue of 3 GiB in a memory cgroup of 384 MiB.
#
#   limits.py --program DEEP-QUEUE --scratch DIR [--system] BLOCK-BYTES
#
# Runs deep-queue.c with GST_TRACERS=filemem and a budget of 128 MiB, without
# swap. It must end well with every byte right, the cgroup must never have met
# its limit, and filemem itself must say that all but the budget was on disk.
# With --system the same runs without filemem instead, and must be killed: that
# shows that the limit is one.
#
# Exit code: 0 all well, 1 not, 77 where no memory cgroup can be made or the disk
# is too full.

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(
    pathlib.Path(__file__).resolve().parents[3] / "scripts" / "demo.d"))
import meter  # noqa: E402

SKIP = 77
MIB = 1 << 20
GIB = 1 << 30
LIMIT = 384 * MIB
BUDGET = 128 * MIB
DEPTH = 3 * GIB
DISK_LEAST = 8 * GIB


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIP)


def run(options, parent_group, directory):
    environment = dict(os.environ)
    for name in list(environment):
        if name.startswith("GST_FILEMEM_"):
            del environment[name]
    environment["GST_REGISTRY"] = os.path.join(options.scratch, "registry.bin")
    environment.pop("GST_TRACERS", None)
    if not options.system:
        environment["GST_TRACERS"] = (
            f"filemem(dir={directory},ram={BUDGET},size={DEPTH + GIB},"
            "report=stderr)")
    group = meter.MemoryGroup(*parent_group, LIMIT)
    process = None
    try:
        process = subprocess.Popen(
            ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', group.path,
             options.program, str(options.block), str(DEPTH)],
            env=environment, stdout=subprocess.PIPE, text=True)
        text = process.stdout.read()
        return process.wait(), text, group.peak()
    finally:
        if process is not None and process.poll() is None:
            process.kill()
            process.wait()
        group.remove()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--system", action="store_true")
    parser.add_argument("block", type=int)
    options = parser.parse_args()

    os.makedirs(options.scratch, exist_ok=True)
    space = os.statvfs(options.scratch)
    if space.f_bavail * space.f_frsize < DISK_LEAST:
        skip("less than 8 GiB free on disk")
    parent_group = meter.find_parent_group()
    if parent_group is None:
        skip("no memory cgroup can be made here (root, with a memory "
             "controller, can)")

    with tempfile.TemporaryDirectory(dir=options.scratch) as directory:
        status, text, peak = run(options, parent_group, directory)
    print(text, end="")
    print(f"exit code {status}, {peak / MIB:.0f} MiB of memory at most, "
          f"limit {LIMIT // MIB} MiB")

    if options.system:
        if status != -signal.SIGKILL:
            sys.exit("system memory was not killed: the limit is none")
        return
    if status != 0:
        sys.exit("the pipeline did not end well")
    if peak == 0:
        skip("this kernel does not tell a cgroup's peak (Linux 5.19 does)")
    if peak >= LIMIT:
        sys.exit("the limit was met")
    spilled = int(re.search(r"^spilled (\d+)", text, re.MULTILINE).group(1))
    if spilled < DEPTH - BUDGET:
        sys.exit(f"only {spilled} bytes were on disk")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    main()
