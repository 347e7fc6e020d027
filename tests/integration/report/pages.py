#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# pages.py: the page of gst-filemem report in a browser: drawn, in both widths
# and both colour schemes, without an error and without a request.
#
#   pages.py SOURCE BUILD [PART/PARTS | TEST...]
#
# Exit code: 77 without chromium or dygraphs.

import math
import pathlib
import tempfile
import unittest

import browser
import made
import recordings
from harness import skip
from recordings import record

EVIL = "</script><script>window.evil=1</script><img src=x onerror=window.evil=2>\"'&"
# The middle of all plots of the page: rectangles of canvases.
BOXES = """
Array.from(document.querySelectorAll(".plot"), plot => {
  const box = plot.getBoundingClientRect();
  return [box.left + 60, box.top + scrollY + 4, box.width - 70, box.height - 40];
})
"""
COLOURS = """
Array.from(document.querySelectorAll("figure"), figure =>
  Array.from(figure.querySelectorAll(".swatch"), swatch =>
    getComputedStyle(swatch).color.match(/\\d+/g).map(Number)))
"""
# Plots that are wider than the figure around them.
OUTSIDE = """
Array.from(document.querySelectorAll("canvas")).filter(canvas =>
  canvas.getBoundingClientRect().right >
    canvas.closest("figure").getBoundingClientRect().right).length
"""
# Texts of axes that lie on one another.
COLLISIONS = """
Array.from(document.querySelectorAll(".plot"), plot => {
  const boxes = Array.from(plot.querySelectorAll(".dygraph-axis-label"), label => {
    const range = document.createRange();
    range.selectNodeContents(label);
    return [label.textContent, range.getBoundingClientRect()];
  }).filter(([text]) => text);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) =>
    p.left < q.right - 1 && q.left < p.right - 1 &&
    p.top < q.bottom - 2 && q.top < p.bottom - 2).map(([b]) => a + " on " + b));
}).flat()
"""
# Plots whose axis of times or durations has less than two labels.
UNLABELLED = """
Array.from(document.querySelectorAll("figure")).filter(figure =>
  Array.from(figure.querySelectorAll(".dygraph-axis-label-x")).filter(
    label => label.textContent).length < 2
).map(figure => figure.querySelector("h3").textContent)
"""


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="filemem-pages-")
        cls.path = pathlib.Path(cls.directory.name)
        cls.browser = browser.Browser(browser.find())

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        cls.directory.cleanup()

    def make(self, *texts, status=0):
        names = [f"log{number}" for number in range(len(texts))]
        for name, text in zip(names, texts):
            (self.path / name).write_text(text)
        done = made.run_report(self.path, "-o", "page.html", *names)
        self.assertEqual(done.returncode, status, done.stderr)

    def open(self, width=1280, dark=False):
        self.browser.open(self.path / "page.html", width, dark=dark)
        self.check()

    def check(self):
        self.assertEqual(self.browser.errors(), [])
        self.assertEqual(
            self.browser.requests(), [(self.path / "page.html").resolve().as_uri()]
        )
        wide, window = self.browser.run(
            "[document.documentElement.scrollWidth, innerWidth]"
        )
        self.assertLessEqual(wide, window)
        self.assertEqual(self.browser.run(OUTSIDE), 0)
        self.assertEqual(self.browser.run(UNLABELLED), [])
        self.assertIsNone(self.browser.run("window.evil || null"))

    def each(self, check):
        """Decorates what is to be checked in each width and colour scheme."""
        for width in (1280, 400):
            for dark in (False, True):
                with self.subTest(width=width, dark=dark):
                    self.open(width, dark)
                    self.assertEqual(self.browser.run("innerWidth"), width)
                    check(dark)

    def test_paper(self):
        """What is scrolled or folded up on a screen is there, and the screen is
        as it was afterwards."""
        about = {"command": ["player"], "kernel": "Linux"}
        self.make("".join(
            recordings.record(n, stats=recordings.stats(n), about=about)
            for n in (1, 2)))
        self.open()
        width = "document.body.clientWidth"
        facts = "[...document.querySelectorAll('details.facts')].every(d => d.open)"
        before = self.browser.run(width)
        self.assertFalse(self.browser.run(facts))
        self.browser.call("Emulation.setEmulatedMedia", media="print")
        self.browser.run("dispatchEvent(new Event('beforeprint')), null")
        self.assertTrue(self.browser.run(facts))
        self.assertEqual(self.browser.run(
            "[...document.querySelectorAll('.scroll')].filter("
            "box => getComputedStyle(box).overflowX !== 'visible').length"), 0)
        self.browser.run("dispatchEvent(new Event('afterprint')), null")
        self.browser.call("Emulation.setEmulatedMedia", media="screen")
        self.assertEqual(self.browser.run(width), before)
        self.assertFalse(self.browser.run(facts))

    def text(self, selector):
        return self.browser.run(
            f"Array.from(document.querySelectorAll({selector!r}), e => e.textContent)"
        )

    def check_drawn(self, dark):
        """Each curve's colour is in its plot, and the page has the right side."""
        picture = browser.Picture(self.browser.picture())
        boxes, colours = self.browser.run(BOXES), self.browser.run(COLOURS)
        self.assertEqual(len(boxes), len(colours))
        for box, swatches in zip(boxes, colours):
            found = picture.colours(box)
            common = max(found, key=found.get)
            self.assertEqual(sum(common) < 3 * 128, dark)
            missing = [colour for colour in swatches if tuple(colour) not in found]
            # a curve may lie under another
            self.assertLess(len(missing), len(swatches), swatches)
        return len(boxes)

    def test_one(self):
        self.make(recordings.process(30))

        @self.each
        def _(dark):
            self.assertEqual(self.check_drawn(dark), 8)
            self.assertEqual(self.browser.run(COLLISIONS), [])
            self.assertEqual(
                self.text("h2"), ["Plots", "Queues", "Elements", "Threads", "Totals"]
            )

    def test_compared(self):
        self.make(*(recordings.process(10 * n, pid=n) for n in (1, 2, 3)))

        @self.each
        def _(dark):
            self.assertEqual(self.check_drawn(dark), 14)
            self.assertEqual(self.browser.run(COLLISIONS), [])
            # the plots of one run are drawn when they are asked for
            self.browser.run(
                "new Promise(done => {"
                "  const details = document.querySelector('details');"
                "  details.addEventListener('toggle', () => setTimeout(done));"
                "  details.open = true; })"
            )
            self.check()
            self.assertEqual(self.check_drawn(dark), 22)

    def test_gaps(self):
        """A curve goes on past the records of another run, and ends where
        nothing waited in its own."""
        self.make(
            recordings.waiting(40, idle=range(11, 31)),
            recordings.waiting(40, idle=range(1, 40), offset=0.5, pid=2),
        )
        self.open()
        at = self.text("h3").index("Wait of maps, 99%")
        left, top, width, height = self.browser.run(BOXES)[at]
        colour = tuple(self.browser.run(COLOURS)[at][0])
        picture = browser.Picture(self.browser.picture())

        def drawn(start, end):
            """In which share of the columns between two seconds of 41."""
            columns = range(*(int(left + width * s / 41) for s in (start, end)))
            boxes = ((x, top, 1, height) for x in columns)
            return sum(colour in picture.colours(b) for b in boxes) / len(columns)

        self.assertGreater(drawn(2, 9), 0.7)
        self.assertEqual(drawn(12, 29), 0)
        self.assertGreater(drawn(32, 39), 0.7)

    def test_long(self):
        """Many hours, in hours."""
        text = "".join(
            record(second, stats=recordings.stats(second))
            for second in range(60, 90000, 60)
        )
        self.make(text)

        @self.each
        def _(dark):
            self.check_drawn(dark)
            self.assertEqual(self.browser.run(COLLISIONS), [])
            self.assertTrue(any("h" in t for t in self.text(".dygraph-axis-label-x")))

    def test_one_record(self):
        self.make(record(1, stats=recordings.stats(1)))

        @self.each
        def _(dark):
            self.assertIn("too few for curves", self.text(".warn")[0])
            self.check_drawn(dark)

    def test_trouble(self):
        names = (
            "I/O errors",
            "Times disk space was refused",
            "Became system memory, times",
        )
        fine = {"io_errors": 0, "fallbacks": 0, "disk_full": 0}
        self.make(recordings.process(3, **fine))
        self.open()
        self.assertEqual(set(names) & set(self.text(".tile dt")), set())
        self.make(recordings.process(3, io_errors=1, fallbacks=3, disk_full=2))
        self.open()
        self.assertEqual([t for t in self.text(".tile dt") if t in names], [*names])

    def test_wear(self):
        wear = {"written_permille": 876, "mean_write_bytes": 3 << 20}
        self.make(recordings.process(3, **wear))
        self.open()
        tiles = dict(zip(self.text(".tile dt"), self.text(".tile dd")))
        self.assertEqual(tiles["Written per byte"], "0.88mean write 3 MiB")
        self.assertIn("0.88", self.text(".totals td"))
        # nothing was written
        self.make(recordings.process(3, written_permille=0, mean_write_bytes=0))
        self.open()
        tiles = dict(zip(self.text(".tile dt"), self.text(".tile dd")))
        self.assertEqual(tiles["Written per byte"], "0mean write 0")
        self.assertFalse([t for t in self.text(".totals td") if "NaN" in t])

    def test_advice(self):
        self.make(recordings.process(3, advice=["raise ram", EVIL]))

        @self.each
        def _(dark):
            self.assertIn("raise ram.", self.text(".box li"))
            self.assertIn(EVIL + ".", self.text(".box li"))

    def test_nothing(self):
        self.make("", status=1)

        @self.each
        def _(dark):
            self.assertIn("--record my-%p.json", self.text("pre")[0])
            self.assertEqual(self.text(".plot"), [])

    def test_hostile_names(self):
        names = (EVIL, "x" * 3000, "\u202etxet\x07", "__proto__", "@data@ $& $1")
        text = recordings.process(
            3,
            queues=names,
            elements=[(name,) for name in names],
            threads=names,
            advice=names,
        )
        self.make(text, recordings.process(4, pid=2))

        @self.each
        def _(dark):
            self.assertIn(EVIL, self.text("tbody .name"))
            self.assertEqual(self.browser.run("document.images.length"), 0)
            self.browser.run(
                "document.querySelectorAll('details').forEach(d => { d.open = true; })"
            )
            self.check()

    def test_policy(self):
        """A script that got in would not run, nor would anything be loaded."""
        self.make(recordings.process(3))
        self.open()
        self.browser.run(
            "document.body.insertAdjacentHTML('beforeend',"
            "'<img src=http://127.0.0.1:9/ onerror=\"window.evil=1\">');"
            "const script = document.createElement('script');"
            "script.textContent = 'window.evil=2';"
            "document.body.append(script)"
        )
        self.assertIsNone(self.browser.run("window.evil || null"))
        self.assertNotEqual(self.browser.errors(), [])

    def test_hover(self):
        self.make(recordings.process(30))
        self.open()
        self.assertIn("max 21", self.text("figure .value"))
        x, y, width, height = self.browser.run(BOXES)[0]
        self.browser.move(x + width - 4, y + height / 2)
        self.assertEqual(self.text("figure .at")[0], "at 30 s")
        self.assertEqual(self.text("figure .value")[:3], ["20 MiB", "32 MiB", "1 MiB"])
        self.browser.move(1, 1)
        self.assertEqual(self.text("figure .at")[0], "")

    def test_histogram(self):
        """Each bar is between the edges of its bucket, and the mouse tells these."""
        edges = ((0, 1), (56, 64), (64, 80), (80, 96), (112, 128))
        self.make(
            record(1, waits={"map": [[high * 1000, 5] for _, high in edges]})
        )
        self.open()
        at = self.text("h3").index("How long waits were")
        left, top, width, height = (int(v) for v in self.browser.run(BOXES)[at])
        colour = tuple(self.browser.run(COLOURS)[at][0])
        picture = browser.Picture(self.browser.picture())
        y = top + height - 10
        coloured = [x for x in range(left, left + width) if picture.at(x, y) == colour]
        starts = [x for x in coloured if x - 1 not in coloured]
        ends = [x + 1 for x in coloured if x + 1 not in coloured]
        self.assertEqual(len(starts), len(edges))
        # that from 0 is as wide as an octave
        octave = ends[0] - starts[0]
        for start, end, (low, high) in zip(starts, ends, edges):
            self.browser.move((start + end) / 2, y)
            lower = f"{low} \u00b5s" if low else "0"
            self.assertEqual(self.text("figure .at")[at], f"{lower} to {high} \u00b5s")
            if low:
                right = ends[-1] - octave * math.log2(edges[-1][1] / high)
                self.assertAlmostEqual(end, right, delta=3)
                wide = octave * math.log2(high / low)
                self.assertAlmostEqual(end - start, wide, delta=3)

    def test_durations(self):
        """The axis of a histogram is labelled, however short or long it is."""
        for buckets in ((48,), (16, 768), (20, 448), (40, 896), (1, 10**8)):
            self.make(
                record(1, waits={"map": [[upto * 1000, 5] for upto in buckets]})
            )
            for width in (1280, 400):
                with self.subTest(buckets=buckets, width=width):
                    self.open(width)
                    self.assertEqual(self.browser.run(COLLISIONS), [])

    def test_hide(self):
        self.make(recordings.process(30))
        self.open()
        self.browser.run("document.querySelectorAll('.legend button')[1].click()")
        picture = browser.Picture(self.browser.picture())
        budget = tuple(self.browser.run(COLOURS)[0][1])
        self.assertNotIn(budget, picture.colours(self.browser.run(BOXES)[0]))
        self.check()

    def test_sort(self):
        waits = ((10, 3), (9, 5), (11, 4))
        elements = [(f"/e{number}", seconds * 10**9) for number, seconds in waits]
        self.make(recordings.process(3, elements=elements))
        self.open()

        def names():
            return [n for n in self.text("tbody th .name") if n.startswith("/e")]

        def click(label):
            self.browser.run(
                "Array.from(document.querySelectorAll('thead button')).filter("
                f"b => b.textContent === {label!r})[0].click()"
            )
            return self.browser.run(
                "document.querySelector('[aria-sort]').getAttribute('aria-sort')"
            )

        self.assertEqual(names(), ["/e9", "/e11", "/e10"])
        self.assertEqual(click("waited for maps, ms"), "descending")
        self.assertEqual(names(), ["/e9", "/e11", "/e10"])
        self.assertEqual(click("waited for maps, ms"), "ascending")
        self.assertEqual(names(), ["/e10", "/e11", "/e9"])
        self.assertEqual(click("element"), "ascending")
        self.assertEqual(names(), ["/e9", "/e10", "/e11"])

    def test_scheme_changes(self):
        self.make(recordings.process(30))
        self.open(dark=False)
        self.browser.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark"}],
        )
        self.browser.run("new Promise(done => requestAnimationFrame(done))")
        self.check_drawn(True)

    def test_accessible(self):
        self.make(recordings.process(3))
        self.open()
        self.assertEqual(self.browser.run("document.documentElement.lang"), "en")
        self.assertEqual(self.browser.run("document.title"), "filemem: log0")
        self.assertEqual(len(self.text("h1")), 1)
        plots = self.browser.run(
            "Array.from(document.querySelectorAll('.plot'),"
            " p => p.getAttribute('aria-label'))"
        )
        self.assertEqual(
            plots[0],
            "Memory, MiB; resident: highest 21; budget (ram): highest 32; "
            "page cache: highest 1",
        )
        bare = "th:not([scope]), .scroll:not([tabindex]), button:empty"
        self.assertEqual(self.text(bare), [])


if __name__ == "__main__":
    if not browser.find():
        skip("chromium is missing")
    made.main()
