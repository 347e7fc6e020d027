# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# made.py: pages of gst-filemem report, made of recordings in a directory of the test's
# own, and what is found in them, for the tests beside this file.
#
# They all take the directories of gst-filemem in both trees, SOURCE and BUILD,
# and then a part or names of tests.

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import PATIENCE, run_classes, skip  # noqa: E402

LIBRARY = pathlib.Path("/usr/share/javascript/dygraphs/dygraph.min.js")
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)

source = build = None


def run_report(path, *arguments, program=None, **variables):
    """In the directory PATH."""
    return subprocess.run(
        [program or source / "gst-filemem", "report", *arguments],
        cwd=path,
        env={**os.environ, **variables},
        capture_output=True,
        timeout=PATIENCE,
    )


class Report(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="filemem-report-")
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def log(self, text, name="my.log"):
        data = text if isinstance(text, bytes) else text.encode()
        (self.path / name).write_bytes(data)
        return name

    def call(self, *arguments, program=None, **variables):
        return run_report(self.path, *arguments, program=program, **variables)

    def make(self, *texts, status=0):
        """The data of the page of these recordings; standard error is in `said`."""
        names = [self.log(text, f"log{n}") for n, text in enumerate(texts)]
        done = self.call("-o", "page.html", *names)
        self.said = done.stderr.decode()
        self.assertEqual(done.returncode, status, self.said)
        self.assertNotIn("Traceback", self.said)
        self.page = (self.path / "page.html").read_text("utf-8")
        return json.loads(DATA.search(self.page)[1])

    def chart(self, data, name, group=0):
        charts = data["groups"][group]["charts"]
        return next((c for c in charts if c["name"] == name), None)

    def curve(self, data, name, label, group=0):
        chart = self.chart(data, name, group)
        return next(s["y"] for s in chart["series"] if s["label"] == label)

    def table(self, data, name):
        return next((t for t in data["tables"] if t["name"] == name), None)

    def total(self, data, label):
        rows = data["totals"]["rows"]
        return next((r["values"] for r in rows if r["label"] == label), None)

    def column(self, table, label):
        labels = [column["label"] for column in table["columns"]]
        return [row[labels.index(label)] for row in table["rows"]]


def main():
    # The tests name the module, this is the same one.
    made = sys.modules["made"]
    made.source, made.build = (pathlib.Path(each).resolve() for each in sys.argv[1:3])
    if not LIBRARY.exists():
        skip("dygraphs is missing (libjs-dygraphs)")
    run_classes([sys.argv[0], *sys.argv[3:]])
