# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# parts_small.py: the parts about the operations themselves: what they cost,
# with few live blocks and with many, and which system calls they make.

import collections
import csv
import os
import shutil
import tempfile

import meter
from report import cell, columns_table, median, size, spelled
from runner import Failed, Unavailable

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
ALLOCATORS = ("system", "filemem")
# So much is live in a queue that counts as shallow.
SHALLOW = 128 * MIB
SHALLOW_RAM = "512M"


def named(rows, *columns):
    """Rows of runs whose name is a tuple, with a column for each part."""
    return [{**dict(zip(columns, row["name"])),
             **{name: value for name, value in row.items() if name != "name"}}
            for row in rows]


# ---- alloc ----

Case = collections.namedtuple("Case", "kind block live threads")


def alloc_cases(quick):
    blocks = (188, 1316) if quick else (188, 1316, 4096, 65536, 3 * MIB)
    for block in blocks:
        few, many = 16, 1024
        lives = [n for n in (few, many) if n * block <= SHALLOW / 2] or [few]
        for live in lives:
            for threads in (1, 2):
                yield Case("memory", block, live, threads)
        for threads in (1, 2):
            yield Case("buffer", block, few, threads)
        yield Case("cross", block, lives[-1], 2)


def alloc_argv(context, allocator, case, *more):
    argv = [context.program("operations"), allocator, f"--block={case.block}",
            f"--live={case.live}", f"--threads={case.threads}",
            f"--dir={context.options.dir}", f"--ram={SHALLOW_RAM}", *more]
    if case.kind != "memory":
        argv.append({"buffer": "--buffers", "cross": "--cross"}[case.kind])
    return argv


def ratio(runs, name):
    """filemem's median against system memory's, None if one is missing."""
    if not all(allocator in runs for allocator in ALLOCATORS):
        return None
    return median(runs["filemem"], name) / median(runs["system"], name)


def worst(values):
    return max((value for value in values if value is not None), default=None)


def shown(value, form="{:.2f}"):
    return "-" if value is None else form.format(value)


def alloc(context):
    """alloc, map, unmap and free alone, with 1 and 2 threads"""
    seconds = 0.2 if context.quick else 0.6
    measured, every = {}, []
    for case in alloc_cases(context.quick):
        runs, rows = context.rounds(
            {allocator: lambda allocator=allocator: context.run(alloc_argv(
                context, allocator, case, f"--seconds={seconds}"))
             for allocator in ALLOCATORS}, note=case._asdict())
        measured[case] = runs
        every += rows
    context.csv("alloc", every)

    table = [["what", "bytes", "live", "threads", "ns system", "ns filemem",
              "ratio", "CPU ns system", "CPU ns filemem", "ratio"]]
    for case, runs in measured.items():
        row = [case.kind, case.block, case.live, case.threads]
        for figure in ("ns", "cpu_ns"):
            row += [cell(runs.get(name, []), figure) for name in ALLOCATORS]
            row.append(shown(ratio(runs, figure)))
        table.append(row)
    context.table(table, "Nanoseconds for one operation: allocate, map for "
                  "writing, unmap, map for reading, unmap, free.\n"
                  "memory: GstMemory alone; buffer: in a GstBuffer; cross: "
                  "freed in another thread (the sum of both sides)")

    scaling = {}
    for case, runs in measured.items():
        if case.threads != 1:
            continue
        double = measured.get(case._replace(threads=2), {})
        scaling[case] = {
            name: 2 * median(runs[name], "ns") / median(double[name], "ns")
            for name in ALLOCATORS if name in runs and name in double}
    context.table(
        [["what", "bytes", "live", *ALLOCATORS],
         *([case.kind, case.block, case.live,
            *(shown(values.get(name)) for name in ALLOCATORS)]
           for case, values in scaling.items())],
        "Operations a second with 2 threads against 1 (2 is perfect)")

    for block in (188, 1316):
        for threads in (1, 2):
            cases = [case for case in measured if case.kind == "memory"
                     and case.block == block and case.threads == threads]
            context.goal(5, f"{block} bytes, {threads} thread(s), ns of filemem"
                         " / system", worst(ratio(measured[case], "ns")
                                            for case in cases), at_most=1)
        relative = [values["filemem"] / values["system"]
                    for case, values in scaling.items()
                    if case.block == block and len(values) == 2]
        context.goal(5, f"{block} bytes, scaling with 2 threads of filemem / "
                     "system", min(relative, default=None), at_least=1)
    context.goal(4, "worst of all sizes, CPU of filemem / system",
                 worst(ratio(runs, "cpu_ns") for runs in measured.values()),
                 at_most=1)

    groups = {}
    for case, runs in measured.items():
        if case.kind == "memory" and case.live == 16:
            group = groups.setdefault(spelled(case.block), {})
            for name, list_ in runs.items():
                values = [run["ns"] for run in list_]
                group[f"{name} {case.threads} threads".replace(
                    "1 threads", "1 thread")] = (
                        median(list_, "ns"), min(values), max(values))
    context.plot_bars("alloc", "One operation, 16 live blocks", "ns", groups)


