#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# damage.py: what gst-filemem report makes of recordings that are cut, mixed or
# hostile.
#
#   damage.py SOURCE BUILD [PART/PARTS | TEST...]
#
# Exit code: 77 without dygraphs.

import json
import os
import re
import resource

import made
import recordings
from recordings import MIB, record

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&@title@"


class Damage(made.Report):
    def test_empty(self):
        data = self.make("", status=1)
        self.assertEqual(data["runs"], [])
        self.assertIn("--record", data["how"])
        self.assertIn("no filemem records; make a recording with: GST", self.said)

    def test_something_else(self):
        self.make(json.dumps({"a": [1, {"b": 2}]}) + "\n[1]\n7\nnull\ntext\n", status=1)

    def test_cut_anywhere(self):
        text = recordings.process(4)
        start = text.rindex('{"version"')
        cuts = [text[:cut] for cut in range(start + 30, len(text) - 1, 97)]
        # as many at a time as there are in a page
        for first in range(0, len(cuts), 8):
            self.make(*cuts[first : first + 8])
        data = self.make(text[: start + 500])
        self.assertIn("1 record cut short", self.said)
        self.assertEqual(self.total(data, "Duration"), [3 * recordings.S])

    def test_half_a_number(self):
        """A line without its end is no line, however much of it is there."""
        text = recordings.process(3)
        at = text.rindex('"alloc-bytes":')
        data = self.make(text[: at + len('"alloc-bytes":3')])
        self.assertEqual(self.total(data, "Allocated"), [20 * MIB])

    def test_one_line_in_another(self):
        """A process dies in the middle of a line, another writes on."""
        first = recordings.process(3, pid=1)
        whole = recordings.process(4, pid=1).splitlines()[-1]
        second = recordings.process(3, pid=2)
        data = self.make(first + whole[: len(whole) // 2] + second)
        self.assertEqual([run["pid"] for run in data["runs"]], [1, 2])
        self.assertEqual(
            self.total(data, "Duration"), [3 * recordings.S, 3 * recordings.S]
        )
        self.assertIn("log0, pid 1: 1 record cut short", self.said)

    def test_beginning_cut(self):
        """The tail of a recording."""
        text = recordings.process(5)
        data = self.make(text[len(text.splitlines()[0]) // 2 :])
        self.assertEqual(self.curve(data, "disk", "on disk"), [10, 15, 20, 25])

    def test_no_utf8(self):
        text = recordings.process(3).encode().replace(b"queue0", b"q\xff\xfe0")
        names = self.column(self.table(self.make(text), "queues"), "queue")
        self.assertIn("q\ufffd\ufffd0", names[0])

    def test_no_text(self):
        self.make(bytes(range(256)) * 5000 + b'{"version":1,"pi' * 1000, status=1)

    def test_other_kinds_of_values(self):
        """Each value in its turn is of a kind that it never has."""
        whole = json.loads(recordings.process(1, advice=["a"]))

        texts = []
        for path in recordings.places(whole):
            for odd in (None, True, -1, 1.5, 2**70, "x", [], {}, [[]], {"a": {}}):
                spoilt = json.loads(json.dumps(whole))
                at = spoilt
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = odd
                texts.append(json.dumps(spoilt) + "\n")
        # as the runs of one process after the other, then whole ones
        self.log("".join(texts) + recordings.process(3, pid=7))
        done = self.call("-o", "page.html", "my.log")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(b"Traceback", done.stderr)

    def test_several_processes(self):
        lines = [recordings.process(3, pid=pid).splitlines(True) for pid in (7, 8)]
        mixed = "".join(a + b for a, b in zip(*lines))
        idle = record(1, 9, stats=recordings.stats(1, allocs=0, alloc_bytes=0))
        data = self.make(mixed + idle)
        self.assertEqual(
            [run["label"] for run in data["runs"]], ["log0, pid 7", "log0, pid 8"]
        )
        self.assertEqual(self.total(data, "Allocated"), [30 * MIB] * 2)
        self.assertIn("allocated nothing: 1 process.", data["notes"][0])

    def test_pid_again(self):
        """In containers the pid is always the same."""
        data = self.make(recordings.process(3) + recordings.process(4))
        self.assertEqual(
            self.total(data, "Duration"), [3 * recordings.S, 4 * recordings.S]
        )
        self.assertEqual(len({run["label"] for run in data["runs"]}), 2)

    def test_many_processes(self):
        data = self.make("".join(recordings.process(2, pid) for pid in range(1, 31)))
        self.assertEqual(len(data["runs"]), 8)
        self.assertIn("8 of 30", self.said)

    def test_missing_is_said(self):
        data = self.make(
            "".join(record(n, stats=recordings.stats(n)) for n in (1, 2))
        )
        for words in (
            "run with attribution=on",
            "no queues: no buffers entered",
            "only 2 records, too few for curves",
        ):
            self.assertIn(words, self.said)
            self.assertTrue(any(words in text for text in data["runs"][0]["missing"]))

    def test_lacking_figures(self):
        """Of an earlier version, or of one part alone."""
        lacking = dict.fromkeys(("page_cache_bytes", "arena_minor_faults"))
        data = self.make(recordings.process(4, **lacking))
        self.assertIsNone(self.total(data, "Page cache, highest"))
        text = "".join(record(n, queues=[recordings.queue(n)]) for n in (1, 2, 3, 4))
        data = self.make(text)
        self.assertEqual(self.curve(data, "queues", "queue0.sink"), [6, 12, 18, 24])

    def test_huge_values(self):
        most = 2**64 - 1
        text = recordings.process(3) + record(
            0,
            ts=most,
            stats={"alloc-bytes": most, "allocs": most},
            waits={"map": [[most, 5]]},
        )
        text += record(0, ts=int("9" * 500))
        data = self.make(text)
        self.assertEqual(self.total(data, "Allocated"), [most])

    def test_day(self):
        """A day of seconds is read in seconds, and a page is no larger for it."""
        text = "".join(
            record(n, stats={"alloc-bytes": n * MIB, "allocs": n})
            for n in range(1, 86401)
        )
        data = self.make(text)
        self.assertEqual(self.total(data, "Duration"), [86400 * recordings.S])
        self.assertLess(len(self.page), 1 << 20)

    def test_time_grows_with_length(self):
        """Not with its square: names, and ids of a name, as many as lines."""

        def seconds(count):
            text = "".join(
                record(
                    n,
                    queues=[
                        recordings.queue(1, f"/a/b{n}"),
                        recordings.queue(1, number=n),
                    ],
                    elements=[recordings.element(1, f"e{n}")],
                )
                for n in range(1, count)
            )
            self.log(text + '{"version":1,"pid":1,' * count * 20)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.assertEqual(self.call("-o", "page.html", "my.log").returncode, 0)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            return sum(after[:2]) - sum(before[:2])

        # of the processor, which other programs hardly change: 16 times as much
        # is right, a square is 256 times
        short = seconds(1500)
        self.assertLess(seconds(16 * 1500), 64 * short)
        self.assertLess((self.path / "page.html").stat().st_size, 2 << 20)

    def test_long_lines(self):
        """That almost are records."""
        size = 1 << 20
        for text in (
            '{"version":1,"pid":1,' + "[" * size,
            '{"version":1,"pid":1,"stats":' * (size // 20),
            '"version":1, ' * (size // 12) + '"pid":1',
            '{"version":1,"pid":1,"uptime-ns":' + "9" * size + "}",
        ):
            self.log(text)
            # a square would be hours
            self.assertIn(self.call("my.log").returncode, (0, 1))


class Names(made.Report):
    def hostile(self, name):
        return self.make(
            recordings.process(3, queues=[name], elements=[(name,)], threads=[name])
        )

    def test_tags(self):
        data = self.hostile(EVIL)
        self.assertIn(EVIL, self.column(self.table(data, "queues"), "queue"))
        self.assertIn(EVIL, self.column(self.table(data, "elements"), "element"))
        self.assertIn(EVIL, self.column(self.table(data, "threads"), "thread"))
        # the template's three scripts, and no tag of the name
        self.assertEqual(self.page.lower().count("<script"), 3)
        self.assertNotIn("<img", self.page)

    def test_hostile_about(self):
        """Numbers beyond all bounds, and what is none."""
        about = {"command": [1, "a b", None], "memory-bytes": 10**400,
                 "processors": True, "options": ["x"], "since": 5, "kernel": "\x1b[2J"}
        data = self.make(recordings.record(1, stats=recordings.stats(1), about=about))
        told = dict(data["runs"][0]["about"])
        self.assertEqual(told["Command"], "'a b'")
        self.assertEqual(told["Machine"], "\\x1b[2J")

    def test_comment_start(self):
        self.hostile("<!--<script>")
        self.assertNotIn("<!--<script>", self.page)

    def test_like_fields(self):
        name = '{"version":1,"pid":5,"uptime-ns":99,"stats":{"level-bytes":1}}'
        data = self.hostile(name)
        queues = self.table(data, "queues")
        at = self.column(queues, "queue").index(name)
        self.assertEqual(self.column(queues, "highest level")[at], 9 * MIB)
        self.assertEqual(self.total(data, "Duration"), [3 * recordings.S])

    def test_short(self):
        """In legends, without types: those of pads are many."""
        inside = "/GstPipeline:p/GstBin:b"
        names = {
            f"{inside}/GstMultiQueue:mq.GstMultiQueuePad:sink_0": "b/mq.sink_0",
            f"{inside}/GstQueue:a.GstPad:b.GstPad:sink": "b/a.GstPad:b.sink",
            "/GstPipeline:p/GstQueue:q.GstGhostPad:sink": "q.sink",
            "/GstPipeline:p/GstAppSink:s": "s",
        }
        data = self.make(
            record(1, queues=[recordings.queue(1, name) for name in names])
        )
        labels = [s["label"] for s in self.chart(data, "queues")["series"]]
        self.assertEqual(labels, list(names.values()))

    def test_line_feeds(self):
        data = self.hostile("one\ntwo\n\nthree")
        names = self.column(self.table(data, "queues"), "queue")
        self.assertIn("one\\ntwo\\n\\nthree", names)

    def test_quoted(self):
        name = 'a "b" \\ \u00e4'
        elements = self.table(self.hostile(name), "elements")
        self.assertIn(name, self.column(elements, "element"))

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
            recordings.process(3)
        )
        done = self.call("-o", "page.html", name)
        self.assertEqual(done.returncode, 0, done.stderr)
        page = (self.path / "page.html").read_text("utf-8")
        title = re.search("<title>(.*)</title>", page)[1]
        self.assertIn("&lt;b&gt;&amp;&quot;&#x27;", title)

    def test_policy(self):
        self.make(recordings.process(3))
        policy = re.search('Content-Security-Policy" content="([^"]*)"', self.page)[1]
        self.assertIn("default-src 'none'", policy)
        self.assertNotRegex(policy, r"script-src[^;]*unsafe")
        self.assertNotRegex(self.page, r"""(src|href)=["']?(https?:)?//""")

    def test_licence(self):
        self.make(recordings.process(3))
        self.assertIn("Permission is hereby granted", self.page)


if __name__ == "__main__":
    made.main()
