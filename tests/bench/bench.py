#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bench.py: the driver of the benchmark suite; scripts/bench runs it.
#
# A part is one question with its runs, tables, goals and plots. The parts are
# in parts_*.py, each with PARTS = {name: function(context)}, the first line of
# a function's docstring saying what it is about. All runs of a comparison take
# turns (Context.rounds), so that what else happens on the machine meets all of
# them alike.
#
# Wrong bytes and programs that fail are said, and make the exit status 1 at
# the end. Nothing fails on time.

import argparse
import importlib
import os
import pathlib
import random
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))
import report as reporting  # noqa: E402
import runner as running  # noqa: E402


class Context:
    """What a part works with.

    options     dir, rounds, quick, swap, build (a pathlib.Path)
    report      say(), table(), csv(), goal(), plot(), plot_bars()
    runner      run(), can_limit
    """

    def __init__(self, options, report, runner):
        self.options = options
        self.report = report
        self.runner = runner
        self.failures = 0
        self.say = report.say
        self.table = report.table
        self.csv = report.csv
        self.goal = report.goal
        self.plot = report.plot
        self.plot_bars = report.plot_bars

    @property
    def quick(self):
        return self.options.quick

    def program(self, name):
        """Path of a program of tests/bench in the build."""
        return str(self.options.build / "tests" / "bench" / name)

    def environment(self, tracer=None):
        """What a program needs to find this build's filemem; tracer: a value
        for GST_TRACERS, such as "filemem(ram=64M)"."""
        env = {"GST_PLUGIN_PATH": str(self.options.build / "tracer"),
               "LD_LIBRARY_PATH": str(self.options.build / "allocator"),
               # Not to have the user's rewritten, which knows no build.
               "GST_REGISTRY": str(self.options.build / "bench-registry.bin")}
        if tracer is not None:
            env["GST_TRACERS"] = tracer
        return env

    def run(self, argv, limit=None, swap=None, env=None):
        """One run, see runner.py; its figures, or Failed or Unavailable."""
        return self.runner.run(argv, limit=limit, swap=swap, env=env)

    def rounds(self, entries, rounds=None, note=None):
        """Runs what is compared, taking turns, in another order in each
        round: what ran before leaves its mark on memory and device.

        entries: {name: function() that returns the figures of one run}.
        Returns ({name: [figures of each round]}, [row for the CSV of each
        run]). A name that can't run here, or fails, is said and left out of
        the first from then on. note: a dictionary that goes into each row.
        """
        only = self.options.only
        runs = {name: [] for name in entries
                if not only or name.split()[0] in only}
        rows = []
        for number in range(1, (rounds or self.options.rounds) + 1):
            for name in shuffled(runs, number):
                try:
                    figures = entries[name]()
                except running.Unavailable as error:
                    self.say(f"{name}: not here: {error}")
                    del runs[name]
                    continue
                except running.Failed as error:
                    self.failures += 1
                    self.say(f"{name}: FAILED: {error}")
                    rows.append({**(note or {}), "name": name,
                                 "round": number, "failed": str(error)})
                    del runs[name]
                    continue
                runs[name].append(figures)
                rows.append({**(note or {}), "name": name, "round": number,
                             **figures})
        return {name: list_ for name, list_ in runs.items() if list_}, rows


def shuffled(names, number):
    """The same order for the same number."""
    names = list(names)
    random.Random(number).shuffle(names)
    return names


def find_parts():
    parts = {}
    for path in sorted(HERE.glob("parts_*.py")):
        parts.update(importlib.import_module(path.stem).PARTS)
    return parts


def first_line(function):
    return (function.__doc__ or "").strip().split("\n")[0]


def parse_options(parts):
    described = "\n".join(f"  {name:<12} {first_line(function)}"
                          for name, function in parts.items())
    parser = argparse.ArgumentParser(
        prog="bench", description="Measures filemem against what else could "
        "hold a deep queue of buffers.",
        epilog=f"parts:\n{described}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", required=True, type=pathlib.Path,
                        help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, metavar="DIR",
                        help="where tables, CSV and plots go "
                        "(default: build/bench-DATE-TIME)")
    parser.add_argument("--parts", metavar="A,B,...",
                        help="these parts alone (default: all)")
    parser.add_argument("--only", metavar="A,B,...",
                        type=lambda text: text.split(","),
                        help="in the parts that compare several, these alone, "
                        "such as raw,filemem,mmap")
    parser.add_argument("--rounds", type=int, metavar="N",
                        help="runs of each (default: 3; 1 with --quick)")
    parser.add_argument("--quick", action="store_true",
                        help="small and short, to see that it works: the "
                        "figures mean little")
    parser.add_argument("--dir", default="/var/tmp",
                        help="where the files go (default: %(default)s)")
    parser.add_argument("--swap", action="store_true",
                        help="as root: also measure system memory with swap, "
                        "on a swap file in DIR that is removed again")
    options = parser.parse_args()
    options.build = options.build.resolve()
    if options.rounds is None:
        options.rounds = 1 if options.quick else 3
    if options.rounds < 1:
        parser.error("at least one round")
    if options.out is None:
        options.out = options.build / time.strftime("bench-%Y%m%d-%H%M%S")
    wanted = options.parts.split(",") if options.parts else list(parts)
    for name in wanted:
        if name not in parts:
            parser.error(f"there is no part {name}; there are "
                         f"{', '.join(parts)}")
    options.parts = wanted
    if not os.access(options.dir, os.W_OK | os.X_OK):
        parser.error(f"{options.dir} is no directory that can be written to")
    if options.swap and os.geteuid() != 0:
        parser.error("--swap needs root")
    return options


def main():
    parts = find_parts()
    options = parse_options(parts)
    runner = running.Runner(options.dir)
    report = reporting.Report(options.out)
    context = Context(options, report, runner)

    for line in reporting.machine(options.dir):
        report.say(line)
    if not runner.can_limit:
        report.say("no memory cgroup can be made here: nobody has a limit, and "
                   "what uses the page cache has all memory for it")
    if reporting.matplotlib is None:
        report.say("no plots: python3-matplotlib is not installed")
    if options.quick:
        report.say("quick: the figures mean little")
    report.say(f"{options.rounds} rounds; figures are medians, with the range")
    try:
        # So that no run has to write GStreamer's registry.
        context.run([context.program("fifo"), "system", "--depth=8388608",
                     "--total=8388608"], env=context.environment())
        for name in options.parts:
            started_at = time.monotonic()
            report.say(f"\n==== {name}: {first_line(parts[name])}\n")
            try:
                parts[name](context)
            except (running.Failed, running.Unavailable) as error:
                context.failures += isinstance(error, running.Failed)
                report.say(f"{name}: {error}")
            report.say(f"({name} took {time.monotonic() - started_at:.0f} s)")
        report.say()
        report.goals_again()
    finally:
        report.close()
    print(f"tables, CSV and plots are in {options.out}")
    return 1 if context.failures else 0


if __name__ == "__main__":
    # Their finally clauses remove what was made: swap files, cgroups.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    try:
        sys.exit(main())
    except (OSError, running.Failed, running.Unavailable) as problem:
        sys.exit(f"bench: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
