# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# figures: what the page shows of one or several runs, as plain lists and
# dictionaries that become JSON: charts, tables, and what is missing.
#
# A colour is a number; what it looks like, in the light and in the dark, is the
# style sheet's business. So are units: here they are names, of values that are
# as they were logged, but for the values of charts, which are in the unit that
# the axis says.

import math
import os
import re

from . import series

MIB = 1 << 20
MS = 1e6
S = 1e9

# Points of a curve: more are not seen.
MOST_POINTS = 800
# Colours that can be told apart.
MOST_RUNS = 8
MOST_QUEUES = 8
MOST_ROWS = 300

# GStreamer makes the number of the process of %p: each begins its log anew.
LOG_FILE = "GST_DEBUG_FILE=my-%p.log"
HOW_TO = (
    f"GST_DEBUG=GST_TRACER:7 {LOG_FILE} GST_FILEMEM_STATS_INTERVAL=1 "
    "GST_FILEMEM_ATTRIBUTION=on gst-filemem run PROGRAM"
)

# name, label, unit: the columns of the tables by element and by thread
USERS = (
    ("map-wait-ns", "waited for maps", "ns"),
    ("map-waits", "maps that waited", ""),
    ("alloc-wait-ns", "waited for room", "ns"),
    ("alloc-waits", "allocations that waited", ""),
    ("alloc-bytes", "allocated", "bytes"),
    ("allocs", "allocations", ""),
    ("maps-read", "maps to read", ""),
    ("maps-write", "maps to write", ""),
    ("minor-faults", "minor faults", ""),
    ("major-faults", "major faults", ""),
    ("arena-minor-faults", "minor faults, arena", ""),
    ("arena-major-faults", "major faults, arena", ""),
    # of elements alone
    ("mapped-most-bytes", "mapped, most at once", "bytes"),
    ("mapped-most", "buffers of these", ""),
    ("mapped-longest-ns", "mapped, longest", "ns"),
)
QUEUES = (
    ("level-bytes", "level at the end", "bytes"),
    ("buffers", "buffers in all", ""),
    ("bytes", "bytes in all", "bytes"),
    ("foreign-bytes", "foreign", "bytes"),
    ("foreign-peak", "foreign, most at once", "bytes"),
    ("copies", "buffers copied", ""),
    ("copied-bytes", "copied", "bytes"),
    ("shared-bytes", "shared with a branch", "bytes"),
    ("left-meta", "left: meta", ""),
    ("left-not-mappable", "left: not mappable", ""),
    ("left-device", "left: device", ""),
    ("left-lent", "left: lent", ""),
    ("left-no-room", "left: no room", ""),
    ("left-failed", "left: copy failed", ""),
)
# The table of totals: a name of a `filemem` record, label, unit. `duration` is
# no such name; of `highest NAME` it is the highest value in the log.
TOTALS = (
    ("duration", "Duration", "ns"),
    ("budget", "Budget (ram)", "bytes"),
    ("size", "Most on disk (size)", "bytes"),
    ("alloc-bytes", "Allocated", "bytes"),
    ("allocs", "Allocations", ""),
    ("resident-peak", "Resident, highest", "bytes"),
    ("spilled-peak", "Spilled, highest", "bytes"),
    ("disk-peak", "On disk, highest", "bytes"),
    ("highest page-cache-bytes", "Page cache, highest", "bytes"),
    ("spill-bytes", "Written to disk", "bytes"),
    ("fill-bytes", "Read from disk", "bytes"),
    ("written-permille", "Written per byte", "permille"),
    ("writes", "Writes", ""),
    ("mean-write-bytes", "Mean write", "bytes"),
    ("reads", "Reads", ""),
    ("mean-read-bytes", "Mean read", "bytes"),
    ("prefetch-bytes", "Read ahead", "bytes"),
    ("prefetch-unused-bytes", "Read ahead in vain", "bytes"),
    ("disk-busy-ns", "Disk busy", "ns"),
    ("maps-read", "Maps to read", ""),
    ("maps-read-resident", "\u2026 found in memory", ""),
    ("maps-read-prefetching", "\u2026 found being read", ""),
    ("maps-read-spilled", "\u2026 found on disk", ""),
    ("maps-write", "Maps to write", ""),
    ("maps-write-resident", "\u2026 found in memory", ""),
    ("maps-write-prefetching", "\u2026 found being read", ""),
    ("maps-write-spilled", "\u2026 found on disk", ""),
    ("map-waits", "Maps that waited", ""),
    ("map-wait-ns", "Waited for maps", "ns"),
    ("map-wait-p50-ns", "Map wait, median", "ns"),
    ("map-wait-p99-ns", "Map wait, 99%", "ns"),
    ("map-wait-p999-ns", "Map wait, 99.9%", "ns"),
    ("map-wait-max-ns", "Map wait, longest", "ns"),
    ("alloc-waits", "Allocations that waited", ""),
    ("alloc-wait-ns", "Waited for room", "ns"),
    ("alloc-wait-max-ns", "Wait for room, longest", "ns"),
    ("highest oldest-ns", "Oldest data, highest", "ns"),
    ("minor-faults", "Minor page faults", ""),
    ("major-faults", "Major page faults", ""),
    ("arena-minor-faults", "Minor page faults, arena", ""),
    ("arena-major-faults", "Major page faults, arena", ""),
    ("over-budget", "Over budget, times", ""),
    ("disk-full", "Disk full, times", ""),
    ("io-errors", "I/O errors", ""),
    ("fallbacks", "Became system memory, times", ""),
    ("fallback-bytes", "Became system memory", "bytes"),
)


