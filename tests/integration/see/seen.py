# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# seen.py: what the tests of what is seen share: programs run with filemem, in
# directories of their own, and tests that are functions.
#
# A test is a function test_NAME(runner) that asserts. main() runs all, or a part
# (parts.py), or those named on the command line, and says which failed. Skipped,
# if a test needs what is not here.

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import parts  # noqa: E402

SKIP = 77
TIMEOUT = 300
PYTHON = "/usr/bin/python3"


class Skipped(Exception):
    pass


class Runner:
    """Starts programs. dir is the test's own, and gone after it."""

    def __init__(self, build, directory):
        self.build = pathlib.Path(build).resolve()
        self.driver = str(self.build / "tests/integration/see/run-seen")
        self.dir = pathlib.Path(directory)
        # nobody's own settings
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("GST_FILEMEM_", "GST_DEBUG"))
                    and name not in ("GST_TRACERS", "XDG_RUNTIME_DIR")}
        self.env["G_DEBUG"] = "fatal-criticals"
        self.env["GST_FILEMEM_DIR"] = str(self.dir)
        self.env["GST_FILEMEM_SIZE"] = "1G"

    def start(self, argv, env=None, tracers="filemem", **more):
        return subprocess.Popen(
            [str(item) for item in argv], text=True,
            env={**self.env, "GST_TRACERS": tracers, **(env or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **more)

    def run(self, argv, env=None, tracers="filemem", fails=False, **more):
        """The program's stdout and stderr."""
        process = self.start(argv, env, tracers, **more)
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"still running after {TIMEOUT} s: {err}")
        if process.returncode == SKIP:
            raise Skipped(err.strip())
        assert fails or process.returncode == 0, \
            f"{argv}: exit code {process.returncode}: {err}"
        return out, err

    def report(self, args, params="", env=None):
        """Runs the driver with attribution, returns the report."""
        path = self.dir / "report"
        out, err = self.run(
            [self.driver, *args],
            {"GST_FILEMEM_REPORT": str(path), **(env or {})},
            f"filemem(attribution=on,report-format=json{params})")
        assert not err, err
        return Report(json.loads(path.read_text()))

    def file(self, length, name="data"):
        """A file of so many bytes."""
        path = self.dir / name
        with open(path, "wb") as file:
            file.write(bytes(range(256)) * (length // 256))
            file.write(bytes(length % 256))
        return path


class Report:
    """The report in JSON; elements by their own names."""

    def __init__(self, document):
        self.document = document
        self.stats = document["stats"]
        self.elements = {own_name(item["element"]): item
                         for item in document["elements"]}
        self.threads = {own_name(item["element"]): item
                        for item in document["threads"]}

    def sum(self, figure, of="elements"):
        return sum(item[figure] for item in self.document[of])

    def check_sums(self, *figures):
        """Nothing was lost, nothing was counted twice."""
        for figure in figures:
            for of in "elements", "threads":
                total = self.sum(figure, of)
                assert total == self.stats[figure], \
                    f"{figure}: {total} of {of}, {self.stats[figure]} in all"


def own_name(path):
    return path.rpartition("/")[2].partition(":")[2]


def equal(value, expected, what=""):
    assert value == expected, f"{what} is {value}, not {expected}"


def between(value, least, most, what=""):
    assert least <= value <= most, \
        f"{what} is {value}, not between {least} and {most}"


def wait_until(condition, what, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.01)


def need_elements(*names):
    for name in names:
        if subprocess.run(["gst-inspect-1.0", "--exists", name]).returncode:
            raise Skipped(f"there is no {name}")


def run_one(name, test, build):
    with tempfile.TemporaryDirectory(dir="/var/tmp",
                                     prefix="filemem-see-") as directory:
        try:
            test(Runner(build, directory))
        except Skipped as reason:
            print(f"{name:36} skipped: {reason}", flush=True)
            return "skipped"
        except Exception as error:
            print(f"{name:36} FAILED: {error}", flush=True)
            if not isinstance(error, AssertionError) or not str(error):
                traceback.print_exc()
            return "failed"
    print(f"{name:36} ok", flush=True)
    return "ok"


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    tests = {name[5:]: value for name, value in module.items()
             if name.startswith("test_")}
    chosen = args.names or list(tests)
    if len(args.names) == 1:
        chosen = parts.part_of(list(tests), args.names[0]) or chosen
    results = [run_one(name, tests[name], args.build) for name in chosen]
    if "failed" in results:
        return 1
    return 0 if "ok" in results else SKIP
