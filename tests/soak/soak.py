#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# soak.py: programs that live long, beside others that are killed, with too
# little memory for all. Nothing may grow, and every byte is checked.
#
# Four workers (soak-worker.c) run at a time. One has a budget of its own, which
# changes between 4 and 256 MiB; the others share a ram-total of 64 MiB, and two
# of these are killed now and then, at any moment, and started again. Where a
# memory cgroup can be made they are in one of 1.25 GiB, in which at times
# somebody takes nearly all that is left.
#
# A worker that crashes leaves a core dump in the directory from which this was
# started, where that is allowed (ulimit -c).
#
# Who rests is measured; curves.py says what may not grow. The backing files have
# no names at any time, and in the end no shared file is left but that of
# ram-total, and those of the last who were killed.
#
# Exit status: 0 all well, 1 not, 77 it can't run here.

import argparse
import contextlib
import os
import pathlib
import queue
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import harness  # noqa: E402
from curves import Curves, MIB  # noqa: E402
from watching import Program, figures_of  # noqa: E402

LIMIT = 1280 * MIB
# What the one who takes nearly all leaves to the others; less than the margin
# that filemem keeps free, an eighth of the limit.
LEFT = 100 * MIB
RAM_TOTAL = "64M"
DISK_NEEDED = 12 << 30
# Whoever is short of memory ends this one first.
HOG = """
import sys, time
with open("/proc/self/oom_score_adj", "w") as file:
    file.write("1000")
held = []
for i in range(int(sys.argv[1])):
    held.append(bytearray(b"x") * (1 << 20))
    time.sleep(0.005)
time.sleep(2)
"""
LASTING = {"own budget": ["--own-budget"], "sharing": []}
KILLED = ["sharing, killed 1", "sharing, killed 2"]


