#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
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

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed  # noqa: E402

BLOCK = 65536
# Takes more and more, until somebody ends it.
LEAK = """
import time
held = []
while True:
    held.append(bytearray(b"x") * (1 << 20))
    time.sleep(0.01)
"""
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
        self.scratch = scratch
        self.env = harness.environment(
            GST_REGISTRY=os.path.join(scratch, "registry.bin"),
            XDG_RUNTIME_DIR=scratch)
        self.run_one(2, self.env).wait()
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for process in self.running:
            process.kill()
            process.wait()

    def run_one(self, mib, env, wrap=list):
        return subprocess.Popen(
            wrap([str(self.program), str(BLOCK), str(mib * MIB)]), env=env,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, mib, **settings):
        env = {**self.env, "GST_TRACERS": "filemem",
               **{f"GST_FILEMEM_{name}": value
                  for name, value in settings.items()}}
        self.running.append(self.run_one(mib, env, self.group.inside))
        return self.running[-1]

    def start_other(self, program):
        self.running.append(subprocess.Popen(
            self.group.inside([sys.executable, "-c", program])))
        return self.running[-1]

    def wait(self):
        ends = [process.wait() for process in self.running]
        print(f"    {len(ends)} programs, {self.group.peak() / MIB:.0f} MiB at most")
        if any(ends):
            raise Failed(f"exit codes {ends}")


def check_many(program, scratch, n, limit, mib):
    with harness.memory_group(limit * MIB) as group, \
            Group(program, group, scratch) as programs:
        for _ in range(n):
            programs.start(mib)
        programs.wait()


def test_ten_in_512(program, scratch):
    check_many(program, scratch, 10, 512, 200)


def test_ten_in_256(program, scratch):
    check_many(program, scratch, 10, 256, 100)


def test_twenty_in_512(program, scratch):
    check_many(program, scratch, 20, 512, 80)


def test_fifty_in_1024(program, scratch):
    check_many(program, scratch, 50, 1024, 25)


def test_hog(program, scratch):
    """A budget of 256 MiB that somebody asked for, and 250 MiB beside it."""
    with harness.memory_group(448 * MIB) as group, \
            Group(program, group, scratch) as programs:
        programs.start(4 << 10, RAM=str(256 * MIB), SIZE="8G")
        time.sleep(0.7)
        programs.start_other(HOG)
        programs.wait()


def test_leak(program, scratch):
    """Who leaks is killed, and nobody else."""
    with harness.memory_group(512 * MIB) as group, \
            Group(program, group, scratch) as programs:
        for _ in range(4):
            programs.start(600)
        time.sleep(0.5)
        leaking = programs.start_other(LEAK)
        programs.running.remove(leaking)
        programs.wait()
        leaking.kill()
        if leaking.wait() != -signal.SIGKILL:
            raise Failed("what leaks ended by itself")


def resident(path):
    """Each figure of a program's records; of a whole one."""
    lines = path.read_text().splitlines(True) if path.exists() else []
    return [json.loads(line)["stats"]["resident-bytes"]
            for line in lines if line.endswith("\n")]


def test_total(program, scratch):
    """What is in memory of all together is what one may have; a stopped one
    can't give back what it has, and the others leave it that."""
    records = [pathlib.Path(scratch, f"total-{i}") for i in range(5)]
    settings = {"RAM_TOTAL": str(64 * MIB), "SIZE": "4G", "STATS_INTERVAL": "1"}
    with harness.memory_group(1024 * MIB) as group, \
            Group(program, group, scratch) as programs:
        first = programs.start(2000, RECORD=records[0], **settings)
        while max(resident(records[0]), default=0) < 40 * MIB:
            if first.poll() is not None:
                raise Failed("it never had what it may have")
            time.sleep(0.05)
        first.send_signal(signal.SIGSTOP)
        held = resident(records[0])[-1]
        for record in records[1:]:
            programs.start(200, RECORD=record, **settings)
        for process in programs.running[1:]:
            process.wait()
        first.send_signal(signal.SIGCONT)
        programs.wait()
    most = [max(resident(record)) for record in records[1:]]
    print(f"    {held / MIB:.0f} MiB stopped, beside it "
          f"{', '.join(f'{each / MIB:.0f}' for each in most)}")
    # what may be taken before the next look comes on top
    harness.between(max(most), 0, 24 * MIB, "beside one that was stopped")


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
