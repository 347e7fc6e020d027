# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_fifo.py: the parts in which blocks wait in a FIFO, most of them one that
# is deeper than the budget (fifo.c, raw.c, queue2.c).
#
# "CPU s" is the process's own, the workload's filling and checking included.
# What the kernel's threads do for it, which is most of all the writing back for
# a mapped file, is not in it.
#
# "written" and "read" are the share of the program's bytes that the process
# moved to and from the device while the FIFO was full.
#
# The times of a block are from the moment at which a thread turned to it until
# it had written or read all of it.

import types

from report import (COLOURS, MIB, OTHER_COLOUR, cell, columns_table, median,
                    spelled)

GIB = 1 << 30
# The GstMemory of a block, whatever holds the bytes, and its place in the FIFO.
# A limit is raised by this for each block, so that with small ones it is still
# the bytes that it is about.
OBJECT_BYTES = 192
# fallocate, mmap and a hole for each block: hours with smaller ones.
SEED_MIN_BLOCK = 65536
ALL_BLOCKS = (188, 1316, 4096, 65536, 3 * MIB, 32 * MIB)


def shape_of(context, **changes):
    """Bytes: the FIFO's depth, the total, the budget, the cgroup's limit."""
    if context.quick:
        shape = {"depth": 192 * MIB, "total": 384 * MIB, "ram": 32 * MIB,
                 "limit": 96 * MIB}
    else:
        shape = {"depth": 3 * GIB, "total": 9 * GIB, "ram": 256 * MIB,
                 "limit": 384 * MIB}
    return types.SimpleNamespace(**{**shape, **changes})


def describe(context, shape, more=""):
    context.say(f"FIFO of {spelled(shape.depth)}, {spelled(shape.total)} in "
                f"all{more}; budget {spelled(shape.ram)}; memory cgroup "
                f"{spelled(shape.limit)} (none for system)"
                if shape.limit else
                f"FIFO of {spelled(shape.depth)}, {spelled(shape.total)} in "
                f"all{more}; budget {spelled(shape.ram)}; no limit")


def entry(context, shape, competitor, block, *more, workload="fifo"):
    """function() that does one run; competitor: one of fifo.c's, or swap."""
    n_blocks = shape.depth // block
    limit = None if competitor == "system" or not shape.limit \
        else shape.limit + n_blocks * OBJECT_BYTES
    swap = None
    if competitor == "swap":
        # All of it may go there, and what the allocator loses.
        swap = shape.depth + shape.depth // 4 + n_blocks * OBJECT_BYTES
    argv = [context.program("fifo"),
            "system" if competitor == "swap" else competitor,
            f"--workload={workload}", f"--block={block}",
            f"--depth={shape.depth}", f"--total={shape.total}",
            f"--ram={shape.ram}", f"--dir={context.options.dir}", *more]

    def run():
        figures = context.run(argv, limit=limit, swap=swap,
                              env=context.environment())
        if competitor == "swap":
            # The kernel does not count these writes for the process.
            del figures["steady_device_write"]
        return figures
    return run