def printable(name):
    """A name of a file or a pad for a line of text or a title: without
    what a terminal would take for commands."""
    name = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


# Up to the name of a pad: its type is the last, whatever the element is called.
_PAD = re.compile(r"\A(.*)\.[A-Za-z_][\w+-]*:", re.S)


def short_names(paths):
    """For each path of a pad what a legend has room for: names without types,
    and without the pipeline that all are in."""

    def short(path):
        parts = [part.split(":", 1)[-1] for part in path.split("/")]
        return printable("/".join([*parts[2:-1], _PAD.sub(r"\1.", parts[-1])]))

    def short_or_whole(path):
        name = short(path)
        return name if name and names.count(name) == 1 else printable(path)

    names = [short(path) for path in paths]
    return {path: short_or_whole(path) for path in paths}


def label_runs(runs):
    """Gives each run its `label`: the name of the log, and as much more as it
    takes to tell it from the others."""
    paths = {run.log for run in runs}
    bases = [os.path.basename(path) for path in paths]
    seen = {}
    for run in runs:
        base = os.path.basename(run.log)
        name = printable(base if bases.count(base) == 1 else run.log)
        if sum(other.log == run.log for other in runs) > 1:
            name += f", pid {run.pid}" if run.pid is not None else ", pid unknown"
        seen[name] = seen.get(name, 0) + 1
        run.label = name if seen[name] == 1 else f"{name} ({seen[name]})"


def _is_idle(run):
    return not run.last.get("allocs", 1) and not run.queues and not run.elements


def choose_runs(runs):
    """The runs to show, and notes on the others."""
    notes = []
    busy = [run for run in runs if not _is_idle(run)]
    if busy and len(busy) < len(runs):
        idle = len(runs) - len(busy)
        notes.append(f"Left out, because they allocated nothing: {idle} processes.")
        runs = busy
    if len(runs) > MOST_RUNS:
        notes.append(
            f"The {MOST_RUNS} of {len(runs)} processes that allocated most are shown."
        )
        most = sorted(runs, key=lambda run: -run.last.get("alloc-bytes", 0))
        shown = {id(run) for run in most[:MOST_RUNS]}
        runs = [run for run in runs if id(run) in shown]
    return runs, notes


