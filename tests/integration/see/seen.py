# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# seen.py: what the tests of what is seen share: programs run with filemem, in
# directories of their own. A test is a function test_NAME(runner).

import argparse
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import Failed  # noqa: E402


class Runner:
    """Starts programs. dir is the test's own, and gone after it."""

    def __init__(self, build, directory):
        self.build = pathlib.Path(build).resolve()
        self.driver = str(self.build / "tests/integration/see/run-seen")
        self.dir = pathlib.Path(directory)
        self.env = harness.environment(
            "XDG_RUNTIME_DIR", G_DEBUG="fatal-criticals",
            GST_FILEMEM_DIR=str(self.dir), GST_FILEMEM_SIZE="1G")

    def environment(self, env, tracers):
        return {**self.env, "GST_TRACERS": tracers, **(env or {})}

    def start(self, argv, env=None, tracers="filemem", **more):
        return harness.start(argv, self.environment(env, tracers), **more)

    def run(self, argv, env=None, tracers="filemem", **more):
        """The program's stdout and stderr."""
        return harness.run(argv, self.environment(env, tracers), **more)

    def report(self, args, params="", env=None):
        """Runs the driver with attribution, returns the report."""
        path = self.dir / "report"
        out, err = self.run(
            [self.driver, *args],
            {"GST_FILEMEM_REPORT": str(path), **(env or {})},
            f"filemem(attribution=on,report-format=json{params})")
        if err:
            raise Failed(err)
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
                harness.equal(self.sum(figure, of), self.stats[figure],
                              f"the sum of {figure} of {of}")


def own_name(path):
    return path.rpartition("/")[2].partition(":")[2]


def main(module):
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()

    def call(test):
        with tempfile.TemporaryDirectory(dir="/var/tmp",
                                         prefix="filemem-see-") as directory:
            test(Runner(args.build, directory))

    return harness.run_functions(module, args.names, call)
