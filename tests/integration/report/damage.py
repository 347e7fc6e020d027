#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# damage.py: what gst-filemem report makes of logs that are cut, mixed or hostile.
#
#   damage.py SOURCE BUILD [PART/PARTS | TEST...]
#
# Exit code: 77 without dygraphs.

import os
import re
import resource

import logs
import made
from logs import MIB, line

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&@title@"


class Damage(made.Report):
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


class Names(made.Report):
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


if __name__ == "__main__":
    made.main()