# Curves: (times in ns, values in the unit of the chart), or None of what the
# log does not have.


def level(run, name, unit=MIB):
    column = run.column(name)
    if not column.known():
        return None
    return column.ts, [value / unit for value in column.values]


def growth(run, name, unit):
    column = run.column(name)
    times, values = series.rates(column.ts, column.values)
    return times, [value * S / unit for value in values]


def queue_sum(run):
    """All queues of a run together."""
    sums = {}
    for queue in run.queues.values():
        for ts, value in zip(queue.level.ts, queue.level.values):
            if not math.isnan(value):
                sums[ts] = sums.get(ts, 0) + value / MIB
    return (list(sums), list(sums.values())) if sums else None


PERCENTILES = (
    ("p50", "median", 0.5),
    ("p99", "99%", 0.99),
    ("p999", "99.9%", 0.999),
    ("max", "longest", 1),
)


def waits(run):
    """The percentiles of the waits of maps over time, and what they are of:
    `interval` (waits since the record before, from figures or from differences
    of histograms), `total` (all waits so far) or None. Where nothing waited
    there is no value."""

    def no_zeros(curve):
        return curve[0], [value if value > 0 else math.nan for value in curve[1]]

    for source, prefix in (("interval", "interval-wait"), ("total", "map-wait")):
        curves = [level(run, f"{prefix}-{p}-ns", MS) for p, _, _ in PERCENTILES]
        if source == "total" and "map" in run.waits:
            break
        if all(curves):
            return source, [no_zeros(curve) for curve in curves]
    if "map" not in run.waits:
        return None, [None] * len(PERCENTILES)
    parts = list(series.intervals(*run.waits["map"]))
    times = [ts for ts, _ in parts]
    return "interval", [
        (times, [series.percentile(new, share) / MS for _, new in parts])
        for _, _, share in PERCENTILES
    ]


def _seconds(axis):
    return [round(t / S, 4) for t in axis]


def _short(value):
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")


def _values(values):
    """As JSON has them, without NaN: in which rows the curve ends is told apart
    from those that it passes by."""
    return {
        "y": [_short(value) for value in values],
        "gaps": [n for n, v in enumerate(values) if v is not None and math.isnan(v)],
    }


def chart(name, title, unit, curves, **more):
    """A chart of curves over time: (label, colour, curve, dash). Those that are
    None or have no value are left out; without any, there is no chart."""
    curves = [curve for curve in curves if curve[2] and series.known(curve[2][1])]
    times = {t for _, _, (ts, _), _ in curves for t in ts}
    if not times:
        return None
    axis = series.time_axis(times, MOST_POINTS)
    pick = series.mean if more.pop("is_rate", False) else max
    join = more.pop("join", True)
    return {
        "name": name,
        "title": title,
        "unit": unit,
        "x": _seconds(axis),
        "series": [
            {
                "label": label,
                "colour": colour,
                "dash": dash,
                **_values(series.on_axis(curve, axis, pick, join)),
            }
            for label, colour, curve, dash in curves
        ],
        "step": _short((axis[-1] - axis[0]) / S / (len(axis) - 1))
        if len(axis) < len(times)
        else 0,
        **more,
    }


def lower_edge(upto):
    """Of a bucket of filemem's histograms: there are four in each octave, equally
    wide, and below the first octave, which begins at 1 us, is one bucket."""
    octave = 1000
    if upto <= octave:
        return 0
    while 2 * octave < upto:
        octave *= 2
    return upto - octave / 4


