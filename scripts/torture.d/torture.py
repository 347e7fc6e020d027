#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# torture.py: runs each case on each file system, judges, and prints a table.
#
# A case is well if the program ended by itself and all bytes are those of a run
# without filemem; or, where bytes may be lost, if it ended with an error that
# tells so, and what came out is right as far as it goes. In both, filemem says
# what belongs to the case, each thing once; in the first, nobody else says
# anything.

import argparse
import collections
import contextlib
import csv
import os
import pathlib
import re
import signal
import sys
import tempfile
import threading
import time

import cases
import player
import volumes
from volumes import MIB, Lacking

ROOT = pathlib.Path(__file__).resolve().parents[2]
USAGE = """\
Usage: scripts/torture [OPTION...]

Runs a pipeline whose queue filemem keeps on a file system while something
happens to that: each of the cases on each of the file systems, which are made
in images in /var/tmp. Compares what comes out, what is said, and how it ends
with a run without filemem. Needs root and loop devices; what the kernel lacks
is skipped by name.

  --quick        four cases in some seconds
  --fs NAME      only on this file system; repeatable
  --case NAME    only this case; repeatable
  --small        buffers of 4 KiB, which are packed, instead of 450 KiB
  --csv FILE     writes the table to FILE as well
  --list         says which file systems and cases there are
  -h, --help     this help

The filemem that is tested is in ./build, or in GST_FILEMEM_BUILD.

Exit status: 0 if all is well, 1 if something is not, 77 if nothing could be
tested.
"""
QUICK = (("ext4", "filled"), ("xfs", "shut-down"), ("ext4-journal", "plain"),
         ("btrfs", "plain"))
SKIP = 77
LOST = "Bytes of a buffer are lost"
LARGE = player.Stream(640, 720, 350, 64 * MIB)
QUICKER = player.Stream(640, 720, 140, 32 * MIB)
# Packed, by filemem.
SMALL = player.Stream(64, 64, 39375, 64 * MIB)

# Of the file in the page cache, where it is not the page cache. What a disk that
# is slow or stands still has not taken yet is there, too.
CACHED_MAX = 4 * MIB

Row = collections.namedtuple(
    "Row", "fs case verdict outcome seconds memory direct able note")


class Wrong(Exception):
    """What should not have happened; the text says what."""


# ---- one run ----

def run_plain(stream):
    """(digests, stderr) of the stream without filemem, and its last words."""
    run = player.Player(None, "/", stream)
    try:
        run.read()
        status = run.finish()
        _, _, others = run.said()
    finally:
        run.close()
    if status != 0 or len(run.digests) != stream.frames:
        raise Wrong(f"the plain run ended with {status}: {others}")
    return run.digests, others


def judge_messages(case, volume, lines):
    allowed = (*case.says, *case.must_say)
    if volume.is_memory:
        allowed = (cases.IN_MEMORY, *allowed)
    texts = [line.removeprefix("filemem: ") for line in lines]
    for text in texts:
        if not any(re.match(pattern, text) for pattern in allowed):
            raise Wrong(f"filemem says: {text}")
    shapes = [re.sub(r"\d+(\.\d+)?", "N", text) for text in texts]
    if len(set(shapes)) < len(shapes):
        raise Wrong(f"filemem says it twice: {texts}")
    if case.must_say and not any(re.match(pattern, text) for text in texts
                                 for pattern in case.must_say):
        raise Wrong("filemem does not say what happened")


def judge(case, volume, run, plain):
    """"kept" or "told"."""
    digests, said_plain = plain
    status = run.process.returncode
    _, ours, others = run.said()
    if status < 0:
        raise Wrong(f"killed by {signal.Signals(-status).name}")
    whole = run.digests == digests and not run.rest
    if whole and status == 0:
        if others != said_plain:
            raise Wrong(f"somebody says: {others}")
        judge_messages(case, volume, ours)
        return "kept"
    if not player.is_part_of(run.digests, digests):
        raise Wrong(f"wrong bytes, exit status {status}")
    if whole:
        raise Wrong(f"exit status {status}, though all bytes are there: "
                    f"{others}")
    if status == 0 or not any(LOST in line for line in others):
        raise Wrong(f"bytes are missing and nobody tells: exit status {status},"
                    f" {ours + others}")
    if not case.may_lose:
        raise Wrong(f"bytes are lost: {ours}")
    judge_messages(case, volume, ours)
    return "told"


