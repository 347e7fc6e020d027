#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# neighbours.py: programs that share a memory cgroup, without swap, in which
# there is not enough for all of their budgets.
#
#   neighbours.py DEEP-QUEUE [TEST...]
#
# Each program is deep-queue.c of the tests of limits, which checks every byte
# that comes out of its queue. Nobody may be killed. Before that the registry of
# plugins is made, outside the cgroup.

import os
import subprocess
import sys
import tempfile
import time
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed  # noqa: E402

BLOCK = 65536
# Takes 250 MiB in three seconds, which slow disks can follow, and a while later
# gives them back.
HOG = """
import time
held = []
for i in range(250):
    held.append(bytearray(b"x") * (1 << 20))
    time.sleep(0.012)
time.sleep(1)
"""


class Group:
    """Programs in a cgroup of so many MiB."""

    def __init__(self, program, limit, scratch):
        self.program = program
        self.group = limit
        self.env = harness.environment(
            GST_REGISTRY=os.path.join(scratch, "registry.bin"))
        self.run_one(2, self.env).wait()
        self.running = []

    def run_one(self, mib, env, wrap=list):
        return subprocess.Popen(
            wrap([str(self.program), str(BLOCK), str(mib * MIB)]), env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, mib, **settings):
        env = {**self.env, "GST_TRACERS": "filemem",
               **{f"GST_FILEMEM_{name}": value
                  for name, value in settings.items()}}
        self.running.append(self.run_one(mib, env, self.group.inside))

    def start_hog(self):
        self.running.append(
            subprocess.Popen(self.group.inside([sys.executable, "-c", HOG])))

    def wait(self):
        ends = [process.wait() for process in self.running]
        print(f"    {len(ends)} programs, {self.group.peak() / MIB:.0f} MiB at most")
        if any(ends):
            raise Failed(f"exit codes {ends}")


def check_many(program, scratch, n, limit, mib):
    with harness.memory_group(limit * MIB) as group:
        programs = Group(program, group, scratch)
        for _ in range(n):
            programs.start(mib)
        programs.wait()


def test_ten_in_512(program, scratch):
    check_many(program, scratch, 10, 512, 300)


def test_ten_in_256(program, scratch):
    check_many(program, scratch, 10, 256, 150)


def test_twenty_in_512(program, scratch):
    check_many(program, scratch, 20, 512, 150)


def test_hog(program, scratch):
    """A budget of 256 MiB that somebody asked for, and 250 MiB beside it."""
    with harness.memory_group(448 * MIB) as group:
        programs = Group(program, group, scratch)
        programs.start(12 << 10, RAM=str(256 * MIB), SIZE="14G")
        time.sleep(0.7)
        programs.start_hog()
        programs.wait()


def main():
    program, chosen = sys.argv[1], sys.argv[2:]
    space = os.statvfs("/var/tmp")
    if space.f_bavail * space.f_frsize < 20 << 30:
        harness.skip("less than 20 GiB free on disk")
    with tempfile.TemporaryDirectory() as scratch:
        return harness.run_functions(
            globals(), chosen, lambda test: test(program, scratch))


if __name__ == "__main__":
    sys.exit(main())