def histogram_chart(name, title, bars):
    """Bars of numbers of waits: (label, colour, {upper edge in ns: number})."""
    bars = [bar for bar in bars if bar[2]]
    # the last bucket has no upper edge
    uptos = sorted(
        {upto for _, _, counts in bars for upto in counts if 0 < upto < 1e13}
    )
    if not uptos:
        return None
    return {
        "name": name,
        "title": title,
        "unit": "waits",
        "kind": "histogram",
        "x": uptos,
        "from": [lower_edge(upto) for upto in uptos],
        "series": [
            {
                "label": label,
                "colour": colour,
                "dash": colour % 3 if len(bars) > 2 else 0,
                "y": [counts.get(upto) for upto in uptos],
            }
            for label, colour, counts in bars
        ],
        "step": 0,
    }


WAIT_NOTES = {
    "interval": "Of the maps that waited since the record before, from the "
    "histogram: upper edges of its buckets, up to a quarter above the wait itself.",
    "total": "Of all maps that waited so far: this log has neither interval-wait "
    "figures nor filemem-waits records.",
}


def run_charts(run):
    queues = sorted(
        run.queues.items(),
        key=lambda item: -max(series.known(item[1].level.values), default=0),
    )
    names = short_names([name for name, _ in queues[:MOST_QUEUES]])
    source, wait_curves = waits(run)
    return [
        chart(
            "memory",
            "Memory",
            "MiB",
            [
                ("resident", 0, level(run, "resident-bytes"), 0),
                ("budget", 7, level(run, "budget"), 1),
                ("page cache", 1, level(run, "page-cache-bytes"), 0),
            ],
        ),
        chart(
            "disk",
            "Disk",
            "MiB",
            [
                ("live", 7, level(run, "live-bytes"), 1),
                ("spilled", 0, level(run, "spilled-bytes"), 0),
                ("on disk", 1, level(run, "disk-bytes"), 2),
            ],
            note="Live is all that is in buffers, in memory or on disk.",
        ),
        chart(
            "queues",
            "Queue levels",
            "MiB",
            [
                (
                    names[name],
                    number,
                    (queue.level.ts, [v / MIB for v in queue.level.values]),
                    number % 3,
                )
                for number, (name, queue) in enumerate(queues[:MOST_QUEUES])
            ],
            note=f"The fullest {MOST_QUEUES} of {len(queues)} queues."
            if len(queues) > MOST_QUEUES
            else "",
        ),
        chart(
            "rates",
            "Rates",
            "MiB/s",
            [
                ("allocated", 0, growth(run, "alloc-bytes", MIB), 0),
                ("spilled", 1, growth(run, "spill-bytes", MIB), 0),
                ("filled", 2, growth(run, "fill-bytes", MIB), 2),
            ],
            is_rate=True,
        ),
        chart(
            "waits",
            "Waits of maps over time",
            "ms",
            [
                # of those on top of each other, the one below is seen
                (label, colour, curve, dash)
                for (_, label, _), (colour, dash), curve in zip(
                    PERCENTILES, ((0, 0), (2, 0), (1, 1), (3, 2)), wait_curves
                )
            ],
            log=True,
            join=False,
            note=WAIT_NOTES.get(source, ""),
        ),
        histogram_chart(
            "histogram",
            "How long waits were",
            [
                ("maps, for the disk", 0, run.histogram("map")),
                ("allocations, for room", 1, run.histogram("alloc")),
            ],
        ),
        *(
            chart(
                f"{size}-faults",
                f"{size.capitalize()} page faults",
                "faults/s",
                [
                    ("process", 0, growth(run, f"{size}-faults", 1), 0),
                    ("arena", 1, growth(run, f"arena-{size}-faults", 1), 2),
                ],
                is_rate=True,
                note=_fault_note(run),
            )
            for size in ("minor", "major")
        ),
    ]


def _fault_note(run):
    source = run.last.get("fault-source")
    return f"Source: {printable(str(source))}." if source else ""


