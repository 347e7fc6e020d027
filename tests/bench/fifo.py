#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fifo.py: runs the FIFO benchmark (fifo.c) and makes a table of it.
#
# Each run is a process of its own, in a memory cgroup of its own that also
# counts the page cache (system memory runs without a limit). The competitors
# take turns, so that what else happens on the machine meets all of them. A
# figure is the median of the rounds, with the lowest and the highest.
#
# The milliseconds are from the moment at which a thread turned to a block until
# it had written or read all of it. Waiting for the other thread is not in them.
#
# CPU seconds are the process's own. What the kernel's threads do for it, which
# is most of all the writing back for a mapped file, is not in them.

import argparse
import csv
import os
import pathlib
import platform
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts" / "demo.d"))
sys.dont_write_bytecode = True
import meter  # noqa: E402

COMPETITORS = ("system", "mmap", "filemem")
MIB = 1 << 20
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

# Title, how to get it from a run's figures, and how to print it.
COLUMNS = (
    ("MiB/s", lambda run: run["mib_s"], "{:.0f}"),
    ("CPU s", lambda run: run["user"] + run["system"], "{:.1f}"),
    ("system s", lambda run: run["system"], "{:.1f}"),
    ("written MiB", lambda run: run.get("written", 0) / MIB, "{:.0f}"),
    ("read MiB", lambda run: run.get("read", 0) / MIB, "{:.0f}"),
    ("peak RSS MiB", lambda run: run["rss_peak"] / MIB, "{:.0f}"),
    ("cgroup peak MiB", lambda run: run["group_peak"] / MIB, "{:.0f}"),
)
TIMES = (
    ("p50", lambda run, who: run[f"{who}_p50"], "{:.2f}"),
    ("p99", lambda run, who: run[f"{who}_p99"], "{:.1f}"),
    ("p99.9", lambda run, who: run[f"{who}_p999"], "{:.1f}"),
    ("max", lambda run, who: run[f"{who}_max"], "{:.1f}"),
    ("over 40 ms", lambda run, who: run[f"{who}_long"], "{:.0f}"),
)


def size(text):
    text = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = text[-1:] if text[-1:] in UNITS else ""
    try:
        value = int(float(text.removesuffix(unit)) * UNITS[unit])
    except ValueError:
        value = 0
    if value <= 0:
        raise argparse.ArgumentTypeError(
            "a size is bytes, or a number with K, M or G")
    return value


def sizes(text):
    return [size(item) for item in text.split(",")]


def spelled(n):
    for unit in ("G", "M", "K"):
        if n % UNITS[unit] == 0:
            return f"{n // UNITS[unit]} {unit}iB"
    return f"{n} bytes"


def file_system(directory):
    """(device, type) of what the directory is on."""
    best = ("", "?", "?")
    for line in open("/proc/self/mounts"):
        device, mounted_at, kind = line.split()[:3]
        inside = os.path.commonpath(
            [mounted_at, os.path.realpath(directory)]) == mounted_at
        if inside and len(mounted_at) >= len(best[0]):
            best = (mounted_at, device, kind)
    return best[1], best[2]


def machine(directory):
    """Lines that say on what this runs."""
    model = "?"
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    device, kind = file_system(directory)
    yield f"kernel {platform.release()}, {len(os.sched_getaffinity(0))} cores"
    yield f"processor {model}, {ram / UNITS['G']:.1f} GiB of memory"
    yield f"{directory} on {kind} ({device})"
    yield "load before: {:.2f}".format(os.getloadavg()[0])


class Failed(Exception):
    pass


def run_once(options, parent_group, competitor, block):
    """The figures of one run."""
    limit = None if competitor == "system" else options.limit
    argv = [options.fifo, competitor, f"--block={block}",
            f"--depth={options.depth}", f"--total={options.total}",
            f"--dir={options.dir}", f"--ram={options.ram}"]
    if options.paced:
        argv.append(f"--paced={options.paced}")
    group = None
    if parent_group is not None:
        group = meter.MemoryGroup(*parent_group, limit)
        argv = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"',
                group.path] + argv
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak = group.peak() if group is not None else 0
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
        if group is not None:
            group.remove()
    if process.returncode != 0:
        raise Failed(f"{competitor} with blocks of {spelled(block)} ended with "
                     f"exit code {process.returncode}")
    run = {name: float(value) for name, value in
           (item.split("=") for item in text.split())}
    run["rss_peak"] = usage.ru_maxrss * 1024
    run["group_peak"] = peak
    return run


