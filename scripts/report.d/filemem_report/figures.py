# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# figures: what the page shows of one or several runs, as plain lists and
# dictionaries that become JSON: charts, and what is missing. Tables are those of
# tables.py.
#
# A colour is a number; what it looks like, in the light and in the dark, is the
# style sheet's business. So are units: here they are names, of values that are
# as they were logged, but for the values of charts, which are in the unit that
# the axis says.

import math

from . import schema, series, verdict
from .names import printable, short_names
from .tables import tables, totals_table

MIB = 1 << 20
MS = 1e6
S = 1e9

# Points of a curve: more are not seen.
MOST_POINTS = 800
# Colours that can be told apart.
MOST_RUNS = 8
MOST_QUEUES = 8

# filemem makes the number of the process of %p.
HOW_TO = "GST_FILEMEM_ATTRIBUTION=on gst-filemem run --record my-%p.json PROGRAM"


def _number(count, noun):
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{count} {noun if count == 1 else plural}"


def _is_idle(run):
    return not run.last.get("allocs", 1) and not run.queues and not run.elements


def choose_runs(runs):
    """The runs to show, and notes on the others."""
    notes = []
    busy = [run for run in runs if not _is_idle(run)]
    if busy and len(busy) < len(runs):
        idle = len(runs) - len(busy)
        notes.append(f"Left out, having allocated nothing: {_number(idle, 'process')}.")
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
# recording does not have.


def title(name):
    return schema.figures("stats")[name].title()


def level(run, name, unit=MIB):
    column = run.column(name)
    if not column.known():
        return None
    return column.ts, [value / unit for value in column.values]


def growth(run, name, unit=MIB):
    column = run.column(name)
    times, values = series.rates(column.ts, column.values)
    return times, [value * S / unit for value in values]


def told(curve, run, name, colour, dash, unit=MIB):
    """The curve of a figure, under its own label."""
    return schema.label(name), colour, curve(run, name, unit), dash


def queue_sum(run):
    """All queues of a run together."""
    sums = {}
    for queue in run.queues.values():
        for ts, value in zip(queue.level.ts, queue.level.values):
            if not math.isnan(value):
                sums[ts] = sums.get(ts, 0) + value / MIB
    return (list(sums), list(sums.values())) if sums else None


PERCENTILES = (("median", 0.5), ("99%", 0.99), ("99.9%", 0.999), ("longest", 1))


def waits(run):
    """The percentiles of the waits of maps since the record before, from
    differences of histograms. Where nothing waited there is no value."""
    if "map" not in run.waits:
        return [None] * len(PERCENTILES)
    parts = list(series.intervals(*run.waits["map"]))
    times = [ts for ts, _ in parts]
    return [
        (times, [series.percentile(new, share) / MS for _, new in parts])
        for _, share in PERCENTILES
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


WAIT_NOTE = (
    "Of the maps that waited since the record before, from the histogram: upper "
    "edges of its buckets, up to a quarter above the wait itself."
)


def run_charts(run):
    queues = sorted(
        run.queues.items(),
        key=lambda item: -max(series.known(item[1].level.values), default=0),
    )
    names = short_names([name for name, _ in queues[:MOST_QUEUES]])
    return [
        chart(
            "memory",
            "Memory",
            "MiB",
            [
                told(level, run, "resident-bytes", 0, 0),
                told(level, run, "budget", 7, 1),
                told(level, run, "page-cache-bytes", 1, 0),
            ],
        ),
        chart(
            "disk",
            "Disk",
            "MiB",
            [
                told(level, run, "live-bytes", 7, 1),
                told(level, run, "spilled-bytes", 0, 0),
                told(level, run, "disk-bytes", 1, 2),
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
                told(growth, run, "alloc-bytes", 0, 0),
                told(growth, run, "spill-bytes", 1, 0),
                told(growth, run, "fill-bytes", 2, 2),
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
                for (label, _), (colour, dash), curve in zip(
                    PERCENTILES, ((0, 0), (2, 0), (1, 1), (3, 2)), waits(run)
                )
            ],
            log=True,
            join=False,
            note=WAIT_NOTE,
        ),
        histogram_chart(
            "histogram",
            "How long waits were",
            [
                (wait.label, colour, run.histogram(wait.name))
                for colour, wait in enumerate(schema.figures("waits").values())
            ],
        ),
        *(
            chart(
                name,
                title(name),
                "faults/s",
                [
                    told(growth, run, name, 0, 0, 1),
                    told(growth, run, f"arena-{name}", 1, 2, 1),
                ],
                is_rate=True,
                note=_fault_note(run),
            )
            for name in ("minor-faults", "major-faults")
        ),
    ]


def _fault_note(run):
    source = run.last.get("fault-source")
    return f"Source: {printable(str(source))}." if source else ""


def compared_charts(runs):
    """One figure a chart, one curve a run."""

    def each(curve):
        return [(run.label, n, curve(run), n % 3) for n, run in enumerate(runs)]

    def levels(place, name):
        return chart(place, title(name), "MiB", each(lambda run: level(run, name)))

    def rates(place, name, what="MiB/s", unit=MIB):
        curves = each(lambda run: growth(run, name, unit))
        return chart(place, title(name), what, curves, is_rate=True)

    def waits_of(place, words, number):
        curves = each(lambda run: wait[id(run)][number])
        heading = f"Wait of maps, {words}"
        return chart(place, heading, "ms", curves, log=True, join=False)

    def bars(kind):
        runs_of = [(r.label, n, r.histogram(kind)) for n, r in enumerate(runs)]
        told_of = schema.figures("waits")[kind].label
        return histogram_chart(
            f"{kind}-histogram", f"How long waits were: {told_of}", runs_of
        )

    wait = {id(run): waits(run) for run in runs}
    return [
        levels("resident", "resident-bytes"),
        levels("spilled", "spilled-bytes"),
        levels("disk", "disk-bytes"),
        levels("page-cache", "page-cache-bytes"),
        chart("queues", "All queues together", "MiB", each(queue_sum)),
        rates("alloc", "alloc-bytes"),
        rates("spill", "spill-bytes"),
        rates("fill", "fill-bytes"),
        *(
            waits_of(place, PERCENTILES[number][0], number)
            for place, number in (("p99", 1), ("max", 3))
        ),
        *(bars(kind) for kind in schema.figures("waits")),
        rates("minor", "minor-faults", "faults/s", 1),
        rates("major", "major-faults", "faults/s", 1),
    ]


# What is missing.


def missing(run):
    """What the page can't show of a run, and how to get it."""
    out = []
    if run.cut:
        out.append(
            f"{_number(run.cut, 'record')} cut short, as when the disk is full or the "
            "machine fails: not counted"
        )
    if len(run.ts) < 3:
        out.append(
            f"only {_number(len(run.ts), 'record')}, too few for curves: let the "
            "program run for some seconds"
        )
    if not run.queues:
        out.append(
            "no queues: no buffers entered an element that the option queues names"
        )
    if run.last.get("fault-source") == "none" or not run.elements:
        out.append("no elements, threads or page faults: run with attribution=on")
    return out


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
                "verdict": verdict.of(run),
                "about": verdict.about(run),
                "missing": missing(run),
                "advice": [printable(text) for text in run.advice],
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
