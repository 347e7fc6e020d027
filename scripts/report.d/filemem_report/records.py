# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# records: recordings (the option `record`), a line of JSON for each time.
#
# A file is read once, line by line. What a curve is drawn from is kept in arrays
# of numbers, of everything else only the last value: a recording of a day takes
# some hundred bytes a line.
#
# Nothing is expected of a file. Several processes, other lines, a line that ends
# in the middle, bytes that are no UTF-8, values of another kind: what can be
# read counts. Names come from programs and may contain anything.

import array
import json
import math
import re

from . import schema

# The figures that are kept for each point of time.
PLOTTED = (
    "budget",
    "live-bytes",
    "resident-bytes",
    "spilled-bytes",
    "disk-bytes",
    "page-cache-bytes",
    "alloc-bytes",
    "spill-bytes",
    "fill-bytes",
    "minor-faults",
    "major-faults",
    "arena-minor-faults",
    "arena-major-faults",
)

# A line is not read further than this: a file may be no recording at all.
LONGEST_LINE = 8 << 20

# A line that may be one of ours, whole or not.
_OURS = re.compile(rb'"version": ?\d{1,9}, ?"pid": ?(\d{1,10})')


class Column:
    """A figure over time; what a record lacks is a NaN."""

    def __init__(self):
        self.ts = array.array("d")
        self.values = array.array("d")

    def append(self, ts, value):
        self.ts.append(ts)
        self.values.append(value)

    def known(self):
        return any(not math.isnan(value) for value in self.values)


class Queue:
    def __init__(self):
        self.level = Column()
        self.last = {}


def is_figure(value):
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64


def _figures(item):
    return {key: value for key, value in item.items() if is_figure(value)}


def _is_bucket(value):
    return isinstance(value, list) and [*map(is_figure, value)] == [True, True]


def _text(item, key):
    value = item.get(key)
    return value if isinstance(value, str) else "?"


def _items(record, name):
    """The objects of a list."""
    items = record.get(name)
    items = items if isinstance(items, list) else []
    return [item for item in items if isinstance(item, dict)]


class Run:
    """What one process said of itself, in one file."""

    def __init__(self, log, pid):
        self.log = log
        self.pid = pid
        self.count = 0
        self.cut = 0
        self.ts = array.array("d")
        self.columns = {name: array.array("d") for name in PLOTTED}
        self.last = {}
        self.highest = {}
        self.advice = []
        self.about = {}
        self.queues = {}
        self.elements = {}
        self.threads = {}
        # (ts, upto, count) of each bucket at each time, by kind
        self.waits = {}
        # the ids of each name, and their places: a pipeline that is made again,
        # or one of many
        self.ids = {}

    def column(self, name):
        column = Column()
        column.ts = self.ts
        column.values = self.columns[name]
        return column

    def duration(self):
        """Of what the records tell, in nanoseconds."""
        return self.ts[-1] if self.ts else 0

    def histogram(self, kind):
        """The waits of a kind as {upper edge in ns: number}, totals."""
        if kind not in self.waits:
            return {}
        _, uptos, counts = self.waits[kind]
        return {upto: count for upto, count in zip(uptos, counts) if count}

    def add(self, ts, record):
        self.count += 1
        self.ts.append(ts)
        self._add_stats(record.get("stats"))
        self._add_waits(ts, record.get("waits"))
        for item in _items(record, "queues"):
            self._add_queue(ts, item)
        for item in _items(record, "elements"):
            name = self._name("element", item)
            self.elements.setdefault(name, {}).update(_figures(item))
        for item in _items(record, "threads"):
            self._add_thread(item)
        about = record.get("about")
        if isinstance(about, dict):
            self.about = about
        advice = record.get("advice")
        if isinstance(advice, list):
            self.advice = [text for text in advice if isinstance(text, str)]

    def _add_stats(self, stats):
        figures = _figures(stats) if isinstance(stats, dict) else {}
        for name, column in self.columns.items():
            column.append(figures.get(name, math.nan))
        self.last.update(figures)
        for name, value in figures.items():
            if value >= self.highest.get(name, 0):
                self.highest[name] = value
        if isinstance(stats, dict) and "fault-source" in stats:
            self.last["fault-source"] = _text(stats, "fault-source")

    def _add_waits(self, ts, waits):
        for kind in schema.figures("waits") if isinstance(waits, dict) else ():
            numbers = self.waits.setdefault(
                kind, tuple(array.array("d") for _ in range(3))
            )
            buckets = waits.get(kind)
            for bucket in buckets if isinstance(buckets, list) else []:
                if _is_bucket(bucket):
                    for values, value in zip(numbers, (ts, *bucket)):
                        values.append(value)

    def _name(self, kind, item):
        """The name, with a number if it is another's as well."""
        name = _text(item, kind)
        ids = self.ids.setdefault((kind, name), {})
        number = item.get("id")
        at = ids.setdefault(number if is_figure(number) else None, len(ids))
        return name if at == 0 else f"{name} ({at + 1})"

    def _add_queue(self, ts, item):
        queue = self.queues.setdefault(self._name("queue", item), Queue())
        figures = _figures(item)
        queue.level.append(ts, figures.get("level-bytes", math.nan))
        queue.last.update(figures)

    def _add_thread(self, item):
        figures = _figures(item)
        key = (_text(item, "thread"), figures.pop("tid", None), figures.pop("id", None))
        self.threads.setdefault(key, {}).update(figures, element=_text(item, "element"))


class Reader:
    """Reads one file; `runs` are those of its processes, in the order seen."""

    def __init__(self, name):
        self.name = name
        self.runs = []
        self.current = {}

    def _run(self, pid, new=False):
        run = self.current.get(pid)
        if run is None or new:
            run = self.current[pid] = Run(self.name, pid)
            self.runs.append(run)
        return run

    def read(self, file):
        for line in iter(lambda: file.readline(LONGEST_LINE), b""):
            self._line(line)
        self.runs = [run for run in self.runs if run.count or run.cut]
        return self

    def _line(self, line):
        # one process died within its line, another wrote on
        parts = [
            (int(match[1]), max(line.rfind(b"{", 0, match.start()), 0))
            for match in _OURS.finditer(line)
        ]
        ends = [start for _, start in parts[1:]] + [len(line)]
        for (pid, start), end in zip(parts, ends):
            self._record(pid, line[start:end])

    def _record(self, pid, data):
        try:
            record = json.loads(data.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            record = {}
        ts = record.get("uptime-ns")
        run = self._run(pid)
        if not is_figure(ts):
            run.cut += 1
            return
        # in containers the pid is always the same
        if run.ts and ts < run.ts[-1]:
            run = self._run(pid, True)
        run.add(float(ts), record)


def read_recording(path):
    """The runs in a recording. OSError if the file can't be read."""
    with open(path, "rb", buffering=1 << 20) as file:
        return Reader(path).read(file).runs
