# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# records: filemem's records, from a GStreamer log.
#
# A log is read once, as bytes, line by line. Most lines of a log are not
# filemem's, and are done with after one search for its name. What a curve is
# drawn from is kept in arrays of numbers, of everything else only the last
# value: a log of a million records takes some hundred bytes each.
#
# Nothing is expected of a log. Lines of other tracers, colours, bytes that are
# no UTF-8, several processes, a line that ends in the middle: what can be read
# counts. Names come from programs and may contain anything, even what looks
# like another field or a line feed.

import array
import math
import re

# The figures of a `filemem` record that are kept for each point of time.
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
    "map-wait-p50-ns",
    "map-wait-p99-ns",
    "map-wait-p999-ns",
    "map-wait-max-ns",
    "interval-wait-p50-ns",
    "interval-wait-p99-ns",
    "interval-wait-p999-ns",
    "interval-wait-max-ns",
    "oldest-ns",
)

# A line is not read further than this: a file may be no log at all.
LONGEST_LINE = 1 << 20
# Lines that a name with line feeds may break a record into.
LONGEST_RECORD = 8

# Repetitions have bounds, so that no line takes time with its length's square.
_COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
_PREFIX = re.compile(
    rb"\d{1,9}:\d\d:\d\d\.\d{1,9}\s{1,20}(\d{1,10})\s{1,20}0x[0-9a-f]{1,16}\s"
)
_RECORD = re.compile(
    rb"\bGST_TRACER\s{1,20}\S{0,200}:\d{1,9}:\S{0,200}\s{1,20}"
    rb"(filemem(?:-[a-z]{1,20})?(?:\.class)?),(.*)",
    re.S,
)
# The blank in front keeps the search from starting within names.
_NUMBER = re.compile(r" ([a-z0-9-]{1,40})=\(guint64\)(\d{1,20})(?=[,;])")
_STRING = re.compile(
    r" ([a-z0-9-]{1,40})=\(string\)(\"(?:[^\"\\]|\\.)*\"|[^,;]*)(?=[,;])"
)
_ESCAPE = re.compile(rb"\\([0-3][0-7][0-7]|.)", re.S)

# What comes before the figures: the names that may contain anything, each up to
# the field that follows.
_NAMES = {
    "filemem-queue": re.compile(r" queue=\(string\)(?P<queue>.*)$", re.S),
    "filemem-element": re.compile(r" element=\(string\)(?P<element>.*)$", re.S),
    "filemem-thread": re.compile(
        r" thread=\(string\)(?P<thread>.*), tid=\(guint64\)(?P<tid>\d{1,20})"
        r"(?:, element=\(string\)(?P<element>.*))?$",
        re.S,
    ),
}


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


class Run:
    """What one process said of itself, in one log."""

    def __init__(self, log, pid):
        self.log = log
        self.pid = pid
        self.count = 0
        self.cut = 0
        self.ts = array.array("d")
        self.columns = {name: array.array("d") for name in PLOTTED}
        self.last = {}
        self.queues = {}
        self.elements = {}
        self.threads = {}
        # (ts, upto, count) of each record of a wait, by kind
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
        last = [self.ts[-1]] if self.ts else []
        last += [queue.level.ts[-1] for queue in self.queues.values()]
        last += [ts[-1] for ts, _, _ in self.waits.values()]
        return max(last, default=0)

    def histogram(self, kind):
        """The waits of a kind as {upper edge in ns: number}, totals."""
        if kind not in self.waits:
            return {}
        _, uptos, counts = self.waits[kind]
        return {upto: count for upto, count in zip(uptos, counts) if count}

    def _add_main(self, ts, figures, names):
        self.ts.append(ts)
        for name, column in self.columns.items():
            column.append(figures.get(name, math.nan))
        self.last.update(figures)
        self.last.update(names)

    def _add_waits(self, ts, figures, names):
        if "upto-ns" in figures and "count" in figures:
            kind = names.get("kind", "map")
            if kind not in self.waits:
                self.waits[kind] = tuple(array.array("d") for _ in range(3))
            for numbers, value in zip(
                self.waits[kind], (ts, figures["upto-ns"], figures["count"])
            ):
                numbers.append(value)

    def _name(self, kind, names, figures):
        """The name, with a number if it is another's as well."""
        name = names.get(kind, "?")
        ids = self.ids.setdefault((kind, name), {})
        at = ids.setdefault(figures.pop("id", None), len(ids))
        return name if at == 0 else f"{name} ({at + 1})"

    def _add_queue(self, ts, figures, names):
        name = self._name("queue", names, figures)
        queue = self.queues.setdefault(name, Queue())
        queue.level.append(ts, figures.get("level-bytes", math.nan))
        queue.last.update(figures)

    def _add_element(self, ts, figures, names):
        name = self._name("element", names, figures)
        self.elements.setdefault(name, {}).update(figures)

    def _add_thread(self, ts, figures, names):
        key = (names.get("thread", "?"), names.get("tid"), figures.pop("id", None))
        self.threads.setdefault(key, {}).update(figures, **names)

    adders = {
        "filemem": _add_main,
        "filemem-waits": _add_waits,
        "filemem-queue": _add_queue,
        "filemem-element": _add_element,
        "filemem-thread": _add_thread,
    }


