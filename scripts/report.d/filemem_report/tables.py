# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tables: the tables of the page, as figures has the rest of it: columns with a
# unit, rows of values as they were logged.

from . import series
from .names import printable

MOST_ROWS = 300

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
# The table of totals: a name of the figures of a record, label, unit. `duration` is
# no such name; of `highest NAME` it is the highest value in the recording.
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
    ("lent-bytes", "\u2026 and for single blocks", "bytes"),
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