# ---- scale ----

KINDS = ("fresh", "fifo", "queue")


def scale_argv(context, mode, allocator, **options):
    return [context.program("scale"), mode, allocator,
            f"--dir={context.options.dir}",
            *(f"--{name}={value}" for name, value in options.items())]


def own_bytes(run):
    return run["rss_per_block"] - run["in_blocks"] - run["gst_memory"]


def many_blocks(context):
    ram, block = "256M", 188
    counts = [10 ** 4, 10 ** 5] if context.quick else \
        [10 ** power for power in (4, 5, 6, 7)]
    # What system memory takes for a block of this size, and some more.
    most = meter.memory_available() // (2 * (block + 256))
    for count in [count for count in counts if count > most]:
        context.say(f"{count} live blocks: left out, memory is too small")
        counts.remove(count)
    runs, rows = context.rounds(
        {(allocator, count): lambda allocator=allocator, count=count:
         context.run(scale_argv(context, "live", allocator, block=block,
                                live=count, ram=ram))
         for count in counts for allocator in ALLOCATORS})
    context.csv("scale", named(rows, "name", "live"))

    columns = [("make", "make_ns", "{:.0f}")]
    columns += [(kind, f"{kind}_ns", "{:.0f}") for kind in KINDS]
    columns += [("queue, mean", "queue_mean_ns", "{:.0f}"),
                ("free", "free_ns", "{:.0f}"),
                ("own bytes", own_bytes, "{:.1f}"),
                ("spilled MiB",
                 lambda run: run.get("spilled-bytes", 0) / MIB, "{:.0f}")]
    context.table(
        columns_table("live blocks", columns, {
            f"{name} {count:.0e}".replace("e+0", "e"): list_
            for (name, count), list_ in runs.items()}),
        f"ns for one operation while so many blocks of {block} bytes are live;"
        f" filemem's budget is {ram}.\n"
        "fresh: a new block, freed at once; fifo: a new block, and the oldest "
        "freed unread;\nqueue: a new block, and the oldest read and freed (the "
        "mean includes waiting for the disk).\n"
        "own bytes: memory for each block beside its bytes and its GstMemory")

    for name in ALLOCATORS:
        few, many = (runs.get((name, count)) for count in (10 ** 4, 10 ** 7))
        value = worst(median(many, f"{kind}_ns") / median(few, f"{kind}_ns")
                      for kind in KINDS) if few and many else None
        if name == "filemem":
            context.goal(6, "an operation with 10^7 live blocks / with 10^4",
                         value, at_most=1.5)
        else:
            context.say(f"(the same of system memory: {shown(value)})")
    context.goal(6, "own bytes for each block", worst(
        median(list_, own_bytes) for (name, count), list_ in runs.items()
        # With fewer the thread stacks and tables of any size count.
        if name == "filemem" and count >= 10 ** 5), at_most=64, form="{:.1f}")

    def draw(axes):
        for kind, style in zip(KINDS, ("-", "--", ":")):
            for name, colour in zip(ALLOCATORS, ("#7f7f7f", "#1f77b4")):
                points = [(count, median(runs[name, count], f"{kind}_ns"))
                          for count in counts if (name, count) in runs]
                if points:
                    axes.plot(*zip(*points), style, marker="o", color=colour,
                              label=f"{name}, {kind}")
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("live blocks of 188 bytes")
        axes.set_ylabel("ns for one operation")
        axes.legend(fontsize="small")
    context.plot("scale", draw)


