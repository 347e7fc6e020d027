# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# series: arithmetic on figures over time; knows nothing of filemem.
#
# A series is a pair of equally long sequences, of times and of values. Missing
# values are NaN, what is not known at a time of an axis is None. Everything here
# takes time in proportion to what it is given.

import math


def known(values):
    return [value for value in values if not math.isnan(value)]


def typical_step(times):
    """The median distance of times; of the end of a process there is one more
    record, soon after the last of a series. Too few for a median have the largest
    distance, that from 0 among them."""
    if len(times) < 3:
        return max((b - a for a, b in zip([0, *times], times)), default=0)
    steps = sorted(b - a for a, b in zip(times, times[1:]) if b > a)
    return steps[len(steps) // 2] if steps else 0


def rates(times, totals):
    """The growth of a counter for each unit of time, as a series. The first
    point counts from time 0, if a record is due as soon after that. A point
    that comes right after another is taken together with it."""
    points = [(t, v) for t, v in zip(times, totals) if not math.isnan(v)]
    step = typical_step([t for t, _ in points])
    if points and step and points[0][0] <= 2 * step:
        points.insert(0, (0.0, 0.0))
    kept = points[:1]
    for number, point in enumerate(points[1:], 2):
        if point[0] - kept[-1][0] > step * 0.2:
            kept.append(point)
        elif number == len(points) and len(kept) > 1 and point[0] > kept[-1][0]:
            kept[-1] = point
    out = ([], [])
    for (t0, v0), (t1, v1) in zip(kept, kept[1:]):
        out[0].append(t1)
        out[1].append((v1 - v0) / (t1 - t0) if v1 >= v0 else math.nan)
    return out


def time_axis(times, most):
    """Times to draw at: those given, or, of too many, evenly spaced ones."""
    times = sorted(set(times))
    if len(times) <= most:
        return times
    first, last = times[0], times[-1]
    return [first + (last - first) * i / (most - 1) for i in range(most)]


def _between(t, before, after):
    if before is None or after is None:
        return None
    (t0, v0), (t1, v1) = before, after
    return v0 + (v1 - v0) * (t - t0) / (t1 - t0) if t1 > t0 else v1


def on_axis(series, axis, pick, join=True):
    """The series at the times of an axis. `pick` makes one value of all those
    since the last time of the axis. Where there are none is None or, if `join`,
    what lies on the line between the neighbours. Where the series itself has a
    missing value is NaN or, if `join`, that line."""
    points = sorted((t, v) for t, v in zip(*series) if not (join and math.isnan(v)))
    out = []
    at = 0
    before = None
    for t in axis:
        values = []
        while at < len(points) and points[at][0] <= t:
            before = points[at]
            values.append(before[1])
            at += 1
        if values:
            out.append(pick(known(values) or [math.nan]))
        else:
            after = points[at] if join and at < len(points) else None
            out.append(_between(t, before, after))
    return out


def mean(values):
    return sum(values) / len(values)


def percentile(histogram, share):
    """The upper edge of the bucket in which that share of the waits ends; NaN
    of an empty histogram."""
    total = sum(histogram.values())
    if total <= 0:
        return math.nan
    seen = 0
    for upto in sorted(histogram):
        seen += histogram[upto]
        if seen >= share * total and histogram[upto] > 0:
            return upto
    return max(histogram)


def intervals(times, uptos, counts):
    """Splits a histogram of totals, logged bucket by bucket, into what was new
    at each time: pairs of a time and a histogram."""
    totals = {}
    new = {}
    now = None
    for t, upto, count in zip(times, uptos, counts):
        if now is not None and t != now:
            yield now, new
            new = {}
        now = t
        if count > totals.get(upto, 0):
            new[upto] = count - totals.get(upto, 0)
        totals[upto] = count
    if now is not None:
        yield now, new
