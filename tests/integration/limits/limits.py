#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed, Skipped  # noqa: E402

GIB = 1 << 30
LIMIT = 384 * MIB
BUDGET = 128 * MIB
DEPTH = 3 * GIB
DISK_MIN = 8 * GIB


def run(options, directory):
    environment = harness.environment(
        GST_REGISTRY=os.path.join(options.scratch, "registry.bin"))
    if not options.system:
        environment["GST_TRACERS"] = (
            f"filemem(dir={directory},ram={BUDGET},size={DEPTH + GIB},"
            "report=stderr)")
    # A first run finds all plugins for the registry, which has the kernel read
    # hundreds of MiB of files. That is page cache of whoever does it.
    subprocess.run([options.program, str(options.block), str(2 * options.block)],
                   env=environment, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=True)
    with harness.memory_group(LIMIT) as group:
        process = subprocess.Popen(
            group.inside([options.program, str(options.block), str(DEPTH)]),
            env=environment, stdout=subprocess.PIPE, text=True)
        try:
            text = process.stdout.read()
            return process.wait(), text, group.peak()
        finally:
            process.kill()
            process.wait()


def test(options):
    os.makedirs(options.scratch, exist_ok=True)
    space = os.statvfs(options.scratch)
    if space.f_bavail * space.f_frsize < DISK_MIN:
        raise Skipped("less than 8 GiB free on disk")
    with tempfile.TemporaryDirectory(dir=options.scratch) as directory:
        status, text, peak = run(options, directory)
    print(text, end="")
    print(f"exit code {status}, {peak / MIB:.0f} MiB of memory at most, "
          f"limit {LIMIT // MIB} MiB")

    if options.system:
        if status != -signal.SIGKILL:
            raise Failed("system memory was not killed: the limit is none")
        return
    if status != 0:
        raise Failed("the pipeline did not end well")
    if peak == 0:
        raise Skipped("this kernel does not tell a cgroup's peak (Linux 5.19 "
                      "does)")
    if peak >= LIMIT:
        raise Failed("the limit was met")
    spilled = int(re.search(r"^spilled (\d+)", text, re.MULTILINE).group(1))
    if spilled < DEPTH - BUDGET:
        raise Failed(f"only {spilled} bytes were on disk")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--system", action="store_true")
    parser.add_argument("block", type=int)
    return harness.run_alone(test, parser.parse_args())


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
