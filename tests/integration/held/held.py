#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# held.py: memory that is held elsewhere than in a queue behind a pad: what
# comes out is the same, what it takes of memory is little, or the report says
# where it is.
#
#   held.py --appsrc HOLD-APPSRC --shim SHIM [TEST...]
#
# Each program runs without filemem first: that it takes much then shows that
# the figures mean something.

import argparse
import os
import re
import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import MIB, Failed  # noqa: E402

RAM = 16 * MIB
FRAMES = 64 * MIB
# beyond the budget: the program's own frame, tables, threads
SLACK = 12 * MIB
SIGNALS = ("push-buffer", "push-buffer-list", "push-sample")
FUNCTIONS = ("buffer", "list", "sample")
BINDING = ("signal", "method")
PYTHON = pathlib.Path(__file__).with_name("hold-appsrc.py")
SETTINGS = {"GST_FILEMEM_RAM": str(RAM), "GST_FILEMEM_SIZE": "1G",
            "GST_FILEMEM_RESERVE": "0", "GST_FILEMEM_REPORT": "stderr"}


class Run:
    """What one run of hold-appsrc has printed; in C, or of WAY in Python."""

    def __init__(self, options, way, how, threads=1):
        program = ([harness.python_with_gi(), PYTHON, way] if way in BINDING
                   else [options.appsrc, way, str(threads)])
        env = {"plain": {},
               "tracer": {**SETTINGS, "GST_TRACERS": "filemem"},
               "shim": {**SETTINGS, "LD_PRELOAD": options.shim}}[how]
        out, self.report = harness.run(
            program, env=harness.environment(G_DEBUG="fatal-criticals", **env))
        found = re.fullmatch(
            r"held (\d+) level (\d+) enough (\d+) out (\d+)\n", out)
        self.held, self.level, self.enough, self.out = map(int, found.groups())


def check_served(options, way, how, threads=1):
    plain = Run(options, way, "plain", threads)
    served = Run(options, way, how, threads)
    harness.between(plain.held, FRAMES - 4 * MIB, FRAMES + SLACK, "plain")
    # of each thread some frames in hand, or let go
    harness.between(served.held, 0, RAM + SLACK + 3 * MIB * (threads - 1),
                    f"{way} with the {how}")
    harness.equal(served.out, plain.out, f"what came of {way}")
    harness.equal(served.level, plain.level, f"level of {way}")
    # the first frame may be at the sink by the time that the second comes
    harness.between(served.enough, plain.enough - 1, plain.enough + 1,
                    f"enough-data of {way}")
    if "live now 0, 0 bytes" not in served.report:
        raise Failed(f"a block was left\n{served.report}")
    if re.search("rested in|stayed ordinary", served.report):
        raise Failed(f"advice that does not apply\n{served.report}")


def test_signals_with_tracer(options):
    for way in SIGNALS:
        check_served(options, way, "tracer")


def test_signals_with_shim(options):
    for way in SIGNALS:
        check_served(options, way, "shim")


def test_functions_with_shim(options):
    for way in FUNCTIONS:
        check_served(options, way, "shim")


def test_many_threads(options):
    check_served(options, "push-buffer", "tracer", 8)
    check_served(options, "buffer", "shim", 8)


def test_no_appsrc(options):
    """GStreamer complains, as it does without filemem."""
    for how in "plain", "shim":
        harness.run([options.appsrc, "nothing", "1"], env=harness.environment(
            **({"LD_PRELOAD": options.shim} if how == "shim" else {})))


def test_python(options):
    check_served(options, "signal", "tracer")


def check_told(options, way, how):
    """Nothing can be done about it but to say so."""
    report = Run(options, way, how).report
    if not re.search(r"advice +up to 6\d\.\d\sMiB rested in \S+:source\.\S+ in the "
                     r"program's own memory", report):
        raise Failed(f"the report does not say where the memory is\n{report}")
    if not re.search(r"filemem: active: nothing is on disk; \S+:source\.\S+ holds "
                     r"\S+\s\S+ in memory that is not filemem's", report):
        raise Failed(f"nothing was said while it ran\n{report}")


def test_functions_with_tracer(options):
    check_told(options, "buffer", "tracer")


def test_methods_of_python(options):
    for how in "tracer", "shim":
        check_told(options, "method", how)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--appsrc", required=True)
    parser.add_argument("--shim", required=True)
    parser.add_argument("tests", nargs="*")
    options = parser.parse_args()
    options.shim = os.path.abspath(options.shim)
    return harness.run_functions(globals(), options.tests,
                                 lambda test: test(options))


if __name__ == "__main__":
    sys.exit(main())