def compared_charts(runs):
    """One figure a chart, one curve a run."""

    def each(curve):
        return [(run.label, n, curve(run), n % 3) for n, run in enumerate(runs)]

    def levels(name):
        return each(lambda run: level(run, name))

    def rate(name, unit):
        return each(lambda run: growth(run, name, unit))

    def bars(kind):
        return [(r.label, n, r.histogram(kind)) for n, r in enumerate(runs)]

    wait = {id(run): waits(run)[1] for run in runs}
    fast = {"is_rate": True}
    gaps = {"log": True, "join": False}
    return [
        chart("resident", "Resident", "MiB", levels("resident-bytes")),
        chart("spilled", "Spilled", "MiB", levels("spilled-bytes")),
        chart("disk", "On disk", "MiB", levels("disk-bytes")),
        chart("page-cache", "Page cache", "MiB", levels("page-cache-bytes")),
        chart("queues", "All queues together", "MiB", each(queue_sum)),
        chart("alloc", "Allocated", "MiB/s", rate("alloc-bytes", MIB), **fast),
        chart("spill", "Written to disk", "MiB/s", rate("spill-bytes", MIB), **fast),
        chart("fill", "Read from disk", "MiB/s", rate("fill-bytes", MIB), **fast),
        chart("p99", "Wait of maps, 99%", "ms", each(lambda r: wait[id(r)][1]), **gaps),
        chart(
            "max", "Wait of maps, longest", "ms", each(lambda r: wait[id(r)][3]), **gaps
        ),
        histogram_chart("map-histogram", "How long maps waited", bars("map")),
        histogram_chart(
            "alloc-histogram", "How long allocations waited", bars("alloc")
        ),
        chart(
            "minor", "Minor page faults", "faults/s", rate("minor-faults", 1), **fast
        ),
        chart(
            "major", "Major page faults", "faults/s", rate("major-faults", 1), **fast
        ),
    ]


# Tables: columns with a unit, rows of values as they were logged.


def _total(run, name):
    if name == "duration":
        return run.duration()
    if name.startswith("highest "):
        return max(series.known(run.columns[name.split(" ", 1)[1]]), default=None)
    return run.last.get(name)


def totals_table(runs):
    rows = []
    for name, label, unit in TOTALS:
        values = [_total(run, name) for run in runs]
        if any(value is not None for value in values):
            rows.append({"label": label, "unit": unit, "values": values})
    return {
        "name": "totals",
        "title": "Totals",
        "columns": [run.label for run in runs],
        "rows": rows,
    }


def _table(name, title, runs, heads, columns, rows_of, weight):
    """A table that can be sorted. `rows_of` a run are pairs of the names that
    begin a row and its figures."""
    rows = []
    for run in runs:
        rows += [(run, names, figures) for names, figures in rows_of(run)]
    if not rows:
        return None
    rows.sort(key=lambda row: [-(row[2].get(w) or 0) for w in weight])
    columns = [c for c in columns if any(c[0] in figures for _, _, figures in rows)]
    several = len(runs) > 1
    note = ""
    if len(rows) > MOST_ROWS:
        note = f"The first {MOST_ROWS} of {len(rows)}, by {columns[0][1]}."
    return {
        "name": name,
        "title": title,
        "note": note,
        "columns": [
            {"label": head, "unit": "word" if head == "tid" else "text"}
            for head in heads
        ]
        + ([{"label": "run", "unit": "text"}] if several else [])
        + [{"label": label, "unit": unit} for _, label, unit in columns],
        "rows": [
            [printable(str(n)) if n is not None else "" for n in names]
            + ([run.label] if several else [])
            + [figures.get(key) for key, _, _ in columns]
            for run, names, figures in rows[:MOST_ROWS]
        ],
    }


def _queue_rows(run):
    for name, queue in run.queues.items():
        peak = max(series.known(queue.level.values), default=0)
        yield (name,), dict(queue.last, peak=int(peak))


def _thread_rows(run):
    for (name, tid, _), figures in run.threads.items():
        yield (name, tid, figures.get("element")), figures


