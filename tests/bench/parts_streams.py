# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_streams.py: the parts with other shapes than a deep FIFO: many queues
# at once (streams.c), elements that hold what they use (in-use.c, and
# encoders), blocks that are read in other orders than they were written in
# (orders.c).
#
# "written" and "read" are bytes that the process moved to and from the device,
# for each byte that passed, or that a reader asked for.

import json
import math
import shutil
import tempfile
import types

from parts_pipelines import missing_element
from report import MIB, cell, columns_table, median, size, spelled
from runner import Failed, Unavailable

KIB = 1 << 10
# The GstMemory of a block and its place in a queue.
OBJECT_BYTES = 192
# The stacks of a stream's threads, and what is kept for each thread.
STREAM_BYTES = 256 * KIB
# What filemem, or the kernel, needs for what is on its way to the device.
ROOM = 32 * MIB
COMPETITORS = ("filemem", "mmap")


def argv_of(context, program, competitor, **options):
    """True: an option that takes no value."""
    return [context.program(program), competitor,
            f"--dir={context.options.dir}",
            *(f"--{name.replace('_', '-')}"
              + ("" if value is True else f"={value}")
              for name, value in options.items())]


def own_bytes(context):
    """What a program has in memory before it has any blocks."""
    if not hasattr(own_bytes, "found"):
        own_bytes.found = context.run(argv_of(
            context, "streams", "system", streams=1, depth=MIB,
            settle=0, seconds=0.4))["rss_peak"]
    return own_bytes.found


def limit_of(context, ram, depth, block, streams=1):
    return (ram + own_bytes(context) + ROOM + depth // block * OBJECT_BYTES
            + streams * STREAM_BYTES)


def optimum(ram, depth):
    """The least share of the bytes that has to go through the device."""
    return max(0.0, 1 - ram / depth)


def beyond(runs, get, best):
    """Of the median; None if nothing was measured."""
    return median(runs, get) - best if runs else None


def worst(values):
    return max((value for value in values if value is not None), default=None)


# ---- streams ----

STREAM_COLUMNS = (
    ("held MiB/s", "held", "{:.1f}"),
    ("written", "written", "{:.2f}"),
    ("read", "read", "{:.2f}"),
    ("consumer p99 ms", "consumer_p99", "{:.2f}"),
    ("max", "consumer_max", "{:.1f}"),
    ("alloc waits", "alloc-waits", "{:.0f}"),
    ("map waits", "map-waits", "{:.0f}"),
)


