#!/usr/bin/python3
# filemem: GStreamer's buffers on disk
# SPDX-FileCopyrightText: The filemem authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# told.py: what reports say of real pipelines, held against the counters and
# against what the kernel saw: how the disk wears out, and who is advised what.

import json
import re
import resource
import sys

from seen import Report, main
from harness import between, equal, need_elements

MIB = 1 << 20
BLOCK = 262144


def written_by_children():
    """Bytes that went to a disk, whether they are counted here or not."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock * 512


def both_reports(runner, args, params, env=None):
    """The report in JSON, of a first run, and the text of a second."""
    report = runner.report(args, params, env)
    path = runner.dir / "text"
    runner.run([runner.driver, *args],
               {"GST_FILEMEM_REPORT": str(path), **(env or {})},
               f"filemem(attribution=on{params})")
    return report, path.read_text()


def check_wear(report):
    """The figures that are made of others."""
    stats = report.stats
    for mean, total, number in (("mean-write-bytes", "spill-bytes", "writes"),
                                ("mean-read-bytes", "fill-bytes", "reads")):
        expected = stats[total] / stats[number] if stats[number] else 0
        between(stats[mean], expected - 1, expected + 1, mean)
    expected = 1000 * stats["spill-bytes"] / stats["passed-bytes"]
    between(stats["written-permille"], expected - 1, expected + 1,
            "written-permille")


def deep(runner, n, ram):
    data = runner.file(n * BLOCK)
    return (["--map=sink:1", f"filesrc location={data} blocksize={BLOCK} ! "
             "queue name=q max-size-bytes=0 max-size-buffers=0 max-size-time=0 "
             f"min-threshold-buffers={n} ! fakesink name=sink"], f",ram={ram}")


def test_wear(runner):
    # no pool: what is allocated is what comes in; nearly all of it goes to disk
    n = 200
    before = written_by_children()
    report = runner.report(*deep(runner, n, "4M"))
    seen = written_by_children() - before
    stats = report.stats
    check_wear(report)
    equal(stats["passed-bytes"], stats["alloc-bytes"], "passed-bytes")
    between(stats["passed-bytes"], n * BLOCK, n * (BLOCK + 64))
    # a spill that is given up was written nevertheless
    between(stats["written-permille"], 500, 1500, "written-permille")
    between(stats["mean-write-bytes"], 65536, 4 * MIB, "mean write")
    # some file systems tell the kernel nothing
    if seen > 0:
        between(seen, stats["spill-bytes"], stats["spill-bytes"] + 8 * MIB,
                "bytes that the kernel saw written")


def test_no_wear(runner):
    report, text = both_reports(runner, *deep(runner, 20, "64M"))
    equal(report.stats["spill-bytes"], 0, "spill-bytes")
    for figure in "written-permille", "mean-write-bytes", "mean-read-bytes":
        equal(report.stats[figure], 0, figure)
    assert " wear " not in text, text
    assert "nan" not in text, text


def test_wear_in_words(runner):
    report, text = both_reports(runner, *deep(runner, 200, "4M"))
    line = next(line for line in text.splitlines() if " wear " in line)
    written = float(line.split()[1])
    # another run: about the same
    between(written * 1000, report.stats["written-permille"] - 500,
            report.stats["written-permille"] + 500, "written per byte")
    assert "written per byte; mean write " in line, line
    assert ", mean read " in line, line


def test_wear_of_a_pool(runner):
    # the blocks of a pool pass many times: each time counts
    need_elements("videotestsrc")
    report = runner.report(
        ["videotestsrc num-buffers=300 ! video/x-raw,format=I420,width=640,"
         "height=480 ! queue max-size-buffers=60 max-size-bytes=0 "
         "max-size-time=0 min-threshold-buffers=50 ! fakesink sync=false"],
        ",ram=8M")
    check_wear(report)
    stats = report.stats
    frame = 640 * 480 * 3 // 2
    assert stats["alloc-bytes"] < 200 * frame, stats["alloc-bytes"]
    between(stats["passed-bytes"], 295 * frame, 305 * frame, "passed-bytes")


def advice_for_encoder(runner, params):
    """In 32 MiB x264enc holds more than that."""
    need_elements("videotestsrc", "x264enc")
    path = runner.dir / "advised"
    runner.run([runner.driver, "videotestsrc num-buffers=200 ! video/x-raw,"
                "format=I420,width=1280,height=720 ! queue max-size-bytes=0 "
                "max-size-buffers=0 max-size-time=0 ! x264enc ! fakesink"],
               {"GST_FILEMEM_REPORT": str(path)},
               f"filemem(report-format=json,ram=32M{params})")
    return Report(json.loads(path.read_text()))


def test_who_holds(runner):
    report = advice_for_encoder(runner, ",attribution=on")
    advice = report.document["advice"]
    assert advice, "no advice"
    said = re.fullmatch(
        r"x264enc0 holds up to (\d+) buffers \((.*)\u00a0MiB\) mapped, for up to "
        r"[\d.]+ s: ram below (.*)\u00a0MiB saves no memory", advice[0])
    assert said, advice
    holder = report.elements["x264enc0"]
    equal(int(said[1]), holder["mapped-most"], "buffers")
    between(float(said[2]) * MIB, holder["mapped-most-bytes"] - MIB / 10,
            holder["mapped-most-bytes"] + MIB / 10, "bytes")
    # what it holds lies in extents, with other frames beside it
    pinned = report.stats["pinned-peak"]
    between(pinned, holder["mapped-most-bytes"],
            3 * holder["mapped-most-bytes"], "pinned-peak")
    between(float(said[3]) * MIB, pinned + 8 * MIB - MIB / 10,
            pinned + 8 * MIB + MIB / 10, "ram that would do")
    assert "streams" not in " ".join(advice), advice


def test_nobody_knows_who_holds(runner):
    advice = advice_for_encoder(runner, "").document["advice"]
    assert re.fullmatch(
        r"elements or the program have up to .*MiB mapped at a time: ram below "
        r".*MiB saves no memory; attribution=on names who", advice[0]), advice
    assert "streams" not in " ".join(advice), advice


def test_misspelt_queue(runner):
    argv = [runner.driver, "fakesrc num-buffers=1 ! queue ! fakesink"]
    out, err = runner.run(argv, tracers="filemem(queues=kueue:queue)")
    equal(err.count("filemem: "), 1, err)
    assert "'kueue'" in err, err
    out, err = runner.run(argv, tracers="filemem(queues=queue:appsink:identity)")
    equal(err, "")


def test_mapped(runner):
    # without threads the encoder looks ahead exactly so far
    need_elements("x264enc")
    frame = 320 * 240 * 3 // 2
    report = runner.report(
        ["videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,"
         "height=240 ! x264enc name=enc rc-lookahead=20 threads=1 "
         "sliced-threads=false sync-lookahead=0 bframes=0 ! fakesink"])
    enc = report.elements["enc"]
    equal(enc["mapped"], 0, "mapped")
    equal(enc["mapped-bytes"], 0, "mapped-bytes")
    between(enc["mapped-most"], 20, 26, "mapped-most")
    # and at most one that it gives out
    between(enc["mapped-most-bytes"], (enc["mapped-most"] - 1) * frame,
            enc["mapped-most"] * frame, "mapped-most-bytes")
    between(enc["mapped-longest-ns"], 1, report.document["uptime-ns"],
            "mapped-longest-ns")


if __name__ == "__main__":
    sys.exit(main(globals()))