def deep_queues(context):
    block = 65536
    space = os.statvfs(context.options.dir)
    free = space.f_bavail * space.f_frsize
    depths = [size("256M"), size("512M")] if context.quick else \
        [n * GIB for n in (1, 2, 4, 8, 16)]
    rams = ("32M", "64M") if context.quick else ("64M", "256M")
    for depth in [depth for depth in depths if depth > free / 2]:
        context.say(f"a queue of {spelled(depth)}: left out, the disk is too "
                    "small")
        depths.remove(depth)
    # A count of mappings needs no second look.
    runs, rows = context.rounds(
        {(ram, depth): lambda ram=ram, depth=depth: context.run(scale_argv(
            context, "live", "filemem", block=block, live=depth // block,
            operations=2048, ram=ram))
         for depth in depths for ram in rams}, rounds=1)
    context.csv("scale-mappings", named(rows, "ram", "depth"))

    def added(run):
        return run["mappings_most"] - run["mappings_before"]

    context.table(
        [["depth", *(f"budget {ram}" for ram in rams)],
         *([spelled(depth), *(cell(runs.get((ram, depth), []), added)
                              for ram in rams)] for depth in depths)],
        "Mappings (lines of /proc/PID/maps) that a queue adds at most")
    for ram in rams:
        ends = [runs.get((ram, depth)) for depth in (depths[:1] + depths[-1:])]
        context.goal(6, f"mappings with {spelled(depths[-1])} / with "
                     f"{spelled(depths[0])}, budget {ram}",
                     median(ends[1], added) / median(ends[0], added)
                     if len(ends) == 2 and all(ends) else None, at_most=1.5)


def scale(context):
    """10^4 to 10^7 live blocks, and the number of mappings with deep queues"""
    many_blocks(context)
    deep_queues(context)


# ---- headers ----

def read_series(path):
    with open(path, newline="") as file:
        return [{name: int(value) for name, value in row.items()}
                for row in csv.DictReader(file)]


def headers(context):
    """small blocks that stay among video: memory, disk, addresses they keep"""
    block, live, every = 100 * KIB, 640, 4 * MIB
    total = (1 if context.quick else 8) * GIB
    cases = [(ram, header) for ram in ("32M", "256M")
             for header in ((256,) if context.quick else (64, 256, 1000))]
    series, runs, rows = {}, {}, []

    def run(ram, header):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "series.csv")
            figures = context.run(scale_argv(
                context, "headers", "filemem", block=block, live=live,
                every=every, header=header, total=total, ram=ram, series=path))
            series[ram, header] = read_series(path)
        return figures

    runs, rows = context.rounds(
        {case: lambda case=case: run(*case) for case in cases}, rounds=1)
    context.csv("headers", named(rows, "ram", "header"))
    context.csv("headers-series", [
        {"ram": ram, "header": header, **row}
        for (ram, header), rows in series.items() for row in rows])

    columns = (("headers", "headers", "{:.0f}"),
               ("live MiB", lambda run: run["live"] / MIB, "{:.1f}"),
               ("resident MiB", lambda run: run["resident-bytes"] / MIB,
                "{:.1f}"),
               ("disk MiB", lambda run: run["disk-bytes"] / MIB, "{:.1f}"),
               ("disk peak", lambda run: run["disk-peak"] / MIB, "{:.1f}"),
               ("addresses MiB", lambda run: run["span"] / MIB, "{:.0f}"),
               ("half: waste", "waste_half", "{:.2f}"),
               ("end: waste", "waste", "{:.2f}"),
               ("not in filemem", "fallbacks", "{:.0f}"))
    context.table(
        columns_table("budget, header", columns, {
            f"{ram}, {header} bytes": list_
            for (ram, header), list_ in runs.items()}),
        f"A queue of {spelled(block * live)} through which {spelled(total)} of "
        f"video pass, and a header every {spelled(every)}\nthat stays. waste: "
        "(resident + disk) / live, half way and at the end")
    for name, figure in (("memory and disk", "waste"), ("addresses", "span")):
        context.goal(6, f"headers that stay: {name} at the end / half way",
                     worst(median(list_, figure)
                           / median(list_, f"{figure}_half")
                           for list_ in runs.values()), at_most=1.1)

    def draw(axes):
        for (ram, header), points in series.items():
            if header != 256:
                continue
            at = [point["passed"] / GIB for point in points]
            style = "-" if ram == "32M" else "--"
            for what, colour in (("resident", "#1f77b4"), ("disk", "#ff7f0e"),
                                 ("live", "#7f7f7f")):
                axes.plot(at, [point[what] / MIB for point in points], style,
                          color=colour, label=f"{what}, budget {ram}")
        axes.set_xlabel("GiB that have passed")
        axes.set_ylabel("MiB")
        axes.set_title("A header of 256 bytes every 4 MiB stays")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
    context.plot("headers", draw)


