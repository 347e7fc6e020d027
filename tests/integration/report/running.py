#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# running.py: `gst-filemem run --page`: the page at the end of a program, however
# that ends, and its exit status.
#
#   running.py SOURCE BUILD [PART/PARTS | TEST...]
#
# Exit code: 77 without dygraphs.

import json
import os
import signal
import subprocess
import time

import made

QUEUE = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0"
BLOCKS = "fakesrc num-buffers={} sizetype=fixed sizemax=1048576 filltype=zero"
DEEP = (f"gst-launch-1.0 -q {BLOCKS.format(60)} ! {QUEUE} ! "
        "identity sleep-time=40000 ! fakesink")


class Running(made.Report):
    def start(self, *command, options=(), **more):
        return subprocess.Popen(
            [made.source / "gst-filemem", "run", "--ram=8M", "--page=page.html",
             *options, "--", *command],
            cwd=self.path, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "GST_FILEMEM_BUILD": str(made.build.parent),
                 "GST_REGISTRY": str(self.path / "registry")}, **more)

    def end(self, process):
        _, self.said = process.communicate(timeout=made.PATIENCE)
        return process.returncode

    def data(self):
        page = (self.path / "page.html").read_text("utf-8")
        return json.loads(made.DATA.search(page)[1])

    def test_page(self):
        self.assertEqual(self.end(self.start("sh", "-c", f"{DEEP}; exit 3")), 3)
        run, = self.data()["runs"]
        self.assertRegex(
            run["verdict"], r"^Kept up to [3-6]\d\.\d MiB of buffers in \d+\.\d MiB of "
            r"memory, with [2-6]\d\.\d MiB on disk at most\. ")
        self.assertRegex(run["log"], r"^sh-\d+$")
        about = dict(run["about"])
        self.assertIn("num-buffers=60", about["Command"])
        self.assertRegex(about["Versions"], r"^filemem \d.*, GStreamer 1\.\d+")
        self.assertIn("ram=8388608", about["Options"])
        self.assertRegex(about["Since"], r"^20\d\d-\d\d-\d\dT")
        self.assertRegex(about["Machine"], r"^Linux .*, \d+ processors, .* of memory$")

    def test_nothing_on_disk(self):
        line = "gst-launch-1.0 -q videotestsrc num-buffers=3 ! fakesink".split()
        self.assertEqual(self.end(self.start(*line)), 0)
        self.assertRegex(
            self.data()["runs"][0]["verdict"],
            r"^Buffers took .* at most and fit the budget of 8\.0 MiB: nothing went to "
            r"disk\.$")

    def test_killed(self):
        """What there was until a second before."""
        process = self.start(
            "sh", "-c", f"{DEEP} & until cat ${{GST_FILEMEM_RECORD%??}}* 2>/dev/null | "
            "grep -q '\"spill-bytes\":[1-9]'; do sleep 0.1; done; "
            "kill -9 $!; kill -9 $$")
        self.assertEqual(self.end(process), -signal.SIGKILL)
        self.assertIn("Kept up to", self.data()["runs"][0]["verdict"])

    def test_signal(self):
        process = self.start("sh", "-c", "trap 'exit 5' TERM; "
                             f"{DEEP}; echo > done; while :; do sleep 0.1; done",
                             stdin=subprocess.DEVNULL)
        while not (self.path / "done").exists():
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.end(process), 5)
        self.assertIn("Kept up to", self.data()["runs"][0]["verdict"])

    def test_what_is_open_and_ignored(self):
        """It has what it would have without us."""
        reading, writing = os.pipe()
        process = self.start(
            "sh", "-c", f"echo there >&{writing}; kill -HUP $$; exit 6",
            pass_fds=(writing,), preexec_fn=lambda: signal.signal(
                signal.SIGHUP, signal.SIG_IGN))
        os.close(writing)
        self.assertEqual(self.end(process), 6)
        self.assertEqual(os.read(reading, 9), b"there\n")
        os.close(reading)

    def test_no_place_for_recording(self):
        process = self.start("sh", "-c", "exit 3", options=["--record=/none/%p"])
        self.assertEqual(self.end(process), 3)
        self.assertIn("no page: ", self.said)

    def test_recording_stays(self):
        self.assertEqual(
            self.end(self.start("sh", "-c", DEEP, options=["--record=my-%p"])), 0)
        name, = (path.name for path in self.path.glob("my-*"))
        self.assertEqual(self.data()["runs"][0]["log"], name)
        # that of a run before is not of this one
        os.utime(self.path / name, (1, 1))
        self.assertEqual(
            self.end(self.start("sh", "-c", DEEP, options=["--record=my-%p"])), 0)
        self.assertNotEqual([run["log"] for run in self.data()["runs"]], [name])
        self.assertEqual(len(self.data()["runs"]), 1)

    def test_no_buffers(self):
        self.assertEqual(self.end(self.start("true")), 0)
        self.assertFalse((self.path / "page.html").exists())
        self.assertIn("no page: the program used no buffer", self.said)


if __name__ == "__main__":
    made.main()