def inflict(case, run):
    """Runs the program to its end, with the case in between."""
    timer = None
    cached = 0
    run.wait_for_disk(run.stream.depth * 3 // 8)
    direct = run.is_direct()
    case.begin(run)
    try:
        if case.seconds is not None:
            timer = threading.Timer(case.seconds, case.end)
            timer.start()
        else:
            # what fits in, goes in
            run.wait_for_disk(sys.maxsize)
        if run.read(run.stream.frames * run.stream.frame // 2):
            cached = run.cached()
            if timer is None:
                case.end()
            run.read()
        run.finish()
    finally:
        if timer is not None:
            timer.cancel()
            timer.join()
    return direct, cached


@contextlib.contextmanager
def thin_host(work):
    """A disk whose size can be changed."""
    path = pathlib.Path(work) / "host"
    path.mkdir()
    volumes.command("mount", "-t", "tmpfs", "-o", "size=1G", "tmpfs", path)
    try:
        yield path
    finally:
        volumes.command("umount", path)
        path.rmdir()


def run_case(tracer, volume, host, make_case, stream, plain):
    """A row without its names."""
    case = make_case(volume, host)
    run = None
    able = {}
    try:
        volume.make()
        able = volumes.abilities(volume)
        case.check()
        case.prepare()
        run = player.Player(tracer, volume.buffers, stream, case.settings,
                            case.words())
        direct, cached = inflict(case, run)
        outcome = judge(case, volume, run, plain)
        if cached > CACHED_MAX and not volume.is_memory and not case.seconds:
            raise Wrong(f"{cached // MIB} MiB of the file are in the page cache")
        left = volume.left()
        if left:
            raise Wrong(f"left in the directory: {left}")
        return Row(None, None, "ok", outcome, run.seconds, run.memory, direct,
                   able, case.note)
    finally:
        if run is not None:
            run.close()
        case.end()
        left = volume.remove()
        if left:
            raise Wrong(left)


def torture(tracer, fs, name, stream, plain):
    make_case = cases.CASES[name]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(dir="/var/tmp",
                                     prefix="filemem-torture-") as work, \
            contextlib.ExitStack() as stack:
        host = stack.enter_context(thin_host(work)) if make_case.is_thin else None
        volume = volumes.VOLUMES[fs](work, host)
        try:
            row = run_case(tracer, volume, host, make_case, stream, plain)
        except Lacking as reason:
            row = Row(fs, name, "skipped", "", None, None, None, {}, str(reason))
        except (Wrong, player.Hung, OSError) as reason:
            row = Row(fs, name, "FAILED", "", time.monotonic() - start, None,
                      None, {}, str(reason))
    return row._replace(fs=fs, case=name)


# ---- what is printed ----

def print_row(row):
    figures = " " * 16
    if row.memory is not None:
        figures = f"{row.seconds:6.1f} s {row.memory // MIB:4d} MiB"
    print(f"{row.fs:12} {row.case:14} {row.verdict:7} {row.outcome:4} {figures}"
          f"  {row.note}".rstrip(), flush=True)


def print_abilities(rows):
    """What each file system can do, as it was found."""
    able = {row.fs: row for row in rows if row.direct is not None}
    if not able:
        return
    names = list(next(iter(able.values())).able)
    print("\n" + " ".join(f"{name:12}"
                          for name in ("", "direct", *names)).rstrip())
    for fs, row in able.items():
        values = [row.direct, *row.able.values()]
        print(" ".join(f"{text:12}" for text in (
            fs, *("yes" if value else "no" for value in values))).rstrip())


def write_csv(path, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Row._fields)
        for row in rows:
            able = " ".join(name for name, value in row.able.items() if value)
            writer.writerow(row._replace(able=able))


# ---- the whole ----

def parse():
    parser = argparse.ArgumentParser(usage=USAGE, add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fs", action="append", choices=volumes.VOLUMES)
    parser.add_argument("--case", action="append", choices=cases.CASES)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--csv")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    return parser.parse_args()


def print_list():
    print("file systems:", *volumes.VOLUMES)
    for case in cases.CASES.values():
        print(f"{case.name:14} {case.text}")


def chosen(options):
    if options.quick:
        return QUICK
    return [(fs, case) for fs in options.fs or volumes.VOLUMES
            for case in options.case or cases.CASES]


def run_all(options):
    build = pathlib.Path(os.environ.get("GST_FILEMEM_BUILD", ROOT / "build"))
    tracer = build / "tracer"
    if os.geteuid() != 0:
        raise Lacking("only root may mount file systems")
    if not (tracer / "libgstfilemem.so").exists():
        raise Lacking(f"there is no filemem in {build}")
    volumes.own_mounts()
    stream = QUICKER if options.quick else SMALL if options.small else LARGE
    plain = run_plain(stream)
    rows = []
    for fs, case in chosen(options):
        rows.append(torture(tracer, fs, case, stream, plain))
        print_row(rows[-1])
    return rows


def main():
    options = parse()
    if options.help or options.list:
        if options.help:
            print(USAGE, end="")
        else:
            print_list()
        return 0
    try:
        rows = run_all(options)
    except Lacking as reason:
        print(f"skipped: {reason}")
        return SKIP
    print_abilities(rows)
    if options.csv:
        write_csv(options.csv, rows)
    count = collections.Counter(row.verdict for row in rows)
    print(f"\n{count['ok']} well, {count['FAILED']} not, {count['skipped']} "
          "skipped")
    if count["FAILED"]:
        return 1
    return 0 if count["ok"] else SKIP


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