def raw_entry(context, shape, share=1.0, *more):
    extent = max(min(4 * MIB, shape.depth // 16), 4096) // 4096 * 4096
    argv = [context.program("raw"), f"--depth={shape.depth}",
            f"--total={shape.total}", f"--share={share}",
            f"--extent={extent}", f"--dir={context.options.dir}", *more]
    return lambda: context.run(argv, limit=shape.limit)


def optimum(shape):
    """The least share of the bytes that has to go through the device."""
    return max(0.0, 1 - shape.ram / shape.depth)


def cpu(run):
    return run["user"] + run["system"]


def written(run):
    return run["steady_device_write"] / run["steady_bytes"]


def read(run):
    return run["steady_device_read"] / run["steady_bytes"]


COLUMNS = (
    ("MiB/s", "mib_s", "{:.0f}"),
    ("CPU s", cpu, "{:.1f}"),
    ("system s", "system", "{:.1f}"),
    ("written", written, "{:.2f}"),
    ("read", read, "{:.2f}"),
    ("peak RSS MiB", lambda run: run["rss_peak"] / MIB, "{:.0f}"),
    ("cgroup peak MiB", lambda run: run["group_peak"] / MIB, "{:.0f}"),
)
TIMES = (("p50", "{:.2f}"), ("p99", "{:.1f}"), ("p999", "{:.1f}"),
         ("max", "{:.1f}"), ("over10", "{:.0f}"), ("long", "{:.0f}"))
TIME_TITLES = ("p50", "p99", "p99.9", "max", "over 10 ms", "over 40 ms")


def times_table(context, runs, who=("producer", "consumer")):
    rows = [["ms for a block", *TIME_TITLES]]
    for name, list_ in runs.items():
        for thread in who:
            if f"{thread}_p50" not in list_[0]:
                continue
            rows.append([f"{name} {thread}",
                         *(cell(list_, f"{thread}_{key}", form)
                           for key, form in TIMES)])
    context.table(rows)


def tables(context, runs, title, who=("producer", "consumer")):
    context.table(columns_table("", COLUMNS, runs), title)
    times_table(context, runs, who)


def ratio(runs, ours, theirs, get="mib_s"):
    """Of the medians; None if one of them did not run."""
    if not (runs.get(ours) and runs.get(theirs)):
        return None
    below = median(runs[theirs], get)
    return median(runs[ours], get) / below if below else None


def spread(runs, get):
    """(median, least, most) for plot_bars()."""
    values = [get(run) if callable(get) else run[get] for run in runs]
    return median(runs, get), min(values), max(values)


def bars(groups, get):
    return {group: {name: spread(list_, get) for name, list_ in runs.items()
                    if not callable(get) and get in list_[0] or callable(get)}
            for group, runs in groups.items()}


def others(context):
    return (["swap"] if context.options.swap else []) + ["mmap", "memkind",
                                                         "seed"]


# ---- deep ----

def part_fifo(context):
    """a deep FIFO as fast as it can: all competitors (goal 1)"""
    every, rows = {}, []
    for block in (3 * MIB, 65536, 1316):
        shape = shape_of(context)
        entries = {"raw": raw_entry(context, shape),
                   f"raw {optimum(shape):.2f}":
                   raw_entry(context, shape, optimum(shape))}
        for name in ["system", "filemem", *others(context)]:
            if name == "seed" and block < SEED_MIN_BLOCK:
                context.say(f"seed is left out: blocks of {spelled(block)} "
                            "would take it hours")
                continue
            its = shape
            if name == "seed" and block < MIB and not context.quick:
                # Its speed shows in less.
                its = shape_of(context, total=shape.depth * 5 // 4)
                context.say(f"seed: {spelled(its.total)} in all")
            entries[name] = entry(context, its, name, block)
        describe(context, shape)
        runs, more = context.rounds(entries, note={"block": block})
        rows += more
        context.csv("fifo", rows)
        every[block] = runs
        tables(context, runs, f"\nblocks of {spelled(block)}")
        if block == 1316:
            continue
        what = f"{spelled(block)}, throughput, filemem/"
        context.goal(1, what + "raw", ratio(runs, "filemem", "raw"),
                     at_least=0.9)
        for name, wanted in (("swap", 6), ("mmap", 1.8), ("memkind", 2),
                             ("seed", 3)):
            context.goal(1, what + name, ratio(runs, "filemem", name),
                         at_least=wanted)
        context.goal(1, f"{spelled(block)}, CPU, filemem/mmap",
                     ratio(runs, "filemem", "mmap", cpu), at_most=0.5)
        context.say()
    small = None
    if every[1316].get("filemem") and every[65536].get("filemem"):
        small = median(every[1316]["filemem"], "mib_s") \
            / median(every[65536]["filemem"], "mib_s")
    context.goal(1, "filemem, throughput with 1316 bytes/with 64 KiB", small,
                 at_least=0.9)
    named = {spelled(block): runs for block, runs in every.items()}
    context.plot_bars("fifo-throughput", "A deep FIFO: throughput", "MiB/s",
                      bars(named, "mib_s"))
    context.plot_bars("fifo-waits", "A deep FIFO: time of the consumer for a "
                      "block, p99.9", "ms", bars(named, "consumer_p999"),
                      log=True)


def device_speed(context):
    """MiB/s of the raw device both ways, measured once."""
    if not hasattr(device_speed, "mib_s"):
        shape = shape_of(context, total=shape_of(context).depth * 2)
        runs, rows = context.rounds({"raw": raw_entry(context, shape)})
        context.csv("device", rows)
        # Without direct I/O there is no such figure.
        device_speed.mib_s = median(runs["raw"], "mib_s") if runs else 400
    return device_speed.mib_s


def excess(runs, key):
    """Milliseconds by which filemem's longest is over system memory's."""
    if not (runs.get("filemem") and runs.get("system")):
        return None
    return max(run[key] for run in runs["filemem"]) \
        - max(run[key] for run in runs["system"])


def figure(runs, name, get):
    return median(runs[name], get) if runs.get(name) else None


def part_paced(context):
    """a deep FIFO at a quarter of the device's speed: waits (goal 2)"""
    speed = device_speed(context)
    pace = max(int(speed / 4), 1)
    shape = shape_of(context)
    if not context.quick:
        shape.depth, shape.total = 2 * GIB, 6 * GIB
    rows, groups = [], {}
    for block in (3 * MIB, 65536):
        describe(context, shape,
                 f", at {pace} MiB/s (the device: {speed:.0f})")
        names = ["system", "filemem", "mmap"] \
            + (["swap"] if context.options.swap else [])
        runs, more = context.rounds(
            {name: entry(context, shape, name, block, f"--paced={pace}")
             for name in names}, note={"block": block, "pace": pace})
        rows += more
        context.csv("paced", rows)
        tables(context, runs, f"\nblocks of {spelled(block)}")
        for who in ("consumer", "producer"):
            groups[f"{spelled(block)} {who}"] = {
                name: [{"p999": run[f"{who}_p999"]} for run in list_]
                for name, list_ in runs.items()}
            context.goal(2, f"paced, {spelled(block)}, {who}'s p99.9, ms",
                         figure(runs, "filemem", f"{who}_p999"), at_most=2)
            context.goal(2, f"paced, {spelled(block)}, {who}'s worst beyond "
                         "system memory's, ms", excess(runs, f"{who}_max"),
                         at_most=10, form="{:.1f}")
        context.goal(2, f"paced, {spelled(block)}, map waits",
                     figure(runs, "filemem", "map-waits"), at_most=0,
                     form="{:.0f}")
        context.say()
    context.plot_bars("paced-waits", "A quarter of the device's speed: time "
                      "for a block, p99.9", "ms", bars(groups, "p999"),
                      log=True)


def part_pause(context):
    """streams that start, pause, resume and catch up: waits (goal 2)"""
    block = 3 * MIB
    if context.quick:
        pace, seconds = 40, 2
        shape = shape_of(context, depth=64 * MIB, total=320 * MIB)
    else:
        pace = max(min(100, int(device_speed(context) / 4)), 1)
        seconds = 60
        shape = shape_of(context, depth=GIB, total=120 * pace * MIB)
    describe(context, shape, f", at {pace} MiB/s, the consumer stops for "
             f"{seconds} s; a second stream")
    runs, rows = context.rounds(
        {name: entry(context, shape, name, block, f"--paced={pace}",
                     f"--pause={seconds}", workload="pause")
         for name in ("system", "filemem", "mmap")})
    context.csv("pause", rows)
    tables(context, runs, "\nafter the first fill",
           ("first_producer", "first_consumer", "second_producer",
            "second_consumer"))
    for who in ("producer", "consumer"):
        context.goal(2, f"pause, {who}s' waits over 40 ms",
                     figure(runs, "filemem", f"{who}_long"), at_most=0,
                     form="{:.0f}")


# ---- the share that goes to the device ----

DEPTHS = (1.1, 1.25, 1.5, 2, 4, 12)


def part_depths(context):
    """the share of bytes that goes to the device, by depth (goal 3)"""
    block = MIB if context.quick else 3 * MIB
    rows, by_depth = [], {}
    for depth in DEPTHS:
        shape = shape_of(context)
        shape.depth = int(depth * shape.ram)
        shape.total = max(3 * shape.depth, shape.depth + 8 * shape.ram)
        slack = f"--slack={shape.ram // 16}"
        runs, more = context.rounds(
            {"fresh": entry(context, shape, "filemem", block, slack),
             "pool": entry(context, shape, "filemem", block, slack,
                           workload="pool"),
             "mmap": entry(context, shape, "mmap", block, slack),
             "raw": raw_entry(context, shape, optimum(shape), slack)},
            note={"depth": depth, "optimum": optimum(shape)})
        rows += more
        by_depth[depth] = (optimum(shape), runs)
        context.csv("depths", rows)
    shape = shape_of(context)
    context.say(f"budget {spelled(shape.ram)}, blocks of {spelled(block)}, "
                f"memory cgroup {spelled(shape.limit)}; raw moves the optimum "
                "through the device and no more")
    for title, get, form in (("share written to the device", written, "{:.2f}"),
                             ("share read from the device", read, "{:.2f}"),
                             ("MiB/s", "mib_s", "{:.0f}")):
        names = ("fresh", "pool", "mmap", "raw")
        table = [["depth/budget", "optimum", *names]]
        for depth, (best, runs) in by_depth.items():
            table.append([f"{depth:g}", f"{best:.2f}",
                          *(cell(runs.get(name, []), get, form)
                            for name in names)])
        context.table(table, title)
    for name in ("fresh", "pool"):
        for depth, (best, runs) in by_depth.items():
            share = figure(runs, name, written)
            context.goal(3, f"{name}, depth {depth:g} times the budget, share "
                         "written beyond the optimum",
                         None if share is None else share - best, at_most=0.05)
        unused = [figure(runs, name, lambda run: read(run) - written(run))
                  for _, runs in by_depth.values() if runs.get(name)]
        context.goal(3, f"{name}, share read beyond what was written, worst "
                     "depth", max(unused, default=None), at_most=0.01)

    def draw(axes):
        axes.plot(DEPTHS, [best for best, _ in by_depth.values()], "k--",
                  label="optimum")
        for name, colour in (("fresh", COLOURS["filemem"]),
                             ("pool", OTHER_COLOUR),
                             ("mmap", COLOURS["mmap"])):
            at = [depth for depth, (_, runs) in by_depth.items()
                  if name in runs]
            label = f"filemem, {name} blocks" if name != "mmap" else \
                "mmap (page cache up to the limit)"
            axes.plot(at, [median(by_depth[depth][1][name], written)
                           for depth in at], "o-", color=colour, label=label)
        axes.set_xscale("log")
        axes.set_xticks(DEPTHS, [f"{depth:g}" for depth in DEPTHS])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.set_xlabel("depth of the FIFO / budget")
        axes.set_ylabel("share of the bytes")
        axes.set_title("What is written to the device")
        axes.legend()
    context.plot("depths-share", draw)


# ---- sizes and shapes ----

def part_blocks(context):
    """a deep FIFO with blocks of 188 bytes to 32 MiB"""
    rows, groups = [], {}
    names = ("system", "filemem", "mmap")
    table = [["block", *(f"{name} MiB/s" for name in names),
              *(f"{name} CPU s" for name in names), "filemem/mmap"]]
    for block in ALL_BLOCKS:
        # With small ones it is the objects that fill the memory.
        shape = shape_of(context)
        if not context.quick:
            shape.depth = GIB if block < 4096 else 3 * GIB
            shape.total = 3 * shape.depth
        runs, more = context.rounds(
            {name: entry(context, shape, name, block) for name in names},
            note={"block": block, "depth": shape.depth})
        rows += more
        context.csv("blocks", rows)
        groups[spelled(block)] = runs
        compared = ratio(runs, "filemem", "mmap")
        table.append([spelled(block),
                      *(cell(runs.get(name, []), "mib_s") for name in names),
                      *(cell(runs.get(name, []), cpu, "{:.1f}")
                        for name in names),
                      "-" if compared is None else f"{compared:.2f}"])
    shape = shape_of(context)
    context.say(f"FIFO of {spelled(shape.depth)}"
                + ("" if context.quick else " (1 GiB below blocks of 4 KiB)")
                + f", budget {spelled(shape.ram)}, memory cgroup "
                f"{spelled(shape.limit)} and {OBJECT_BYTES} bytes a block "
                "(none for system)")
    context.table(table)
    context.plot_bars("blocks-throughput", "A deep FIFO by the size of a "
                      "block: throughput", "MiB/s", bars(groups, "mib_s"))


def compare_workload(context, workload, shape, blocks, *more, who):
    rows = []
    for block in blocks:
        describe(context, shape)
        runs, these = context.rounds(
            {name: entry(context, shape, name, block, *more,
                         workload=workload)
             for name in ("system", "filemem", "mmap")},
            note={"block": block})
        rows += these
        context.csv(workload, rows)
        tables(context, runs, f"\nblocks of {spelled(block)}", who)
        for name in ("system", "mmap"):
            compared = ratio(runs, "filemem", name)
            if compared is not None:
                context.say(f"filemem/{name}: throughput {compared:.2f}, CPU "
                            f"{ratio(runs, 'filemem', name, cpu):.2f}")
        context.say()


def two_thirds(context):
    shape = shape_of(context)
    if not context.quick:
        shape.total = 6 * GIB
    return shape


def part_mix(context):
    """audio in blocks of 4 KiB beside video in blocks of 3 MiB"""
    compare_workload(context, "mix", two_thirds(context), (3 * MIB,),
                     who=("video_producer", "video_consumer",
                          "audio_producer", "audio_consumer"))


def part_two(context):
    """two deep FIFOs at once"""
    compare_workload(context, "two", two_thirds(context), (3 * MIB, 65536),
                     who=("first_producer", "first_consumer",
                          "second_producer", "second_consumer"))


def part_seek(context):
    """a time-shift buffer whose reader jumps"""
    shape = two_thirds(context)
    jump = shape.depth // 32
    context.say(f"a jump every {spelled(jump)}")
    compare_workload(context, "seek", shape, (3 * MIB, 65536),
                     f"--jump={jump}", who=("producer", "consumer", "jump"))


def part_shallow(context):
    """a FIFO that fits the budget, without a limit (goal 4)"""
    rows = []
    columns = (("MiB/s", "mib_s", "{:.0f}"), ("CPU s", cpu, "{:.2f}"),
               ("system s", "system", "{:.2f}"),
               ("minor faults", "minor_faults", "{:.0f}"),
               ("to the device", "device_write", "{:.0f}"),
               ("spilled", "spill-bytes", "{:.0f}"),
               ("producer p50 us", lambda run: 1000 * run["producer_p50"],
                "{:.1f}"),
               ("consumer p50 us", lambda run: 1000 * run["consumer_p50"],
                "{:.1f}"))
    goals, spilled = [], []
    for block in ALL_BLOCKS:
        total = 256 * MIB if context.quick else \
            4 * GIB if block < 4096 else 16 * GIB
        depth = max(16 * MIB, 3 * block)
        shape = shape_of(context, depth=depth, total=total, ram=256 * MIB,
                         limit=None)
        runs, more = context.rounds(
            {name: entry(context, shape, name, block, f"--slack={depth}")
             for name in ("system", "filemem")}, note={"block": block})
        rows += more
        context.csv("shallow", rows)
        describe(context, shape)
        context.table(columns_table("", columns, runs),
                      f"blocks of {spelled(block)}")
        goals.append((block, ratio(runs, "filemem", "system"),
                      ratio(runs, "filemem", "system", cpu)))
        spilled += [run["spill-bytes"] for run in runs.get("filemem", [])]
    for block, speed, burden in goals:
        context.goal(4, f"shallow, {spelled(block)}, throughput, "
                     "filemem/system", speed, at_least=1)
        context.goal(4, f"shallow, {spelled(block)}, CPU, filemem/system",
                     burden, at_most=1)
    context.goal(4, "shallow, bytes spilled", max(spilled, default=None),
                 at_most=0, form="{:.0f}")


def part_queue2(context):
    """a byte stream through queue2's temporary file, and through queue"""
    shape = shape_of(context)
    block = 65536

    def stream(name, *more, limit=shape.limit):
        argv = [context.program("queue2"), name, f"--block={block}",
                f"--depth={shape.depth}", f"--total={shape.total}",
                f"--ram={shape.ram}", f"--dir={context.options.dir}", *more]
        return lambda: context.run(argv, limit=limit,
                                   env=context.environment())

    describe(context, shape)
    context.say("queue2: temp-template, ring buffer; download: the whole "
                "stream in the file; the others: queue, and default allocator")
    runs, rows = context.rounds({
        "queue2": stream("queue2"), "queue2 download":
        stream("queue2", "--download"), "filemem": stream("filemem"),
        "system": stream("system", limit=None)})
    context.csv("queue2", rows)
    columns = [COLUMNS[0], COLUMNS[1], COLUMNS[2],
               ("to the device MiB", lambda run: run["device_write"] / MIB,
                "{:.0f}"),
               ("from it MiB", lambda run: run["device_read"] / MIB, "{:.0f}"),
               *COLUMNS[-2:]]
    context.table(columns_table("", columns, runs))
    compared = ratio(runs, "filemem", "queue2")
    if compared is not None:
        context.say(f"filemem/queue2: throughput {compared:.2f}, CPU "
                    f"{ratio(runs, 'filemem', 'queue2', cpu):.2f}")
    context.plot_bars("queue2-throughput", "A byte stream: throughput",
                      "MiB/s", bars({"": runs}, "mib_s"))


def part_memory(context):
    """the process's memory and the page cache of its file (goal 7)"""
    block_sizes = (3 * MIB, 65536)
    rows = []
    tiny = shape_of(context, depth=8 * MIB, total=8 * MIB, limit=None)
    own, more = context.rounds(
        {"GStreamer": entry(context, tiny, "system", MIB)}, rounds=1)
    rows += more
    # With nothing in it but GStreamer.
    own = max(own["GStreamer"][0]["rss_peak"] - tiny.depth, 0)
    context.say(f"GStreamer's own: {own / MIB:.0f} MiB, and {OBJECT_BYTES} "
                "bytes a block")
    budgets = (32 * MIB,) if context.quick else (32 * MIB, 256 * MIB)
    for ram in budgets:
        shape = shape_of(context, ram=ram)
        if not context.quick:
            shape.total = 6 * GIB
            shape.limit = ram + 128 * MIB
        for block in block_sizes:
            ours = own + shape.depth // block * OBJECT_BYTES
            columns = (
                ("peak RSS MiB", lambda run: run["rss_peak"] / MIB, "{:.0f}"),
                ("beyond budget and own MiB",
                 lambda run: (run["rss_peak"] - ram - ours) / MIB, "{:.0f}"),
                ("cgroup peak MiB", lambda run: run["group_peak"] / MIB,
                 "{:.0f}"),
                ("page cache MiB, most", lambda run: run["cache_max"] / MIB,
                 "{:.1f}"),
                ("late", lambda run: run["cache_late"] / MIB, "{:.1f}"))
            runs, more = context.rounds(
                {name: entry(context, shape, name, block)
                 for name in ("filemem", "mmap")},
                note={"ram": ram, "block": block})
            rows += more
            context.csv("memory", rows)
            describe(context, shape)
            context.table(columns_table("", columns, runs),
                          f"blocks of {spelled(block)}")
            what = f"budget {spelled(ram)}, {spelled(block)}, "
            context.goal(7, what + "peak beyond budget and GStreamer's own, "
                         "MiB", figure(runs, "filemem", columns[1][1]),
                         at_most=32, form="{:.0f}")
            cache = None
            if runs.get("filemem") and "cache_max" in runs["filemem"][0]:
                cache = figure(runs, "filemem", columns[3][1])
            context.goal(7, what + "page cache, MiB", cache, at_most=16,
                         form="{:.1f}")


PARTS = {
    "fifo": part_fifo,
    "paced": part_paced,
    "pause": part_pause,
    "depths": part_depths,
    "blocks": part_blocks,
    "mix": part_mix,
    "two": part_two,
    "seek": part_seek,
    "shallow": part_shallow,
    "queue2": part_queue2,
    "memory": part_memory,
}
