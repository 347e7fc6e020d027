#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# report.py: what gst-filemem report makes of logs: values, words, exit statuses.
#
#   report.py SOURCE BUILD [PART/PARTS | TEST...]
#
# SOURCE and BUILD are the directories of gst-filemem in both trees.
#
# What the page looks like is the business of pages.py. Exit code: 77 without
# dygraphs.

import json
import os
import pathlib
import re
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import logs
from logs import MIB, line

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import run_classes, skip  # noqa: E402

LIBRARY = pathlib.Path("/usr/share/javascript/dygraphs/dygraph.min.js")
SOURCE = BUILD = None
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.S)
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&@title@"


class Report(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="filemem-report-")
        self.addCleanup(self.directory.cleanup)
        self.path = pathlib.Path(self.directory.name)

    def log(self, text, name="my.log"):
        data = text if isinstance(text, bytes) else text.encode()
        (self.path / name).write_bytes(data)
        return name

    def call(self, *arguments, program=None):
        return subprocess.run(
            [program or SOURCE / "gst-filemem", "report", *arguments],
            cwd=self.path,
            capture_output=True,
            timeout=300,
        )

    def make(self, *texts, status=0):
        """The data of the page of these logs; standard error is in `said`."""
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


class Values(Report):
    def test_curves(self):
        data = self.make(logs.process(10))
        self.assertEqual(self.chart(data, "memory")["x"], list(range(1, 11)))
        self.assertEqual(self.curve(data, "memory", "resident"), [21, 20] * 5)
        self.assertEqual(self.curve(data, "memory", "budget"), [32] * 10)
        self.assertEqual(self.curve(data, "memory", "page cache"), [1] * 10)
        self.assertEqual(
            self.curve(data, "disk", "spilled"), [4 * ts for ts in range(1, 11)]
        )
        self.assertEqual(
            self.curve(data, "queues", "queue0.sink"), [6 * ts for ts in range(1, 11)]
        )
        self.assertEqual(self.curve(data, "rates", "allocated"), [10] * 10)
        self.assertEqual(self.curve(data, "rates", "spilled"), [8] * 10)
        self.assertEqual(self.curve(data, "rates", "filled"), [4] * 10)
        self.assertEqual(self.curve(data, "minor-faults", "process"), [1000] * 10)
        self.assertEqual(self.curve(data, "minor-faults", "arena"), [500] * 10)
        self.assertEqual(self.curve(data, "major-faults", "process"), [2] * 10)
        self.assertEqual(
            self.curve(data, "waits", "99%"), [2 * ts for ts in range(1, 11)]
        )
        self.assertEqual(self.said, "gst-filemem report: wrote page.html\n")
        self.assertEqual(data["runs"][0]["missing"], [])

    def test_histogram(self):
        data = self.make(logs.process(10))
        self.assertEqual(self.chart(data, "histogram")["x"], [1e6, 2e6, 8e6])
        maps, allocations = self.chart(data, "histogram")["series"]
        self.assertEqual(maps["y"], [40, 10, None])
        self.assertEqual(allocations["y"], [None, None, 10])

    def test_edges_of_buckets(self):
        """Those of fm_histogram_limit(), in allocator/statistics.c."""
        uptos = [(1000 << b // 4) * (4 + b % 4) // 4 for b in range(112)]
        # and two that can't be drawn
        text = "".join(
            line(logs.waits_record(1, "map", upto, 1)) for upto in [0, *uptos, 2**63]
        )
        chart = self.chart(self.make(text), "histogram")
        self.assertEqual(chart["x"], uptos)
        self.assertEqual(chart["from"], [0, *uptos[:-1]])

    def test_totals(self):
        data = self.make(logs.process(10))
        self.assertEqual(self.total(data, "Allocated"), [100 * MIB])
        self.assertEqual(self.total(data, "Duration"), [10 * logs.S])
        self.assertEqual(self.total(data, "Page cache, highest"), [MIB])
        self.assertIsNone(self.total(data, "I/O errors"))

    def test_wear(self):
        wear = {"written_permille": 876, "writes": 20, "mean_write_bytes": 3 * MIB}
        data = self.make(logs.process(3, **wear))
        self.assertEqual(self.total(data, "Written per byte"), [876])
        self.assertEqual(self.total(data, "Writes"), [20])
        self.assertEqual(self.total(data, "Mean write"), [3 * MIB])
        # an older log has none
        self.assertIsNone(self.total(data, "Mean read"))

    def test_totals_are_told_apart(self):
        data = self.make(logs.process(3, fallbacks=3, fallback_bytes=9 * MIB))
        self.assertEqual(self.total(data, "Became system memory, times"), [3])
        self.assertEqual(self.total(data, "Became system memory"), [9 * MIB])

    def test_queues_of_one_name(self):
        text = "".join(
            line(logs.queue_record(ts, level=ts * number * MIB, number=number))
            for ts in (1, 2, 3)
            for number in (7, 9)
        )
        data = self.make(text)
        self.assertEqual(self.curve(data, "queues", "queue0.sink"), [7, 14, 21])
        self.assertEqual(self.curve(data, "queues", "queue0.sink (2)"), [9, 18, 27])
        self.assertEqual(
            self.column(self.table(data, "queues"), "highest level"),
            [27 * MIB, 21 * MIB],
        )

    def test_tables(self):
        data = self.make(logs.process(10))
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
        self.assertEqual(self.column(queues, "queue"), [logs.QUEUE])
        self.assertEqual(self.column(queues, "highest level"), [60 * MIB])
        self.assertEqual(self.column(queues, "left: meta"), [3])
        labels = [column["label"] for column in queues["columns"]]
        self.assertNotIn("left: lent", labels)

    def test_percentiles_of_differences(self):
        """Without interval-wait figures: from what is new in the histogram."""
        lacking = {f"interval_wait_{p}_ns": None for p in ("p50", "p99", "p999", "max")}
        text = "".join(
            line(body, seconds=ts)
            for ts, old, new in ((1, 10, 0), (2, 10, 1), (3, 10, 1), (4, 110, 2))
            for body in (
                logs.main_record(ts, **lacking),
                logs.waits_record(ts, "map", 1_000_000, old),
                logs.waits_record(ts, "map", 16_000_000, new),
            )
        )
        data = self.make(text)
        self.assertEqual(self.curve(data, "waits", "median"), [1, 16, None, 1])
        self.assertEqual(self.curve(data, "waits", "99%"), [1, 16, None, 1])
        self.assertEqual(self.curve(data, "waits", "longest"), [1, 16, None, 16])
        note = self.chart(data, "waits")["note"]
        self.assertIn("upper edges of its buckets", note)
        # so are interval-wait figures
        data = self.make(logs.process(4))
        self.assertEqual(self.chart(data, "waits")["note"], note)

    def test_percentiles_so_far(self):
        lacking = {f"interval_wait_{p}_ns": None for p in ("p50", "p99", "p999", "max")}
        data = self.make(
            "".join(line(logs.main_record(ts, **lacking)) for ts in range(1, 5))
        )
        self.assertEqual(self.curve(data, "waits", "99%"), [2] * 4)
        self.assertIn("so far", self.chart(data, "waits")["note"])
        self.assertIn("interval-wait-p99-ns", self.said)

    def test_nothing_waited(self):
        """A curve without a value is not drawn, nor is a chart without one."""
        idle = logs.waiting(4, idle=range(1, 5))
        self.assertIsNone(self.chart(self.make(idle), "waits"))
        data = self.make(idle, logs.waiting(4, pid=2))
        labels = [each["label"] for each in self.chart(data, "p99")["series"]]
        self.assertEqual(labels, ["log1"])

    def test_last_record_soon_after(self):
        """The record of the end says nothing of a rate by itself."""
        text = logs.process(5) + line(
            logs.main_record(5, ts=5 * logs.S + 1000, alloc_bytes=51 * MIB)
        )
        rates = self.curve(self.make(text), "rates", "allocated")
        self.assertLessEqual(max(filter(None, rates)), 11.001)

    def test_two_records(self):
        """One of an interval and one of the end: what was allocated in the
        first counts."""
        for end, rates in ((1.001, [9.99001]), (1.5, [10, 0])):
            last = logs.main_record(1, ts=end * logs.S)
            data = self.make(line(logs.main_record(1)) + line(last))
            self.assertEqual(self.curve(data, "rates", "allocated"), rates)

    def test_one_record(self):
        data = self.make(line(logs.main_record(10)))
        self.assertEqual(self.curve(data, "rates", "allocated"), [10])

    def test_many_points(self):
        text = "".join(
            line(logs.main_record(ts, resident_bytes=(99 if ts == 7777 else 5) * MIB))
            for ts in range(1, 20001)
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
        """Fields are known by their names, not by their places."""
        text = logs.process(5)
        for kind in ("filemem", "filemem-waits"):
            text = text.replace(f" {kind}, ", f" {kind}, process-id=(guint64)100, ")
        plain = self.make(logs.process(5))
        self.assertEqual(self.make(text), plain)


class Damage(Report):
    def test_empty(self):
        data = self.make("", status=1)
        self.assertEqual(data["runs"], [])
        self.assertIn("GST_DEBUG=GST_TRACER:7", data["how"])
        self.assertIn("no filemem records; make a log with: GST_DEBUG=", self.said)

    def test_other_tracers_alone(self):
        self.make(line(logs.OTHER_TRACER) * 10, status=1)

    def test_format_string(self):
        """GStreamer logs how it will log, too."""
        text = (
            "0:00:00.02 100 0x55 DEBUG  GST_TRACER gsttracerrecord.c:123:build:"
            " new format string: filemem, ts=(guint64)%lu, size=(guint64)%lu;\n"
        )
        self.make(text, status=1)

    def test_cut_anywhere(self):
        text = logs.process(4)
        start = text.rindex("filemem, ")
        cuts = [text[:cut] for cut in range(start + 12, len(text), 97)]
        # as many logs at a time as there are in a page
        for first in range(0, len(cuts), 8):
            self.make(*cuts[first : first + 8])
        self.make(text[: start + 500])
        self.assertIn("1 record cut short", self.said)

    def test_half_a_number(self):
        text = logs.process(3)
        at = text.rindex("alloc-bytes=(guint64)", 0, text.rindex("filemem-queue"))
        data = self.make(text[: at + len("alloc-bytes=(guint64)3")])
        self.assertEqual(self.total(data, "Allocated"), [20 * MIB])
        self.assertEqual(self.total(data, "Allocations"), [30])

    def test_one_line_in_another(self):
        """A process dies in the middle of a line, another writes on."""
        first = logs.process(3, pid=1)
        whole = line(logs.main_record(4), pid=1)
        # no other record than one whose time is not that of the first process
        second = logs.process(3, pid=2).split("\n", 1)[1]
        data = self.make(first + whole[: len(whole) // 2] + second)
        self.assertEqual([run["pid"] for run in data["runs"]], [1, 2])
        self.assertEqual(self.total(data, "Duration"), [4 * logs.S, 3 * logs.S])

    def test_colours(self):
        plain = self.make(logs.process(5))
        self.assertEqual(self.make(logs.process(5, colours=True)), plain)

    def test_colours_after_cut(self):
        """A process is killed in the middle of a record; another goes on in the
        same line or in the next, with a record or with something else."""

        def text(cut, between, colours):
            whole = line(logs.queue_record(3), 1, 3, colours)
            other = line("of no tracer", 2, 0.05, colours).replace(";", "")
            return (
                logs.process(2, 1, colours)
                + whole[: whole.index(cut) + len(cut)]
                + between.replace("other", other)
                + logs.process(3, 2, colours)
            )

        for cut in ("GstQueue:q", "level-by", "buffers=(guint64)3"):
            for between in ("", "\n", "other", "\nother"):
                with self.subTest(cut=cut, between=between):
                    plain = self.make(text(cut, between, False))
                    self.assertEqual(self.make(text(cut, between, True)), plain)
                    self.assertIn("log0, pid 1: 1 record cut short", self.said)
                    self.assertEqual([run["pid"] for run in plain["runs"]], [1, 2])
                    self.assertEqual(
                        self.column(self.table(plain, "queues"), "queue"),
                        [logs.QUEUE] * 2,
                    )

    def test_beginning_cut(self):
        """The tail of a log: what is left of the first line is whole, but for
        whose it is."""
        for colours in (False, True):
            lines = logs.process(5, colours=colours).splitlines(True)[2:]
            lines[0] = lines[0][lines[0].index("GST_TRACER") :]
            # nor is it of a process without records
            lines.insert(1, line("filemem.class, ts=(structure)x", 7, 1, colours))
            data = self.make("".join(lines))
            self.assertEqual([run["pid"] for run in data["runs"]], [100])
            self.assertEqual(self.curve(data, "disk", "on disk"), [10, 15, 20, 25])
            self.assertIn("1 record cut short", self.said)

    def test_no_prefixes(self):
        text = logs.process(3)
        data = self.make(
            "".join(t[t.index("GST_TRACER") :] for t in text.splitlines(True))
        )
        self.assertEqual([run["pid"] for run in data["runs"]], [None])
        self.assertEqual(self.total(data, "Duration"), [3 * logs.S])

    def test_no_utf8(self):
        data = self.make(logs.process(3).encode().replace(b"queue0", b"q\xff\xfe0"))
        self.assertIn(
            "q\ufffd\ufffd0", self.column(self.table(data, "queues"), "queue")[0]
        )

    def test_no_text(self):
        self.make(bytes(range(256)) * 5000 + b"filemem, ts=" * 1000, status=1)

    def test_several_processes(self):
        lines = [logs.process(3, pid=pid).splitlines(True) for pid in (7, 8)]
        mixed = "".join(a + b for a, b in zip(*lines))
        idle = line(logs.main_record(1, allocs=0, alloc_bytes=0), pid=9)
        data = self.make(mixed + idle)
        self.assertEqual(
            [run["label"] for run in data["runs"]], ["log0, pid 7", "log0, pid 8"]
        )
        self.assertEqual(self.total(data, "Allocated"), [30 * MIB] * 2)
        self.assertIn("allocated nothing: 1", data["notes"][0])

    def test_pid_again(self):
        """In containers the pid is always the same."""
        data = self.make(logs.process(3) + logs.process(4))
        self.assertEqual(self.total(data, "Duration"), [3 * logs.S, 4 * logs.S])
        self.assertEqual(len({run["label"] for run in data["runs"]}), 2)

    def test_many_processes(self):
        data = self.make("".join(logs.process(2, pid=pid) for pid in range(1, 31)))
        self.assertEqual(len(data["runs"]), 8)
        self.assertIn("8 of 30", self.said)

    def test_missing_is_said(self):
        data = self.make("".join(line(logs.main_record(ts)) for ts in (1, 2)))
        for words in (
            "no filemem-element records: run with attribution=on",
            "no filemem-thread records: run with attribution=on",
            "no filemem-queue records",
            "no filemem-waits records",
            "only 2 filemem records, too few for curves: run with stats-interval=1",
        ):
            self.assertIn(words, self.said)
            self.assertTrue(any(words in text for text in data["runs"][0]["missing"]))

    def test_old_log(self):
        lacking = dict.fromkeys(
            ("page_cache_bytes", "arena_minor_faults", "arena_major_faults")
        )
        self.make("".join(line(logs.main_record(ts, **lacking)) for ts in range(1, 5)))
        self.assertIn("page-cache-bytes, arena-minor-faults", self.said)

    def test_no_main_records(self):
        data = self.make("".join(line(logs.queue_record(ts)) for ts in range(1, 5)))
        self.assertEqual(self.curve(data, "queues", "queue0.sink"), [6, 12, 18, 24])
        self.assertIn("no filemem records, so no memory", self.said)

    def test_faults_not_measured(self):
        self.make(logs.process(4).replace("(string)rusage", "(string)none"))
        self.assertIn("(fault-source=none): run with attribution=on", self.said)

    def test_huge_values(self):
        most = 2**64 - 1
        text = logs.process(3) + line(
            "filemem, " + logs.fields({"ts": most, "alloc-bytes": most, "allocs": most})
        )
        text += line(logs.waits_record(3, "map", most, 5))
        text += line("filemem, ts=(guint64)" + "9" * 5000)
        data = self.make(text)
        self.assertEqual(self.total(data, "Allocated"), [most])

    def test_time_grows_with_length(self):
        """Not with its square: names, and ids of a name, as many as lines, lines
        that never end."""

        def seconds(count):
            text = "".join(
                line(logs.queue_record(1, f"/a/b{n}"))
                + line(logs.queue_record(1, number=n))
                + line(logs.element_record(1, f"e{n}"))
                for n in range(count)
            )
            self.log(text + "filemem, ts=" * count * 20)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assertEqual(self.call("-o", "page.html", "my.log").returncode, 0)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return sum(after[:2]) - sum(before[:2])

        # of the processor, which other programs hardly change: 16 times as much
        # is right, a square is 256 times
        short = seconds(1500)
        self.assertLess(seconds(16 * 1500), 64 * short)
        self.assertLess((self.path / "page.html").stat().st_size, 2 << 20)

    def test_patterns_have_bounds(self):
        """The longest lines that almost are records."""
        size = 1 << 20
        for text in (
            "filemem " + "1" * size,
            "filemem " + "1:11:11.1 " * (size // 10),
            "filemem GST_TRACER " + ":1" * (size // 2),
            "filemem GST_TRACER :1:" + " " * size,
            line("filemem, ts=(guint64)1, " + "a" * size),
            line("filemem, ts=(guint64)1, " + ' a=(string)"' * (size // 12)),
            line("filemem-thread, thread=(string)" + ", tid=(guint64)1" * (size // 16)),
        ):
            self.log(text)
            # a square would be hours
            self.assertIn(self.call("my.log").returncode, (0, 1))


class Names(Report):
    def hostile(self, name):
        text = logs.process(3)
        for ts in (1, 2, 3):
            text += line(logs.queue_record(ts, name, 9 * MIB))
            text += line(logs.element_record(ts, name))
            text += line(logs.thread_record(ts, name, 5, name))
        return self.make(text)

    def test_tags(self):
        data = self.hostile(EVIL)
        self.assertIn(EVIL, self.column(self.table(data, "queues"), "queue"))
        self.assertIn(EVIL, self.column(self.table(data, "elements"), "element"))
        self.assertIn(EVIL, self.column(self.table(data, "threads"), "thread"))
        # the template's three scripts, and no tag of the name
        self.assertEqual(self.page.lower().count("<script"), 3)
        self.assertNotIn("<img", self.page)

    def test_comment_start(self):
        self.hostile("<!--<script>")
        self.assertNotIn("<!--<script>", self.page)

    def test_like_fields(self):
        name = "a, ts=(guint64)99, level-bytes=(guint64)1; filemem, ts=(guint64)7"
        data = self.hostile(name)
        queues = self.table(data, "queues")
        at = self.column(queues, "queue").index(name)
        self.assertEqual(self.column(queues, "highest level")[at], 9 * MIB)
        self.assertEqual(self.total(data, "Duration"), [3 * logs.S])

    def test_short(self):
        """In legends, without types: those of pads are many."""
        inside = "/GstPipeline:p/GstBin:b"
        names = {
            f"{inside}/GstMultiQueue:mq.GstMultiQueuePad:sink_0": "b/mq.sink_0",
            f"{inside}/GstQueue:a.GstPad:b.GstPad:sink": "b/a.GstPad:b.sink",
            "/GstPipeline:p/GstQueue:q.GstGhostPad:sink": "q.sink",
            "/GstPipeline:p/GstAppSink:s": "s",
        }
        data = self.make("".join(line(logs.queue_record(1, name)) for name in names))
        labels = [s["label"] for s in self.chart(data, "queues")["series"]]
        self.assertEqual(labels, list(names.values()))

    def test_line_feeds(self):
        data = self.hostile("one\ntwo\n\nthree")
        names = self.column(self.table(data, "queues"), "queue")
        self.assertIn("one\\ntwo\\n\\nthree", names)

    def test_quoted(self):
        data = self.hostile('"a\\ \\"b\\"\\303\\244"')
        self.assertIn(
            'a "b"\u00e4', self.column(self.table(data, "elements"), "element")
        )

    def test_terminal(self):
        """What is said of a log can't command the terminal."""
        name = self.log("", "a\x1b[31mb\n.log")
        done = self.call("-o", "page.html", name)
        self.assertEqual(done.returncode, 1)
        done = self.call("a\x1b[31m")
        self.assertNotIn(b"\x1b", done.stderr)
        self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_name_of_log(self):
        name = "<b>&\"'\udcff.log"
        (self.path / os.fsencode(name).decode("utf-8", "surrogateescape")).write_text(
            logs.process(3)
        )
        done = self.call("-o", "page.html", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.path / "page.html").read_text("utf-8")
        title = re.search("<title>(.*)</title>", page)[1]
        self.assertIn("&lt;b&gt;&amp;&quot;&#x27;", title)

    def test_policy(self):
        self.make(logs.process(3))
        policy = re.search('Content-Security-Policy" content="([^"]*)"', self.page)[1]
        self.assertIn("default-src 'none'", policy)
        self.assertNotRegex(policy, r"script-src[^;]*unsafe")
        self.assertNotRegex(self.page, r"""(src|href)=["']?(https?:)?//""")

    def test_licence(self):
        self.make(logs.process(3))
        self.assertIn("Permission is hereby granted", self.page)


class Several(Report):
    def test_compared(self):
        data = self.make(logs.process(10, pid=1), logs.process(5, pid=2))
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
        data = self.make(logs.waiting(5, idle=(3,)), logs.waiting(5, offset=0.5, pid=2))
        self.assertEqual(self.chart(data, "p99")["x"], [n / 2 for n in range(2, 12)])
        first, second = self.chart(data, "p99")["series"]
        self.assertEqual(first["y"], [2, None, 4, None, None, None, 8, None, 10, None])
        self.assertEqual(first["gaps"], [4])
        self.assertEqual(second["y"], [None, 2, None, 4, None, 6, None, 8, None, 10])
        self.assertEqual(second["gaps"], [])

    def test_same_name(self):
        for directory in ("a", "b"):
            (self.path / directory).mkdir()
            self.log(logs.process(3), f"{directory}/x.log")
        done = self.call("-o", "-", "a/x.log", "b/x.log")
        data = json.loads(DATA.search(done.stdout.decode())[1])
        self.assertEqual([run["label"] for run in data["runs"]], ["a/x.log", "b/x.log"])

    def test_one_is_empty(self):
        data = self.make(logs.process(3), "")
        self.assertEqual(len(data["runs"]), 1)
        self.assertIn("No filemem records in log1: GST_DEBUG=", self.said)


class CommandLine(Report):
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
        """Each process is told to have a log of its own."""
        said = self.call("--help").stdout.decode()
        self.assertIn("GST_DEBUG_FILE=my-%p.log", said)
        self.assertIn("GST_DEBUG_FILE=my-%p.log", self.make("", status=1)["how"])
        self.make(logs.process(3, noise=False)[:-9])
        self.assertIn("cut short", self.said)
        self.assertIn("GST_DEBUG_FILE=my-%p.log", self.said)

    def test_output(self):
        self.log(logs.process(3))
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
        self.log(logs.process(3))
        self.assertIn("absent: No such file", self.failure("absent"))
        self.assertIn("Is a directory", self.failure("."))
        self.assertIn("no/x: No such file", self.failure("my.log", "-o", "no/x"))
        self.assertIn("that is a log", self.failure("my.log", "-o", "my.log"))
        self.assertTrue((self.path / "my.log").read_text().startswith("0:"))
        self.assertEqual(self.call().returncode, 2)

    def test_unreadable(self):
        self.log(logs.process(3))
        (self.path / "my.log").chmod(0)
        if os.access(self.path / "my.log", os.R_OK):
            self.skipTest("root reads every file")
        self.assertIn("Permission denied", self.failure("my.log"))

    def test_no_library(self):
        self.log(logs.process(3))
        program = (
            "import sys; sys.dont_write_bytecode = True\n"
            "sys.path.insert(0, sys.argv[1])\n"
            "from filemem_report import command, page\n"
            "page.LIBRARY = ()\n"
            "sys.exit(command.main(['my.log']))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, SOURCE / "report.d"],
            cwd=self.path,
            capture_output=True,
        )
        self.assertEqual(done.returncode, 2)
        self.assertEqual(
            done.stderr.decode(),
            "gst-filemem report: dygraphs is missing: apt-get install libjs-dygraphs\n",
        )

    def test_build_tree(self):
        self.log(logs.process(3))
        self.assertEqual(
            self.call("my.log", program=BUILD / "gst-filemem").returncode, 0
        )

    def test_installed_tree(self):
        """A tree that was moved, reached through a link."""
        self.log(logs.process(3))
        text = (BUILD / "gst-filemem").read_text()
        from_bin = re.search("^_fm_commands_from_bindir='(.*)'$", text, re.M)[1]
        bin_directory = self.path / "moved/prefix/bin"
        libexec = pathlib.Path(os.path.normpath(bin_directory / from_bin))
        if self.path not in libexec.parents:
            self.skipTest("an absolute libexecdir")
        bin_directory.mkdir(parents=True)
        libexec.mkdir(parents=True)
        shutil.copy(BUILD / "gst-filemem", bin_directory)
        shutil.copy(SOURCE / "gst-filemem-report", libexec)
        shutil.copytree(SOURCE / "report.d", libexec / "report.d")
        link = self.path / "link"
        link.symlink_to(bin_directory / "gst-filemem")
        self.assertEqual(self.call("my.log", program=link).returncode, 0)
        shutil.rmtree(libexec / "report.d")
        self.assertNotEqual(self.call("my.log", program=link).returncode, 0)

    def test_unknown_command(self):
        for command in ("nonsense", "../report", ""):
            done = subprocess.run(
                [SOURCE / "gst-filemem", command], capture_output=True, cwd=self.path
            )
            self.assertEqual(done.returncode, 2)

    def test_executable(self):
        mode = (SOURCE / "gst-filemem-report").stat().st_mode
        self.assertTrue(mode & stat.S_IXOTH)


if __name__ == "__main__":
    SOURCE, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if not LIBRARY.exists():
        skip("dygraphs is missing (libjs-dygraphs)")
    run_classes([sys.argv[0], *sys.argv[3:]])
