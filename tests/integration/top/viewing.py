# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# viewing.py: a runtime directory with publishers (publisher.py) in it, and
# gst-filemem-top to look at them, for the tests beside it. Those run in parts,
# because most of them wait for top's next second.

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import harness  # noqa: E402
from harness import PATIENCE  # noqa: E402

PUBLISHER = pathlib.Path(__file__).with_name("publisher.py")

top = None  # the program


class TopTest(unittest.TestCase):
    def setUp(self):
        self.runtime = tempfile.mkdtemp(prefix="filemem-top-")
        self.addCleanup(shutil.rmtree, self.runtime, ignore_errors=True)
        self.directory = os.path.join(self.runtime, "gst-filemem")

    def environment(self, **more):
        return harness.environment(
            "COLUMNS", "LINES", "NO_COLOR", "LC_CTYPE", "LANG", "LANGUAGE",
            **{"XDG_RUNTIME_DIR": self.runtime, "LC_ALL": "C.UTF-8", **more})

    def publish(self, *options, word="of=test"):
        """A running publisher; .path is its page. -XWORD, which Python ignores,
        is the first argument of its command line."""
        process = subprocess.Popen(
            [sys.executable, f"-X{word}", "-B", PUBLISHER, "--dir",
             self.directory, *options],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        words = process.stdout.readline().split()
        self.assertEqual(words[:1], ["ready"], "the publisher did not start")
        process.path = words[1]
        return process

    def run_top(self, *arguments, status=0, error="", **environment):
        """Its standard output. It must say ERROR, or nothing if that is empty,
        on standard error, in one line."""
        result = subprocess.run(
            [top, *arguments], env=self.environment(**environment),
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=PATIENCE)
        self.assertEqual(result.returncode, status,
                         result.stdout + result.stderr)
        if error:
            self.assertIn(error, result.stderr)
            self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        else:
            self.assertEqual(result.stderr, "")
        return result.stdout

    def run_json(self, *arguments, **more):
        return json.loads(self.run_top("--once", "--json", *arguments, **more))


def main():
    global top
    top = os.path.abspath(sys.argv.pop(1))
    # The tests name the module, this is the same one.
    sys.modules["viewing"].top = top
    harness.run_classes(sys.argv)
