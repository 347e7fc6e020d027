#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# same-output.py: run pipelines of pipelines.py without filemem and with it,
# and compare what came out of them.
#
#   same-output.py --list                       the names of the pipelines
#   same-output.py --driver RUN-HELD --cache DIR [--plain N] NAME...
#
# The run with filemem has a budget of 8 MiB, holds its pipeline until bytes
# have been spilled, and must fill some afterwards. --plain compares N runs
# without filemem instead: whether the pipeline itself is the same every time.
#
# The cache directory keeps media files, GStreamer's registry and, while a test
# runs, the directory of the backing file.
# Exit code: 0 all the same, 1 a difference or a failure, 77 an element missing.

import argparse
import os
import pathlib
import shlex
import string
import sys
import tempfile

import pipelines
from driving import (SKIP, Failed, Skipped, environment, lines_of, locked,
                     made_once, python_with_gi)

TIMEOUT = 500
BUDGET = "8M"
SIZE = "2G"


class Media:
    """A file, as {name} or {name.uri} in a pipeline."""

    def __init__(self, path):
        self.uri = path.as_uri()
        self.quoted = f'"{path}"'

    def __format__(self, _):
        return self.quoted


class Runner:
    def __init__(self, driver, cache):
        self.driver = os.path.abspath(driver)
        self.cache = pathlib.Path(cache).resolve()
        self.cache.mkdir(parents=True, exist_ok=True)
        self.env = environment()
        self.env["GST_REGISTRY"] = str(self.cache / "registry.bin")
        with locked(self.cache / "registry.lock"):
            if not (self.cache / "registry.bin").exists():
                self.start(["--free", "fakesrc num-buffers=1 ! fakesink"])

    def start(self, args, program=None, env=None):
        """Runs the driver, returns the lines of its output."""
        try:
            return lines_of((program or [self.driver]) + args,
                            {**self.env, **(env or {})}, TIMEOUT)
        except Failed as error:
            run = "with filemem" if env else "without filemem"
            raise Failed(f"{run}: {error}") from error

    def media(self, name):
        """The path of a media file, which is made if there is none yet."""
        recipe = pipelines.MEDIA[name]
        return Media(made_once(
            self.cache, name, recipe, lambda part: self.start(
                ["--free", recipe.format(out=Media(part))])))

    def program(self, case):
        if not case.python:
            return [self.driver]
        script = pathlib.Path(__file__).with_name("run-held-app.py")
        return [python_with_gi(), str(script)]

    def command(self, case):
        fields = {name.split(".")[0] for _, name, _, _
                  in string.Formatter().parse(case.pipeline) if name}
        args = [f"--feed={case.feed}"] if case.feed else []
        if case.needs:
            args.append(f"--needs={':'.join(case.needs)}")
        return args + [case.pipeline.format(
            **{name: self.media(name) for name in fields})]

    def plain(self, case):
        return self.start(self.command(case), self.program(case))

    def filemem(self, case):
        with tempfile.TemporaryDirectory(dir=self.cache) as work:
            lines = self.start(
                ["--filemem"] + self.command(case), self.program(case),
                {"GST_TRACERS": "filemem", "GST_FILEMEM_DIR": work,
                 "GST_FILEMEM_SIZE": SIZE, "GST_FILEMEM_RAM": BUDGET})
            left = os.listdir(work)
        if left:
            raise Failed(f"files left behind: {' '.join(left)}")
        return lines


def digests(lines):
    return [line for line in lines if line.startswith("digest ")]


def compare(first, others, labels):
    """Both are lists of digests."""
    if not first:
        raise Failed("no digest: the pipeline has nothing to compare")
    if not all(int(line.split()[4]) for line in first):
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
        runs = [digests(runner.plain(case)) for _ in range(plain_runs)]
        compare(runs[0], runs[1:], [f"run {i + 1}" for i in range(plain_runs)])
        return
    without = digests(runner.plain(case))
    lines = runner.filemem(case)
    compare(without, [digests(lines)], ["without filemem", "with filemem"])
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

    skipped = failed = 0
    try:
        runner = Runner(args.driver, args.cache)
    except Failed as error:
        print(f"the driver does not run: {error}")
        return 1
    for name in args.names:
        print(f"{name}: {shlex.quote(cases[name].pipeline)}", flush=True)
        try:
            test(runner, cases[name], args.plain)
            print("  passed", flush=True)
        except Skipped as reason:
            print(f"  skipped: {reason}", flush=True)
            skipped += 1
        except Failed as reason:
            print(f"  failed: {reason}", flush=True)
            failed += 1
    if failed:
        return 1
    return SKIP if skipped == len(args.names) else 0


sys.exit(main())
