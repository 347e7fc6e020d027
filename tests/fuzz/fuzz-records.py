#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# fuzz-records.py: recordings that are changed at random, for gst-filemem report.
#
#   fuzz-records.py [--seconds N | --runs N] [--first SEED] SOURCE BUILD
#
# SOURCE and BUILD are the directories of gst-filemem in both trees. Each run has
# a seed of its own, the next number, and is the same each time. Values are
# replaced by some of other kinds, lines cut, joined, repeated and mixed, bytes
# put in. Whatever comes of it: the status says whether there were records, what
# is said is lines that a terminal may be given, the page's data are JSON, and no
# name is more than text.
#
# In the words of libFuzzer at the end, for scripts/fuzz. Recordings that break
# it stay in the working directory. Exit code: 77 without dygraphs.

import argparse
import contextlib
import io
import json
import os
import pathlib
import random
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "integration" / "report"), str(TESTS / "integration")]
import made  # noqa: E402
import recordings  # noqa: E402
from harness import skip  # noqa: E402

EVIL = "</script><script>alert(1)</script>\x1b[2J\n\u2028<!--@data@"
ODD = (
    *(None, True, -1, 0, 1, 1.5, 1e308, 2**53, 2**63, 2**64 - 1, 2**64, 2**70),
    *("", "x", EVIL, "\x00", "\ud800", "9" * 50, "/a:b/c:d.e:f", "a" * 3000),
    *([], {}, [[]], [1, 2], [[1, 2]], [[2**64 - 1, 2**64 - 1]], {"": {}}, [None] * 9),
)
BYTES = (
    *(b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\n", b'"', b"\\", b"{", b"}"),
    *(b"[" * 2000, b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"-", b":", b","),
    *(b'{"version":1,"pid":1,', b'"version": 1, "pid": 2', b"\xe2\x80\xa8"),
)
BASES = [
    [line + "\n" for line in text.rstrip("\n").split("\n")]
    for text in (
        recordings.process(3, advice=["a", "b"]),
        recordings.process(5, pid=7, queues=[EVIL], elements=[(EVIL,)]),
        recordings.process(2, threads=["t"], disk_bytes=None) * 2,
        recordings.waiting(4, idle=(2,)),
        "".join(recordings.record(n, queues=[recordings.queue(n)]) for n in (1, 2, 3)),
    )
]


class Broken(Exception):
    pass


def spoil(rand, line):
    """One value is another, or gone."""
    record = json.loads(line)
    path = rand.choice(list(recordings.places(record)))
    at = record
    for key in path[:-1]:
        at = at[key]
    if rand.random() < 0.2:
        del at[path[-1]]
    else:
        at[path[-1]] = rand.choice(ODD)
    return json.dumps(record, separators=(",", ":")) + "\n"


def damage(rand, data):
    """Bytes, of one line or more."""
    at = rand.randrange(len(data) + 1)
    kind = rand.randrange(5)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + rand.choice(BYTES) + data[at:]
    if kind == 2:
        return data[:at] + bytes([rand.randrange(256)]) + data[at + 1 :]
    if kind == 3:
        return data[:at] + data[at + rand.randrange(1, 200) :]
    return data[:at] + data[rand.randrange(len(data) + 1) :]


def recording(rand):
    lines = list(rand.choice(BASES))
    for _ in range(rand.randrange(4)):
        i = rand.randrange(len(lines))
        lines[i] = spoil(rand, lines[i])
    if rand.random() < 0.3:
        lines += rand.choice(BASES)
    if rand.random() < 0.2:
        rand.shuffle(lines)
    if rand.random() < 0.2:
        lines = [rand.choice(lines) for _ in range(rand.randrange(20))]
    data = "".join(lines).encode("utf-8", "surrogatepass")
    for _ in range(rand.choice((0, 0, 1, 1, 2, 5))):
        data = damage(rand, data)
    return data


def check(condition, what):
    if not condition:
        raise Broken(what)


def no_constant(name):
    raise Broken(f"{name} in the page's data")


def check_page(text):
    check(text.lower().count("<script") == 3, "a script too many")
    check("<!--" not in text.split("<body", 1)[1], "a comment")
    data = made.DATA.search(text)
    check(data, "no data in the page")
    model = json.loads(data[1], parse_constant=no_constant)
    check(len(model["runs"]) <= 8, "too many runs")


def run_once(main, directory, seed):
    rand = random.Random(seed)
    names = [f"log{n}" for n in range(rand.choice((1, 1, 1, 2, 3)))]
    for name in names:
        (directory / name).write_bytes(recording(rand))
    page = directory / "page.html"
    page.unlink(missing_ok=True)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        status = main(["-o", str(page), *(str(directory / name) for name in names)])
    check(status in (0, 1), f"the status is {status}: {said.getvalue()}")
    for line in said.getvalue().splitlines():
        check(line.startswith("gst-filemem report: "), f"said: {line!r}")
        check(line.isprintable(), f"said: {line!r}")
    check_page(page.read_text("utf-8"))


def run_all(main, options, directory):
    """How many runs."""
    end = time.monotonic() + options.seconds if options.seconds else None
    runs = 0
    while time.monotonic() < end if end else runs < options.runs:
        seed = options.first + runs
        try:
            run_once(main, directory, seed)
        except BaseException:
            for log in directory.glob("log*"):
                kept = pathlib.Path(f"records-{seed}-{log.name}")
                kept.write_bytes(log.read_bytes())
                print(f"kept {kept}", file=sys.stderr)
            print(f"seed {seed}", file=sys.stderr)
            raise
        runs += 1
    return runs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("build", type=pathlib.Path)
    options = parser.parse_args()
    if not made.LIBRARY.exists():
        skip("dygraphs is missing (libjs-dygraphs)")
    sys.path.insert(0, str(options.source / "report.d"))
    # It finds its schema from there.
    sys.argv[0] = str(options.build / "gst-filemem-report")
    from filemem_report import command

    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="filemem-records-") as directory:
        runs = run_all(command.main, options, pathlib.Path(directory))
    speed = runs / (time.monotonic() - start)
    print(f"Done {runs} runs")
    print(f"stat::number_of_executed_units: {runs}")
    print(f"stat::average_exec_per_sec: {speed:.0f}")
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
