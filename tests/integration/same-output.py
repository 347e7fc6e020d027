#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# same-output.py: run pipelines of pipelines.py without filemem and with it,
# and compare what came out of them.
#
#   same-output.py --list                       the names of the pipelines
#   same-output.py --driver RUN-HELD --cache DIR [--plain N] NAME...
#
# The run with filemem has a budget of 8 MiB, packs small buffers in any queue
# that holds some, holds its pipeline until bytes have been spilled, and must fill
# some afterwards. --plain compares N runs
# without filemem instead: whether the pipeline itself is the same every time.
#
# The cache directory keeps media files, GStreamer's registry and, while a test
# runs, the directory of the backing file.
# Exit code: 0 all the same, 1 a difference or a failure, 77 an element missing.

import argparse
import os
import pathlib
import shlex
import sys
import tempfile

import harness
import pipelines
from driving import Driver, all_have_bytes, digests_of, fields_of, locked
from harness import Failed

TIMEOUT = 500
BUDGET = "8M"
SIZE = "2G"


class Runner(Driver):
    def __init__(self, driver, cache):
        super().__init__(driver, cache, TIMEOUT, "--free")
        self.env["GST_REGISTRY"] = str(self.cache / "registry.bin")
        with locked(self.cache / "registry.lock"):
            if not (self.cache / "registry.bin").exists():
                self.start(["--free", "fakesrc num-buffers=1 ! fakesink"])

    def start(self, args, program=None, env=None):
        try:
            return super().start(args, program, env)
        except Failed as error:
            run = "with filemem" if env else "without filemem"
            raise Failed(f"{run}: {error}") from error

    def program(self, case):
        if not case.python:
            return None
        return self.other_program(
            pathlib.Path(__file__).with_name("run-held-app.py"))

    def command(self, case):
        args = [f"--feed={case.feed}"] if case.feed else []
        if case.needs:
            args.append(f"--needs={':'.join(case.needs)}")
        return args + [case.pipeline.format(
            **{name: self.media(name, pipelines.MEDIA[name])
               for name in fields_of(case.pipeline)})]

    def plain(self, case):
        return self.start(self.command(case), self.program(case))

    def filemem(self, case):
        with tempfile.TemporaryDirectory(dir=self.cache) as work:
            lines = self.start(
                ["--filemem"] + self.command(case), self.program(case),
                {"GST_TRACERS": "filemem", "GST_FILEMEM_DIR": work,
                 "GST_FILEMEM_SIZE": SIZE, "GST_FILEMEM_RAM": BUDGET,
                 "GST_FILEMEM_PACK_ABOVE": "1"})
            left = os.listdir(work)
        if left:
            raise Failed(f"files left behind: {' '.join(left)}")
        return lines


def compare(first, others, labels):
    """Both are lists of digests."""
    if not first:
        raise Failed("no digest: the pipeline has nothing to compare")
    if not all_have_bytes(first):
        raise Failed("a digest of nothing:\n" + "\n".join(first))
    for label, other in zip(labels[1:], others):
        if other != first:
            raise Failed("\n".join(
                [f"the output differs; {labels[0]}:", *first,
                 f"{label}:", *other]))
    for line in first:
        _, name, digest, buffers, size = line.split()
        print(f"  same {name}: {buffers} buffers, {size} bytes, {digest[:16]}")


def check_stats(lines):
    stats = {name: int(value) for word, name, value in
             (line.split() for line in lines if line.startswith("stat "))
             if word == "stat"}
    names = ("alloc-bytes", "spilled-peak", "spill-bytes", "fill-bytes",
             "map-waits", "live-blocks")
    print("  " + ", ".join(f"{name} {stats[name]}" for name in names))
    for name in ("spill-bytes", "fill-bytes"):
        if not stats[name]:
            raise Failed(f"{name} is 0: nothing was shown")
    for name in ("maps-failed", "io-errors", "extents-retired", "fallbacks"):
        if stats[name]:
            raise Failed(f"{name} is {stats[name]}")


def test(runner, case, plain_runs):
    if plain_runs:
        runs = [digests_of(runner.plain(case)) for _ in range(plain_runs)]
        compare(runs[0], runs[1:], [f"run {i + 1}" for i in range(plain_runs)])
        return
    without = digests_of(runner.plain(case))
    lines = runner.filemem(case)
    compare(without, [digests_of(lines)], ["without filemem", "with filemem"])
    check_stats(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--driver")
    parser.add_argument("--cache")
    parser.add_argument("--plain", type=int, metavar="N", default=0)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    if args.list:
        print("\n".join(case.name for case in pipelines.CASES))
        return 0
    cases = {case.name: case for case in pipelines.CASES}
    unknown = set(args.names) - set(cases)
    if unknown or not args.names or not args.driver or not args.cache:
        parser.error(f"no pipeline {' '.join(unknown)}" if unknown
                     else "--driver, --cache and a name are needed")

    verdicts = []
    runner = Runner(args.driver, args.cache)
    for name in args.names:
        print(f"{name}: {shlex.quote(cases[name].pipeline)}", flush=True)
        verdicts.append(harness.verdict(name, test, runner, cases[name],
                                        args.plain))
    return harness.exit_code(verdicts)


if __name__ == "__main__":
    sys.exit(main())