class Soak:
    def __init__(self, options, scratch, group):
        self.options = options
        self.group = group
        self.random = random.Random(options.seed)
        self.curves = Curves(options.csv)
        self.events = queue.Queue()
        self.programs = {}
        self.failures = []
        self.said = {}                  # at the last rest
        self.hog = None
        self.n_kills = self.n_hogs = 0
        self.started = time.monotonic()
        self.blocks = str(scratch / "blocks")
        self.shared = scratch / "runtime"
        self.scratch = scratch
        for path in self.blocks, self.shared:
            os.mkdir(path, 0o700)
        # Before filemem is there: what encoders make without it.
        self.env = harness.environment(
            G_SLICE="always-malloc",        # children of a fork need it
            MALLOC_ARENA_MAX="2",           # each arena keeps what is scattered
            GST_REGISTRY=str(scratch / "registry.bin"),
            XDG_RUNTIME_DIR=str(self.shared))
        self.digests = harness.run([options.worker, "--digests"], self.env)[0].split()
        self.env |= {"GST_TRACERS": "filemem", "GST_FILEMEM_DIR": self.blocks,
                     "GST_FILEMEM_SIZE": "2G",
                     "GST_FILEMEM_RAM_TOTAL": RAM_TOTAL}

    # ---- programs ----

    def start(self, name):
        argv = [str(self.options.worker), "--seed",
                str(self.random.randrange(1 << 31)),
                "--rest", str(self.options.rest),
                "--depth", str(self.options.depth),
                *(["--brief"] if self.options.brief else []),
                *LASTING.get(name, []), *self.digests]
        env = self.env
        if name == "own budget":
            env = {**env, "GST_FILEMEM_RAM": "32M"}
        self.programs[name] = Program(
            name, self.group.inside(argv) if self.group else argv, env,
            self.scratch / f"{name}.err", self.events)

    def kill_one(self):
        name = self.random.choice(KILLED)
        self.programs[name].kill()
        self.n_kills += 1

    def start_hog(self):
        if self.group is None or (self.hog and self.hog.poll() is None):
            return
        take = LIMIT - LEFT - self.group.usage()
        if take > 0:
            self.n_hogs += 1
            self.hog = subprocess.Popen(self.group.inside(
                [sys.executable, "-c", HOG, str(take // MIB)]))

    # ---- what is seen ----

    def row(self, program, at, said):
        seen = figures_of(program.pid, self.blocks)
        if seen is None:
            return None
        files = os.listdir(self.shared / "gst-filemem") \
            if (self.shared / "gst-filemem").exists() else []
        return {"seconds": round(time.monotonic() - self.started, 1),
                "pid": program.pid, "at": at, "rounds": said.get("rounds"),
                "blocks": said.get("resident-bytes"),
                "tables": said.get("tables-bytes"),
                "memory": seen["anonymous"] - said["resident-bytes"]
                if said else None,
                "shared files": len(files), **seen}

    def on_rest(self, program, line):
        said = {name: int(value) for name, value in
                (word.split("=") for word in line.split()[1:])}
        row = self.row(program, "rest", said)
        if row is not None:
            self.curves.add(program.name, row)
        self.said[program.name] = said
        program.go_on()

    def look(self):
        for program in self.programs.values():
            row = self.row(program, "work", {})
            if row is not None:
                self.curves.add(program.name, row)
        if names := os.listdir(self.blocks):
            self.failures.append(f"backing files have names: {names}")

    def take_event(self, seconds):
        with contextlib.suppress(queue.Empty):
            program, line = self.events.get(timeout=max(seconds, 0.01))
            if line is not None:
                self.on_rest(program, line)
            elif why := program.why_it_ended():
                self.failures.append(why)
            elif program.expected_to_die:
                self.start(program.name)
            else:
                del self.programs[program.name]

    # ---- all of it ----

    def run(self):
        for name in [*LASTING, *KILLED]:
            self.start(name)
        end = self.started + self.options.minutes * 60
        every = {self.look: self.options.look, self.kill_one: self.options.kill,
                 self.start_hog: self.options.hog}
        due = {what: time.monotonic() + seconds for what, seconds in every.items()}
        while (now := time.monotonic()) < end and not self.failures:
            for what in every:
                if now >= due[what]:
                    what()
                    # neither too regular nor too rare
                    due[what] = now + every[what] * self.random.uniform(0.5, 1.5)
            self.take_event(min(min(due.values()), end) - time.monotonic())
        self.finish()

    def finish(self):
        for program in self.programs.values():
            program.end()
        deadline = time.monotonic() + harness.PATIENCE
        while self.programs and not self.failures:
            self.take_event(1)
            if time.monotonic() > deadline:
                self.failures.append(f"still running: {list(self.programs)}")

    def stop(self):
        """What is running still; where all went well that is nothing."""
        others = [self.hog] if self.hog else []
        for process in [*others, *(p.process for p in self.programs.values())]:
            process.kill()
            process.wait()

    def judge(self):
        self.failures += self.curves.growth(LASTING)
        if names := os.listdir(self.blocks):
            self.failures.append(f"backing files were left: {names}")
        for name, said in self.said.items():
            print(f"{name}: " + ", ".join(f"{key} {value}"
                                          for key, value in said.items()))
        print(f"{self.n_kills} killed, {self.n_hogs} times short of memory")
        for failure in self.failures:
            print(f"soak: {failure}")
        print("soak: all well" if not self.failures else "soak: failed")
        return 1 if self.failures else 0


def soak(options):
    space = os.statvfs(options.dir)
    if space.f_bavail * space.f_frsize < DISK_NEEDED:
        raise harness.Skipped(f"less than 12 GiB free in {options.dir}")
    print(f"soak: {options.minutes:g} minutes, seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        scratch = pathlib.Path(stack.enter_context(
            tempfile.TemporaryDirectory(prefix="soak-", dir=options.dir)))
        try:
            group = stack.enter_context(harness.memory_group(LIMIT))
        except harness.Skipped as why:
            print(f"soak: nobody is short of memory: {why}")
            group = None
        run = Soak(options, scratch, group)
        try:
            run.run()
        finally:
            run.stop()
        return run.judge()


def main():
    parser = argparse.ArgumentParser(
        prog="soak", description="Runs programs for a long time, beside others that "
        "are killed, with too little memory for all: nothing may grow, and every "
        "byte is checked.")
    parser.add_argument("--minutes", type=float, default=60,
                        help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31),
                        help="for much of the same again")
    parser.add_argument("--csv", help="a file for all that was measured")
    parser.add_argument("--dir", default="/var/tmp",
                        help="for backing files (default: /var/tmp)")
    parser.add_argument("--brief", action="store_true",
                        help="rests are short: bytes are checked, growth is not")
    parser.add_argument("--worker", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    # Some thirty rests; each takes ten seconds and more.
    seconds = options.minutes * 60
    options.rest = min(max(seconds / 40, 5), 60)
    options.kill, options.hog, options.look = 20, 30, 2
    options.depth = 64
    if options.brief:
        options.rest, options.look, options.depth = 0.5, 0.5, 16
        options.kill, options.hog = seconds / 3, seconds / 3
    try:
        return soak(options)
    except harness.Skipped as why:
        harness.skip(why)


if __name__ == "__main__":
    sys.exit(main())
