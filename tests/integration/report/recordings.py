# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# recordings.py: made-up recordings, as the option `record` makes them.

import json

MIB = 1 << 20
S = 10**9
QUEUE = "/GstPipeline:pipeline0/GstQueue:queue0.GstPad:sink"
QUEUE_ELEMENT = "/GstPipeline:pipeline0/GstQueue:queue0"
LOOP = "/GstPipeline:pipeline0/GstQueue:q"
ENCODER = "/GstPipeline:pipeline0/GstX264Enc:x264enc0"


def stats(second, **more):
    """Of one second: a process that allocates 10 MiB a second, spills 8 of
    them and fills 4. None of a figure leaves it out."""
    figures = {
        "size": 1000 * MIB,
        "budget": 32 * MIB,
        "live-bytes": second * 6 * MIB,
        "resident-bytes": (20 + second % 2) * MIB,
        "resident-peak": 21 * MIB,
        "spilled-bytes": second * 4 * MIB,
        "spilled-peak": second * 4 * MIB,
        "disk-bytes": second * 5 * MIB,
        "disk-peak": second * 5 * MIB,
        "allocs": second * 10,
        "alloc-bytes": second * 10 * MIB,
        "alloc-waits": second,
        "alloc-wait-ns": second * 10**7,
        "maps-read": second * 10,
        "maps-write": second * 10,
        "map-waits": second * 5,
        "map-wait-ns": second * 5 * 10**6,
        "map-wait-p50-ns": 10**6,
        "map-wait-p99-ns": 2 * 10**6,
        "map-wait-p999-ns": 3 * 10**6,
        "map-wait-max-ns": 4 * 10**6,
        "spill-bytes": second * 8 * MIB,
        "fill-bytes": second * 4 * MIB,
        "minor-faults": second * 1000,
        "major-faults": second * 2,
        "page-cache-bytes": MIB,
        "arena-minor-faults": second * 500,
        "arena-major-faults": second,
        "fault-source": "rusage",
    }
    figures.update((name.replace("_", "-"), value) for name, value in more.items())
    return {name: value for name, value in figures.items() if value is not None}


def queue(second, name=QUEUE, level=None, number=1):
    return {
        "queue": name,
        "id": number,
        "gone": 0,
        "level-bytes": second * 6 * MIB if level is None else level,
        "buffers": second * 10,
        "bytes": second * 10 * MIB,
        "foreign-bytes": 0,
        "left-lent": 0,
        "left-meta": 3,
    }


def _user(second, waited):
    return {
        "allocs": second * 10,
        "alloc-bytes": second * 10 * MIB,
        "map-waits": second,
        "map-wait-ns": waited,
        "minor-faults": second * 3,
        "arena-minor-faults": second,
    }


def element(second, name, waited=10**6):
    return {"element": name, "id": 1, **_user(second, waited)}


def thread(second, name, tid, of):
    return {
        "thread": name,
        "tid": tid,
        "element": of,
        "id": 1,
        **_user(second, 10**6),
    }


def record(second, pid=100, ts=None, **parts):
    """A line: `stats`, `waits`, `queues`, `elements`, `threads`, `advice`, those
    that are given."""
    head = {
        "version": 1,
        "pid": pid,
        "program": "player",
        "uptime-ns": int(second * S if ts is None else ts),
        "active": "buffers live in /var/tmp",
    }
    text = json.dumps({**head, **parts}, separators=(",", ":"), ensure_ascii=False)
    return text + "\n"


def process(seconds=10, pid=100, queues=(), elements=(), threads=(), advice=(), **more):
    """All the records of a process, one a second. Of the names in `queues` and
    `threads`, and of the names and waits in `elements`, there are some besides."""
    return "".join(
        record(
            second,
            pid,
            stats=stats(second, **more),
            waits={
                "map": [[1_000_000, second * 4], [2_000_000, second]],
                "alloc": [[8_000_000, second]],
            },
            queues=[queue(second)]
            + [queue(second, name, 9 * MIB) for name in queues],
            elements=[
                element(second, QUEUE_ELEMENT, 7 * 10**6),
                element(second, ENCODER),
                *(element(second, *each) for each in elements),
            ],
            threads=[
                thread(second, "queue0:src", pid + 1, LOOP),
                *(thread(second, name, 5, name) for name in threads),
            ],
            advice=list(advice),
        )
        for second in range(1, seconds + 1)
    )


def waiting(seconds, idle=(), offset=0.0, pid=100):
    """Records of a process in which nothing waited in the seconds `idle`, and
    for twice the second, in ms, in others; each comes `offset` seconds late."""
    buckets = {}
    text = ""
    for second in range(1, seconds + 1):
        if second not in idle:
            upto = second * 2 * 10**6
            buckets[upto] = buckets.get(upto, 0) + 1
        text += record(
            second + offset,
            pid,
            stats=stats(second),
            waits={"map": [[k, v] for k, v in buckets.items()], "alloc": []},
        )
    return text


def places(value, path=()):
    """The paths of all values in the record, as lists of keys lead to them."""
    if path:
        yield path
    children = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    for key, child in children:
        yield from places(child, (*path, key))