# ---- syscalls ----

def count_calls(path):
    """System calls between the two getppid() of operations --steady, by
    name."""
    calls, inside, marks = collections.Counter(), False, 0
    with open(path, errors="replace") as file:
        for line in file:
            # PID name(…, or PID <... name resumed>, +++ exited, --- SIGNAL.
            _, _, rest = line.partition(" ")
            name = rest.strip().partition("(")[0]
            if name == "getppid":
                inside = not inside
                marks += 1
            elif inside and name.replace("_", "").isalnum():
                calls[name] += 1
    if marks != 2:
        raise Failed(f"strace showed {marks} of the two marks")
    return calls


def traced(context, allocator, case):
    operations = 2000 if case.block > MIB else 20000
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "trace")
        figures = context.run(
            ["strace", "-f", "-qq", "-o", path, *alloc_argv(
                context, allocator, case, "--steady",
                f"--operations={operations}")])
        calls = count_calls(path)
    return {**figures, "calls": sum(calls.values()),
            "which": " ".join(f"{name}:{n}" for name, n in
                              calls.most_common())}


def check_strace(context):
    if shutil.which("strace") is None:
        raise Unavailable("strace is not installed")
    with tempfile.TemporaryDirectory() as directory:
        try:
            context.run(["strace", "-f", "-qq", "-o",
                         os.path.join(directory, "trace"), "true"])
        except Failed as error:
            raise Unavailable(f"strace can't trace here: {error}") from error


def system_calls(context):
    cases = list(alloc_cases(context.quick))
    measured, every = {}, []
    for case in cases:
        runs, rows = context.rounds(
            {allocator: lambda allocator=allocator: traced(
                context, allocator, case) for allocator in ALLOCATORS},
            rounds=1, note=case._asdict())
        measured[case] = {name: list_[0] for name, list_ in runs.items()}
        every += rows
    context.csv("syscalls", every)
    table = [["what", "bytes", "live", "threads", "operations", *ALLOCATORS,
              "which of filemem"]]
    for case, runs in measured.items():
        ours = runs.get("filemem", {})
        table.append([
            *case, shown(ours.get("operations_between"), "{:.0f}"),
            *(shown(runs.get(name, {}).get("calls"), "{:.0f}")
              for name in ALLOCATORS), ours.get("which") or "-"])
    context.table(table, "System calls of all threads while so many "
                  "operations were done in steady state (strace -f)")
    # In cross system memory waits for locks of GLib's as well.
    context.goal(4, "shallow: system calls in steady state beyond those of "
                 "system memory, the most in a run",
                 worst(max(0, runs["filemem"]["calls"]
                           - runs["system"]["calls"])
                       for runs in measured.values()
                       if len(runs) == len(ALLOCATORS)),
                 at_most=0, form="{:.0f}")


def device_bytes(context):
    seconds = 2 if context.quick else 60
    case = Case("cross", 65536, 1024, 2)
    runs, rows = context.rounds(
        {"filemem": lambda: context.run(alloc_argv(
            context, "filemem", case, f"--seconds={seconds}"))}, rounds=1)
    context.csv("syscalls-device", rows)
    for run in runs.get("filemem", []):
        context.say(
            f"{spelled(case.block * case.live)} in a queue, {seconds} s, "
            f"{run['operations']:.0f} blocks: {run['written']:.0f} bytes "
            f"written to the device, {run['read']:.0f} read")
    context.goal(4, f"shallow: bytes to the device in {seconds} s",
                 worst(run["written"] for run in runs.get("filemem", [])),
                 at_most=0, form="{:.0f}")


def syscalls(context):
    """system calls and device writes of a queue that fits the budget"""
    try:
        check_strace(context)
    except Unavailable as error:
        context.say(f"system calls: not counted: {error}")
    else:
        system_calls(context)
    device_bytes(context)


PARTS = {"alloc": alloc, "scale": scale, "headers": headers,
         "syscalls": syscalls}