def streams_case(quick, name, streams, ram=64 * MIB, **options):
    ram, rate = (ram // 4, 60) if quick else (ram, 20)
    # What the filling left in memory has to pass first.
    return types.SimpleNamespace(
        name=name, streams=streams, ram=ram, depth=4 * ram, rate=rate,
        options={"streams": streams, "ram": ram, "depth": 4 * ram,
                 "block": 16384, "rate": rate,
                 "settle": 1.5 * ram / MIB / rate,
                 "seconds": 1 if quick else 10, **options})


def streams_cases(quick):
    for number in (1, 8, 40) if quick else (1, 2, 4, 8, 16, 40, 100, 200):
        yield streams_case(quick, f"{number}", number)
    for number in (40,) if quick else (40, 100):
        yield streams_case(quick, f"{number}", number, 256 * MIB)
    yield streams_case(quick, "1 and 30 slow", 31, slow_streams=30)
    yield streams_case(quick, "16, demuxed", 16, demux=True)


def streams_run(context, case, competitor):
    limit = limit_of(context, case.ram, case.depth, case.options["block"],
                     case.streams)
    return context.run(
        argv_of(context, "streams", competitor, **case.options), limit=limit,
        env=context.environment())


def part_streams(context):
    """1 to 200 queues at once, each with its threads, or all demuxed"""
    table, rows, goals = {}, [], []
    for case in streams_cases(context.quick):
        what = f"{case.name}, {spelled(case.ram)}"
        runs, more = context.rounds(
            {name: lambda name=name: streams_run(context, case, name)
             for name in COMPETITORS},
            note={"streams": case.name, "ram": case.ram, "depth": case.depth})
        rows += more
        context.csv("streams", rows)
        table.update({f"{what}, {name}": list_
                      for name, list_ in runs.items()})
        share = case.ram / case.streams
        if share >= 768 * KIB:
            goals.append((what, beyond(runs.get("filemem"), "written",
                                       optimum(case.ram, case.depth)),
                          0.15 if share >= 2 * MIB else 0.5))
    context.say("queues 4 times as deep as the budget in all: the optimum is "
                f"0.75 written and read; blocks of 16 KiB,\n{case.rate} MiB/s "
                "in all; a memory cgroup of the budget and what the program "
                "itself needs")
    context.table(columns_table("streams, budget", STREAM_COLUMNS, table))
    for what, value, wanted in goals:
        context.goal(10, f"streams: {what}, share written beyond the optimum",
                     value, at_most=wanted)


# ---- in-use ----

FRAMES = {"360p": 345600, "720p": 1382400, "1080p": 3110400, "2160p": 12441600}


def in_use_case(quick, name, ram, held, pool):
    block, ram = FRAMES[name], size(ram)
    blocks = 3 * held if quick else max(3 * held, math.ceil(3 * ram / block))
    options = {"block": block, "ram": ram, "held": held, "blocks": blocks,
               "least_us": 2000, **({"pool": True} if pool else {})}
    return types.SimpleNamespace(name=name, ram=ram, held=held, pool=pool,
                                 in_use=held * block, options=options)


def in_use_cases(quick):
    for name in ("360p", "720p") if quick else FRAMES:
        for ram in ("8M", "32M") if quick else ("8M", "32M", "64M", "256M"):
            for held in (20,) if quick else (20, 50, 60):
                for pool in (False, True):
                    yield in_use_case(quick, name, ram, held, pool)


def in_use_run(context, case):
    figures = context.run(argv_of(context, "in-use", "filemem",
                                  **case.options), env=context.environment())
    # What is mapped can't be had for the queue.
    return {**figures, "optimum": optimum(max(0, case.ram - case.in_use),
                                          figures["queued"])}


IN_USE_COLUMNS = (
    ("queued MiB", lambda run: run["queued"] / MIB, "{:.0f}"),
    ("peak MiB", lambda run: run["resident-peak"] / MIB, "{:.0f}"),
    ("excess MiB", "excess", "{:.1f}"),
    ("over budget", "over-budget", "{:.0f}"),
    ("written", "written", "{:.2f}"),
    ("read", "read", "{:.2f}"),
    ("optimum", "optimum", "{:.2f}"),
    ("map waits", "map-waits", "{:.0f}"),
)


def holders(context):
    table, rows = {}, []
    for case in in_use_cases(context.quick):
        what = (f"{case.name}, {spelled(case.ram)}, {case.held}"
                + (", pool" if case.pool else ""))
        runs, more = context.rounds(
            {"filemem": lambda: in_use_run(context, case)},
            note={"frames": case.name, "ram": case.ram, "held": case.held,
                  "pool": case.pool})
        rows += more
        context.csv("in-use", rows)
        if runs.get("filemem"):
            table[what] = runs["filemem"]
    context.say("held: blocks that the consumer has mapped at a time; excess: "
                "resident beyond the budget, or beyond what\nis mapped and "
                "8 MiB or two blocks, whichever is more; optimum: with what "
                "the mapped blocks leave of the budget")
    context.table(columns_table("frames, budget, held", IN_USE_COLUMNS, table))
    every = [run for runs in table.values() for run in runs]
    context.goal(11, "held blocks: excess over the promise, MiB, the most",
                 worst(run["excess"] for run in every), at_most=0,
                 form="{:.1f}")
    for get in ("written", "read"):
        context.goal(11, f"held blocks: share {get} beyond the optimum, worst",
                     worst(median(runs, lambda run: run[get] - run["optimum"])
                           for runs in table.values()), at_most=0.15)


ENCODERS = {
    "x264enc": "x264enc",
    "vp8enc": "vp8enc lag-in-frames=25",
    "x265enc": "x265enc speed-preset=veryfast",
    "av1enc": "av1enc cpu-used=8",
    "x264enc ultrafast, shallow": "x264enc speed-preset=ultrafast",
}
ENCODER_RAM = "64M"


def encode(context, description, tracer=None):
    argv = ["gst-launch-1.0", "-q", *description.split()]
    return context.run(argv, env=context.environment(tracer))


def encode_with_filemem(context, description, video):
    with tempfile.NamedTemporaryFile("r", dir=context.options.dir) as report:
        figures = encode(
            context, description,
            f"filemem(dir={context.options.dir},ram={ENCODER_RAM},"
            f"report={report.name},report-format=json)")
        text = report.read()
    # GStreamer goes on in silence if it can't load a tracer.
    stats = json.loads(text)["stats"] if text else {"allocs": 0}
    if stats["allocs"] == 0:
        raise Failed("filemem was not in use")
    return {**figures, "spilled": stats["spill-bytes"] / video,
            **{name: stats[name] for name in
               ("resident-peak", "over-budget", "map-waits")}}


def encoders(context):
    if shutil.which("gst-launch-1.0") is None:
        context.say("encoders: gst-launch-1.0 is not installed")
        return
    frames = 60 if context.quick else 200
    table, rows = [["", "peak RSS MiB plain", "filemem", "resident peak",
                    "written a byte", "s plain", "s filemem"]], []
    for name, encoder in ENCODERS.items():
        missing = missing_element(encoder.split()[0])
        if missing is not None:
            context.say(f"{name}: not here: there is no element {missing}")
            continue
        queue = "queue" if "shallow" in name else \
            "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0"
        description = (
            f"videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,"
            f"format=I420,width=1280,height=720 ! {queue} ! {encoder} ! "
            "fakesink")
        video = frames * FRAMES["720p"]
        runs, more = context.rounds(
            {"system": lambda: encode(context, description),
             "filemem": lambda: encode_with_filemem(context, description,
                                                    video)},
            note={"encoder": name})
        rows += more
        context.csv("encoders", rows)
        plain, ours = runs.get("system", []), runs.get("filemem", [])
        table.append([
            name, *(cell(list_, lambda run: run["rss_peak"] / MIB)
                    for list_ in (plain, ours)),
            cell(ours, lambda run: run["resident-peak"] / MIB),
            cell(ours, "spilled", "{:.2f}"), cell(plain, "wall", "{:.1f}"),
            cell(ours, "wall", "{:.1f}")])
    context.table(table, f"{frames} frames of 720p ({spelled(video)}) in an "
                  f"unbounded queue before an encoder, budget {ENCODER_RAM};\n"
                  "shallow: a default queue")


def part_in_use(context):
    """elements that hold what they use: blocks kept mapped, and encoders"""
    holders(context)
    try:
        encoders(context)
    except Unavailable as error:
        context.say(f"encoders: {error}")


# ---- orders ----

ORDERS = ("loop", "backwards", "random", "skip", "seek", "two")


def orders_shape(context):
    ram = (16 if context.quick else 64) * MIB
    return ram, 4 * ram


def orders_run(context, order, competitor, block):
    ram, depth = orders_shape(context)
    figures = context.run(
        argv_of(context, "orders", competitor, order=order, ram=ram,
                depth=depth, block=block),
        limit=limit_of(context, ram, depth, block), env=context.environment())
    if "disk-peak" in figures:
        # All that was written once still has its place in the file.
        figures["again"] = max(
            0, figures["spill-bytes"] - figures["disk-peak"]) / depth
    return figures


ORDERS_COLUMNS = (
    ("written", "written", "{:.2f}"),
    ("read", "read", "{:.2f}"),
    ("in all written", "all_written", "{:.2f}"),
    ("again", "again", "{:.2f}"),
    ("seconds", "seconds", "{:.2f}"),
    ("p99 ms", "consumer_p99", "{:.2f}"),
    ("max", "consumer_max", "{:.1f}"),
    ("map waits", "map-waits", "{:.0f}"),
)


def part_orders(context):
    """blocks that are read in other orders than they were written in"""
    ram, depth = orders_shape(context)
    best, rows, ours = optimum(ram, depth), [], {}
    context.say(f"{spelled(depth)} are written, then read; budget "
                f"{spelled(ram)}, 1 - budget / depth: {best:.2f}.\n"
                "written, read: by the readers, for each byte asked for (what "
                "a mapped file has to write counts when it\nis filled); in "
                "all written, again: in the whole run, and a second time, for "
                "each byte of the blocks")
    for block in (65536,) if context.quick else (65536, MIB):
        table = {}
        for order in ORDERS:
            runs, more = context.rounds(
                {name: lambda name=name: orders_run(context, order, name,
                                                    block)
                 for name in COMPETITORS}, note={"order": order,
                                                 "block": block})
            rows += more
            context.csv("orders", rows)
            table.update({f"{order}, {name}": list_
                          for name, list_ in runs.items()})
            ours[order, block] = runs.get("filemem", [])
        context.table(columns_table("order", ORDERS_COLUMNS, table),
                      f"blocks of {spelled(block)}")
    for (order, block), runs in ours.items():
        what = f"orders: {order}, {spelled(block)}, "
        if order in ("random", "skip"):
            context.goal(12, what + "read for each byte asked for",
                         median(runs, "read") if runs else None, at_most=4)
        elif order != "seek":
            context.goal(12, what + "share read beyond the optimum",
                         beyond(runs, "read", best), at_most=0.15)
        context.goal(12, what + "written though unchanged, for each byte of "
                     "the blocks", median(runs, "again") if runs else None,
                     at_most=0)


# ---- wear ----

def write_bytes(run):
    """The mean of a write request."""
    return run["spill-bytes"] / max(1, run["spills"] - run["clean-spills"])


def wear_entries(context):
    """{name: (function() that does a run, figure: written a byte)}"""
    wanted = ("1", "8") if context.quick else ("1", "16", "40")
    for case in streams_cases(context.quick):
        if case.name in wanted or not case.name.isdigit():
            name = f"streams {case.name}, {spelled(case.ram)}"
            yield name, "spilled", lambda case=case: streams_run(
                context, case, "filemem")
    for pool in (False, True):
        case = in_use_case(context.quick, "720p", "64M", 50, pool)
        yield ("in-use 720p, 64 MiB, 50" + (", pool" if pool else ""),
               "spilled", lambda case=case: in_use_run(context, case))
    for order in ORDERS:
        yield (f"orders {order}", "all_spilled",
               lambda order=order: orders_run(context, order, "filemem",
                                              65536))


def part_wear(context):
    """what the disk has to bear: the size of a write, bytes written a byte"""
    entries = list(wear_entries(context))
    runs, rows = context.rounds({name: run for name, _, run in entries})
    context.csv("wear", rows)
    table = [["", "KiB a write", "written a byte", "GiB written"]]
    for name, written, _ in entries:
        list_ = runs.get(name, [])
        table.append([name, cell(list_, lambda run: write_bytes(run) / KIB),
                      cell(list_, written, "{:.2f}"),
                      cell(list_, lambda run: run["spill-bytes"]
                           / (1 << 30), "{:.2f}")])
    context.table(table, "filemem, by its statistics; a byte: one that "
                  "passed, or of the blocks (orders)")


PARTS = {"streams": part_streams, "in-use": part_in_use,
         "orders": part_orders, "wear": part_wear}
