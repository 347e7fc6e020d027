#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# report.py: what gst-filemem report makes of recordings: values of one run,
# several runs beside each other, and the command line.
#
#   report.py SOURCE BUILD [PART/PARTS | TEST...]
#
# What the page looks like is the business of pages.py. Exit code: 77 without
# dygraphs.

import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

import made
import recordings
from recordings import MIB, record

SCHEMA = "gst-filemem-record.schema.json"


class Values(made.Report):
    def test_curves(self):
        data = self.make(recordings.process(10))
        self.assertEqual(self.chart(data, "memory")["x"], list(range(1, 11)))
        self.assertEqual(self.curve(data, "memory", "resident"), [21, 20] * 5)
        self.assertEqual(self.curve(data, "memory", "budget (ram)"), [32] * 10)
        self.assertEqual(self.curve(data, "memory", "page cache"), [1] * 10)
        self.assertEqual(
            self.curve(data, "disk", "spilled"), [4 * ts for ts in range(1, 11)]
        )
        self.assertEqual(
            self.curve(data, "queues", "queue0.sink"), [6 * ts for ts in range(1, 11)]
        )
        self.assertEqual(self.curve(data, "rates", "allocated"), [10] * 10)
        self.assertEqual(self.curve(data, "rates", "written"), [8] * 10)
        self.assertEqual(self.curve(data, "rates", "read"), [4] * 10)
        self.assertEqual(
            self.curve(data, "minor-faults", "minor page faults"), [1000] * 10
        )
        self.assertEqual(
            self.curve(data, "minor-faults", "minor page faults in blocks"), [500] * 10
        )
        self.assertEqual(
            self.curve(data, "major-faults", "major page faults"), [2] * 10
        )
        self.assertEqual(self.curve(data, "waits", "median"), [1] * 10)
        self.assertEqual(self.curve(data, "waits", "99%"), [2] * 10)
        self.assertEqual(self.said, "gst-filemem report: wrote page.html\n")
        self.assertEqual(data["runs"][0]["missing"], [])

    def test_histogram(self):
        data = self.make(recordings.process(10))
        self.assertEqual(self.chart(data, "histogram")["x"], [1e6, 2e6, 8e6])
        maps, allocations = self.chart(data, "histogram")["series"]
        self.assertEqual(maps["y"], [40, 10, None])
        self.assertEqual(allocations["y"], [None, None, 10])

    def test_edges_of_buckets(self):
        """Those of fm_histogram_limit(), in allocator/statistics.c."""
        uptos = [(1000 << b // 4) * (4 + b % 4) // 4 for b in range(112)]
        # and two that can't be drawn
        buckets = [[upto, 1] for upto in [0, *uptos, 2**63]]
        text = record(1, waits={"map": buckets})
        chart = self.chart(self.make(text), "histogram")
        self.assertEqual(chart["x"], uptos)
        self.assertEqual(chart["from"], [0, *uptos[:-1]])

    def test_totals(self):
        data = self.make(recordings.process(10))
        self.assertEqual(self.total(data, "Allocated"), [100 * MIB])
        self.assertEqual(self.total(data, "Duration"), [10 * recordings.S])
        self.assertEqual(self.total(data, "Page cache, highest"), [MIB])
        self.assertIsNone(self.total(data, "I/O errors"))

    def test_wear(self):
        wear = {"written_permille": 876, "writes": 20, "mean_write_bytes": 3 * MIB}
        data = self.make(recordings.process(3, **wear))
        self.assertEqual(self.total(data, "Written per byte"), [876])
        self.assertEqual(self.total(data, "Writes"), [20])
        self.assertEqual(self.total(data, "Mean write"), [3 * MIB])
        # nothing is made up
        self.assertIsNone(self.total(data, "Mean read"))

    def test_totals_are_told_apart(self):
        data = self.make(recordings.process(3, fallbacks=3, fallback_bytes=9 * MIB))
        self.assertEqual(self.total(data, "Became system memory, times"), [3])
        self.assertEqual(self.total(data, "Became system memory"), [9 * MIB])

    def test_queues_of_one_name(self):
        data = self.make(
            "".join(
                record(
                    second,
                    queues=[
                        recordings.queue(second, level=second * n * MIB, number=n)
                        for n in (7, 9)
                    ],
                )
                for second in (1, 2, 3)
            )
        )
        self.assertEqual(self.curve(data, "queues", "queue0.sink"), [7, 14, 21])
        self.assertEqual(self.curve(data, "queues", "queue0.sink (2)"), [9, 18, 27])
        self.assertEqual(
            self.column(self.table(data, "queues"), "highest level"),
            [27 * MIB, 21 * MIB],
        )

    def test_tables(self):
        data = self.make(recordings.process(10))
        elements = self.table(data, "elements")
        # the one that waited longest is the first
        self.assertEqual(
            self.column(elements, "element"),
            [
                "/GstPipeline:pipeline0/GstQueue:queue0",
                "/GstPipeline:pipeline0/GstX264Enc:x264enc0",
            ],
        )
        self.assertEqual(self.column(elements, "waited for maps"), [7e6, 1e6])
        self.assertEqual(self.column(elements, "allocated"), [100 * MIB] * 2)
        threads = self.table(data, "threads")
        self.assertEqual(
            threads["rows"][0][:3],
            ["queue0:src", "101", "/GstPipeline:pipeline0/GstQueue:q"],
        )
        queues = self.table(data, "queues")
        self.assertEqual(self.column(queues, "queue"), [recordings.QUEUE])
        self.assertEqual(self.column(queues, "highest level"), [60 * MIB])
        labels = [column["label"] for column in queues["columns"]]
        left = [label for label in labels if "left alone" in label]
        self.assertEqual(len(left), 1, "those that there were none of are not told")
        self.assertIn("a meta that a copy would lose", left[0])
        self.assertEqual(self.column(queues, left[0]), [3])

    def test_percentiles_of_differences(self):
        """From what is new in the histogram."""
        data = self.make(
            "".join(
                record(second, waits={"map": [[1_000_000, old], [16_000_000, new]]})
                for second, old, new in (
                    (1, 10, 0),
                    (2, 10, 1),
                    (3, 10, 1),
                    (4, 110, 2),
                )
            )
        )
        self.assertEqual(self.curve(data, "waits", "median"), [1, 16, None, 1])
        self.assertEqual(self.curve(data, "waits", "99%"), [1, 16, None, 1])
        self.assertEqual(self.curve(data, "waits", "longest"), [1, 16, None, 16])
        note = self.chart(data, "waits")["note"]
        self.assertIn("upper edges of its buckets", note)

    def test_nothing_waited(self):
        """A curve without a value is not drawn, nor is a chart without one."""
        idle = recordings.waiting(4, idle=range(1, 5))
        self.assertIsNone(self.chart(self.make(idle), "waits"))
        data = self.make(idle, recordings.waiting(4, pid=2))
        labels = [each["label"] for each in self.chart(data, "p99")["series"]]
        self.assertEqual(labels, ["log1"])

    def test_last_record_soon_after(self):
        """The record of the end says nothing of a rate by itself."""
        last = recordings.stats(5, alloc_bytes=51 * MIB)
        text = recordings.process(5) + record(5.000001, stats=last)
        rates = self.curve(self.make(text), "rates", "allocated")
        self.assertLessEqual(max(filter(None, rates)), 11.001)

    def test_two_records(self):
        """One of an interval and one of the end: what was allocated in the
        first counts."""
        for end, rates in ((1.001, [9.99001]), (1.5, [10, 0])):
            figures = recordings.stats(1)
            data = self.make(record(1, stats=figures) + record(end, stats=figures))
            self.assertEqual(self.curve(data, "rates", "allocated"), rates)

    def test_one_record(self):
        data = self.make(record(10, stats=recordings.stats(10)))
        self.assertEqual(self.curve(data, "rates", "allocated"), [10])

    def test_many_points(self):
        text = "".join(
            record(
                second,
                stats=recordings.stats(
                    second, resident_bytes=(99 if second == 7777 else 5) * MIB
                ),
            )
            for second in range(1, 20001)
        )
        data = self.make(text)
        memory = self.curve(data, "memory", "resident")
        self.assertLessEqual(len(memory), 1000)
        # a peak stays, and so does the sum of what was allocated
        self.assertEqual(max(memory), 99)
        for rate in self.curve(data, "rates", "allocated"):
            self.assertAlmostEqual(rate, 10)
        self.assertGreater(self.chart(data, "memory")["step"], 20)
        self.assertLess(len(self.page), 1 << 20)

    def test_more_fields(self):
        """Of a later version."""
        text = recordings.process(5)
        more = text.replace('"stats":{', '"new":[{"a":1}],"stats":{"newer":[1],')
        self.assertNotEqual(text, more)
        self.assertEqual(self.make(more), self.make(text))

    def test_advice(self):
        data = self.make(recordings.process(3, advice=["64\u00a0MiB", "a\x1b[31mb"]))
        self.assertEqual(data["runs"][0]["advice"], ["64 MiB", "a\\x1b[31mb"])


class Several(made.Report):
    def test_compared(self):
        data = self.make(recordings.process(10, pid=1), recordings.process(5, pid=2))
        self.assertEqual(
            [g["title"] for g in data["groups"]], ["Compared", "log0", "log1"]
        )
        self.assertEqual(
            self.curve(data, "spilled", "log0"), [4 * ts for ts in range(1, 11)]
        )
        self.assertEqual(
            self.curve(data, "spilled", "log1"), [4, 8, 12, 16, 20] + [None] * 5
        )
        self.assertEqual(self.total(data, "Allocated"), [100 * MIB, 50 * MIB])
        colours = [s["colour"] for s in self.chart(data, "resident")["series"]]
        self.assertEqual(len(set(colours)), 2)
        self.assertEqual(
            self.column(self.table(data, "queues"), "run"), ["log0", "log1"]
        )

    def test_gaps(self):
        """Where nothing waited in a run is told from where it has no record."""
        data = self.make(
            recordings.waiting(5, idle=(3,)),
            recordings.waiting(5, offset=0.5, pid=2),
        )
        self.assertEqual(self.chart(data, "p99")["x"], [n / 2 for n in range(2, 12)])
        first, second = self.chart(data, "p99")["series"]
        self.assertEqual(first["y"], [2, None, 4, None, None, None, 8, None, 10, None])
        self.assertEqual(first["gaps"], [4])
        self.assertEqual(second["y"], [None, 2, None, 4, None, 6, None, 8, None, 10])
        self.assertEqual(second["gaps"], [])

    def test_same_name(self):
        for directory in ("a", "b"):
            (self.path / directory).mkdir()
            self.log(recordings.process(3), f"{directory}/x.log")
        done = self.call("-o", "-", "a/x.log", "b/x.log")
        data = json.loads(made.DATA.search(done.stdout.decode())[1])
        self.assertEqual([run["label"] for run in data["runs"]], ["a/x.log", "b/x.log"])

    def test_one_is_empty(self):
        data = self.make(recordings.process(3), "")
        self.assertEqual(len(data["runs"]), 1)
        self.assertIn("No filemem records in log1: GST_FILEMEM_", self.said)


class CommandLine(made.Report):
    def test_no_records(self):
        """What stands in the place of a page may be somebody's own."""
        self.log("nothing of filemem\n", "notes")
        (self.path / "notes.html").write_text("precious")
        done = self.call("notes")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"no filemem records", done.stderr)
        self.assertNotIn(b"wrote", done.stderr)
        self.assertEqual((self.path / "notes.html").read_text(), "precious")

    def test_how(self):
        """Each process is told to have a file of its own."""
        self.assertIn("--record my-%p.json", self.call("--help").stdout.decode())
        self.assertIn("--record my-%p.json", self.make("", status=1)["how"])

    def test_output(self):
        self.log(recordings.process(3))
        self.assertEqual(self.call("my.log").returncode, 0)
        written = (self.path / "my.log.html").read_bytes()
        done = self.call("my.log", "-o", "-")
        self.assertEqual(done.stdout, written)
        self.assertEqual(done.stderr, b"")

    def failure(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        return done.stderr.decode()

    def test_failures(self):
        self.log(recordings.process(3))
        self.assertIn("absent: No such file", self.failure("absent"))
        self.assertIn("Is a directory", self.failure("."))
        self.assertIn("no/x: No such file", self.failure("my.log", "-o", "no/x"))
        self.assertIn("that is a recording", self.failure("my.log", "-o", "my.log"))
        self.assertTrue((self.path / "my.log").read_text().startswith("{"))
        self.assertEqual(self.call().returncode, 2)

    def test_unreadable(self):
        self.log(recordings.process(3))
        (self.path / "my.log").chmod(0)
        if os.access(self.path / "my.log", os.R_OK):
            self.skipTest("root reads every file")
        self.assertIn("Permission denied", self.failure("my.log"))

    def test_no_library(self):
        self.log(recordings.process(3))
        program = (
            "import sys; sys.dont_write_bytecode = True\n"
            "sys.path.insert(0, sys.argv[1])\n"
            "from filemem_report import command, page\n"
            "page.LIBRARY = ()\n"
            "sys.exit(command.main(['my.log']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, made.source / "report.d"],
            cwd=self.path,
            capture_output=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr.decode(),
            "gst-filemem report: dygraphs is missing: apt-get install libjs-dygraphs, "
            "or set GST_FILEMEM_DYGRAPHS to the directory of its dygraph.min.js\n",
        )

    def test_library_of_ones_own(self):
        """By an option or a variable, and no other where it is not there."""
        self.log(recordings.process(3))
        own = self.path / "of my own"
        own.mkdir()
        call = ("my.log", "-o", "page.html")
        for given, kwargs in (
            ((*call, "--dygraphs", str(own)), {}),
            (call, {"GST_FILEMEM_DYGRAPHS": str(own)}),
        ):
            done = self.call(*given, **kwargs)
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"of my own: no dygraph.min.js", done.stderr)
        for name in ("dygraph.min.js", "dygraph.min.css"):
            (own / name).write_text("/* mine */")
        self.assertEqual(self.call(*given, **kwargs).returncode, 0)
        self.assertIn("/* mine */", (self.path / "page.html").read_text())

    def test_build_tree(self):
        self.log(recordings.process(3))
        self.assertEqual(
            self.call("my.log", program=made.build / "gst-filemem").returncode, 0
        )

    def test_installed_tree(self):
        """A tree that was moved, reached through a link."""
        self.log(recordings.process(3))
        text = (made.build / "gst-filemem").read_text()
        from_bin = re.search("^_fm_commands_from_bindir='(.*)'$", text, re.M)[1]
        bin_directory = self.path / "moved/prefix/bin"
        libexec = pathlib.Path(os.path.normpath(bin_directory / from_bin))
        if self.path not in libexec.parents:
            self.skipTest("an absolute libexecdir")
        bin_directory.mkdir(parents=True)
        libexec.mkdir(parents=True)
        shutil.copy(made.build / "gst-filemem", bin_directory)
        shutil.copy(made.source / "gst-filemem-report", libexec)
        shutil.copytree(made.source / "report.d", libexec / "report.d")
        link = self.path / "link"
        link.symlink_to(bin_directory / "gst-filemem")
        done = self.call("my.log", program=link)
        self.assertEqual(done.returncode, 2)
        self.assertIn("schema.json is missing: install", done.stderr.decode())
        shutil.copy(made.build.parent / "docs" / SCHEMA, libexec)
        self.assertEqual(self.call("my.log", program=link).returncode, 0)
        shutil.rmtree(libexec / "report.d")
        self.assertNotEqual(self.call("my.log", program=link).returncode, 0)

    def test_unknown_command(self):
        for command in ("nonsense", "../report", ""):
            done = subprocess.run(
                [made.source / "gst-filemem", command],
                capture_output=True,
                cwd=self.path,
            )
            self.assertEqual(done.returncode, 2)

    def test_executable(self):
        mode = (made.source / "gst-filemem-report").stat().st_mode
        self.assertTrue(mode & stat.S_IXOTH)


if __name__ == "__main__":
    made.main()
