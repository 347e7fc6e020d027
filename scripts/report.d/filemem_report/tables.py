# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# tables: the tables of the page, as figures has the rest of it: columns with a
# unit, rows of values as they were logged.

from . import schema, series
from .names import printable

MOST_ROWS = 300

# The group of figures that are told where there are any.
RARE = "reasons"


def _level(figures, figure):
    """Whether it is a level of which the highest is another figure."""
    return figure.name.removesuffix("-bytes") + "-peak" in figures


def _total(run, figure):
    values = run.highest if figure.kind == "gauge" else run.last
    return values.get(figure.name)


def _row(name, label, unit, group, values):
    return {
        "name": name,
        "label": label,
        "unit": unit,
        "group": group,
        "values": values,
    }


def totals_table(runs):
    durations = [run.duration() for run in runs]
    rows = [_row("duration", "Duration", "ns", "", durations)] if runs else []
    figures = schema.figures("stats")
    for figure in figures.values():
        values = [_total(run, figure) for run in runs]
        if _level(figures, figure) or all(value is None for value in values):
            continue
        label = figure.title() + (", highest" if figure.kind == "gauge" else "")
        rows.append(_row(figure.name, label, figure.unit, figure.group, values))
    # as the groups come first: figures of a group may stand apart in the table
    groups = list(dict.fromkeys(row["group"] for row in rows))
    rows.sort(key=lambda row: groups.index(row["group"]))
    return {
        "name": "totals",
        "title": "Totals",
        "columns": [run.label for run in runs],
        "rows": rows,
    }


def _head(column):
    """A reason needs to be told of what."""
    return column.description if column.group == RARE else column.label


def _is_shown(column, figures):
    if column.group == RARE:
        return bool(figures.get(column.name))
    return column.name in figures


def _table(name, title, runs, heads, columns, rows_of, weight):
    """A table that can be sorted. `rows_of` a run are pairs of the names that
    begin a row and its figures."""
    rows = []
    for run in runs:
        rows += [(run, names, figures) for names, figures in rows_of(run)]
    if not rows:
        return None
    rows.sort(key=lambda row: [-(row[2].get(w) or 0) for w in weight])
    columns = [
        column
        for column in columns
        if any(_is_shown(column, figures) for _, _, figures in rows)
    ]
    several = len(runs) > 1
    note = ""
    if len(rows) > MOST_ROWS:
        note = f"The first {MOST_ROWS} of {len(rows)}, by {columns[0].label}."
    return {
        "name": name,
        "title": title,
        "note": note,
        "columns": [
            {"label": head, "unit": "word" if head == "tid" else "text"}
            for head in heads
        ]
        + ([{"label": "run", "unit": "text"}] if several else [])
        + [{"label": _head(column), "unit": column.unit} for column in columns],
        "rows": [
            [printable(str(n)) if n is not None else "" for n in names]
            + ([run.label] if several else [])
            + [figures.get(column.name) for column in columns]
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


# A figure of the recording, not of a record.
PEAK = schema.Figure("peak", "highest level", "peak", "bytes", "")


def tables(runs):
    by_wait = ("map-wait-ns", "alloc-wait-ns", "alloc-bytes")
    return [
        _table(
            "queues",
            "Queues",
            runs,
            ["queue"],
            [PEAK, *schema.figures("queue").values()],
            _queue_rows,
            ("peak", "bytes"),
        ),
        _table(
            "elements",
            "Elements",
            runs,
            ["element"],
            schema.figures("element").values(),
            lambda run: (((name,), f) for name, f in run.elements.items()),
            by_wait,
        ),
        _table(
            "threads",
            "Threads",
            runs,
            ["thread", "tid", "element"],
            schema.figures("thread").values(),
            _thread_rows,
            by_wait,
        ),
    ]