def cell(values, form):
    values = sorted(values)
    middle = form.format(statistics.median(values))
    low, high = form.format(values[0]), form.format(values[-1])
    return middle if low == high else f"{middle} ({low}-{high})"


def print_table(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(row, widths))))
    print()


def print_block(runs, competitors):
    rows = [["", *(title for title, _, _ in COLUMNS)]]
    for name in competitors:
        rows.append([name, *(cell([get(run) for run in runs[name]], form)
                             for _, get, form in COLUMNS)])
    print_table(rows)
    rows = [["ms for a block", *(title for title, _, _ in TIMES)]]
    for name in competitors:
        for who in ("producer", "consumer"):
            rows.append([f"{name} {who}",
                         *(cell([get(run, who) for run in runs[name]], form)
                           for _, get, form in TIMES)])
    print_table(rows)


def median(runs, get):
    return statistics.median(get(run) for run in runs)


def print_ratios(runs):
    if not ("mmap" in runs and "filemem" in runs):
        return
    speed = COLUMNS[0][1]
    cpu = COLUMNS[1][1]
    print("filemem/mmap: throughput {:.2f}, CPU {:.2f}".format(
        median(runs["filemem"], speed) / median(runs["mmap"], speed),
        median(runs["filemem"], cpu) / median(runs["mmap"], cpu)))


def parse_options():
    parser = argparse.ArgumentParser(
        prog="bench", description="Compares filemem, a mapped file and system "
        "memory as the place of a deep FIFO of buffers.")
    parser.add_argument("--fifo", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--dir", default="/var/tmp",
                        help="where the files go (default: %(default)s)")
    parser.add_argument("--depth", type=size, default="3G",
                        help="bytes in the FIFO (default: %(default)s)")
    parser.add_argument("--total", type=size, default="9G",
                        help="bytes in all (default: %(default)s)")
    parser.add_argument("--blocks", type=sizes, default="3M,64K",
                        help="sizes of a block (default: %(default)s)")
    parser.add_argument("--ram", default="256M",
                        help="filemem's budget (default: %(default)s)")
    parser.add_argument("--limit", type=size, default="384M",
                        help="the memory cgroup's (default: %(default)s)")
    parser.add_argument("--paced", type=int, metavar="MIB_PER_S",
                        help="not faster than this")
    parser.add_argument("--rounds", type=int, default=3,
                        help="runs of each (default: %(default)s)")
    parser.add_argument("--competitors", default=",".join(COMPETITORS),
                        type=lambda text: text.split(","),
                        help="who runs (default: %(default)s)")
    parser.add_argument("--csv", help="a file for the figures of every run")
    options = parser.parse_args()
    for name in options.competitors:
        if name not in COMPETITORS:
            parser.error(f"there is no competitor {name}")
    if options.rounds < 1:
        parser.error("at least one round")
    if options.total < options.depth:
        parser.error("--total is less than --depth")
    return options


def main():
    options = parse_options()
    parent_group = meter.find_parent_group()

    for line in machine(options.dir):
        print(line)
    pace = f", at {options.paced} MiB/s" if options.paced else ""
    print(f"FIFO of {spelled(options.depth)}, {spelled(options.total)} in all"
          f"{pace}; filemem's budget {options.ram}; {options.rounds} rounds")
    if parent_group is None:
        print("No memory cgroup can be made here: nobody has a limit, and the "
              "mapped file has all memory as its cache")
    else:
        print(f"memory cgroup of {spelled(options.limit)} for all but system")
    print(flush=True)

    every = []
    for block in options.blocks:
        runs = {name: [] for name in options.competitors}
        for number in range(options.rounds):
            for name in options.competitors:
                run = run_once(options, parent_group, name, block)
                runs[name].append(run)
                every.append({"competitor": name, "block": block,
                              "round": number + 1, **run})
        print(f"blocks of {spelled(block)}")
        print_block(runs, options.competitors)
        print_ratios(runs)
        print(flush=True)

    if options.csv:
        names = list(dict.fromkeys(key for run in every for key in run))
        with open(options.csv, "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(every)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except (Failed, OSError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