def text(raw):
    """A string as GStreamer logs it: as it is, or quoted with escapes."""
    if len(raw) < 2 or raw[0] != '"' or raw[-1] != '"':
        return raw

    def character(match):
        code = match[1]
        return bytes([int(code, 8)]) if len(code) == 3 else code

    plain = _ESCAPE.sub(character, raw[1:-1].encode("utf-8", "replace"))
    return plain.decode("utf-8", "replace")


def _split(kind, body):
    """The names, and the text of the figures, which begins with ts in records
    with names: what comes after the last ts is free of these, whatever they
    contain."""
    if kind not in _NAMES:
        return {}, body
    at = body.rfind(" ts=(guint64)")
    if at < 0:
        return None, ""
    match = _NAMES[kind].match(body[:at].rstrip(","))
    if not match:
        return None, ""
    names = {
        key: text(value)
        for key, value in match.groupdict().items()
        if value is not None
    }
    return names, body[at:]


def _lines(file):
    """The lines that may be records, each whole: what follows a record that
    has no end yet belongs to it, up to the next line with a time stamp."""
    pending = None
    parts = 0
    for line in iter(lambda: file.readline(LONGEST_LINE), b""):
        if pending is None and b"filemem" not in line:
            continue
        if b"\x1b" in line:
            line = _COLOUR.sub(b"", line)
        if pending is not None:
            if parts < LONGEST_RECORD and not _PREFIX.search(line):
                pending += line
                parts += 1
                if line.endswith((b";\n", b";\r\n")):
                    yield pending
                    pending = None
                continue
            yield pending
            pending = None
        if line.endswith((b";\n", b";\r\n")) or not _RECORD.search(line):
            yield line
        else:
            pending, parts = line, 1
    if pending is not None:
        yield pending


class Reader:
    """Reads one log; `runs` are those of its processes, in the order seen."""

    def __init__(self, name):
        self.name = name
        self.runs = []
        self.current = {}

    def _run(self, pid, new):
        run = self.current.get(pid)
        if run is None or (new and run.count):
            run = self.current[pid] = Run(self.name, pid)
            self.runs.append(run)
        return run

    def read(self, file):
        for line in _lines(file):
            self._line(line)
        self.runs = [run for run in self.runs if run.count or run.cut]
        # a line that lost its beginning, as in the tail of a log, is of one of
        # the others; where all lines are so, they are what there is
        known = [run for run in self.runs if run.pid is not None]
        if known:
            known[0].cut += sum(r.count + r.cut for r in self.runs if r.pid is None)
            self.runs = known
        return self

    def _line(self, line):
        match = _RECORD.search(line)
        while match:
            body = match[2]
            rest = None
            if b" 0x" in body:
                # one process died within its line, another wrote on
                rest = _PREFIX.search(line, match.start(2))
            if rest:
                body = line[match.start(2) : rest.start()]
            prefix = _PREFIX.search(line, 0, match.start())
            self._record(
                int(prefix[1]) if prefix else None,
                match[1].decode("ascii"),
                body.decode("utf-8", "replace").rstrip(),
            )
            line = line[rest.start() :] if rest else b""
            match = _RECORD.search(line)

    def _record(self, pid, kind, body):
        if kind.endswith(".class"):
            # where a process begins: a pid may come again, as in containers
            if kind == "filemem.class":
                self._run(pid, True)
            return
        if kind not in Run.adders:
            return
        whole = body.endswith(";")
        names, tail = _split(kind, body)
        figures = {}
        if names is not None:
            figures = {key: int(value) for key, value in _NUMBER.findall(tail)}
            if "(string)" in tail:
                names.update((key, text(v)) for key, v in _STRING.findall(tail))
        ts = figures.pop("ts", None)
        run = self._run(pid, False)
        if ts is None or not whole:
            run.cut += 1
        if ts is None:
            return
        if kind == "filemem" and run.ts and ts < run.ts[-1]:
            run = self._run(pid, True)
        run.count += 1
        Run.adders[kind](run, float(ts), figures, names)


def read_log(path):
    """The runs in a log. OSError if the file can't be read."""
    with open(path, "rb", buffering=1 << 20) as file:
        return Reader(path).read(file).runs
