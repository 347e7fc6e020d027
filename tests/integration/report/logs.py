# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# logs.py: made-up logs, as GStreamer writes them.

MIB = 1 << 20
S = 10**9
QUEUE = "/GstPipeline:pipeline0/GstQueue:queue0.GstPad:sink"
OTHER_TRACER = (
    "latency, src-element-id=(string)0x55f2, src-element=(string)videotestsrc0, "
    "src=(string)src, time=(guint64)1234567, ts=(guint64)1025576505"
)


def line(body, pid=100, seconds=1.0, colours=False):
    stamp = f"0:{int(seconds // 60):02}:{seconds % 60:012.9f}"
    if colours:
        return (
            f"{stamp} \x1b[33m{pid}\x1b[00m 0x55f2accbfaa0 \x1b[37mTRACE  \x1b[00m "
            f"\x1b[00;34m          GST_TRACER :0::\x1b[00m {body};\n"
        )
    return f"{stamp} {pid:5} 0x55f2accbfaa0 TRACE             GST_TRACER :0:: {body};\n"


def fields(figures):
    return ", ".join(f"{name}=(guint64){int(value)}" for name, value in figures.items())


def main_record(second, **more):
    """Of one second: a process that allocates 10 MiB a second, spills 8 of
    them and fills 4."""
    figures = {
        "ts": second * S,
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
        "interval-wait-p50-ns": second * 10**6,
        "interval-wait-p99-ns": second * 2 * 10**6,
        "interval-wait-p999-ns": second * 3 * 10**6,
        "interval-wait-max-ns": second * 4 * 10**6,
        "arena-minor-faults": second * 500,
        "arena-major-faults": second,
    }
    figures.update((name.replace("_", "-"), value) for name, value in more.items())
    return "filemem, " + fields({k: v for k, v in figures.items() if v is not None})


def waiting(seconds, idle=(), offset=0.0, pid=100):
    """Main records of a process in which nothing waited in the seconds `idle`;
    each comes `offset` seconds late."""
    nothing = {f"interval_wait_{p}_ns": 0 for p in ("p50", "p99", "p999", "max")}
    return "".join(
        line(
            main_record(
                second,
                ts=(second + offset) * S,
                **(nothing if second in idle else {}),
            ),
            pid,
            second + offset,
        )
        for second in range(1, seconds + 1)
    )


def queue_record(ts, queue=QUEUE, level=None, number=1):
    return f"filemem-queue, queue=(string){queue}, " + fields(
        {
            "ts": ts * S,
            "id": number,
            "level-bytes": ts * 6 * MIB if level is None else level,
            "buffers": ts * 10,
            "bytes": ts * 10 * MIB,
            "foreign-bytes": 0,
            "left-lent": 0,
            "left-meta": 3,
        }
    )


def waits_record(ts, kind, upto, count):
    return f"filemem-waits, kind=(string){kind}, " + fields(
        {"ts": ts * S, "upto-ns": upto, "count": count}
    )


def user_figures(ts, waited):
    return fields(
        {
            "ts": ts * S,
            "allocs": ts * 10,
            "alloc-bytes": ts * 10 * MIB,
            "map-waits": ts,
            "map-wait-ns": waited,
            "minor-faults": ts * 3,
            "arena-minor-faults": ts,
        }
    )


def element_record(ts, element, waited=10**6):
    return f"filemem-element, element=(string){element}, {user_figures(ts, waited)}"


def thread_record(ts, thread, tid, element):
    return (
        f"filemem-thread, thread=(string){thread}, tid=(guint64){tid}, "
        f"element=(string){element}, {user_figures(ts, 10**6)}"
    )


def process(seconds=10, pid=100, colours=False, noise=True, **more):
    """All the records of a process, one set a second."""
    out = [line('filemem.class, ts=(structure)"value\\,\\ type"', pid, 0.1, colours)]
    for ts in range(1, seconds + 1):
        bodies = [
            main_record(ts, **more) + ", fault-source=(string)rusage",
            queue_record(ts),
            waits_record(ts, "map", 1_000_000, ts * 4),
            waits_record(ts, "map", 2_000_000, ts),
            waits_record(ts, "alloc", 8_000_000, ts),
            element_record(ts, "/GstPipeline:pipeline0/GstQueue:queue0", 7 * 10**6),
            element_record(ts, "/GstPipeline:pipeline0/GstX264Enc:x264enc0"),
            thread_record(
                ts, "queue0:src", pid + 1, "/GstPipeline:pipeline0/GstQueue:q"
            ),
        ]
        if noise:
            bodies.append(OTHER_TRACER)
        out += [line(body, pid, ts, colours) for body in bodies]
    return "".join(out)