def tables(runs):
    left = {name for name, _, _ in QUEUES if name.startswith("left-")}
    used = {
        name
        for run in runs
        for queue in run.queues.values()
        for name, value in queue.last.items()
        if value
    }
    queue_columns = [c for c in QUEUES if c[0] not in left or c[0] in used]
    by_wait = ("map-wait-ns", "alloc-wait-ns", "alloc-bytes")
    return [
        _table(
            "queues",
            "Queues",
            runs,
            ["queue"],
            [("peak", "highest level", "bytes"), *queue_columns],
            _queue_rows,
            ("peak", "bytes"),
        ),
        _table(
            "elements",
            "Elements",
            runs,
            ["element"],
            USERS,
            lambda run: (((name,), f) for name, f in run.elements.items()),
            by_wait,
        ),
        _table(
            "threads",
            "Threads",
            runs,
            ["thread", "tid", "element"],
            USERS,
            _thread_rows,
            by_wait,
        ),
    ]


# What is missing.


def _number(count, noun):
    return f"{count} {noun}{'' if count == 1 else 's'}"


def missing(run):
    """What the page can't show of a run, and how to get it."""
    out = []
    if run.cut:
        out.append(
            f"{_number(run.cut, 'record')} cut short, as when the program is killed, "
            "the disk is full or several processes write to one log (with "
            f"{LOG_FILE} each has its own): counted as far as readable"
        )
    if not run.ts:
        out.append(
            "no filemem records, so no memory, rates and totals: take the whole log, "
            "from the start of the program to its end"
        )
    elif len(run.ts) < 3:
        out.append(
            f"only {_number(len(run.ts), 'filemem record')}, too few for curves: run "
            "with stats-interval=1, for some seconds"
        )
    if not run.queues:
        out.append(
            "no filemem-queue records: no buffers entered an element that the option "
            "queues names, or filemem is an older one"
        )
    if not run.elements:
        out.append("no filemem-element records: run with attribution=on")
    if not run.threads:
        out.append("no filemem-thread records: run with attribution=on")
    waited = run.last.get("map-waits") or run.last.get("alloc-waits")
    if not run.waits and waited:
        out.append(
            "no filemem-waits records, so no histogram of waits: run with a newer "
            "filemem"
        )
    if run.ts:
        out += _missing_fields(run)
    return out


def _missing_fields(run):
    names = ["page-cache-bytes"]
    if run.last.get("map-waits") and "map" not in run.waits:
        names.append("interval-wait-p99-ns")
    lacking = [name for name in names if not run.column(name).known()]
    if run.last.get("fault-source") == "none":
        yield (
            "no page faults of elements (fault-source=none): run with attribution=on"
        )
    elif not run.column("arena-minor-faults").known():
        lacking.append("arena-minor-faults")
    if lacking:
        yield f"no figures {', '.join(lacking)}: run with a newer filemem"


def nothing_waited(run):
    known = "map-waits" in run.last and "alloc-waits" in run.last
    return known and not run.last["map-waits"] and not run.last["alloc-waits"]


def remarks(run):
    """Why a chart may be absent with nothing missing."""
    if nothing_waited(run):
        return ["Nothing waited for the disk or for room."]
    return []


# The page as a whole.


def model(runs, logs, notes):
    """Everything that the page shows."""
    groups = []
    if len(runs) > 1:
        groups.append({"title": "Compared", "charts": compared_charts(runs)})
    for number, run in enumerate(runs):
        groups.append(
            {
                "title": run.label,
                "colour": number,
                "charts": run_charts(run),
                "remarks": remarks(run),
            }
        )
    for group in groups:
        group["charts"] = [c for c in group["charts"] if c]
    return {
        "runs": [
            {
                "label": run.label,
                "log": printable(run.log),
                "pid": run.pid,
                "records": run.count,
                "missing": missing(run),
            }
            for run in runs
        ],
        "logs": [printable(log) for log in logs],
        "notes": notes,
        "how": HOW_TO,
        "totals": totals_table(runs),
        "groups": groups,
        "tables": [table for table in tables(runs) if table],
    }
